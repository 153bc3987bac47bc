package ocpp

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

const (
	// MaxIDLength is how many characters of a message id are echoed. OCPP-J 1.6
	// §4.1.4 allows 36; stations are known to send more.
	MaxIDLength = 255
	// MaxDescription is how many characters of an error description are sent
	// (OCPP-J 1.6 §4.2.3).
	MaxDescription = 255

	// MaxDepth is how deep the objects and lists of a payload may nest; its own
	// braces are level 1.
	MaxDepth = 64
	// unreadableID answers a frame whose message id cannot be read.
	unreadableID = "-1"
)

// A MessageType is the number that opens a frame (OCPP-J 1.6 §4.1.3).
type MessageType int

// The message types of OCPP 1.6.
const (
	Call       MessageType = 2
	CallResult MessageType = 3
	CallError  MessageType = 4
)

// A Frame is one OCPP-J message.
type Frame struct {
	Type    MessageType
	ID      string
	Action  string // of a Call
	Payload string // of a Call or CallResult: a JSON object
	Err     *Error // of a CallError
}

// ErrUnknownType says that a frame is sound but of a message type that OCPP
// 1.6 does not have. Such frames are ignored (OCPP-J 1.6 §4.1.3).
var ErrUnknownType = errors.New("unknown message type")

// ParseFrame splits data into a frame and checks that all of it, payload
// included, is JSON. The payload stays raw. A payload of null reads as {}.
//
// The error is [ErrUnknownType] or an [*Error] of code [FormationViolation];
// then Type, ID and Action are set as far as they could be read.
func ParseFrame(data []byte) (Frame, error) { return parseFrame(string(data)) }

// borrowFrame is ParseFrame without a copy: what it returns is a part of data, and
// valid only as long as data is not changed.
func borrowFrame(data []byte) (Frame, error) {
	return parseFrame(unsafe.String(unsafe.SliceData(data), len(data)))
}

func parseFrame(data string) (Frame, error) {
	var f Frame
	s := splitter{data: data}
	err := s.split()
	typ, typeErr := s.messageType()
	id, idErr := s.id()
	f.Type, f.ID = typ, id
	if typ == Call {
		f.Action, _ = text(s.parts[2])
	}
	if err = cmp.Or(err, typeErr); err != nil {
		return f, err
	}
	if typ < Call || typ > CallError {
		return f, ErrUnknownType
	}
	if idErr != nil {
		return f, idErr
	}
	switch typ {
	case Call:
		f.Payload, err = s.call()
	case CallResult:
		f.Payload, err = s.result()
	default:
		f.Err, err = s.callError()
	}
	return f, err
}

// AppendCall appends a CALL frame to dst.
func AppendCall(dst []byte, id, action string, payload Message) []byte {
	dst = AppendText(append(dst, `[2,`...), id)
	dst = AppendText(append(dst, ','), action)
	return append(appendPayload(append(dst, ','), payload), ']')
}

// AppendCallResult appends a CALLRESULT frame to dst.
func AppendCallResult(dst []byte, id string, payload Message) []byte {
	dst = AppendText(append(dst, `[3,`...), id)
	return append(appendPayload(append(dst, ','), payload), ']')
}

// AppendCallError appends a CALLERROR frame to dst. A description longer than
// [MaxDescription] is cut.
func AppendCallError(dst []byte, id string, e *Error) []byte {
	dst = AppendText(append(dst, `[4,`...), id)
	dst = AppendText(append(dst, ','), string(e.Code))
	dst = AppendText(append(dst, ','), firstRunes(e.Description, MaxDescription))
	return append(dst, `,{}]`...)
}

// Raw is a payload that is JSON already.
type Raw []byte

// AppendJSON appends r as it is; an empty r is {}.
func (r Raw) AppendJSON(dst []byte) []byte {
	if len(r) == 0 {
		return append(dst, `{}`...)
	}
	return append(dst, r...)
}

func appendPayload(dst []byte, m Message) []byte {
	if m == nil {
		return append(dst, `{}`...)
	}
	return m.AppendJSON(dst)
}

// firstRunes returns the first n characters of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// maxParts is how many elements the longest frame has: a CALLERROR.
const maxParts = 5

// A splitter cuts a frame into its elements.
type splitter struct {
	data  string
	pos   int
	parts [maxParts]string // the elements read so far
	count int              // how many there are, also beyond maxParts
}

// split checks the whole frame and finds its elements. When it fails, parts
// holds the elements before the fault.
func (s *splitter) split() error {
	s.space()
	array := s.next('[')
	if !array {
		if err := s.value(0); err != nil {
			return err
		}
		return s.end("not an array")
	}
	s.space()
	if s.next(']') {
		return s.end("too short")
	}
	for {
		start := s.pos
		if err := s.value(0); err != nil {
			return err
		}
		if s.count < maxParts {
			s.parts[s.count] = s.data[start:s.pos]
		}
		s.count++
		s.space()
		if s.next(']') {
			return s.end("")
		}
		if !s.next(',') {
			return s.broken()
		}
		s.space()
	}
}

// end checks that nothing but space follows; if so it returns what else is
// wrong with the frame, if anything.
func (s *splitter) end(fault string) error {
	s.space()
	if s.pos < len(s.data) {
		return s.broken()
	}
	if fault != "" {
		return Errorf(FormationViolation, "the frame is %s", fault)
	}
	return nil
}

