package sqlite

import (
	"context"
	"iter"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// Transactions implements [leyden.Store].
func (db *DB) Transactions(ctx context.Context, q leyden.Query) (page leyden.Page, err error) {
	if err := db.await(ctx, &q); err != nil {
		return page, outward(ctx, "transactions", err)
	}
	err = db.readLong(ctx, "transactions", func(c *sqlite.Conn) error {
		l, err := plan(c, &q, db.opt.sizes)
		if err != nil {
			return err
		}
		total, least, err := l.total(c)
		if err != nil {
			return err
		}
		page.Total, page.LowerBound = int(total), least
		if least || q.After != nil || q.Offset <= page.Total/2 {
			page.Transactions, err = readRows(c, l, q.Brief)
			return err
		}
		page.Transactions, err = readBack(c, l, &q, page.Total)
		return err
	})
	if err != nil {
		return leyden.Page{}, err
	}
	return page, nil
}

// readBack returns the transactions of a page in the second half of all, which is
// nearer to the end.
func readBack(c *sqlite.Conn, l list, q *leyden.Query, total int) ([]leyden.Transaction, error) {
	n := min(int(limitOf(q)), total-q.Offset)
	if n <= 0 {
		return nil, nil
	}
	q.Ascending, q.Offset, q.Limit = !q.Ascending, total-q.Offset-n, n
	found, err := readRows(c, l, q.Brief)
	slices.Reverse(found)
	return found, err
}

// await waits for what was appended before, and lets a poller by InsertedAt wait
// for the commit that is under way.
func (db *DB) await(ctx context.Context, q *leyden.Query) error {
	if q.Inserted.IsZero() {
		return db.settledOrOld(ctx)
	}
	db.gate.pass(db.now().UnixMicro())
	return db.settled(ctx)
}

// scanPart is how many transactions Scan reads at once. Between two parts it
// holds no connection: a slow reader of a long list is in nobody's way.
const scanPart = 500

// Scan implements [leyden.Store].
func (db *DB) Scan(ctx context.Context, q leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		q := q // each range begins anew
		if err := db.await(ctx, &q); err != nil {
			yield(leyden.Transaction{}, outward(ctx, "scan transactions", err))
			return
		}
		q.Limit, q.Offset = scanPart, 0
		for {
			part, err := db.scanNext(ctx, &q)
			for i := range part {
				if !yield(part[i], nil) {
					return
				}
			}
			if err != nil {
				yield(leyden.Transaction{}, err)
				return
			}
			if len(part) < scanPart {
				return
			}
			q.After = new(q.Order.PlaceOf(&part[len(part)-1]))
		}
	}
}

// scanNext returns the next part of what q selects.
func (db *DB) scanNext(ctx context.Context, q *leyden.Query) (part []leyden.Transaction, err error) {
	err = db.readLong(ctx, "scan transactions", func(c *sqlite.Conn) error {
		l, err := plan(c, q, db.opt.sizes)
		if err == nil {
			part, err = readRows(c, l, q.Brief)
		}
		return err
	})
	return part, err
}

// A list knows how to read and count what a query selects, from indexes alone.
type list interface {
	// numbers returns those of the query's page, in order.
	numbers(c *sqlite.Conn) ([]int64, error)
	// total returns how many there are on all pages, or that there are at least
	// so many.
	total(c *sqlite.Conn) (n int64, least bool, err error)
}

// plan returns how to read what q selects. What a station, an idTag or a vehicle
// has is read from its own index, all else class by class.
func plan(c *sqlite.Conn, q *leyden.Query, few sizes) (list, error) {
	if owners := ownersOf(q); len(owners) > 0 || q.Within != nil {
		return planOwned(c, q, owners, few)
	}
	return planClasses(c, q, few)
}

// Sizes say what is few, for plans.
type sizes struct {
	rows    int64 // that may be looked up, or sorted, to be filtered
	entries int64 // of an index that may be read and sorted
	skipped int64 // that may be skipped one by one
	exact   int64 // up to how many all totals are exact
}

