package rest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/auth"
	"leyden/calls"
	"leyden/export"
	"leyden/memory"
	"leyden/rest"
)

// limited returns a fixture with small limits, and its clock.
func limited(t *testing.T, change ...func(*rest.Config)) (fixture, *time.Time) {
	now := time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)
	f := newFixture(t, append(change, func(c *rest.Config) {
		c.Now = func() time.Time { return now }
		c.Limits = rest.Limits{PerSecond: 2, Burst: 4, StrangerPerSecond: 1, StrangerBurst: 3}
	})...)
	return f, &now
}

// from sends a GET from an address.
func (f fixture) from(addr, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = addr
	r.Header.Set("X-API-Key", key)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func wantLimits(t *testing.T, what string, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	h := w.Header()
	got := fmt.Sprintf("%s/%s/%s/%s", h.Get("RateLimit-Limit"), h.Get("RateLimit-Remaining"), h.Get("RateLimit-Reset"), h.Get("Retry-After"))
	if w.Code != status || got != want {
		t.Errorf("%s: got %d %s, want %d %s: %s", what, w.Code, got, status, want, w.Body)
	}
}

func TestLimitOfCredential(t *testing.T) {
	f, now := limited(t)
	get := func() *httptest.ResponseRecorder { return f.from("192.0.2.1:1", "/t/orders", "reader") }
	for i, want := range []string{"4/3/1/", "4/2/1/", "4/1/2/", "4/0/2/"} {
		wantLimits(t, fmt.Sprint("request ", i), get(), http.StatusOK, want)
	}
	w := get()
	wantLimits(t, "one too many", w, http.StatusTooManyRequests, "4/0/2/1")
	if !strings.Contains(w.Body.String(), `"code":"RATE_LIMIT_ERROR"`) {
		t.Errorf("got %s", w.Body)
	}
	wantLimits(t, "another credential", f.from("192.0.2.1:1", "/t/orders", "admin"), http.StatusOK, "4/3/1/")
	wantLimits(t, "from elsewhere", f.from("192.0.2.2:1", "/t/orders", "reader"), http.StatusTooManyRequests, "4/0/2/1")
	*now = now.Add(500 * time.Millisecond)
	wantLimits(t, "later", get(), http.StatusOK, "4/0/2/")
	*now = now.Add(time.Minute)
	wantLimits(t, "much later", get(), http.StatusOK, "4/3/1/")
}

func TestLimitOfAddress(t *testing.T) {
	f, _ := limited(t, closed)
	for i, path := range []string{"/t/orders", "/t/nothing", "/openapi.json"} {
		if w := f.from("192.0.2.1:1", path, ""); w.Code == http.StatusTooManyRequests || w.Header().Get("RateLimit-Remaining") != fmt.Sprint(2-i) {
			t.Errorf("%s: got %d, %v", path, w.Code, w.Header())
		}
	}
	for _, path := range []string{"/t/orders", "/t/nothing", "/openapi.json"} {
		wantLimits(t, path, f.from("192.0.2.1:2", path, "wrong"), http.StatusTooManyRequests, "3/0/3/1")
	}
	wantLimits(t, "who shows a credential", f.from("192.0.2.1:2", "/t/orders", "reader"), http.StatusOK, "4/3/1/")
	for _, path := range []string{"/healthz", "/readyz"} {
		wantLimits(t, path, f.from("192.0.2.1:2", path, ""), http.StatusOK, "///")
	}
	wantLimits(t, "metrics", f.from("192.0.2.1:2", "/metrics", "admin"), http.StatusOK, "///")
	wantLimits(t, "another address", f.from("192.0.2.2:2", "/t/orders", ""), http.StatusUnauthorized, "3/2/1/")
	// Of IPv6 one host has a whole network.
	for i := range 3 {
		f.from(fmt.Sprintf("[2001:db8::%d]:1", i), "/t/orders", "")
	}
	wantLimits(t, "the same network", f.from("[2001:db8::9]:1", "/t/orders", ""), http.StatusTooManyRequests, "3/0/3/1")
	wantLimits(t, "another network", f.from("[2001:db8:0:1::9]:1", "/t/orders", ""), http.StatusUnauthorized, "3/2/1/")
}

// A flood is not written down.
func TestFloodIsNotRecorded(t *testing.T) {
	store := memory.New(time.Now)
	now := time.Now()
	f := withCalls(t, store, new(counter), func(c *rest.Config) {
		c.Limits = rest.Limits{PerSecond: 1, Burst: 2}
		c.Now = func() time.Time { return now }
	})
	for range 10 {
		f.do("POST /c/count", `{"say":"a"}`)
	}
	if _, total, err := store.Records(t.Context(), calls.RecordQuery{}); total != 2 || err != nil {
		t.Errorf("%d records, %v; want 2", total, err)
	}
}

func TestQueryLimits(t *testing.T) {
	f := newFixture(t)
	for query, want := range map[string]string{
		"a=" + strings.Repeat("x", 9000): "query: is longer than 8192 bytes",
		strings.Repeat("a=1&", 100):      "query: has more than 100 parameters",
	} {
		wantRefusal(t, want, f.do("GET /t/orders?"+query, ""), http.StatusBadRequest, want)
	}
}

func TestCORS(t *testing.T) {
	const origin = "https://console.example"
	allowed := newFixture(t, func(c *rest.Config) { c.CORS = []string{"https://other.example", origin} })
	anybody := newFixture(t, func(c *rest.Config) { c.CORS = []string{"*"} })
	preflight := []string{"Access-Control-Request-Method: POST", "X-API-Key: "}
	for _, r := range []struct {
		what    string
		f       fixture
		line    string
		headers []string
		status  int
		allow   string
		vary    string
	}{
		{"closed by default", newFixture(t), "GET /t/orders", []string{"Origin: " + origin}, 200, "", ""},
		{"no preflight by default", newFixture(t), "OPTIONS /t/orders", append(preflight, "Origin: "+origin), 405, "", ""},
		{"allowed", allowed, "GET /t/orders", []string{"Origin: " + origin}, 200, origin, "Origin"},
		{"allowed refusal", allowed, "GET /t/orders?x=1", []string{"Origin: " + origin}, 400, origin, "Origin"},
		{"another origin", allowed, "GET /t/orders", []string{"Origin: https://evil.example"}, 200, "", "Origin"},
		{"null", allowed, "GET /t/orders", []string{"Origin: null"}, 200, "", "Origin"},
		{"another port", allowed, "GET /t/orders", []string{"Origin: " + origin + ":8443"}, 200, "", "Origin"},
		{"none", allowed, "GET /t/orders", nil, 200, "", "Origin"},
		{"preflight", allowed, "OPTIONS /t/orders", append(preflight, "Origin: "+origin), 204, origin, "Origin"},
		{"preflight of another", allowed, "OPTIONS /t/orders", append(preflight, "Origin: https://evil.example"), 405, "", "Origin"},
		{"OPTIONS that is no preflight", allowed, "OPTIONS /t/orders", []string{"Origin: " + origin}, 405, origin, "Origin"},
		{"anybody", anybody, "GET /t/orders", []string{"Origin: https://evil.example"}, 200, "*", "Origin"},
	} {
		w := r.f.do(r.line, "", r.headers...)
		h := w.Header()
		if w.Code != r.status || h.Get("Access-Control-Allow-Origin") != r.allow || h.Get("Vary") != r.vary || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %d, %v", r.what, w.Code, h)
		}
		if exposed := strings.Contains(h.Get("Access-Control-Expose-Headers"), "X-Request-ID"); exposed != (r.allow != "") {
			t.Errorf("%s: exposed: %v", r.what, exposed)
		}
		if allows := strings.Contains(h.Get("Access-Control-Allow-Headers"), "Idempotency-Key"); allows != (r.status == http.StatusNoContent) {
			t.Errorf("%s: allows headers: %v", r.what, allows)
		}
	}
}

