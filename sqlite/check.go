package sqlite

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// Ready returns why the database cannot write, or nil. After a commit that
// failed it tries one: when the disk is well again, the next Ready says so, also
// if nobody writes meanwhile.
func (db *DB) Ready(ctx context.Context) error {
	const probe = `UPDATE meta SET value = ?1 WHERE name = 'probe'`
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-db.writer.stop:
		return errClosed
	default:
	}
	if err := db.refusal(); err != nil {
		return err
	}
	if k := db.book; k != nil && k.err.Load() != nil { // an entry of nothing, through the daybook
		if err := db.Append(ctx, &leyden.Entry{Station: "probe", Fresh: true}); err != nil {
			return err
		}
	}
	if db.writer.err.Load() == nil && (db.book == nil || db.book.failing() == nil) {
		return nil
	}
	return db.write(ctx, "storage", func(t *tx) error {
		return exec(t.c, probe, func(b *binder) { b.int(t.now) })
	})
}

// EachTransaction yields all transactions, also void ones, by number and in
// constant memory.
func (db *DB) EachTransaction(ctx context.Context) iter.Seq2[leyden.Transaction, error] {
	var all []leyden.Status
	for s := leyden.Pending; s <= leyden.Void; s++ {
		all = append(all, s)
	}
	return db.Scan(ctx, leyden.Query{Statuses: all, Ascending: true})
}

// IntegrityCheck reads the whole file and returns the first thing that is
// broken in it, or nil. What rows say is for Verify.
func (db *DB) IntegrityCheck(ctx context.Context) error {
	const (
		check  = `PRAGMA integrity_check(1)`
		unused = `
SELECT r.id, r.station, r.transaction_id FROM reservations AS r
WHERE r.transaction_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM transactions AS t WHERE t.id = r.transaction_id AND t.station = r.station)
LIMIT 1`
	)
	if err := db.settled(ctx); err != nil {
		return outward(ctx, "check", err)
	}
	err := db.readLong(ctx, "check", func(c *sqlite.Conn) error {
		err := each(c, check, nil, func(r *row) error {
			if text := r.text(); text != "ok" {
				return &failure{fmt.Errorf("the file is damaged: %s", text)}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return each(c, unused, nil, func(r *row) error {
			return &failure{fmt.Errorf("reservation %d of %s was used by transaction %d, which is not there", r.int(), r.text(), r.int())}
		})
	})
	if err != nil {
		return err
	}
	return db.checkTallies(ctx)
}
