package csms

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"leyden"
	"leyden/ocpp"
)

// Limits of what is believed and kept of a report.
const (
	// maxRegister is beyond what any meter counts to, in Wh, and far from where
	// sums overflow.
	maxRegister = 1_000_000_000_000_000
	// maxText is how many characters of a text are kept in records. OCPP allows
	// fewer.
	maxText = 255
	// maxConnector is the highest connector whose status is kept: a station could
	// name any number of them.
	maxConnector = 1000
)

// read decodes a payload as far as it can be understood, and counts what is
// odd about it. Its error is one to answer with: the payload is broken, as it is
// when a name stands there twice, or, in strict mode, not what its schema says.
func (s *session) read(payload string, m ocpp.Decoder, v *ocpp.Violations) error {
	if v.Local == nil {
		z := zone{session: s}
		v.Local = z.local
	}
	if err := m.Decode(payload, v); err != nil {
		return telling{err}
	}
	s.noteZone(v)
	if odd := len(v.List) + v.Dropped; odd > 0 {
		s.srv.count.Violations.Add(uint64(odd))
	}
	if v.Extra > 0 {
		s.srv.count.Extra.Add(uint64(v.Extra))
	}
	if !s.srv.opt.Strict {
		return nil
	}
	if err := v.Err(); err != nil {
		return err
	}
	if v.Extra > 0 {
		return ocpp.Errorf(ocpp.FormationViolation, "%d properties are not in the schema", v.Extra)
	}
	return nil
}

// mend makes sure that an integer is there which a report is nothing without,
// and returns what is wrong with it otherwise.
func mend(v *ocpp.Violations, payload, name string, n *int) error {
	x, found := v.At(name)
	if found && x.Kept || !found && v.Dropped == 0 {
		return nil
	}
	var ok bool
	if *n, ok = integerIn(payload, name); ok {
		return nil
	}
	if !found {
		x = ocpp.Violation{Path: name, Code: ocpp.TypeConstraint, Reason: "is not an integer"}
	}
	return x.Err()
}

// integerIn returns a property of a payload that is a number, or a text that
// says one, rounded down.
func integerIn(payload, name string) (int, bool) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(payload), &fields); err != nil {
		return 0, false
	}
	text := strings.TrimSpace(strings.Trim(string(fields[name]), `"`))
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(x) <= maxRegister) {
		return 0, false
	}
	return int(math.Floor(x)), true
}

// odd marks the event: the payload says more than it does.
func (r *report) odd() {
	r.Event.Flags |= leyden.Unreadable
	r.Event.Raw = r.payload
}

func (r *report) setRegister(n int) {
	if n < -maxRegister || n > maxRegister {
		r.odd()
		return
	}
	r.Event.Register = new(leyden.WattHours(n))
}

// short returns a text that may be kept at hand for long: without the payload
// around it, and within a limit.
func (r *report) short(text string) string {
	if len(text) <= maxText || utf8.RuneCountInString(text) <= maxText {
		return strings.Clone(text)
	}
	r.odd()
	return clip(text)
}

// clip returns what is kept of a text.
func clip(text string) string { return strings.Clone(within(text)) }

// within returns as much of a text as is kept.
func within(text string) string {
	if len(text) <= maxText {
		return text
	}
	n := 0
	for i := range text {
		if n == maxText {
			return text[:i]
		}
		n++
	}
	return text
}

// note marks the event if part of its payload could not be read. list is the
// property that holds its samples: those without a value get what stands there.
func (r *report) note(v *ocpp.Violations, list string) {
	if !lossy(v) {
		return
	}
	r.odd()
	raw := rawSamples(r.payload, list)
	if len(raw) != len(r.Event.Samples) {
		return
	}
	for i := range r.Event.Samples {
		if s := &r.Event.Samples[i]; s.Value == "" {
			s.Value = raw[i]
		}
	}
}

// lossy reports whether something was not understood: left out, or rounded.
func lossy(v *ocpp.Violations) bool {
	for _, x := range v.List {
		if !x.Kept || x.Code == ocpp.TypeConstraint && !strings.HasSuffix(x.Path, ".value") {
			return true
		}
	}
	return v.Dropped > 0
}

// rawSamples returns the values of all samples in a list, as they were written.
// Instants whose samples are no list have none.
func rawSamples(payload, list string) []string {
	var texts []string
	for _, instant := range items(payload, list) {
		for _, sample := range items(instant, "sampledValue") {
			if value := property(sample, "value"); value != "" {
				sample = value
			}
			texts = append(texts, sample)
		}
	}
	return texts
}

// items returns the items of a list in an object, or nothing.
func items(object, name string) []string {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(property(object, name)), &raw); err != nil {
		return nil
	}
	texts := make([]string, len(raw))
	for i := range raw {
		texts[i] = string(raw[i])
	}
	return texts
}

// textIn returns a property of a payload that is a text, or "".
func textIn(payload, name string) string {
	var text string
	if err := json.Unmarshal([]byte(property(payload, name)), &text); err != nil {
		return ""
	}
	return text
}

// fractional reports whether a property of a payload is a number with a fraction.
func fractional(payload, name string) bool {
	text := property(payload, name)
	x, err := strconv.ParseFloat(text, 64)
	return err == nil && x != math.Floor(x)
}

// property returns the JSON text of a property of an object, or "".
func property(object, name string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		return ""
	}
	return string(fields[name])
}
