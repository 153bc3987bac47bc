package leyden_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/memory"
)

// A faulty store fails some Appends, before or after they are durable.
type faulty struct {
	leyden.Store
	mu    sync.Mutex
	r     *rand.Rand
	odds  int // of 100
	spoil map[leyden.TransactionID]bool
}

func (f *faulty) Append(ctx context.Context, e *leyden.Entry) error {
	f.mu.Lock()
	fails, after := f.r.IntN(100) < f.odds, f.r.IntN(2) == 0
	f.mu.Unlock()
	for i := range e.Transactions {
		if f.spoil[e.Transactions[i].Transaction.ID] {
			return errors.New("a page of the disk is broken")
		}
	}
	if fails && !after {
		return fmt.Errorf("before the commit: %w", leyden.ErrUnavailable)
	}
	err := f.Store.Append(ctx, e)
	if fails && err == nil {
		return fmt.Errorf("after the commit: %w", leyden.ErrUnavailable)
	}
	return err
}

func newFaulty(t *testing.T, seed uint64, odds int) (*bench, *faulty) {
	b := &bench{t: t, clock: at(0)}
	now := func() time.Time { return b.clock }
	store := memory.New(now)
	f := &faulty{Store: store, r: rand.New(rand.NewPCG(seed, 5)), odds: odds, spoil: map[leyden.TransactionID]bool{}}
	b.Ledger = leyden.NewLedger(f, store, leyden.Options{Now: now, Tokens: leyden.TokensOpen})
	return b, f
}

// insist sends a report until it is answered.
func (b *bench) insist(e leyden.Event) leyden.Outcome {
	b.t.Helper()
	for range 100 {
		if out, err := b.Record(b.t.Context(), e, ""); err == nil {
			return out
		} else if !errors.Is(err, leyden.ErrUnavailable) {
			b.t.Fatal(err)
		}
		b.pass(time.Second)
	}
	b.t.Fatal("never answered")
	return leyden.Outcome{}
}

// Whatever the disk does, a station that insists ends with one record for each
// charge, and the desk with what is stored.
func TestStorageThatFailsNowAndThen(t *testing.T) {
	for seed := range uint64(100) {
		b, _ := newFaulty(t, seed, 40)
		for i := range 5 {
			register := leyden.WattHours(1000 * i)
			id := b.insist(b.startEvent(1, "A", register)).Transaction.ID
			number := int64(id)
			for n := range 3 {
				b.pass(time.Minute)
				b.insist(leyden.Event{
					Station: "S", Kind: leyden.Updated, At: b.clock, Number: &number, Connector: 1, Digest: fmt.Sprint(id, n),
					Samples: []leyden.Sample{{At: b.clock, Value: fmt.Sprint(int64(register) + int64(n)*100)}},
				})
			}
			b.pass(time.Minute)
			b.insist(b.stopEvent(number, register+500))
			b.want(id, leyden.Completed, 500)
			b.pass(time.Minute)
		}
		if n := b.count(); n != 5 {
			t.Fatalf("seed %d: %d transactions of 5 charges", seed, n)
		}
	}
}

// Transactions that cannot be written keep no others from what is due, however
// many there are.
func TestSweepPastBrokenOnes(t *testing.T) {
	t.Parallel()
	b, f := newFaulty(t, 1, 0)
	for i := range 260 {
		f.spoil[b.reserve(i+1, "A").ID] = true
	}
	b.pass(time.Second)
	good := b.reserve(1000, "A").ID
	b.pass(time.Hour)
	if n, err := b.Sweep(t.Context()); n != 1 || err == nil {
		t.Errorf("swept %d, %v; want 1 and what is broken", n, err)
	}
	b.want(good, leyden.Expired, none)
}

// A plug-out that could not be stored is one when the station says it again.
func TestPlugOutWhileStorageFails(t *testing.T) {
	b, f := newFaulty(t, 1, 0)
	b.status(1, "Preparing")
	id := b.start(1, "A", 0).Transaction.ID
	b.record(b.stopEvent(int64(id), 5))
	b.pass(time.Minute)
	f.spoil[id] = true
	free := leyden.Connector{Number: 1, Status: "Available", At: b.clock}
	if err := b.StatusReported(t.Context(), "S", free); err == nil {
		t.Fatal("no error of a broken disk")
	}
	f.spoil[id] = false
	if err := b.StatusReported(t.Context(), "S", free); err != nil {
		t.Fatal(err)
	}
	if got := b.get(id).SessionEnd; !got.Equal(b.clock) {
		t.Errorf("plugged out %v, want %v", got, b.clock)
	}
}

// Many callers at one station and at several: nothing is lost, nothing doubled,
// nobody waits for ever. For the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	store := memory.New(time.Now)
	two := [2]*leyden.Ledger{} // two nodes over one store
	for i := range two {
		two[i] = leyden.NewLedger(store, store, leyden.Options{Tokens: leyden.TokensOpen, StartConflict: leyden.ConflictAccept})
	}
	ctx := t.Context()
	var wg sync.WaitGroup
	for worker := range 8 {
		l, r := two[worker%2], rand.New(rand.NewPCG(uint64(worker), 6))
		wg.Go(func() {
			for i := range 40 {
				s := leyden.StationID(fmt.Sprint("S", r.IntN(2)))
				meter := leyden.WattHours(i * 10)
				e := leyden.Event{Station: s, At: time.Now(), Connector: 1 + worker, Token: leyden.IDToken{Value: "A"}, Register: &meter, Kind: leyden.Started}
				out, err := l.Record(ctx, e, "")
				if err != nil {
					t.Errorf("start: %v", err)
					return
				}
				busy(t, l, s, out.Transaction.ID, worker)
				e.Kind, e.Number, e.At = leyden.Ended, new(int64(out.Transaction.ID)), time.Now()
				if _, err := l.Record(ctx, e, ""); err != nil {
					t.Errorf("stop: %v", err)
				}
			}
		})
	}
	wg.Wait()
	page, err := store.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Completed}})
	if err != nil || page.Total != 8*40 {
		t.Errorf("%d completed transactions, %v; want %d", page.Total, err, 8*40)
	}
	b := &bench{Ledger: two[0], t: t}
	for _, tx := range page.Transactions {
		b.refold(tx)
	}
}

// busy does what others do at a station meanwhile.
func busy(t *testing.T, l *leyden.Ledger, s leyden.StationID, id leyden.TransactionID, connector int) {
	ctx := t.Context()
	l.Seen(s, true)
	l.Told(s, time.Minute)
	tx, err := l.RequestStop(ctx, id, "key_1")
	if err != nil {
		t.Errorf("remote stop: %v", err)
	}
	if _, err := l.AnswerStop(ctx, id, tx.StopRound, leyden.StopAnswered, ""); err != nil {
		t.Errorf("its answer: %v", err)
	}
	if p, err := l.Reserve(ctx, leyden.StartRequest{Station: s, Connector: 100 + connector, Token: leyden.IDToken{Value: "A"}}); err == nil {
		if _, err := l.Cancel(ctx, p.ID, "key_1"); err != nil {
			t.Errorf("cancel: %v", err)
		}
	}
	status := leyden.Connector{Number: 200 + connector, Status: []string{"Available", "Preparing"}[id%2]}
	for _, err := range []error{l.StatusReported(ctx, s, status), l.Flush(ctx)} {
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := l.Sweep(ctx); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if _, _, err := l.Stations(ctx, leyden.StationQuery{}); err != nil {
		t.Error(err)
	}
}
