package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"leyden"
)

// AddStation implements [leyden.Registry].
func (s *Store) AddStation(ctx context.Context, st leyden.Station) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.stations[st.ID]
	if ok && old.RemovedAt.IsZero() || s.publicIDTaken(st) {
		return leyden.ErrExists
	}
	st.Version = old.Version + 1
	return s.putStation(ctx, st)
}

// SaveStation implements [leyden.Registry].
func (s *Store) SaveStation(ctx context.Context, st leyden.Station) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.stations[st.ID]
	if !ok || !old.RemovedAt.IsZero() {
		return leyden.ErrNotFound
	}
	if s.publicIDTaken(st) {
		return leyden.ErrExists
	}
	if st.Version != 0 && st.Version != old.Version {
		return leyden.ErrStale
	}
	st.Sighting, st.Version = old.Sighting, old.Version+1
	return s.putStation(ctx, st)
}

func (s *Store) publicIDTaken(st leyden.Station) bool {
	for _, other := range s.stations {
		if other.PublicID == st.PublicID && other.ID != st.ID {
			return true
		}
	}
	return false
}

func (s *Store) putStation(ctx context.Context, st leyden.Station) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st = detach(st)
	slices.SortFunc(st.Connectors, func(a, b leyden.Connector) int { return cmp.Compare(a.Number, b.Number) })
	s.stations[st.ID] = st
	if !st.RemovedAt.IsZero() {
		s.removed[st.ID] = latest(s.removed[st.ID], st.RemovedAt)
	}
	return nil
}

// LastRemoved implements [leyden.Registry] and [auth.Store].
func (s *Store) LastRemoved(ctx context.Context, id leyden.StationID) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed[id], ctx.Err()
}

// SaveSightings implements [leyden.Registry].
func (s *Store) SaveSightings(ctx context.Context, seen map[leyden.StationID]leyden.Sighting, notices []leyden.Notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s.post(slices.Clone(notices))
	for id, sighting := range seen {
		st, ok := s.stations[id]
		if !ok || !st.RemovedAt.IsZero() {
			continue
		}
		st.Sighting = sighting
		if err := s.putStation(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// Station implements [leyden.Registry].
func (s *Store) Station(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	return s.station(ctx, func(st leyden.Station) bool { return st.ID == id })
}

// RecentStation implements [leyden.Registry].
func (s *Store) RecentStation(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	return s.Station(ctx, id)
}

// StationByPublicID implements [leyden.Registry].
func (s *Store) StationByPublicID(ctx context.Context, id string) (leyden.Station, error) {
	return s.station(ctx, func(st leyden.Station) bool { return st.PublicID == id })
}

func (s *Store) station(ctx context.Context, is func(leyden.Station) bool) (leyden.Station, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Station{}, err
	}
	for _, st := range s.stations {
		if is(st) && st.RemovedAt.IsZero() {
			return detach(st), nil
		}
	}
	return leyden.Station{}, leyden.ErrNotFound
}

// Stations implements [leyden.Registry].
func (s *Store) Stations(ctx context.Context, q leyden.StationQuery) ([]leyden.Station, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.stations), func(a, b leyden.Station) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.DeleteFunc(all, func(st leyden.Station) bool {
		return !st.RemovedAt.IsZero() || q.Site != "" && st.Site != q.Site || !within(q.Within, st.ID) ||
			q.Connected && !st.Connected()
	})
	rest := behind(all, q.After, true, func(st leyden.Station) leyden.Cursor { return leyden.Cursor{Name: string(st.ID)} })
	return part(rest, leyden.Slice{Limit: q.Limit, Offset: q.Offset}), len(all), ctx.Err()
}

// StationsAt implements [auth.Store].
func (s *Store) StationsAt(ctx context.Context, sites []string) ([]leyden.StationID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []leyden.StationID
	for id, st := range s.stations {
		if st.Site != "" && slices.Contains(sites, st.Site) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found, ctx.Err()
}

// AddToken implements [leyden.Registry].
func (s *Store) AddToken(ctx context.Context, t leyden.Token) (leyden.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Version = 0
	if err := s.refuseToken(ctx, &t); err != nil {
		return leyden.Token{}, err
	}
	if old, ok := s.tokens[fold(t.Value)]; ok {
		if old.Listed {
			return old, leyden.ErrExists
		}
		t.Value, t.CreatedAt, t.SeenAt = old.Value, old.CreatedAt, old.SeenAt
	}
	return s.putToken(t), nil
}

// SaveToken implements [leyden.Registry].
func (s *Store) SaveToken(ctx context.Context, t leyden.Token) error {
	return s.SaveTokens(ctx, []leyden.Token{t})
}

// SaveTokens implements [leyden.Registry].
func (s *Store) SaveTokens(ctx context.Context, list []leyden.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		if err := s.refuseToken(ctx, &list[i]); err != nil {
			return err
		}
	}
	for _, t := range list {
		if old, ok := s.tokens[fold(t.Value)]; ok {
			t.Value = old.Value
		}
		s.putToken(t)
	}
	return nil
}

// putToken writes a token and counts that as a change, of the vehicles between
// which it moves too.
func (s *Store) putToken(t leyden.Token) leyden.Token {
	old := s.tokens[fold(t.Value)]
	t = detach(t)
	t.Version = old.Version + 1
	if old.VehicleID != t.VehicleID {
		s.countVehicle(old.VehicleID)
		s.countVehicle(t.VehicleID)
	}
	s.tokens[fold(t.Value)] = t
	return t
}

func (s *Store) countVehicle(id string) {
	if v, ok := s.vehicles[id]; ok {
		v.Version++
		s.vehicles[id] = v
	}
}

// refuseToken returns why a token may not be written, or nil.
func (s *Store) refuseToken(ctx context.Context, t *leyden.Token) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := s.vehicles[t.VehicleID]; t.VehicleID != "" && !ok {
		return fmt.Errorf("there is no vehicle %q: %w", t.VehicleID, leyden.ErrInvalid)
	}
	if t.Value == "" {
		return fmt.Errorf("an idTag without a value: %w", leyden.ErrInvalid)
	}
	if t.Version != 0 && t.Version != s.tokens[fold(t.Value)].Version {
		return leyden.ErrStale
	}
	return nil
}

