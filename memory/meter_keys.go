package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"leyden"
)

type meterKeyID struct {
	station leyden.StationID
	id      string
}

// SaveMeterKey implements [leyden.Registry].
func (s *Store) SaveMeterKey(ctx context.Context, k leyden.MeterKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.ID == "" || k.Station == "" || len(k.Public) == 0 {
		return fmt.Errorf("a meter key without a name, a station or a key: %w", leyden.ErrInvalid)
	}
	s.meterKeys[meterKeyID{k.Station, k.ID}] = detach(k)
	return nil
}

// RemoveMeterKey implements [leyden.Registry].
func (s *Store) RemoveMeterKey(ctx context.Context, station leyden.StationID, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := s.meterKeys[meterKeyID{station, id}]; !ok {
		return leyden.ErrNotFound
	}
	delete(s.meterKeys, meterKeyID{station, id})
	return nil
}

// MeterKeys implements [leyden.Registry].
func (s *Store) MeterKeys(ctx context.Context, station leyden.StationID) ([]leyden.MeterKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []leyden.MeterKey
	for id, k := range s.meterKeys {
		if id.station == station {
			keys = append(keys, detach(k))
		}
	}
	slices.SortFunc(keys, func(a, b leyden.MeterKey) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.ID, b.ID))
	})
	return keys, ctx.Err()
}
