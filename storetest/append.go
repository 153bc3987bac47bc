package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"leyden"
)

func idsDiffer(t *testing.T, s leyden.Store) {
	const routines, each = 8, 400
	drawn := make(chan leyden.TransactionID, routines*each)
	var wg sync.WaitGroup
	for range routines {
		wg.Go(func() {
			for range each {
				id, err := s.NextID(t.Context())
				if err != nil || id < 1 {
					t.Errorf("NextID = %d, %v; want a positive number", id, err)
				}
				drawn <- id
			}
		})
	}
	wg.Wait()
	close(drawn)
	seen := make(map[leyden.TransactionID]bool)
	for id := range drawn {
		if seen[id] {
			t.Fatalf("NextID returned %d twice", id)
		}
		seen[id] = true
	}
}

func readBack(t *testing.T, s leyden.Store) {
	e := with(entry(transaction(7)), "k")
	mustAppend(t, s, e)
	want := e.Transactions[0].Transaction
	same(t, "Transaction", must[leyden.Transaction](t)(s.Transaction(t.Context(), 7)), want)
	same(t, "ByPublicID", must[leyden.Transaction](t)(s.ByPublicID(t.Context(), "txn_7")), want)
	same(t, "ByKey", must[leyden.Event](t)(s.ByKey(t.Context(), "S", "k")), e.Events[0])

	next := want
	next.Version, next.Status, next.StartedAt = 2, leyden.Failed, leyden.Transaction{}.StartedAt
	mustAppend(t, s, entry(next))
	same(t, "second version", must[leyden.Transaction](t)(s.Transaction(t.Context(), 7)), next)
}

// assignsAndCopies: Seq and ID are filled in and rise, and the store keeps no
// memory of the entry.
func assignsAndCopies(t *testing.T, s leyden.Store) {
	tx := transaction(1)
	key := []byte("keykey")
	tx.Metadata = map[string]string{"a": "b"}
	tx.MeterStart = new(leyden.WattHours(5))
	make1 := func() *leyden.Entry {
		e := with(entry(tx), string(key), "second")
		e.Notices = []leyden.Notice{{Topic: "t", Station: "S", At: base}, {Topic: "u", Station: "S", At: base}}
		e.Quarantine = []leyden.Quarantined{{Station: "S", Frame: "f", ReceivedAt: base}}
		e.Events[0].Samples = []leyden.Sample{{Value: "1"}}
		return e
	}
	e := make1()
	mustAppend(t, s, e)
	if e.Events[0].Seq < 1 || e.Events[1].Seq <= e.Events[0].Seq {
		t.Errorf("Seq of events = %d, %d; want rising", e.Events[0].Seq, e.Events[1].Seq)
	}
	if e.Notices[0].Seq < 1 || e.Notices[1].Seq <= e.Notices[0].Seq || e.Quarantine[0].ID < 1 {
		t.Errorf("Seq of notices = %d, %d, ID = %d; want rising", e.Notices[0].Seq, e.Notices[1].Seq, e.Quarantine[0].ID)
	}
	e.Events[0].Samples[0].Value = "changed"
	e.Transactions[0].Transaction.Metadata["a"] = "changed"
	*e.Transactions[0].Transaction.MeterStart = 6

	got := must[leyden.Transaction](t)(s.Transaction(t.Context(), 1))
	got.Metadata["a"] += " read" // what is returned is a copy, too
	got = must[leyden.Transaction](t)(s.Transaction(t.Context(), 1))
	if *got.MeterStart != 5 || got.Metadata["a"] != "b" {
		t.Errorf("stored MeterStart %d, metadata %q; want 5 and b", *got.MeterStart, got.Metadata["a"])
	}
	if v := must[leyden.Event](t)(s.ByKey(t.Context(), "S", "keykey")); v.Samples[0].Value != "1" {
		t.Errorf("stored sample %q; want 1", v.Samples[0].Value)
	}
	tx.Version++
	later := with(entry(tx), "third")
	mustAppend(t, s, later)
	if later.Events[0].Seq <= e.Events[1].Seq {
		t.Errorf("Seq %d of a later entry is not above %d", later.Events[0].Seq, e.Events[1].Seq)
	}
}

