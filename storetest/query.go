package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leyden"
)

// queryFields tests each field of a Query on its own, on facts that a reader
// can see at a glance.
func queryFields(t *testing.T, s leyden.Store) {
	writeRows(t, s)
	testFields(t, s)
	page := must[leyden.Page](t)(s.Transactions(t.Context(), leyden.Query{Limit: 2, Offset: 1}))
	if got := ids(page.Transactions); !slices.Equal(got, []leyden.TransactionID{4, 3}) || page.Total != 5 || page.LowerBound {
		t.Errorf("second to third: %v of %d; want 4, 3 of 5", got, page.Total)
	}
	page = must[leyden.Page](t)(s.Transactions(t.Context(), leyden.Query{Limit: 2, Offset: 9}))
	if len(page.Transactions) != 0 || page.Total != 5 {
		t.Errorf("past the end: %d of %d; want none of 5", len(page.Transactions), page.Total)
	}
}

// known returns minute n; 0 is unknown.
func known(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return minute(n)
}

func writeRows(t *testing.T, s leyden.Store) {
	for _, row := range []struct {
		id, connector          int
		station                leyden.StationID
		tag, vehicle           string
		status                 leyden.Status
		remote                 bool
		start, stop, committed int
	}{
		{1, 1, "S", "A", "car", leyden.Completed, false, 10, 20, 30},
		{2, 2, "S", "a", "", leyden.Active, true, 15, 0, 0},
		{3, 1, "T", "B", "van", leyden.Completed, true, 5, 25, 31},
		{4, 3, "T", "B", "", leyden.Expired, true, 0, 0, 0},
		{5, 1, "S", "", "", leyden.Completed, false, 0, 20, 30},
		{6, 1, "S", "A", "car", leyden.Void, false, 0, 20, 30},
	} {
		tx := leyden.Transaction{
			ID: leyden.TransactionID(row.id), PublicID: fmt.Sprint("txn_", row.id), Version: 1,
			Station: row.station, Connector: row.connector, Token: leyden.IDToken{Value: row.tag}, VehicleID: row.vehicle,
			Status: row.status, Remote: row.remote, StartedAt: known(row.start), StoppedAt: known(row.stop), InsertedAt: known(row.committed),
		}
		if row.start > 0 {
			tx.Evidence.StartKey = "start"
		}
		mustAppend(t, s, entry(tx))
	}
}

