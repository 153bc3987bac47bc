package rest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leyden/auth"
	"leyden/rest"
)

func TestStream(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET /t/orders?format=csv", "")
	if w.Code != http.StatusOK || w.Body.String() != "id,name\n" || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !w.Flushed {
		t.Errorf("got %d %q %s, flushed: %v", w.Code, w.Body, w.Header().Get("Content-Type"), w.Flushed)
	}
	w = f.do("GET /t/orders?limit=7&offset=3", "")
	if w.Body.String() != "[]" || w.Header().Get("Link") != `</t/orders?limit=7&offset=10>; rel="next"` {
		t.Errorf("got %s, Link %s", w.Body, w.Header().Get("Link"))
	}
	w = f.do("GET /t/orders?format=csv&offset=13", "")
	if w.Code != http.StatusConflict || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("an error before the first piece: got %d %s", w.Code, w.Body)
	}
}

// TestHeadOfStream: HEAD has the headers of a stream without its pieces being made:
// one that has no end would hold the connection.
func TestHeadOfStream(t *testing.T) {
	w := newFixture(t).do("HEAD /t/orders?format=csv&offset=13", "")
	if w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("got %d %q %s", w.Code, w.Body, w.Header().Get("Content-Type"))
	}
}

// A stream that breaks off must not look whole.
func TestBrokenStream(t *testing.T) {
	f := newFixture(t)
	server := httptest.NewServer(f)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/t/orders?format=csv&offset=14", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-Key", "reader")
	res, err := server.Client().Do(r)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the client took a broken stream for a whole one")
	}
	if log := f.log.String(); !strings.Contains(log, "stream broke off") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// A body without a length is cut at the limit, and the connection serves on.
func TestChunkedBody(t *testing.T) {
	server := httptest.NewServer(newFixture(t))
	defer server.Close()
	for size, want := range map[int]int{10: http.StatusBadRequest, 2000: http.StatusRequestEntityTooLarge} {
		body := io.MultiReader(strings.NewReader(`{"name":"`+strings.Repeat("x", size)), strings.NewReader(`"}`))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/t/orders/7", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-Key", "reader")
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes: got %d, want %d", size, res.StatusCode, want)
		}
	}
}

// registerWait adds an operation that only the end of its context ends.
func registerWait(api *rest.API) {
	facade := &rest.Facade{Prefix: "/wait/", Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, nil, id} }}
	rest.Handle(api, facade, rest.Operation{
		Method: http.MethodGet, Path: "/wait/forever", Scope: auth.TransactionsRead, Timeout: time.Nanosecond,
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("wait: %w", ctx.Err())
	})
}

func TestTimeLimit(t *testing.T) {
	f := newFixture(t)
	registerWait(f.API)
	if w := f.do("GET /wait/forever", ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "took too long") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestOperationWithoutScopeIsAMistake(t *testing.T) {
	f := newFixture(t)
	defer func() {
		if recover() == nil {
			t.Error("an operation without a scope was registered")
		}
	}()
	rest.Handle(f.API, &rest.Facade{Prefix: "/x/", Body: func(*rest.Error, string) any { return errorBody{} }},
		rest.Operation{Method: http.MethodGet, Path: "/x/y"},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
}
