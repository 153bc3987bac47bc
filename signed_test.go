package leyden_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

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
		"end forged":      {[]leyden.Sample{begin(valid), end(invalid)}, 7550, "SIGNATURE_INVALID"},
		"begin forged":    {[]leyden.Sample{begin(invalid), end(valid)}, 7550, "SIGNATURE_INVALID"},
		"another one too": {[]leyden.Sample{begin(valid), end(valid), signed(60, "C", "3", invalid)}, 7500, "SIGNATURE_INVALID"},
		"forged, wrapped": {[]leyden.Sample{wrapped(begin(valid)), wrapped(end(invalid))}, 7550, "SIGNATURE_INVALID"},
		"forged end and a good one": {
			[]leyden.Sample{begin(valid), signed(118, "E", "99", invalid), end(valid)}, 7500, "SIGNATURE_INVALID",
		},
		"forged, at no time": {[]leyden.Sample{begin(valid), end(valid), {Value: "x", Format: "SignedData", Signature: invalid}}, 7500, "SIGNATURE_INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			got := folded(1000, 8550, tc.samples)
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

// ocmfOf returns a sample with an OCMF text of that record.
func ocmfOf(minute int, record string) leyden.Sample {
	return leyden.Sample{At: at(minute), Value: "OCMF|" + record + `|{"SD":"00"}`, Format: "SignedData", Signature: leyden.SignatureValid}
}

// A signature says that the meter showed that once, not that it was in this charge.
// The charge is from 12:00 to 14:00 and has 7.5 kWh by its registers.
func TestSignedReadingsOfAnotherCharge(t *testing.T) {
	const foreign, fits = `CONTENT_CONFLICT`, ""
	begin := func(tm string) string { return fmt.Sprintf(`{"TM":%q,"TX":"B","RV":1,"RU":"kWh"}`, tm) }
	end := func(tm, kWh string) string { return fmt.Sprintf(`{"TM":%q,"TX":"E","RV":%s,"RU":"kWh"}`, tm, kWh) }
	both := func(from, to, kWh string) []leyden.Sample {
		return []leyden.Sample{ocmfOf(119, `{"RD":[`+begin(from)+`,`+end(to, kWh)+`]}`)}
	}
	good := both("2026-02-06T13:00:00,000+0100 S", "2026-02-06T15:00:00,000+0100 S", "8.45")[0]
	old := both("2026-02-05T13:00:00,000+0100 S", "2026-02-05T15:00:00,000+0100 S", "3")[0]
	apart := func(a, b string) []leyden.Sample {
		return []leyden.Sample{
			ocmfOf(0, `{`+a+`"RD":[{"TX":"B","RV":1,"RU":"kWh"}]}`), ocmfOf(119, `{`+b+`"RD":[{"TX":"E","RV":8.45,"RU":"kWh"}]}`),
		}
	}
	for name, tc := range map[string]struct {
		samples []leyden.Sample
		energy  leyden.WattHours
		flags   string
	}{
		"in the charge":                  {[]leyden.Sample{good}, 7450, fits},
		"five minutes outside":           {both("2026-02-06T11:55:00,000+0000 S", "2026-02-06T14:05:00,000+0000 I", "8.45"), 7450, fits},
		"begin six minutes before":       {both("2026-02-06T11:54:00,000+0000 S", "2026-02-06T14:00:00,000+0000 S", "8.45"), 7500, foreign},
		"end six minutes after":          {both("2026-02-06T12:00:00,000+0000 S", "2026-02-06T14:06:00,000+0000 R", "8.45"), 7500, foreign},
		"of the day before":              {[]leyden.Sample{old}, 7500, foreign},
		"of the day before, wrapped":     {[]leyden.Sample{wrapped(old)}, 7500, foreign},
		"of the day before, and its own": {[]leyden.Sample{old, good, old}, 7450, foreign},
		"of a meter without a clock":     {both("2018-01-01T00:00:00,000+0000 U", "2018-01-01T01:00:00,000+0000 U", "8.45"), 7450, fits},
		"of 1970":                        {both("1970-01-01T00:00:00,000+0000 S", "1970-01-01T01:00:00,000+0000 S", "8.45"), 7450, fits},
		"RFC 3339, without a letter":     {both("2026-02-06T12:00:00Z", "2026-02-06T14:00:00.5+00:00", "8.45"), 7450, fits},
		"a time once for both":           {[]leyden.Sample{ocmfOf(119, `{"RD":[`+begin("2026-02-05T12:00:00,000+0000 S")+`,{"TX":"E","RV":8.45,"RU":"kWh"}]}`)}, 7500, foreign},
		"no time at all":                 {both("", "yesterday", "8.45"), 7450, fits},
		"sampled before":                 {[]leyden.Sample{signed(-10, "B", "1", ""), signed(119, "E", "8.45", "")}, 7500, foreign},
		"sampled after":                  {[]leyden.Sample{signed(0, "B", "1", ""), signed(126, "E", "8.45", "")}, 7500, foreign},
		"one meter":                      {apart(`"MS":"1","PG":"T9",`, `"MS":"1","PG":"T10",`), 7450, fits},
		"two meters":                     {apart(`"MS":"1",`, `"MS":"2",`), 7500, foreign},
		"one says no serial":             {apart(`"MS":"1","PG":7,`, `"MS":null,"PG":"T1",`), 7450, fits},
		"counted back":                   {apart(`"PG":"T10",`, `"PG":"T9",`), 7500, foreign},
		"counted otherwise":              {apart(`"PG":"F10",`, `"PG":"T11",`), 7500, foreign},
		"ended before it began":          {[]leyden.Sample{signed(60, "B", "1", ""), signed(30, "E", "8.45", "")}, 7500, foreign},
		"a tenth more":                   {both("2026-02-06T12:00:00Z", "2026-02-06T14:00:00Z", "8.6"), 7600, fits},
		"more than that":                 {both("2026-02-06T12:00:00Z", "2026-02-06T14:00:00Z", "8.601"), 7601, foreign},
		"less than that":                 {both("2026-02-06T12:00:00Z", "2026-02-06T14:00:00Z", "8.399"), 7399, foreign},
		"forged, of the day before":      {[]leyden.Sample{{At: old.At, Value: old.Value, Format: old.Format, Signature: leyden.SignatureInvalid}, good}, 7450, "SIGNATURE_INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			got := folded(1000, 8500, tc.samples)
			if deref(got.Energy) != tc.energy || strings.Join(got.Flags.Names(), " ") != tc.flags {
				t.Errorf("%d Wh by %q, flags %v; want %d, flags %q", deref(got.Energy), got.EnergySource, got.Flags.Names(), tc.energy, tc.flags)
			}
		})
	}
	if got := folded(1000, 100_000, both("2026-02-06T12:00:00Z", "2026-02-06T14:00:00Z", "100.99")); got.Flags != 0 || deref(got.Energy) != 99_990 {
		t.Errorf("1%% more: %d Wh, flags %v", deref(got.Energy), got.Flags.Names())
	}
}

