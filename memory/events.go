package memory

import (
	"context"

	"leyden"
)

// ByKey implements [leyden.Store].
func (s *Store) ByKey(ctx context.Context, station leyden.StationID, key string) (leyden.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Event{}, err
	}
	seq := s.byKey[eventKey{station, key}]
	if seq == 0 {
		return leyden.Event{}, leyden.ErrNotFound
	}
	return detach(s.events[seq-1]), nil
}

// Events implements [leyden.Store].
func (s *Store) Events(ctx context.Context, id leyden.TransactionID) ([]leyden.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil || id == 0 {
		return nil, err
	}
	var events []leyden.Event
	for _, seq := range s.ofID[id] {
		events = append(events, detach(s.events[seq-1]))
	}
	return events, nil
}

// part returns a detached part of a list.
func part[T any](list []T, p leyden.Slice) []T {
	if p.Limit == 0 {
		p.Limit = leyden.MaxWorking
	}
	list = list[min(max(p.Offset, 0), len(list)):]
	return detach(list[:min(p.Limit, len(list))])
}
