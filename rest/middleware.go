package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// statusGone is what the access log says when the client left first.
const statusGone = 499

// setSafeHeaders sets what every reply has. A page or an asset relaxes what it
// must.
func setSafeHeaders(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// rescue turns a panic into a 500, or cuts the connection when part of a reply
// is out already.
func (a *API) rescue(w *reply, r *http.Request, f *Facade) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	a.panicked(w, r, v)
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	a.refuse(w, r, f, fmt.Errorf("panic: %v", v))
}

// panicked logs a panic.
func (a *API) panicked(w *reply, r *http.Request, v any) {
	a.config.Log.LogAttrs(r.Context(), slog.LevelError, "handler panicked",
		slog.String("requestId", w.requestID), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
}

// finish writes the access log. It names neither query nor headers: they may
// hold secrets.
func (a *API) finish(w *reply, r *http.Request, begin time.Time) {
	status := w.status
	if w.gone {
		status = statusGone
	}
	remote, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		remote = r.RemoteAddr
	}
	a.config.Log.LogAttrs(r.Context(), accessLevel(r.URL.Path), "request",
		slog.String("requestId", w.requestID),
		slog.String("method", r.Method),
		slog.String("path", a.config.Mask(r.URL.Path)),
		slog.String("route", w.pattern),
		slog.Int("status", status),
		slog.Int64("bytes", w.bytes),
		slog.Duration("took", a.config.Now().Sub(begin)),
		slog.String("principal", w.principal.ID),
		slog.String("remote", remote))
}

// accessLevel keeps what machines ask every few seconds out of the usual log.
func accessLevel(path string) slog.Level {
	switch path {
	case "/healthz", "/readyz", "/metrics":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
