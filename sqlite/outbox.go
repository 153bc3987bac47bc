package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/feed"
)

var _ feed.Store = (*DB)(nil)

// insertNotice writes the notice that s has next.
func (t *tx) insertNotice(s *scanner) error {
	const insert = `
INSERT INTO outbox (topic, transaction_id, station, version, at, state, detail, inserted_at, quarantine_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	err := exec(t.c, insert, func(b *binder) {
		for range 9 {
			b.take(s)
		}
	})
	t.noticed = t.c.LastInsertRowID()
	return err
}

// A noticeHead says what a notice is about.
type noticeHead struct {
	topic                string
	transaction, version int64
}

// notice reads the notice that s has next.
func (s *scanner) notice() (n noticeHead) {
	n.topic, n.transaction = s.text(), s.int()
	s.next()
	n.version = s.int()
	for range 5 {
		s.next()
	}
	return n
}

// The oldest notice that is kept, and the newest that ever was.
const (
	oldestNotice = `SELECT ifnull(min(seq), 0) FROM outbox`
	newestNotice = `SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'`
)

func noticeBounds(c *sqlite.Conn) (oldest, last int64, err error) {
	if last, err = number(c, newestNotice, nil); err != nil {
		return 0, 0, err
	}
	oldest, err = number(c, oldestNotice, nil)
	if oldest == 0 {
		oldest = last + 1
	}
	return oldest, last, err
}

// NoticeBounds implements [feed.Store].
func (db *DB) NoticeBounds(ctx context.Context) (oldest, last int64, err error) {
	if err := db.settledSoon(ctx); err != nil {
		return 0, 0, outward(ctx, "bounds of notices", err)
	}
	err = db.readLong(ctx, "bounds of notices", func(c *sqlite.Conn) (err error) {
		oldest, last, err = noticeBounds(c)
		return err
	})
	return oldest, last, err
}

// errEnough ends the reading of notices.
var errEnough = errors.New("enough")

const notices = `
SELECT seq, topic, station, transaction_id, version, at, quarantine_id, inserted_at, state, detail FROM outbox
WHERE seq > ?1 ORDER BY seq`

// Notices implements [feed.Store].
func (db *DB) Notices(ctx context.Context, q feed.Query) (page feed.Page, err error) {
	if err := db.settledSoon(ctx); err != nil {
		return page, outward(ctx, "notices", err)
	}
	err = db.readLong(ctx, "notices", func(c *sqlite.Conn) error {
		oldest, last, err := noticeBounds(c)
		if err != nil {
			return err
		}
		if q.After, err = feed.Begin(q.After, oldest, last); err != nil {
			return err
		}
		found := feed.NewCollector(q)
		err = each(c, notices, func(b *binder) { b.int(q.After) }, func(r *row) error {
			if found.Full() {
				return errEnough
			}
			if n := r.noticeHead(); found.Look(n) {
				return r.noticeRest(found.Newest())
			}
			return nil
		})
		page = found.Page(last)
		return ignoring(err, errEnough)
	})
	return page, err
}

func (r *row) noticeHead() leyden.Notice {
	return leyden.Notice{
		Seq: r.int(), Topic: r.text(), Station: leyden.StationID(r.text()), Transaction: leyden.TransactionID(r.int()),
		Version: int(r.int()), At: r.time(), Quarantined: r.int(),
	}
}

// noticeRest reads what only the notices that were selected need.
func (r *row) noticeRest(n *leyden.Notice) error {
	inserted := r.time()
	if state := r.text(); state != "" {
		n.State = &leyden.Transaction{}
		if err := fromJSON(state, n.State); err != nil {
			return fmt.Errorf("state in notice %d: %w", n.Seq, err)
		}
		if !inserted.IsZero() {
			n.State.InsertedAt = inserted
		}
		if err := checkRead(n.State); err != nil {
			return fmt.Errorf("state in notice %d: %w", n.Seq, err)
		}
	}
	if detail := r.text(); detail != "" {
		n.Detail = &leyden.NoticeDetail{}
		if err := fromJSON(detail, n.Detail); err != nil {
			return fmt.Errorf("detail in notice %d: %w", n.Seq, err)
		}
	}
	return nil
}

// ForgetNotices implements [feed.Store].
func (db *DB) ForgetNotices(ctx context.Context, before time.Time, keepAfter int64, limit int) (n int, err error) {
	const (
		oldest = `SELECT seq, at FROM outbox WHERE seq <= ?1 ORDER BY seq`
		forget = `DELETE FROM outbox WHERE seq <= ?1`
	)
	err = db.write(ctx, "forget notices", func(t *tx) error {
		n = 0
		last := int64(0)
		err := each(t.c, oldest, func(b *binder) { b.int(keepAfter) }, func(r *row) error {
			seq, at := r.int(), r.time()
			if n >= limit || !at.Before(before) {
				return errEnough
			}
			n, last = n+1, seq
			return nil
		})
		if err = ignoring(err, errEnough); err != nil || n == 0 {
			return err
		}
		return exec(t.c, forget, func(b *binder) { b.int(last) })
	})
	return n, err
}

// OnNotices implements [feed.Store].
func (db *DB) OnNotices(f func(last int64)) { db.onNotices.Store(&f) }

// tellNotices tells who follows that there are notices up to last; 0 is none.
func (db *DB) tellNotices(last int64) {
	if f := db.onNotices.Load(); last > 0 && f != nil {
		(*f)(last)
	}
}

// ignoring returns err, unless it is what is ignored.
func ignoring(err, ignored error) error {
	if errors.Is(err, ignored) {
		return nil
	}
	return err
}