// signedCharge is a whole charge with signed readings of its own, of the day before
// and of the hour after, in reports that may come in any order.
func signedCharge() []leyden.Event {
	events := charge()
	pair := func(tm, kWh string) leyden.Sample {
		return ocmfOf(20, fmt.Sprintf(`{"MS":"m","PG":"T1","RD":[{"TM":"2026-02-05T12:00:00,000+0000 S","TX":"B","RV":1,"RU":"kWh"},{"TM":%q,"TX":"E","RV":%s,"RU":"kWh"}]}`, tm, kWh))
	}
	events[1].Samples = append(events[1].Samples, signed(10, "B", "1.01", ""))
	events[2].Samples = append(events[2].Samples, pair("2026-02-05T12:40:00,000+0000 S", "2"))
	events[3].Samples = append(events[3].Samples, pair("2026-02-06T13:40:00,000+0000 S", "40"), signed(55, "B", "9", ""))
	events[5].Samples = []leyden.Sample{signed(45, "E", "15.02", "")}
	return events
}

// Signed readings of another charge are kept byte for byte with their verdict, and
// those of this one are billed.
func TestLedgerKeepsForeignSignedReadings(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 1000).Transaction.ID
	foreign := ocmfOf(0, `{"RD":[{"TM":"2026-02-05T12:00:00,000+0000 S","TX":"B","RV":1,"RU":"kWh"},{"TX":"E","RV":90,"RU":"kWh"}]}`)
	b.record(leyden.Event{Station: "S", Kind: leyden.Updated, At: b.clock, Number: new(int64(id)), Connector: 1, Digest: "f", Samples: []leyden.Sample{foreign}})
	b.want(id, leyden.Active, none, "CONTENT_CONFLICT")
	b.pass(45 * time.Minute)
	stop := b.stopEvent(int64(id), 15_000)
	stop.Samples = []leyden.Sample{signed(0, "B", "1.01", ""), signed(45, "E", "15.02", "")}
	b.record(stop)
	b.want(id, leyden.Completed, 14_010, "CONTENT_CONFLICT")
	events, err := b.Store().Events(t.Context(), id)
	if err != nil || len(events) != 3 || len(events[1].Samples) != 1 || events[1].Samples[0].Value != foreign.Value || events[1].Samples[0].Signature != leyden.SignatureValid {
		t.Errorf("kept %+v, %v", events, err)
	}
}
