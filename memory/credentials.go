package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"leyden"
	"leyden/auth"
)

var _ auth.Store = (*Store)(nil)

// credentials are what auth keeps here.
type credentials struct {
	keys     map[string]auth.KeyRecord
	clients  map[string]auth.ClientRecord
	revoked  map[string]time.Time // when the access token would have expired
	stations map[leyden.StationID]auth.StationCredential
}

func newCredentials() credentials {
	return credentials{
		keys:     make(map[string]auth.KeyRecord),
		clients:  make(map[string]auth.ClientRecord),
		revoked:  make(map[string]time.Time),
		stations: make(map[leyden.StationID]auth.StationCredential),
	}
}

// SaveKey implements [auth.Store].
func (s *Store) SaveKey(ctx context.Context, k auth.KeyRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.cred.keys {
		if (other.Hash == k.Hash || other.OldHash == k.Hash) && other.ID != k.ID {
			return leyden.ErrExists
		}
	}
	old := s.cred.keys[k.ID]
	k.LastUsedAt = old.LastUsedAt
	return put(ctx, s.cred.keys, k.ID, k, old.Version, k.Version)
}

// put keeps v if its version is the one after the old one.
func put[K comparable, V any](ctx context.Context, m map[K]V, key K, v V, old, version int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if version != old+1 {
		return auth.ErrStale
	}
	m[detach(key)] = detach(v)
	return nil
}

// get returns what m has under key.
func get[K comparable, V any](ctx context.Context, s *Store, m map[K]V, key K) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := m[key]
	if !ok {
		return v, cmp.Or(ctx.Err(), leyden.ErrNotFound)
	}
	return detach(v), ctx.Err()
}

// Key implements [auth.Store].
func (s *Store) Key(ctx context.Context, id string) (auth.KeyRecord, error) {
	return get(ctx, s, s.cred.keys, id)
}

// KeyByHash implements [auth.Store].
func (s *Store) KeyByHash(ctx context.Context, h auth.Hash) (auth.KeyRecord, error) {
	keys, err := s.Keys(ctx)
	for _, k := range keys {
		if k.Hash == h || k.OldHash == h && h != (auth.Hash{}) {
			return k, err
		}
	}
	return auth.KeyRecord{}, cmp.Or(err, leyden.ErrNotFound)
}

// Keys implements [auth.Store].
func (s *Store) Keys(ctx context.Context) ([]auth.KeyRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return detach(slices.SortedFunc(maps.Values(s.cred.keys), func(a, b auth.KeyRecord) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})), ctx.Err()
}

// TouchKey implements [auth.Store].
func (s *Store) TouchKey(ctx context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.cred.keys[id]; ok {
		k.LastUsedAt = latest(k.LastUsedAt, at)
		s.cred.keys[id] = k
	}
	return ctx.Err()
}

// SaveClient implements [auth.Store].
func (s *Store) SaveClient(ctx context.Context, c auth.ClientRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.cred.clients[c.ID]
	c.LastUsedAt, c.Secrets = old.LastUsedAt, slices.Clone(c.Secrets)
	for i := range c.Secrets {
		c.Secrets[i].LastUsedAt = time.Time{}
		for _, before := range old.Secrets {
			if before.ID == c.Secrets[i].ID {
				c.Secrets[i].LastUsedAt = before.LastUsedAt
			}
		}
	}
	return put(ctx, s.cred.clients, c.ID, c, old.Version, c.Version)
}

// Client implements [auth.Store].
func (s *Store) Client(ctx context.Context, id string) (auth.ClientRecord, error) {
	return get(ctx, s, s.cred.clients, id)
}

// Clients implements [auth.Store].
func (s *Store) Clients(ctx context.Context) ([]auth.ClientRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return detach(slices.SortedFunc(maps.Values(s.cred.clients), func(a, b auth.ClientRecord) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})), ctx.Err()
}

// TouchClient implements [auth.Store].
func (s *Store) TouchClient(ctx context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cred.clients[id]; ok {
		c.LastUsedAt = latest(c.LastUsedAt, at)
		s.cred.clients[id] = c
	}
	return ctx.Err()
}

// TouchSecret implements [auth.Store].
func (s *Store) TouchSecret(ctx context.Context, client, secret string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := s.cred.clients[client].Secrets
	for i := range secrets {
		if secrets[i].ID == secret {
			secrets[i].LastUsedAt = latest(secrets[i].LastUsedAt, at)
		}
	}
	return ctx.Err()
}

// SaveRevocation implements [auth.Store].
func (s *Store) SaveRevocation(ctx context.Context, r auth.Revocation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	maps.DeleteFunc(s.cred.revoked, func(_ string, expires time.Time) bool { return expires.Before(r.RevokedAt) })
	s.cred.revoked[detach(r.AccessTokenID)] = r.ExpiresAt
	return nil
}

// Revoked implements [auth.Store].
func (s *Store) Revoked(ctx context.Context, accessTokenID string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, revoked := s.cred.revoked[accessTokenID]
	return revoked, ctx.Err()
}

// SaveStationCredential implements [auth.Store].
func (s *Store) SaveStationCredential(ctx context.Context, c auth.StationCredential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return put(ctx, s.cred.stations, c.Station, c, s.cred.stations[c.Station].Version, c.Version)
}

// StationCredential implements [auth.Store].
func (s *Store) StationCredential(ctx context.Context, id leyden.StationID) (auth.StationCredential, error) {
	return get(ctx, s, s.cred.stations, id)
}

// DeleteStationCredential implements [auth.Store].
func (s *Store) DeleteStationCredential(ctx context.Context, id leyden.StationID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := s.cred.stations[id]; !ok {
		return leyden.ErrNotFound
	}
	delete(s.cred.stations, id)
	return nil
}