func fold(value string) string { return leyden.IDToken{Value: value}.Fold() }

// SeeTokens implements [leyden.Registry].
func (s *Store) SeeTokens(ctx context.Context, seen []leyden.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, t := range detach(seen) {
		if t.Value == "" {
			continue
		}
		at := t.SeenAt
		if old, ok := s.tokens[fold(t.Value)]; ok {
			t = old
		} else {
			t.Listed, t.VehicleID, t.Version = false, "", 1
		}
		t.SeenAt = latest(t.SeenAt, at)
		s.tokens[fold(t.Value)] = t
	}
	return nil
}

// RemoveToken implements [leyden.Registry].
func (s *Store) RemoveToken(ctx context.Context, value string, version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	t, ok := s.tokens[fold(value)]
	if !ok {
		return leyden.ErrNotFound
	}
	if version != 0 && version != t.Version {
		return leyden.ErrStale
	}
	s.countVehicle(t.VehicleID)
	delete(s.tokens, fold(value))
	return nil
}

// RecentToken implements [leyden.Registry].
func (s *Store) RecentToken(ctx context.Context, value string) (leyden.Token, error) {
	return s.Token(ctx, value)
}

// Token implements [leyden.Registry].
func (s *Store) Token(ctx context.Context, value string) (leyden.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Token{}, err
	}
	t, ok := s.tokens[fold(value)]
	if !ok {
		return leyden.Token{}, leyden.ErrNotFound
	}
	return t, nil
}

// Tokens implements [leyden.Registry].
func (s *Store) Tokens(ctx context.Context, q leyden.TokenQuery) ([]leyden.Token, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.Collect(maps.Values(s.tokens))
	found = slices.DeleteFunc(found, func(t leyden.Token) bool { return !selectsToken(&q, &t) })
	slices.SortFunc(found, compareTokens)
	rest := behind(found, q.After, true, func(t leyden.Token) leyden.Cursor { return leyden.Cursor{Name: fold(t.Value)} })
	return part(rest, leyden.Slice{Limit: q.Limit, Offset: q.Offset}), len(found), ctx.Err()
}

