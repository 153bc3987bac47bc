package csms_test

import (
	"fmt"
	"sync/atomic"
	"testing"

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
