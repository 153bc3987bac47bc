package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"leyden"
)

type reservationKey struct {
	station leyden.StationID
	id      int
}

// refuseReservations returns ErrStale if a reservation changed since e was
// decided on.
func (s *Store) refuseReservations(e *leyden.Entry) error {
	for i := range e.Reservations {
		r := &e.Reservations[i]
		if s.reservations[reservationKey{r.Station, r.ID}].Version != r.Version-1 {
			return leyden.ErrStale
		}
	}
	return nil
}

func (s *Store) writeReservation(r *leyden.Reservation) {
	kept := detach(*r)
	s.reservations[reservationKey{kept.Station, kept.ID}] = kept
}

// Reservation implements [leyden.Store].
func (s *Store) Reservation(ctx context.Context, station leyden.StationID, id int) (leyden.Reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return leyden.Reservation{}, err
	}
	r, ok := s.reservations[reservationKey{station, id}]
	if !ok {
		return leyden.Reservation{}, leyden.ErrNotFound
	}
	return r, nil
}

// Reservations implements [leyden.Store].
func (s *Store) Reservations(ctx context.Context, q leyden.ReservationQuery) ([]leyden.Reservation, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	found := slices.Collect(maps.Values(s.reservations))
	found = slices.DeleteFunc(found, func(r leyden.Reservation) bool { return !selectsReservation(&q, &r) })
	slices.SortFunc(found, func(a, b leyden.Reservation) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID), cmp.Compare(b.Station, a.Station))
	})
	rest := behind(found, q.After, false, func(r leyden.Reservation) leyden.Cursor {
		return leyden.Cursor{At: r.CreatedAt, ID: int64(r.ID), Name: string(r.Station)}
	})
	return part(rest, leyden.Slice{Limit: q.Limit, Offset: q.Offset}), len(found), nil
}

func selectsReservation(q *leyden.ReservationQuery, r *leyden.Reservation) bool {
	return (q.Station == "" || r.Station == q.Station) &&
		(q.Connector == nil || r.Connector == *q.Connector) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status)) &&
		(q.Due.IsZero() || !r.ExpiresAt.After(q.Due))
}
