package csms_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/ocpp"
)

// A gate answers err and remembers the last attempt.
type gate struct {
	err error

	mu   sync.Mutex
	last leyden.Attempt
}

func (g *gate) Admit(_ context.Context, a leyden.Attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = a
	return g.err
}

func (g *gate) Rotate(context.Context, leyden.StationID, string) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

// throttled is an error that asks to wait.
type throttled struct{ time.Duration }

func (throttled) Error() string               { return "throttled" }
func (e throttled) RetryAfter() time.Duration { return e.Duration }

var errDenied = errors.New("denied")

// suspect is a denial that operators should look at.
type suspect struct{}

func (suspect) Error() string                     { return "suspect" }
func (suspect) SecurityEvent() (typ, info string) { return "SomethingOdd", "a word on it" }

// listen serves w's server on a loopback address.
func (w *world) listen() (url string) {
	w.t.Helper()
	w.begin()
	mux := http.NewServeMux()
	mux.Handle("/ocpp/", w.server)
	web := httptest.NewServer(mux)
	w.t.Cleanup(func() {
		w.end()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http") + "/ocpp/"
}

// dial connects a station over a WebSocket.
func (w *world) dial(url string) (*station, error) {
	tr, _, err := ocpp.Dial(w.t.Context(), url, ocpp.DialOptions{Protocols: []string{"ocpp1.6"}})
	if err != nil {
		return nil, err
	}
	return newStation(w, leyden.StationID(url[strings.LastIndexByte(url, '/')+1:]), tr), nil
}

func (w *world) mustDial(url string) *station {
	w.t.Helper()
	s, err := w.dial(url)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestRefusals(t *testing.T) {
	unready := errors.New("disk is full")
	for name, c := range map[string]struct {
		gate       error
		ready      error
		registered bool
		path       string
		protocols  []string
		status     int
		header     map[string]string
		text       string
	}{
		"no identity":         {path: "", status: 404},
		"a deeper path":       {path: "CP-1/CP-2", status: 404},
		"not an identity":     {path: "a%2Fb", status: 400, text: "identity"},
		"one of our ids":      {path: "chg_abc", status: 400, text: "identity"},
		"too long":            {path: strings.Repeat("x", 49), status: 400, text: "identity"},
		"denied":              {gate: errDenied, status: 401, header: map[string]string{"WWW-Authenticate": `Basic realm="OCPP", charset="UTF-8"`}, text: "unknown station or wrong password"},
		"not registered":      {registered: true, status: 401, header: map[string]string{"WWW-Authenticate": `Basic realm="OCPP", charset="UTF-8"`}, text: "unknown station or wrong password"},
		"throttled":           {gate: throttled{1500 * time.Millisecond}, status: 429, header: map[string]string{"Retry-After": "2"}},
		"not ready":           {ready: unready, status: 503, header: map[string]string{"Retry-After": "10"}, text: "storage is unavailable"},
		"gate out of time":    {gate: context.DeadlineExceeded, status: 503, header: map[string]string{"Retry-After": "10"}, text: "storage is unavailable"},
		"gate given up":       {gate: fmt.Errorf("lookup: %w", context.Canceled), status: 503, header: map[string]string{"Retry-After": "10"}},
		"suspect":             {gate: suspect{}, status: 401, header: map[string]string{"WWW-Authenticate": `Basic realm="OCPP", charset="UTF-8"`}, text: "unknown station or wrong password"},
		"gate without store":  {gate: leyden.ErrUnavailable, status: 503, header: map[string]string{"Retry-After": "10"}},
		"no subprotocol":      {protocols: []string{}, status: 400, text: "ocpp1.6"},
		"another subprotocol": {protocols: []string{"ocpp1.2", "mqtt"}, status: 400, text: "ocpp1.6"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.options.Open = !c.registered
			w.options.Gate = &gate{err: c.gate}
			w.options.Ready = func(context.Context) error { return c.ready }
			if c.path == "" && c.status != 404 {
				c.path = "CP-1"
			}
			if c.protocols == nil {
				c.protocols = []string{"ocpp1.6"}
			}
			_, _, err := ocpp.Dial(t.Context(), w.listen()+c.path, ocpp.DialOptions{Protocols: c.protocols})
			refused, ok := errors.AsType[*ocpp.HandshakeError](err)
			if !ok || refused.Status != c.status || !strings.Contains(refused.Text, c.text) {
				t.Fatalf("%v; want %d with %q", err, c.status, c.text)
			}
			for name, want := range c.header {
				if got := refused.Header.Get(name); got != want {
					t.Errorf("%s: %q; want %q", name, got, want)
				}
			}
			if w.server.OnlineCount() != 0 {
				t.Error("a refused station is online")
			}
			if _, err := w.store.Station(t.Context(), "CP-1"); !errors.Is(err, leyden.ErrNotFound) {
				t.Errorf("a refused station was added: %v", err)
			}
		})
	}
}

// A station that goes away before it is admitted is no trouble of ours, whatever
// it made fail: storage that fails is.
func TestLeftDuringHandshake(t *testing.T) {
	for name, c := range map[string]struct {
		leaves bool
		err    error
		want   string
	}{
		"left":                 {true, context.Canceled, ""},
		"left during a lookup": {true, errors.Join(leyden.ErrUnavailable, context.Canceled), ""},
		"storage":              {false, leyden.ErrUnavailable, "level=ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			var logged strings.Builder
			w := newWorld(t)
			w.options.Gate = &gate{err: c.err}
			w.options.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
			w.begin()
			defer w.end()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			if c.leaves {
				leave()
			}
			w.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/ocpp/CP-1", nil))
			if got := logged.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("logged %q; want %q", got, c.want)
			}
		})
	}
}

