package leyden_test

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

// Whatever a station sends again to a ledger that has been restarted, it gets
// the first answer, and nothing changes.
func TestReplaysAfterARestart(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	stuck := b.startEvent(3, "STUCK", 0)
	stuck.At = time.Unix(0, 0)
	for range 2 { // the second is another charge: occurrence 1
		out := b.record(stuck)
		b.record(b.stopEvent(int64(out.Transaction.ID), 700))
		b.pass(time.Minute)
	}
	first := b.startEvent(1, "A", 1000)
	running, kept := b.record(first), b.startEvent(2, "B", 5000)
	ended := b.record(kept)
	b.pass(10 * time.Minute)
	reading := leyden.Event{
		Station: "S", Kind: leyden.Updated, Number: new(int64(running.Transaction.ID)), Connector: 1, Digest: "r", Samples: reading(10, "1500"),
	}
	foreign := reading
	foreign.Number, foreign.Connector = new(int64(-1)), 9
	stop := b.stopEvent(int64(ended.Transaction.ID), 6000)
	joined := b.stopEvent(-1, 2000)
	alone := b.stopEvent(-1, 1)
	joined.Token.Value, alone.Token.Value = "A", "Z"
	third := b.record(stuck)
	all := []leyden.Event{first, kept, reading, foreign, stop, joined, alone, stuck}
	var want []leyden.Outcome
	for i, e := range all {
		out := b.record(e)
		if i < 2 != out.Replay && i < len(all)-1 || i == len(all)-1 && out.Transaction.ID != third.Transaction.ID {
			t.Fatalf("event %d: replay %v of %d", i, out.Replay, out.Transaction.ID)
		}
		want = append(want, out)
	}
	events := func() (n int) {
		for id := range b.count() {
			list, err := b.Store().Events(t.Context(), leyden.TransactionID(id+1))
			if err != nil {
				t.Fatal(err)
			}
			n += len(list)
		}
		return n
	}
	before, rows := events(), b.count()
	for range 2 {
		for i, e := range all {
			b.restart(leyden.Options{})
			out := b.record(e)
			if !out.Replay || out.Transaction.ID != want[i].Transaction.ID || out.Event.Key != want[i].Event.Key || out.Event.Auth != want[i].Event.Auth {
				t.Errorf("event %d sent again: replay %v of %d by %q, %+v; want %d by %q, %+v", i, out.Replay,
					out.Transaction.ID, out.Event.Key, out.Event.Auth, want[i].Transaction.ID, want[i].Event.Key, want[i].Event.Auth)
			}
		}
	}
	if n, r := events(), b.count(); n != before || r != rows {
		t.Errorf("%d events of %d transactions, before %d of %d", n, r, before, rows)
	}
}

// What a station said of itself is evidence for a ledger that has been restarted
// since, too, and is stored before the decision that rests on it.
func TestEvidenceOutlivesARestart(t *testing.T) {
	for name, show := range map[string]func(*bench){
		"a boot": (*bench).boot, "a new connection": (*bench).connect, "Available": says("Available"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{StartConflict: leyden.ConflictReject})
			b.register()
			old := b.start(1, "A", 0).Transaction.ID
			b.pass(time.Minute)
			show(b)
			b.pass(time.Minute)
			b.restart(leyden.Options{StartConflict: leyden.ConflictReject})
			b.start(1, "B", 100)
			b.want(old, leyden.Completed, none, "INCOMPLETE")
		})
	}
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictReject})
	b.register()
	b.start(1, "A", 0)
	b.pass(time.Minute)
	b.status(1, "Available")
	b.pass(time.Minute)
	b.start(1, "B", 100)
	st, err := b.Registry().Station(t.Context(), "S")
	if err != nil || len(st.Connectors) != 1 || st.Connectors[0].Status != "Available" {
		t.Errorf("stored: %+v, %v; want the status that the decision rests on", fmt.Sprint(st.Connectors), err)
	}
}