func (s *splitter) messageType() (MessageType, error) {
	p := s.parts[0]
	if len(p) == 1 && p[0]-'0' <= 9 {
		return MessageType(p[0] - '0'), nil
	}
	// JSON does not tell 2 from 2.0 or 2e0.
	n, err := strconv.ParseFloat(p, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n != math.Trunc(n) {
		return 0, Errorf(FormationViolation, "the message type is not an integer")
	}
	return MessageType(max(min(n, math.MaxInt32), -1)), nil
}

func (s *splitter) id() (string, error) {
	id, ok := text(s.parts[1])
	if !ok || id == "" {
		return "", Errorf(FormationViolation, "the message id is not a text")
	}
	if len(id) > MaxIDLength && utf8.RuneCountInString(id) > MaxIDLength {
		return "", Errorf(FormationViolation, "the message id is longer than %d characters", MaxIDLength)
	}
	return id, nil
}

func (s *splitter) call() (payload string, err error) {
	if err := s.between(4, 4); err != nil {
		return "", err
	}
	if s.parts[2][0] != '"' {
		return "", Errorf(FormationViolation, "the action is not a text")
	}
	return object(s.parts[3])
}

func (s *splitter) result() (payload string, err error) {
	if err := s.between(3, 3); err != nil {
		return "", err
	}
	return object(s.parts[2])
}

// callError reads a CALLERROR. Many stations leave the details out, and some
// the description: what they answered is clear all the same.
func (s *splitter) callError() (*Error, error) {
	if err := s.between(3, 5); err != nil {
		return nil, err
	}
	code, ok := text(s.parts[2])
	if !ok {
		return nil, Errorf(FormationViolation, "the error code is not a text")
	}
	description, _ := text(s.parts[3])
	e := &Error{Code: ErrorCode(code), Description: description}
	if details := s.parts[4]; len(details) > len("{}") && details[0] == '{' {
		e.Details = details
	}
	return e, nil
}

func (s *splitter) between(least, most int) error {
	if s.count < least {
		return Errorf(FormationViolation, "the frame is too short")
	}
	if s.count > most {
		return Errorf(FormationViolation, "the frame is too long")
	}
	return nil
}

// object returns a payload, which is a JSON object or null.
func object(p string) (string, error) {
	switch p[0] {
	case '{':
		return p, nil
	case 'n':
		return "{}", nil
	}
	return "", Errorf(FormationViolation, "the payload is not an object")
}

// text returns the string that the JSON value p is, or false if it is none.
func text(p string) (string, bool) {
	if len(p) < 2 || p[0] != '"' {
		return "", false
	}
	if strings.IndexByte(p, '\\') < 0 {
		return p[1 : len(p)-1], true
	}
	var t string
	err := json.Unmarshal([]byte(p), &t)
	return t, err == nil
}

// value skips one JSON value (RFC 8259) and checks it on the way. depth is
// how many objects and arrays of the frame's elements are open around it.
func (s *splitter) value(depth int) error {
	if s.pos == len(s.data) {
		return s.broken()
	}
	switch c := s.data[s.pos]; c {
	case '{', '[':
		if depth == MaxDepth {
			return Errorf(FormationViolation, "nested deeper than %d", MaxDepth)
		}
		s.pos++
		return s.container(c, depth+1)
	case '"':
		return s.text()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// container skips the rest of an object or array whose opening is behind.
func (s *splitter) container(open byte, depth int) error {
	closing := open + 2 // in ASCII ']' is '['+2 and '}' is '{'+2
	s.space()
	if s.next(closing) {
		return nil
	}
	for {
		if open == '{' {
			if err := s.key(); err != nil {
				return err
			}
		}
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.next(closing) {
			return nil
		}
		if !s.next(',') {
			return s.broken()
		}
		s.space()
	}
}

// key skips the name of a property and the colon behind it.
func (s *splitter) key() error {
	if err := s.text(); err != nil {
		return err
	}
	s.space()
	if !s.next(':') {
		return s.broken()
	}
	s.space()
	return nil
}

func (s *splitter) text() error {
	if !s.next('"') {
		return s.broken()
	}
	for {
		s.plain()
		if s.next('"') {
			return nil
		}
		if !s.next('\\') || !s.escape() {
			return s.broken()
		}
	}
}

// plain skips the characters of a text that stand for themselves.
func (s *splitter) plain() {
	i := s.pos
	for i < len(s.data) && s.data[i] != '"' && s.data[i] != '\\' && s.data[i] >= ' ' {
		i++
	}
	s.pos = i
}

// escape skips what follows a backslash.
func (s *splitter) escape() bool {
	if s.pos == len(s.data) {
		return false
	}
	c := s.data[s.pos]
	s.pos++
	if c != 'u' {
		return strings.IndexByte(`"\/bfnrt`, c) >= 0
	}
	if len(s.data)-s.pos < 4 {
		return false
	}
	for i := range 4 {
		if h := s.data[s.pos+i]; h-'0' > 9 && (h|0x20)-'a' > 5 {
			return false
		}
	}
	s.pos += 4
	return true
}

func (s *splitter) number() error {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return s.broken()
	}
	if s.next('.') && !s.digits() {
		return s.broken()
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if !s.digits() {
			return s.broken()
		}
	}
	return nil
}

// digits skips digits; it reports whether there was one.
func (s *splitter) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

func (s *splitter) literal(word string) error {
	if !strings.HasPrefix(s.data[s.pos:], word) {
		return s.broken()
	}
	s.pos += len(word)
	return nil
}

func (s *splitter) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// next skips c if it is next, and reports whether it was.
func (s *splitter) next(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// broken says where the frame stops being JSON.
func (s *splitter) broken() error {
	return Errorf(FormationViolation, "not JSON at byte %d", s.pos)
}
