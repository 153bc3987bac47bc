package leyden_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"leyden"
	"leyden/memory"
)

// A witness is a store that finds out whether what is said to be fresh is.
type witness struct {
	*memory.Store
	t     testing.TB
	fresh int // entries of reports that were
	all   int

	released int // entries that look for messages in quarantine
}

func (w *witness) Append(ctx context.Context, e *leyden.Entry) error {
	fresh := e.Fresh
	if fresh {
		w.look(ctx, e)
	}
	if len(e.Release) > 0 {
		w.released++
	}
	err := w.Store.Append(ctx, e)
	if err == nil && len(e.Events) > 0 && e.Events[0].Kind.Reported() {
		w.all++
		if fresh {
			w.fresh++
		}
	}
	return err
}

func (w *witness) look(ctx context.Context, e *leyden.Entry) {
	w.t.Helper()
	for i := range e.Transactions {
		n := &e.Transactions[i].Transaction
		old, err := w.Transaction(ctx, n.ID)
		if n.Version == 1 && !errors.Is(err, leyden.ErrNotFound) {
			w.t.Errorf("transaction %d is said to be new: %v", n.ID, err)
		}
		if old.Version != n.Version-1 {
			return // it is stale
		}
	}
	for i := range e.Events {
		if v, err := w.ByKey(ctx, e.Station, e.Events[i].Key); !errors.Is(err, leyden.ErrNotFound) {
			w.t.Errorf("event %s is said to be fresh, and is of transaction %d: %v", e.Events[i].Key, v.Transaction, err)
		}
	}
}

func (b *bench) witness() *witness { return b.Store().(*witness) }

// What happens in an ordinary charge is known to be fresh, also after a restart:
// but for a reading that tells nothing of the meter.
func TestOrdinaryReportsAreFresh(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.register()
	for i := range 4 {
		if i == 2 {
			b.restart(leyden.Options{})
		}
		b.pass(time.Minute)
		id := int64(b.start(1, "A", leyden.WattHours(i*1000)).Transaction.ID)
		for part := range 4 {
			if part == 2 && i == 3 {
				b.restart(leyden.Options{})
			}
			b.pass(time.Minute)
			b.read(id, 1, strconv.Itoa(i*1000+part*100))
		}
		b.record(b.stopEvent(id, leyden.WattHours(i*1000+500)))
	}
	if w := b.witness(); w.all != 24 || w.fresh != w.all {
		t.Errorf("%d of %d reports are known to be fresh; want all of 24", w.fresh, w.all)
	}
	if n := b.witness().released; n > 0 {
		t.Errorf("%d entries look for messages in quarantine; want none", n)
	}
}

// A chaos sends anything that a station may: the same again, much later and over
// restarts, numbers of another time that become ours, from a clock that jumps, with
// and without a zone that an operator changes. Times, registers and idTags are few,
// so that much of it looks alike.
type chaos struct {
	*bench
	r    *rand.Rand
	zone time.Duration
	sent []sent
}

// A sent is a report as it was sent.
type sent struct {
	leyden.Event
	zoneless bool
}

func (c *chaos) time() time.Time {
	return c.clock.Truncate(time.Minute).Add(time.Duration(c.r.IntN(8)-4) * time.Minute).Add(time.Duration(pick(c.r, 0, 0, 0, 1, -30)) * time.Hour)
}

func (c *chaos) draw() sent {
	s := sent{zoneless: c.r.IntN(4) == 0}
	s.Event = leyden.Event{
		Station: "S", Kind: pick(c.r, leyden.Started, leyden.Updated, leyden.Updated, leyden.Updated, leyden.Ended),
		At: c.time(), Connector: c.r.IntN(3), Register: wh(leyden.WattHours(pick(c.r, 0, 1000, 2000))),
		Token: leyden.IDToken{Value: pick(c.r, "A", "a", "B")},
	}
	if s.Kind != leyden.Started {
		s.Number = new(int64(c.r.IntN(12) - 1))
	}
	if s.Kind == leyden.Updated {
		s.Register, s.Token, s.At = nil, leyden.IDToken{}, time.Time{}
		for range c.r.IntN(3) {
			sample := arbitrarySample(c.r)
			sample.At = pick(c.r, c.time(), c.time(), c.time(), time.Time{}, c.clock.AddDate(0, 0, 3))
			s.Samples = append(s.Samples, sample)
		}
	}
	s.Digest = fmt.Sprintf("%+v", s.Event)
	return s
}

