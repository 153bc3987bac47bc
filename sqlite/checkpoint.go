package sqlite

import (
	"log/slog"
	"time"

	"zombiezen.com/go/sqlite"
)

// The write-ahead log is copied into the database on a connection of its own,
// so that no commit waits for it; with a writer that never rests the log would
// then never begin anew, so at the hard bound commits wait once for the rest.
const (
	pageSize     = 4096
	softLogPages = 16 << 20 / pageSize
	hardLogPages = 128 << 20 / pageSize
	// readersTimeout is how long the log waits for readers before it begins anew.
	// Commits wait as long.
	readersTimeout = 200 * time.Millisecond
)

// A checkpointer copies the write-ahead log into the database.
type checkpointer struct {
	conn  *sqlite.Conn
	gate  *gate
	fault func(error) // told of all that fails
	stats *counters
	log   *slog.Logger
	soft  int64 // bounds, in pages
	hard  int64
	wake  chan struct{}
	gone  chan struct{}
}

func newCheckpointer(c *sqlite.Conn, db *DB) *checkpointer {
	return &checkpointer{
		conn: c, gate: &db.gate, fault: db.noteFault, stats: db.stats, log: db.opt.Log, soft: db.opt.softPages, hard: db.opt.hardPages,
		wake: make(chan struct{}, 1), gone: make(chan struct{}),
	}
}

// notice looks at the log after a commit, on the writer's connection.
func (p *checkpointer) notice(c *sqlite.Conn) {
	const look = `PRAGMA wal_checkpoint(NOOP)`
	pages, copied, err := p.checkpoint(c, look)
	if err != nil {
		p.fault(err)
		return // the next commit looks again
	}
	p.stats.logBytes.Store(pages * pageSize)
	if pages-copied < p.soft && pages < p.hard {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// loop copies whenever it is woken, until close.
func (p *checkpointer) loop() {
	const (
		passive  = `PRAGMA wal_checkpoint(PASSIVE)`  // disturbs nobody, and copies what readers allow
		truncate = `PRAGMA wal_checkpoint(TRUNCATE)` // waits for readers, and the writer waits for it
	)
	defer close(p.gone)
	hard := p.hard
	for range p.wake {
		pages, _, err := p.checkpoint(p.conn, passive)
		if err == nil && pages >= hard {
			// If a long reader is in the way, the next try comes a step later.
			hard = pages + p.soft
			p.gate.mu.Lock()
			pages, _, err = p.checkpoint(p.conn, truncate)
			p.gate.mu.Unlock()
		}
		if err != nil {
			p.fault(err)
			p.log.Warn("write-ahead log cannot be copied into the database", "err", err)
			continue
		}
		if pages < p.hard {
			hard = p.hard
		}
		p.stats.checkpoints.Add(1)
	}
}

// checkpoint returns the length of the log and how much of it is copied, in pages.
func (p *checkpointer) checkpoint(c *sqlite.Conn, sql string) (pages, copied int64, err error) {
	err = one(c, sql, nil, func(r *row) error {
		r.int() // whether something was in the way
		pages, copied = r.int(), r.int()
		return nil
	})
	return pages, copied, err
}

func (p *checkpointer) close() error {
	close(p.wake)
	<-p.gone
	return p.conn.Close()
}
