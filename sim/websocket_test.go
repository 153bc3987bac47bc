package sim_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/sim"
)

// serve makes c listen for WebSockets and returns its URL.
func (c *central) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/ocpp/")
		if user, password, _ := r.BasicAuth(); user != id || password != "secret of "+id {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		tr, _, err := ocpp.Upgrade(w, r, ocpp.UpgradeOptions{Protocols: []string{"ocpp1.6"}})
		if err != nil {
			t.Error(err)
			return
		}
		conn := ocpp.NewConn(tr, ocpp.Options{})
		c.wg.Go(func() {
			err := conn.Serve(context.Background(), func(_ context.Context, f ocpp.Frame) ocpp.Reply { return c.answer(id, f) })
			if !errors.Is(err, ocpp.ErrClosed) {
				t.Error(err)
			}
		})
	}))
	t.Cleanup(func() {
		c.wg.Wait()
		s.Close()
	})
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/ocpp"
}

func password(station string) string { return "secret of " + station }

func TestOverWebSocket(t *testing.T) {
	c := newCentral(t)
	f, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket(c.serve(t), ocpp.DialOptions{}), Password: password,
		Stations: 5, Connectors: 2, Sessions: 2, Speed: 10_000, Record: true,
		Faults: sim.Faults{Cut: 0.05, Repeat: 0.1}, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := f.Run(t.Context())
	if err := r.Err(); err != nil || len(r.Charges) != 20 {
		t.Fatalf("%d charges, %v", len(r.Charges), err)
	}
	for _, ch := range r.Charges {
		if ch.MeterStop == ch.MeterStart {
			continue // at this speed a battery holds next to nothing
		}
		compare(t, c, ch)
	}
}

func TestLoadOverWebSocket(t *testing.T) {
	c := newCentral(t)
	r, err := sim.Load{
		Dial: sim.WebSocket(c.serve(t), ocpp.DialOptions{}), Password: password, Stations: 10, Sessions: 50,
	}.Run(t.Context())
	if err != nil || r.Sessions != 50 || r.Errors != 0 || len(c.ids) != 50 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestWrongPasswordOverWebSocket(t *testing.T) {
	c := newCentral(t)
	dial := sim.WebSocket(c.serve(t), ocpp.DialOptions{})
	_, err := dial(t.Context(), sim.Login{Station: station, Password: "a guess"})
	if he, ok := errors.AsType[*ocpp.HandshakeError](err); !ok || he.Status != http.StatusUnauthorized {
		t.Errorf("got %v, want a 401", err)
	}
}
