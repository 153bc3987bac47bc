package ocpp

import (
	"strings"
	"time"
)

// A Scanner reads one payload in a single pass, for the generated decoders of
// the packages below: each names the property it expects and gets its value,
// and what the schema forbids goes to Found. It allocates nothing but for texts
// with escapes and for what is wrong.
//
// The zero Scanner is ready for [Scanner.Begin], once. Broken JSON ends the scan: from then on every method returns its zero value
// and changes nothing, and [Scanner.End] returns the error.
type Scanner struct {
	Found *Violations

	src   string
	pos   int
	depth int
	err   *Error
}

// Begin puts s at the start of payload and makes it add to v, which may be nil.
// A payload of null reads as the empty object.
func (s *Scanner) Begin(payload string, v *Violations) {
	if v == nil {
		v = new(Violations)
	}
	s.Found, s.src = v, payload
	if s.peek() == '{' {
		return
	}
	if strings.Trim(s.src, " \t\r\n") == "null" {
		s.src, s.pos = "{}", 0
		return
	}
	s.fail("the payload is not a JSON object")
}

// End returns the error that ended the scan, or one for text that follows the
// payload, or nil.
func (s *Scanner) End() error {
	if s.err == nil && (s.peek() != 0 || s.pos < len(s.src)) {
		s.fail("there is text after the payload")
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// An Object is the progress of a scanner through the properties of one object,
// from its zero value on.
type Object struct {
	Key string // the property that Next found

	null  bool   // the value of Key begins like one
	seen  uint64 // the properties so far, each with its bit
	nulls uint64 // those of them that are null
	extra map[string]bool
	state progress
}

// A List is the progress of a scanner through the items of one list, from its
// zero value on.
type List struct {
	Index int // of the item that Item found

	state progress
}

type progress uint8

const (
	before progress = iota
	within
	after
)

// Object enters the object that comes next, with o as its progress. Anything
// else is a violation, and o then has no properties and lacks none.
func (s *Scanner) Object(o *Object) bool {
	if s.enter('{') {
		return true
	}
	s.mistyped("", "is not an object")
	o.seen, o.state = ^uint64(0), after
	return false
}

// Next goes to the next property of o. It returns false at the end of o.
func (s *Scanner) Next(o *Object) bool {
	i := s.pos
	near := o.state == within && i+1 < len(s.src) && s.src[i] == ',' && s.src[i+1] == '"'
	if near {
		s.pos++
	}
	if !near && !s.toName(o) {
		return false
	}
	o.Key = s.text()
	if s.peek() != ':' {
		s.fail("there is no colon after the name of a property")
		return false
	}
	s.pos++
	o.null = s.peek() == 'n'
	return true
}

// toName goes to the name of the next property of o, whatever space is before it.
func (s *Scanner) toName(o *Object) bool {
	if !s.advance(&o.state, '}') {
		return false
	}
	if s.peek() != '"' {
		s.fail("the name of a property is missing")
		return false
	}
	return true
}

// Field reports whether the property at o.Key, whose bit is bit, has a value to
// read. It has none when it is null, which reads as absent, and a second one of
// the same name ends the scan.
func (s *Scanner) Field(o *Object, bit uint64) bool {
	if o.seen&bit == 0 && !o.null {
		o.seen |= bit
		return true
	}
	return s.noField(o, bit)
}

func (s *Scanner) noField(o *Object, bit uint64) bool {
	if o.seen&bit != 0 {
		s.fail("the property " + clip(o.Key) + " is there twice")
		return false
	}
	o.seen |= bit
	o.nulls |= bit
	s.literal("null")
	return false
}

// Extra skips and counts the property at o.Key, which is none of names (the
// schema's, separated by spaces). One that differs from them, or from another
// extra property, in case only ends the scan: one reader takes it for the real
// one and another does not. Inside extra properties names are not compared.
func (s *Scanner) Extra(o *Object, names string) {
	for name := range strings.SplitSeq(names, " ") {
		if name != "" && strings.EqualFold(name, o.Key) {
			s.fail("the property " + clip(o.Key) + " is not written as " + name)
			return
		}
	}
	key := strings.ToLower(o.Key)
	if o.extra[key] {
		s.fail("the property " + clip(o.Key) + " is there twice")
		return
	}
	if o.extra == nil {
		o.extra = make(map[string]bool)
	}
	o.extra[key] = true
	s.Found.Extra++
	s.skip()
}

// Require lists the properties of o that are missing or null although required
// has their bit; names are the schema's, separated by spaces.
func (s *Scanner) Require(o *Object, required uint64, names string) {
	missing := required &^ (o.seen &^ o.nulls)
	if missing == 0 || s.err != nil {
		return
	}
	i := 0
	for name := range strings.SplitSeq(names, " ") {
		if missing>>i&1 == 1 {
			s.Found.Add(name, OccurenceConstraint, "is required", false)
		}
		i++
	}
}

// List enters the list that comes next, with l as its progress. Anything else is
// a violation, and l then has no items.
func (s *Scanner) List(l *List) bool {
	l.Index = -1
	if s.enter('[') {
		return true
	}
	s.mistyped("", "is not a list")
	l.state = after
	return false
}

// Item goes to the next item of l. It returns false at the end of l.
func (s *Scanner) Item(l *List) bool {
	if !s.advance(&l.state, ']') {
		return false
	}
	l.Index++
	return true
}

// Grow returns list with one more element. The element keeps what an earlier
// decode left in it, so that its own lists keep their capacity.
func Grow[T any](list []T) []T {
	if n := len(list); n < cap(list) {
		return list[:n+1]
	}
	var zero T
	return append(list, zero)
}

// Text reads a text of least to most characters. One that is too long is kept,
// an empty one where least is above 0 is not.
func (s *Scanner) Text(name string, least, most int) (string, bool) {
	if s.peek() != '"' {
		s.mistyped(name, "is not text")
		return "", false
	}
	t := s.text()
	if s.err == nil && (least > 0 || len(t) > most) {
		s.Found.CheckText(name, t, least, most)
	}
	return t, t != "" || least == 0
}

// TextOrNumber reads a text without bounds. A number in its place is a
// violation, but its digits are kept.
func (s *Scanner) TextOrNumber(name string) (string, bool) {
	if !s.atNumber() {
		return s.Text(name, 0, len(s.src))
	}
	t := s.number()
	if s.err == nil {
		s.Found.Add(name, TypeConstraint, "is a number, not text", true)
	}
	return t, s.err == nil
}

// Time reads a timestamp, as [ParseTime] does; one without a zone is what
// Found.Local makes of it, and counted. The zero time, at which clocks
// stand that nobody has set, comes out a microsecond later: it is a time that was
// sent, not one that is missing, and stays so where microseconds are kept.
func (s *Scanner) Time(name string) (time.Time, bool) {
	if s.peek() != '"' {
		s.mistyped(name, "is not a timestamp")
		return time.Time{}, false
	}
	t, zoned, ok := parseTime(s.text())
	if ok && !zoned {
		t = s.Found.local(t)
	}
	if !ok && s.err == nil {
		s.Found.Add(name, TypeConstraint, "is not a timestamp", false)
	}
	if ok && t.Before(firstTime) && !t.Before(time.Time{}) {
		t = firstTime
	}
	return t, ok
}

// firstTime is the first time that nobody takes for none.
var firstTime = time.Time{}.Add(time.Microsecond)

// Bool reads true or false.
func (s *Scanner) Bool(name string) (value, ok bool) {
	switch s.peek() {
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	}
	s.mistyped(name, "is neither true nor false")
	return false, false
}

// enter goes into an object or a list if it begins here.
func (s *Scanner) enter(open byte) bool {
	if s.peek() != open {
		return false
	}
	if s.depth++; s.depth > MaxDepth {
		s.fail("the payload is nested too deep")
		return false
	}
	s.pos++
	return true
}

// advance goes to the next element of an object or a list, or past its end.
func (s *Scanner) advance(p *progress, end byte) bool {
	c := s.peek()
	if c == ',' && *p == within {
		s.pos++ // what follows is read as an element, so a comma before end is a fault
		return true
	}
	if *p == after || s.err != nil {
		return false
	}
	if c == end {
		*p = after
		s.pos++
		s.depth--
		return false
	}
	if *p == within {
		s.fail("there is neither a comma nor an end")
		return false
	}
	*p = within
	return true
}

// skip goes past the value that comes next, whatever it is.
func (s *Scanner) skip() {
	switch s.peek() {
	case '"':
		s.text()
	case '{':
		var o Object
		for s.Object(&o); s.Next(&o); {
			s.skip()
		}
	case '[':
		var l List
		for s.List(&l); s.Item(&l); {
			s.skip()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *Scanner) mistyped(name, reason string) {
	if s.skip(); s.err == nil {
		s.Found.Add(name, TypeConstraint, reason, false)
	}
}

func (s *Scanner) literal(word string) bool {
	if !strings.HasPrefix(s.src[s.pos:], word) {
		s.fail("there is no value")
		return false
	}
	s.pos += len(word)
	return true
}

// peek goes past white space and returns the byte that follows, or 0 at the
// end.
func (s *Scanner) peek() byte {
	if s.pos < len(s.src) && s.src[s.pos] > ' ' {
		return s.src[s.pos]
	}
	return s.space()
}

func (s *Scanner) space() byte {
	for ; s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// fail ends the scan.
func (s *Scanner) fail(reason string) {
	if s.err == nil {
		s.err = Errorf(FormationViolation, "%s, at byte %d", reason, s.pos)
	}
	s.pos = len(s.src)
}

// clip shortens a name from outside for use in an error.
func clip(name string) string {
	const most = 40
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}