func notFound(t *testing.T, s leyden.Store) {
	mustAppend(t, s, with(entry(transaction(1)), "k"))
	_, err := s.Transaction(t.Context(), 2)
	wantErr(t, "Transaction", err, leyden.ErrNotFound)
	_, err = s.ByPublicID(t.Context(), "txn_2")
	wantErr(t, "ByPublicID", err, leyden.ErrNotFound)
	_, err = s.ByKey(t.Context(), "S", "K")
	wantErr(t, "ByKey in another case", err, leyden.ErrNotFound)
	_, err = s.ByKey(t.Context(), "s", "k")
	wantErr(t, "ByKey of another station", err, leyden.ErrNotFound)
	_, err = s.LastOn(t.Context(), "S", 2)
	wantErr(t, "LastOn", err, leyden.ErrNotFound)
}

func refusesReplay(t *testing.T, s leyden.Store) {
	mustAppend(t, s, with(entry(transaction(1)), "k"))
	err := s.Append(t.Context(), with(entry(transaction(2)), "new", "k"))
	wantErr(t, "second event with that key", err, leyden.ErrReplay)
	absent(t, s, 2, "new")
	other := transaction(2)
	other.Station = "other"
	mustAppend(t, s, with(entry(other), "k"))
}

func refusesStale(t *testing.T, s leyden.Store) {
	tx := transaction(1)
	mustAppend(t, s, entry(tx))
	for _, version := range []int{1, 3} {
		tx.Version = version
		wantErr(t, fmt.Sprintf("version %d after 1", version), s.Append(t.Context(), with(entry(tx), "x")), leyden.ErrStale)
	}
	if _, err := s.ByKey(t.Context(), "S", "x"); !errors.Is(err, leyden.ErrNotFound) {
		t.Errorf("a stale entry left its event behind: %v", err)
	}
	unknown := transaction(9)
	unknown.Version = 2
	wantErr(t, "version 2 of a new transaction", s.Append(t.Context(), entry(unknown)), leyden.ErrStale)
	others := tx
	others.Version, others.Station = 2, "other"
	wantErr(t, "transaction of another station", s.Append(t.Context(), with(entry(others), "x")), leyden.ErrInvalid)
	tx.Version = 2
	mustAppend(t, s, entry(tx))
}

func pending(id leyden.TransactionID, connector int) leyden.Transaction {
	tx := transaction(id)
	tx.Connector, tx.Status, tx.Remote, tx.RequestedAt = connector, leyden.Pending, true, base
	tx.Evidence.StartKey, tx.StartedAt = "", leyden.Transaction{}.StartedAt
	return tx
}

func refusesPending(t *testing.T, s leyden.Store) {
	mustAppend(t, s, entry(pending(1, 1)))
	err := s.Append(t.Context(), with(entry(pending(2, 1)), "x"))
	wantErr(t, "second remote start on a connector", err, leyden.ErrPending)
	var in *leyden.PendingError
	if !errors.As(err, &in) || in.ID != 1 {
		t.Errorf("error %v does not name transaction 1", err)
	}
	absent(t, s, 2, "x")

	err = s.Append(t.Context(), entry(pending(3, 2), pending(4, 2)))
	wantErr(t, "two remote starts in one entry", err, leyden.ErrPending)

	elsewhere := pending(5, 1)
	elsewhere.Station = "other"
	mustAppend(t, s, entry(pending(6, 2)), entry(elsewhere))
	again := pending(1, 1)
	again.Version = 2
	mustAppend(t, s, entry(again))
	moved := pending(6, 1)
	moved.Version = 2
	wantErr(t, "move to a connector with a remote start", s.Append(t.Context(), entry(moved)), leyden.ErrPending)
}

