package sqlite

import (
	"testing"
	"time"

	"leyden"
)

// Records that operators close, join and open again are counted as they are, and
// read back with what was said of them.
func TestCorrectionsAreKept(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true, Now: time.Now})
	ledger := leyden.NewLedger(db, db, leyden.Options{Tokens: leyden.TokensOpen})
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	record := func(e leyden.Event) leyden.Transaction {
		t.Helper()
		e.Station, e.Token = "S", leyden.IDToken{Value: "CARD"}
		out, err := ledger.Record(t.Context(), e, "{}")
		if err != nil {
			t.Fatal(err)
		}
		return out.Transaction
	}
	start := record(leyden.Event{Kind: leyden.Started, At: at, Connector: 1, Register: new(leyden.WattHours(1000))})
	record(leyden.Event{Kind: leyden.Started, At: at, Connector: 2, Register: new(leyden.WattHours(1000))})
	orphan := record(leyden.Event{Kind: leyden.Ended, At: at.Add(time.Minute), Number: new(int64(-1)), Register: new(leyden.WattHours(2000))})
	totals := func(what string, all, completed, charged int) {
		t.Helper()
		for i, q := range []leyden.Query{{}, {Statuses: []leyden.Status{leyden.Completed}}, {Charged: true}} {
			page, err := db.Transactions(t.Context(), q)
			if want := []int{all, completed, charged}[i]; err != nil || page.Total != want || len(page.Transactions) != want {
				t.Errorf("%s: %+v selects %d, and counts %d, %v; want %d", what, q, len(page.Transactions), page.Total, err, want)
			}
		}
	}
	a := leyden.Act{By: "key_1", Reason: "because", Force: true}
	done := func(_ leyden.Transaction, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	totals("apart", 3, 1, 2)
	done(ledger.Join(t.Context(), start.ID, orphan.ID, a))
	totals("joined", 2, 1, 2)
	done(ledger.Revert(t.Context(), orphan.ID, 1, a))
	totals("apart again", 3, 1, 2)
	done(ledger.CloseCharge(t.Context(), start.ID, time.Time{}, nil, a))
	totals("closed", 3, 2, 2)
	done(ledger.Revert(t.Context(), start.ID, 3, a))
	totals("open again", 3, 1, 2)
	done(ledger.Correct(t.Context(), start.ID, leyden.Fix{Vehicle: new("VAN"), Note: new("n"), Set: map[string]string{"a": "b"}}, a))

	page, err := db.Transactions(t.Context(), leyden.Query{Vehicle: "VAN"})
	if err != nil || page.Total != 1 {
		t.Fatalf("of the vehicle: %d, %v", page.Total, err)
	}
	events, err := db.Events(t.Context(), start.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := page.Transactions[0]
	if diff := leyden.Differences(leyden.Fold(events), got); len(diff) > 0 || got.Note != "n" || got.Metadata["a"] != "b" || got.CorrectedAt.IsZero() {
		t.Errorf("read back: %+v, which differs from its events in %v", got, diff)
	}
}
