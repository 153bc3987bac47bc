package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// read calls f with a connection that only reads. Each statement of f sees one
// snapshot, which holds everything that was committed before.
func (db *DB) read(ctx context.Context, what string, f func(*sqlite.Conn) error) error {
	return db.borrow(ctx, what, func(r *reader) error { return f(r.Conn) })
}

func (db *DB) borrow(ctx context.Context, what string, f func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var r *reader
	select {
	case r = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.readers <- r }()
	if r == nil {
		return errClosed
	}
	return outward(ctx, what, f(r))
}

// readLong is read for what may take long: it is interrupted when ctx ends, and
// all of f sees one snapshot.
func (db *DB) readLong(ctx context.Context, what string, f func(*sqlite.Conn) error) error {
	const begin = `BEGIN`
	return db.borrow(ctx, what, func(r *reader) error {
		end := r.heed(ctx)
		err := exec(r.Conn, begin, nil)
		if err == nil {
			err = f(r.Conn)
		}
		end()
		if r.AutocommitEnabled() {
			return err
		}
		if backErr := exec(r.Conn, rollbackAll, nil); err == nil {
			err = backErr
		}
		return err
	})
}

// A reader is a connection that only reads.
type reader struct {
	*sqlite.Conn
	cut chan struct{} // closed: what it runs is interrupted
}

func newReader(c *sqlite.Conn) *reader {
	r := &reader{Conn: c}
	r.renew()
	return r
}

// renew lets r run on after it was interrupted. The engine has a goroutine wait for
// each channel: to change it for every read would cost more than most reads do, and
// hold the connection while that goroutine waits for a processor.
func (r *reader) renew() {
	r.cut = make(chan struct{})
	r.SetInterrupt(r.cut)
}

// heed has r interrupted when ctx ends, until what it returns is called.
func (r *reader) heed(ctx context.Context) (end func()) {
	stop := context.AfterFunc(ctx, func() { close(r.cut) })
	return func() {
		if !stop() {
			<-r.cut
			r.renew()
		}
	}
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