// send records a report as it is read now.
func (c *chaos) send(s sent) {
	e := s.Event
	e.Samples = slices.Clone(s.Samples)
	read := func(at *time.Time) {
		if s.zoneless && !at.IsZero() {
			*at = at.Add(-c.zone)
		}
	}
	read(&e.At)
	for i := range e.Samples {
		read(&e.Samples[i].At)
		if at := e.Samples[i].At; e.Kind == leyden.Updated && at.After(e.At) {
			e.At = at
		}
	}
	if s.zoneless {
		c.NoticedMissingZone("S")
		if e.Kind != leyden.Updated && !e.At.IsZero() {
			e.Zone = c.zone
		}
	}
	frame := pick(c.r, "{}", "{}", "{}", "")
	out, err := c.Record(c.t.Context(), e, frame)
	if err != nil && !errors.Is(err, leyden.ErrActive) {
		c.t.Fatalf("%+v: %v", s, err)
	}
	if err == nil && c.r.IntN(20) == 0 && out.Transaction.ID != 0 {
		c.operate(out.Transaction)
	}
}

// operate does what an operator may do to a transaction, as far as it can be done.
func (c *chaos) operate(t leyden.Transaction) {
	act := leyden.Act{By: "op", Reason: "chaos", Force: true}
	var err error
	switch c.r.IntN(6) {
	case 0:
		_, err = c.RequestStop(c.t.Context(), t.ID, "op")
	case 1:
		_, err = c.Reserve(c.t.Context(), leyden.StartRequest{Station: "S", Connector: 1, Token: leyden.IDToken{Value: "A"}})
	case 2, 3:
		_, err = c.Join(c.t.Context(), leyden.TransactionID(1+c.r.IntN(int(t.ID))), t.ID, act)
	case 4:
		_, err = c.Revert(c.t.Context(), t.ID, t.Corrections(), act)
	case 5:
		_, err = c.CloseCharge(c.t.Context(), t.ID, time.Time{}, nil, act)
	}
	for _, refusal := range []error{leyden.ErrState, leyden.ErrPending, leyden.ErrActive, leyden.ErrInvalid, leyden.ErrNotFound, leyden.ErrConnector} {
		if errors.Is(err, refusal) {
			return
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// crash puts a new ledger over the store, which has not heard what the station
// said of itself last.
func (c *chaos) crash() {
	c.Ledger = leyden.NewLedger(c.Store(), c.Registry(), leyden.Options{Now: func() time.Time { return c.clock }, Tokens: leyden.TokensOpen})
}

// step lets one thing happen.
func (c *chaos) step() {
	c.clock = c.clock.Add(pick(c.r, time.Second, time.Second, 20*time.Second, time.Minute, 30*time.Hour, -time.Hour))
	switch n := c.r.IntN(20); {
	case n == 0:
		c.crash()
	case n == 1:
		c.restart(leyden.Options{})
	case n == 2:
		c.zone = pick(c.r, 0, time.Hour, -2*time.Hour, 14*time.Hour)
	case n == 3:
		c.connect()
	case n == 4:
		c.boot()
	case n < 10 && len(c.sent) > 0:
		c.send(c.sent[c.r.IntN(len(c.sent))])
	default:
		s := c.draw()
		c.sent = append(c.sent, s)
		c.send(s)
	}
}

// What is said to be fresh is, whatever happened before: the store of the bench
// looks. Nor is it said so rarely that the test would not notice.
func TestFreshIsTrue(t *testing.T) {
	t.Parallel()
	fresh, all := 0, 0
	for seed := range *interleavings / 40 {
		played := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 9))
			c := &chaos{bench: newBench(t, leyden.Options{StartConflict: pick(r, leyden.ConflictAccept, leyden.ConflictEvidence)}), r: r}
			c.register()
			for range 60 {
				c.step()
			}
			fresh, all = fresh+c.witness().fresh, all+c.witness().all
		})
		if !played {
			return // the seed is the name of the test
		}
	}
	if fresh < all/10 {
		t.Errorf("%d of %d reports were said to be fresh", fresh, all)
	}
}
