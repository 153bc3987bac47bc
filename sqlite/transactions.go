package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

const selectTransaction = `SELECT ` + transactionColumns + ` FROM transactions `

// Transaction implements [leyden.Store].
func (db *DB) Transaction(ctx context.Context, id leyden.TransactionID) (leyden.Transaction, error) {
	const query = selectTransaction + `WHERE id = ?1`
	return db.transaction(ctx, query, func(b *binder) { b.int(int64(id)) })
}

// ByPublicID implements [leyden.Store].
func (db *DB) ByPublicID(ctx context.Context, id string) (leyden.Transaction, error) {
	const query = selectTransaction + `WHERE public_id = ?1`
	return db.transaction(ctx, query, func(b *binder) { b.text(id) })
}

// LastOn implements [leyden.Store].
func (db *DB) LastOn(ctx context.Context, s leyden.StationID, connector int) (leyden.Transaction, error) {
	const query = selectTransaction + `
WHERE station = ?1 AND connector = ?2 AND start_key IS NOT NULL ORDER BY id DESC LIMIT 1`
	return db.transaction(ctx, query, func(b *binder) {
		b.text(string(s))
		b.int(int64(connector))
	})
}

func (db *DB) transaction(ctx context.Context, sql string, bind func(*binder)) (t leyden.Transaction, err error) {
	err = db.read(ctx, "transaction", func(c *sqlite.Conn) error {
		return one(c, sql, bind, func(r *row) error { return r.transaction(&t) })
	})
	return t, err
}

// Working implements [leyden.Store].
func (db *DB) Working(ctx context.Context, s leyden.StationID, since time.Time) ([]leyden.Transaction, error) {
	const query = selectTransaction + `
WHERE id IN (
  SELECT id FROM transactions WHERE station = ?1 AND status IN (1, 2, 3)
  UNION
  SELECT id FROM transactions WHERE station = ?1 AND start_key IS NULL AND updated_at >= ?2
  ORDER BY id DESC LIMIT ?3)
ORDER BY id`
	return db.list(ctx, "working transactions", query, func(b *binder) {
		b.text(string(s))
		b.int(since.UnixMicro())
		b.int(leyden.MaxWorking)
	})
}

// Due implements [leyden.Store].
func (db *DB) Due(ctx context.Context, now time.Time, limit int) ([]leyden.Transaction, error) {
	const query = selectTransaction + `WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2`
	return db.list(ctx, "due transactions", query, func(b *binder) {
		b.int(now.UnixMicro())
		b.int(int64(limit))
	})
}

func (db *DB) list(ctx context.Context, what, sql string, bind func(*binder)) (found []leyden.Transaction, err error) {
	err = db.read(ctx, what, func(c *sqlite.Conn) error {
		return each(c, sql, bind, func(r *row) error {
			found = append(found, leyden.Transaction{})
			return r.transaction(&found[len(found)-1])
		})
	})
	return found, err
}

// OpenWith implements [leyden.Store].
func (db *DB) OpenWith(ctx context.Context, folded string) (int, error) {
	const query = `SELECT count(*) FROM transactions WHERE token_fold = ?1 AND status IN (2, 3)`
	var n int64
	err := db.read(ctx, "open transactions of a token", func(c *sqlite.Conn) (err error) {
		n, err = number(c, query, func(b *binder) { b.text(folded) })
		return err
	})
	return int(n), err
}

// Transactions implements [leyden.Store].
func (db *DB) Transactions(ctx context.Context, q leyden.Query) (leyden.Page, error) {
	db.await(q)
	var page leyden.Page
	err := db.readLong(ctx, "transactions", func(c *sqlite.Conn) error {
		s := selectionOf(&q)
		limit := q.Limit
		if limit == 0 {
			limit = -1 // SQLite: none
		}
		sql := selectTransaction + s.where() + orderBy(&q) + fmt.Sprintf(` LIMIT %d OFFSET %d`, limit, max(q.Offset, 0))
		err := eachOnce(c, sql, s.bind, func(r *row) error {
			page.Transactions = append(page.Transactions, leyden.Transaction{})
			return r.transaction(&page.Transactions[len(page.Transactions)-1])
		})
		if err != nil {
			return err
		}
		page.Total, err = count(c, &q)
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

// count counts what q selects. All but Void is counted as all, less those that
// are Void: an index tells both, while a look at every row's status is slow.
func count(c *sqlite.Conn, q *leyden.Query) (int, error) {
	if len(q.Statuses) > 0 || q.Charged {
		n, err := countWhere(c, selectionOf(q))
		return int(n), err
	}
	all := filtersOf(q)
	void := filtersOf(q)
	void.add(statusIs([]leyden.Status{leyden.Void}))
	n, err := countWhere(c, all)
	if err != nil {
		return 0, err
	}
	less, err := countWhere(c, void)
	return int(n - less), err
}

func countWhere(c *sqlite.Conn, s *selection) (n int64, err error) {
	err = eachOnce(c, `SELECT count(*) FROM transactions `+s.where(), s.bind, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}
