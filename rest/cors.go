package rest

import (
	"net/http"
	"slices"
	"strings"
)

// What scripts of other origins may send and read. They show their credential in
// a header, so that no cookie is ever asked for: Access-Control-Allow-Credentials
// is not sent.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-API-Key, X-Request-ID"
	corsExposed = "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, " +
		"WWW-Authenticate, X-Command-ID, X-Request-ID, X-Total-Count, X-Total-Count-Is-Lower-Bound"
	corsMaxAge = "7200" // seconds
	// anyOrigin allows scripts of all origins.
	anyOrigin = "*"
)

// CheckOrigin reports whether origin is one as browsers send it, such as
// https://console.example:8443, or "*" for all.
func CheckOrigin(origin string) bool {
	if origin == anyOrigin {
		return true
	}
	scheme, host, ok := strings.Cut(origin, "://")
	return ok && (scheme == "http" || scheme == "https") && host != "" && !strings.ContainsAny(host, "/?#@* ") && strings.ToLower(origin) == origin
}

// cors lets scripts of allowed origins read replies. It reports whether it has
// answered: a preflight (WHATWG Fetch, CORS protocol).
func (a *API) cors(w *reply, r *http.Request) (answered bool) {
	if len(a.config.CORS) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	open := slices.Contains(a.config.CORS, anyOrigin)
	if origin == "" || !open && !slices.Contains(a.config.CORS, origin) {
		return false
	}
	if open {
		origin = anyOrigin
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.send(http.StatusNoContent, nil)
	return true
}
