package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
)

func insertQuarantined(c *sqlite.Conn, q *leyden.Quarantined) (int64, error) {
	const insert = `
INSERT INTO quarantine (station, key, action, frame, reason, received_at, released_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`
	err := exec(c, insert, func(b *binder) {
		b.text(string(q.Station))
		b.text(q.Key)
		b.text(q.Action)
		b.text(q.Frame)
		b.text(q.Reason)
		b.time(q.ReceivedAt)
		b.time(q.ReleasedAt)
	})
	return c.LastInsertRowID(), err
}

// release marks the messages with that key as made good.
func release(t *tx, s leyden.StationID, key string) error {
	const update = `UPDATE quarantine SET released_at = ?3 WHERE station = ?1 AND key = ?2 AND released_at IS NULL`
	return exec(t.c, update, func(b *binder) {
		b.text(string(s))
		b.text(key)
		b.int(t.now)
	})
}

// quarantined returns the statement for q. What stands in quarantine for one
// station is looked for whenever it connects: that reads an index.
func quarantined(q *leyden.QuarantineQuery) string {
	which := `(?2 IS NULL OR station = ?2)`
	if q.Station != "" {
		which = `station = ?2`
	}
	if q.ID != 0 {
		which += ` AND id = ?1`
	}
	return `
SELECT id, station, key, action, frame, reason, received_at, released_at FROM quarantine
WHERE ` + which + ` AND (?1 = 0 OR id = ?1) AND (?3 IS NULL OR key = ?3) AND (?4 = 0 OR released_at IS NULL)
ORDER BY id DESC LIMIT ?5 OFFSET ?6`
}

// Quarantined implements [leyden.Store].
func (db *DB) Quarantined(ctx context.Context, q leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	var found []leyden.Quarantined
	err := db.readLong(ctx, "quarantined messages", func(c *sqlite.Conn) error {
		return each(c, quarantined(&q), func(b *binder) {
			b.int(q.ID)
			b.text(string(q.Station))
			b.text(q.Key)
			b.bool(q.Waiting)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, func(r *row) error {
			found = append(found, leyden.Quarantined{
				ID: r.int(), Station: leyden.StationID(r.text()), Key: r.text(), Action: r.text(), Frame: r.text(),
				Reason: r.text(), ReceivedAt: r.time(), ReleasedAt: r.time(),
			})
			return nil
		})
	})
	return found, err
}

// part binds the limit and the offset of a part of a list.
func (b *binder) part(p leyden.Slice) {
	if p.Limit == 0 {
		p.Limit = leyden.MaxWorking
	}
	b.int(int64(p.Limit))
	b.int(int64(max(p.Offset, 0)))
}
