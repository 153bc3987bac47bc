package leyden_test

import (
	"testing"
	"time"

	"leyden"
)

// register adds the bench's station to the registry, so that what it says of
// itself outlives the ledger.
func (b *bench) register() {
	b.t.Helper()
	st := leyden.Station{ID: "S", PublicID: "chg_1", Registration: leyden.RegistrationAccepted}
	if err := b.Registry().AddStation(b.t.Context(), st); err != nil {
		b.t.Fatal(err)
	}
}

// restart puts a new ledger over the same store.
func (b *bench) restart(opt leyden.Options) {
	b.t.Helper()
	if err := b.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	opt.Now = func() time.Time { return b.clock }
	opt.Tokens = leyden.TokensOpen
	b.Ledger = leyden.NewLedger(b.Store(), b.Registry(), opt)
}

func (b *bench) connect() {
	b.t.Helper()
	if err := b.Connected(b.t.Context(), "S", "ocpp1.6"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) boot() {
	b.t.Helper()
	if err := b.Booted(b.t.Context(), "S", leyden.Sighting{Vendor: "V"}); err != nil {
		b.t.Fatal(err)
	}
}

// A step is one thing that happens at a minute.
type step struct {
	minute int
	do     func(*bench)
}

func says(word string) func(*bench) { return func(b *bench) { b.status(1, word) } }

// When a vehicle came and went, by what the station said of its connector. The
// charge under test runs from minute 10 to 20.
func TestPlugInAndOut(t *testing.T) {
	var id leyden.TransactionID
	start := func(b *bench) { id = b.start(1, "A", 1000).Transaction.ID }
	stop := func(b *bench) { b.record(b.stopEvent(int64(id), 2000)) }
	lateStop := func(b *bench) {
		e := b.stopEvent(int64(id), 2000)
		e.At = at(20)
		b.record(e)
	}
	next := func(b *bench) { b.start(1, "B", 3000) }
	restart := func(b *bench) { b.restart(leyden.Options{}) }
	const never = -1
	for name, tc := range map[string]struct {
		steps   []step
		in, out int
	}{
		"seen":                               {[]step{{5, says("Preparing")}, {10, start}, {11, says("Charging")}, {20, stop}, {20, says("Finishing")}, {25, says("Available")}}, 5, 25},
		"not seen":                           {[]step{{10, start}, {20, stop}}, never, never},
		"charging when first heard of":       {[]step{{5, says("Charging")}, {10, start}, {20, stop}}, never, never},
		"a fault while plugged in":           {[]step{{5, says("Preparing")}, {6, says("Faulted")}, {7, says("Preparing")}, {10, start}, {20, stop}}, 5, never},
		"Available for a moment":             {[]step{{5, says("Preparing")}, {10, start}, {12, says("Available")}, {12, says("Charging")}, {20, stop}, {25, says("Available")}}, 5, 25},
		"Available for a moment, never more": {[]step{{5, says("Preparing")}, {10, start}, {12, says("Available")}, {12, says("Charging")}, {20, stop}}, 5, never},
		"left before the stop was told":      {[]step{{5, says("Preparing")}, {10, start}, {22, says("Available")}, {30, lateStop}}, 5, 22},
		"the same over a restart":            {[]step{{5, says("Preparing")}, {6, restart}, {10, start}, {22, says("Available")}, {23, restart}, {30, lateStop}}, 5, 22},
		"left before it was closed":          {[]step{{5, says("Preparing")}, {10, start}, {22, says("Available")}, {30, next}}, 5, 22},
		"another came and went meanwhile": {[]step{
			{5, says("Preparing")}, {10, start}, {20, stop}, {20, says("Finishing")}, {30, (*bench).connect}, {31, says("Preparing")}, {40, says("Available")},
		}, 5, never},
		"twice Available": {[]step{{5, says("Preparing")}, {10, start}, {20, stop}, {25, says("Available")}, {40, says("Available")}}, 5, 25},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			b.register()
			for _, s := range tc.steps {
				b.clock = at(s.minute)
				s.do(b)
			}
			got := b.get(id)
			for _, side := range []struct {
				what string
				got  time.Time
				want int
			}{{"plugged in", got.SessionStart, tc.in}, {"plugged out", got.SessionEnd, tc.out}} {
				if side.want == never && !side.got.IsZero() || side.want != never && !side.got.Equal(at(side.want)) {
					t.Errorf("%s at %v, want minute %d", side.what, side.got, side.want)
				}
			}
		})
	}
}

// After a restart the plug-out belongs to the last charge on the connector, and
// not to the one that runs elsewhere.
func TestPlugOutAfterRestart(t *testing.T) {
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictAccept})
	b.register()
	b.status(1, "Preparing")
	left := b.start(2, "A", 0).Transaction.ID
	first := b.start(1, "A", 0).Transaction.ID
	b.pass(time.Minute)
	b.record(b.stopEvent(int64(first), 100))
	b.pass(time.Minute)
	b.restart(leyden.Options{})
	b.pass(time.Minute)
	b.status(1, "Available")
	if got := b.get(first).SessionEnd; !got.Equal(at(3)) {
		t.Errorf("plugged out %v, want minute 3", got)
	}
	if got := b.get(left).SessionEnd; !got.IsZero() {
		t.Errorf("the charge on the other connector was plugged out %v", got)
	}
}

// A status that waited for a connection is older than the charge and no sign of
// its death.
func TestALateStatusIsNoEvidence(t *testing.T) {
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictReject})
	b.pass(10 * time.Minute)
	old := b.start(1, "A", 0).Transaction.ID
	b.pass(time.Minute)
	if err := b.StatusReported(t.Context(), "S", leyden.Connector{Number: 1, Status: "Available", At: at(2)}); err != nil {
		t.Fatal(err)
	}
	b.pass(time.Minute)
	if _, err := b.Record(t.Context(), b.startEvent(1, "B", 0), "{}"); err == nil {
		t.Error("a start was accepted because of an old status")
	}
	b.want(old, leyden.Active, none)
}

// A station that boots again and again without a word of its charge does not
// put off its review.
func TestBootsDoNotPutOffReview(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 0).Transaction.ID
	for range 25 {
		b.pass(time.Hour)
		b.boot()
	}
	b.sweep(1)
	b.want(id, leyden.Active, none, "STALE")
}
