package leyden_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"leyden"
)

// A start whose answer got lost comes again. If its remote start was cancelled
// the charge still has to be stopped.
func TestResentStartOfCancelledIsStopped(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.reserve(1, "USER123").ID
	b.cancel(id)
	b.pass(time.Second)
	e := b.startEvent(1, "USER123", 1000)
	for range 2 {
		out := b.record(e)
		if out.Transaction.ID != id || out.RemoteStop != id {
			t.Fatalf("replay %v: transaction %d with a remote stop of %d; want one of %d", out.Replay, out.Transaction.ID, out.RemoteStop, id)
		}
	}
	b.requestStop(id)
	if out := b.record(e); out.RemoteStop != 0 {
		t.Fatalf("after the remote stop: one of %d; want nothing more", out.RemoteStop)
	}
}

// A refused start that is accepted because the charge before it has ended does
// not wait in quarantine any longer.
func TestAcceptedStartLeavesQuarantine(t *testing.T) {
	b := newBench(t, leyden.Options{})
	first := b.start(1, "USER123", 0)
	b.pass(time.Minute)
	second := b.startEvent(1, "OTHER", 500)
	if _, err := b.Record(t.Context(), second, "{}"); !errors.Is(err, leyden.ErrActive) {
		t.Fatalf("start on a busy connector: %v; want %v", err, leyden.ErrActive)
	}
	waiting := func() int {
		list, err := b.Store().Quarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := waiting(); n != 1 {
		t.Fatalf("%d messages in quarantine; want 1", n)
	}
	b.record(b.stopEvent(int64(first.Transaction.ID), 500))
	b.record(second)
	if n := waiting(); n != 0 {
		t.Fatalf("%d messages in quarantine; want 0", n)
	}
}

// A start that comes again after its charge ended, or that somebody replays then,
// draws no number.
func TestResentStartDrawsNoNumber(t *testing.T) {
	b := newBench(t, leyden.Options{})
	e := b.startEvent(1, "USER123", 1000)
	first := b.record(e).Transaction.ID
	b.pass(2 * time.Minute)
	b.record(b.stopEvent(int64(first), 2000))
	for _, frame := range []string{"{}", ""} {
		out, err := b.Record(t.Context(), e, frame)
		if err != nil || !out.Replay || out.Transaction.ID != first {
			t.Fatalf("frame %q: transaction %d, replay %v, %v; want a replay of %d", frame, out.Transaction.ID, out.Replay, err, first)
		}
	}
	next, err := b.Store().NextID(t.Context())
	if err != nil || next != first+1 {
		t.Fatalf("the next number is %d, %v; want %d", next, err, first+1)
	}
}

// A start that somebody replays insists, and none of it stays in quarantine.
func TestReplayedStartInsists(t *testing.T) {
	for policy, want := range map[leyden.StartConflict]error{leyden.ConflictEvidence: nil, leyden.ConflictReject: leyden.ErrActive} {
		b := newBench(t, leyden.Options{StartConflict: policy})
		b.start(1, "USER123", 0)
		b.pass(time.Minute)
		_, err := b.Record(t.Context(), b.startEvent(1, "OTHER", 500), "")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", policy, err, want)
		}
		if n, err := b.Store().CountQuarantined(t.Context(), leyden.QuarantineQuery{}); err != nil || n != 0 {
			t.Errorf("%s: %d messages in quarantine, %v; want none", policy, n, err)
		}
	}
}

// A start that somebody replays while a charge runs that began after it does not
// end that: it is a charge of its own, which that one ended.
func TestReplayedStartEndsNothingNewer(t *testing.T) {
	b := newBench(t, leyden.Options{})
	first := b.start(1, "USER123", 0).Transaction.ID
	b.pass(time.Minute)
	refused := b.startEvent(1, "OTHER", 500)
	if _, err := b.Record(t.Context(), refused, "{}"); !errors.Is(err, leyden.ErrActive) {
		t.Fatalf("start on a busy connector: %v; want ErrActive", err)
	}
	b.pass(time.Minute)
	b.record(b.stopEvent(int64(first), 1000))
	running := b.start(1, "USER123", 1000).Transaction.ID
	b.pass(time.Hour)
	out, err := b.Record(t.Context(), refused, "")
	if err != nil {
		t.Fatalf("replay while a newer charge runs: %v", err)
	}
	b.want(running, leyden.Active, none)
	b.want(out.Transaction.ID, leyden.Completed, none, "OFFLINE", "INCOMPLETE")
	if n, err := b.Store().CountQuarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting}); err != nil || n != 0 {
		t.Errorf("%d messages wait in quarantine, %v; want none", n, err)
	}
}

