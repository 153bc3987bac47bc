package leyden_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"leyden"
)

// Nine digits of a second, offsets and years beyond RFC 3339 are decided upon as
// they are stored.
func TestTimesAreDecidedAsStored(t *testing.T) {
	b := newBench(t, leyden.Options{})
	id := b.start(1, "A", 1000).Transaction.ID
	b.pass(10 * time.Minute)
	number, odd := int64(id), b.clock.In(time.FixedZone("", 5*3600))
	samples := []leyden.Sample{
		{At: odd.Add(100), Value: "100", Phase: "L1"}, {At: odd.Add(200), Value: "200", Phase: "L2"}, {At: odd.Add(300), Value: "2500"},
		{At: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -14*3600)), Value: "77"},
	}
	b.record(leyden.Event{Station: "S", Kind: leyden.Updated, Number: &number, Connector: 1, Digest: "d", Samples: samples})
	b.want(id, leyden.Active, 1500)
	if !samples[0].At.Equal(odd.Add(100)) {
		t.Error("the caller's samples were changed")
	}
	far := b.startEvent(2, "A", 0)
	far.At = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -14*3600))
	out := b.record(far)
	if got := b.get(out.Transaction.ID); !got.StartedAt.Equal(b.clock) || !got.Flags.Has(leyden.ClockImplausible) {
		t.Errorf("started %v, flags %v; want the time of receipt, CLOCK_IMPLAUSIBLE", got.StartedAt, got.Flags.Names())
	}
	b.pass(time.Minute)
	far.Digest = "same"
	if r := b.record(far); !r.Replay || r.Transaction.ID != out.Transaction.ID {
		t.Errorf("a start without a time sent again: %+v", r)
	}
}

// The limit of an idTag counts at a start alone, and not what that start ends.
func TestTheLimitOfAToken(t *testing.T) {
	b := newBench(t, leyden.Options{})
	one := leyden.Token{Value: "ONE", Status: leyden.TokenAccepted, Listed: true, MaxActive: 1}
	if err := b.Registry().SaveToken(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	b.start(1, "ONE", 0)
	if info, err := b.Authorize(t.Context(), leyden.IDToken{Value: "one"}); err != nil || !info.Accepted() {
		t.Errorf("authorize while it charges: %+v, %v", info, err)
	}
	b.pass(time.Minute)
	b.status(1, "Preparing")
	b.pass(time.Minute)
	if _, err := b.Reserve(t.Context(), request(2, "ONE")); !errors.Is(err, leyden.ErrToken) {
		t.Errorf("remote start elsewhere: %v; want %v", err, leyden.ErrToken)
	}
	p := b.reserve(1, "ONE")
	again := b.start(1, "ONE", 100)
	if again.Event.Auth.Status != leyden.TokenAccepted || again.Transaction.ID != p.ID {
		t.Errorf("a start that ends the one before: %+v", again.Event.Auth)
	}
	if other := b.start(2, "ONE", 0); other.Event.Auth.Status != leyden.TokenConcurrentTx {
		t.Errorf("a second one: %+v", other.Event.Auth)
	}
	stop := b.stopEvent(int64(again.Transaction.ID), 500)
	stop.Token.Value = "ONE"
	if out := b.record(stop); out.Event.Auth.Status != leyden.TokenAccepted {
		t.Errorf("its stop: %+v", out.Event.Auth)
	}
}

// A decision that was recorded before changes nothing and is no error.
func TestDecisionsRepeat(t *testing.T) {
	b := newBench(t, leyden.Options{})
	p := b.reserve(1, "A")
	b.answer(p.ID, leyden.StartAnswered)
	b.answer(p.ID, leyden.StartAnswered)
	id := b.start(1, "A", 0).Transaction.ID
	round := b.requestStop(id)
	b.answerStop(id, round, leyden.StopAnswered)
	b.answerStop(id, round, leyden.StopAnswered)
	b.want(id, leyden.Stopping, none)
	if events, err := b.Store().Events(t.Context(), id); err != nil || len(events) != 5 {
		t.Errorf("%d events, %v; want 5", len(events), err)
	}
}

// All that is due is settled in one sweep, and a change of limits by a restart
// sets the times anew.
func TestSweepManyAndRestarted(t *testing.T) {
	b := newBench(t, leyden.Options{})
	for i := range 300 {
		b.reserve(i+1, "A")
	}
	id := b.start(900, "A", 0).Transaction.ID
	b.answerStop(id, b.requestStop(id), leyden.StopAnswered)
	b.restart(leyden.Options{StopTimeout: time.Hour})
	b.pass(131 * time.Second)
	b.sweep(300)
	b.sweep(0)
	if got, want := b.get(id).DueAt, at(0).Add(time.Hour); !got.Equal(want) {
		t.Errorf("due at %v, want %v", got, want)
	}
	if due, err := b.Store().Due(t.Context(), b.clock, 10); err != nil || len(due) != 0 {
		t.Errorf("still due: %d, %v", len(due), err)
	}
	b.pass(time.Hour)
	b.sweep(1)
	b.want(id, leyden.Stopping, none, "STOP_UNCONFIRMED")
}

// A clock that is set back decides nothing twice and stops nothing.
func TestSweepWhileTheClockIsSetBack(t *testing.T) {
	b := newBench(t, leyden.Options{})
	p := b.reserve(1, "A")
	b.pass(3 * time.Minute)
	b.sweep(1)
	b.pass(-time.Hour)
	b.sweep(0)
	id := b.start(2, "A", 0).Transaction.ID
	b.boot()
	b.boot()
	b.record(b.stopEvent(int64(id), 10))
	b.want(id, leyden.Completed, 10)
	b.want(p.ID, leyden.Expired, none)
}

// What a late start may take for its own stop, and what not.
func TestFalseJoinsOfLateStarts(t *testing.T) {
	type report struct {
		minute int // of the station's clock; −1: none that can be read; −2: 1970
		meter  leyden.WattHours
		tag    string
	}
	const unread, epoch = -1, -2
	when := func(minute int) time.Time {
		switch minute {
		case unread:
			return time.Time{}
		case epoch:
			return time.Unix(600, 0)
		}
		return at(minute)
	}
	for name, tc := range map[string]struct {
		stop     report
		received int // minute in which the stop came
		start    report
		arrives  int // minute in which the start comes
		joins    bool
	}{
		"fits":                               {report{30, 5000, ""}, 31, report{10, 1000, "A"}, 40, true},
		"fits by tag":                        {report{30, 5000, "a"}, 31, report{10, 1000, "A"}, 40, true},
		"another tag":                        {report{30, 5000, "B"}, 31, report{10, 1000, "A"}, 40, false},
		"began after the stop":               {report{30, 5000, ""}, 31, report{35, 1000, "A"}, 40, false},
		"a register below":                   {report{30, 5000, ""}, 31, report{10, 6000, "A"}, 40, false},
		"more than can flow":                 {report{30, 5_000_000, ""}, 31, report{10, 1000, "A"}, 40, false},
		"stop ahead of time, start live":     {report{59, 5000, ""}, 31, report{40, 1000, "A"}, 40, false},
		"stop without time, start live":      {report{unread, 5000, ""}, 31, report{40, 1000, "A"}, 40, false},
		"stop without time, no tag":          {report{unread, 5000, ""}, 31, report{10, 1000, "A"}, 40, false},
		"stop without time, its tag":         {report{unread, 5000, "A"}, 31, report{10, 1000, "A"}, 40, true},
		"start of 1970, stop by a good time": {report{30, 5000, "A"}, 31, report{epoch, 1000, "A"}, 40, false},
		"both of 1970":                       {report{epoch, 5000, ""}, 31, report{epoch, 1000, "A"}, 40, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			b.clock = at(tc.received)
			stop := b.stopEvent(-1, tc.stop.meter)
			stop.At, stop.Token.Value, stop.Digest = when(tc.stop.minute), tc.stop.tag, "d"
			orphan := b.record(stop).Transaction.ID
			b.clock = at(tc.arrives)
			start := b.startEvent(1, tc.start.tag, tc.start.meter)
			start.At = when(tc.start.minute)
			if got := b.record(start).Transaction.ID == orphan; got != tc.joins {
				t.Errorf("joined: %v, want %v", got, tc.joins)
			}
			b.get(orphan)
		})
	}
}

