package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/auth"
	"leyden/rest"
	"leyden/rest/resttest"
)

// A fixture is an API with one façade of its own, "/t/", and what it logged.
type fixture struct {
	*resttest.Server // holds every reply against the document
	log              *lockedBuffer
}

// lockedBuffer is a log that handlers of several goroutines write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// callers knows a few keys, and throttles one.
type callers struct{}

func (callers) Authenticate(_ context.Context, c auth.Credentials) (auth.Principal, error) {
	switch {
	case c.APIKey == "reader" || c.Authorization == "Bearer reader":
		return auth.Principal{ID: "key_reader", Scopes: auth.Scopes{auth.TransactionsRead}}, nil
	case c.APIKey == "admin":
		return auth.Principal{ID: "key_admin", Scopes: auth.Scopes{auth.Admin}}, nil
	case c.APIKey == "guesser":
		return auth.Principal{}, &auth.ThrottledError{RetryAfter: 1500 * time.Millisecond}
	case c.APIKey == "broken":
		return auth.Principal{}, errors.New("disk on fire")
	}
	return auth.Principal{}, fmt.Errorf("%w: not known", auth.ErrUnauthorized)
}

type errorBody struct {
	Code      string        `json:"code"`
	Message   string        `json:"message"`
	Details   []rest.Detail `json:"details,omitempty"`
	RequestID string        `json:"requestId"`
}

type orderInput struct {
	ID      int       `path:"id" minimum:"1"`
	From    rest.Time `query:"from"`
	Sort    string    `query:"sort" enum:"asc,desc" default:"asc"`
	Verbose bool      `query:"verbose"`
	Body    order
}

type order struct {
	Name  string            `json:"name" minLength:"1" maxLength:"5"`
	Count int               `json:"count,omitempty" minimum:"1"`
	Lines []orderLine       `json:"lines,omitempty"`
	Notes map[string]string `json:"notes,omitempty"`
}

type orderLine struct {
	Item string `json:"item"`
}

type orderOutput struct {
	Location string `header:"Location"`
	Body     orderReply
}

type orderReply struct {
	Zeta  string    `json:"zeta"`
	Alpha int       `json:"alpha"`
	From  rest.Time `json:"from"`
	Kind  *string   `json:"kind" enum:"a,b"`
	Who   string    `json:"who"`
}

type listInput struct {
	rest.Window
	Format string `query:"format" enum:"json,csv" default:"json"`
}

type listOutput struct {
	rest.Stream
	Link string `header:"Link"`
	Body []string
}

var errTeapot = errors.New("short and stout")

func newFixture(t *testing.T, change ...func(*rest.Config)) fixture {
	t.Helper()
	log := &lockedBuffer{}
	config := rest.Config{
		Version: "1.2.3",
		Auth:    callers{},
		Now:     time.Now,
		Log:     slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Open:    true,
	}
	for _, f := range change {
		f(&config)
	}
	api := resttest.NewServer(t, config)
	registerOrders(api.API)
	return fixture{api, log}
}

func registerOrders(api *rest.API) {
	f := &rest.Facade{
		Prefix:  "/t/",
		Problem: true,
		Explain: func(err error) *rest.Error {
			if errors.Is(err, errTeapot) {
				return &rest.Error{Status: http.StatusConflict, Code: "TEAPOT", Message: "cannot brew"}
			}
			return nil
		},
		Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, e.Details, id} },
	}
	rest.Handle(api, f, rest.Operation{
		Method: http.MethodPost, Path: "/t/orders/{id}", Summary: "Order", Tag: "Orders",
		Scope: auth.TransactionsRead, Status: http.StatusAccepted, Errors: []int{http.StatusConflict}, MaxBody: 1000,
	}, placeOrder)
	rest.Handle(api, f, rest.Operation{
		Method: http.MethodGet, Path: "/t/orders", Summary: "Orders", Tag: "Orders",
		Scope: auth.TransactionsRead, Streams: []string{"text/csv"}, Errors: []int{http.StatusConflict},
	}, listOrders)
	rest.Handle(api, f, rest.Operation{
		Method: http.MethodDelete, Path: "/t/orders", Summary: "Drop all", Tag: "Orders", Scope: auth.ChargersControl,
	}, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
}

