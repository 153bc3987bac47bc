package sqlite

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leyden"
	"leyden/internal/race"
)

// TestQueriesOfMonths compares lists with a filter and a sort, on a ledger of
// months in which most transactions are as they should be, some were late, and
// few make no sense. What is few is set low, so that all ways to read a list are
// taken.
func TestQueriesOfMonths(t *testing.T) {
	for _, few := range []sizes{{rows: 5, entries: 40, skipped: 3, exact: 100_000}, {rows: 50, entries: 10, skipped: 20, exact: 100_000}, usualSizes()} {
		db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, sizes: few})
		r := rand.New(rand.NewPCG(7, uint64(few.rows)))
		all := fillMonths(t, db, r, 1500)
		for range race.Fewer(300, 100) {
			q := someQuery(r)
			compareQuery(t, db, all, q)
			if t.Failed() {
				return
			}
		}
		if err := db.IntegrityCheck(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func compareQuery(t *testing.T, db *DB, all []leyden.Transaction, q leyden.Query) {
	t.Helper()
	want := selected(all, &q)
	page, err := db.Transactions(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if page.Total != len(want) || page.LowerBound {
		t.Errorf("%+v: total %d (%t), want %d", q, page.Total, page.LowerBound, len(want))
	}
	if got, want := numbersOf(page.Transactions), numbersOf(pageOf(want, &q)); !slices.Equal(got, want) {
		t.Errorf("%+v:\n got %v\nwant %v", q, got, want)
	}
}

// pageOf returns q's page of all that it selects, in order.
func pageOf(all []leyden.Transaction, q *leyden.Query) []leyden.Transaction {
	page := slices.DeleteFunc(all, func(tx leyden.Transaction) bool {
		if q.After == nil {
			return false
		}
		c := q.Order.PlaceOf(&tx).Compare(*q.After)
		return c == 0 || (c > 0) != q.Ascending
	})
	page = page[min(q.Offset, len(page)):]
	if q.Limit > 0 {
		page = page[:min(q.Limit, len(page))]
	}
	return page
}

func numbersOf(list []leyden.Transaction) (ids []leyden.TransactionID) {
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}

const month = 30 * 24 * time.Hour

// fillMonths appends n transactions of half a year, and changes some of them.
func fillMonths(t *testing.T, db *DB, r *rand.Rand, n int) []leyden.Transaction {
	t.Helper()
	return fillWith(t, db, r, n, someCharge)
}

// fillWith appends n transactions that came to be within half a year, and changes
// some of them.
func fillWith(t *testing.T, db *DB, r *rand.Rand, n int, charge func(r *rand.Rand, id int, at time.Time) leyden.Transaction) []leyden.Transaction {
	t.Helper()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := make([]leyden.Transaction, n)
	entries := map[leyden.StationID]*leyden.Entry{}
	for i := range all {
		at := begin.Add(time.Duration(i) * 6 * month / time.Duration(n)).Truncate(time.Minute)
		all[i] = charge(r, i+1, at)
		s := all[i].Station
		if entries[s] == nil {
			entries[s] = &leyden.Entry{Station: s}
		}
		entries[s].Transactions = append(entries[s].Transactions, leyden.Change{Transaction: all[i]})
	}
	for _, e := range entries {
		if err := db.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for range n / 10 {
		i := r.IntN(n)
		changed := charge(r, i+1, all[i].UpdatedAt)
		changed.Station, changed.Version = all[i].Station, all[i].Version+1
		if err := db.Append(t.Context(), &leyden.Entry{Station: changed.Station, Transactions: []leyden.Change{{Transaction: changed}}}); err != nil {
			t.Fatal(err)
		}
		all[i] = changed
	}
	return all
}

// someCharge returns a transaction that came to be at a time.
func someCharge(r *rand.Rand, id int, at time.Time) leyden.Transaction {
	tx := leyden.Transaction{
		ID: leyden.TransactionID(id), PublicID: fmt.Sprint("txn_", id), Version: 1, UpdatedAt: at,
		Station: leyden.StationID(fmt.Sprint("S", r.IntN(4))), Connector: 1 + r.IntN(2), Status: leyden.Completed, Remote: r.IntN(5) == 0,
		Token: leyden.IDToken{Value: fmt.Sprint("T", r.IntN(20))}, VehicleID: fmt.Sprint("V", r.IntN(15)),
		Evidence: leyden.Evidence{StartKey: "start"},
	}
	start := at
	switch r.IntN(20) {
	case 0: // late
		start = at.Add(-time.Duration(r.IntN(60*24)) * time.Hour)
	case 1: // without a clock
		start = time.UnixMicro(int64(r.IntN(1000)) * 3_600_000_000).UTC()
	case 2:
		tx.Connector = 40 + r.IntN(2)
	}
	tx.StartedAt, tx.StoppedAt = start, start.Add(time.Duration(r.IntN(600))*time.Minute)
	tx.InsertedAt = at.Add(time.Duration(r.IntN(700)) * time.Minute)
	switch r.IntN(20) {
	case 0:
		tx.Status, tx.StoppedAt, tx.InsertedAt = leyden.Active, time.Time{}, time.Time{}
	case 1:
		tx.Status, tx.StartedAt, tx.StoppedAt, tx.InsertedAt = leyden.Expired, time.Time{}, time.Time{}, time.Time{}
		tx.Evidence.StartKey = ""
	case 2:
		tx.Status = leyden.Void
	case 3:
		tx.StoppedAt = start.Add(-time.Hour)
	case 4:
		tx.StartedAt, tx.Evidence.StartKey = time.Time{}, ""
	case 5:
		tx.StoppedAt = time.Time{}
	}
	return tx
}

func someQuery(r *rand.Rand) leyden.Query {
	at := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return time.Date(2025, 12, 20, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(200*24*60)) * time.Minute)
	}
	window := func(one int) leyden.Window {
		if r.IntN(one) > 0 {
			return leyden.Window{}
		}
		w := leyden.Window{From: at(), To: at()}
		if !w.From.IsZero() && !w.To.IsZero() && w.To.Before(w.From) && r.IntN(5) > 0 {
			w.From, w.To = w.To, w.From
		}
		return w
	}
	q := leyden.Query{
		Started: window(3), Stopped: window(5), Inserted: window(5), Overlaps: window(4), Charged: r.IntN(3) == 0,
		Order: leyden.Order(r.IntN(4)), Ascending: r.IntN(2) == 0, Limit: 1 + r.IntN(60), Offset: r.IntN(40) * r.IntN(80),
	}
	if r.IntN(4) == 0 {
		q.Connector = []int{1, 2, 40, 41, 31}[r.IntN(5)]
	}
	if r.IntN(5) == 0 {
		q.Remote = new(r.IntN(2) == 0)
	}
	if r.IntN(4) == 0 {
		q.Statuses = [][]leyden.Status{{leyden.Completed}, {leyden.Active, leyden.Stopping}, {leyden.Void}, {leyden.Expired, leyden.Completed}}[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		q.After = &leyden.Cursor{At: at(), ID: int64(r.IntN(1500))}
		if q.Order == leyden.ByID {
			q.After.At = time.Time{}
		}
	}
	ownSome(r, &q)
	return q
}

// ownSome makes some queries ask for what a station, an idTag or a vehicle has.
func ownSome(r *rand.Rand, q *leyden.Query) {
	if r.IntN(5) == 0 {
		q.Station = leyden.StationID(fmt.Sprint("S", r.IntN(5)))
	}
	if r.IntN(6) == 0 {
		q.Token = fmt.Sprint("t", r.IntN(21))
	}
	if r.IntN(6) == 0 {
		q.Vehicle = fmt.Sprint("V", r.IntN(16))
	}
	if r.IntN(10) == 0 {
		q.Within = [][]leyden.StationID{{"S1", "S3"}, {}, {"S2"}, {"S0", "S1", "S2", "S3"}}[r.IntN(4)]
	}
}

// selected is what a Query means: a filter, then a sort.
func selected(all []leyden.Transaction, q *leyden.Query) (found []leyden.Transaction) {
	for _, tx := range all {
		if selects(q, &tx) {
			found = append(found, tx)
		}
	}
	slices.SortFunc(found, func(a, b leyden.Transaction) int {
		if !q.Ascending {
			a, b = b, a
		}
		return q.Order.PlaceOf(&a).Compare(q.Order.PlaceOf(&b))
	})
	return found
}

func selects(q *leyden.Query, tx *leyden.Transaction) bool {
	in := func(w leyden.Window, at time.Time) bool { return w.IsZero() || w.Contains(at) }
	begun := q.Overlaps.To.IsZero() || !tx.StartedAt.IsZero() && tx.StartedAt.Before(q.Overlaps.To)
	ended := !q.Overlaps.From.IsZero() && !tx.StoppedAt.IsZero() && !tx.StoppedAt.After(q.Overlaps.From)
	for _, ok := range []bool{
		len(q.Statuses) == 0 && tx.Status != leyden.Void || slices.Contains(q.Statuses, tx.Status),
		cmp.Or(q.Station, tx.Station) == tx.Station, cmp.Or(q.Connector, tx.Connector) == tx.Connector,
		q.Token == "" || leyden.IDToken{Value: q.Token}.Fold() == tx.Token.Fold(), cmp.Or(q.Vehicle, tx.VehicleID) == tx.VehicleID,
		q.Within == nil || slices.Contains(q.Within, tx.Station), q.Remote == nil || *q.Remote == tx.Remote,
		!q.Charged || tx.Status.Charged() && tx.HasStart(),
		in(q.Started, tx.StartedAt), in(q.Stopped, tx.StoppedAt), in(q.Inserted, tx.InsertedAt), begun, !ended,
	} {
		if !ok {
			return false
		}
	}
	return true
}