func testFields(t *testing.T, s leyden.Store) {
	window := func(from, to int) leyden.Window { return leyden.Window{From: known(from), To: known(to)} }
	for name, test := range map[string]struct {
		q    leyden.Query
		want []leyden.TransactionID
	}{
		"nothing, newest first": {leyden.Query{}, []leyden.TransactionID{5, 4, 3, 2, 1}},
		"ascending":             {leyden.Query{Ascending: true}, []leyden.TransactionID{1, 2, 3, 4, 5}},
		"station":               {leyden.Query{Station: "T"}, []leyden.TransactionID{4, 3}},
		"within":                {leyden.Query{Within: []leyden.StationID{"T", "nobody", "T"}}, []leyden.TransactionID{4, 3}},
		"within none":           {leyden.Query{Within: []leyden.StationID{}}, nil},
		"within another":        {leyden.Query{Station: "T", Within: []leyden.StationID{"S"}}, nil},
		"within itself":         {leyden.Query{Station: "T", Within: []leyden.StationID{"S", "T"}}, []leyden.TransactionID{4, 3}},
		"station, other case":   {leyden.Query{Station: "t"}, nil},
		"connector":             {leyden.Query{Connector: 1}, []leyden.TransactionID{5, 3, 1}},
		"token, any case":       {leyden.Query{Token: "A"}, []leyden.TransactionID{2, 1}},
		"vehicle":               {leyden.Query{Vehicle: "van"}, []leyden.TransactionID{3}},
		"void alone":            {leyden.Query{Statuses: []leyden.Status{leyden.Void}}, []leyden.TransactionID{6}},
		"two statuses":          {leyden.Query{Statuses: []leyden.Status{leyden.Active, leyden.Void}}, []leyden.TransactionID{6, 2}},
		"remote":                {leyden.Query{Remote: new(true)}, []leyden.TransactionID{4, 3, 2}},
		"not remote":            {leyden.Query{Remote: new(false)}, []leyden.TransactionID{5, 1}},
		"charged":               {leyden.Query{Charged: true}, []leyden.TransactionID{3, 2, 1}},
		"started, half open":    {leyden.Query{Started: window(5, 15)}, []leyden.TransactionID{3, 1}},
		"started from":          {leyden.Query{Started: window(10, 0)}, []leyden.TransactionID{2, 1}},
		"started to":            {leyden.Query{Started: window(0, 10)}, []leyden.TransactionID{3}},
		"stopped":               {leyden.Query{Stopped: window(20, 25)}, []leyden.TransactionID{5, 1}},
		"inserted":              {leyden.Query{Inserted: window(31, 40)}, []leyden.TransactionID{3}},
		"inserted to":           {leyden.Query{Inserted: window(0, 31)}, []leyden.TransactionID{5, 1}},
		"overlaps":              {leyden.Query{Overlaps: window(20, 30)}, []leyden.TransactionID{3, 2}},
		"overlaps from":         {leyden.Query{Overlaps: window(20, 0)}, []leyden.TransactionID{4, 3, 2}},
		"overlaps to":           {leyden.Query{Overlaps: window(0, 10)}, []leyden.TransactionID{3}},
		"by start":              {leyden.Query{Order: leyden.ByStart}, []leyden.TransactionID{5, 4, 2, 1, 3}},
		"by start, ascending":   {leyden.Query{Order: leyden.ByStart, Ascending: true}, []leyden.TransactionID{3, 1, 2, 4, 5}},
		"by stop":               {leyden.Query{Order: leyden.ByStop}, []leyden.TransactionID{4, 2, 3, 5, 1}},
		"by stop, ascending":    {leyden.Query{Order: leyden.ByStop, Ascending: true}, []leyden.TransactionID{1, 5, 3, 2, 4}},
		"by commit":             {leyden.Query{Order: leyden.ByInserted}, []leyden.TransactionID{4, 2, 3, 5, 1}},
	} {
		page, err := s.Transactions(t.Context(), test.q)
		if got := ids(page.Transactions); err != nil || !slices.Equal(got, test.want) || page.Total != len(test.want) {
			t.Errorf("%s: %v of %d, %v; want %v", name, got, page.Total, err, test.want)
		}
	}
}

// queryModel compares the store with a filter and a sort over random
// transactions, for random queries.
func queryModel(t *testing.T, s leyden.Store) {
	r := rand.New(rand.NewPCG(1, 2))
	var all []leyden.Transaction
	entries := make(map[leyden.StationID]*leyden.Entry)
	for id := range leyden.TransactionID(1100) { // more than a driver reads at once
		tx := randomTransaction(r, id+1)
		all = append(all, tx)
		if entries[tx.Station] == nil {
			entries[tx.Station] = &leyden.Entry{Station: tx.Station}
		}
		e := entries[tx.Station]
		e.Transactions = append(e.Transactions, leyden.Change{Transaction: tx})
	}
	for _, e := range entries {
		mustAppend(t, s, e)
	}
	rapid.Check(t, func(rt *rapid.T) {
		q := drawQuery(rt)
		want := model(all, q)
		page, err := s.Transactions(t.Context(), q)
		if err != nil {
			rt.Fatalf("%+v: %v", q, err)
		}
		if page.Total != len(want) && !(page.LowerBound && page.Total < len(want)) {
			rt.Fatalf("%+v: total %d; want %d", q, page.Total, len(want))
		}
		want = behind(want, q)
		part := want[min(q.Offset, len(want)):]
		if q.Limit > 0 {
			part = part[:min(q.Limit, len(part))]
		}
		if got := ids(page.Transactions); !slices.Equal(got, ids(part)) {
			rt.Fatalf("%+v:\n got %v\nwant %v", q, got, ids(part))
		}
		if got := scanned(t.Context(), rt, s, q); !slices.Equal(got, ids(want)) {
			rt.Fatalf("Scan of %+v:\n got %v\nwant %v", q, got, ids(want))
		}
	})
	again := s.Scan(t.Context(), leyden.Query{})
	for _, err := range again {
		wantErr(t, "Scan", err, nil)
		break // a reader may leave early, and the store goes on
	}
	for range 2 { // each range begins anew
		n := 0
		for _, err := range again {
			wantErr(t, "Scan again", err, nil)
			n++
		}
		same(t, "how many Scan yields", n, len(model(all, leyden.Query{})))
	}
	same(t, "whole transaction", must[leyden.Transaction](t)(s.Transaction(t.Context(), 200)), all[199])
}

