package leyden_test

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

// Stations that never come back leave no desk behind; those that talk keep
// theirs, and one that does come back finds what it said.
func TestDesksOfSilentStationsAreDismissed(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.status(1, "Preparing")
	come := func(day, n int) {
		for i := range n {
			id := leyden.StationID(fmt.Sprintf("S%d-%d", day, i))
			if err := b.Connected(t.Context(), id, "ocpp1.6"); err != nil {
				t.Fatal(err)
			}
			b.Disconnected(id, "connection lost", func() bool { return false })
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for day := range 20 {
		come(day, 500)
		b.Seen("TALKS", true)
		b.pass(24 * time.Hour)
	}
	if n, _ := b.Desks("TALKS"); n > 3000 {
		t.Errorf("%d desks of 10,000 stations that came once", n)
	}
	if n, _ := b.Desks("S"); n > 3000 {
		t.Errorf("%d desks", n)
	}
	out := b.start(1, "A", 0)
	if !out.Event.PluggedAt.Equal(at(0)) {
		t.Errorf("plugged in at %v, want %v: the station's words are lost", out.Event.PluggedAt, at(0))
	}
}

// A station may send as many stops of unknown transactions as it likes: all are
// kept, few are kept at hand.
func TestADeskHasAnEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, leyden.Options{})
	const many = 3*leyden.MaxWorking + 1
	for i := range many {
		b.pass(time.Second)
		b.record(b.stopEvent(-1, leyden.WattHours(i)))
	}
	if _, n := b.Desks("S"); n > 2*leyden.MaxWorking {
		t.Errorf("%d transactions at hand, more than %d", n, 2*leyden.MaxWorking)
	}
	if n := b.count(); n != many {
		t.Errorf("%d records of %d stops", n, many)
	}
}

// Stops whose start has not come for a week are not kept at hand any more, however
// many they were; a charge that runs is.
func TestADeskLetsGo(t *testing.T) {
	t.Parallel()
	b := newBench(t, leyden.Options{})
	runs := b.start(1, "A", 0).Transaction.ID
	stops := func(many int) {
		for i := range many {
			b.pass(time.Second)
			e := b.stopEvent(-1, leyden.WattHours(i))
			e.Token.Value = "B" // not the charge's own
			b.record(e)
		}
	}
	stops(300)
	if _, n := b.Desks("S"); n != 301 {
		t.Fatalf("%d transactions at hand, want the charge and 300 stops", n)
	}
	b.pass(8 * 24 * time.Hour)
	stops(300)
	if _, n := b.Desks("S"); n != 301 {
		t.Errorf("%d transactions at hand, want the charge and the 300 stops of this week", n)
	}
	if tx := b.get(runs); tx.Status != leyden.Active {
		t.Errorf("the charge is %v", tx.Status)
	}
	b.record(b.stopEvent(int64(runs), 1000))
	if tx := b.get(runs); tx.Status != leyden.Completed {
		t.Errorf("the charge is %v after its stop", tx.Status)
	}
}
