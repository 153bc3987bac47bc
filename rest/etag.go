package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	etagHeader      = "ETag"
	ifMatchHeader   = "If-Match"
	ifNoneMatch     = "If-None-Match"
	editionDivider  = "-" // behind it an entity tag has the hash of the representation
	hashBytesOfETag = 8
)

// Versioned is embedded in the output of an operation that shows one record that
// has editions, which the handler sets: a few ASCII letters, digits and dots that
// name the state of the record as clients may change it. Of that and of the body
// the reply's entity tag is made: it is strong, for another body has another tag.
// A GET with If-None-Match of what the client has is answered with 304.
type Versioned struct {
	Edition string `header:"ETag" doc:"The entity tag of the record, for If-None-Match and If-Match." example:"\"4.1.0-5f0c2bd0a5d1c9e3\""`
}

func (Versioned) versioned() {}

// A Precondition is embedded in the input of an operation that changes a record
// that has editions. Its handler calls [Precondition.Check], and takes care that
// the state that it checked is the one that it changes.
type Precondition struct {
	IfMatch string `header:"If-Match" maxLength:"1000" doc:"The ETag of the record as you know it: if somebody changed it since, nothing is changed and the reply is 412. What a charger reports meanwhile is no such change. Without it the last change wins." example:"\"4.1.0-5f0c2bd0a5d1c9e3\""`
}

func (Precondition) conditional() {}

// Check returns the 412 for a client that knows another edition than this one.
// A client that names none knows any.
func (p Precondition) Check(edition string) error {
	if p.IfMatch == "" {
		return nil
	}
	tags, any, ok := parseTags(p.IfMatch)
	if !ok {
		return Invalid(ifMatchHeader, "is no list of entity tags, as ETag has them")
	}
	for _, tag := range tags {
		known, _, _ := strings.Cut(tag.opaque, editionDivider)
		if !tag.weak && known == edition {
			return nil
		}
	}
	if any {
		return nil
	}
	return Stale()
}

// Stale returns the 412 for a client that knows another edition.
func Stale() *Error {
	return Errorf(http.StatusPreconditionFailed, "it was changed meanwhile; read it again")
}

// Given reports whether the client told which edition it knows.
func (p Precondition) Given() bool { return p.IfMatch != "" }

// An entityTag is one of RFC 9110 §8.8.3.
type entityTag struct {
	opaque string
	weak   bool
}

// parseTags reads the value of If-Match or If-None-Match. any is *.
func parseTags(text string) (tags []entityTag, any, ok bool) {
	if strings.TrimSpace(text) == "*" {
		return nil, true, true
	}
	for rest := strings.TrimSpace(text); rest != ""; {
		var tag entityTag
		rest, tag.weak = strings.CutPrefix(rest, "W/")
		body, opened := strings.CutPrefix(rest, `"`)
		opaque, behind, closed := strings.Cut(body, `"`)
		if !opened || !closed {
			return nil, false, false
		}
		tag.opaque = opaque
		tags = append(tags, tag)
		behind = strings.TrimSpace(behind)
		next, more := strings.CutPrefix(behind, ",")
		if behind != "" && !more {
			return nil, false, false
		}
		rest = strings.TrimSpace(next)
	}
	return tags, false, len(tags) > 0
}

// Header returns a header of the request. An If-Match without a value, which huma
// would take for none, is a blank: who sends one means to change only what he
// knows.
func (x *exchange) Header(name string) string {
	value := x.carrier.Header(name)
	if r, _ := humago.Unwrap(x.carrier); name == ifMatchHeader && value == "" && len(r.Header.Values(name)) > 0 {
		return " "
	}
	return value
}

// SetHeader sets a header of the reply, but for the edition: its tag is made when
// the body is known.
func (x *exchange) SetHeader(name, value string) {
	if name == etagHeader {
		x.edition = value
		return
	}
	x.carrier.SetHeader(name, value)
}

// tag sets the entity tag of a reply with that body, and finds out whether the
// client has it.
func (x *exchange) tag(body any) error {
	if x.edition == "" {
		return nil
	}
	data, err := Encode(body)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	opaque := x.edition + editionDivider + hex.EncodeToString(sum[:hashBytesOfETag])
	x.carrier.SetHeader(etagHeader, `"`+opaque+`"`)
	if method := x.Method(); method != http.MethodGet && method != http.MethodHead {
		return nil
	}
	tags, any, _ := parseTags(x.Header(ifNoneMatch))
	x.unchanged = any
	for _, tag := range tags {
		x.unchanged = x.unchanged || tag.opaque == opaque // weak comparison: RFC 9110 §13.1.2
	}
	if x.unchanged {
		_, w := humago.Unwrap(x.carrier)
		w.Header().Del("Content-Type")
	}
	return nil
}

// preconditions returns the refusals of an operation because of its input.
func preconditions(in any) []int {
	if _, ok := in.(interface{ conditional() }); ok {
		return []int{http.StatusPreconditionFailed}
	}
	return nil
}

// describeTags documents what entity tags do in an operation with that output.
func describeTags(described *huma.Operation, out any) {
	if _, ok := out.(interface{ versioned() }); !ok || described.Method != http.MethodGet {
		return
	}
	text := &huma.Schema{Type: huma.TypeString}
	described.Parameters = append(described.Parameters, &huma.Param{
		Name: ifNoneMatch, In: "header", Schema: text,
		Description: "ETags that the client has: if the record is as one of them shows it, the reply is 304 without a body.",
	})
	described.Responses["304"] = &huma.Response{
		Description: http.StatusText(http.StatusNotModified),
		Headers:     map[string]*huma.Param{etagHeader: {Schema: text}, "X-Request-ID": requestIDHeader()},
	}
}
