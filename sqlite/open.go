// Package sqlite keeps the ledger, the registry, credentials and what is known of
// stations apart from charging in one SQLite file, leyden.db in the data folder.
//
// What a method has written is on disk when it returns: the file is in WAL mode
// with synchronous=FULL. One connection writes; changes that arrive while it
// commits share the next commit. What reads goes to a few connections of their
// own, each statement on a snapshot of everything committed so far. An entry
// that is refused, or that breaks a rule of the schema, harms none of those it
// shares a commit with; when the disk fails or is full, all of them fail with
// [leyden.ErrUnavailable], and nothing of them is written. With a full disk the
// next commit tries again. Once a disk has failed, this process writes nothing
// any more ([DB.Broken]); the next one reads everything from the disk anew.
//
// One process may open a folder with Options.Serve: it alone appends to the
// ledger and draws numbers. Others may read beside it, and write the registry
// and credentials. The promise of a Query about Inserted holds in the serving
// process only: elsewhere it is answered from what is committed.
//
// The file is described in docs/formats/sqlite.md.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/auth"
	"leyden/daybook"
)

var (
	_ leyden.Store    = (*DB)(nil)
	_ leyden.Registry = (*DB)(nil)
	_ auth.Store      = (*DB)(nil)
)

const (
	// FileName is the name of the database in a data folder.
	FileName = "leyden.db"
	// lockName is the name of the file that a serving process holds.
	lockName = "leyden.lock"
	// minVersion is the first SQLite without a fault by which a commit and a
	// checkpoint that begin together can lose a part of the write-ahead log
	// (https://www.sqlite.org/wal.html#walresetbug), as SQLite counts versions.
	minVersion = 3_051_003
	// maxReaders bounds the connections that read.
	maxReaders = 4
)

// Options say how a database is opened.
type Options struct {
	Path  string           // the data folder, made when it is not there; or the file itself, if it ends in .db
	Serve bool             // append to the ledger; only one process may
	Now   func() time.Time // nil: [time.Now]
	Log   *slog.Logger     // nil: [slog.Default]

	softPages, hardPages int64        // see checkpoint.go
	sizes                sizes        // see query.go
	disk                 daybook.Disk // of the daybook; nil: the file system
}

// A DB implements [leyden.Store], [leyden.Registry], [auth.Store] and
// [device.Store]. It is safe for concurrent use.
type DB struct {
	opt  Options
	file string
	lock *os.File // held by the serving process

	writer       *writer
	book         *bookkeeper  // nil unless this process serves
	readers      chan *reader // nil ones once it is closed
	checkpointer *checkpointer
	gate         gate
	numbers      numbers
	stats        *counters
	broken       breakage
	recent       tokenCache
	stations     stationCache
	closing      func() error // close, once

	onNotices atomic.Pointer[func(last int64)] // see OnNotices
}

// Open opens the database in a data folder, and makes it when there is none.
func Open(ctx context.Context, opt Options) (*DB, error) {
	if err := checkEngine(sqlite.VersionNumber, sqlite.Version); err != nil {
		return nil, err
	}
	opt.Log = cmp.Or(opt.Log, slog.Default())
	opt.softPages, opt.hardPages = cmp.Or(opt.softPages, softLogPages), cmp.Or(opt.hardPages, hardLogPages)
	opt.sizes = cmp.Or(opt.sizes, usualSizes())
	if opt.Now == nil {
		opt.Now = time.Now
	}
	db := &DB{opt: opt, file: opt.Path, stats: newCounters(), numbers: newNumbers(), broken: breakage{done: make(chan struct{})}}
	if !strings.HasSuffix(opt.Path, ".db") {
		db.file = filepath.Join(opt.Path, FileName)
	}
	if err := db.prepareFolder(); err != nil {
		return nil, err
	}
	if err := db.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", db.file, unreadable(err)), db.unlock())
	}
	db.closing = sync.OnceValue(db.close)
	if db.book != nil {
		go db.book.loop()
	}
	go db.writer.loop()
	go db.checkpointer.loop()
	return db, nil
}

// unreadable says what to do with a file that the engine cannot read.
func unreadable(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultNotADB, sqlite.ResultCorrupt:
		return fmt.Errorf("it is damaged or no ledger; restore a backup, or name another data folder: %w", err)
	}
	return err
}

func checkEngine(number int, version string) error {
	if number < minVersion {
		return fmt.Errorf("this leyden was built with SQLite %s, which can lose commits; it needs %d.%d.%d or later",
			version, minVersion/1_000_000, minVersion/1000%1000, minVersion%1000)
	}
	return nil
}

// prepareFolder makes the folder and an empty file that only we may read: it
// holds hashes of secrets, and SQLite gives its own files the same mode.
func (db *DB) prepareFolder() error {
	if err := os.MkdirAll(filepath.Dir(db.file), 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := db.begin(); err != nil {
		return errors.Join(err, db.unlock())
	}
	f, err := os.OpenFile(db.file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("database: %w", err), db.unlock())
	}
	return f.Close()
}

// begin takes the lock and sees to it that all is read from the disk. Who does not
// serve does so as well when a server has left a daybook that it may not have posted:
// if another process serves, that is its business.
func (db *DB) begin() error {
	if db.opt.Serve {
		if err := db.takeLock(); err != nil {
			return err
		}
		return db.freshen()
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(db.file), "daybook-*"))
	if err != nil || len(left) == 0 || db.takeLock() != nil {
		return err
	}
	return db.freshen()
}

// takeLock makes this process the one that serves from the folder.
func (db *DB) takeLock() error {
	f, err := os.OpenFile(db.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock of the data folder: %w", err)
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return &ServedError{filepath.Dir(db.file)}
	}
	db.lock = f
	return nil
}

