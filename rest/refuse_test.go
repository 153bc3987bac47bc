package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestRefusalHeaders(t *testing.T) {
	f := newFixture(t)
	cases := []struct{ line, key, header, want string }{
		{"PUT /t/orders", "reader", "Allow", "DELETE, GET, HEAD"},
		{"GET /t/orders", "", "WWW-Authenticate", `Bearer realm="leyden"`},
		{"GET /t/orders", "wrong", "WWW-Authenticate", `Bearer realm="leyden", error="invalid_token"`},
		{"DELETE /t/orders", "reader", "WWW-Authenticate", `Bearer realm="leyden", error="insufficient_scope", scope="chargers:control"`},
		{"GET /t/orders", "guesser", "Retry-After", "2"},
	}
	for _, c := range cases {
		w := f.do(c.line, "", "X-API-Key: "+c.key)
		if got := w.Header().Get(c.header); got != c.want {
			t.Errorf("%s as %q: %s is %q, want %q", c.line, c.key, c.header, got, c.want)
		}
	}
}

func TestEitherCredential(t *testing.T) {
	f := newFixture(t)
	for _, header := range []string{"X-API-Key: reader", "Authorization: Bearer reader"} {
		if w := f.do("GET /t/orders", "", "X-API-Key: ", header); w.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", header, w.Code, w.Body)
		}
	}
	if w := f.do("DELETE /t/orders", "", "X-API-Key: admin"); w.Code != http.StatusOK {
		t.Errorf("admin has every scope: got %d %s", w.Code, w.Body)
	}
}

// The credential is judged before anything about the request is told.
func TestCredentialComesFirst(t *testing.T) {
	f := newFixture(t)
	if w := f.do("POST /t/orders/x?nonsense=1", `{`, "X-API-Key: wrong"); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d %s, want 401", w.Code, w.Body)
	}
}

func TestProblemDetails(t *testing.T) {
	f := newFixture(t)
	cases := []struct {
		accept string
		want   bool
	}{
		{"application/problem+json", true},
		{"application/json, application/problem+json;q=0.5", true},
		{"application/problem+json;q=0", false},
		{"application/problem+json;q=0.000", false},
		{"application/json", false},
		{"*/*", false},
		{"", false},
	}
	for _, c := range cases {
		w := f.do("POST /t/orders/7", `{"name":"a","x":1}`, "Accept: "+c.accept)
		isProblem := w.Header().Get("Content-Type") == "application/problem+json"
		if isProblem != c.want {
			t.Errorf("Accept %q: got %s", c.accept, w.Header().Get("Content-Type"))
		}
	}
	w := f.do("POST /t/orders/7", `{"name":"a","x":1}`, "Accept: application/problem+json")
	const want = `{"type":"about:blank","title":"Bad Request","status":400,"detail":"x: is unknown","code":"VALIDATION_ERROR",` +
		`"errors":[{"field":"x","reason":"is unknown"}],"requestId":"req-1"}`
	if w.Body.String() != want {
		t.Errorf("got  %s\nwant %s", w.Body, want)
	}
}

// What no façade covers is refused with problem details.
func TestUnknownPath(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET /nowhere", "")
	if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %s: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	w = f.do("POST /healthz", "")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q: %s", w.Code, w.Header().Get("Allow"), w.Body)
	}
}

func TestAllThatIsWrongIsTold(t *testing.T) {
	f := newFixture(t)
	w := f.do("POST /t/orders/7", `{"name":"toolong","count":0,"lines":[{"item":1}]}`)
	var got errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, d := range got.Details {
		fields = append(fields, d.Field)
	}
	if strings.Join(fields, " ") != "count lines[0].item name" || got.Message != "count: expected number >= 1" {
		t.Errorf("got %s", w.Body)
	}
}

func TestRequestID(t *testing.T) {
	f := newFixture(t)
	for id, echoed := range map[string]bool{
		"req-1": true, "7f9c:/a=b+c.d~": true, "": false, "a b": false, "a\"b": false, "<a>": false, "ä": false, "a\\b": false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		got := f.do("GET /t/nothing", "", "X-Request-ID: "+id).Header().Get("X-Request-ID")
		if got == "" || (got == id) != echoed {
			t.Errorf("%.20q: got %.20q, want it echoed: %v", id, got, echoed)
		}
	}
	one, other := f.do("GET /", "", "X-Request-ID: ").Header(), f.do("GET /", "", "X-Request-ID: ").Header()
	if one.Get("X-Request-ID") == other.Get("X-Request-ID") {
		t.Error("two requests have the same id")
	}
}

func TestAccessLog(t *testing.T) {
	f := newFixture(t)
	f.do("GET /t/orders?limit=7", "", "Authorization: Bearer hush-token")
	f.do("GET /t/orders?offset=hush-query", "", "X-API-Key: hush-key")
	log := f.log.String()
	for _, want := range []string{`"requestId":"req-1"`, `"method":"GET"`, `"path":"/t/orders"`, `"route":"GET /t/orders"`, `"status":200`, `"status":401`, `"principal":"key_reader"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "hush") {
		t.Errorf("the log tells a secret:\n%s", log)
	}
}

func TestPanicIsNotShown(t *testing.T) {
	f := newFixture(t)
	w := f.do("POST /t/orders/7", `{"name":"panic"}`)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if log := f.log.String(); !strings.Contains(log, "secret of the house") || !strings.Contains(log, "placeOrder") {
		t.Errorf("the log lacks the panic or its stack:\n%s", log)
	}
}
