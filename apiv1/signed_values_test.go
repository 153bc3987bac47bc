package apiv1_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// meterPoint is the public key of a meter: the base point of secp256r1, whose
// private key is 1.
const meterPoint = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

// A meter signs.
type meter struct {
	t       testing.TB
	private *ecdsa.PrivateKey
}

func newMeter(t testing.TB) *meter {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &meter{t, private}
}

// key returns the public key in hexadecimal digits.
func (m *meter) key() string {
	der, err := x509.MarshalPKIXPublicKey(&m.private.PublicKey)
	if err != nil {
		m.t.Fatal(err)
	}
	return hex.EncodeToString(der)
}

// text returns an OCMF text that tells a reading in kWh.
func (m *meter) text(why, kWh string) string {
	return m.sign(fmt.Sprintf(`{"FV":"1.0","MS":"1EMH01","RD":[{"TX":%q,"RV":%s,"RU":"kWh"}]}`, why, kWh))
}

func (m *meter) sign(payload string) string {
	sum := sha256.Sum256([]byte(payload))
	sig, err := ecdsa.SignASN1(rand.Reader, m.private, sum[:])
	if err != nil {
		m.t.Fatal(err)
	}
	return "OCMF|" + payload + `|{"SD":"` + hex.EncodeToString(sig) + `"}`
}