func (db *DB) unlock() error {
	if db.lock == nil {
		return nil
	}
	err := db.lock.Close()
	db.lock = nil
	return err
}

// connect opens all connections, and brings the schema up to date.
func (db *DB) connect(ctx context.Context) (err error) {
	var opened []*sqlite.Conn
	defer func() {
		for _, c := range opened {
			if err != nil {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	w, err := db.openWriter()
	if err != nil {
		return err
	}
	opened = append(opened, w)
	if err := db.upgrade(w); err != nil {
		return err
	}
	db.writer = &writer{
		db: db, conn: w, jobs: make(chan *job, maxBatch), wake: make(chan struct{}, 1),
		stop: make(chan struct{}), gone: make(chan struct{}),
	}
	c, err := db.openCheckpointer()
	if err != nil {
		return err
	}
	opened = append(opened, c)
	db.checkpointer = newCheckpointer(c, db)
	db.readers = make(chan *reader, max(2, min(maxReaders, runtime.NumCPU())))
	for range cap(db.readers) {
		r, err := db.openReader()
		if err != nil {
			return err
		}
		opened = append(opened, r)
		db.readers <- newReader(r)
	}
	if err := db.openBook(); err != nil {
		return err
	}
	last, err := lastStamp(w)
	if err != nil {
		return err
	}
	db.gate.pass(last)
	return ctx.Err()
}

// upgrade migrates the file, if it must be. Beside a running server of another
// version it must not.
func (db *DB) upgrade(c *sqlite.Conn) (err error) {
	_, scripts, err := ledgerSchema().pending(c, db.file)
	if err != nil || len(scripts) == 0 {
		return err
	}
	if db.lock == nil {
		if err := db.takeLock(); err != nil {
			return fmt.Errorf("its schema must be brought up to date: %w", err)
		}
		defer func() { err = errors.Join(err, db.unlock()) }()
	}
	return ledgerSchema().migrate(c, db.file, func(c *sqlite.Conn) error { return recount(c, db.opt.Log) })
}

// lastStamp returns the newest InsertedAt, 0 when there is none.
func lastStamp(c *sqlite.Conn) (newest int64, err error) {
	const (
		classes = `SELECT class FROM tallies WHERE axis = 0`
		last    = `
SELECT inserted_order FROM transactions INDEXED BY transactions_by_insertion
WHERE class = ?1 AND inserted_order < 9223372036854775807 ORDER BY inserted_order DESC LIMIT 1`
	)
	var all []int64
	err = each(c, classes, nil, func(r *row) error {
		all = append(all, r.int())
		return nil
	})
	for _, of := range all {
		if err != nil {
			return 0, err
		}
		err = each(c, last, func(b *binder) { b.int(of) }, func(r *row) error {
			newest = max(newest, r.int())
			return nil
		})
	}
	return newest, err
}

// openWriter opens a connection that writes, with settings that make a commit
// durable.
func (db *DB) openWriter() (*sqlite.Conn, error) {
	return openConn(db.file, sqlite.OpenReadWrite, []setting{
		{`PRAGMA journal_mode = WAL`, "wal"},
		{`PRAGMA synchronous = FULL`, ""},
		{`PRAGMA synchronous`, "2"},
		{`PRAGMA wal_autocheckpoint = 0`, "0"}, // see checkpoint.go
		{`PRAGMA cache_size = -65536`, ""},     // 64 MiB
		{`PRAGMA temp_store = MEMORY`, ""},
	})
}

func (db *DB) openCheckpointer() (*sqlite.Conn, error) {
	c, err := openConn(db.file, sqlite.OpenReadWrite, []setting{
		{`PRAGMA synchronous = FULL`, ""},
		{`PRAGMA wal_autocheckpoint = 0`, "0"},
	})
	if err == nil {
		c.SetBusyTimeout(readersTimeout)
	}
	return c, err
}

func (db *DB) openReader() (*sqlite.Conn, error) {
	return openConn(db.file, sqlite.OpenReadOnly, []setting{
		{`PRAGMA cache_size = -16384`, ""}, // 16 MiB
		{`PRAGMA temp_store = MEMORY`, ""},
	})
}

// A setting is a statement and the answer that it must give; "" is any.
type setting struct{ sql, want string }

func openConn(file string, flags sqlite.OpenFlags, settings []setting) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(file, flags)
	if err != nil {
		return nil, failed(err)
	}
	c.SetBusyTimeout(busyTimeout)
	for _, s := range settings {
		var got string
		err := eachOnce(c, s.sql, nil, func(r *row) error {
			got = r.text()
			return nil
		})
		if err == nil && s.want != "" && got != s.want {
			err = fmt.Errorf("%s: got %q, want %q", s.sql, got, s.want)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// now returns the time by our clock.
func (db *DB) now() time.Time { return db.opt.Now() }

// Close waits until everything that was submitted is committed, and closes the
// database. Later calls of other methods fail.
func (db *DB) Close() error { return db.closing() }

func (db *DB) close() error {
	if db.book != nil {
		db.book.stop()
	}
	db.writer.end()
	err := errors.Join(db.closeBook(), db.checkpointer.close())
	for i := range cap(db.readers) {
		c := <-db.readers
		if i == 0 && db.refusal() != nil {
			// With the last connection the engine would copy its log into the database,
			// as this process sees it. This one stays as long as the process.
			continue
		}
		err = errors.Join(err, c.Close())
	}
	for range cap(db.readers) {
		db.readers <- nil
	}
	err = errors.Join(err, db.writer.close())
	if err == nil {
		err = db.endWell()
	}
	return errors.Join(err, db.unlock())
}
