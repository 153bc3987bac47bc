package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// Transactions implements [leyden.Store].
func (db *DB) Transactions(ctx context.Context, q leyden.Query) (leyden.Page, error) {
	db.await(q)
	limit := q.Limit
	if limit == 0 {
		limit = -1 // SQLite: none
	}
	var page leyden.Page
	err := db.readLong(ctx, "transactions", func(c *sqlite.Conn) (err error) {
		page.Transactions, err = pick(c, &q, partOf(&q), fmt.Sprintf(`LIMIT %d OFFSET %d`, limit, max(q.Offset, 0)))
		if err == nil {
			page.Total, err = count(c, &q)
		}
		return err
	})
	if err != nil {
		return leyden.Page{}, err
	}
	return page, nil
}

// await lets a poller by InsertedAt wait for the commit that is under way.
func (db *DB) await(q leyden.Query) {
	if !q.Inserted.IsZero() {
		db.gate.pass(db.now().UnixMicro())
	}
}

// pick reads some of what s selects, in q's order. It finds and sorts numbers
// first, which is work for the indexes, and reads whole rows only of those that
// are left.
func pick(c *sqlite.Conn, q *leyden.Query, s *selection, limit string) ([]leyden.Transaction, error) {
	order := orderOf(q)
	// With a plus, for these rows are found: SQLite shall search no index for
	// them again.
	sql := selectTransaction + `WHERE id IN (SELECT id ` + s.from() + ` ORDER BY ` + order + ` ` + limit + `) ORDER BY +` + order
	var found []leyden.Transaction
	err := eachOnce(c, sql, s.bind, into(&found))
	return found, err
}

// count counts what q selects. All but Void is counted as all, less those that
// are Void: indexes tell both, while a look at every row's status is slow.
func count(c *sqlite.Conn, q *leyden.Query) (int, error) {
	if len(q.Statuses) > 0 || q.Charged {
		n, err := countFrom(c, countOf(q))
		return int(n), err
	}
	void := filtersOf(q)
	void.hint = `INDEXED BY transactions_by_status`
	void.add(`status = 8`)
	less, err := countFrom(c, void)
	if err != nil {
		return 0, err
	}
	n, err := countFrom(c, filtersOf(q))
	return int(n - less), err
}