// pendingHandedOver: one entry may end a remote start and begin another.
func pendingHandedOver(t *testing.T, s leyden.Store) {
	mustAppend(t, s, entry(pending(1, 1)))
	ended := pending(1, 1)
	ended.Version, ended.Status = 2, leyden.Expired
	mustAppend(t, s, entry(pending(2, 1), ended))
	if got := must[leyden.Transaction](t)(s.Transaction(t.Context(), 2)); got.Status != leyden.Pending {
		t.Errorf("second remote start is %v; want pending", got.Status)
	}
	wantErr(t, "a third", s.Append(t.Context(), entry(pending(3, 1))), leyden.ErrPending)
}

func refusalPrecedence(t *testing.T, s leyden.Store) {
	mustAppend(t, s, with(entry(pending(1, 1)), "k"))
	stale := pending(2, 1)
	stale.Version = 2
	wantErr(t, "replayed, stale and pending", s.Append(t.Context(), with(entry(stale), "k")), leyden.ErrReplay)
	wantErr(t, "replayed and pending", s.Append(t.Context(), with(entry(pending(2, 1)), "k")), leyden.ErrReplay)
	wantErr(t, "stale and pending", s.Append(t.Context(), with(entry(stale), "l")), leyden.ErrStale)
}

// allOrNothing: an entry whose second transaction is stale leaves nothing of
// the first behind, nor of anything else.
func allOrNothing(t *testing.T, s leyden.Store) {
	mustAppend(t, s, entry(transaction(1)), &leyden.Entry{
		Station:    "S",
		Quarantine: []leyden.Quarantined{{Station: "S", Key: "q", Frame: "f", ReceivedAt: base}},
	})
	stale := transaction(1)
	stale.Version = 3
	e := with(entry(transaction(2), stale), "a", "b")
	e.Quarantine = []leyden.Quarantined{{Station: "S", Frame: "g", ReceivedAt: base}}
	e.Release = []string{"q"}
	wantErr(t, "second transaction is stale", s.Append(t.Context(), e), leyden.ErrStale)
	absent(t, s, 2, "a")
	absent(t, s, 2, "b")
	waiting := must[[]leyden.Quarantined](t)(s.Quarantined(t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting}))
	if len(waiting) != 1 || waiting[0].Key != "q" {
		t.Errorf("quarantine after a refused entry: %+v; want q alone, waiting", waiting)
	}

	stale.Version, stale.Status = 2, leyden.Stopping
	e.Transactions[1].Transaction = stale
	mustAppend(t, s, e)
	both := must[leyden.Page](t)(s.Transactions(t.Context(), leyden.Query{Ascending: true}))
	same(t, "both transactions", ids(both.Transactions), []leyden.TransactionID{1, 2})
	if both.Transactions[0].Status != leyden.Stopping {
		t.Errorf("first transaction is %v; want stopping", both.Transactions[0].Status)
	}
}

// refusesBroken: what breaks an invariant of the ledger is not written.
func refusesBroken(t *testing.T, s leyden.Store) {
	for name, spoil := range map[string]func(*leyden.Entry){
		"no station":           func(e *leyden.Entry) { e.Station = "" },
		"event elsewhere":      func(e *leyden.Entry) { e.Events[0].Station = "other" },
		"event without key":    func(e *leyden.Entry) { e.Events[0].Key = "" },
		"event of no kind":     func(e *leyden.Entry) { e.Events[0].Kind = 0 },
		"key twice":            func(e *leyden.Entry) { e.Events = append(e.Events, e.Events[0]) },
		"transaction twice":    func(e *leyden.Entry) { e.Transactions = append(e.Transactions, e.Transactions[0]) },
		"other's transaction":  func(e *leyden.Entry) { e.Transactions[0].Transaction.Station = "other" },
		"number 0":             func(e *leyden.Entry) { e.Transactions[0].Transaction.ID = 0 },
		"negative energy":      func(e *leyden.Entry) { e.Transactions[0].Transaction.Energy = new(leyden.WattHours(-1)) },
		"completed, not dated": func(e *leyden.Entry) { e.Transactions[0].Transaction.Status = leyden.Completed },
		"unknown status":       func(e *leyden.Entry) { e.Transactions[0].Transaction.Status = 99 },
		"other's quarantine":   func(e *leyden.Entry) { e.Quarantine = []leyden.Quarantined{{Station: "other"}} },
	} {
		e := with(entry(transaction(1)), "k")
		spoil(e)
		wantErr(t, name, s.Append(t.Context(), e), leyden.ErrInvalid)
		absent(t, s, 1, "k")
	}
}

