package sqlite

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

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

func countFrom(c *sqlite.Conn, s *selection) (n int64, err error) {
	err = eachOnce(c, `SELECT count(*) `+s.from(), s.bind, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}

// countSome counts what s selects, and no further than most.
func countSome(c *sqlite.Conn, s *selection, most int) (n int64, err error) {
	sql := `SELECT count(*) FROM (SELECT 1 ` + s.from() + ` LIMIT (? + 0))`
	err = eachOnce(c, sql, func(b *binder) {
		s.bind(b)
		b.int(int64(most))
	}, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}
