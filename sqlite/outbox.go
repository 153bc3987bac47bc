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

// A posting is a notice on its way to the writer.
type posting struct {
	*leyden.Notice
	state, detail string // JSON; "" for none
}

func encodeNotices(notices []leyden.Notice) ([]posting, error) {
	list := make([]posting, len(notices))
	for i := range notices {
		p := posting{Notice: &notices[i]}
		var err error
		if p.State != nil {
			err = toJSON(&p.state, p.State)
		}
		if err == nil && p.Detail != nil {
			err = toJSON(&p.detail, p.Detail)
		}
		if err != nil {
			return nil, fmt.Errorf("notice %s of %s: %w", p.Topic, p.Station, err)
		}
		list[i] = p
	}
	return list, nil
}

// post writes a notice with the stamp of the record that it shows and the number
// of the message that it announces; 0 is none.
func (p *posting) post(t *tx, stamp, message int64) (int64, error) {
	const insert = `
INSERT INTO outbox (topic, station, transaction_id, version, at, state, detail, inserted_at, quarantine_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	err := exec(t.c, insert, func(b *binder) {
		b.text(p.Topic)
		b.text(string(p.Station))
		b.id(p.Transaction)
		b.int(int64(p.Version))
		b.time(p.At)
		b.text(p.state)
		b.text(p.detail)
		b.optional(stamp)
		b.optional(message)
	})
	t.noticed = t.c.LastInsertRowID()
	return t.noticed, err
}

// optional binds v; 0 is NULL.
func (b *binder) optional(v int64) {
	b.i++
	if v != 0 {
		b.stmt.BindInt64(b.i, v)
	}
}

// writeNotices writes the announcements of an entry whose messages are written.
func (a *appending) writeNotices(t *tx) error {
	messages := 0
	for i := range a.notices {
		p := &a.notices[i]
		var stamp, message int64
		if a.Stamps(i) {
			stamp = a.stamp
		}
		if p.Topic == leyden.TopicQuarantined && messages < len(a.Quarantine) {
			message = a.firstQuarantined + int64(messages)
			messages++
		}
		seq, err := p.post(t, stamp, message)
		if err != nil {
			return err
		}
		if i == 0 {
			a.firstNotice = seq
		}
	}
	return nil
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
