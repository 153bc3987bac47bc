package leyden_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"leyden"
)

// signed returns a sample with an OCMF text of one reading.
func signed(minute int, why string, kWh string, verdict leyden.Verdict) leyden.Sample {
	text := fmt.Sprintf(`OCMF|{"GI":"a|b","RD":[{"TX":%q,"RV":%s,"RU":"kWh"}]}|{"SD":"00"}`, why, kWh)
	return leyden.Sample{At: at(minute), Value: text, Format: "SignedData", Signature: verdict}
}

// wrapped returns a sample as OCPP 1.6 stations wrap it.
func wrapped(s leyden.Sample) leyden.Sample {
	s.Value = `{"signedMeterData":"` + base64.StdEncoding.EncodeToString([]byte(s.Value)) + `","encodingMethod":"OCMF"}`
	return s
}

// Signed readings are the best evidence of energy, unless they are proven not to
// be signed by the meter.
func TestProvenForgeriesAreNoEvidence(t *testing.T) {
	const unknown, valid, invalid = leyden.SignatureUnknown, leyden.SignatureValid, leyden.SignatureInvalid
	begin := func(v leyden.Verdict) leyden.Sample { return signed(0, "B", "1.000", v) }
	end := func(v leyden.Verdict) leyden.Sample { return signed(119, "E", "8.500", v) }
	for name, tc := range map[string]struct {
		samples []leyden.Sample
		energy  leyden.WattHours
		flags   string
	}{
		"both unknown":    {[]leyden.Sample{begin(unknown), end(unknown)}, 7500, ""},
		"both valid":      {[]leyden.Sample{begin(valid), end(valid)}, 7500, ""},
		"wrapped":         {[]leyden.Sample{wrapped(begin(valid)), wrapped(end(unknown))}, 7500, ""},
		"end forged":      {[]leyden.Sample{begin(valid), end(invalid)}, 9000, "SIGNATURE_INVALID"},
		"begin forged":    {[]leyden.Sample{begin(invalid), end(valid)}, 9000, "SIGNATURE_INVALID"},
		"another one too": {[]leyden.Sample{begin(valid), end(valid), signed(60, "C", "3", invalid)}, 7500, "SIGNATURE_INVALID"},
		"forged, wrapped": {[]leyden.Sample{wrapped(begin(valid)), wrapped(end(invalid))}, 9000, "SIGNATURE_INVALID"},
		"forged end and a good one": {
			[]leyden.Sample{begin(valid), signed(118, "E", "99", invalid), end(valid)}, 7500, "SIGNATURE_INVALID",
		},
		"forged, at no time": {[]leyden.Sample{begin(valid), end(valid), {Value: "x", Format: "SignedData", Signature: invalid}}, 7500, "SIGNATURE_INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			got := folded(1000, 10_000, tc.samples)
			if deref(got.Energy) != tc.energy || strings.Join(got.Flags.Names(), " ") != tc.flags || !got.HasSigned() {
				t.Errorf("%d Wh by %q, flags %v, signed %t; want %d, flags %q", deref(got.Energy), got.EnergySource, got.Flags.Names(), got.HasSigned(), tc.energy, tc.flags)
			}
		})
	}
	if got := folded(1000, 2000, reading(10, "1500")); got.HasSigned() {
		t.Error("nothing was signed")
	}
}

// What was found of a signature is no part of what a station sent: the same stop
// with other spaces, sent after a key came to be known, is the same stop.
func TestAVerdictIsNoContradiction(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	stop := b.stopEvent(int64(id), 5000)
	stop.Digest, stop.Samples = "1", []leyden.Sample{signed(0, "E", "5", leyden.SignatureUnknown)}
	b.record(stop)
	stop.Digest, stop.Samples = "2", []leyden.Sample{signed(0, "E", "5", leyden.SignatureValid)}
	if out := b.record(stop); !out.Replay || out.Transaction.Flags != 0 {
		t.Errorf("replay %t, flags %v", out.Replay, out.Transaction.Flags.Names())
	}
}

// The register that is billed has many names, and others have similar ones.
func TestSignedRegisters(t *testing.T) {
	for code, want := range map[string]bool{
		"": true, "1-b:1.8.0": true, "1-0:1.8.0*198": true, "1.8.0": true, "01-00:98.08.00.FF": true, "01-00:B0.08.00.FF": true, "01-00:B3.08.00.FF": true,
		"01-00:b2.08.00.ff": true, "1-b:2.8.0": false, "1-0:1.7.0": false, "01-00:C0.08.00.FF": false, "01-00:B4.08.00.FF": false, "1-0:11.8.0": false, "x": false, ":": false, "1-0:21.8.0": false,
	} {
		s := leyden.Sample{Format: "SignedData", Value: fmt.Sprintf(`OCMF|{"RD":[{"TX":"B","RV":"1.5","RU":"kWh","RI":%q},{"TX":"E","RV":2500,"RU":"Wh","RI":%[1]q}]}|{}`, code)}
		begin, end := s.SignedRegisters()
		if (begin != nil && end != nil) != want || want && (*begin != 1500 || *end != 2500) {
			t.Errorf("%q: %d, %d; want %t", code, deref(begin), deref(end), want)
		}
	}
}