func placeOrder(ctx context.Context, in *orderInput) (*orderOutput, error) {
	switch in.Body.Name {
	case "tea":
		return nil, fmt.Errorf("brew: %w", errTeapot)
	case "panic":
		panic("secret of the house")
	case "fail":
		return nil, errors.New("disk on fire")
	}
	out := &orderOutput{Location: fmt.Sprintf("/t/orders/%d", in.ID)}
	out.Body = orderReply{Zeta: "<" + in.Sort + ">", Alpha: in.Body.Count, From: in.From, Who: rest.PrincipalOf(ctx).ID}
	return out, nil
}

func listOrders(ctx context.Context, in *listInput) (*listOutput, error) {
	out := &listOutput{Body: []string{}}
	out.Link = rest.PageLink(ctx, "next", map[string]string{"offset": fmt.Sprint(in.Offset + in.Limit)})
	if in.Format == "json" {
		return out, nil
	}
	out.Send("text/csv; charset=utf-8", func(w rest.StreamWriter) error {
		if in.Offset == 13 {
			return errTeapot
		}
		if _, err := io.WriteString(w, "id,name\n"); err != nil {
			return err
		}
		if in.Offset == 14 {
			return errTeapot
		}
		return w.Flush()
	})
	return out, nil
}

// do sends a request of the form "METHOD target" with headers "Name: value".
func (f fixture) do(line, body string, headers ...string) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, h := range append([]string{"X-API-Key: reader", "X-Request-ID: req-1"}, headers...) {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestReply(t *testing.T) {
	f := newFixture(t)
	w := f.do("POST /t/orders/7?from=2023-05-05T06:00:00+02:00&sort=desc", `{"name":"cake","count":2}`)
	const want = `{"zeta":"<desc>","alpha":2,"from":"2023-05-05T04:00:00.000Z","kind":null,"who":"key_reader"}`
	if w.Code != http.StatusAccepted || w.Body.String() != want {
		t.Fatalf("got %d %s, want 202 %s", w.Code, w.Body, want)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Location": "/t/orders/7", "X-Request-ID": "req-1", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Length": fmt.Sprint(len(want)),
	} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 990)
	cases := []struct {
		line, body string
		headers    []string
		status     int
		message    string
	}{
		{"POST /t/orders/7?limit=1", `{"name":"a"}`, nil, 400, "limit: is no query parameter of this operation"},
		{"POST /t/orders/7?sort=up", `{"name":"a"}`, nil, 400, `sort: expected value to be one of "asc, desc"`},
		{"POST /t/orders/7?sort=", `{"name":"a"}`, nil, 400, "sort: is empty"},
		{"POST /t/orders/7?sort=asc&sort=asc", `{"name":"a"}`, nil, 400, "sort: is given more than once"},
		{"POST /t/orders/7?sort=%zz", `{"name":"a"}`, nil, 400, `query: is not properly escaped: invalid URL escape "%zz"`},
		{"POST /t/orders/7?verbose=maybe", `{"name":"a"}`, nil, 400, "verbose: invalid boolean"},
		{"POST /t/orders/7?from=yesterday", `{"name":"a"}`, nil, 400, `from: "yesterday" is no RFC 3339 time`},
		{"POST /t/orders/x", `{"name":"a"}`, nil, 400, "id: invalid integer"},
		{"POST /t/orders/0", `{"name":"a"}`, nil, 400, "id: expected number >= 1"},
		{"POST /t/orders/7", ``, nil, 400, "body: is required"},
		{"POST /t/orders/7", `{"name":`, nil, 400, "body: is not valid JSON: unexpected EOF"},
		{"POST /t/orders/7", `{"name":"a"} {}`, nil, 400, "body: is more than one JSON value"},
		{"POST /t/orders/7", "{\"name\":\"\xff\"}", nil, 400, "body: is not UTF-8"},
		{"POST /t/orders/7", `{"name":"a","name":"b"}`, nil, 400, "name: is given more than once"},
		{"POST /t/orders/7", `{"name":"a","NAME":"b"}`, nil, 400, "NAME: is given more than once"},
		{"POST /t/orders/7", `{"Name":"a"}`, nil, 400, "Name: is unknown"},
		{"POST /t/orders/7", `{"name":"a","size":1}`, nil, 400, "size: is unknown"},
		{"POST /t/orders/7", `{"name":"a","lines":[{"item":"b"},{"item":"c","x":1}]}`, nil, 400, "lines[1].x: is unknown"},
		{"POST /t/orders/7", `{"name":"a","lines":[{}]}`, nil, 400, "lines[0].item: is required"},
		{"POST /t/orders/7", `{"count":1}`, nil, 400, "name: is required"},
		{"POST /t/orders/7", `{"name":"toolong"}`, nil, 400, "name: expected length <= 5"},
		{"POST /t/orders/7", `{"name":null}`, nil, 400, "name: expected string"},
		{"POST /t/orders/7", `{"name":"a","count":1.5}`, nil, 400, "count: expected integer"},
		{"POST /t/orders/7", `{"name":"a","count":1.0}`, nil, 400, "count: expected integer"},
		{"POST /t/orders/7", `{"name":"a","count":1e3}`, nil, 400, "count: expected integer"},
		{"POST /t/orders/7", `{"name":"a","count":99999999999999999999}`, nil, 400, "count: expected integer"},
		{"POST /t/orders/7", `{"name":"a","count":1e999}`, nil, 400, "count: is too large for a number"},
		{"POST /t/orders/7", `[]`, nil, 400, "body: expected object"},
		{"POST /t/orders/7", strings.Repeat("[", 40) + strings.Repeat("]", 40), nil, 400, "body: is nested deeper than 32"},
		{"POST /t/orders/7", `{"name":"` + long + `"}`, nil, 413, "the body is larger than 1000 bytes"},
		{"POST /t/orders/7", `{"name":"a"}`, []string{"Content-Type: text/plain"}, 415, "Content-Type: expected application/json"},
		{"POST /t/orders/7", "\x1f\x8b\x08", []string{"Content-Encoding: gzip"}, 415, "Content-Encoding: a body is sent as it is"},
		{"POST /t/orders/7", `{"name":"tea"}`, nil, 409, "cannot brew"},
		{"POST /t/orders/7", `{"name":"panic"}`, nil, 500, "internal error"},
		{"POST /t/orders/7", `{"name":"fail"}`, nil, 500, "internal error"},
		{"GET /t/nothing", ``, nil, 404, "there is nothing at this path"},
		{"GET /t/orders/", ``, nil, 404, "there is nothing at this path"},
		{"GET /t//orders", ``, nil, 404, "there is nothing at this path"},
		{"GET /t/x/../orders", ``, nil, 404, "there is nothing at this path"},
		{"GET /t", ``, nil, 404, "there is nothing at this path"},
		{"PUT /t/orders/7", `{}`, nil, 405, "PUT is not possible here"},
		{"DELETE /t/orders", ``, nil, 403, "the credential lacks the scope chargers:control"},
		{"GET /t/orders", ``, []string{"X-API-Key: wrong"}, 401, "the credential is unknown, expired or revoked"},
		{"GET /t/orders", ``, []string{"X-API-Key: "}, 401, "a credential is missing: X-API-Key, or Authorization with a Bearer token"},
		{"GET /t/orders", ``, []string{"X-API-Key: guesser"}, 429, "too many wrong credentials came from this address"},
		{"GET /t/orders", ``, []string{"X-API-Key: broken"}, 500, "internal error"},
	}
	f := newFixture(t)
	for _, c := range cases {
		wantRefusal(t, c.line+" "+c.body, f.do(c.line, c.body, c.headers...), c.status, c.message)
	}
	if log := f.log.String(); !strings.Contains(log, "secret of the house") || !strings.Contains(log, "disk on fire") {
		t.Errorf("the log does not tell the causes:\n%s", log)
	}
}

func wantRefusal(t *testing.T, what string, w *httptest.ResponseRecorder, status int, message string) {
	t.Helper()
	var got errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Errorf("%.80s: %v in %s", what, err, w.Body)
		return
	}
	if w.Code != status || got.Message != message || got.RequestID != "req-1" {
		t.Errorf("%.80s: got %d %s, want %d %q", what, w.Code, w.Body, status, message)
	}
	if contentType := w.Header().Get("Content-Type"); contentType != "application/json" {
		t.Errorf("%.80s: Content-Type %q", what, contentType)
	}
}
