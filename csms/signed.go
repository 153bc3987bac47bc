package csms

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"leyden"
	"leyden/ocmf"
)

const formatSigned = "SignedData"

// maxVerified is how many different signatures of one message are verified as it
// comes: each takes up to some milliseconds.
const maxVerified = 200

// A Signed is what a sample of format SignedData says, and whether it is signed.
type Signed struct {
	ocmf.Wrapped
	Record  ocmf.Record // zero when there is no OCMF text
	Verdict leyden.Verdict
	Key     leyden.MeterKey // that signed it; zero unless it is valid
	Reason  string          // why it is invalid; "" unless it is
}

// VerifySigned finds out which of a station's keys signed the value of a sample
// on a connector, or on one that is not known with 0. It is valid by any key that
// may be that meter's. It is invalid if there are keys that must be that meter's,
// and none of them signed it.
func VerifySigned(value string, connector int, keys []leyden.MeterKey) Signed {
	s := Signed{Wrapped: ocmf.Unwrap(value)}
	record, err := s.Wrapped.Record()
	if err != nil {
		return s // in a form that we do not know
	}
	s.Record = record
	for i := range keys {
		k := &keys[i]
		if k.Serial != "" && k.Serial != record.Content.MeterSerial || k.Connector != 0 && connector != 0 && k.Connector != connector {
			continue
		}
		public, err := ocmf.KeyOf(k.Public)
		if err != nil {
			continue // it is none
		}
		if err = public.Verify(&record); err == nil {
			s.Verdict, s.Key, s.Reason = leyden.SignatureValid, *k, ""
			return s
		}
		if k.Connector == 0 || connector != 0 { // else it may be another connector's
			s.Verdict, s.Reason = leyden.SignatureInvalid, err.Error()
		}
	}
	return s
}

// record records a report, with what is found of the signatures in it.
func (s *session) record(ctx context.Context, r *report) error {
	r.Event.ReceivedAt = s.heldAt
	err := s.verify(ctx, r.Event)
	if err == nil {
		err = s.srv.ledger.Keep(ctx, r.Report)
	}
	about := r.Event.Transaction
	if err != nil {
		about = 0
	}
	s.concerns(about)
	return err
}

// verify notes in the samples of a report whether they are signed, by the keys
// that are known now, and remembers the keys that came with them.
func (s *session) verify(ctx context.Context, e *leyden.Event) error {
	if !hasSigned(e.Samples) {
		return nil
	}
	connector, err := s.connectorOf(ctx, e)
	if err != nil {
		return err
	}
	s.noteKeys(e, connector)
	keys, err := s.srv.ledger.Registry().MeterKeys(ctx, s.station)
	if err != nil {
		return fmt.Errorf("meter keys of %s: %w", s.station, err)
	}
	if len(keys) == 0 {
		return nil
	}
	verdicts := make(map[string]leyden.Verdict)
	for i := range e.Samples {
		v := &e.Samples[i]
		if v.Format != formatSigned {
			continue
		}
		verdict, known := verdicts[v.Value]
		if !known && len(verdicts) < maxVerified {
			verdict = VerifySigned(v.Value, connector, keys).Verdict
			verdicts[v.Value] = verdict
		}
		v.Signature = verdict
	}
	return nil
}

func hasSigned(samples []leyden.Sample) bool {
	for i := range samples {
		if samples[i].Format == formatSigned {
			return true
		}
	}
	return false
}

// connectorOf returns the connector that a report is about, 0 when that is not
// known: a stop names its transaction only.
func (s *session) connectorOf(ctx context.Context, e *leyden.Event) (int, error) {
	if e.Connector != 0 || e.Number == nil || *e.Number < 1 || *e.Number > 1<<31-1 {
		return e.Connector, nil
	}
	t, err := s.srv.ledger.Store().Transaction(ctx, leyden.TransactionID(*e.Number))
	if errors.Is(err, leyden.ErrNotFound) || err == nil && t.Station != s.station {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("transaction %d: %w", *e.Number, err)
	}
	return t.Connector, nil
}

// maxKeyText is how long a key may be, in bytes, to be remembered.
const maxKeyText = 2048

// noteKeys remembers the public keys that a station sent along with signed
// samples, the first two of a message: they prove nothing, but an operator may
// know them.
func (s *session) noteKeys(e *leyden.Event, connector int) {
	const most = 2
	seen := map[string]bool{}
	for i := range e.Samples {
		if e.Samples[i].Format != formatSigned || len(seen) == most {
			continue
		}
		if key := ocmf.Unwrap(e.Samples[i].Value).PublicKey; key != "" && !seen[key] {
			seen[key] = true
			s.noteKey(connector, key, "MeterValues")
		}
	}
}

// noteKey remembers a public key that a station told by itself.
func (s *session) noteKey(connector int, text, source string) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxKeyText || s.conn == nil { // nil: an operator replays what it once sent
		return
	}
	s.srv.ledger.KeyReported(s.station, leyden.ReportedKey{Connector: connector, Text: strings.Clone(text), Source: source})
}

// meterPublicKey begins the names of the settings that tell the public keys of
// meters (Open Charge Alliance, "Signed Meter Values in OCPP"): MeterPublicKey1,
// MeterPublicKey[1], or without the connector.
const meterPublicKey = "MeterPublicKey"

// keySetting returns the connector of a setting that tells a meter's public key,
// 0 for all of them.
func keySetting(name string) (connector int, ok bool) {
	if len(name) < len(meterPublicKey) || !strings.EqualFold(name[:len(meterPublicKey)], meterPublicKey) {
		return 0, false
	}
	rest := strings.TrimSuffix(strings.TrimPrefix(name[len(meterPublicKey):], "["), "]")
	if rest == "" || strings.EqualFold(rest, "s") {
		return 0, true
	}
	n, err := strconv.Atoi(rest)
	return n, err == nil && n >= 0 && n <= maxConnector
}
