package leyden_test

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

// skew returns what is known of the station's clock.
func (b *bench) skew() (off time.Duration, known bool) {
	b.t.Helper()
	st, err := b.Station(b.t.Context(), "S")
	if err != nil {
		b.t.Fatal(err)
	}
	return st.ClockSkew, !st.ClockAt.IsZero()
}

// A look is a message that came so long after the connection, with a timestamp
// that is off by so much from our clock then.
type look struct {
	after time.Duration
	what  string // status, start, stop or meter
	off   time.Duration
	want  time.Duration
}

const unmeasured = -1 << 62

// The clocks of stations, by what they sent. The connection is made at minute 30.
func TestClockSkewIsOfLiveTimes(t *testing.T) {
	s, m, h := time.Second, time.Minute, time.Hour
	for name, looks := range map[string][]look{
		"right":              {{m, "status", -s, -s}, {2 * m, "start", -2 * s, -2 * s}, {3 * m, "meter", 0, 0}},
		"fast":               {{m, "status", 3 * h, 3 * h}, {2 * m, "meter", 3*h - s, 3*h - s}},
		"slow":               {{10 * m, "status", -4 * m, unmeasured}, {11 * m, "start", -4*m - s, -4*m - s}},
		"slow by readings":   {{10 * m, "meter", -4 * m, unmeasured}, {11 * m, "meter", -4 * m, unmeasured}},
		"slow, not yet sure": {{m, "status", -4 * m, unmeasured}, {2 * m, "start", -4 * m, unmeasured}},
		"waited for the connection": {
			{s, "status", -20 * m, unmeasured}, {s, "start", -19 * m, unmeasured}, {2 * s, "stop", -90 * s, unmeasured}, {m, "status", -s, -s},
		},
		"waited, of a fast clock": {{s, "status", 2 * h, 2 * h}, {m, "status", 3 * h, 3 * h}},
		"waited in the connection": {
			{m, "status", 0, 0}, {10 * m, "start", -5 * m, 0}, {10 * m, "status", -5 * m, 0}, {11 * m, "stop", -2 * m, 0}, {12 * m, "status", -s, -s},
		},
		"batches are late": {{m, "start", 0, 0}, {10 * m, "meter", -m, 0}, {20 * m, "meter", -m, 0}, {30 * m, "meter", -2 * s, -2 * s}},
		"set right":        {{m, "status", 3 * h, 3 * h}, {20 * m, "status", 0, 3 * h}, {21 * m, "start", -s, -s}},
		"set fast":         {{m, "status", 0, 0}, {20 * m, "meter", h, h}},
		"years ahead tell nothing": {
			{m, "status", 0, 0}, {2 * m, "status", 290 * 365 * 24 * h, 0}, {3 * m, "start", 11 * 365 * 24 * h, 0}, {4 * m, "meter", 200 * 365 * 24 * h, 0},
			{5 * m, "status", 9 * 365 * 24 * h, 9 * 365 * 24 * h},
		},
		"centuries off at first": {{m, "status", 290 * 365 * 24 * h, unmeasured}, {2 * m, "status", -290 * 365 * 24 * h, unmeasured}},
		"1970 tells nothing":     {{m, "status", 0, 0}, {2 * m, "start", -56 * 365 * 24 * h, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, leyden.Options{})
			b.register()
			b.clock = at(30)
			b.connect()
			for i, l := range looks {
				b.clock = at(30).Add(l.after)
				b.say(l.what, i, b.clock.Add(l.off))
				if got, known := b.skew(); known != (l.want != unmeasured) || known && got != l.want {
					t.Errorf("after look %d: off by %v, known %t; want %v", i, got, known, l.want)
				}
			}
		})
	}
}

// Years that a time.Duration cannot tell are no clock either.
func TestYearsThatTellNoClock(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	for _, year := range []int{9999, 1} {
		for n, what := range []string{"status", "start", "stop", "meter"} {
			b.pass(time.Minute)
			b.say(what, 2*year+n, time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC))
			if got, known := b.skew(); known {
				t.Errorf("%s of year %d: clock off by %v", what, year, got)
			}
		}
	}
}

// say sends a message that is stamped with a time.
func (b *bench) say(what string, n int, at time.Time) {
	b.t.Helper()
	number := int64(-1)
	switch what {
	case "status":
		if err := b.StatusReported(b.t.Context(), "S", leyden.Connector{Number: 1, Status: "Preparing", At: at}); err != nil {
			b.t.Fatal(err)
		}
	case "start":
		b.record(leyden.Event{Station: "S", Kind: leyden.Started, At: at, Connector: n + 1, Token: leyden.IDToken{Value: "A"}, Register: wh(0)})
	case "stop":
		b.record(leyden.Event{Station: "S", Kind: leyden.Ended, At: at, Number: &number, Register: wh(5)})
	case "meter":
		b.record(leyden.Event{
			Station: "S", Kind: leyden.Updated, At: at, Connector: 1, Digest: fmt.Sprint(n),
			Samples: []leyden.Sample{{At: at, Value: "1"}},
		})
	}
}

// What was found of a clock outlives a restart, and is not taken for a look at it.
func TestClockSkewIsKept(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	b.pass(time.Minute)
	b.say("status", 0, b.clock.Add(2*time.Hour))
	b.restart(leyden.Options{})
	b.connect()
	if got, known := b.skew(); !known || got != 2*time.Hour {
		t.Errorf("after a restart: clock off by %v, %t", got, known)
	}
	b.pass(time.Minute)
	b.say("status", 1, time.Time{})
	if got, _ := b.skew(); got != 2*time.Hour {
		t.Errorf("a status without a time: clock off by %v", got)
	}
}

// What was received before it could be recorded is judged by when it was: it is
// not late, and says of the clock what it said then.
func TestHeldReportsAreJudgedByTheirReception(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	b.connect()
	b.pass(time.Minute)
	held := b.startEvent(1, "A", 0)
	held.At, held.ReceivedAt = b.clock.Add(-3*time.Second), b.clock
	ahead := b.startEvent(2, "A", 0)
	ahead.At, ahead.ReceivedAt = b.clock.Add(time.Hour), b.clock.Add(24*time.Hour) // as nobody can have received it
	b.pass(3 * time.Hour)
	id := b.record(held).Transaction.ID
	b.want(id, leyden.Active, none)
	if got := b.get(id).StartReceivedAt; !got.Equal(held.ReceivedAt) {
		t.Errorf("received at %v, want %v", got, held.ReceivedAt)
	}
	if got, known := b.skew(); !known || got != -3*time.Second {
		t.Errorf("clock off by %v, known %t; want -3 s", got, known)
	}
	b.say("status", 0, b.clock.Add(2*time.Second))
	second := b.startEvent(3, "A", 0)
	second.At, second.ReceivedAt = held.At.Add(time.Hour), held.ReceivedAt
	b.record(second)
	if got, _ := b.skew(); got != 2*time.Second {
		t.Errorf("clock off by %v after an older look; want 2 s", got)
	}
	if got := b.record(ahead).Transaction.StartReceivedAt; !got.Equal(b.clock) {
		t.Errorf("received at %v, want now, %v", got, b.clock)
	}
}
