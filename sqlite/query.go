package sqlite

import (
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

// charged is what v2 lists. It is written as the index transactions_charged
// says it: only then SQLite takes that index.
const charged = `start_key IS NOT NULL AND status IN (2, 3, 4)`

// A selection is a WHERE clause in the making: terms that must all hold, and
// the values of their parameters in order.
type selection struct {
	terms  []string
	values []func(*binder)
}

func (s *selection) add(term string, values ...func(*binder)) {
	s.terms = append(s.terms, term)
	s.values = append(s.values, values...)
}

func (s *selection) where() string {
	if len(s.terms) == 0 {
		return ``
	}
	return `WHERE ` + strings.Join(s.terms, ` AND `)
}

func (s *selection) bind(b *binder) {
	for _, value := range s.values {
		value(b)
	}
}

func text(v string) func(*binder)   { return func(b *binder) { b.text(v) } }
func integer(v int64) func(*binder) { return func(b *binder) { b.int(v) } }
func at(t time.Time) func(*binder)  { return integer(t.UnixMicro()) }
func truth(v bool) func(*binder)    { return func(b *binder) { b.bool(v) } }
func (s *selection) equal(column, v string) {
	if v != "" {
		s.add(column+` = ?`, text(v))
	}
}

// selectionOf returns all that q selects.
func selectionOf(q *leyden.Query) *selection {
	s := filtersOf(q)
	if len(q.Statuses) == 0 {
		s.add(`status <> 8`)
		return s
	}
	s.add(statusIs(q.Statuses))
	return s
}

// filtersOf returns what q asks for but Statuses.
func filtersOf(q *leyden.Query) *selection {
	s := new(selection)
	s.equal(`station`, string(q.Station))
	if q.Connector != 0 {
		s.add(`connector = ?`, integer(int64(q.Connector)))
	}
	s.equal(`token_fold`, leyden.IDToken{Value: q.Token}.Fold())
	s.equal(`vehicle_id`, q.Vehicle)
	if q.Remote != nil {
		s.add(`remote = ?`, truth(*q.Remote))
	}
	if q.Charged {
		s.add(charged)
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

// statusIs returns a term for one of these statuses. Without completed ones it
// says so once more: only then SQLite takes the index transactions_uncommon.
func statusIs(statuses []leyden.Status) string {
	var numbers []string
	for _, s := range statuses {
		numbers = append(numbers, fmt.Sprint(uint8(s)))
	}
	term := `status IN (` + strings.Join(numbers, `, `) + `)`
	if !slices.Contains(statuses, leyden.Completed) {
		term += ` AND status <> 4`
	}
	return term
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

func orderBy(q *leyden.Query) string {
	direction := ` DESC`
	if q.Ascending {
		direction = ` ASC`
	}
	if column := orderColumn(q.Order); column != `` {
		return ` ORDER BY ` + column + direction + `, id` + direction
	}
	return ` ORDER BY id` + direction
}

// scanPart is how many transactions Scan reads at once. Between two parts it
// holds no connection: a slow reader of a long list is in nobody's way.
const scanPart = 500

// Scan implements [leyden.Store].
func (db *DB) Scan(ctx context.Context, q leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		db.await(q)
		var last *leyden.Transaction
		for {
			part, err := db.scanAfter(ctx, &q, last)
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
			last = &part[len(part)-1]
		}
	}
}

// scanAfter returns the part of what q selects that follows last.
func (db *DB) scanAfter(ctx context.Context, q *leyden.Query, last *leyden.Transaction) (part []leyden.Transaction, err error) {
	s := selectionOf(q)
	if last != nil {
		s.after(q, last)
	}
	sql := selectTransaction + s.where() + orderBy(q) + fmt.Sprintf(` LIMIT %d`, scanPart)
	err = db.readLong(ctx, "scan transactions", func(c *sqlite.Conn) error {
		return eachOnce(c, sql, s.bind, func(r *row) error {
			part = append(part, leyden.Transaction{})
			return r.transaction(&part[len(part)-1])
		})
	})
	return part, err
}

// after restricts s to what q sorts behind t.
func (s *selection) after(q *leyden.Query, t *leyden.Transaction) {
	than := ` < `
	if q.Ascending {
		than = ` > `
	}
	times := map[leyden.Order]time.Time{
		leyden.ByStart: t.StartedAt, leyden.ByStop: t.StoppedAt, leyden.ByInserted: t.InsertedAt,
	}
	column := orderColumn(q.Order)
	if column == `` {
		s.add(`id`+than+`?`, integer(int64(t.ID)))
		return
	}
	place := int64(math.MaxInt64)
	if known := times[q.Order]; !known.IsZero() {
		place = known.UnixMicro()
	}
	s.add(`(`+column+`, id)`+than+`(?, ?)`, integer(place), integer(int64(t.ID)))
}
