package auth_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/storetest"
)

func TestStore(t *testing.T) {
	storetest.RunAuth(t, func(*testing.T) auth.Store { return newStore() })
}

// A testStore is the shortest Store. It fails with err while that is set, and
// counts what it is asked.
type testStore struct {
	mu       sync.Mutex
	keys     map[string]auth.KeyRecord
	clients  map[string]auth.ClientRecord
	revoked  map[string]bool
	stations map[leyden.StationID]auth.StationCredential
	removed  map[leyden.StationID]time.Time
	sites    map[leyden.StationID]string
	used     map[string]time.Time // secrets

	err      error
	touchErr error
	touches  int
}

var _ auth.Store = (*testStore)(nil)

func newStore() *testStore {
	return &testStore{
		keys:    map[string]auth.KeyRecord{},
		clients: map[string]auth.ClientRecord{}, revoked: map[string]bool{},
		stations: map[leyden.StationID]auth.StationCredential{}, removed: map[leyden.StationID]time.Time{},
		sites: map[leyden.StationID]string{}, used: map[string]time.Time{},
	}
}

// fail makes every later call fail with err.
func (s *testStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// save puts what into m if its version is the next, or fails with ErrStale.
func save[K comparable, V any](m map[K]V, key K, what V, version func(V) int) error {
	if version(m[key])+1 != version(what) {
		return auth.ErrStale
	}
	m[key] = what
	return nil
}

func read[K comparable, V any](s *testStore, m map[K]V, key K) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := m[key]
	if s.err != nil {
		return *new(V), s.err
	}
	if !ok {
		return v, leyden.ErrNotFound
	}
	return v, nil
}

func (s *testStore) SaveKey(_ context.Context, k auth.KeyRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if other, taken := s.byHash(k.Hash); taken && other.ID != k.ID {
		return leyden.ErrExists
	}
	k.Scopes, k.LastUsedAt = slices.Clone(k.Scopes), s.keys[k.ID].LastUsedAt
	return save(s.keys, k.ID, k, func(k auth.KeyRecord) int { return k.Version })
}

func (s *testStore) byHash(h auth.Hash) (auth.KeyRecord, bool) {
	for _, k := range s.keys {
		if h != (auth.Hash{}) && (k.Hash == h || k.OldHash == h) {
			return k, true
		}
	}
	return auth.KeyRecord{}, false
}

func copyKey(k auth.KeyRecord, err error) (auth.KeyRecord, error) {
	k.Scopes = slices.Clone(k.Scopes)
	return k, err
}

func (s *testStore) Key(_ context.Context, id string) (auth.KeyRecord, error) {
	return copyKey(read(s, s.keys, id))
}

func (s *testStore) KeyByHash(ctx context.Context, h auth.Hash) (auth.KeyRecord, error) {
	s.mu.Lock()
	k, _ := s.byHash(h)
	s.mu.Unlock()
	return s.Key(ctx, k.ID)
}

func (s *testStore) Keys(context.Context) ([]auth.KeyRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.keys), func(a, b auth.KeyRecord) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), s.err
}

func (s *testStore) touch() error {
	s.touches++
	return cmp.Or(s.err, s.touchErr)
}

func (s *testStore) TouchKey(_ context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.keys[id]; ok && s.touchErr == nil && k.LastUsedAt.Before(at) {
		k.LastUsedAt = at
		s.keys[id] = k
	}
	return s.touch()
}

func (s *testStore) SaveClient(_ context.Context, c auth.ClientRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	c.Scopes, c.Secrets, c.LastUsedAt = slices.Clone(c.Scopes), slices.Clone(c.Secrets), s.clients[c.ID].LastUsedAt
	for i := range c.Secrets {
		c.Secrets[i].LastUsedAt = s.used[c.Secrets[i].ID]
	}
	return save(s.clients, c.ID, c, func(c auth.ClientRecord) int { return c.Version })
}

func (s *testStore) Client(_ context.Context, id string) (auth.ClientRecord, error) {
	c, err := read(s, s.clients, id)
	c.Scopes, c.Secrets = slices.Clone(c.Scopes), slices.Clone(c.Secrets)
	for i := range c.Secrets {
		c.Secrets[i].LastUsedAt = s.used[c.Secrets[i].ID]
	}
	return c, err
}

func (s *testStore) Clients(context.Context) ([]auth.ClientRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.clients), func(a, b auth.ClientRecord) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), s.err
}

func (s *testStore) TouchClient(_ context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clients[id]; ok && c.LastUsedAt.Before(at) {
		c.LastUsedAt = at
		s.clients[id] = c
	}
	return s.touch()
}

func (s *testStore) TouchSecret(_ context.Context, client, secret string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	has := slices.ContainsFunc(s.clients[client].Secrets, func(c auth.ClientSecret) bool { return c.ID == secret })
	if has && s.touchErr == nil && s.used[secret].Before(at) {
		s.used[secret] = at
	}
	return s.touch()
}

func (s *testStore) SaveRevocation(_ context.Context, r auth.Revocation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[r.AccessTokenID] = true
	return s.err
}

func (s *testStore) Revoked(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked[id], s.err
}

func (s *testStore) SaveStationCredential(_ context.Context, c auth.StationCredential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	c.Next = slices.Clone(c.Next)
	return save(s.stations, c.Station, c, func(c auth.StationCredential) int { return c.Version })
}

func (s *testStore) StationCredential(_ context.Context, id leyden.StationID) (auth.StationCredential, error) {
	c, err := read(s, s.stations, id)
	c.Next = slices.Clone(c.Next)
	return c, err
}

func (s *testStore) DeleteStationCredential(_ context.Context, id leyden.StationID) error {
	if _, err := read(s, s.stations, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stations, id)
	return s.err
}

func (s *testStore) StationsAt(_ context.Context, sites []string) (found []leyden.StationID, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.sites)) {
		if slices.Contains(sites, s.sites[id]) {
			found = append(found, id)
		}
	}
	return found, s.err
}

func (s *testStore) LastRemoved(_ context.Context, id leyden.StationID) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed[id], s.err
}
