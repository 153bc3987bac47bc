package rest

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

// carrier is the name under which an exchange embeds huma's context, which has a
// method of the name Context.
type carrier = huma.Context

// An exchange is what huma sees of one request and its reply. It gives what
// was read and checked before, and keeps the reply until it is whole.
type exchange struct {
	carrier
	query   url.Values
	input   []byte
	status  int
	output  bytes.Buffer
	refused error

	edition   string // of the record that the reply shows
	unchanged bool   // the client has what the body says
}

// Query returns a query parameter.
func (x *exchange) Query(name string) string { return x.query.Get(name) }

// BodyReader returns the body.
func (x *exchange) BodyReader() io.Reader { return bytes.NewReader(x.input) }

// SetStatus keeps the status.
func (x *exchange) SetStatus(status int) {
	x.status = status
	if x.unchanged && status == http.StatusOK {
		x.status = http.StatusNotModified
	}
}

// Status returns the status.
func (x *exchange) Status() int { return x.status }

// BodyWriter keeps the body.
func (x *exchange) BodyWriter() io.Writer {
	if x.unchanged {
		return io.Discard
	}
	return &x.output
}

// refusalOf makes our error of huma's. What huma calls unprocessable is a bad
// request here.
func refusalOf(m *huma.ErrorModel) error {
	if m.Status >= http.StatusInternalServerError {
		return Errorf(m.Status, "internal error").Because(m)
	}
	details := make([]Detail, 0, len(m.Errors))
	for _, d := range m.Errors {
		details = append(details, detailOf(d))
	}
	if len(details) == 0 {
		details = append(details, Detail{"body", m.Detail})
	}
	return invalidSorted(details)
}

// invalidSorted is invalid with the details in a stable order: huma walks maps.
func invalidSorted(details []Detail) *Error {
	slices.SortStableFunc(details, func(a, b Detail) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Reason, b.Reason))
	})
	return invalid(slices.Compact(details))
}

// detailOf takes the field out of a location like body.a.b[0] or query.limit.
// For an absent property huma names only its parent.
func detailOf(d *huma.ErrorDetail) Detail {
	_, field, _ := strings.Cut(d.Location, ".")
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	name, ok := strings.CutPrefix(d.Message, before)
	if ok && strings.HasSuffix(name, after) {
		return Detail{clip(join(field, strings.TrimSuffix(name, after))), "is required"}
	}
	return Detail{clip(cmp.Or(field, d.Location)), strings.TrimPrefix(d.Message, "invalid value: ")}
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// clip keeps what a client named from filling the reply and the log.
func clip(name string) string { return clipTo(name, 100) }

func clipTo(name string, most int) string {
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
