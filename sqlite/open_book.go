package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"leyden/daybook"
)

// openBook opens the daybook and posts what it has more than the tables. Who does not
// serve does so only for a server that has ended, and leaves the daybook then.
func (db *DB) openBook() (err error) {
	if !db.opt.Serve {
		if db.lock == nil {
			return nil
		}
		defer func() {
			err = errors.Join(err, db.closeBook(), db.unlock())
			db.book = nil
		}()
	}
	const posted = `SELECT value FROM meta WHERE name = 'posted'`
	after, err := number(db.writer.conn, posted, nil)
	if err != nil {
		return err
	}
	book, err := daybook.Open(daybook.Options{Dir: filepath.Dir(db.file), After: uint64(after), Disk: db.opt.disk})
	if err != nil {
		return err
	}
	read, err := db.openReader()
	if err != nil {
		return errors.Join(err, book.Close())
	}
	db.book = newBookkeeper(db, book, read, uint64(after))
	if err := db.recover(); err != nil {
		return errors.Join(fmt.Errorf("post what stands in the daybook: %w", err), db.closeBook())
	}
	return nil
}

// recover posts what the daybook has more than the tables.
func (db *DB) recover() error {
	k := db.book
	err := k.book.Replay(k.posted, func(n uint64, entries []byte) error {
		k.pending = append(k.pending, record{n, bytes.Clone(entries)})
		k.unposted += len(entries)
		k.last = n
		return nil
	})
	if err != nil || len(k.pending) == 0 {
		return err
	}
	db.opt.Log.Info("posting what stands in the daybook", "records", len(k.pending), "bytes", k.unposted)
	return db.writer.post(true)
}

// closeBook closes the daybook, whose bookkeeper has ended.
func (db *DB) closeBook() error {
	if db.book == nil {
		return nil
	}
	return errors.Join(db.book.book.Close(), db.book.read.Close())
}