// neighboursUnharmed: of many concurrent entries only those are refused that
// must be, though a driver may commit them together.
func neighboursUnharmed(t *testing.T, s leyden.Store) {
	mustAppend(t, s, with(entry(transaction(1)), "taken"))
	const n = 200
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := leyden.TransactionID(10 + i)
			switch i % 4 {
			case 0:
				errs[i] = s.Append(t.Context(), with(entry(transaction(id)), fmt.Sprint("k", i)))
			case 1:
				errs[i] = s.Append(t.Context(), with(entry(transaction(id)), fmt.Sprint("k", i), "taken"))
			case 2:
				stale := transaction(1)
				errs[i] = s.Append(t.Context(), with(entry(transaction(id), stale), fmt.Sprint("k", i)))
			case 3: // the public id of another
				double := transaction(id)
				double.PublicID = "txn_1"
				errs[i] = s.Append(t.Context(), with(entry(double), fmt.Sprint("k", i)))
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		_, stored := s.ByKey(t.Context(), "S", fmt.Sprint("k", i))
		switch {
		case i%4 == 0 && (err != nil || stored != nil):
			t.Errorf("good entry %d: %v, then %v", i, err, stored)
		case i%4 == 1 && (!errors.Is(err, leyden.ErrReplay) || stored == nil):
			t.Errorf("replayed entry %d: %v, then %v", i, err, stored)
		case i%4 == 2 && (!errors.Is(err, leyden.ErrStale) || stored == nil):
			t.Errorf("stale entry %d: %v, then %v", i, err, stored)
		case i%4 == 3 && (!errors.Is(err, leyden.ErrInvalid) || stored == nil):
			t.Errorf("entry %d with another's public id: %v, then %v", i, err, stored)
		}
	}
}

func oneWriterWins(t *testing.T, s leyden.Store) {
	for round := range 20 {
		tx := transaction(1)
		tx.Version = round + 1
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for i := range cap(errs) {
			wg.Go(func() { errs <- s.Append(t.Context(), with(entry(tx), fmt.Sprint(round, "-", i))) })
		}
		wg.Wait()
		close(errs)
		wins := 0
		for err := range errs {
			if err == nil {
				wins++
				continue
			}
			wantErr(t, "the losers", err, leyden.ErrStale)
		}
		if wins != 1 {
			t.Fatalf("%d concurrent appends of version %d succeeded; want 1", wins, round+1)
		}
	}
}

func cancelled(t *testing.T, s leyden.Store) {
	ctx := done(t.Context())
	wantErr(t, "Append", s.Append(ctx, with(entry(transaction(1)), "k")), context.Canceled)
	absent(t, s, 1, "k")
	mustAppend(t, s, with(entry(transaction(1)), "k"))

	_, err := s.Transaction(ctx, 1)
	wantErr(t, "Transaction", err, context.Canceled)
	_, err = s.Transactions(ctx, leyden.Query{})
	wantErr(t, "Transactions", err, context.Canceled)
	_, err = s.Events(ctx, 1)
	wantErr(t, "Events", err, context.Canceled)
	_, err = s.ByKey(ctx, "S", "k")
	wantErr(t, "ByKey", err, context.Canceled)
	_, err = s.Working(ctx, "S", base)
	wantErr(t, "Working", err, context.Canceled)
	err = nil
	for _, scanErr := range s.Scan(ctx, leyden.Query{}) {
		err = scanErr
	}
	wantErr(t, "Scan", err, context.Canceled)

	// Cancelled at any moment, an append has written all or nothing.
	for i := range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		tx := transaction(leyden.TransactionID(100 + i))
		result := make(chan error, 1)
		go func() { result <- s.Append(ctx, entry(tx)) }()
		cancel()
		err := <-result
		_, read := s.Transaction(t.Context(), tx.ID)
		if stored := read == nil; stored != (err == nil) {
			t.Fatalf("Append: %v, but stored = %v", err, stored)
		}
	}
}