func TestCheckOrigin(t *testing.T) {
	for origin, want := range map[string]bool{
		"*": true, "https://a.example": true, "http://localhost:3000": true, "https://[::1]:8443": true,
		"": false, "a.example": false, "https://": false, "https://a.example/": false, "https://A.example": false, "https://*.example": false,
		"ftp://a.example": false, "null": false, "https://a@b.example": false,
	} {
		if got := rest.CheckOrigin(origin); got != want {
			t.Errorf("%q: got %v", origin, got)
		}
	}
}

// A credential has a few requests open that last, and no more.
func TestLastingRequests(t *testing.T) {
	const open = 2
	f := newFixture(t, func(c *rest.Config) { c.Limits.Lasting = open })
	started, goOn := make(chan struct{}), make(chan struct{})
	facade := &rest.Facade{Prefix: "/w/", Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, nil, id} }}
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodGet, Path: "/w/wait", Scope: auth.TransactionsRead, Lasting: true, Timeout: -1},
		func(context.Context, *struct{}) (*struct{}, error) {
			started <- struct{}{}
			<-goOn
			return nil, nil
		})
	var done sync.WaitGroup
	for range open {
		done.Go(func() {
			if w := f.do("GET /w/wait", ""); w.Code != http.StatusOK {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
		<-started
	}
	if w := f.do("GET /w/wait", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("one too many: got %d %s", w.Code, w.Body)
	}
	done.Go(func() { f.do("GET /w/wait", "", "X-API-Key: admin") })
	<-started
	close(goOn)
	done.Wait()
	done.Go(func() { f.do("GET /w/wait", "") })
	<-started
	done.Wait()
}

// Files count among the requests that last: one of millions of rows does.
func TestFilesLast(t *testing.T) {
	f := newFixture(t, func(c *rest.Config) { c.Limits.Lasting = 1 })
	type rows struct {
		rest.File
		Body struct{}
	}
	started, goOn := make(chan struct{}), make(chan struct{})
	facade := &rest.Facade{Prefix: "/w/", Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, nil, id} }}
	rest.Handle(f.API, facade, rest.Operation{
		Method: http.MethodGet, Path: "/w/rows", Scope: auth.TransactionsRead, Streams: rest.FileTypes(), Timeout: -1,
	}, func(context.Context, *struct{}) (*rows, error) {
		out := new(rows)
		out.SendFile("rows", export.CSV, func(w io.Writer) (int64, error) {
			started <- struct{}{}
			<-goOn
			return 0, nil
		})
		return out, nil
	})
	var done sync.WaitGroup
	done.Go(func() { f.do("GET /w/rows", "") })
	<-started
	w := f.do("GET /w/rows", "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Content-Disposition") != "" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("one too many: got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := f.do("HEAD /w/rows", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD: got %d", w.Code)
	}
	close(goOn)
	done.Wait()
	done.Go(func() { <-started })
	if w := f.do("GET /w/rows", ""); w.Code != http.StatusOK {
		t.Errorf("after it: got %d %s", w.Code, w.Body)
	}
	done.Wait()
}

// Every reply has the headers that keep browsers from harm; only over TLS do they
// learn to come over TLS.
func TestSafeHeaders(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/t/orders", "/t/orders?x=1", "/t/nothing", "/healthz", "/docs", "/openapi.json"} {
		for _, secure := range []bool{true, false} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			if r.TLS = nil; secure {
				r.TLS = new(tls.ConnectionState)
			}
			w := httptest.NewRecorder()
			f.ServeHTTP(w, r)
			h := w.Header()
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s: %v", path, h)
			}
			if sts := h.Get("Strict-Transport-Security") != ""; sts != secure {
				t.Errorf("%s over TLS: %v: Strict-Transport-Security is %q", path, secure, h.Get("Strict-Transport-Security"))
			}
		}
	}
}
