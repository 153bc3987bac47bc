package sqlite

import (
	"context"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/auth"
)

// Scopes are kept as OAuth2 writes them: names with spaces between them.

func (b *binder) scopes(s auth.Scopes) {
	var names []string
	for _, scope := range s {
		names = append(names, string(scope))
	}
	b.text(strings.Join(names, " "))
}

func (r *row) scopes() (s auth.Scopes) {
	for _, name := range strings.Fields(r.text()) {
		s = append(s, auth.Scope(name))
	}
	return s
}

func (r *row) hash() (h auth.Hash) {
	r.bytes(h[:])
	return h
}

// hashOrNull binds a hash; that of no text is NULL.
func (b *binder) hashOrNull(h auth.Hash) {
	b.i++
	if h != (auth.Hash{}) {
		b.stmt.BindBytes(b.i, h[:])
	}
}

// hashes binds a list of hashes as one text of bytes; an empty one is NULL.
func (b *binder) hashes(list []auth.Hash) {
	var text []byte
	for _, h := range list {
		text = append(text, h[:]...)
	}
	b.i++
	if len(text) > 0 {
		b.stmt.BindBytes(b.i, text)
	}
}

func (r *row) hashes() (list []auth.Hash) {
	text := make([]byte, r.stmt.ColumnLen(r.i))
	r.bytes(text)
	for ; len(text) >= len(auth.Hash{}); text = text[len(auth.Hash{}):] {
		list = append(list, auth.Hash(text[:len(auth.Hash{})]))
	}
	return list
}

// refuseStale fails unless the record that sql finds by id has the version
// before the given one; a record that is not there has version 0.
func refuseStale(c *sqlite.Conn, sql, id string, version int) error {
	var stored int64
	err := each(c, sql, func(b *binder) { b.text(id) }, func(r *row) error {
		stored = r.int()
		return nil
	})
	if err == nil && stored != int64(version)-1 {
		return auth.ErrStale
	}
	return err
}

// SaveKey implements [auth.Store].
func (db *DB) SaveKey(ctx context.Context, k auth.KeyRecord) error {
	const (
		taken   = `SELECT 1 FROM api_keys WHERE (hash = ?1 OR old_hash = ?1) AND id <> ?2`
		version = `SELECT version FROM api_keys WHERE id = ?1`
		save    = `
INSERT INTO api_keys (id, name, scopes, prefix, hash, created_at, revoked_at, version, old_hash, old_until, limited_to, expires_at, disabled_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (id) DO UPDATE SET name = ?2, scopes = ?3, prefix = ?4, hash = ?5, created_at = ?6, revoked_at = ?7, version = ?8,
  old_hash = ?9, old_until = ?10, limited_to = ?11, expires_at = ?12, disabled_at = ?13`
	)
	limit, err := jsonText(k.LimitedTo)
	if err != nil {
		return err
	}
	return db.write(ctx, "save key", func(t *tx) error {
		err := each(t.c, taken, func(b *binder) {
			b.bytes(k.Hash[:])
			b.text(k.ID)
		}, func(*row) error { return leyden.ErrExists })
		if err != nil {
			return err
		}
		if err := refuseStale(t.c, version, k.ID, k.Version); err != nil {
			return err
		}
		return exec(t.c, save, func(b *binder) {
			b.text(k.ID)
			b.text(k.Name)
			b.scopes(k.Scopes)
			b.text(k.Prefix)
			b.bytes(k.Hash[:])
			b.time(k.CreatedAt)
			b.time(k.RevokedAt)
			b.int(int64(k.Version))
			b.hashOrNull(k.OldHash)
			b.time(k.OldUntil)
			b.text(limit)
			b.time(k.ExpiresAt)
			b.time(k.DisabledAt)
		})
	})
}

const selectKey = `
SELECT id, name, scopes, prefix, hash, created_at, last_used_at, revoked_at, version, old_hash, old_until, limited_to,
  expires_at, disabled_at
FROM api_keys `

func (db *DB) keys(ctx context.Context, sql string, bind func(*binder)) (list []auth.KeyRecord, err error) {
	err = db.read(ctx, "keys", func(c *sqlite.Conn) error {
		return each(c, sql, bind, func(r *row) error {
			k := auth.KeyRecord{
				ID: r.text(), Name: r.text(), Scopes: r.scopes(), Prefix: r.text(), Hash: r.hash(),
				CreatedAt: r.time(), LastUsedAt: r.time(), RevokedAt: r.time(), Version: int(r.int()),
				OldHash: r.hash(), OldUntil: r.time(),
			}
			err := fromJSON(r.text(), &k.LimitedTo)
			k.ExpiresAt, k.DisabledAt = r.time(), r.time()
			list = append(list, k)
			return err
		})
	})
	return list, err
}

// Key implements [auth.Store].
func (db *DB) Key(ctx context.Context, id string) (auth.KeyRecord, error) {
	return only(db.keys(ctx, selectKey+`WHERE id = ?1`, func(b *binder) { b.text(id) }))
}

// Each side of the OR has its index.
const keyByHash = selectKey + `WHERE hash = ?1 OR old_hash = ?1`

// KeyByHash implements [auth.Store].
func (db *DB) KeyByHash(ctx context.Context, h auth.Hash) (auth.KeyRecord, error) {
	return only(db.keys(ctx, keyByHash, func(b *binder) { b.bytes(h[:]) }))
}

// Keys implements [auth.Store].
func (db *DB) Keys(ctx context.Context) ([]auth.KeyRecord, error) {
	return db.keys(ctx, selectKey+`ORDER BY created_at, id`, nil)
}

// only returns the one record of a list, or ErrNotFound.
func only[T any](list []T, err error) (T, error) {
	if err == nil && len(list) == 0 {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return *new(T), err
	}
	return list[0], nil
}

// TouchKey implements [auth.Store].
func (db *DB) TouchKey(ctx context.Context, id string, at time.Time) error {
	const update = `UPDATE api_keys SET last_used_at = ?1 WHERE id = ?2 AND ifnull(last_used_at, ?1) <= ?1`
	return db.touch(ctx, update, id, at)
}

func (db *DB) touch(ctx context.Context, sql, id string, at time.Time) error {
	return db.writeApart(ctx, "note a use", func(t *tx) error {
		return exec(t.c, sql, func(b *binder) {
			b.time(at)
			b.text(id)
		})
	})
}

// SaveRevocation implements [auth.Store].
func (db *DB) SaveRevocation(ctx context.Context, r auth.Revocation) error {
	const (
		forget = `DELETE FROM revocations WHERE expires_at < ?1`
		save   = `
INSERT INTO revocations (access_token_id, expires_at, revoked_at) VALUES (?1, ?2, ?3)
ON CONFLICT (access_token_id) DO NOTHING`
	)
	return db.write(ctx, "revoke access token", func(t *tx) error {
		if err := exec(t.c, forget, func(b *binder) { b.time(r.RevokedAt) }); err != nil {
			return err
		}
		return exec(t.c, save, func(b *binder) {
			b.text(r.AccessTokenID)
			b.time(r.ExpiresAt)
			b.time(r.RevokedAt)
		})
	})
}

// Revoked implements [auth.Store].
func (db *DB) Revoked(ctx context.Context, accessTokenID string) (revoked bool, err error) {
	const query = `SELECT count(*) FROM revocations WHERE access_token_id = ?1`
	err = db.read(ctx, "revocation", func(c *sqlite.Conn) error {
		n, err := number(c, query, func(b *binder) { b.text(accessTokenID) })
		revoked = n > 0
		return err
	})
	return revoked, err
}