func countFrom(c *sqlite.Conn, s *selection) (n int64, err error) {
	err = eachOnce(c, `SELECT count(*) `+s.from(), s.bind, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}

// A selection is a FROM clause in the making: terms that must all hold, and the
// values of their parameters in order.
type selection struct {
	table  string // "" is transactions
	hint   string // which index SQLite shall take; "" leaves the choice to it
	terms  []string
	values []func(*binder)
}

func (s *selection) add(term string, values ...func(*binder)) {
	s.terms = append(s.terms, term)
	s.values = append(s.values, values...)
}

func (s *selection) from() string {
	clause := `FROM ` + cmp.Or(s.table, `transactions`) + ` ` + s.hint
	if len(s.terms) > 0 {
		clause += ` WHERE ` + strings.Join(s.terms, ` AND `)
	}
	return clause
}

func (s *selection) bind(b *binder) {
	for _, value := range s.values {
		value(b)
	}
}

// valueOr returns what p points to, or the zero value for nil.
func valueOr[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func text(v string) func(*binder)      { return func(b *binder) { b.text(v) } }
func wholeText(v string) func(*binder) { return func(b *binder) { b.whole(v) } }
func integer(v int64) func(*binder)    { return func(b *binder) { b.int(v) } }
func at(t time.Time) func(*binder)     { return integer(t.UnixMicro()) }
func truth(v bool) func(*binder)       { return func(b *binder) { b.bool(v) } }

// selectionOf returns all that q selects.
func selectionOf(q *leyden.Query) *selection {
	s := filtersOf(q)
	switch {
	case len(q.Statuses) > 0:
		s.add(statusIn(q.Statuses))
	case !q.Charged:
		// There are few of them, and the list spares a look at every row.
		s.add(`id NOT IN (SELECT id FROM transactions WHERE status = 8)`)
	}
	return s
}

// listOf returns all that q selects, to be read in q's order. Nearly everything
// is charged: a list of that is best read from where it is sorted.
func listOf(q *leyden.Query) *selection {
	s := selectionOf(q)
	if q.Charged && len(s.terms) == 1 {
		s.hint = map[leyden.Order]string{
			leyden.ByID:       `NOT INDEXED`,
			leyden.ByStart:    `INDEXED BY transactions_by_charged_start`,
			leyden.ByStop:     `INDEXED BY transactions_by_stop`,
			leyden.ByInserted: `INDEXED BY transactions_by_insertion`,
		}[q.Order]
	}
	return s
}

// countOf returns all that q selects, to be counted: from an index, if one tells.
func countOf(q *leyden.Query) *selection {
	s := selectionOf(q)
	if q.Charged && len(s.terms) == 1 {
		s.hint = `INDEXED BY transactions_by_charged_start`
	}
	return s
}

// filtersOf returns what q asks for but Statuses.
func filtersOf(q *leyden.Query) *selection {
	s := new(selection)
	s.ofStation(q.Station, q.Within)
	s.equal(`token_fold`, leyden.IDToken{Value: q.Token}.Fold())
	s.equal(`vehicle_id`, q.Vehicle)
	if !q.Overlaps.From.IsZero() && len(s.terms) == 0 {
		s.hint = `INDEXED BY transactions_by_stop` // mostly one asks for what was lately
	}
	if q.Connector != 0 {
		s.add(`connector = ?`, integer(int64(q.Connector)))
	}
	if q.Remote != nil {
		s.add(`remote = ?`, truth(*q.Remote))
	}
	if q.Charged {
		s.add(`charged = 1`)
	}
	s.window(`started_order`, q.Started)
	s.window(`stopped_order`, q.Stopped)
	s.window(`inserted_order`, q.Inserted)
	if to := q.Overlaps.To; !to.IsZero() {
		s.add(`started_order < ?`, at(to))
	}
	if from := q.Overlaps.From; !from.IsZero() {
		s.add(`stopped_order > ?`, at(from))
	}
	return s
}

// ofStation restricts the column station to one, unless that is "", and to those
// of a list, unless that is nil.
func (s *selection) ofStation(one leyden.StationID, within []leyden.StationID) {
	s.equal(`station`, string(one))
	switch {
	case within == nil || one != "" && slices.Contains(within, one):
	case one != "" || len(within) == 0:
		s.add(`0`)
	default:
		s.add(`station IN (SELECT value FROM json_each(?))`, idList(within))
	}
}

// idList binds a list of identities as JSON.
func idList[T ~string](list []T) func(*binder) {
	var text string
	if err := toJSON(&text, list); err != nil {
		panic(err) // texts always encode
	}
	return func(b *binder) { b.text(text) }
}

// equal restricts a column, unless v is "".
func (s *selection) equal(column, v string) {
	if v != "" {
		s.add(column+` = ?`, text(v))
	}
}

// window restricts a column …_order, in which an unknown time is the highest number.
func (s *selection) window(column string, w leyden.Window) {
	if w.IsZero() {
		return
	}
	if !w.From.IsZero() {
		s.add(column+` >= ?`, at(w.From))
	}
	to := int64(math.MaxInt64)
	if !w.To.IsZero() {
		to = w.To.UnixMicro()
	}
	s.add(column+` < ?`, integer(to))
}

func statusIn(statuses []leyden.Status) string {
	var numbers []string
	for _, s := range statuses {
		numbers = append(numbers, fmt.Sprint(uint8(s)))
	}
	return `status IN (` + strings.Join(numbers, `, `) + `)`
}

// orderOf returns what q sorts by.
func orderOf(q *leyden.Query) string {
	direction := ` DESC`
	if q.Ascending {
		direction = ` ASC`
	}
	if column := orderColumn(q.Order); column != `` {
		return column + direction + `, id` + direction
	}
	return `id` + direction
}

// orderColumn returns what q sorts by before the number; "" for nothing.
func orderColumn(o leyden.Order) string {
	switch o {
	case leyden.ByStart:
		return `started_order`
	case leyden.ByStop:
		return `stopped_order`
	case leyden.ByInserted:
		return `inserted_order`
	}
	return ``
}

// scanPart is how many transactions Scan reads at once. Between two parts it
// holds no connection: a slow reader of a long list is in nobody's way.
const scanPart = 500

// Scan implements [leyden.Store].
func (db *DB) Scan(ctx context.Context, q leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		db.await(q)
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
	err = db.readLong(ctx, "scan transactions", func(c *sqlite.Conn) (err error) {
		part, err = pick(c, q, partOf(q), fmt.Sprintf(`LIMIT %d`, scanPart))
		return err
	})
	return part, err
}

// partOf returns what q selects and sorts behind its place.
func partOf(q *leyden.Query) *selection {
	s := listOf(q)
	if q.After == nil {
		return s
	}
	than := ` < `
	if q.Ascending {
		than = ` > `
	}
	column := orderColumn(q.Order)
	if column == `` {
		s.add(`id`+than+`?`, integer(q.After.ID))
		return s
	}
	at := int64(math.MaxInt64)
	if !q.After.At.IsZero() {
		at = q.After.At.UnixMicro()
	}
	s.add(`(`+column+`, id)`+than+`(?, ?)`, integer(at), integer(q.After.ID))
	return s
}
