package csms

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leyden"
	"leyden/ocpp"
)

// A Gate decides which stations may connect, and learns which passwords they
// are given.
type Gate interface {
	// Admit returns nil if the station may connect. An error that has a method
	// RetryAfter() time.Duration asks a guesser to wait that long (HTTP 429);
	// [leyden.ErrUnavailable] and errors of the context mean that nothing could be
	// decided now (503); any other means no (401), and does not tell a station
	// that is unknown from one that did not prove who it is. One that has a method
	// SecurityEvent() (typ, info string) is kept as such an event.
	Admit(ctx context.Context, a leyden.Attempt) error
	// Rotate lets a station connect with password too, beside the one that it has,
	// until it first used it: then the older one has ended. It is durable when
	// Rotate returns. takeBack undoes it, unless the password is in use. Rotate
	// fails with [leyden.ErrInvalid] for what cannot be this station's password,
	// or with [leyden.ErrUnavailable]; no error quotes the password.
	Rotate(ctx context.Context, station leyden.StationID, password string) (takeBack func(context.Context) error, err error)
}

// retryUnready is after how many seconds a station shall come back that met a
// server which takes no facts.
const retryUnready = 10

// ServeHTTP admits a station at GET /ocpp/{station} and makes its request a
// WebSocket. Whatever cannot be decided about it is decided before the upgrade.
//
// A crowd is let in one wave after the other: all else that is asked meanwhile, by
// stations that are in already and by clients, would wait behind all of it.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if srv.door.enter(r.Context()) != nil {
		return // the station has left
	}
	defer srv.door.leave()
	if !srv.begin(&srv.running) {
		unready(w, restarting)
		return
	}
	s := srv.open(w, r)
	if s == nil {
		srv.running.Done()
		return
	}
	// The request and what hangs on its context end with the handshake. So does this
	// goroutine, which has grown a stack: a station that waits needs little of one.
	ctx, cancel := context.WithCancelCause(context.Background())
	s.cancel = cancel
	if entered, _ := s.enter(ctx); !entered { // it has logged why
		srv.running.Done()
		return
	}
	go func() {
		defer srv.running.Done()
		_ = s.stay(ctx) // it has logged why it ended
	}()
}

// open decides about a request and makes it a session. It returns nil if it did
// not grant that; then it has answered.
func (srv *Server) open(w http.ResponseWriter, r *http.Request) *session {
	id, ok := stationOf(r)
	if !ok {
		http.Error(w, "no station in the URL: connect to /ocpp/{station}", http.StatusNotFound)
		return nil
	}
	if !id.Valid() {
		http.Error(w, "station identity must be 1 to 48 characters of A-Z a-z 0-9 . _ : @ | = * + -, not beginning with chg_", http.StatusBadRequest)
		return nil
	}
	if err := srv.admit(r, id); err != nil {
		srv.deny(w, r, id, err)
		return nil
	}
	order := srv.nextOrder() // before the station can know that it is connected, and connect again
	tr, protocol, err := ocpp.Upgrade(w, r, ocpp.UpgradeOptions{Protocols: protocols(), Compression: true, Timeouts: srv.opt.Timeouts})
	if err != nil {
		srv.log.Info("station not upgraded", "station", id, "address", r.RemoteAddr, "error", err)
		return nil
	}
	return newSession(srv, id, dialectOf(protocol), tr, order)
}

// stationOf returns the identity in the URL's path, around which some stations
// put a slash too many.
func stationOf(r *http.Request) (leyden.StationID, bool) {
	_, rest, _ := strings.Cut(r.URL.EscapedPath(), "/ocpp/")
	rest = strings.Trim(rest, "/")
	id, err := url.PathUnescape(rest)
	return leyden.StationID(strings.Clone(id)), err == nil && id != "" && !strings.Contains(rest, "/")
}

// errUnregistered denies a station that passed the gate and is not registered.
var errUnregistered = errors.New("station is not registered")