// signedSample is the sampled value of a signed text.
func signedSample(text, context string) string {
	value, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"value":%s,"context":%q,"format":"SignedData"}`, value, context)
}

// wrap returns the JSON object that holds a text in OCPP 1.6.
func wrap(text, key string) string {
	return fmt.Sprintf(`{"signedMeterData":%q,"encodingMethod":"OCMF","publicKey":%q,"signingMethod":"ECDSA-secp256r1-SHA256"}`,
		base64.StdEncoding.EncodeToString([]byte(text)), key)
}

type signedValues struct {
	Signature *string
	Items     []struct {
		Value, Signature, Context                                               string
		Text, Reason, MeterKeyID, ReportedKey, MeterSerial, Encoding, Algorithm *string
		BeginWh, EndWh                                                          *int
	}
	Pagination struct{ Total int }
}

func (w *world) signedValues(id int) (v signedValues) {
	w.t.Helper()
	w.must(json.Unmarshal([]byte(w.want(200, fmt.Sprintf("GET /transactions/%d/signed-values", id), "")), &v))
	return v
}

// signature returns what a transaction shows.
func (w *world) signature(id int) string {
	w.t.Helper()
	var t struct{ Signature *string }
	w.must(json.Unmarshal([]byte(w.want(200, fmt.Sprintf("GET /transactions/%d", id), "")), &t))
	if t.Signature == nil {
		return "null"
	}
	return *t.Signature
}

// signatures returns what the meter values of a transaction show.
func (w *world) signatures(id int) string {
	w.t.Helper()
	var v struct{ Items []struct{ Signature *string } }
	w.must(json.Unmarshal([]byte(w.want(200, fmt.Sprintf("GET /transactions/%d/meter-values", id), "")), &v))
	var words []string
	for _, i := range v.Items {
		if i.Signature == nil {
			words = append(words, "null")
			continue
		}
		words = append(words, *i.Signature)
	}
	return strings.Join(words, " ")
}

// TestSignedValues: a charge whose begin and end are signed, before anybody knows
// with which key, and after.
func TestSignedValues(t *testing.T) {
	m := newMeter(t)
	begin, end := m.text("B", "1.000"), wrap(m.text("E", "8.500"), m.key())
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		id := s.start(1000)
		s.meter(id, signedSample(begin, "Transaction.Begin")+`,{"value":"1000"}`)
		time.Sleep(time.Hour)
		s.stop(id, 8600, fmt.Sprintf(`,"transactionData":[{"timestamp":%q,"sampledValue":[%s]}]`, s.clock(), signedSample(end, "Transaction.End")))

		v := w.signedValues(id)
		if w.signature(id) != "unknown" || *v.Signature != "unknown" || w.signatures(id) != "unknown null unknown" || len(v.Items) != 2 || v.Pagination.Total != 2 {
			t.Fatalf("before the key is known: %s, %s, %+v", w.signature(id), w.signatures(id), v)
		}
		if a, b := v.Items[0], v.Items[1]; a.Value != begin || *a.Text != begin || a.ReportedKey != nil || *a.MeterSerial != "1EMH01" || *a.BeginWh != 1000 || a.EndWh != nil ||
			b.Value != end || *b.Text == end || *b.ReportedKey != m.key() || *b.EndWh != 8500 || *b.Encoding != "OCMF" || *b.Algorithm != "ECDSA-secp256r1-SHA256" {
			t.Errorf("before the key is known: %+v", v)
		}
		reported := w.want(200, "GET /chargers/CHARGER-001/meter-keys", "")
		if !strings.Contains(reported, m.key()) || !strings.Contains(reported, `"registered":false`) || !strings.Contains(reported, `"meterKeys":[]`) {
			t.Errorf("reported: %s", reported)
		}

		key := field(t, w.want(200, "PUT /chargers/CHARGER-001/meter-keys", fmt.Sprintf(`{"publicKey":%q,"meterSerial":"1EMH01","connectorId":1}`, m.key())), "id")
		v = w.signedValues(id)
		if w.signature(id) != "valid" || w.signatures(id) != "valid null valid" || *v.Items[0].MeterKeyID != key || *v.Items[1].MeterKeyID != key || *v.Signature != "valid" {
			t.Errorf("with the key: %s, %s, %+v", w.signature(id), w.signatures(id), v)
		}
		if body := w.want(200, fmt.Sprintf("GET /transactions/%d?expand=meterValues", id), ""); strings.Count(body, `"signature":"valid"`) != 3 || !strings.Contains(body, `"energySource":"signed"`) {
			t.Errorf("expanded: %s", body)
		}
		if body := w.want(200, "GET /chargers/CHARGER-001/meter-keys", ""); !strings.Contains(body, `"registered":true`) {
			t.Errorf("reported: %s", body)
		}
		w.want(200, "DELETE /chargers/CHARGER-001/meter-keys/"+key, "")
		if w.signature(id) != "unknown" {
			t.Errorf("after the key was removed: %s", w.signature(id))
		}
		w.want(200, "PUT /chargers/CHARGER-001/meter-keys", `{"publicKey":"`+meterPoint+`"}`)
		v = w.signedValues(id)
		if w.signature(id) != "invalid" || *v.Items[0].Reason == "" || v.Items[0].MeterKeyID != nil {
			t.Errorf("with another key: %s, %+v", w.signature(id), v)
		}
	})
}

// TestForgery: a reading that the registered key did not sign is marked, and does
// not count as evidence of energy, for ever.
func TestForgery(t *testing.T) {
	m, other := newMeter(t), newMeter(t)
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		key := field(t, w.want(200, "PUT /chargers/CHARGER-001/meter-keys", fmt.Sprintf(`{"publicKey":%q,"connectorId":1}`, m.key())), "id")
		id := s.start(1000)
		s.meter(id, signedSample(m.text("B", "1"), "Transaction.Begin"))
		time.Sleep(time.Hour)
		s.stop(id, 8600, fmt.Sprintf(`,"transactionData":[{"timestamp":%q,"sampledValue":[%s]}]`, s.clock(), signedSample(other.text("E", "2"), "Transaction.End")))
		for _, when := range []string{"with the key", "without it"} {
			body := w.want(200, fmt.Sprintf("GET /transactions/%d", id), "")
			if !strings.Contains(body, `"flags":["SIGNATURE_INVALID"]`) || !strings.Contains(body, `"energySource":"registers"`) || !strings.Contains(body, `"energyDelivered":7.6`) {
				t.Errorf("%s: %s", when, body)
			}
			if w.do("DELETE /chargers/CHARGER-001/meter-keys/"+key, ""); when == "without it" && w.signature(id) != "unknown" {
				t.Errorf("without the key: %s", w.signature(id))
			}
		}
	})
}

// TestWhichKey: a key counts for the connector and the meter it was registered
// for; one for another meter makes nothing invalid.
func TestWhichKey(t *testing.T) {
	m, other := newMeter(t), newMeter(t)
	for name, c := range map[string]struct {
		keys []string
		want string
	}{
		"none":                               {nil, "unknown"},
		"any meter's":                        {[]string{`{"publicKey":"` + m.key() + `"}`}, "valid"},
		"another connector's":                {[]string{`{"publicKey":"` + m.key() + `","connectorId":2}`}, "unknown"},
		"another meter's":                    {[]string{`{"publicKey":"` + other.key() + `","meterSerial":"2"}`}, "unknown"},
		"another meter's, and the right one": {[]string{`{"publicKey":"` + other.key() + `","meterSerial":"2"}`, `{"publicKey":"` + m.key() + `","meterSerial":"1EMH01"}`}, "valid"},
		"an older one, and the right one":    {[]string{`{"publicKey":"` + other.key() + `"}`, `{"publicKey":"` + m.key() + `"}`}, "valid"},
		"a wrong one":                        {[]string{`{"publicKey":"` + other.key() + `"}`}, "invalid"},
		"a wrong one, of the connector":      {[]string{`{"publicKey":"` + other.key() + `","connectorId":1}`}, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := w.connect("CHARGER-001")
				defer s.end()
				for _, key := range c.keys {
					w.want(200, "PUT /chargers/CHARGER-001/meter-keys", key)
				}
				id := s.start(1000)
				time.Sleep(time.Minute)
				s.stop(id, 1100, fmt.Sprintf(`,"transactionData":[{"timestamp":%q,"sampledValue":[%s,%s]}]`, s.clock(),
					signedSample(m.text("B", "1"), "Transaction.Begin"), signedSample(m.text("E", "1.1"), "Transaction.End")))
				if got := w.signature(id); got != c.want {
					t.Errorf("signature %s, want %s", got, c.want)
				}
				flagged := strings.Contains(w.want(200, fmt.Sprintf("GET /transactions/%d", id), ""), "SIGNATURE_INVALID")
				if flagged != (c.want == "invalid") {
					t.Errorf("flagged at receipt: %t; want as now: %s", flagged, c.want)
				}
			})
		})
	}
}

// oddTexts are texts that are easily changed on their way.
func oddTexts(m *meter) []string {
	long := strings.Repeat("Aa0 ,.|\\\"/äß漢🚗\u2028\u2029\x7f<>&\t", 3500)
	payload, err := json.Marshal(map[string]string{"GI": long})
	if err != nil {
		panic(err)
	}
	return []string{
		m.sign(string(payload)), long, "\x00\x01\x1f\n\r\t\b\f", "  leading and trailing  ", "\ufeffBOM \ufffd \u200d", `\u0041 "quoted" \\ /`, "<script>&amp;", `{"signedMeterData":""}`, " ", "0", "null", "é", "e\u0301",
	}
}

// TestByteForByte: what a station sends comes back as it was, in MeterValues and
// in transactionData, however it was escaped.
func TestByteForByte(t *testing.T) {
	texts := oddTexts(newMeter(t))
	if len(texts[0]) < 100_000 || len(texts[1]) < 100_000 {
		t.Fatalf("the long texts have %d and %d bytes", len(texts[0]), len(texts[1]))
	}
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		id := s.start(0)
		var sent []string
		for _, text := range texts {
			s.meter(id, signedSample(text, "Sample.Periodic"))
			time.Sleep(time.Second)
			s.meter(id, `{"value":"`+escaped(text)+`","format":"SignedData"}`)
			time.Sleep(time.Second)
			sent = append(sent, text, text)
		}
		var data []string
		for i, text := range texts {
			data = append(data, fmt.Sprintf(`{"timestamp":%q,"sampledValue":[%s]}`, w.now().Add(time.Duration(i)*time.Second).Format(time.RFC3339), signedSample(text, "Other")))
		}
		sent = append(sent, texts...)
		s.stop(id, 10, `,"transactionData":[`+strings.Join(data, ",")+`]`)
		var got []string
		for _, i := range w.signedValues(id).Items {
			got = append(got, i.Value)
		}
		if !slices.Equal(got, sent) {
			for i := range min(len(got), len(sent)) {
				if got[i] != sent[i] {
					t.Errorf("text %d: got %.60q, sent %.60q", i, got[i], sent[i])
				}
			}
			t.Errorf("%d texts came back of %d", len(got), len(sent))
		}
	})
}

// escaped writes every character of a text as \uXXXX.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 0x10000 {
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			continue
		}
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return b.String()
}

// A transaction in which nothing was signed has no signature, and nobody lists
// what is not there.
func TestNothingSigned(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		id := s.start(0)
		s.meter(id, `{"value":"5"}`)
		if got := w.signature(id); got != "null" {
			t.Errorf("signature %s", got)
		}
		if v := w.signedValues(id); v.Signature != nil || len(v.Items) != 0 {
			t.Errorf("%+v", v)
		}
		s.meter(id, signedSample("AP;0;3;ALCV3ABBBISHMA2RYEAZRSCJ6FXXYB", "Sample.Periodic"))
		w.want(200, "PUT /chargers/CHARGER-001/meter-keys", `{"publicKey":"`+meterPoint+`"}`)
		if got := w.signature(id); got != "unknown" {
			t.Errorf("in a form that we do not know: %s", got)
		}
		w.wantError("GET /transactions/99/signed-values", "", 404, "NOT_FOUND", "there is no transaction 99")
	})
}
