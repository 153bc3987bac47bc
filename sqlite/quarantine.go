package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
)

func insertQuarantined(c *sqlite.Conn, q *leyden.Quarantined) (int64, error) {
	const insert = `
INSERT INTO quarantine (station, key, action, frame, reason, aside, received_at, released_at, dismissed_at, by, note, transaction_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`
	err := exec(c, insert, func(b *binder) {
		b.text(string(q.Station))
		b.text(q.Key)
		b.text(q.Action)
		b.text(q.Frame)
		b.text(q.Reason)
		b.bool(q.Aside)
		b.time(q.ReceivedAt)
		b.time(q.ReleasedAt)
		b.time(q.DismissedAt)
		b.text(q.By)
		b.text(q.Note)
		b.id(q.Transaction)
	})
	return c.LastInsertRowID(), err
}

// release marks the messages with that key as made good.
func (t *tx) release(station, key string) error {
	const update = `
UPDATE quarantine SET released_at = ?3
WHERE station = ?1 AND key = ?2 AND released_at IS NULL AND dismissed_at IS NULL`
	return exec(t.c, update, func(b *binder) {
		b.text(station)
		b.text(key)
		b.int(t.now)
	})
}

// refuseSettled returns ErrState if a message cannot be settled, or not any more.
func (a *appending) refuseSettled(c *sqlite.Conn) error {
	const lookUp = `
SELECT 1 FROM quarantine
WHERE id = ?1 AND station = ?2 AND dismissed_at IS NULL AND by IS NULL AND (released_at IS NULL OR ?3 = 0)`
	for i := range a.Settle {
		d := &a.Settle[i]
		found := false
		err := each(c, lookUp, func(b *binder) {
			b.int(d.ID)
			b.text(string(a.Station))
			b.bool(d.Dismissed)
		}, func(*row) error {
			found = true
			return nil
		})
		if err != nil {
			return err
		}
		if !found {
			return leyden.ErrState
		}
	}
	return nil
}

// settlesOnly reports whether e does nothing but settle quarantined messages.
func settlesOnly(e *leyden.Entry) bool {
	return len(e.Events)+len(e.Transactions)+len(e.Notices)+len(e.Quarantine)+len(e.Release)+len(e.Reservations) == 0 && len(e.Settle) > 0
}

// settle notes what is decided about a message.
func settle(t *tx, d *leyden.Settlement) error {
	const update = `
UPDATE quarantine SET by = ?2, note = ?3, transaction_id = ?4,
  dismissed_at = iif(?5, ?6, NULL), released_at = iif(?5, NULL, ifnull(released_at, ?6))
WHERE id = ?1`
	return exec(t.c, update, func(b *binder) {
		b.int(d.ID)
		b.text(d.By)
		b.text(d.Note)
		b.id(d.Transaction)
		b.bool(d.Dismissed)
		b.int(t.now)
	})
}

// quarantinedOf returns all that q selects. What stands in quarantine for one
// station is looked for whenever it connects: that reads an index.
func quarantinedOf(q *leyden.QuarantineQuery) *selection {
	s := &selection{table: `quarantine`}
	if q.ID != 0 {
		s.add(`id = ?`, integer(q.ID))
	}
	s.ofStation(q.Station, q.Within)
	s.equal(`key`, q.Key)
	if q.Aside {
		s.add(`aside = 1`)
	}
	switch q.Status {
	case leyden.QuarantineWaiting:
		s.add(`released_at IS NULL AND dismissed_at IS NULL`)
	case leyden.QuarantineReleased:
		s.add(`released_at IS NOT NULL AND dismissed_at IS NULL`)
	case leyden.QuarantineDismissed:
		s.add(`dismissed_at IS NOT NULL`)
	}
	s.hint = quarantineIndex(q)
	return s
}

// quarantineIndex returns the index in which to look for what q selects.
func quarantineIndex(q *leyden.QuarantineQuery) string {
	switch {
	case q.ID != 0:
		return `NOT INDEXED`
	case q.Station != "" && q.Key != "":
		return `INDEXED BY quarantine_by_station`
	case q.Station != "" && q.Status == leyden.QuarantineWaiting && q.Aside:
		return `INDEXED BY quarantine_aside`
	case q.Station != "" && q.Status == leyden.QuarantineWaiting:
		return `INDEXED BY quarantine_waiting_of_station`
	case q.Station != "":
		return `INDEXED BY quarantine_of_station`
	case q.Status == leyden.QuarantineWaiting:
		return `INDEXED BY quarantine_waiting`
	case q.Status == leyden.QuarantineReleased:
		return `INDEXED BY quarantine_released`
	case q.Status == leyden.QuarantineDismissed:
		return `INDEXED BY quarantine_dismissed`
	}
	return ``
}

func quarantineList(s *selection) string {
	return `
SELECT id, station, key, action, frame, reason, aside, received_at, released_at, dismissed_at, by, note, transaction_id ` +
		s.from() + ` ORDER BY id DESC LIMIT (? + 0) OFFSET ?`
}

// Quarantined implements [leyden.Store].
func (db *DB) Quarantined(ctx context.Context, q leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	var found []leyden.Quarantined
	s := quarantinedOf(&q)
	if q.After != nil {
		s.add(`id < ?`, integer(q.After.ID))
	}
	if err := db.settledOf(ctx, q.Station); err != nil {
		return nil, outward(ctx, "quarantined messages", err)
	}
	err := db.readLong(ctx, "quarantined messages", func(c *sqlite.Conn) error {
		return each(c, quarantineList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, func(r *row) error {
			found = append(found, leyden.Quarantined{
				ID: r.int(), Station: leyden.StationID(r.text()), Key: r.text(), Action: r.text(), Frame: r.text(),
				Reason: r.text(), Aside: r.bool(), ReceivedAt: r.time(), ReleasedAt: r.time(), DismissedAt: r.time(),
				By: r.text(), Note: r.text(), Transaction: leyden.TransactionID(r.int()),
			})
			return nil
		})
	})
	return found, err
}

// CountQuarantined implements [leyden.Store].
func (db *DB) CountQuarantined(ctx context.Context, q leyden.QuarantineQuery) (int, error) {
	if err := db.settledOf(ctx, q.Station); err != nil {
		return 0, outward(ctx, "count of quarantined messages", err)
	}
	var n int64
	err := db.readLong(ctx, "count of quarantined messages", func(c *sqlite.Conn) (err error) {
		n, err = countFrom(c, quarantinedOf(&q))
		return err
	})
	return int(n), err
}

// part binds the limit and the offset of a part of a list.
func (b *binder) part(p leyden.Slice) {
	if p.Limit == 0 {
		p.Limit = leyden.MaxWorking
	}
	b.int(int64(p.Limit))
	b.int(int64(max(p.Offset, 0)))
}