func usualSizes() sizes { return sizes{rows: 1000, entries: 50_000, skipped: 64, exact: 100_000} }

// readRows returns the transactions of a page, of their Evidence only what
// lists show if that is enough.
func readRows(c *sqlite.Conn, l list, brief bool) ([]leyden.Transaction, error) {
	const query = selectTransaction + `WHERE id = ?1`
	ids, err := l.numbers(c)
	if err != nil {
		return nil, err
	}
	found := make([]leyden.Transaction, 0, len(ids))
	for _, id := range ids {
		err := each(c, query, func(b *binder) { b.int(id) }, func(r *row) error {
			found = append(found, leyden.Transaction{})
			return r.transaction(&found[len(found)-1], brief)
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// A place is where a transaction stands in an order: by time, then by number. By
// number alone the time is 0.
type place struct{ at, id int64 }

// before reports whether p comes first.
func (p place) before(o place, ascending bool) bool {
	if p == o {
		return false
	}
	less := p.at < o.at || p.at == o.at && p.id < o.id
	return less == ascending
}

// sortPlaces sorts places, each of another transaction.
func sortPlaces(all []place, ascending bool) {
	slices.SortFunc(all, func(a, b place) int {
		if a.before(b, ascending) {
			return -1
		}
		return 1
	})
}

// placeColumns returns the columns of a place in an order.
func placeColumns(o leyden.Order) string {
	if o == leyden.ByID {
		return `0, id`
	}
	return orderColumn(o) + `, id`
}

// beginOf returns the place behind which a page of q begins.
func beginOf(q *leyden.Query) place {
	switch {
	case q.After != nil && q.Order == leyden.ByID:
		return place{0, q.After.ID}
	case q.After != nil:
		return place{micros(q.After.At), q.After.ID}
	case q.Ascending:
		return place{math.MinInt64, math.MinInt64}
	}
	return place{math.MaxInt64, math.MaxInt64}
}

// limitOf returns how many a page of q holds.
func limitOf(q *leyden.Query) int64 {
	if q.Limit <= 0 {
		return math.MaxInt32
	}
	return int64(q.Limit)
}

// orderTerm returns what q sorts by.
func orderTerm(q *leyden.Query) string {
	direction := ` DESC`
	if q.Ascending {
		direction = ` ASC`
	}
	if column := orderColumn(q.Order); column != `id` {
		return column + direction + `, id` + direction
	}
	return `id` + direction
}

// orderColumn returns the column that has what o sorts by.
func orderColumn(o leyden.Order) string {
	return map[leyden.Order]string{
		leyden.ByID: `id`, leyden.ByStart: `started_order`, leyden.ByStop: `stopped_order`, leyden.ByInserted: `inserted_order`,
	}[o]
}

// behind restricts s to what comes after a place in q's order.
func (s *selection) behind(q *leyden.Query, p place) {
	than := ` < `
	if q.Ascending {
		than = ` > `
	}
	if q.Order == leyden.ByID {
		s.add(`id`+than+`?`, integer(p.id))
		return
	}
	s.add(`(`+orderColumn(q.Order)+`, id)`+than+`(?, ?)`, integer(p.at), integer(p.id))
}

// timeColumn returns the column of a time.
func timeColumn(i int) string {
	return [...]string{`started_order`, `stopped_order`, `inserted_order`}[i]
}

// in restricts a column to a span.
func (s *selection) in(column string, in span) {
	switch {
	case in.open():
	case in.low == in.high:
		s.add(column+` = ?`, integer(in.low))
	default:
		if in.low > math.MinInt64 {
			s.add(column+` >= ?`, integer(in.low))
		}
		if in.high < unknown {
			s.add(column+` <= ?`, integer(in.high))
		}
	}
}

// times restricts s to spans of the three times.
func (s *selection) times(t times) {
	for i, in := range t {
		s.in(timeColumn(i), in)
	}
}
