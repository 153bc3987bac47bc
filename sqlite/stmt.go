package sqlite

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// exec runs a statement that returns no rows.
func exec(c *sqlite.Conn, sql string, bind func(*binder)) error {
	return each(c, sql, bind, func(*row) error { return nil })
}

// each runs a statement and calls f for every row, until f fails. The statement
// stays prepared, but SQLite plans one anew for each value of a LIMIT that is a
// parameter alone: it is (? + 0) everywhere.
func each(c *sqlite.Conn, sql string, bind func(*binder), f func(*row) error) error {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return failed(err)
	}
	return step(stmt, bind, f)
}

// eachOnce is each for a statement that was put together for one question.
func eachOnce(c *sqlite.Conn, sql string, bind func(*binder), f func(*row) error) error {
	stmt, _, err := c.PrepareTransient(sql)
	if err != nil {
		return failed(err)
	}
	err = step(stmt, bind, f)
	if finalErr := stmt.Finalize(); err == nil {
		err = failed(finalErr)
	}
	return err
}

func step(stmt *sqlite.Stmt, bind func(*binder), f func(*row) error) error {
	s := steps.Get().(*stepping)
	defer func() {
		*s = stepping{}
		steps.Put(s)
	}()
	if bind != nil {
		s.binder.stmt = stmt
		bind(&s.binder)
	}
	for {
		more, err := stmt.Step()
		if err != nil {
			return failed(err) // the statement has been reset
		}
		if !more {
			return nil // it holds no lock any more; Prepare resets it
		}
		s.row = row{stmt: stmt}
		if err := f(&s.row); err != nil {
			if resetErr := stmt.Reset(); resetErr != nil {
				return failed(resetErr)
			}
			return err
		}
	}
}

// A stepping is what a statement needs that runs.
type stepping struct {
	binder binder
	row    row
}

// steps keeps those that are free.
var steps = sync.Pool{New: func() any { return new(stepping) }}

// one runs a statement and wants a row: otherwise ErrNotFound.
func one(c *sqlite.Conn, sql string, bind func(*binder), f func(*row) error) error {
	found := false
	err := each(c, sql, bind, func(r *row) error {
		found = true
		return f(r)
	})
	if err == nil && !found {
		return leyden.ErrNotFound
	}
	return err
}

// number runs a statement that returns one integer.
func number(c *sqlite.Conn, sql string, bind func(*binder)) (n int64, err error) {
	err = one(c, sql, bind, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}

// A binder binds parameters ?1, ?2 … in order. A statement begins with all of
// them NULL, which is how unknown values are stored.
type binder struct {
	stmt *sqlite.Stmt
	i    int
}

func (b *binder) int(v int64) {
	b.i++
	b.stmt.BindInt64(b.i, v)
}

func (b *binder) bool(v bool) {
	b.i++
	b.stmt.BindBool(b.i, v)
}

// text binds v; "" is NULL.
func (b *binder) text(v string) {
	b.i++
	if v != "" {
		b.stmt.BindText(b.i, v)
	}
}

// whole binds v; "" is an empty text.
func (b *binder) whole(v string) {
	b.i++
	b.stmt.BindText(b.i, v)
}

// time binds v in microseconds; the zero time is NULL.
func (b *binder) time(v time.Time) {
	b.i++
	if !v.IsZero() {
		b.stmt.BindInt64(b.i, v.UnixMicro())
	}
}

func (b *binder) optInt(v *int) {
	b.i++
	if v != nil {
		b.stmt.BindInt64(b.i, int64(*v))
	}
}

func (b *binder) bytes(v []byte) {
	b.i++
	b.stmt.BindBytes(b.i, v)
}

// A row reads the columns of a result in order.
type row struct {
	stmt *sqlite.Stmt
	i    int
}

func (r *row) next() int {
	r.i++
	return r.i - 1
}

func (r *row) int() int64     { return r.stmt.ColumnInt64(r.next()) }
func (r *row) bool() bool     { return r.stmt.ColumnInt64(r.next()) != 0 }
func (r *row) text() string   { return r.stmt.ColumnText(r.next()) }
func (r *row) isNull() bool   { return r.stmt.ColumnIsNull(r.i) } // the next column
func (r *row) bytes(b []byte) { r.stmt.ColumnBytes(r.next(), b) }

func (r *row) time() time.Time {
	if r.isNull() {
		r.i++
		return time.Time{}
	}
	return time.UnixMicro(r.int()).UTC()
}

func (r *row) wattHours() *leyden.WattHours {
	if r.isNull() {
		r.i++
		return nil
	}
	return new(leyden.WattHours(r.int()))
}

func (r *row) optInt() *int {
	if r.isNull() {
		r.i++
		return nil
	}
	return new(int(r.int()))
}

func (r *row) float() *float64 {
	if r.isNull() {
		r.i++
		return nil
	}
	return new(r.stmt.ColumnFloat(r.next()))
}

// toJSON fails for what JSON cannot say, a year beyond 9999 for one.
func toJSON(to *string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", leyden.ErrInvalid, err)
	}
	*to = string(text)
	return nil
}