// admit returns why a station may not connect, or nil, after a while if its
// connections replace each other too fast.
func (srv *Server) admit(r *http.Request, id leyden.StationID) error {
	ctx := r.Context()
	if srv.opt.Ready != nil {
		if err := srv.opt.Ready(ctx); err != nil {
			return errors.Join(leyden.ErrUnavailable, err)
		}
	}
	if srv.opt.Gate == nil {
		return errors.New("there is no gate")
	}
	if err := srv.opt.Gate.Admit(ctx, attempt(r, id)); err != nil {
		return err
	}
	if !srv.opt.Open {
		_, err := srv.ledger.Registry().RecentStation(ctx, id)
		switch {
		case errors.Is(err, leyden.ErrNotFound):
			return errUnregistered
		case err != nil:
			return errors.Join(leyden.ErrUnavailable, err)
		}
	}
	return srv.slow(ctx, id)
}

// slow holds up a station whose connections replace living ones too often: two
// stations with one identity, or one that gives up too early.
func (srv *Server) slow(ctx context.Context, id leyden.StationID) error {
	old, ok := srv.sessions.Load(id)
	if !ok {
		return nil
	}
	swaps := old.(*session).swaps
	if len(swaps) < swapLimit || srv.ledger.Now().Sub(swaps[0]) >= swapWindow {
		return nil
	}
	srv.securityEvent(ctx, id, eventSwaps, fmt.Sprintf("%d connections within %v replaced living ones", len(swaps), swapWindow))
	srv.door.leave()
	select {
	case <-time.After(swapDelay):
	case <-ctx.Done():
	}
	_ = srv.door.enter(context.WithoutCancel(ctx)) // it cannot fail, and ServeHTTP leaves
	return ctx.Err()
}

// deny answers a station that may not connect.
func (srv *Server) deny(w http.ResponseWriter, r *http.Request, id leyden.StationID, err error) {
	var wait interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &wait):
		srv.log.Warn("station throttled", "station", id, "address", r.RemoteAddr)
		srv.securityEvent(r.Context(), id, eventGuesses, "too many wrong passwords, the last from "+r.RemoteAddr)
		seconds := max(1, int(math.Ceil(wait.RetryAfter().Seconds())))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		http.Error(w, "too many wrong passwords", http.StatusTooManyRequests)
	case r.Context().Err() != nil:
		srv.log.Debug("station left before it was admitted", "station", id, "address", r.RemoteAddr, "error", err)
		unready(w, "the request was given up")
	case errors.Is(err, leyden.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		srv.log.Error("station not admitted", "station", id, "address", r.RemoteAddr, "error", err)
		unready(w, "storage is unavailable")
	default:
		var suspect interface{ SecurityEvent() (typ, info string) }
		if errors.As(err, &suspect) {
			typ, info := suspect.SecurityEvent()
			srv.securityEvent(r.Context(), id, typ, info+", from "+r.RemoteAddr)
		}
		srv.log.Warn("station denied", "station", id, "address", r.RemoteAddr, "cause", err)
		w.Header().Set("WWW-Authenticate", `Basic realm="OCPP", charset="UTF-8"`)
		http.Error(w, "unknown station or wrong password", http.StatusUnauthorized)
	}
}

func unready(w http.ResponseWriter, text string) {
	w.Header().Set("Retry-After", strconv.Itoa(retryUnready))
	http.Error(w, text, http.StatusServiceUnavailable)
}

// attempt returns what is known of a station before the upgrade.
func attempt(r *http.Request, id leyden.StationID) leyden.Attempt {
	a := leyden.Attempt{Station: id, TLS: r.TLS != nil}
	a.User, a.Password, a.HasBasic = basic(r.Header.Get("Authorization"))
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a.Addr = addr.Addr().Unmap()
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		leaf := r.TLS.PeerCertificates[0]
		a.HasCert, a.CertFrom = true, leaf.NotBefore
		a.CertName, a.CertOrg = sole(leaf.Subject, commonName()), sole(leaf.Subject, organization())
	}
	return a
}

// maxCredentials limits, in bytes, what is read as credentials.
const maxCredentials = 4096

// basic reads Basic credentials (RFC 7617) as stations write them: any bytes for
// a password, the padding left out, either alphabet of base64.
func basic(header string) (user, password string, ok bool) {
	scheme, text, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Basic") || len(text) > maxCredentials {
		return "", "", false
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(text), "="))
	pair, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return "", "", false
	}
	if user, password, ok = strings.Cut(string(pair), ":"); !ok {
		return "", "", false
	}
	return user, password, true
}
