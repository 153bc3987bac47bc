package leyden_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"leyden"
	"leyden/internal/race"
)

// A physicalCharge is what really happened at a connector.
type physicalCharge struct {
	connector  int
	tag        string
	begin, end time.Time
	from, to   leyden.WattHours
}

// A wire sends a station's reports like a station does that loses answers:
// it repeats what was not answered, now and then also what was, under the number
// of the first answer, and reports some charges late.
type wire struct {
	*bench
	r    *rand.Rand
	sent []leyden.Event
}

func (w *wire) send(e leyden.Event) leyden.Outcome {
	w.t.Helper()
	out := w.record(e)
	w.sent = append(w.sent, e)
	for w.r.IntN(3) == 0 {
		again := w.sent[w.r.IntN(len(w.sent))]
		if w.r.IntN(2) == 0 {
			again = e
		}
		r := w.record(again)
		if !r.Replay {
			w.t.Fatalf("a resend was taken for news: %+v became %+v", again, r.Transaction)
		}
		if again.Key == e.Key && again.Kind == e.Kind && again.At.Equal(e.At) && r.Transaction.ID != out.Transaction.ID {
			w.t.Fatalf("a resend got number %d, the first %d", r.Transaction.ID, out.Transaction.ID)
		}
	}
	return out
}

// report sends a charge: live, or all of it afterwards.
func (w *wire) report(c physicalCharge, late bool) leyden.TransactionID {
	step := func(at time.Time) {
		if !late && at.After(w.clock) {
			w.clock = at
		}
	}
	step(c.begin)
	id := w.send(leyden.Event{
		Station: "S", Kind: leyden.Started, At: c.begin, Connector: c.connector, Token: leyden.IDToken{Value: c.tag}, Register: &c.from,
	}).Transaction.ID
	number := int64(id)
	if late && w.r.IntN(2) == 0 {
		number = -1
	}
	for i := range w.r.IntN(5) {
		part := c.begin.Add(c.end.Sub(c.begin) * time.Duration(i+1) / 6)
		step(part)
		value := c.from + (c.to-c.from)*leyden.WattHours(i+1)/6
		w.send(leyden.Event{
			Station: "S", Kind: leyden.Updated, At: part, Number: &number, Connector: c.connector,
			Samples: []leyden.Sample{{At: part, Value: fmt.Sprint(int64(value))}}, Digest: fmt.Sprint(part, value, c.connector),
		})
	}
	step(c.end)
	w.send(leyden.Event{Station: "S", Kind: leyden.Ended, At: c.end, Number: &number, Register: &c.to, Token: leyden.IDToken{Value: c.tag}})
	return id
}

// Every physical charge is one completed transaction with its energy, however
// often and late it is reported; and the events refold to what is stored.
func TestNeverLostNeverDoubled(t *testing.T) {
	t.Parallel()
	for seed := range race.Fewer(200, 40) {
		w := &wire{bench: newBench(t, leyden.Options{}), r: rand.New(rand.NewPCG(uint64(seed), 2))}
		now, register := at(0), map[int]leyden.WattHours{1: 1000, 2: 500_000}
		charges := map[leyden.TransactionID]physicalCharge{}
		for range 12 {
			connector := 1 + w.r.IntN(2)
			took := time.Duration(10+w.r.IntN(90)) * time.Minute
			c := physicalCharge{
				connector: connector, tag: fmt.Sprint("TAG", w.r.IntN(3)), begin: now, end: now.Add(took),
				from: register[connector], to: register[connector] + leyden.WattHours(w.r.IntN(40_000)),
			}
			register[connector] = c.to
			now = c.end.Add(time.Duration(1+w.r.IntN(30)) * time.Minute)
			late := w.r.IntN(3) == 0
			if late {
				w.clock = now.Add(time.Minute)
			}
			charges[w.report(c, late)] = c
			if w.clock.After(now) {
				now = w.clock
			}
		}
		if n := w.count(); n != len(charges) || len(charges) != 12 {
			t.Fatalf("seed %d: %d transactions of %d numbers for 12 charges", seed, n, len(charges))
		}
		for id, c := range charges {
			got := w.get(id)
			if got.Status != leyden.Completed || deref(got.Energy) != c.to-c.from || !got.StartedAt.Equal(c.begin) ||
				!got.StoppedAt.Equal(c.end) || got.Token.Value != c.tag || got.Connector != c.connector {
				t.Fatalf("seed %d: charge %+v became %+v", seed, c, got)
			}
		}
	}
}
