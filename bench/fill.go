package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"leyden"
)

// A Filling says what a ledger is filled with, to measure how it is read, or how
// what comes in is kept beside so much. The same Seed makes the same transactions.
type Filling struct {
	Store        leyden.Store
	Transactions int
	Stations     int
	Tokens       int
	Begin, End   time.Time
	Seed         uint64
	// Events says that transactions have what stations reported of them, with so many
	// Readings of three samples, and are what that makes of them. Else a ledger is good
	// only for lists.
	Events   bool
	Readings int
	// OnProgress, if not nil, is called with how many there are.
	OnProgress func(int)
}

const (
	fillBlock   = 50_000 // transactions whose numbers mix those of all stations
	fillWriters = 512    // entries on their way at once
)

// Fill appends what the ledger lacks: after an end it goes on where it was.
func (f *Filling) Fill(ctx context.Context) error {
	first, err := f.lacking(ctx)
	if err != nil {
		return err
	}
	for block := first; block < f.Transactions; block += fillBlock {
		end := min(block+fillBlock, f.Transactions)
		if err := f.fillBlock(ctx, block, end); err != nil {
			return fmt.Errorf("transactions %d to %d: %w", block+1, end, err)
		}
		if f.OnProgress != nil {
			f.OnProgress(end)
		}
	}
	return nil
}

// lacking returns the first block of which nothing is there, and the one before it
// if that may lack something.
func (f *Filling) lacking(ctx context.Context) (int, error) {
	for block := 0; block < f.Transactions; block += fillBlock {
		_, err := f.Store.Transaction(ctx, leyden.TransactionID(block+1))
		if errors.Is(err, leyden.ErrNotFound) {
			return max(0, block-fillBlock), nil
		}
		if err != nil {
			return 0, err
		}
	}
	return max(0, (f.Transactions-1)/fillBlock*fillBlock), nil
}

// fillBlock appends the transactions from one number up to another, an entry for
// each station. Entries that are there already, from a run that was cut, are stale.
func (f *Filling) fillBlock(ctx context.Context, from, to int) error {
	entries := make(map[leyden.StationID]*leyden.Entry)
	for i := from; i < to; i++ {
		t := f.transaction(i)
		e := entries[t.Station]
		if e == nil {
			e = &leyden.Entry{Station: t.Station}
			entries[t.Station] = e
		}
		if f.Events {
			events := f.told(&t)
			e.Events, t = append(e.Events, events...), folded(&t, events)
		}
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: t})
	}
	var group sync.WaitGroup
	slots, failed := make(chan struct{}, fillWriters), make(chan error, len(entries))
	for _, e := range entries {
		slots <- struct{}{}
		group.Go(func() {
			if err := f.Store.Append(ctx, e); err != nil && !errors.Is(err, leyden.ErrStale) {
				failed <- err
			}
			<-slots
		})
	}
	group.Wait()
	close(failed)
	return <-failed
}

// transaction returns the i-th: numbers follow the receipt, times do not always.
func (f *Filling) transaction(i int) leyden.Transaction {
	r := rand.New(rand.NewPCG(f.Seed, uint64(i)))
	span := f.End.Sub(f.Begin)
	received := f.Begin.Add(time.Duration(float64(span) * float64(i) / float64(f.Transactions))).Truncate(time.Millisecond)
	station := pick(r, f.Stations, 1.3)
	token := pick(r, f.Tokens, 1.5)
	t := leyden.Transaction{
		ID: leyden.TransactionID(i + 1), PublicID: fmt.Sprintf("txn_%026d", i+1), Version: 1, Status: leyden.Completed,
		Station: leyden.StationID(fmt.Sprintf("CP-%04d", station+1)), Connector: connector(r), Remote: r.IntN(5) == 0,
		Token: leyden.IDToken{Value: fmt.Sprintf("TAG%07d", token+1)}, VehicleID: fmt.Sprintf("TAG%07d", token+1),
		UpdatedAt: received,
	}
	if token%3 == 0 {
		t.VehicleID = fmt.Sprintf("VAN-%05d", token/3+1)
	}
	if r.IntN(20) == 0 {
		f.failed(r, &t, received)
		return t
	}
	f.charged(r, &t, received, i)
	return t
}

// pick returns one of n, the first ones more often.
func pick(r *rand.Rand, n int, skew float64) int {
	return min(n-1, int(float64(n)*math.Pow(r.Float64(), skew)))
}

func connector(r *rand.Rand) int {
	switch n := r.IntN(100); {
	case n < 55:
		return 1
	case n < 93:
		return 2
	case n < 98:
		return 3
	}
	return 4
}

// failed makes t a remote start that came to nothing, or a void record.
func (f *Filling) failed(r *rand.Rand, t *leyden.Transaction, at time.Time) {
	t.Remote, t.RequestedAt, t.ExpiresAt = true, at, at.Add(2*time.Minute)
	switch n := r.IntN(100); {
	case n < 60:
		t.Status = leyden.Expired
	case n < 80:
		t.Status = leyden.Failed
	case n < 95:
		t.Status = leyden.Cancelled
	default:
		t.Status = leyden.Void
	}
}

// charged makes t a charge; some were reported late, a few by a clock that was
// never set, and the last ones still run.
func (f *Filling) charged(r *rand.Rand, t *leyden.Transaction, received time.Time, i int) {
	length := 10*time.Minute + time.Duration(r.ExpFloat64()*float64(90*time.Minute)).Truncate(time.Second)
	t.Evidence.StartKey = fmt.Sprint("s", i)
	t.StartedAt, t.StartReceivedAt = received.Add(-time.Second), received
	stored := received.Add(length)
	switch n := r.IntN(10_000); {
	case n < 200:
		t.StartedAt = received.Add(-length - time.Duration(r.ExpFloat64()*float64(20*time.Hour)))
		t.Flags, stored = leyden.Offline, received
	case n < 210:
		t.StartedAt = received.Add(-length - time.Duration(r.IntN(90*24))*time.Hour)
		t.Flags, stored = leyden.Offline, received
	case n < 211:
		t.StartedAt = time.Unix(int64(r.IntN(86_400)), 0).UTC()
		t.Flags = leyden.ClockImplausible
	}
	t.StartedAt = t.StartedAt.Truncate(time.Millisecond)
	begin, energy := leyden.WattHours(r.IntN(50_000_000)), leyden.WattHours(r.IntN(60_000))
	t.MeterStart, t.Energy = &begin, &energy
	if stored.After(f.End) || r.IntN(100_000) == 0 {
		t.Status, t.EnergySource = leyden.Active, leyden.EnergyLastSample
		return
	}
	t.StoppedAt, t.StopReceivedAt, t.InsertedAt = t.StartedAt.Add(length).Truncate(time.Millisecond), stored, stored
	t.MeterStop, t.EnergySource = new(begin+energy), leyden.EnergyRegisters
	t.Revision, t.Evidence.StopKey = 1, fmt.Sprint("e", i)
}
