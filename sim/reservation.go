package sim

import (
	"slices"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// A reservation keeps a connector free for an idTag; on connector 0, any one of
// the station (OCPP 1.6 §3.9).
type reservation struct {
	id, connector int
	tag, parent   string
	expiry        time.Time
}

// is reports whether r was made for a driver; parent is "" while it is unknown.
func (r *reservation) is(tag, parent string) bool {
	return strings.EqualFold(r.tag, tag) || r.parent != "" && strings.EqualFold(r.parent, parent)
}

// reservationCommand answers the messages of the profile Reservation.
func (s *station) reservationCommand(req ocpp.Request, now time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.ReserveNow:
		res := &v16.ReserveNowResponse{Status: s.reservable(m, now)}
		if res.Status != v16.ReservationStatusAccepted {
			return res, nil
		}
		s.cancel(m.ReservationID)
		r := reservation{m.ReservationID, m.ConnectorID, m.IDTag, m.ParentIDTag.Or(""), m.ExpiryDate}
		s.reservations = append(s.reservations, r)
		s.at(r.expiry, func(now time.Time) {
			if slices.Contains(s.reservations, r) {
				s.cancel(r.id)
				s.restAll(now)
			}
		})
		return res, s.restAll
	case *v16.CancelReservation:
		return &v16.CancelReservationResponse{Status: accepted(s.cancel(m.ReservationID))}, s.restAll
	}
	return nil, nil
}

// reservable answers a ReserveNow (OCPP 1.6 §5.13).
func (s *station) reservable(m *v16.ReserveNow, now time.Time) v16.ReservationStatus {
	c := s.connector(m.ConnectorID)
	switch {
	case m.ConnectorID != 0 && c == nil, !m.ExpiryDate.After(now):
		return v16.ReservationStatusRejected
	case !s.operative || c != nil && !c.operative || s.installing:
		return v16.ReservationStatusUnavailable
	case c == nil && s.unclaimed(nil)+s.replaced(m.ReservationID) < 1:
		return v16.ReservationStatusOccupied
	case c != nil && !c.vacant():
		return v16.ReservationStatusOccupied
	}
	if r := s.reservationAt(m.ConnectorID); c != nil && r != nil && r.id != m.ReservationID {
		return v16.ReservationStatusOccupied
	}
	return v16.ReservationStatusAccepted
}

// vacant reports whether nobody is at the connector.
func (c *connector) vacant() bool { return c.phase == idle || c.phase == gone }

// unclaimed returns how many connectors other than except are free for anybody,
// less those that reservations of any connector need.
func (s *station) unclaimed(except *connector) int {
	n := 0
	for _, c := range s.connectors {
		if c != except && c.vacant() && c.operative && s.operative && s.reservationAt(c.id) == nil {
			n++
		}
	}
	for _, r := range s.reservations {
		if r.connector == 0 {
			n--
		}
	}
	return n
}

// replaced returns how many connectors a reservation needs that is made anew.
func (s *station) replaced(id int) int {
	if slices.ContainsFunc(s.reservations, func(r reservation) bool { return r.connector == 0 && r.id == id }) {
		return 1
	}
	return 0
}

// reservationAt returns that of one connector, or nil.
func (s *station) reservationAt(connector int) *reservation {
	i := slices.IndexFunc(s.reservations, func(r reservation) bool { return r.connector == connector })
	if i < 0 {
		return nil
	}
	return &s.reservations[i]
}

// cancel forgets a reservation, and reports whether there was one.
func (s *station) cancel(id int) bool {
	n := len(s.reservations)
	s.reservations = slices.DeleteFunc(s.reservations, func(r reservation) bool { return r.id == id })
	return len(s.reservations) < n
}

// restAll gives all unused connectors the status that they should have.
func (s *station) restAll(now time.Time) {
	for _, c := range s.connectors {
		s.rest(c, now)
	}
}

// claim returns the reservation that a driver may use at a connector, if any, and
// whether those of others keep the driver away.
func (s *station) claim(c *connector, tag, parent string) (mine *reservation, barred bool) {
	if r := s.reservationAt(c.id); r != nil {
		if r.is(tag, parent) {
			return r, false
		}
		return nil, true
	}
	for i := range s.reservations {
		if r := &s.reservations[i]; r.connector == 0 && r.is(tag, parent) {
			return r, false
		}
	}
	return nil, s.unclaimed(c) < 0
}

// welcome reports whether a driver may plug in: also one of whom only the group
// may be the right one, which is asked for.
func (s *station) welcome(c *connector, tag string) bool {
	_, barred := s.claim(c, tag, "")
	return !barred || slices.ContainsFunc(s.reservations, func(r reservation) bool {
		return r.parent != "" && (r.connector == c.id || r.connector == 0 && s.reservationAt(c.id) == nil)
	})
}

// use takes the reservation that a charge begins with, and returns its number.
func (s *station) use(c *connector) ocpp.Opt[int] {
	mine, _ := s.claim(c, c.visit.IDTag, c.parent)
	if mine == nil {
		return ocpp.Opt[int]{}
	}
	id := mine.id
	s.cancel(id)
	return ocpp.Some(id)
}

// unreserve drops the reservations of a connector that nobody can use any more.
func (s *station) unreserve(connector int) {
	s.reservations = slices.DeleteFunc(s.reservations, func(r reservation) bool {
		return connector == 0 || r.connector == connector
	})
}
