package resttest_test

import (
	"bytes"
	"context"
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

func TestContract(t *testing.T) {
	api := rest.New(rest.Config{Version: "test", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	facade := &rest.Facade{Prefix: "/things/", Body: func(e *rest.Error, _ string) any { return e.Details }}
	for _, path := range []string{"/things/{id}", "/things/first"} {
		rest.Handle(api, facade, rest.Operation{Method: http.MethodGet, Path: path, Public: true},
			func(context.Context, *input) (*output, error) { return &output{Status: http.StatusOK}, nil })
	}
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
	for _, reply := range []struct {
		path        string
		status      int
		contentType string
		body        string
		want        string // what the failure says; "" for none
	}{
		{"/things/1", 200, "application/json", `{"id":1}`, ""},
		{"/things/first", 200, "application/json; charset=utf-8", `{"id":1}`, ""},
		{"/things/1", 200, "application/json", `{"id":"1"}`, "breaks the document"},
		{"/things/1", 200, "application/json", `{"id":1`, "breaks the document"},
		{"/things/1", 204, "application/json", ``, "does not tell of 204"},
		{"/things/1", 200, "text/csv", `1`, "does not tell of 200 text/csv"},
		{"/things/1", 200, "", ``, "Content-Type"},
		{"/things/1", 405, "", ``, ""},
		{"/things", 200, "", ``, ""},
		{"/others/1", 200, "", ``, ""},
	} {
		w := httptest.NewRecorder()
		w.Code, w.Body = reply.status, bytes.NewBufferString(reply.body)
		w.Header().Set("Content-Type", reply.contentType)
		f := &failures{TB: t}
		c.Check(f, httptest.NewRequest(http.MethodGet, reply.path, nil), w)
		if got := strings.Join(f.texts, "; "); (got == "") != (reply.want == "") || !strings.Contains(got, reply.want) {
			t.Errorf("%s %d %q %s: got %q, want %q", reply.path, reply.status, reply.contentType, reply.body, got, reply.want)
		}
	}
}
