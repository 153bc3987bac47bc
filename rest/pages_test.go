package rest_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leyden/rest"
)

func metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "leyden_up 1\n") })
}

func closed(c *rest.Config) { c.Open, c.Metrics = false, metrics() }

func opened(c *rest.Config) { c.Open, c.Metrics = true, metrics() }

func TestRoot(t *testing.T) {
	w := newFixture(t).do("GET /", "")
	if w.Code != http.StatusFound || w.Header().Get("Location") != "/docs" {
		t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// The page works without any other host and cannot be framed.
func TestDocsPage(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET /docs", "")
	page := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("got %d %s", w.Code, w.Header().Get("Content-Type"))
	}
	if foreign := regexp.MustCompile(`(?i)(https?:)?//[a-z]`).FindString(page); foreign != "" {
		t.Errorf("the page names another host: %s", foreign)
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	// Whatever a script would like to fetch: the browser asks no other host.
	for directive := range strings.SplitSeq(policy, ";") {
		for _, source := range strings.Fields(directive)[1:] {
			if !slices.Contains([]string{"'none'", "'self'", "'unsafe-inline'", "data:"}, source) {
				t.Errorf("the policy lets the page ask %s: %s", source, directive)
			}
		}
	}
	if strings.Contains(policy, "script-src 'self' ") || strings.Count(policy, "unsafe") != 1 {
		t.Errorf("the policy lets in scripts that are not files of ours: %s", policy)
	}
	if script := f.do("GET /docs/docs.js", "").Body.String(); !strings.Contains(script, "prefers-color-scheme") || strings.Contains(script, "://") {
		t.Errorf("the page's own script is %s", script)
	}
	for _, link := range regexp.MustCompile(`(?:src|spec-url)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if w := f.do("GET /"+link[1], ""); w.Code != http.StatusOK {
			t.Errorf("%s: got %d", link[1], w.Code)
		}
	}
}

func TestDocsScript(t *testing.T) {
	f := newFixture(t)
	plain, packed := f.do("GET /docs/rapidoc-min.js", ""), f.do("GET /docs/rapidoc-min.js", "", "Accept-Encoding: br, gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" {
		t.Fatalf("encodings are %q and %q", packed.Header().Get("Content-Encoding"), plain.Header().Get("Content-Encoding"))
	}
	unpacked, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if string(script) != plain.Body.String() || !strings.Contains(string(script), "RapiDoc 9.3.8") {
		t.Error("packed and plain script are not the same RapiDoc")
	}
}

func TestReadiness(t *testing.T) {
	reasons := []string{}
	f := newFixture(t, func(c *rest.Config) { c.Ready = func(context.Context) []string { return reasons } })
	if w := f.do("GET /readyz", ""); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	reasons = []string{"storage: disk is full"}
	w := f.do("GET /readyz", "")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != `{"status":"unavailable","reasons":["storage: disk is full"]}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := f.do("GET /healthz", ""); w.Code != http.StatusOK {
		t.Errorf("alive but not ready: got %d", w.Code)
	}
}
