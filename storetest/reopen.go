package storetest

import (
	"testing"
	"time"

	"leyden"
)

// A Durable store outlives its process. Close ends it as a clean exit would.
type Durable interface {
	leyden.Store
	leyden.Registry
	Close() error
}

// RunReopen tests durable stores: reopen opens the one in folder, and makes it
// when there is none.
func RunReopen(t *testing.T, reopen func(t *testing.T, folder string) Durable) {
	t.Run("FactsStay", func(t *testing.T) { factsStay(t, reopen) })
	t.Run("IDsAreNotReused", func(t *testing.T) { idsAreNotReused(t, reopen) })
	t.Run("StampsGoOn", func(t *testing.T) { stampsGoOn(t, reopen) })
}

func closed(t *testing.T, s Durable) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func factsStay(t *testing.T, reopen func(*testing.T, string) Durable) {
	folder := t.TempDir()
	s := reopen(t, folder)
	e := with(entry(transaction(1), pending(2, 2)), "k", "l")
	e.Quarantine = []leyden.Quarantined{{Station: "S", Frame: "f", Key: "q", ReceivedAt: base}}
	mustAppend(t, s, e)
	wantErr(t, "AddStation", s.AddStation(t.Context(), station("S")), nil)
	wantErr(t, "SaveVehicle", s.SaveVehicle(t.Context(), leyden.Vehicle{ID: "car", Tokens: []string{"tag"}}), nil)
	closed(t, s)

	s = reopen(t, folder)
	defer closed(t, s)
	same(t, "transaction", must[leyden.Transaction](t)(s.Transaction(t.Context(), 1)), e.Transactions[0].Transaction)
	same(t, "events", must[[]leyden.Event](t)(s.Events(t.Context(), 1)), e.Events)
	same(t, "quarantine", must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), leyden.QuarantineQuery{})), e.Quarantine)
	same(t, "station", must[leyden.Station](t)(s.Station(t.Context(), "S")), station("S"))
	same(t, "tokens of the vehicle", must[leyden.Vehicle](t)(s.Vehicle(t.Context(), "car")).Tokens, []string{"tag"})

	wantErr(t, "event from before", s.Append(t.Context(), with(entry(transaction(3)), "k")), leyden.ErrReplay)
	wantErr(t, "version from before", s.Append(t.Context(), entry(transaction(1))), leyden.ErrStale)
	wantErr(t, "remote start from before", s.Append(t.Context(), entry(pending(3, 2))), leyden.ErrPending)
	later := with(entry(transaction(3)), "m")
	mustAppend(t, s, later)
	if later.Events[0].Seq <= e.Events[1].Seq {
		t.Errorf("Seq %d after reopening is not above %d", later.Events[0].Seq, e.Events[1].Seq)
	}
}

func idsAreNotReused(t *testing.T, reopen func(*testing.T, string) Durable) {
	folder := t.TempDir()
	seen := make(map[leyden.TransactionID]bool)
	for round := range 3 {
		s := reopen(t, folder)
		for range 5 {
			id := must[leyden.TransactionID](t)(s.NextID(t.Context()))
			if seen[id] {
				t.Fatalf("round %d: number %d was drawn before", round, id)
			}
			seen[id] = true
		}
		closed(t, s)
	}
}

// stampsGoOn: InsertedAt does not decrease over a restart; see also RunClock.
func stampsGoOn(t *testing.T, reopen func(*testing.T, string) Durable) {
	folder := t.TempDir()
	var last time.Time
	for id := range leyden.TransactionID(3) {
		s := reopen(t, folder)
		e := stamped(id + 1)
		if id == 0 { // a record from a clock that was ahead
			e.Transactions[0].Stamp = false
			e.Transactions[0].Transaction.InsertedAt = time.Now().Add(time.Hour).Truncate(time.Microsecond)
		}
		mustAppend(t, s, e)
		at := e.Transactions[0].Transaction.InsertedAt
		if at.Before(last) {
			t.Errorf("round %d: InsertedAt %v after %v", id, at, last)
		}
		last = at
		closed(t, s)
	}
}
