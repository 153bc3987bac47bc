package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/export"
	"leyden/sqlite"
)

// The file of a day has what was stored in it, to the microsecond, and a revision
// is in that of its own day.
func TestDayOf(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	now := midnight
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: t.TempDir(), Now: func() time.Time { return now }, Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	put := func(at time.Time, id leyden.TransactionID, version int) {
		t.Helper()
		now = at
		err := db.Append(t.Context(), &leyden.Entry{Station: "S", Transactions: []leyden.Change{{Stamp: true, Transaction: leyden.Transaction{
			ID: id, PublicID: "txn_" + string('a'+rune(id)), Station: "S", Connector: 1, Status: leyden.Completed, Version: version, Revision: version,
			StartedAt: midnight, StoppedAt: midnight, UpdatedAt: at, Evidence: leyden.Evidence{StartKey: "start", StopKey: "stop"},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(day time.Time, public ...string) {
		t.Helper()
		var file strings.Builder
		if _, err := (&folder{store: db, disk: db}).dayOf(t.Context(), &file, export.NDJSON, day); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(file.String()) {
			got = append(got, line[len(`{"id":"txn_`):len(`{"id":"txn_b`)])
		}
		if !slices.Equal(got, public) {
			t.Errorf("%v: got %v, want %v", day, got, public)
		}
	}
	const day = 24 * time.Hour
	put(midnight.Add(-time.Microsecond), 1, 1)
	put(midnight, 2, 1)
	put(midnight.Add(day-time.Microsecond), 3, 1)
	put(midnight.Add(day), 4, 1)
	now = midnight.Add(2 * day)
	want(midnight.Add(-day), "b")
	want(midnight, "c", "d")
	want(midnight.Add(day), "e")
	put(midnight.Add(2*day+time.Hour), 2, 2)
	now = midnight.Add(3 * day)
	want(midnight, "d")
	want(midnight.Add(2*day), "c")
	put(midnight.Add(time.Hour), 5, 1) // the clock is set back: what was answered stays true
	want(midnight, "d")
}

// What stations send gives no orders to a terminal.
func TestTransactionLinesAreHarmless(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"USER123": "USER123", "=1+1": "=1+1", "\x1b[2J": "\uFFFD[2J", "\n=1": "\uFFFD=1", "日本語": "日本語", "": "-",
	} {
		lines, err := transactionLines(&leyden.Transaction{ID: 7, Token: leyden.IDToken{Value: tag}}, time.Now())
		if err != nil || !slices.Contains(lines, "idTag              "+want) {
			t.Errorf("%q: got %q, %v", tag, lines, err)
		}
	}
}

func TestKWh(t *testing.T) {
	t.Parallel()
	for wh, want := range map[leyden.WattHours]string{0: "0.000", 7: "0.007", 14000: "14.000", 1234567: "1234.567"} {
		if got := kWh(&wh); got != want {
			t.Errorf("%d Wh: %s kWh, want %s", wh, got, want)
		}
	}
	if got := kWh(nil); got != "" {
		t.Errorf("unknown energy is %q", got)
	}
}
