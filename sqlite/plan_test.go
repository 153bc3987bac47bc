package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// TestPlans holds SQLite to the plans that a ledger of millions needs: a station's
// report looks at its own rows only.
func TestPlans(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	open := []leyden.ReservationStatus{leyden.ReservationPending, leyden.ReservationActive}
	kept := func(q *leyden.QuarantineQuery) string { return quarantineList(quarantinedOf(q)) }
	reserved := func(q *leyden.ReservationQuery) string { return reservationList(reservationsOf(q)) }
	for _, test := range []struct{ sql, want string }{
		{working, "transactions_open (station=?)"},
		{working, "transactions_unstarted (station=? AND updated_at>?)"},
		{lastOn, "transactions_on_connector (station=? AND connector=?)"},
		{stationsAt, "COVERING INDEX stations_by_site (site=?)"},
		{keyByHash, "api_keys_by_old_hash (old_hash=?)"},
		{stationList(stationsOf(&leyden.StationQuery{Site: "S"})), "stations_by_site (site=?)"},
		{stationList(stationsOf(&leyden.StationQuery{Connected: true})), "stations_connected"},
		{meterKeys, "meter_keys USING PRIMARY KEY (station=?)"},
		{dailyRuns, "SCAN daily_runs"},
		{dailyRunsUnfinished, "daily_runs_unfinished"},
		{inBuckets, "PRIMARY KEY (axis=? AND bucket>? AND bucket<?)"},
		{due, "transactions_due (due_at<?)"},
		{openWith, "transactions_open_with (token_fold=?)"},
		{openWith, "tokens_of_group (parent_fold=?)"},
		{tokenList(tokensWhere(&leyden.TokenQuery{})), "SCAN tokens"},
		{tokenList(tokensWhere(&leyden.TokenQuery{Parent: "P"})), "tokens_of_group (parent_fold=?)"},
		{tokenList(tokensWhere(&leyden.TokenQuery{Listed: new(false)})), "tokens_unlisted"},
		{tokenList(tokensWhere(&leyden.TokenQuery{Status: leyden.TokenBlocked})), "tokens_blocked"},
		{kept(&leyden.QuarantineQuery{Station: "S", Key: "K"}), "quarantine_by_station (station=? AND key=?)"},
		{kept(&leyden.QuarantineQuery{Station: "S", Status: leyden.QuarantineWaiting}), "quarantine_waiting_of_station (station=?)"},
		{kept(&leyden.QuarantineQuery{Station: "S", Status: leyden.QuarantineWaiting, Aside: true}), "quarantine_aside (station=?)"},
		{kept(&leyden.QuarantineQuery{Station: "S", Status: leyden.QuarantineDismissed}), "quarantine_of_station (station=?)"},
		{kept(&leyden.QuarantineQuery{Status: leyden.QuarantineWaiting}), "INDEX quarantine_waiting"},
		{kept(&leyden.QuarantineQuery{ID: 1}), "INTEGER PRIMARY KEY (rowid=?)"},
		{reserved(&leyden.ReservationQuery{Station: "S"}), "reservations_by_station (station=?)"},
		{reserved(&leyden.ReservationQuery{Station: "S", Statuses: open}), "reservations_by_station_status (station=? AND status=?)"},
		{reserved(&leyden.ReservationQuery{Due: window.To, Statuses: open}), "reservations_by_end (status=? AND expires_at<?)"},
	} {
		if plan := explain(t, db, test.sql); !strings.Contains(plan, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.sql, plan, test.want)
		}
	}
}

// TestLimits: no statement has a LIMIT for whose values SQLite would plan it anew.
func TestLimits(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "LIMIT "+"?") {
			t.Errorf("%s: a parameter alone is a LIMIT; write (? + 0)", file)
		}
	}
}

// TestListPlans goes through every filter, every two of them, and every order,
// each way, from the begin and behind a cursor: what is read and counted is found
// in an index, and what has to be sorted is known to be little.
func TestListPlans(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, sizes: sizes{rows: 1, entries: 20_000, skipped: 64, exact: 100_000}})
	fillPlans(t, db)
	filters := listFilters()
	plans := 0
	for i := range filters {
		for j := range filters[:i+1] {
			for _, order := range []leyden.Order{leyden.ByID, leyden.ByStart, leyden.ByStop, leyden.ByInserted} {
				for _, ascending := range []bool{true, false} {
					for _, after := range []*leyden.Cursor{nil, {At: time.UnixMicro(1e15), ID: 5}} {
						q := leyden.Query{Order: order, Ascending: ascending, After: after, Limit: 50, Offset: 100}
						filters[i](&q)
						filters[j](&q)
						plans += checkPlans(t, db, &q)
					}
				}
			}
		}
	}
	if plans < 1000 {
		t.Errorf("only %d statements were looked at", plans)
	}
}

