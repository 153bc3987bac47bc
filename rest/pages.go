package rest

import (
	"bytes"
	"compress/gzip"
	_ "embed" // of the documentation page's scripts
	"io"
	"net/http"
	"strings"

	"leyden/auth"
)

//go:embed assets/rapidoc-min.js.gz
var rapidocScript []byte

//go:embed assets/docs.js
var docsScript []byte

// The page loads nothing but our own script and document: RapiDoc's fonts,
// file dialogs and foreign servers are off, and the policy allows no other
// host. RapiDoc writes its style inline.
const (
	docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Leyden API</title>
<script defer src="docs/docs.js"></script>
<script type="module" src="docs/rapidoc-min.js"></script>
</head>
<body>
<rapi-doc spec-url="openapi.json" load-fonts="false" render-style="read" schema-style="table" theme="light"
 default-schema-tab="example" allow-search="true" show-method-in-nav-bar="as-colored-text" use-path-in-nav-bar="false"
 primary-color="#1c6e5a" regular-font="system-ui, sans-serif" mono-font="ui-monospace, monospace"
 show-header="false" allow-spec-url-load="false" allow-spec-file-load="false" allow-server-selection="false"
 allow-authentication="true" persist-auth="false" fetch-credentials="same-origin" sort-endpoints-by="none"></rapi-doc>
<noscript>This page needs scripts. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
`
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// servePages registers what is no operation of a façade.
func (a *API) servePages() {
	a.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/docs")
		w.WriteHeader(http.StatusFound)
	})
	a.page("GET /docs", func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		return serveText(w, "text/html; charset=utf-8", []byte(docsPage))
	})
	a.page("GET /docs/rapidoc-min.js", serveScript)
	a.page("GET /docs/docs.js", func(w http.ResponseWriter, r *http.Request) error {
		return serveText(w, "text/javascript; charset=utf-8", docsScript)
	})
	a.page("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) error {
		d := a.rendered()
		return firstError(d.err, func() error { return serveText(w, "application/json", d.json) })
	})
	a.page("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) error {
		d := a.rendered()
		return firstError(d.err, func() error { return serveText(w, "application/yaml", d.yaml) })
	})
	if a.config.Metrics != nil {
		a.page(metricsPattern, func(w http.ResponseWriter, r *http.Request) error {
			a.config.Metrics.ServeHTTP(w, r)
			return nil
		})
	}
}

// metricsPattern is where a collector asks, as often as it likes.
const metricsPattern = "GET /metrics"

// page registers what is open on a loopback listener and needs chargers:read
// elsewhere.
func (a *API) page(pattern string, serve func(http.ResponseWriter, *http.Request) error) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		out := replyOf(r.Context())
		err := a.admitPage(out, r)
		if pattern != metricsPattern {
			err = a.limit(out, r, err)
		}
		if err == nil {
			err = serve(w, r)
		}
		if err != nil {
			a.refuse(out, r, a.facades[0], err)
		}
	})
}

// admitPage lets a browser and a metrics collector show their API key as the
// password of HTTP Basic, which both can, whatever the user name.
func (a *API) admitPage(w *reply, r *http.Request) error {
	if a.config.Open {
		return nil
	}
	if _, key, ok := r.BasicAuth(); ok {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
		r.Header.Set("X-API-Key", key)
	}
	err := a.admit(w, r, Operation{Scope: auth.ChargersRead})
	if e, ok := err.(*Error); ok && e.Status == http.StatusUnauthorized {
		e.Header.Add("WWW-Authenticate", `Basic realm="leyden"`)
	}
	return err
}

func firstError(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func serveText(w http.ResponseWriter, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	_, err := w.Write(body)
	return err
}

// serveScript serves RapiDoc as it is embedded, or unpacked for a client that
// takes no gzip.
func serveScript(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "private, max-age=86400")
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		_, err := w.Write(rapidocScript)
		return err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(rapidocScript))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, unpacked)
	return err
}
