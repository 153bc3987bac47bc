package bench_test

import (
	"net/http"
	"testing"
	"time"

	"leyden"
	"leyden/bench"
	"leyden/memory"
	"leyden/sqlite"
)

// TestFill: a ledger that was filled is the same every time, may be filled again, and
// its totals are what its rows make them.
func TestFill(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: t.TempDir(), Serve: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := bench.Filling{Stations: 20, Tokens: 100, Begin: end.AddDate(-1, 0, 0), End: end, Seed: 1}
	f.Transactions = 900
	for range 2 {
		f.Store = db
		if err := db.Bulk(t.Context(), func() error { return f.Fill(t.Context()) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.IntegrityCheck(t.Context()); err != nil {
		t.Error(err)
	}
	twin := memory.New(time.Now)
	f.Store = twin
	if err := f.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := leyden.Query{Charged: true, Station: "CP-0001", Order: leyden.ByStop, Limit: 100}
	got, err := db.Transactions(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want, err := twin.Transactions(t.Context(), q)
	if err != nil || got.Total != want.Total || want.Total < 10 {
		t.Errorf("the first charger has %d transactions, its twin %d (%v)", got.Total, want.Total, err)
	}
}

// TestLists: every list is asked for in every order, and what it answers with is
// counted.
func TestLists(t *testing.T) {
	asked := 0
	l := bench.Lists{
		Rounds: 1, Stations: 20, Tokens: 100, Begin: time.Unix(0, 0), End: time.Unix(1e9, 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Write([]byte(`{"pagination":{"nextCursor":"x"}}`))
		}),
	}
	figures, err := l.Measure(t.Context())
	if err != nil || asked != 2*len(figures) || len(figures) < 500 {
		t.Errorf("%d figures of %d requests, %v", len(figures), asked, err)
	}
	if worst := bench.Worst(figures); len(worst) == 0 || len(worst)*8 != len(figures) {
		t.Errorf("%d are the worst of %d", len(worst), len(figures))
	}
}
