package rest

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"leyden/calls"
)

// Limits that every operation has unless it says otherwise.
const (
	// MaxBody limits the body of a request, in bytes.
	MaxBody = 64 << 10
	// RequestTimeout limits how long a handler may take.
	RequestTimeout = 30 * time.Second

	bodyTimeout = 10 * time.Second // for the body of a request to arrive
	writeStall  = 30 * time.Second // for the client to take what is written
)

// A Config is what an [API] needs of its surroundings.
type Config struct {
	// Version of the product, for the document.
	Version string
	// PublicURL is where clients reach the service, without a slash at its
	// end; "" when they reach it where they found the document.
	PublicURL string
	// Auth recognises callers.
	Auth Authenticator
	// Now is the clock.
	Now func() time.Time
	// Log takes the access log and the causes of 5xx.
	Log *slog.Logger
	// Metrics serves /metrics; nil for none.
	Metrics http.Handler
	// Ready says what keeps the service from doing its work: nothing when it
	// is ready. Nil means always ready.
	Ready func(context.Context) []string
	// Calls keeps the audit log and the replies to calls with an Idempotency-Key;
	// nil keeps neither.
	Calls *calls.Book
	// Mask takes secrets out of a path, for the access log and the audit log: somebody
	// may take a key for the id of one. Nil leaves paths as they are.
	Mask func(text string) string
	// Limits bound how often clients may ask.
	Limits Limits
	// CORS are the origins whose scripts may read replies: see [CheckOrigin].
	CORS []string
	// Open serves /docs, /openapi.json and /metrics without a credential: for
	// a listener on a loopback address. Otherwise they need chargers:read.
	Open bool
}

// An API serves all façades on one listener, and the document about them. It
// is an [http.Handler]; register operations with [Handle] before it serves.
//
// It sets deadlines on the connection while it reads a body and writes a
// reply. The [http.Server] must have a ReadHeaderTimeout and a WriteTimeout,
// which set them anew for the next request on the same connection.
type API struct {
	config   Config
	mux      *http.ServeMux
	facades  []*Facade // the plain one first
	meters   *meters
	document *huma.OpenAPI
	settled  func() // mends the schemas, once all operations are registered
	rendered func() documents
}

// New returns an API that serves /healthz, /readyz, /metrics, /docs,
// /openapi.json, /openapi.yaml and a redirect from / to /docs.
func New(c Config) *API {
	a := &API{
		config:   c,
		mux:      http.NewServeMux(),
		facades:  []*Facade{plain()},
		meters:   newMeters(c.Limits),
		document: newDocument(c),
	}
	if a.config.Mask == nil {
		a.config.Mask = func(text string) string { return text }
	}
	a.settled = sync.OnceFunc(a.settleSchemas)
	a.rendered = sync.OnceValue(a.render)
	a.serveHealth()
	a.servePages()
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.settled()
	out := newReply(w, r)
	out.extendWrite()
	if r.ContentLength != 0 {
		// Who leaves the body alone must not be made to wait for it: net/http reads
		// what is left of it before the reply goes out.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	defer a.finish(out, r, a.config.Now())
	f := a.facadeOf(r.URL.Path)
	defer a.rescue(out, r, f)
	setSafeHeaders(out.Header(), r)
	if a.cors(out, r) {
		return
	}
	if escaped := r.URL.EscapedPath(); escaped != cleanPath(escaped) {
		a.refuse(out, r, f, a.limit(out, r, noRoute()))
		return
	}
	unrouted, pattern := a.mux.Handler(r)
	if pattern == "" {
		a.refuse(out, r, f, a.limit(out, r, unroutable(unrouted, r)))
		return
	}
	out.pattern = pattern
	a.mux.ServeHTTP(out, r.WithContext(withReply(r.Context(), out)))
}

// facadeOf returns the façade with the longest prefix of path.
func (a *API) facadeOf(path string) *Facade {
	found := a.facades[0]
	for _, f := range a.facades {
		if strings.HasPrefix(path+"/", f.Prefix) && len(f.Prefix) > len(found.Prefix) {
			found = f
		}
	}
	return found
}

// unroutable says why the mux has no route for r: the path is unknown, or the
// method is. The mux's own handler knows which methods there are.
func unroutable(muxAnswer http.Handler, r *http.Request) *Error {
	probe := probeWriter{}
	muxAnswer.ServeHTTP(probe, r)
	allow := http.Header(probe).Get("Allow")
	if allow == "" {
		return noRoute()
	}
	return Errorf(http.StatusMethodNotAllowed, "%s is not possible here", r.Method).with("Allow", allow)
}

// A probeWriter keeps the header of an answer and drops the rest.
type probeWriter http.Header

// Header returns the header.
func (p probeWriter) Header() http.Header { return http.Header(p) }

// Write drops b.
func (probeWriter) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader drops the status.
func (probeWriter) WriteHeader(int) {}

func noRoute() *Error {
	return Errorf(http.StatusNotFound, "there is nothing at this path")
}

// cleanPath is path.Clean that keeps a slash at the end, as the mux does.
func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