func selectsToken(q *leyden.TokenQuery, t *leyden.Token) bool {
	return (q.Listed == nil || t.Listed == *q.Listed) &&
		(q.Status == "" || t.Status == q.Status) &&
		(q.Parent == "" || fold(t.Parent) == fold(q.Parent)) &&
		(strings.Contains(fold(t.Value), fold(q.Text)) || strings.Contains(lowerASCII(t.Note), lowerASCII(q.Text)))
}

// ScanTokens implements [leyden.Registry].
func (s *Store) ScanTokens(ctx context.Context, q leyden.TokenQuery) iter.Seq2[leyden.Token, error] {
	return func(yield func(leyden.Token, error) bool) {
		q.Limit, q.Offset = math.MaxInt, 0
		found, _, err := s.Tokens(ctx, q)
		for _, t := range found {
			if err = ctx.Err(); err != nil || !yield(t, nil) {
				break
			}
		}
		if err != nil {
			yield(leyden.Token{}, err)
		}
	}
}

func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

func compareTokens(a, b leyden.Token) int { return strings.Compare(fold(a.Value), fold(b.Value)) }

// AddVehicle implements [leyden.Registry].
func (s *Store) AddVehicle(ctx context.Context, v leyden.Vehicle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vehicles[v.ID]; ok {
		return leyden.ErrExists
	}
	v.Version = 0
	return s.putVehicle(ctx, v)
}

// SaveVehicle implements [leyden.Registry].
func (s *Store) SaveVehicle(ctx context.Context, v leyden.Vehicle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putVehicle(ctx, v)
}

func (s *Store) putVehicle(ctx context.Context, v leyden.Vehicle) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.ID == "" || slices.Contains(v.Tokens, "") {
		return fmt.Errorf("a vehicle or an idTag without a name: %w", leyden.ErrInvalid)
	}
	if v.Version != 0 && v.Version != s.vehicles[v.ID].Version {
		return leyden.ErrStale
	}
	v = detach(v)
	s.freeTokens(v.ID)
	for _, value := range v.Tokens {
		t, ok := s.tokens[fold(value)]
		if !ok {
			t = leyden.Token{Value: value, CreatedAt: s.now().UTC()}
		}
		if !t.Listed {
			t.Listed, t.Status = true, leyden.TokenAccepted
		}
		t.VehicleID = v.ID
		s.putToken(t)
	}
	v.Tokens, v.Version = nil, s.vehicles[v.ID].Version+1 // the tokens know
	s.vehicles[v.ID] = v
	return nil
}

// freeTokens takes all tokens from a vehicle.
func (s *Store) freeTokens(vehicle string) {
	for _, t := range s.tokens {
		if t.VehicleID == vehicle {
			t.VehicleID = ""
			s.putToken(t)
		}
	}
}

// RemoveVehicle implements [leyden.Registry].
func (s *Store) RemoveVehicle(ctx context.Context, id string, version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	v, ok := s.vehicles[id]
	if !ok {
		return leyden.ErrNotFound
	}
	if version != 0 && version != v.Version {
		return leyden.ErrStale
	}
	s.freeTokens(id)
	delete(s.vehicles, id)
	return nil
}

// Vehicle implements [leyden.Registry].
func (s *Store) Vehicle(ctx context.Context, id string) (leyden.Vehicle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Vehicle{}, err
	}
	v, ok := s.vehicles[id]
	if !ok {
		return leyden.Vehicle{}, leyden.ErrNotFound
	}
	return s.withTokens(v), nil
}

// Vehicles implements [leyden.Registry].
func (s *Store) Vehicles(ctx context.Context, p leyden.Slice) ([]leyden.Vehicle, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.vehicles), func(a, b leyden.Vehicle) int { return cmp.Compare(a.ID, b.ID) })
	vehicles := part(behind(all, p.After, true, func(v leyden.Vehicle) leyden.Cursor { return leyden.Cursor{Name: v.ID} }), p)
	for i := range vehicles {
		vehicles[i] = s.withTokens(vehicles[i])
	}
	return vehicles, len(all), ctx.Err()
}

func (s *Store) withTokens(v leyden.Vehicle) leyden.Vehicle {
	for _, t := range slices.SortedFunc(maps.Values(s.tokens), compareTokens) {
		if t.VehicleID == v.ID {
			v.Tokens = append(v.Tokens, t.Value)
		}
	}
	return v
}
