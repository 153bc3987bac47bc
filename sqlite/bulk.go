package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// Bulk calls fill, which may append very much, without the indexes of lists and
// the tallies; afterwards it makes them. Meanwhile lists cannot be read. If it does
// not come to its end, neither can they be later: another Bulk makes it good.
func (db *DB) Bulk(ctx context.Context, fill func() error) error {
	if err := db.serving(); err != nil {
		return err
	}
	if err := db.write(ctx, "prepare for much", dropIndexes); err != nil {
		return err
	}
	db.writer.bulk.Store(true)
	err := fill()
	db.writer.bulk.Store(false)
	if err != nil {
		return err
	}
	return db.restoreIndexes(ctx)
}

// bulkIndexes holds the statements that make the indexes anew.
const bulkIndexes = `CREATE TABLE IF NOT EXISTS bulk_indexes (sql TEXT PRIMARY KEY) STRICT`

// dropIndexes drops the indexes of transactions that are there, and remembers them.
func dropIndexes(t *tx) error {
	const (
		there    = `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'transactions' AND sql IS NOT NULL`
		remember = `INSERT INTO bulk_indexes (sql) VALUES (?1)`
		untally  = `UPDATE meta SET value = 0 WHERE name = 'tallied'`
	)
	if err := exec(t.c, bulkIndexes, nil); err != nil {
		return err
	}
	var names, made []string
	err := each(t.c, there, nil, func(r *row) error {
		names, made = append(names, r.text()), append(made, r.text())
		return nil
	})
	for i := range names {
		err = errors.Join(err, exec(t.c, remember, func(b *binder) { b.text(made[i]) }))
		err = errors.Join(err, eachOnce(t.c, fmt.Sprintf(`DROP INDEX %q`, names[i]), nil, nil))
	}
	return errors.Join(err, exec(t.c, untally, nil))
}

// restoreIndexes makes the indexes anew, each in a commit of its own, and counts.
func (db *DB) restoreIndexes(ctx context.Context) error {
	const (
		next   = `SELECT sql FROM bulk_indexes LIMIT 1`
		made   = `DELETE FROM bulk_indexes WHERE sql = ?1`
		forget = `DROP TABLE bulk_indexes`
	)
	for left := true; left; {
		err := db.write(ctx, "make an index", func(t *tx) error {
			var sql string
			err := each(t.c, next, nil, func(r *row) error {
				sql = r.text()
				return nil
			})
			if left = sql != ""; err != nil || !left {
				return err
			}
			db.opt.Log.Debug("making an index", "sql", sql)
			return errors.Join(eachOnce(t.c, sql, nil, nil), exec(t.c, made, func(b *binder) { b.text(sql) }))
		})
		if err != nil {
			return err
		}
	}
	return db.write(ctx, "count", func(t *tx) error {
		return errors.Join(recount(t.c, db.opt.Log), eachOnce(t.c, forget, nil, nil))
	})
}
