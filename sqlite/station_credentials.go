package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/auth"
)

// SaveStationCredential implements [auth.Store].
func (db *DB) SaveStationCredential(ctx context.Context, n auth.StationCredential) error {
	const (
		version = `SELECT version FROM station_credentials WHERE station = ?1`
		save    = `
INSERT INTO station_credentials (station, profile, proven, hash, next_hashes, created_at, updated_at, version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (station) DO UPDATE
SET profile = ?2, proven = ?3, hash = ?4, next_hashes = ?5, created_at = ?6, updated_at = ?7, version = ?8`
	)
	return db.write(ctx, "save credential of a station", func(t *tx) error {
		if err := refuseStale(t.c, version, string(n.Station), n.Version); err != nil {
			return err
		}
		return exec(t.c, save, func(b *binder) {
			b.text(string(n.Station))
			b.text(string(n.Profile))
			b.text(string(n.Proven))
			b.bytes(n.Hash[:])
			b.hashes(n.Next)
			b.time(n.CreatedAt)
			b.time(n.UpdatedAt)
			b.int(int64(n.Version))
		})
	})
}

// StationCredential implements [auth.Store].
func (db *DB) StationCredential(ctx context.Context, id leyden.StationID) (n auth.StationCredential, err error) {
	const query = `
SELECT station, profile, proven, hash, next_hashes, created_at, updated_at, version FROM station_credentials WHERE station = ?1`
	err = db.read(ctx, "credential of a station", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) { b.text(string(id)) }, func(r *row) error {
			n = auth.StationCredential{
				Station: leyden.StationID(r.text()), Profile: auth.Profile(r.text()), Proven: auth.Profile(r.text()),
				Hash: r.hash(), Next: r.hashes(), CreatedAt: r.time(), UpdatedAt: r.time(), Version: int(r.int()),
			}
			return nil
		})
	})
	return n, err
}

// DeleteStationCredential implements [auth.Store].
func (db *DB) DeleteStationCredential(ctx context.Context, id leyden.StationID) error {
	const remove = `DELETE FROM station_credentials WHERE station = ?1`
	return db.write(ctx, "delete credential of a station", func(t *tx) error {
		if err := exec(t.c, remove, func(b *binder) { b.text(string(id)) }); err != nil {
			return err
		}
		if t.c.Changes() == 0 {
			return leyden.ErrNotFound
		}
		return nil
	})
}