// listFilters are the filters that both façades have.
func listFilters() []func(*leyden.Query) {
	window := leyden.Window{From: time.UnixMicro(1e15), To: time.UnixMicro(2e15)}
	return []func(*leyden.Query){
		func(*leyden.Query) {},
		func(q *leyden.Query) { q.Charged = true },
		func(q *leyden.Query) { q.Station = "S" },
		func(q *leyden.Query) { q.Within = []leyden.StationID{"S", "T"} },
		func(q *leyden.Query) { q.Connector = 1 },
		func(q *leyden.Query) { q.Token = "T" },
		func(q *leyden.Query) { q.Vehicle = "V" },
		func(q *leyden.Query) { q.Statuses = []leyden.Status{leyden.Completed} },
		func(q *leyden.Query) { q.Remote = new(true) },
		func(q *leyden.Query) { q.Started = window },
		func(q *leyden.Query) { q.Stopped = window },
		func(q *leyden.Query) { q.Inserted = window },
		func(q *leyden.Query) { q.Overlaps = window },
	}
}

// fillPlans appends some transactions of several classes.
func fillPlans(t *testing.T, db *DB) {
	t.Helper()
	for i := range 12 {
		at := time.UnixMicro(1e15 + int64(i))
		tx := leyden.Transaction{
			ID: leyden.TransactionID(i + 1), PublicID: fmt.Sprint("txn_", i), Station: "S", Connector: 1, Version: 1, Status: leyden.Completed,
			Remote: i%2 == 0, Token: leyden.IDToken{Value: "T"}, VehicleID: "V", StartedAt: at, StoppedAt: at, InsertedAt: at,
			Evidence: leyden.Evidence{StartKey: "start"},
		}
		if err := db.Append(t.Context(), &leyden.Entry{Station: "S", Transactions: []leyden.Change{{Transaction: tx}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// checkPlans looks at all statements by which q is read, and returns how many they are.
func checkPlans(t *testing.T, db *DB, q *leyden.Query) int {
	t.Helper()
	var statements []string
	err := db.read(t.Context(), "plans", func(c *sqlite.Conn) error {
		l, err := plan(c, q, db.opt.sizes)
		if err != nil {
			return err
		}
		switch l := l.(type) {
		case *owned:
			statements = append(statements, l.page(), `SELECT count(*) `+l.entries().from(), `SELECT `+placeColumns(q.Order)+`, class `+l.ofOwners().from())
		case *classed:
			m := &merge{c: c, q: q, few: l.few}
			for _, g := range l.groups {
				m.add(g)
				all := (&counter{}).selection(g, timeStopped)
				all.in(timeColumn(timeStopped), g.bounds[timeStopped])
				statements = append(statements, `SELECT count(*) `+all.from())
			}
			for _, s := range slices.Concat(m.streams, m.later) {
				if s.sorted >= 0 {
					statements = append(statements, `SELECT `+placeColumns(q.Order)+` `+s.all().from())
					continue
				}
				statements = append(statements, s.sql(s.selection(), `LIMIT 16`), `SELECT count(*) `+m.upTo([]*stream{s, s}, s.end).from())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	for _, sql := range statements {
		plan := explain(t, db, sql)
		// An owner has few enough to be sorted, unless by number.
		sorts := strings.Contains(plan, "TEMP B-TREE") && (q.Order == leyden.ByID && q.Within == nil || !strings.Contains(plan, "(station=?") && !strings.Contains(plan, "(token_fold=?") && !strings.Contains(plan, "(vehicle_id=?"))
		if strings.Contains(plan, "SCAN transactions") || sorts || !strings.Contains(plan, "=?") {
			t.Errorf("%+v: %s:\n%s", q, sql, plan)
		}
	}
	return len(statements)
}

func explain(t *testing.T, db *DB, sql string) string {
	t.Helper()
	var plan []string
	err := db.read(t.Context(), "explain", func(c *sqlite.Conn) error {
		return eachOnce(c, `EXPLAIN QUERY PLAN `+sql, nil, func(r *row) error {
			r.i = 3
			plan = append(plan, r.text())
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}
