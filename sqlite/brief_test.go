package sqlite

import (
	"fmt"
	"testing"
	"time"

	"leyden"
)

// TestBrief: a list that needs not have all evidence has its keys, whatever is in
// them.
func TestBrief(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	at := time.UnixMicro(1e15).UTC()
	keys := []leyden.Evidence{
		{}, {StartKey: "start"}, {StopKey: "stop"}, {StartKey: "start", StopKey: "stop"}, {StartKey: `a"b\c`, StopKey: "stop"},
		{StartKey: "start", StopKey: "<é\u2028>"}, {StartKey: "start", AskedKey: "asked"}, {AskedKey: `"stopKey":"x"`},
	}
	var changes []leyden.Change
	for i, v := range keys {
		v.Rises, v.Last = 3, &leyden.Reading{At: at, Wh: 5}
		changes = append(changes, leyden.Change{Transaction: leyden.Transaction{
			ID: leyden.TransactionID(i + 1), PublicID: fmt.Sprint("txn_", i), Station: "S", Connector: 1, Status: leyden.Active,
			StartedAt: at, UpdatedAt: at, Version: 1, Evidence: v,
		}})
	}
	if err := db.Append(t.Context(), &leyden.Entry{Station: "S", Transactions: changes}); err != nil {
		t.Fatal(err)
	}
	page, err := db.Transactions(t.Context(), leyden.Query{Station: "S", Ascending: true, Brief: true})
	if err != nil || len(page.Transactions) != len(keys) {
		t.Fatalf("%d of %d, %v", len(page.Transactions), len(keys), err)
	}
	for i, want := range keys {
		if got := page.Transactions[i].Evidence; got.StartKey != want.StartKey || got.StopKey != want.StopKey {
			t.Errorf("got keys %q and %q, want %q and %q", got.StartKey, got.StopKey, want.StartKey, want.StopKey)
		}
	}
}