// What a stop without our number may end, and what not.
func TestFalseJoinsOfStops(t *testing.T) {
	for name, tc := range map[string]struct {
		reading string // at minute 20; "" for none
		stopAt  int
		meter   leyden.WattHours
		joins   bool
	}{
		"fits":                          {"2000", 30, 3000, true},
		"without readings":              {"", 30, 3000, true},
		"more than can flow":            {"", 30, 3_000_000, false},
		"a reading had counted further": {"9000", 30, 3000, false},
		"readings go on":                {"2000", 5, 3000, false},
		"before the start":              {"", -5, 3000, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			id := b.start(1, "A", 1000).Transaction.ID
			if tc.reading != "" {
				b.clock = at(20)
				b.read(int64(id), 1, tc.reading)
			}
			b.clock = at(40)
			stop := b.stopEvent(-16, tc.meter)
			stop.At = at(tc.stopAt)
			if got := b.record(stop).Transaction.ID == id; got != tc.joins {
				t.Errorf("joined: %v, want %v", got, tc.joins)
			}
		})
	}
}

// A random number in a stop that was ours to give later is the same stop when it
// comes again, and ends nothing.
func TestARandomNumberBecomesOurs(t *testing.T) {
	b := newBench(t, leyden.Options{})
	random := b.stopEvent(3, 500)
	orphan := b.record(random).Transaction.ID
	b.pass(time.Hour)
	var third leyden.TransactionID
	for i := 1; third != 3; i++ {
		third = b.start(i, "TAG"+strconv.Itoa(i), 9000).Transaction.ID
	}
	if r := b.record(random); !r.Replay || r.Transaction.ID != orphan {
		t.Errorf("the stop sent again: %+v; want %d", r.Transaction, orphan)
	}
	b.want(3, leyden.Active, none)
	b.pass(time.Minute)
	b.record(b.stopEvent(3, 9500))
	b.want(3, leyden.Completed, 500)
}
