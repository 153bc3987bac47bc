package sqlite

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/internal/race"
)

// TestQueriesAtEdges is [TestQueriesOfMonths] where all that is special comes
// together: times at the edges of buckets, before 1970 too, and of levels, many of
// them the same, windows as narrow as nothing, connectors that share a class, and
// a place behind which a page begins that is that of a transaction.
func TestQueriesAtEdges(t *testing.T) {
	for seed, few := range []sizes{
		{rows: 2, entries: 10, skipped: 1, exact: 100_000},
		{rows: 30, entries: 10, skipped: 5, exact: 100_000},
		usualSizes(),
	} {
		db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, sizes: few})
		r := rand.New(rand.NewPCG(11, uint64(seed)))
		all := fillWith(t, db, r, race.Fewer(1200, 500), edgyCharge)
		for range race.Fewer(300, 30) {
			q := edgyQuery(r, all)
			compareQuery(t, db, all, q)
			compareScan(t, db, all, q)
			if t.Failed() {
				return
			}
		}
		if err := db.IntegrityCheck(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestTotalsBeyondExact: a total that is not exact says so, and is neither more
// than there are nor less than is promised.
func TestTotalsBeyondExact(t *testing.T) {
	few := sizes{rows: 5, entries: 40, skipped: 3, exact: 20}
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, sizes: few})
	r := rand.New(rand.NewPCG(12, 0))
	all := fillWith(t, db, r, race.Fewer(1200, 500), edgyCharge)
	bounds := 0
	for range race.Fewer(300, 60) {
		q := edgyQuery(r, all)
		page, err := db.Transactions(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		want := selected(all, &q)
		if page.LowerBound {
			bounds++
		}
		if page.LowerBound && (page.Total > len(want) || page.Total < int(few.exact)) || !page.LowerBound && page.Total != len(want) {
			t.Errorf("%+v: total %d (%t) of %d", q, page.Total, page.LowerBound, len(want))
		}
		if got, want := numbersOf(page.Transactions), numbersOf(pageOf(want, &q)); !slices.Equal(got, want) {
			t.Errorf("%+v:\n got %v\nwant %v", q, got, want)
		}
	}
	if bounds < 5 {
		t.Errorf("only %d totals were bounds", bounds)
	}
}

// TestPagesDuringAppends: a page and its total are of one moment, also when it is
// read from the end.
func TestPagesDuringAppends(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, sizes: sizes{rows: 5, entries: 40, skipped: 3, exact: 100_000}})
	r := rand.New(rand.NewPCG(13, 0))
	fillWith(t, db, r, 200, edgyCharge)
	done := make(chan struct{})
	var appends sync.WaitGroup
	appends.Go(func() {
		defer close(done)
		for id := range race.Fewer(200, 50) {
			tx := edgyCharge(r, 201+id, edgeTime(r))
			if err := db.Append(t.Context(), &leyden.Entry{Station: tx.Station, Transactions: []leyden.Change{{Transaction: tx}}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer appends.Wait()
	for i := 0; ; i++ {
		q := leyden.Query{Order: leyden.Order(i % 4), Offset: 150 + i%50}
		page, err := db.Transactions(t.Context(), q)
		if err != nil || len(page.Transactions) != max(0, page.Total-q.Offset) {
			t.Fatalf("%+v: %d of %d, %v", q, len(page.Transactions), page.Total, err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// compareScan compares all that a query selects, behind its place.
func compareScan(t *testing.T, db *DB, all []leyden.Transaction, q leyden.Query) {
	t.Helper()
	var got []leyden.TransactionID
	for tx, err := range db.Scan(t.Context(), q) {
		if err != nil {
			t.Fatalf("Scan of %+v: %v", q, err)
		}
		got = append(got, tx.ID)
	}
	q.Limit, q.Offset = 0, 0
	if want := numbersOf(pageOf(selected(all, &q), &q)); !slices.Equal(got, want) {
		t.Errorf("Scan of %+v:\n got %v\nwant %v", q, got, want)
	}
}

// edgeTime returns a time at an edge, or as far from one as a level allows.
func edgeTime(r *rand.Rand) time.Time {
	buckets := []int64{-129, -128, -1, 0, 1, 127, 128, 103_000, 103_039, 103_040, 103_041}
	at := buckets[r.IntN(len(buckets))]<<narrow + int64(r.IntN(3)) - 1
	if r.IntN(3) == 0 {
		at += int64(r.IntN(3)-1) * spread(r.IntN(irregular))
	}
	return time.UnixMicro(at).UTC()
}

// edgyCharge returns a transaction whose times lie at edges, and as far apart as a
// level allows, or a little more.
func edgyCharge(r *rand.Rand, id int, at time.Time) leyden.Transaction {
	tx := someCharge(r, id, at)
	tx.Connector = []int{-1, 0, 1, 1, 1, 30, 31, 32}[r.IntN(8)]
	apart := func() time.Duration {
		return time.Duration([]int64{0, 1, spread(0), spread(1), spread(2)}[r.IntN(5)]+int64(r.IntN(3))-1) * time.Microsecond
	}
	start := edgeTime(r)
	for i, to := range []*time.Time{&tx.StartedAt, &tx.StoppedAt, &tx.InsertedAt} {
		switch {
		case r.IntN(10) == 0 && i != 2 || to.IsZero():
			*to = time.Time{} // what is final has a stamp
		case i == 0:
			*to = start
		case r.IntN(15) == 0:
			*to = start.Add(-apart())
		default:
			*to = start.Add(apart())
		}
	}
	return tx
}

// edgyQuery returns a query whose windows begin and end where transactions do.
func edgyQuery(r *rand.Rand, all []leyden.Transaction) leyden.Query {
	q := someQuery(r)
	at := func() time.Time {
		tx := &all[r.IntN(len(all))]
		some := []time.Time{{}, edgeTime(r), tx.StartedAt, tx.StoppedAt, tx.InsertedAt}[r.IntN(5)]
		if !some.IsZero() {
			some = some.Add(time.Duration(r.IntN(3)-1) * time.Microsecond)
		}
		return some
	}
	for _, w := range []*leyden.Window{&q.Started, &q.Stopped, &q.Inserted, &q.Overlaps} {
		if *w == (leyden.Window{}) {
			continue
		}
		*w = leyden.Window{From: at(), To: at()}
		if !w.To.IsZero() && w.To.Before(w.From) && r.IntN(5) > 0 {
			w.From, w.To = w.To, w.From
		}
	}
	if q.Connector != 0 {
		q.Connector = []int{-1, 1, 30, 31, 32, 33}[r.IntN(6)]
	}
	if q.After != nil {
		q.After = new(q.Order.PlaceOf(&all[r.IntN(len(all))]))
	}
	q.Offset = []int{0, 1, r.IntN(60), r.IntN(1300)}[r.IntN(4)]
	if r.IntN(4) == 0 {
		q.Limit = 0
	}
	return q
}
