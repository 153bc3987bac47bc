package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// SaveMeterKey implements [leyden.Registry].
func (db *DB) SaveMeterKey(ctx context.Context, k leyden.MeterKey) error {
	const insert = `
INSERT OR REPLACE INTO meter_keys (station, id, connector, serial, public, curve, note, added_at, added_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	if k.ID == "" || k.Station == "" || len(k.Public) == 0 {
		return fmt.Errorf("a meter key without a name, a station or a key: %w", leyden.ErrInvalid)
	}
	return db.write(ctx, "save meter key", func(t *tx) error {
		return exec(t.c, insert, func(b *binder) {
			b.text(string(k.Station))
			b.text(k.ID)
			b.int(int64(k.Connector))
			b.text(k.Serial)
			b.bytes(k.Public)
			b.text(k.Curve)
			b.text(k.Note)
			b.time(k.AddedAt)
			b.text(k.By)
		})
	})
}

// RemoveMeterKey implements [leyden.Registry].
func (db *DB) RemoveMeterKey(ctx context.Context, s leyden.StationID, id string) error {
	const remove = `DELETE FROM meter_keys WHERE station = ?1 AND id = ?2`
	return db.write(ctx, "remove meter key", func(t *tx) error {
		err := exec(t.c, remove, func(b *binder) {
			b.text(string(s))
			b.text(id)
		})
		if err == nil && t.c.Changes() == 0 {
			err = leyden.ErrNotFound
		}
		return err
	})
}

// meterKeys selects the keys of a station.
const meterKeys = `
SELECT station, id, connector, serial, public, curve, note, added_at, added_by FROM meter_keys
WHERE station = ?1 ORDER BY connector, ifnull(serial, ''), id`

// MeterKeys implements [leyden.Registry].
func (db *DB) MeterKeys(ctx context.Context, s leyden.StationID) (keys []leyden.MeterKey, err error) {
	err = db.readLong(ctx, "meter keys", func(c *sqlite.Conn) error {
		return each(c, meterKeys, func(b *binder) { b.text(string(s)) }, func(r *row) error {
			keys = append(keys, leyden.MeterKey{
				Station: leyden.StationID(r.text()), ID: r.text(), Connector: int(r.int()), Serial: r.text(),
				Public: r.blob(), Curve: r.text(), Note: r.text(), AddedAt: r.time(), By: r.text(),
			})
			return nil
		})
	})
	return keys, err
}

func (r *row) blob() []byte {
	b := make([]byte, r.stmt.ColumnLen(r.i))
	r.bytes(b)
	return b
}
