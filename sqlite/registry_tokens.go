package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"leyden"
)

func fold(value string) string { return leyden.IDToken{Value: value}.Fold() }

// SaveToken implements [leyden.Registry].
func (db *DB) SaveToken(ctx context.Context, n leyden.Token) error {
	if n.Value == "" {
		return fmt.Errorf("an idTag without a value: %w", leyden.ErrInvalid)
	}
	return db.write(ctx, "save idTag", func(t *tx) error {
		if n.VehicleID != "" {
			if _, err := vehicle(t.c, n.VehicleID); err != nil {
				return noVehicle(n.VehicleID, err)
			}
		}
		return saveToken(t.c, &n)
	})
}

func noVehicle(id string, err error) error {
	if isFailure(err) {
		return err
	}
	return fmt.Errorf("there is no vehicle %q: %w", id, leyden.ErrInvalid)
}

// saveToken adds n, or replaces all but the value as it was first given.
func saveToken(c *sqlite.Conn, n *leyden.Token) error {
	const save = `
INSERT INTO tokens (fold, value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (fold) DO UPDATE SET status = ?3, expiry = ?4, parent = ?5, max_active = ?6, vehicle_id = ?7,
  note = ?8, listed = ?9, created_at = ?10, seen_at = ?11`
	return exec(c, save, func(b *binder) { b.idToken(n) })
}

func (b *binder) idToken(n *leyden.Token) {
	b.text(fold(n.Value))
	b.text(n.Value)
	b.text(n.Status)
	b.time(n.Expiry)
	b.text(n.Parent)
	b.int(int64(n.MaxActive))
	b.text(n.VehicleID)
	b.text(n.Note)
	b.bool(n.Listed)
	b.time(n.CreatedAt)
	b.time(n.SeenAt)
}

// SeeTokens implements [leyden.Registry].
func (db *DB) SeeTokens(ctx context.Context, seen []leyden.Token) error {
	const see = `
INSERT INTO tokens (fold, value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (fold) DO UPDATE SET seen_at = ?11 WHERE ifnull(seen_at, ?11) <= ?11`
	return db.write(ctx, "see idTags", func(t *tx) error {
		for _, n := range seen {
			if n.Value == "" {
				continue
			}
			n.Listed, n.VehicleID = false, ""
			if err := exec(t.c, see, func(b *binder) { b.idToken(&n) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveToken implements [leyden.Registry].
func (db *DB) RemoveToken(ctx context.Context, value string) error {
	const remove = `DELETE FROM tokens WHERE fold = ?1`
	return db.write(ctx, "remove idTag", func(t *tx) error {
		if err := exec(t.c, remove, func(b *binder) { b.text(fold(value)) }); err != nil {
			return err
		}
		if t.c.Changes() == 0 {
			return leyden.ErrNotFound
		}
		return nil
	})
}

const selectToken = `
SELECT value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at FROM tokens `

func (r *row) listedToken() leyden.Token {
	return leyden.Token{
		Value: r.text(), Status: r.text(), Expiry: r.time(), Parent: r.text(), MaxActive: int(r.int()),
		VehicleID: r.text(), Note: r.text(), Listed: r.bool(), CreatedAt: r.time(), SeenAt: r.time(),
	}
}

// Token implements [leyden.Registry].
func (db *DB) Token(ctx context.Context, value string) (n leyden.Token, err error) {
	err = db.read(ctx, "idTag", func(c *sqlite.Conn) (err error) {
		n, err = token(c, value)
		return err
	})
	return n, err
}

func token(c *sqlite.Conn, value string) (n leyden.Token, err error) {
	const query = selectToken + `WHERE fold = ?1`
	err = one(c, query, func(b *binder) { b.text(fold(value)) }, func(r *row) error {
		n = r.listedToken()
		return nil
	})
	return n, err
}

// Tokens implements [leyden.Registry].
func (db *DB) Tokens(ctx context.Context, part leyden.Slice) (list []leyden.Token, total int, err error) {
	const (
		query = selectToken + `ORDER BY fold LIMIT ?1 OFFSET ?2`
		all   = `SELECT count(*) FROM tokens`
	)
	err = db.readLong(ctx, "idTags", func(c *sqlite.Conn) error {
		n, err := number(c, all, nil)
		total = int(n)
		if err != nil {
			return err
		}
		return each(c, query, func(b *binder) { b.part(part) }, func(r *row) error {
			list = append(list, r.listedToken())
			return nil
		})
	})
	return list, total, err
}
