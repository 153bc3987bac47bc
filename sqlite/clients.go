package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden/auth"
)

// SaveClient implements [auth.Store].
func (db *DB) SaveClient(ctx context.Context, n auth.ClientRecord) error {
	const (
		version = `SELECT version FROM clients WHERE id = ?1`
		save    = `
INSERT INTO clients (id, name, scopes, created_at, revoked_at, version, limited_to, expires_at, disabled_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (id) DO UPDATE SET name = ?2, scopes = ?3, created_at = ?4, revoked_at = ?5, version = ?6,
  limited_to = ?7, expires_at = ?8, disabled_at = ?9`
	)
	limit, err := jsonText(n.LimitedTo)
	if err != nil {
		return err
	}
	return db.write(ctx, "save client", func(t *tx) error {
		if err := refuseStale(t.c, version, n.ID, n.Version); err != nil {
			return err
		}
		err := exec(t.c, save, func(b *binder) {
			b.text(n.ID)
			b.text(n.Name)
			b.scopes(n.Scopes)
			b.time(n.CreatedAt)
			b.time(n.RevokedAt)
			b.int(int64(n.Version))
			b.text(limit)
			b.time(n.ExpiresAt)
			b.time(n.DisabledAt)
		})
		if err != nil {
			return err
		}
		return saveSecrets(t.c, &n)
	})
}

func saveSecrets(c *sqlite.Conn, n *auth.ClientRecord) error {
	const (
		forget = `DELETE FROM client_secrets WHERE client = ?1`
		insert = `
INSERT INTO client_secrets (client, place, id, hash, created_at, prefix, expires_at, last_used_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	)
	before, err := secretsOf(c, n.ID)
	if err != nil {
		return err
	}
	used := map[string]time.Time{}
	for _, s := range before {
		used[s.ID] = s.LastUsedAt
	}
	err = exec(c, forget, func(b *binder) { b.text(n.ID) })
	for i := 0; err == nil && i < len(n.Secrets); i++ {
		s := &n.Secrets[i]
		err = exec(c, insert, func(b *binder) {
			b.text(n.ID)
			b.int(int64(i))
			b.text(s.ID)
			b.bytes(s.Hash[:])
			b.time(s.CreatedAt)
			b.text(s.Prefix)
			b.time(s.ExpiresAt)
			b.time(used[s.ID])
		})
	}
	return err
}

const selectClient = `
SELECT id, name, scopes, created_at, last_used_at, revoked_at, version, limited_to, expires_at, disabled_at FROM clients `

func (db *DB) clients(ctx context.Context, sql string, bind func(*binder)) (list []auth.ClientRecord, err error) {
	err = db.readLong(ctx, "clients", func(c *sqlite.Conn) error {
		err := each(c, sql, bind, func(r *row) error {
			n := auth.ClientRecord{
				ID: r.text(), Name: r.text(), Scopes: r.scopes(),
				CreatedAt: r.time(), LastUsedAt: r.time(), RevokedAt: r.time(), Version: int(r.int()),
			}
			err := fromJSON(r.text(), &n.LimitedTo)
			n.ExpiresAt, n.DisabledAt = r.time(), r.time()
			list = append(list, n)
			return err
		})
		for i := 0; err == nil && i < len(list); i++ {
			list[i].Secrets, err = secretsOf(c, list[i].ID)
		}
		return err
	})
	return list, err
}

func secretsOf(c *sqlite.Conn, client string) (list []auth.ClientSecret, err error) {
	const query = `
SELECT id, hash, created_at, prefix, expires_at, last_used_at FROM client_secrets WHERE client = ?1 ORDER BY place`
	err = each(c, query, func(b *binder) { b.text(client) }, func(r *row) error {
		list = append(list, auth.ClientSecret{
			ID: r.text(), Hash: r.hash(), CreatedAt: r.time(), Prefix: r.text(), ExpiresAt: r.time(), LastUsedAt: r.time(),
		})
		return nil
	})
	return list, err
}

// Client implements [auth.Store].
func (db *DB) Client(ctx context.Context, id string) (auth.ClientRecord, error) {
	return only(db.clients(ctx, selectClient+`WHERE id = ?1`, func(b *binder) { b.text(id) }))
}

// Clients implements [auth.Store].
func (db *DB) Clients(ctx context.Context) ([]auth.ClientRecord, error) {
	return db.clients(ctx, selectClient+`ORDER BY created_at, id`, nil)
}

// TouchClient implements [auth.Store].
func (db *DB) TouchClient(ctx context.Context, id string, at time.Time) error {
	const update = `UPDATE clients SET last_used_at = ?1 WHERE id = ?2 AND ifnull(last_used_at, ?1) <= ?1`
	return db.touch(ctx, update, id, at)
}

// TouchSecret implements [auth.Store].
func (db *DB) TouchSecret(ctx context.Context, client, secret string, at time.Time) error {
	const update = `
UPDATE client_secrets SET last_used_at = ?1 WHERE client = ?2 AND id = ?3 AND ifnull(last_used_at, ?1) <= ?1`
	return db.writeApart(ctx, "note a use", func(t *tx) error {
		return exec(t.c, update, func(b *binder) {
			b.time(at)
			b.text(client)
			b.text(secret)
		})
	})
}
