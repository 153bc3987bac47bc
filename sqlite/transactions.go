package sqlite

import (
	"context"
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

const lastOn = selectTransaction + `
WHERE station = ?1 AND connector = ?2 AND start_key IS NOT NULL ORDER BY id DESC LIMIT 1`

// LastOn implements [leyden.Store].
func (db *DB) LastOn(ctx context.Context, s leyden.StationID, connector int) (t leyden.Transaction, err error) {
	if err := db.settledOf(ctx, s); err != nil {
		return t, outward(ctx, "last transaction", err)
	}
	return db.readTransaction(ctx, lastOn, func(b *binder) {
		b.text(string(s))
		b.int(int64(connector))
	})
}

func (db *DB) transaction(ctx context.Context, sql string, bind func(*binder)) (t leyden.Transaction, err error) {
	if err := db.settledOrOld(ctx); err != nil {
		return t, outward(ctx, "transaction", err)
	}
	return db.readTransaction(ctx, sql, bind)
}

func (db *DB) readTransaction(ctx context.Context, sql string, bind func(*binder)) (t leyden.Transaction, err error) {
	err = db.read(ctx, "transaction", func(c *sqlite.Conn) error {
		return one(c, sql, bind, func(r *row) error { return r.transaction(&t, false) })
	})
	return t, err
}

// The limit is [leyden.MaxWorking]. SQLite compiles a statement anew for each
// value of a LIMIT that is a parameter, which takes longer than this one runs.
const working = selectTransaction + `
WHERE id IN (
  SELECT id FROM transactions WHERE station = ?1 AND status IN (1, 2, 3)
  UNION
  SELECT id FROM transactions WHERE station = ?1 AND start_key IS NULL AND updated_at >= ?2
  ORDER BY id DESC LIMIT 1000)
ORDER BY id`

// Working implements [leyden.Store].
func (db *DB) Working(ctx context.Context, s leyden.StationID, since time.Time) ([]leyden.Transaction, error) {
	if err := db.settledOf(ctx, s); err != nil {
		return nil, outward(ctx, "working transactions", err)
	}
	return db.list(ctx, "working transactions", working, func(b *binder) {
		b.text(string(s))
		b.int(since.UnixMicro())
	})
}

const due = selectTransaction + `WHERE due_at <= ?1 ORDER BY due_at, id LIMIT (?2 + 0)`

// Due implements [leyden.Store].
func (db *DB) Due(ctx context.Context, now time.Time, limit int) ([]leyden.Transaction, error) {
	if err := db.settled(ctx); err != nil {
		return nil, outward(ctx, "due transactions", err)
	}
	return db.list(ctx, "due transactions", due, func(b *binder) {
		b.int(now.UnixMicro())
		b.int(int64(limit))
	})
}

func (db *DB) list(ctx context.Context, what, sql string, bind func(*binder)) (found []leyden.Transaction, err error) {
	err = db.read(ctx, what, func(c *sqlite.Conn) error {
		return each(c, sql, bind, into(&found))
	})
	return found, err
}

const openWith = `
SELECT count(*) FROM transactions WHERE status IN (2, 3) AND token_fold IN (
  SELECT ?1
  UNION
  SELECT fold FROM tokens WHERE parent_fold = ?1)`

// OpenWith implements [leyden.Store].
func (db *DB) OpenWith(ctx context.Context, folded string) (int, error) {
	if err := db.settled(ctx); err != nil {
		return 0, outward(ctx, "open transactions of a token", err)
	}
	var n int64
	err := db.read(ctx, "open transactions of a token", func(c *sqlite.Conn) (err error) {
		n, err = number(c, openWith, func(b *binder) { b.text(folded) })
		return err
	})
	return int(n), err
}