func scanned(ctx context.Context, t *rapid.T, s leyden.Store, q leyden.Query) []leyden.TransactionID {
	var list []leyden.TransactionID
	for tx, err := range s.Scan(ctx, q) {
		if err != nil {
			t.Fatalf("Scan of %+v: %v", q, err)
		}
		list = append(list, tx.ID)
	}
	return list
}

var (
	someStations = []leyden.StationID{"S", "T", "s"}
	someTokens   = []string{"A", "a", "B", "C", ""}
	someVehicles = []string{"car", "van", ""}
)

// randomTransaction draws from so few values that ties and matches are common.
func randomTransaction(r *rand.Rand, id leyden.TransactionID) leyden.Transaction {
	at := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return minute(r.IntN(20))
	}
	tx := leyden.Transaction{
		ID: id, PublicID: fmt.Sprint("txn_", id), Version: 1,
		Station: someStations[r.IntN(3)], Connector: r.IntN(4),
		Token: leyden.IDToken{Value: someTokens[r.IntN(5)]}, VehicleID: someVehicles[r.IntN(3)],
		Status: leyden.Status(1 + r.IntN(int(leyden.Void))), Remote: r.IntN(2) == 0,
		StartedAt: at(), StoppedAt: at(), InsertedAt: at(),
	}
	if r.IntN(3) > 0 {
		tx.Evidence.StartKey = "start"
	}
	if tx.Status == leyden.Pending {
		tx.Connector = int(id) + 10 // one remote start on each
	}
	if tx.Status == leyden.Completed && tx.InsertedAt.IsZero() {
		tx.InsertedAt = minute(3)
	}
	return tx
}

func drawQuery(t *rapid.T) leyden.Query {
	window := func(name string) leyden.Window {
		if rapid.IntRange(0, 3).Draw(t, name) > 0 {
			return leyden.Window{}
		}
		return leyden.Window{From: drawTime(t), To: drawTime(t)}
	}
	q := leyden.Query{
		Station:   pick(t, "station", append(someStations, "", "", "nobody")),
		Connector: rapid.IntRange(0, 3).Draw(t, "connector"),
		Token:     pick(t, "token", append(someTokens, "", "", "")),
		Vehicle:   pick(t, "vehicle", append(someVehicles, "", "", "")),
		Charged:   rapid.IntRange(0, 3).Draw(t, "charged") == 3,
		Started:   window("started"), Stopped: window("stopped"), Inserted: window("inserted"), Overlaps: window("overlaps"),
		Order:     leyden.Order(rapid.IntRange(int(leyden.ByID), int(leyden.ByInserted)).Draw(t, "order")),
		Ascending: rapid.Bool().Draw(t, "ascending"),
		Limit:     rapid.IntRange(0, 50).Draw(t, "limit"),
		Offset:    rapid.IntRange(0, 10).Draw(t, "offset"),
	}
	if rapid.Bool().Draw(t, "after a place") {
		q.After = &leyden.Cursor{At: drawTime(t), ID: int64(rapid.IntRange(0, 1200).Draw(t, "id"))}
		if q.Order == leyden.ByID {
			q.After.At = time.Time{}
		}
	}
	if rapid.Bool().Draw(t, "within") {
		q.Within = rapid.SliceOfN(rapid.SampledFrom(append(someStations, "nobody")), 0, 3).Draw(t, "stations")
		q.Within = append([]leyden.StationID{}, q.Within...) // none is not all
	}
	if rapid.Bool().Draw(t, "by status") {
		q.Statuses = rapid.SliceOfN(rapid.SampledFrom(allStatuses()), 1, 4).Draw(t, "statuses")
	}
	if rapid.IntRange(0, 3).Draw(t, "by remote") == 3 {
		q.Remote = new(rapid.Bool().Draw(t, "remote"))
	}
	return q
}

