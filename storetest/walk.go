package storetest

import (
	"fmt"
	"testing"

	"leyden"
)

// walk goes through lists page by page, in every order, while others write: what
// was there at the begin, and stays as it is, is met exactly once.
func walk(t *testing.T, s leyden.Store) {
	const there = 60
	next := leyden.TransactionID(1000)
	add := func() {
		next++
		tx := walked(next)
		mustAppend(t, s, entry(tx))
	}
	for id := range leyden.TransactionID(there) {
		mustAppend(t, s, entry(walked(500+id)))
	}
	for _, order := range []leyden.Order{leyden.ByID, leyden.ByStart, leyden.ByStop, leyden.ByInserted} {
		for _, ascending := range []bool{true, false} {
			for name, q := range map[string]leyden.Query{
				"all": {}, "a station": {Station: "S"}, "charged": {Charged: true}, "a token": {Token: "tag"},
				"a window": {Started: leyden.Window{From: minute(-100), To: minute(100)}},
			} {
				q.Order, q.Ascending, q.Limit = order, ascending, 7
				met := walkPages(t, s, q, add)
				for id := range leyden.TransactionID(there) {
					if met[500+id] != 1 {
						t.Errorf("%s, order %d, ascending %t: met %d %d times", name, order, ascending, 500+id, met[500+id])
					}
				}
			}
		}
	}
}

// walked returns a transaction that shares its times with others, and lacks some.
func walked(id leyden.TransactionID) leyden.Transaction {
	tx := transaction(id)
	tx.PublicID = fmt.Sprint("txn_walk_", id)
	tx.StartedAt = minute(int(id*7) % 13)
	if id%3 > 0 {
		tx.StoppedAt = minute(int(id*5) % 11)
	}
	if id%4 > 0 {
		tx.InsertedAt = minute(int(id*3) % 17)
	}
	return tx
}

// walkPages reads all pages of q, one after the other, and lets add write in
// between.
func walkPages(t *testing.T, s leyden.Store, q leyden.Query, add func()) map[leyden.TransactionID]int {
	met := make(map[leyden.TransactionID]int)
	for pages := 0; ; pages++ {
		page := must[leyden.Page](t)(s.Transactions(t.Context(), q))
		for _, tx := range page.Transactions {
			met[tx.ID]++
		}
		if len(page.Transactions) < q.Limit || pages > 1000 {
			return met
		}
		last := &page.Transactions[len(page.Transactions)-1]
		q.After = new(q.Order.PlaceOf(last))
		if pages < 3 {
			add()
		}
	}
}
