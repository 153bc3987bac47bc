package leyden_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leyden"
)

var operator = leyden.Act{By: "key_1", Reason: "as the driver says"}

func (b *bench) correct(id leyden.TransactionID, f leyden.Fix) leyden.Transaction {
	b.t.Helper()
	return b.amended(b.Correct(b.t.Context(), id, f, operator))
}

func (b *bench) revert(id leyden.TransactionID, number int) leyden.Transaction {
	b.t.Helper()
	return b.amended(b.Revert(b.t.Context(), id, number, operator))
}

func (b *bench) amended(t leyden.Transaction, err error) leyden.Transaction {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	b.get(t.ID)
	return t
}

func (b *bench) corrections(id leyden.TransactionID) int {
	b.t.Helper()
	t := b.get(id)
	return t.Corrections()
}

func (b *bench) refused(want error, what string, err error) {
	b.t.Helper()
	if !errors.Is(err, want) {
		b.t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// charged records a charge that ended, and returns its number.
func (b *bench) charged(tag string, from, to leyden.WattHours) leyden.TransactionID {
	b.t.Helper()
	id := b.start(1, tag, from).Transaction.ID
	b.pass(30 * time.Minute)
	b.record(b.stopEvent(int64(id), to))
	return id
}

// unchanged leaves out what a correction moves by itself: the count of changes,
// when they were made, and what is remembered of them.
var unchanged = cmpopts.IgnoreFields(leyden.Transaction{}, "Evidence", "UpdatedAt", "CorrectedAt", "InsertedAt", "Revision", "Version")

func wantSame(t *testing.T, what string, want, got leyden.Transaction) {
	t.Helper()
	if diff := cmp.Diff(want, got, unchanged, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestCorrections(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.charged("CARD", 1000, 5000)
	first := b.get(id)
	b.pass(time.Minute)
	n := b.correct(id, leyden.Fix{Vehicle: new("van 7"), Note: new("driver forgot"), Set: map[string]string{"trip": "12", "cost": "K1"}})
	if n.VehicleID != "van 7" || n.Note != "driver forgot" || n.Metadata["trip"] != "12" || n.Corrections() != 1 ||
		n.Revision != first.Revision+1 || !n.InsertedAt.After(first.InsertedAt) || !n.CorrectedAt.Equal(b.clock) {
		t.Errorf("corrected: %+v", n)
	}
	again := b.correct(id, leyden.Fix{Vehicle: new("van 7"), Set: map[string]string{"trip": "12"}})
	if again.Version != n.Version {
		t.Errorf("what was so already made version %d of %d", again.Version, n.Version)
	}
	second := b.correct(id, leyden.Fix{NotBillable: new("a test"), Unset: []string{"trip"}, Set: map[string]string{"cost": "K2"}})
	if diff := cmp.Diff(map[string]string{"cost": "K2"}, second.Metadata); diff != "" || second.NotBillable != "a test" {
		t.Errorf("second correction: %q, %s", second.NotBillable, diff)
	}
	b.refused(leyden.ErrNotFound, "revert of a correction that never was", failure(b.Revert(t.Context(), id, 9, operator)))

	// Without the first one, the second one stays.
	third := b.revert(id, 1)
	if third.VehicleID != "CARD" || third.Note != "" || third.NotBillable != "a test" || third.Metadata["cost"] != "K2" {
		t.Errorf("the first one reverted: %+v", third)
	}
	b.refused(leyden.ErrState, "revert of what was reverted", failure(b.Revert(t.Context(), id, 1, operator)))
	wantSame(t, "the revert reverted", second, b.revert(id, 3))
	wantSame(t, "that reverted", third, b.revert(id, 4))
	wantSame(t, "the second reverted, too", first, b.revert(id, 2))
}

func failure(_ leyden.Transaction, err error) error { return err }

// What a client said at the remote start, and our own reason for closing, come
// back when nobody says otherwise any more.
func TestCorrectionsOverWhatWasSaid(t *testing.T) {
	b := newBench(t, leyden.Options{})
	req := request(1, "CARD")
	req.Metadata, req.VehicleID = map[string]string{"trip": "1", "cost": "K"}, "bus"
	pending, err := b.Reserve(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	n := b.correct(pending.ID, leyden.Fix{Vehicle: new("van"), Clear: true, Set: map[string]string{"trip": "2"}})
	if n.Status != leyden.Pending || n.VehicleID != "van" || len(n.Metadata) != 1 || n.Revision != 0 {
		t.Errorf("pending, corrected: %+v", n)
	}
	b.start(1, "CARD", 1000)
	if n = b.get(pending.ID); n.VehicleID != "van" || n.Metadata["trip"] != "2" {
		t.Errorf("started: %+v", n)
	}
	if n = b.revert(pending.ID, 1); n.VehicleID != "bus" || len(n.Metadata) != 2 {
		t.Errorf("reverted: %+v", n)
	}
	if n = b.correct(pending.ID, leyden.Fix{Vehicle: new("")}); n.VehicleID != "CARD" {
		t.Errorf("no vehicle: %q", n.VehicleID)
	}
}

func TestCloseCharge(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.connect()
	id := b.start(1, "CARD", 1000).Transaction.ID
	b.pass(10 * time.Minute)
	b.read(int64(id), 1, "3000")
	open := b.get(id)
	closing := func(end time.Time, register *leyden.WattHours, a leyden.Act) (leyden.Transaction, error) {
		return b.CloseCharge(t.Context(), id, end, register, a)
	}
	_, err := closing(time.Time{}, nil, operator)
	b.refused(leyden.ErrActive, "close of what charges", err)
	b.pass(2 * time.Hour)
	_, err = closing(at(-1), nil, operator)
	b.refused(leyden.ErrInvalid, "end before the start", err)
	_, err = closing(at(20), wh(999), operator)
	b.refused(leyden.ErrInvalid, "register below the start's", err)
	_, err = closing(b.clock.Add(48*time.Hour), nil, operator)
	b.refused(leyden.ErrInvalid, "end to come", err)

	n := b.amended(closing(time.Time{}, nil, operator))
	b.want(id, leyden.Completed, 2000, "INCOMPLETE")
	if !n.StoppedAt.Equal(at(10)) || n.EndResult() != "Incomplete" || n.CloseReason != operator.Reason || n.Revision != 1 || n.InsertedAt.IsZero() {
		t.Errorf("closed: %+v", n)
	}
	_, err = closing(time.Time{}, nil, operator)
	b.refused(leyden.ErrState, "close of what ended", err)

	reopened := b.revert(id, 1)
	wantSame(t, "reopened", open, reopened)
	if reopened.Revision != 2 || !reopened.InsertedAt.Equal(b.clock) {
		t.Errorf("reopened: revision %d at %v", reopened.Revision, reopened.InsertedAt)
	}
	b.amended(closing(at(25), wh(4200), leyden.Act{By: "key_1", Reason: "read at the meter", Force: true}))
	b.want(id, leyden.Completed, 3200, "INCOMPLETE")
	if n = b.get(id); n.EnergySource != leyden.EnergyOperator || *n.MeterStop != 4200 || !n.StoppedAt.Equal(at(25)) {
		t.Errorf("closed with a register: %+v", n)
	}
	b.correct(id, leyden.Fix{Vehicle: new("van 7")})

	// The stop heals what it tells of, and nothing else.
	b.record(b.stopEvent(int64(id), 5000))
	b.want(id, leyden.Completed, 4000)
	if n = b.get(id); n.VehicleID != "van 7" || n.EndResult() != "Local" || *n.MeterStop != 5000 || n.EnergySource != leyden.EnergyRegisters {
		t.Errorf("after the stop: %+v", n)
	}
	b.revert(id, 3)
	b.want(id, leyden.Completed, 4000)
}

// A charge does not run again beside the one that began in its stead.
func TestRevertOfACloseBesideAnotherCharge(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 1000).Transaction.ID
	force := operator
	force.Force = true
	b.amended(b.CloseCharge(t.Context(), id, time.Time{}, nil, force))
	other := b.start(1, "B", 2000).Transaction.ID
	b.refused(leyden.ErrActive, "revert", failure(b.Revert(t.Context(), id, 1, operator)))
	b.record(b.stopEvent(int64(other), 3000))
	if n := b.revert(id, 1); n.Status != leyden.Active {
		t.Errorf("reopened: %v", n.Status)
	}
}

// apart records a charge without a stop and a stop without a start that could be
// its own, which the station gives no number.
func (b *bench) apart() (start, orphan leyden.TransactionID) {
	b.t.Helper()
	a, c := b.start(1, "CARD", 1000).Transaction.ID, b.start(2, "CARD", 1000).Transaction.ID
	b.pass(30 * time.Minute)
	stop := b.stopEvent(-1, 9000)
	stop.Reason = "EVDisconnected"
	stop.Samples = []leyden.Sample{{At: at(10), Value: "41", Measurand: "SoC"}, {At: at(29), Value: "77", Measurand: "SoC"}}
	o := b.record(stop).Transaction
	if !o.Orphan() || o.ID == a || o.ID == c {
		b.t.Fatalf("the stop was recorded as %+v", o)
	}
	return a, o.ID
}

func TestJoin(t *testing.T) {
	b := newBench(t, leyden.Options{})
	start, orphan := b.apart()
	alone, before := b.get(orphan), b.get(start)
	join := func(a, o leyden.TransactionID) error { return failure(b.Join(t.Context(), a, o, operator)) }
	b.refused(leyden.ErrState, "join of a start", join(orphan, start))
	b.refused(leyden.ErrNotFound, "join of nothing", join(start, 99))
	b.refused(leyden.ErrState, "join of itself", join(start, start))

	joined := b.amended(b.Join(t.Context(), start, orphan, operator))
	b.want(start, leyden.Completed, 8000)
	void := b.get(orphan)
	if joined.EndResult() != "EVDisconnected" || *joined.EndSoC != 77 || *joined.InitialSoC != 41 || void.Status != leyden.Void || !void.InsertedAt.Equal(joined.InsertedAt) {
		t.Errorf("joined: %+v\norphan: %+v", joined, void)
	}
	b.refused(leyden.ErrState, "join again", join(start, orphan))
	b.refused(leyden.ErrState, "correction of a void record", failure(b.Correct(t.Context(), orphan, leyden.Fix{Note: new("x")}, operator)))

	// Either half undoes the whole, and brings it back.
	for _, half := range []leyden.TransactionID{start, orphan} {
		b.revert(half, b.corrections(half))
		wantSame(t, "the start, apart again", before, b.get(start))
		wantSame(t, "the orphan, apart again", alone, b.get(orphan))
		b.revert(half, b.corrections(half))
		wantSame(t, "the start, joined again", joined, b.get(start))
		wantSame(t, "the orphan, joined again", void, b.get(orphan))
	}

	// A resent stop is the one that was joined; the start's own one comes first.
	b.record(leyden.Event{Station: "S", Kind: leyden.Ended, At: at(30), Number: new(int64(-1)), Register: wh(9000), Reason: "EVDisconnected",
		Samples: []leyden.Sample{{At: at(10), Value: "41", Measurand: "SoC"}, {At: at(29), Value: "77", Measurand: "SoC"}}})
	wantSame(t, "after a resend", joined, b.get(start))
	b.pass(time.Minute)
	b.record(b.stopEvent(int64(start), 6000))
	b.want(start, leyden.Completed, 5000)
	b.revert(start, 1+4)
	b.want(start, leyden.Completed, 5000)
	b.refused(leyden.ErrState, "join to what has a stop", failure(b.Revert(t.Context(), start, 6, operator)))
}

// The start of an orphan that was joined elsewhere is a charge of its own; once
// the join is undone, it may be joined to it, and a late start finds it again.
func TestLateStartOfAJoinedOrphan(t *testing.T) {
	b := newBench(t, leyden.Options{})
	start, orphan := b.apart()
	b.amended(b.Join(t.Context(), start, orphan, operator))
	late := b.startEvent(3, "A", 500)
	late.At = at(1)
	own := b.record(late).Transaction.ID
	if own == start || own == orphan {
		t.Fatalf("the late start became %d", own)
	}
	b.want(own, leyden.Active, none, "OFFLINE")
	b.refused(leyden.ErrState, "join of what was joined", failure(b.Join(t.Context(), own, orphan, operator)))
	b.revert(orphan, 1)
	b.amended(b.Join(t.Context(), own, orphan, operator))
	b.want(own, leyden.Completed, 8500, "OFFLINE")
	b.revert(own, 1)
	later := b.startEvent(4, "A", 600)
	later.At = at(2)
	if id := b.record(later).Transaction.ID; id != orphan {
		t.Errorf("the start after the join was undone became %d, want %d", id, orphan)
	}
	b.refused(leyden.ErrState, "join again of what has a start", failure(b.Revert(t.Context(), own, 2, operator)))
	b.want(own, leyden.Active, none, "OFFLINE")
	b.refused(leyden.ErrState, "the same from the other half", failure(b.Revert(t.Context(), orphan, b.corrections(orphan), operator)))
	b.want(orphan, leyden.Completed, 8400, "OFFLINE")
}

// Two who correct what they saw at once: the second one is told.
func TestWhenIsAskedAtTheStateThatIsChanged(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.charged("CARD", 1000, 5000)
	before := b.get(id)
	seen := before.Edition()
	changed := errors.New("changed")
	a := operator
	a.When = func(t *leyden.Transaction) error {
		if t.Edition() != seen {
			return changed
		}
		return nil
	}
	results := make(chan error)
	for i := range 8 {
		go func() {
			results <- failure(b.Correct(t.Context(), id, leyden.Fix{Note: new(fmt.Sprint("note ", i))}, a))
		}()
	}
	won := 0
	for range 8 {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, changed) {
			t.Error(err)
		}
	}
	if n := b.get(id); won != 1 || n.Corrections() != 1 || n.Revision != 2 {
		t.Errorf("%d won, %d corrections, revision %d", won, n.Corrections(), n.Revision)
	}
}

func TestCorrectionsAreLimited(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.charged("CARD", 1000, 5000)
	for i := range 100 {
		b.correct(id, leyden.Fix{Note: new(fmt.Sprint("note ", i))})
	}
	b.refused(leyden.ErrLimit, "one too many", failure(b.Correct(t.Context(), id, leyden.Fix{Note: new("x")}, operator)))
}

// Whatever operators do to a charge, and then undo in any order, leaves it as it
// was.
func TestRevertsRestoreTheRecord(t *testing.T) {
	t.Parallel()
	for seed := range *interleavings / 40 {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		b := newBench(t, leyden.Options{})
		start, orphan := b.apart()
		states := []leyden.Transaction{b.get(start)}
		alone := b.get(orphan)
		force := leyden.Act{By: "key_1", Reason: "because", Force: true}
		for range 1 + r.IntN(6) {
			var n leyden.Transaction
			var err error
			switch r.IntN(4) {
			case 0:
				n, err = b.CloseCharge(t.Context(), start, time.Time{}, pick(r, nil, wh(4000)), force)
			case 1:
				n, err = b.Join(t.Context(), start, orphan, force)
			default:
				n, err = b.Correct(t.Context(), start, leyden.Fix{Vehicle: pick(r, nil, new("v1"), new("v2")), Note: pick(r, nil, new("n")), Set: pick(r, nil, map[string]string{"a": "1"})}, force)
			}
			if err != nil && !errors.Is(err, leyden.ErrState) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err == nil && n.Corrections() > states[len(states)-1].Corrections() {
				states = append(states, n)
			}
		}
		last := states[len(states)-1].Corrections()
		for number := last; number > 0; number-- {
			wantSame(t, fmt.Sprintf("seed %d, without correction %d", seed, number), states[number-1], b.revert(start, number))
		}
		wantSame(t, fmt.Sprintf("seed %d, the orphan", seed), alone, b.get(orphan))
	}
}
