package bench_test

import (
	"net/http"
	"strings"
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

// TestFillEvents: what a filled transaction says is what its events make of it.
func TestFillEvents(t *testing.T) {
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	db := memory.New(time.Now)
	f := bench.Filling{
		Store: db, Transactions: 2000, Stations: 20, Tokens: 100, Begin: end.AddDate(-1, 0, 0), End: end, Seed: 1, Events: true, Readings: 2,
	}
	if err := f.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := make(map[leyden.Status]int)
	for n := 1; n <= f.Transactions; n++ {
		tx, err := db.Transaction(t.Context(), leyden.TransactionID(n))
		if err != nil {
			t.Fatal(err)
		}
		events, err := db.Events(t.Context(), tx.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := leyden.Differences(leyden.Fold(events), tx); len(diff) > 0 {
			t.Fatalf("transaction %d differs from its events in %v", n, diff)
		}
		if want := map[leyden.Status]int{leyden.Completed: 4, leyden.Expired: 2}[tx.Status]; want != 0 && len(events) != want {
			t.Errorf("transaction %d, %v, has %d events", n, tx.Status, len(events))
		}
		if tx.Status == leyden.Completed && (tx.Energy == nil || tx.EndSoC == nil || tx.InsertedAt.IsZero()) {
			t.Errorf("transaction %d lacks a figure", n)
		}
		seen[tx.Status]++
	}
	if seen[leyden.Completed] < 1500 || seen[leyden.Expired] < 50 {
		t.Errorf("they are %v", seen)
	}
}

// TestDeep: pages follow each other by cursor until one that is far behind.
func TestDeep(t *testing.T) {
	pages := 0
	l := bench.Lists{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := `"x"`
		if r.URL.Query().Get("cursor") != "" {
			pages++
		}
		if pages == 299 {
			next = "null"
		}
		w.Write([]byte(`{"pagination":{"nextCursor":` + next + `}}`))
	})}
	d, err := l.Deep(t.Context(), 300, 3000)
	if err != nil || pages != 299 || d.Page != 300 || d.Limit != 10 || d.First <= 0 || d.Deep <= 0 || d.DeepOverFirst <= 0 {
		t.Errorf("got %+v, %v after %d pages", d, err, pages)
	}
	pages = 0
	if _, err := l.Deep(t.Context(), 301, 3010); err == nil {
		t.Error("the last page had one behind it")
	}
	if _, err := l.Deep(t.Context(), 300, 200); err == nil {
		t.Error("200 transactions made 300 pages")
	}
}

// TestPlot: a plot has a point for every series, and scales to the figures.
func TestPlot(t *testing.T) {
	r := bench.NewReport("growth", nil)
	for _, s := range []string{"10k", "100k", "1M"} {
		r.Add(s, &bench.Sample{Values: []bench.Value{{Name: "cost", Unit: "µs", Better: bench.Less, Value: 40}}})
	}
	svg := string(bench.Plot(r, "cost"))
	for _, want := range []string{"<svg ", ">10k<", ">100k<", ">1M<", "cost in µs", "</svg>"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in %s", want, svg)
		}
	}
	if n := strings.Count(svg, "<circle"); n != 3 {
		t.Errorf("%d points", n)
	}
}
