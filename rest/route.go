package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// A route is one operation as huma sees it: an API and a router of its own, so
// that huma reads parameters, checks them and documents everything, while this
// package decides what is admitted and what is written.
type route struct {
	api       *API
	facade    *Facade
	operation Operation
	described *huma.Operation // with what huma found in the types
	query     map[string]*huma.Param
	ofSuccess []string // headers that no refusal has
	next      func(huma.Context)
}

var (
	_ huma.API     = (*route)(nil)
	_ huma.Adapter = (*route)(nil)
)

// Adapter returns the route.
func (rt *route) Adapter() huma.Adapter { return rt }

// OpenAPI returns the document of the whole API.
func (rt *route) OpenAPI() *huma.OpenAPI { return rt.api.document }

// Negotiate returns JSON, the only form there is.
func (rt *route) Negotiate(string) (string, error) { return "application/json", nil }

// Transform takes refusals out of huma's hands.
func (rt *route) Transform(ctx huma.Context, _ string, v any) (any, error) {
	x, ok := ctx.(*exchange)
	if !ok {
		return nil, fmt.Errorf("rest: unexpected context %T", ctx)
	}
	switch v := v.(type) {
	case refusal:
		x.refused = v.error
		return nil, nil
	case *huma.ErrorModel:
		x.refused = refusalOf(v)
		return nil, nil
	}
	return v, x.tag(v)
}

// Marshal writes v as JSON.
func (rt *route) Marshal(w io.Writer, _ string, v any) error {
	data, err := Encode(v)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// Unmarshal reads a body that was checked before.
func (rt *route) Unmarshal(contentType string, data []byte, v any) error {
	if mediaType(contentType) != formType {
		return json.Unmarshal(data, v)
	}
	fields, err := parseForm(data)
	if err != nil {
		return err
	}
	data, err = json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// UseMiddleware is not offered: see [Handle].
func (rt *route) UseMiddleware(...func(huma.Context, func(huma.Context))) {}

// Middlewares returns none.
func (rt *route) Middlewares() huma.Middlewares { return nil }

// Handle completes the description and puts the operation on the mux.
func (rt *route) Handle(op *huma.Operation, next func(huma.Context)) {
	rt.described, rt.next = op, next
	rt.query = rt.settleOperation(op)
	rt.api.mux.Handle(op.Method+" "+op.Path, rt)
}

// ServeHTTP answers one request of this operation.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, ok := w.(*reply)
	if !ok {
		panic(fmt.Sprintf("rest: unexpected writer %T", w))
	}
	ctx, cancel := rt.limitTime(r.Context())
	defer cancel()
	c := &call{route: rt, w: out, r: r.WithContext(ctx)}
	defer c.end()
	c.decide()
	c.deliver()
}

// limitTime ends ctx when the operation must have ended.
func (rt *route) limitTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if rt.operation.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, rt.operation.Timeout)
}

// Limits of a query.
const (
	maxQuery      = 8 << 10 // bytes
	maxParameters = 100
)

// readQuery parses a query and refuses what the operation does not know, what
// is given twice, what is empty and what is not properly escaped. Times are
// repaired.
func readQuery(raw string, known map[string]*huma.Param) (url.Values, error) {
	if len(raw) > maxQuery {
		return nil, Invalid("query", fmt.Sprintf("is longer than %d bytes", maxQuery))
	}
	if strings.Count(raw, "&") >= maxParameters {
		return nil, Invalid("query", fmt.Sprintf("has more than %d parameters", maxParameters))
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, Invalid("query", "is not properly escaped: "+err.Error())
	}
	var wrong []Detail
	for _, name := range sortedKeys(values) {
		param, ok := known[name]
		if !ok {
			wrong = append(wrong, Detail{clip(name), "is no query parameter of this operation"})
			continue
		}
		if reason := checkQueryValue(values[name]); reason != "" {
			wrong = append(wrong, Detail{name, reason})
			continue
		}
		if param.Schema != nil && param.Schema.Format == timeFormat {
			values.Set(name, mendTime(values.Get(name)))
		}
	}
	if len(wrong) > 0 {
		return nil, invalid(wrong)
	}
	return values, nil
}

func checkQueryValue(values []string) string {
	switch {
	case len(values) > 1:
		return "is given more than once"
	case values[0] == "":
		return "is empty"
	}
	return ""
}
