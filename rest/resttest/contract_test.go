package resttest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leyden/rest"
	"leyden/rest/resttest"
)

type input struct {
	ID string `path:"id"`
}

type output struct {
	Status int
	Body   struct {
		ID int `json:"id"`
	}
}

// failures is a test that only notes how it fails.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

// registerThings adds operations; what is odd answers as the document does not
// tell.
func registerThings(api *rest.API) {
	facade := &rest.Facade{Prefix: "/things/", Body: func(e *rest.Error, _ string) any { return e.Details }}
	for _, path := range []string{"/things/{id}", "/things/first"} {
		rest.Handle(api, facade, rest.Operation{Method: http.MethodGet, Path: path, Public: true},
			func(_ context.Context, in *input) (*output, error) {
				if in.ID == "odd" {
					return &output{Status: http.StatusTeapot}, nil
				}
				return &output{Status: http.StatusOK}, nil
			})
	}
}

func TestContract(t *testing.T) {
	api := rest.New(rest.Config{Version: "test", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	registerThings(api)
	c, err := resttest.NewContract(api)
	if err != nil {
		t.Fatal(err)
	}
	if got := resttest.At(c.Document, "info", "version"); got != "test" {
		t.Errorf("version is %v", got)
	}
	if got := resttest.At(c.Document, "info", "version", "more"); got != nil {
		t.Errorf("there is more: %v", got)
	}
	id := map[string]string{"X-Request-ID": "1"}
	for _, reply := range []struct {
		line        string
		status      int
		contentType string
		body        string
		header      map[string]string
		want        string // what the breach says; "" for none
	}{
		{"GET /things/1", 200, "application/json", `{"id":1}`, id, ""},
		{"HEAD /things/1", 200, "application/json", ``, id, ""},
		{"GET /things/first", 200, "application/json; charset=utf-8", `{"id":1}`, id, ""},
		{"GET /things/1", 200, "application/json", `{"id":"1"}`, id, "breaks the document"},
		{"GET /things/1", 200, "application/json", `{"id":1`, id, "breaks the document"},
		{"GET /things/1", 204, "", ``, id, "does not tell of 204"},
		{"GET /things/1", 200, "text/csv", `1`, id, "does not tell of text/csv"},
		{"GET /things/1", 200, "", ``, id, "Content-Type"},
		{"GET /things/1", 200, "application/json", `{"id":1}`, map[string]string{"X-More": "1"}, "the header X-More"},
		{"PUT /things/1", 405, "application/json", `[]`, map[string]string{"Allow": "GET, HEAD"}, ""},
		{"PUT /things/1", 405, "application/json", `[]`, map[string]string{"Allow": "GET, HEAD, POST"}, "Allow"},
		{"PUT /things/1", 200, "application/json", `[]`, nil, "which is 405"},
		{"GET /things", 200, "", ``, nil, "which is 404"},
		{"GET /things/", 404, "application/json", `[]`, nil, ""},
		{"GET /things/1/2", 404, "application/json", `{}`, nil, "got object, want array"},
		{"GET /others/1", 404, "application/problem+json", `{}`, nil, ""},
		{"GET /docs", 200, "text/html", ``, nil, ""},
	} {
		method, path, _ := strings.Cut(reply.line, " ")
		header := http.Header{}
		for name, value := range reply.header {
			header.Set(name, value)
		}
		if reply.contentType != "" {
			header.Set("Content-Type", reply.contentType)
		}
		err := c.Breach(httptest.NewRequest(method, path, nil), resttest.Reply{Status: reply.status, Header: header, Body: []byte(reply.body)})
		if got := fmt.Sprint(err); (err == nil) != (reply.want == "") || err != nil && !strings.Contains(got, reply.want) {
			t.Errorf("%s %d %q %s: got %q, want %q", reply.line, reply.status, reply.contentType, reply.body, got, reply.want)
		}
	}
}

// Whoever serves or asks through the contract hears of a breach.
func TestServerAndTransport(t *testing.T) {
	f := &failures{TB: t}
	s := resttest.NewServer(f, rest.Config{Version: "test", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	registerThings(s.API)
	served := httptest.NewServer(s)
	defer served.Close()
	var heard []error
	client := &http.Client{Transport: s.Contract().Transport(func(err error) { heard = append(heard, err) }, http.DefaultTransport)}
	for _, path := range []string{"/things/1", "/things/odd"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, served.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.texts) != 1 || len(heard) != 1 || !strings.Contains(f.texts[0], "does not tell of 418") || f.texts[0] != heard[0].Error() {
		t.Errorf("the server said %q, the transport %v", f.texts, heard)
	}
}