// A queue that comes late, in every order that its messages can come in, and a
// charge that runs already since after it: two charges, each with its own energy,
// whatever the policy. The stop names the number of its start's answer, or none.
func TestLateChargeAndANewerOne(t *testing.T) {
	for _, policy := range []leyden.StartConflict{leyden.ConflictEvidence, leyden.ConflictAccept, leyden.ConflictReject} {
		for _, numbered := range []bool{true, false} {
			permute(4, func(order []int) { lateQueue(t, policy, numbered, order) })
		}
	}
}

// lateQueue plays the start (0), a reading (1) and the stop (2) of a charge from
// 12:10 to 12:40, and the start of the next one at 12:54 (3).
func lateQueue(t *testing.T, policy leyden.StartConflict, numbered bool, order []int) {
	place := func(what int) int { return slices.Index(order, what) }
	if numbered && place(0) > min(place(1), place(2)) || place(3) > place(0) && place(3) < place(2) {
		return // a number is not known before its start; without a stop a connector is busy
	}
	b := newBench(t, leyden.Options{StartConflict: policy})
	b.register()
	begin, reading, end, next := at(10), at(25), at(40), at(54)
	b.clock = at(55)
	b.connect()
	number := int64(-1)
	var late, running leyden.TransactionID
	for _, what := range order {
		b.pass(time.Second)
		switch what {
		case 0:
			out := b.record(leyden.Event{Station: "S", Kind: leyden.Started, At: begin, Connector: 1, Token: leyden.IDToken{Value: "A"}, Register: wh(1000)})
			if late = out.Transaction.ID; !out.Event.Auth.Accepted() || late < 1 || out.RemoteStop != 0 {
				t.Errorf("%v: the late start was answered %+v", order, out)
			}
			if numbered {
				number = int64(late)
			}
		case 1:
			b.record(leyden.Event{
				Station: "S", Kind: leyden.Updated, At: reading, Number: &number, Connector: 1, Digest: "m",
				Samples: []leyden.Sample{{At: reading, Value: "3000"}},
			})
		case 2:
			b.record(leyden.Event{Station: "S", Kind: leyden.Ended, At: end, Number: &number, Register: wh(5000), Token: leyden.IDToken{Value: "A"}})
		case 3:
			running = b.record(leyden.Event{Station: "S", Kind: leyden.Started, At: next, Connector: 1, Token: leyden.IDToken{Value: "A"}, Register: wh(5000)}).Transaction.ID
		}
	}
	if got := b.get(running); got.Status != leyden.Active || got.Flags != 0 || got.CloseReason != "" {
		t.Errorf("%s, numbered %t, order %v: the newer charge is %v, flags %v", policy, numbered, order, got.Status, got.Flags.Names())
	}
	got := b.get(late)
	if got.Status != leyden.Completed || deref(got.Energy) != 4000 || got.EnergySource != leyden.EnergyRegisters || got.Flags != leyden.Offline ||
		!got.StartedAt.Equal(begin) || !got.StoppedAt.Equal(end) || b.count() != 2 {
		t.Errorf("%s, numbered %t, order %v: %d records; the late one is %v with %d Wh by %q, flags %v; want 2, 4000 Wh, OFFLINE",
			policy, numbered, order, b.count(), got.Status, deref(got.Energy), got.EnergySource, got.Flags.Names())
	}
}

// A vehicle that leaves leaves the charge that began last, whatever was reported
// of older ones meanwhile.
func TestPlugOutAfterALateCharge(t *testing.T) {
	b := newBench(t, leyden.Options{})
	late := b.startEvent(1, "A", 0)
	b.pass(time.Hour)
	running := b.start(1, "B", 1000).Transaction.ID
	b.pass(time.Minute)
	old := b.record(late).Transaction.ID
	b.record(b.stopEvent(int64(running), 2000))
	b.pass(time.Minute)
	b.status(1, "Available")
	if got := b.get(running).SessionEnd; !got.Equal(b.clock) {
		t.Errorf("plugged out %v, want %v", got, b.clock)
	}
	if got := b.get(old).SessionEnd; !got.IsZero() {
		t.Errorf("the older one was plugged out %v", got)
	}
}