func pick[T any](t *rapid.T, name string, from []T) T { return rapid.SampledFrom(from).Draw(t, name) }

func drawTime(t *rapid.T) time.Time {
	n := rapid.IntRange(-2, 22).Draw(t, "minute")
	if n == -2 {
		return time.Time{}
	}
	return minute(n)
}

// model is what a Query means: a filter, then a sort.
func model(all []leyden.Transaction, q leyden.Query) []leyden.Transaction {
	var found []leyden.Transaction
	for _, tx := range all {
		if accepts(q, tx) {
			found = append(found, tx)
		}
	}
	slices.SortFunc(found, func(a, b leyden.Transaction) int {
		c := cmp.Or(cmp.Compare(rank(q.Order, a), rank(q.Order, b)), cmp.Compare(a.ID, b.ID))
		if q.Ascending {
			return c
		}
		return -c
	})
	return found
}

// behind returns the part of what q selects that comes after its place.
func behind(found []leyden.Transaction, q leyden.Query) []leyden.Transaction {
	if q.After == nil {
		return found
	}
	at := q.After.At
	place := leyden.Transaction{ID: leyden.TransactionID(q.After.ID), StartedAt: at, StoppedAt: at, InsertedAt: at}
	return slices.DeleteFunc(slices.Clone(found), func(tx leyden.Transaction) bool {
		c := cmp.Or(cmp.Compare(rank(q.Order, tx), rank(q.Order, place)), cmp.Compare(tx.ID, place.ID))
		return c == 0 || (c > 0) != q.Ascending
	})
}

func accepts(q leyden.Query, tx leyden.Transaction) bool {
	statuses := q.Statuses
	if len(statuses) == 0 {
		statuses = allStatuses()[:leyden.Void-1]
	}
	for _, refused := range []bool{
		!slices.Contains(statuses, tx.Status),
		q.Station != "" && tx.Station != q.Station,
		q.Within != nil && !slices.Contains(q.Within, tx.Station),
		q.Connector != 0 && tx.Connector != q.Connector,
		q.Token != "" && !strings.EqualFold(tx.Token.Value, q.Token),
		q.Vehicle != "" && tx.VehicleID != q.Vehicle,
		q.Remote != nil && tx.Remote != *q.Remote,
		q.Charged && !(tx.Status.Charged() && tx.HasStart()),
		!q.Started.IsZero() && !q.Started.Contains(tx.StartedAt),
		!q.Stopped.IsZero() && !q.Stopped.Contains(tx.StoppedAt),
		!q.Inserted.IsZero() && !q.Inserted.Contains(tx.InsertedAt),
		!q.Overlaps.To.IsZero() && (tx.StartedAt.IsZero() || !tx.StartedAt.Before(q.Overlaps.To)),
		!q.Overlaps.From.IsZero() && !tx.StoppedAt.IsZero() && !tx.StoppedAt.After(q.Overlaps.From),
	} {
		if refused {
			return false
		}
	}
	return true
}

// rank is what tx is sorted by: an unknown time is the newest.
func rank(o leyden.Order, tx leyden.Transaction) int64 {
	var at time.Time
	switch o {
	case leyden.ByStart:
		at = tx.StartedAt
	case leyden.ByStop:
		at = tx.StoppedAt
	case leyden.ByInserted:
		at = tx.InsertedAt
	default:
		return 0
	}
	if at.IsZero() {
		return 1 << 62
	}
	return at.UnixMicro()
}
