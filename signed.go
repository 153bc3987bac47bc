package leyden

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// signedSlack is how far outside of its charge a signed reading may lie: the
// meter's clock is another than the station's.
const signedSlack = 5 * time.Minute

// A signedReading is a register reading that a meter signed for the begin or the
// end of a charge.
type signedReading struct {
	Reading
	Serial string `json:"serial,omitempty"` // of the meter; "" when it does not say
	Page   string `json:"page,omitempty"`   // T or F, and the number of the reading; "" when it does not say
}

// A span is the time from one instant to another, both included. A zero one does
// not restrict.
type span struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

func (s span) contains(at time.Time) bool {
	return (s.From.IsZero() || !at.Before(s.From)) && (s.To.IsZero() || !at.After(s.To))
}

func (s span) equal(o span) bool { return s.From.Equal(o.From) && s.To.Equal(o.To) }

// A signedRecord is the part of an OCMF text (Open Charge Metering Format) that
// tells what the meter signed: readings, each with when and for what it was taken.
// What is empty is as in the reading before.
type signedRecord struct {
	Serial   string `json:"MS"`
	Page     string `json:"PG"`
	Readings []struct {
		Time  string      `json:"TM"` // with a letter for the state of the clock behind it
		Why   string      `json:"TX"` // B begin, E end, C charging, …
		Value json.Number `json:"RV"`
		Unit  string      `json:"RU"`
		OBIS  string      `json:"RI"`
	} `json:"RD"`
}

// read reads an OCMF text, OCMF|{payload}|{signature}, as package ocmf does,
// which verifies it.
func (r *signedRecord) read(text string) bool {
	rest, ok := strings.CutPrefix(text, "OCMF|")
	if !ok {
		return false
	}
	d := json.NewDecoder(strings.NewReader(rest))
	if err := d.Decode(r); err != nil {
		if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
			return false
		}
	}
	space, _, ok := strings.Cut(rest[d.InputOffset():], "|")
	return ok && strings.TrimSpace(space) == ""
}

// unwrapSigned returns the text inside of the JSON object in which OCPP 1.6
// stations send signed data, or value itself.
func unwrapSigned(value string) string {
	var o struct {
		Data string `json:"signedMeterData"`
	}
	if !strings.HasPrefix(strings.TrimSpace(value), "{") || json.Unmarshal([]byte(value), &o) != nil || o.Data == "" {
		return value
	}
	digits := strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "", "\t", "").Replace(o.Data)
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(digits, "="))
	if err != nil || strings.HasPrefix(o.Data, "OCMF|") {
		return o.Data
	}
	return string(text)
}

// noteSigned notes that there are signed samples, and ones that are proven wrong.
func (v *Evidence) noteSigned(samples []Sample) {
	for i := range samples {
		if samples[i].Format != formatSigned {
			continue
		}
		v.Signed = true
		if samples[i].Signature == SignatureInvalid {
			v.Noted |= BadSignature
		}
	}
}

// HasSigned reports whether some of the readings are signed.
func (t *Transaction) HasSigned() bool {
	v := &t.Evidence
	return v.Signed || v.SignedBegin != nil || v.SignedEnd != nil
}

// SignedRegisters returns the import registers that a signed sample tells for
// the begin and the end of a transaction, whoever signed it.
func (s *Sample) SignedRegisters() (begin, end *WattHours) {
	for _, r := range s.signedReadings() {
		if r.begin {
			begin = new(r.Wh)
			continue
		}
		end = new(r.Wh)
	}
	return begin, end
}

// A taken is a signed reading, and whether it was taken for the begin.
type taken struct {
	signedReading
	begin bool
}

// signedReadings returns what a signed sample tells of the begin and the end of a
// transaction, with the meter's times where it knows them.
func (s *Sample) signedReadings() []taken {
	if s.Format != formatSigned || s.Measurand != "" && s.Measurand != measurandImport {
		return nil
	}
	var record signedRecord
	if !record.read(unwrapSigned(s.Value)) {
		return nil
	}
	var list []taken
	var when, why string
	serial, page := shortSerial(record.Serial), pageOf(record.Page)
	for _, r := range record.Readings {
		when, why = cmp.Or(r.Time, when), cmp.Or(r.Why, why)
		wh, ok := parseWh(r.Value.String(), r.Unit)
		if !ok || !isImportOBIS(r.OBIS) {
			continue
		}
		n := taken{signedReading{Reading{meterTime(when, s.At), wh}, serial, page}, why == "B"}
		switch why {
		case "B", "E", "L", "R", "A", "P":
			list = append(list, n)
		}
	}
	return list
}

// meterTime reads a time of OCMF, 2026-02-06T12:00:00,000+0100 S. A meter that
// says that its clock was never set (U), or whose clock stands before OCPP 1.6,
// does not know it: then it is sampled, the station's time.
func meterTime(text string, sampled time.Time) time.Time {
	text, state, _ := strings.Cut(strings.TrimSpace(text), " ")
	if strings.TrimSpace(state) == "U" {
		return sampled
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z0700", time.RFC3339} {
		t, err := time.Parse(layout, text)
		if t = storable(t); err == nil && !t.Before(implausibleBefore) {
			return t
		}
	}
	return sampled
}