// Which starts are older than what runs, and which only say so: those of a clock
// that was set back, of one that says nothing, and a charge whose own start came
// from a clock that was ahead.
func TestWhichStartIsOvertaken(t *testing.T) {
	live := func(b *bench) time.Time { return b.clock }
	for name, tc := range map[string]struct {
		running func(*bench) time.Time // when the charge that runs says that it began, an hour ago by our clock
		sent    func(*bench) time.Time // when the start says that it was
		lives   bool                   // the one that runs goes on
	}{
		"older":                      {live, func(b *bench) time.Time { return b.clock.Add(-2 * time.Hour) }, true},
		"older by seconds":           {live, func(b *bench) time.Time { return b.clock.Add(-time.Hour - time.Second) }, true},
		"of the same second":         {live, func(b *bench) time.Time { return b.clock.Add(-time.Hour) }, false},
		"newer":                      {live, live, false},
		"of 1970":                    {live, func(*bench) time.Time { return time.Unix(600, 0) }, false},
		"without a time":             {live, func(*bench) time.Time { return time.Time{} }, false},
		"the other was ahead":        {func(b *bench) time.Time { return b.clock.Add(3 * time.Hour) }, live, false},
		"the other was a year ahead": {func(b *bench) time.Time { return b.clock.AddDate(1, 0, 0) }, live, false},
		"the other was of 1970":      {func(*bench) time.Time { return time.Unix(600, 0) }, live, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			e := b.startEvent(1, "A", 1000)
			e.At = tc.running(b)
			first := b.record(e).Transaction.ID
			b.pass(time.Hour)
			b.boot()
			b.pass(time.Second)
			e = b.startEvent(1, "B", 2000)
			e.At = tc.sent(b).Add(-time.Second)
			second := b.record(e).Transaction.ID
			if got := b.get(first); (got.Status == leyden.Active) != tc.lives {
				t.Errorf("the first is %v, closed because %q", got.Status, got.CloseReason)
			}
			if got := b.get(second); (got.Status == leyden.Completed) != tc.lives {
				t.Errorf("the second is %v, closed because %q", got.Status, got.CloseReason)
			}
		})
	}
}

// What somebody replays was late by our doing, and tells nothing of the clock.
func TestReplayTellsNothingOfTheClock(t *testing.T) {
	b := newBench(t, leyden.Options{})
	if err := b.Registry().AddStation(t.Context(), leyden.Station{ID: "S", PublicID: "evs_1"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Connected(t.Context(), "S", "ocpp1.6"); err != nil {
		t.Fatal(err)
	}
	b.pass(time.Minute)
	for connector := range 2 {
		e := b.startEvent(connector+1, "USER123", 500)
		e.At = e.At.Add(-30 * time.Second)
		b.pass(time.Hour)
		out, err := b.Record(t.Context(), e, "")
		if err != nil {
			t.Fatal(err)
		}
		b.want(out.Transaction.ID, leyden.Active, none, "OFFLINE")
	}
	if s, err := b.Station(t.Context(), "S"); err != nil || !s.ClockAt.IsZero() || s.ClockSkew != 0 {
		t.Errorf("clock %v off at %v, %v; want it not to be known", s.ClockSkew, s.ClockAt, err)
	}
}

// A start that comes late to a stop without a number is of a charge that ended:
// one that runs on the connector meanwhile goes on.
func TestLateStartOfAnEndedChargeEndsNoOther(t *testing.T) {
	b := newBench(t, leyden.Options{})
	late := b.startEvent(1, "USER123", 1000)
	b.pass(10 * time.Minute)
	stop := b.stopEvent(-1, 2000)
	stop.Token = late.Token
	ended := b.record(stop).Transaction.ID
	b.pass(time.Minute)
	running := b.start(1, "OTHER", 2000).Transaction.ID
	b.pass(time.Minute)
	if id := b.record(late).Transaction.ID; id != ended {
		t.Errorf("the late start became transaction %d; want %d", id, ended)
	}
	b.want(ended, leyden.Completed, 1000, "OFFLINE")
	b.want(running, leyden.Active, none)
}

// Readings of a time that could not be read are kept, and move nothing.
func TestReadingsWithoutTimeMoveNothing(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "USER123", 1000).Transaction.ID
	b.pass(time.Minute)
	b.read(int64(id), 1, "3000")
	number := int64(id)
	b.record(leyden.Event{
		Station: "S", Kind: leyden.Updated, Number: &number, Connector: 1, Digest: "x",
		Samples: []leyden.Sample{{Value: "999000"}, {Value: "50", Measurand: "SoC"}},
	})
	got := b.get(id)
	if got.Energy == nil || *got.Energy != 2000 || got.InitialSoC != nil {
		t.Fatalf("energy %v, SoC %v; want 2000 and none", got.Energy, got.InitialSoC)
	}
	events, err := b.Store().Events(t.Context(), id)
	if err != nil || len(events) != 3 || len(events[2].Samples) != 2 {
		t.Fatalf("events %v, %v; want the samples kept", events, err)
	}
}

// Release takes a message out of quarantine, and that of no other station.
func TestRelease(t *testing.T) {
	b := newBench(t, leyden.Options{})
	for _, s := range []leyden.StationID{"S", "R"} {
		if err := b.Quarantine(t.Context(), leyden.Quarantined{Station: s, Key: "k", Action: "StopTransaction"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Release(t.Context(), "S", "k"); err != nil {
		t.Fatal(err)
	}
	list, err := b.Store().Quarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting})
	if err != nil || len(list) != 1 || list[0].Station != "R" {
		t.Fatalf("waiting: %v, %v; want that of R", list, err)
	}
}
