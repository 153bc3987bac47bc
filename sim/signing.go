package sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// MeterKey returns the public key of a station's meter, which signs if o.Signed
// says so: SubjectPublicKeyInfo in hex. It follows from the seed.
func (o *Options) MeterKey(station string) (string, error) {
	key, err := o.meterKey(station)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return hex.EncodeToString(der), err
}

func (o *Options) meterKey(station string) (*ecdsa.PrivateKey, error) {
	r := stream(o.Seed, station, purposeMeter)
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(r.Uint32())
	}
	secret[0] &= 0x7f // below the order of the curve
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
}

// A meterReading is one of an OCMF text.
type meterReading struct {
	Time   string      `json:"TM"`
	Why    string      `json:"TX"`
	Value  json.Number `json:"RV"`
	OBIS   string      `json:"RI"`
	Unit   string      `json:"RU"`
	Errors string      `json:"EF"`
	Status string      `json:"ST"`
}

func reading(why string, at time.Time, wh int) meterReading {
	return meterReading{
		Time: at.Format("2006-01-02T15:04:05,000-0700") + " S", Why: why,
		Value: json.Number(fmt.Sprintf("%d.%03d", wh/1000, wh%1000)), OBIS: "1-b:1.8.0", Unit: "kWh", Status: "G",
	}
}

// signedData returns the readings of a charge that the meter has signed, for
// transactionData; none if it signs nothing, or cannot.
func (s *station) signedData(ch *charge) []v16.MeterValue {
	if s.meterKey == nil {
		return nil
	}
	begin, end := reading("B", ch.StartedAt, ch.MeterStart), reading("E", ch.StoppedAt, ch.MeterStop)
	var list []v16.MeterValue
	for _, signed := range []struct {
		context  v16.ReadingContext
		at       time.Time
		readings []meterReading
	}{
		{v16.ReadingContextTransactionBegin, ch.StartedAt, []meterReading{begin}},
		{v16.ReadingContextTransactionEnd, ch.StoppedAt, []meterReading{begin, end}},
	} {
		text, err := s.sign(ch, signed.readings)
		if err != nil {
			s.book.breach(s.id, "to sign its readings", "%v", err)
			return nil
		}
		list = append(list, v16.MeterValue{Timestamp: signed.at, SampledValue: []v16.SampledValue{{
			Value: text, Context: ocpp.Some(signed.context), Format: ocpp.Some(v16.ValueFormatSignedData),
		}}})
	}
	return list
}

// sign returns an OCMF text of readings, as OCPP 1.6 stations send one (Open
// Charge Alliance, "Signed Meter Values in OCPP").
func (s *station) sign(ch *charge, readings []meterReading) (string, error) {
	s.pages++
	payload, err := json.Marshal(map[string]any{
		"FV": "1.0", "GI": s.model, "GS": s.serial, "PG": fmt.Sprint("T", s.pages), "MV": s.vendor, "MM": s.model, "MS": s.serial,
		"IS": true, "IT": "ISO14443", "ID": ch.IDTag, "CT": "EVSEID", "CI": fmt.Sprint(s.id, "-", ch.Connector), "RD": readings,
	})
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(payload)
	signature, err := s.meterKey.Sign(nil, digest[:], crypto.SHA256) // without chance: of the same seed, the same text
	if err != nil {
		return "", err
	}
	public, err := s.opt.MeterKey(s.id)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(`OCMF|%s|{"SA":"ECDSA-secp256r1-SHA256","SD":"%x"}`, payload, signature)
	wrapped, err := json.Marshal(map[string]string{
		"signedMeterData": base64.StdEncoding.EncodeToString([]byte(text)), "signingMethod": "", "encodingMethod": "OCMF",
		"publicKey": base64.StdEncoding.EncodeToString([]byte("oca:base16:asn1:" + public)),
	})
	return string(wrapped), err
}