// shortSerial returns what is kept of a meter's serial.
func shortSerial(text string) string {
	const most = 64 // bytes
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return strings.Clone(text)
}

// pageOf returns a number of OCMF's pagination, T for those of charges or F for
// others and a count, or "" for what is none.
func pageOf(text string) string {
	if len(text) < 2 || text[0] != 'T' && text[0] != 'F' {
		return ""
	}
	n, err := strconv.ParseUint(text[1:], 10, 63)
	if err != nil {
		return ""
	}
	return text[:1] + strconv.FormatUint(n, 10)
}

// follows reports whether a signed end may be that of a signed begin: of the same
// meter, not before it, and not counted before it. What one does not say is no
// contradiction.
func (r *signedReading) follows(begin *signedReading) bool {
	if r.Serial != "" && begin.Serial != "" && r.Serial != begin.Serial || r.At.Before(begin.At) {
		return false
	}
	if r.Page == "" || begin.Page == "" {
		return true
	}
	counted := cmp.Or(cmp.Compare(len(begin.Page), len(r.Page)), cmp.Compare(begin.Page, r.Page))
	return r.Page[0] == begin.Page[0] && counted <= 0
}

// compareSigned orders signed readings by time; of those of one instant the
// higher comes first.
func compareSigned(a, b *signedReading) int {
	return cmp.Or(a.At.Compare(b.At), -cmp.Compare(a.Wh, b.Wh), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.Page, b.Page))
}

// span returns when signed readings of t may have been taken: from its start to
// its stop, with some slack. A signature only says that the meter showed that once.
// A start from which nothing plausible leads to the stop says nothing of it.
func (t *Transaction) span() span {
	var s span
	if t.HasStart() {
		s.From, s.To = t.StartedAt.Add(-signedSlack), t.StartedAt.Add(maxSpan)
	}
	if t.HasStop() {
		s.To = earliest(s.To, t.StoppedAt.Add(signedSlack))
	}
	return s
}

// astray reports whether some signed reading lies outside of s.
func (v *Evidence) astray(s span) bool {
	return !v.SignedSpan.From.IsZero() && !(s.contains(v.SignedSpan.From) && s.contains(v.SignedSpan.To))
}

// placeSigned notes whether what is known now of the time of the charge leaves
// the choice among the signed readings as it was.
func (t *Transaction) placeSigned() {
	v := &t.Evidence
	if v.SignedSpan.From.IsZero() {
		return
	}
	in := t.span()
	if !in.equal(v.SignedIn) && (v.astray(in) || v.astray(v.SignedIn)) {
		v.SignedOpen = true
	}
	v.SignedIn = in
}

// observeSigned keeps the earliest signed begin and the latest signed end in the
// time of the charge.
func (v *Evidence) observeSigned(list []taken, in span) {
	for i := range list {
		r := &list[i]
		v.SignedIn = in
		v.SignedSpan = span{earliest(v.SignedSpan.From, r.At), latest(v.SignedSpan.To, r.At)}
		switch {
		case !in.contains(r.At):
		case r.begin && (v.SignedBegin == nil || compareSigned(&r.signedReading, v.SignedBegin) < 0):
			v.SignedBegin = new(r.signedReading)
		case !r.begin && (v.SignedEnd == nil || compareSigned(&r.signedReading, v.SignedEnd) > 0):
			v.SignedEnd = new(r.signedReading)
		}
	}
}

// signedDelta returns signed end − signed begin, −1 without two that belong
// together, and whether that is possible.
func (t *Transaction) signedDelta() (WattHours, bool) {
	begin, end := t.Evidence.SignedBegin, t.Evidence.SignedEnd
	if begin == nil || end == nil || !end.follows(begin) {
		return -1, false
	}
	d := end.Wh - begin.Wh
	return d, d >= 0 && plausible(d, between(t.StartedAt, end.At))
}

// signedConflict reports whether signed readings are not of this charge, do not
// belong together, or say something else than plausible registers.
func (t *Transaction) signedConflict() bool {
	v := &t.Evidence
	switch {
	case v.astray(t.span()):
		return true
	case v.SignedBegin == nil || v.SignedEnd == nil || !t.HasStart() || !t.Status.Charged():
		return false
	case !v.SignedEnd.follows(v.SignedBegin):
		return true
	}
	signed, ok := t.signedDelta()
	plain, known := t.plainDelta()
	if !ok || !known {
		return false
	}
	const least = 100 // Wh: registers are read some seconds apart, and rounded
	return max(signed, plain)-min(signed, plain) > max(least, max(signed, plain)/100)
}

// isImportOBIS reports whether an OBIS code names the active energy imported, or
// names nothing: 1.8 and what meters write for it, B0 to B3 in OCMF, with or
// without the medium before and zeros in front.
func isImportOBIS(code string) bool {
	if code == "" {
		return true
	}
	if _, rest, ok := strings.Cut(code, ":"); ok {
		code = rest
	}
	groups := strings.Split(code, ".")
	if len(groups) < 2 || strings.TrimLeft(groups[1], "0") != "8" {
		return false
	}
	switch strings.ToUpper(strings.TrimLeft(groups[0], "0")) {
	case "1", "98", "B0", "B1", "B2", "B3":
		return true
	}
	return false
}
