package sqlite

import (
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// TestPlans holds SQLite to the plans that a ledger of millions needs: a station's
// report looks at its own rows only, and a list reads an index in its order.
func TestPlans(t *testing.T) {
	db, err := Open(t.Context(), Options{Path: t.TempDir(), Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	open := []leyden.ReservationStatus{leyden.ReservationPending, leyden.ReservationActive}
	kept := func(q *leyden.QuarantineQuery) string { return quarantineList(quarantinedOf(q)) }
	reserved := func(q *leyden.ReservationQuery) string { return reservationList(reservationsOf(q)) }
	tally := func(q leyden.Query) string { return `SELECT count(*) ` + countOf(&q).from() }
	for _, test := range []struct{ sql, want string }{
		{tally(leyden.Query{Charged: true}), "transactions_by_charged_start (charged=?)"},
		{tally(leyden.Query{Charged: true, Started: window}), "transactions_by_charged_start (charged=? AND started_order>? AND started_order<?)"},
		{tally(leyden.Query{Charged: true, Inserted: window}), "transactions_by_insertion (inserted_order>? AND inserted_order<?)"},
		{tally(leyden.Query{Charged: true, Started: window, Station: "S"}), "transactions_by_station_start (station=? AND started_order>? AND started_order<?)"},
		{tally(leyden.Query{Statuses: []leyden.Status{leyden.Completed}}), "COVERING INDEX transactions_by_status (status=?)"},
		{working, "transactions_open (station=?)"},
		{working, "transactions_unstarted (station=? AND updated_at>?)"},
		{lastOn, "transactions_on_connector (station=? AND connector=?)"},
		{notices, "outbox USING INTEGER PRIMARY KEY (rowid>?)"},
		{oldestNotice, "SEARCH outbox"},
		{meterKeys, "meter_keys USING PRIMARY KEY (station=?)"},
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
		{listed(leyden.Query{Station: "S"}), "transactions_by_station (station=?)"},
		{listed(leyden.Query{Token: "T"}), "transactions_by_token (token_fold=?)"},
		{listed(leyden.Query{Vehicle: "V"}), "transactions_by_vehicle (vehicle_id=?)"},
		{listed(leyden.Query{Statuses: []leyden.Status{leyden.Active}}), "transactions_by_status (status=?)"},
		{listed(leyden.Query{Started: window}), "transactions_by_start (started_order>? AND started_order<?)"},
		{listed(leyden.Query{Started: window, Station: "S"}), "transactions_by_station_start (station=? AND started_order>? AND started_order<?)"},
		{listed(leyden.Query{Started: window, Charged: true}), "transactions_by_charged_start (charged=? AND started_order>? AND started_order<?)"},
		{listed(leyden.Query{Stopped: window, Charged: true}), "transactions_by_stop (stopped_order>? AND stopped_order<?)"},
		{listed(leyden.Query{Inserted: window, Charged: true}), "transactions_by_insertion (inserted_order>? AND inserted_order<?)"},
		{listed(leyden.Query{Inserted: window, Statuses: []leyden.Status{leyden.Completed}}), "transactions_by_insertion (inserted_order>?"},
		{listed(leyden.Query{Stopped: leyden.Window{From: window.From}, Statuses: []leyden.Status{leyden.Completed}}), "transactions_by_stop (stopped_order>?"},
		{listed(leyden.Query{Overlaps: window, Charged: true}), "transactions_by_stop (stopped_order>?)"},
		{listed(leyden.Query{Station: "S", Connector: 1, Charged: true, Started: window, Order: leyden.ByStart}), "transactions_by_station_start (station=? AND started_order>? AND started_order<?)"},
		{listed(leyden.Query{Order: leyden.ByStart}), "SCAN transactions USING INDEX transactions_by_start"},
		{listed(leyden.Query{Order: leyden.ByStop}), "SCAN transactions USING INDEX transactions_by_stop"},
		{listed(leyden.Query{Order: leyden.ByInserted}), "SCAN transactions USING INDEX transactions_by_insertion"},
	} {
		if plan := explain(t, db, test.sql); !strings.Contains(plan, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.sql, plan, test.want)
		}
	}
}

// TestPlansDoNotSort: a list comes from an index in its order.
func TestPlansDoNotSort(t *testing.T) {
	db, err := Open(t.Context(), Options{Path: t.TempDir(), Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	for _, q := range []leyden.Query{
		{}, {Station: "S", Connector: 1, Charged: true, Order: leyden.ByStart}, {Order: leyden.ByStart}, {Order: leyden.ByInserted, Inserted: window, Charged: true}, {Station: "S"},
		{Charged: true}, {Charged: true, Order: leyden.ByStart}, {Charged: true, Order: leyden.ByStop}, {Charged: true, Order: leyden.ByInserted},
	} {
		if plan := explain(t, db, listed(q)); strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s sorts: %s", listed(q), plan)
		}
	}
}

// listed returns the statement for a page of what q selects.
func listed(q leyden.Query) string {
	return `SELECT id ` + listOf(&q).from() + ` ORDER BY ` + orderOf(&q) + ` LIMIT 100`
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
