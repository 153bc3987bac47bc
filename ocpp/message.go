package ocpp

import "time"

// A Message is a payload that can write itself: fields in the order of its
// schema, no spaces, optional fields that are absent left out.
type Message interface {
	// AppendJSON appends the message's JSON object to dst.
	AppendJSON(dst []byte) []byte
}

// A Decoder is a payload that can read itself.
//
// Decode reads payload into the receiver, whose former content it replaces
// (slices keep their capacity). What the schema forbids is added to v and
// reading goes on; only a payload that is no well-formed JSON object (broken
// syntax, a duplicate or case-variant key, nesting deeper than [MaxDepth]) ends
// it, with an [*Error] of code [FormationViolation]. Texts are substrings of
// payload: nothing is copied, so payload must not be a view of reused memory.
type Decoder interface {
	Decode(payload string, v *Violations) error
}

// A Request is the payload of a CALL.
type Request interface {
	Message
	Decoder
	// Action returns the name under which a CALL carries the request.
	Action() string
}

// A Response is the payload of a CALLRESULT.
type Response interface {
	Message
	Decoder
}

// A Violation is one thing in a payload that its schema forbids.
type Violation struct {
	Path   string    // e.g. "idTag" or "meterValue[0].sampledValue[2].unit"
	Code   ErrorCode // what a CALLERROR about it would say
	Reason string    // for people, e.g. "is required", "is longer than 20 characters"
	Kept   bool      // the value could be understood and stands in the message
}

// Violations collects what was wrong with one payload. Its zero value is
// empty. Extra counts properties the schema does not know, which are ignored;
// Dropped counts the violations beyond [MaxViolations]. Zoneless counts timestamps
// without a zone, which no schema forbids.
type Violations struct {
	List     []Violation
	Extra    int
	Dropped  int
	Zoneless int

	// Local returns the time that a timestamp without a zone means, given what it
	// would mean in UTC. If it is nil, that is UTC.
	Local func(time.Time) time.Time
}

// A Checker is a payload of ours that can check itself before it goes out.
type Checker interface {
	// Check adds to v what the schema forbids.
	Check(v *Violations)
}

// An Opt is an optional value: absent is different from zero.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Get returns the value and whether it is there.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.Set }

// Or returns the value, or def when it is absent.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}
