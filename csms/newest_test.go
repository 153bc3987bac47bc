package csms_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leyden"
	"leyden/ocpp"
)

// wantReplaced waits for the end of a connection that a newer one replaced.
func (s *station) wantReplaced(t *testing.T) {
	t.Helper()
	if got := s.next(); got != "" || s.ending() != ocpp.ClosePolicy {
		t.Errorf("%s: the older connection was sent %q, closed with %d; want %d", s.id, got, s.ending(), ocpp.ClosePolicy)
	}
}

func (s *station) wantHeartbeat(t *testing.T) {
	t.Helper()
	s.send(`[2,"h","Heartbeat",{}]`)
	s.expect(t, `[3,"h"`)
}

// The connection that was upgraded last counts, however long the server takes to
// register the one before it.
func TestNewestOvertakes(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	late := hold{make(chan struct{}), make(chan struct{})}
	var lookups atomic.Int32
	w.store.lookedUp = func() {
		if lookups.Add(1) == 2 { // the first is before the upgrade
			close(late.reached)
			<-late.release
		}
	}
	url := w.listen() + "CP-1"
	old := w.mustDial(url)
	<-late.reached
	newest := w.mustDial(url)
	newest.wantHeartbeat(t)
	close(late.release)
	old.wantReplaced(t)
	newest.wantHeartbeat(t)
	if n := w.server.Counters().Swaps.Load(); n != 1 || w.server.OnlineCount() != 1 {
		t.Errorf("%d swaps, %d online; want 1 and 1", n, w.server.OnlineCount())
	}
}

// A hundred times, one identity connects five times in a row: the last stays.
func TestNewestStays(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen()
	for i := range 100 {
		var all []*station
		for range 5 {
			all = append(all, w.mustDial(fmt.Sprintf("%sCP-%d", url, i)))
		}
		newest := all[len(all)-1]
		newest.wantHeartbeat(t)
		for _, old := range all[:len(all)-1] {
			old.wantReplaced(t)
		}
		newest.wantHeartbeat(t)
	}
	if n := w.server.Counters().Swaps.Load(); n != 400 || w.server.OnlineCount() != 100 {
		t.Errorf("%d swaps, %d online; want 400 and 100", n, w.server.OnlineCount())
	}
}

// What becomes of a station while it connects counts as if it had been so before:
// nobody closes a connection that is not there yet.
func TestChangedWhileItConnects(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*leyden.Station)
		next   string // answer to a Heartbeat; "" for a connection that is closed
	}{
		{"accepted", func(s *leyden.Station) { s.Registration = leyden.RegistrationAccepted }, `[3,"h"`},
		{"rejected", func(s *leyden.Station) { s.Registration = leyden.RegistrationRejected }, `[4,"h","SecurityError"`},
		{"removed", func(s *leyden.Station) { s.RemovedAt = time.Now() }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.options.Open = false
			known := leyden.Station{ID: "CP", PublicID: "chg_CP", Registration: leyden.RegistrationPending, Listed: true}
			if c.name != "accepted" {
				known.Registration = leyden.RegistrationAccepted
			}
			if err := w.store.AddStation(t.Context(), known); err != nil {
				t.Fatal(err)
			}
			var lookups atomic.Int32
			w.store.lookedUp = func() {
				if lookups.Add(1) != 2 { // once it was read
					return
				}
				c.change(&known)
				if err := w.store.SaveStation(t.Context(), known); err != nil {
					t.Error(err)
				}
			}
			s := w.connect("CP")
			defer w.end()
			defer s.close()
			s.send(`[2,"h","Heartbeat",{}]`)
			if got := s.next(); !strings.HasPrefix(got, c.next) || got == "" && c.next != "" || got != "" && c.next == "" {
				t.Errorf("got %q, closed with %d; want %q", got, s.ending(), c.next)
			}
		})
	}
}
