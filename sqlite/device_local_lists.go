package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

// SaveLocalList implements [device.LocalListStore].
func (db *DB) SaveLocalList(ctx context.Context, l device.LocalList) error {
	const save = `
INSERT INTO local_lists (station, version, known, entries, by, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (station) DO UPDATE SET version = ?2, known = ?3, entries = ?4, by = ?5, updated_at = ?6`
	if err := l.Check(); err != nil {
		return err
	}
	entries, err := entriesText(l.Entries)
	if err != nil {
		return err
	}
	return db.write(ctx, "save local list", func(t *tx) error {
		return exec(t.c, save, func(b *binder) {
			b.text(string(l.Station))
			b.int(int64(l.Version))
			b.bool(l.Known)
			b.text(entries)
			b.text(l.By)
			b.time(l.UpdatedAt)
		})
	})
}

// entriesText returns the entries of a list as they are kept.
func entriesText(entries []device.LocalListEntry) (text string, err error) {
	if len(entries) == 0 {
		return "", nil
	}
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Info.Expiry = whole(entries[i].Info.Expiry)
	}
	err = toJSON(&text, entries)
	return text, err
}

// LocalList implements [device.LocalListStore].
func (db *DB) LocalList(ctx context.Context, s leyden.StationID) (l device.LocalList, err error) {
	const query = `SELECT station, version, known, entries, by, updated_at FROM local_lists WHERE station = ?1`
	err = db.read(ctx, "local list", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) { b.text(string(s)) }, func(r *row) error {
			l.Station, l.Version, l.Known = leyden.StationID(r.text()), int(r.int()), r.bool()
			err := fromJSON(r.text(), &l.Entries)
			l.By, l.UpdatedAt = r.text(), r.time()
			return err
		})
	})
	return l, err
}
