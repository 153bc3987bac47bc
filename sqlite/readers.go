package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// read calls f with a connection that only reads. Each statement of f sees one
// snapshot, which holds everything that was committed before.
func (db *DB) read(ctx context.Context, what string, f func(*sqlite.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *sqlite.Conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.readers <- c }()
	if c == nil {
		return errClosed
	}
	return outward(ctx, what, f(c))
}

// readLong is read for what may take long: it is interrupted when ctx ends, and
// all of f sees one snapshot.
func (db *DB) readLong(ctx context.Context, what string, f func(*sqlite.Conn) error) error {
	const begin = `BEGIN`
	return db.read(ctx, what, func(c *sqlite.Conn) error {
		c.SetInterrupt(ctx.Done())
		err := exec(c, begin, nil)
		if err == nil {
			err = f(c)
		}
		c.SetInterrupt(nil)
		if c.AutocommitEnabled() {
			return err
		}
		if backErr := exec(c, rollbackAll, nil); err == nil {
			err = backErr
		}
		return err
	})
}

// write runs a change that shares its commit with others.
func (db *DB) write(ctx context.Context, what string, run func(*tx) error) error {
	return outward(ctx, what, db.writer.submit(ctx, &job{run: run}))
}

// serving fails unless this process may write the ledger.
func (db *DB) serving() error {
	if db.opt.Serve {
		return nil
	}
	return errNotServing
}

var _ leyden.Store = (*DB)(nil)