// Without a gate nobody enters; while the server restarts neither.
func TestNoGateNoDrain(t *testing.T) {
	w := newWorld(t)
	url := w.listen()
	_, err := w.dial(url + "CP-1")
	if refused, ok := errors.AsType[*ocpp.HandshakeError](err); !ok || refused.Status != 401 {
		t.Fatalf("without a gate: %v; want 401", err)
	}
	if err := w.server.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = w.dial(url + "CP-1")
	if refused, ok := errors.AsType[*ocpp.HandshakeError](err); !ok || refused.Status != 503 || refused.Header.Get("Retry-After") == "" {
		t.Fatalf("after a drain: %v; want 503 with Retry-After", err)
	}
	if s := w.connect("CP-1"); s.next() != "" || s.ending() != ocpp.CloseRestart {
		t.Errorf("after a drain: closed with %d; want %d", s.ending(), ocpp.CloseRestart)
	}
}

func TestAttempt(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct {
		path, authorization string
		want                leyden.Attempt
	}{
		"nothing":        {"CP-1", "", leyden.Attempt{Station: "CP-1"}},
		"a last slash":   {"CP-1/", "", leyden.Attempt{Station: "CP-1"}},
		"escaped":        {"CP%7C1%3A%40", "", leyden.Attempt{Station: "CP|1:@"}},
		"basic":          {"CP-1", "Basic " + b64([]byte("CP-1:secret")), leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1", Password: "secret"}},
		"odd case":       {"CP-1", " bASIC   " + b64([]byte("CP-1:a:b")) + " ", leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1", Password: "a:b"}},
		"bytes":          {"CP-1", "Basic " + b64([]byte("CP-1:\x00\xff\x10")), leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1", Password: "\x00\xff\x10"}},
		"no padding":     {"CP-1", "Basic " + strings.TrimRight(b64([]byte("CP-1:ab")), "="), leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1", Password: "ab"}},
		"URL alphabet":   {"CP-1", "Basic " + base64.URLEncoding.EncodeToString([]byte("CP-1:???>>>")), leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1", Password: "???>>>"}},
		"empty password": {"CP-1", "Basic " + b64([]byte("CP-1:")), leyden.Attempt{Station: "CP-1", HasBasic: true, User: "CP-1"}},
		"not base64":     {"CP-1", "Basic ****", leyden.Attempt{Station: "CP-1"}},
		"no colon":       {"CP-1", "Basic " + b64([]byte("CP-1")), leyden.Attempt{Station: "CP-1"}},
		"too long":       {"CP-1", "Basic " + b64([]byte("CP-1:"+strings.Repeat("x", 5000))), leyden.Attempt{Station: "CP-1"}},
		"bearer":         {"CP-1", "Bearer abc", leyden.Attempt{Station: "CP-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := &gate{err: errDenied}
			w.options.Gate = g
			opt := ocpp.DialOptions{Protocols: []string{"ocpp1.6"}, Header: http.Header{}}
			if c.authorization != "" {
				opt.Header.Set("Authorization", c.authorization)
			}
			if _, _, err := ocpp.Dial(t.Context(), w.listen()+c.path, opt); err == nil {
				t.Fatal("a denied station entered")
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			c.want.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if g.last != c.want {
				t.Errorf("\n got %+v\nwant %+v", g.last, c.want)
			}
		})
	}
}

// Under open admission a station that nobody registered is added as it comes,
// also one that was removed.
func TestOpenAdmission(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen()
	s := w.mustDial(url + "CP-1")
	s.send(`[2,"a","Heartbeat",{}]`)
	if got := s.next(); !strings.HasPrefix(got, `[3,"a"`) {
		t.Fatalf("got %s; want the answer to a Heartbeat", got)
	}
	first, err := w.store.Station(t.Context(), "CP-1")
	if err != nil || first.Listed || first.Registration != leyden.RegistrationAccepted || !strings.HasPrefix(first.PublicID, "chg_") {
		t.Fatalf("%+v, %v; want it added as it came", first, err)
	}
	first.RemovedAt = time.Now()
	if err := w.store.SaveStation(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.server.Disconnect("CP-1", "station was removed")
	if s.next() != "" || s.ending() != ocpp.ClosePolicy {
		t.Fatalf("closed with %d; want %d", s.ending(), ocpp.ClosePolicy)
	}
	s = w.mustDial(url + "CP-1")
	s.send(`[2,"a","Heartbeat",{}]`)
	s.expect(t, `[3,"a"`)
	again, err := w.store.Station(t.Context(), "CP-1")
	if err != nil || again.PublicID == first.PublicID {
		t.Fatalf("%+v, %v; want a new registration", again, err)
	}
	w.server.Disconnect("NOBODY", "it is not there") // does nothing
}
