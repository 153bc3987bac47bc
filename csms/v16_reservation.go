package csms

import (
	"context"
	"unicode/utf8"

	"leyden"
	"leyden/ocpp/v16"
)

// reservable16 refuses what a reservation cannot be asked for.
func reservable16(q *leyden.ReservationRequest) error {
	return valid(reserveNow16(&leyden.Reservation{Connector: q.Connector, Token: q.Token, ExpiresAt: q.ExpiresAt}))
}

func reserveNow16(r *leyden.Reservation) *v16.ReserveNow {
	m := &v16.ReserveNow{ConnectorID: r.Connector, ExpiryDate: r.ExpiresAt, IDTag: r.Token.Value, ReservationID: r.ID}
	if utf8.RuneCountInString(r.Parent) <= maxIDTag {
		m.ParentIDTag = optional(r.Parent)
	}
	return m
}

func reserve16(ctx context.Context, s *session, r *leyden.Reservation) (string, error) {
	var res v16.ReserveNowResponse
	err := s.call(ctx, reserveNow16(r), &res)
	return string(res.Status), err
}

func cancelReservation16(ctx context.Context, s *session, id int) (string, error) {
	var res v16.CancelReservationResponse
	err := s.call(ctx, &v16.CancelReservation{ReservationID: id}, &res)
	return string(res.Status), err
}

func keptReservation16(ctx context.Context, s *session, request, answer string) {
	var req v16.ReserveNow
	var res v16.ReserveNowResponse
	if !exchanged16(&req, request, &res, answer) {
		return
	}
	s.keepReservation(ctx, leyden.Reservation{
		ID: req.ReservationID, Connector: req.ConnectorID, Token: leyden.IDToken{Value: req.IDTag},
		Parent: req.ParentIDTag.Or(""), ExpiresAt: req.ExpiryDate,
	}, string(res.Status))
}

// keptCancellation16 notes that a station has no such reservation any more, which
// Rejected says too (OCPP 1.6 §5.2).
func keptCancellation16(ctx context.Context, s *session, request, answer string) {
	var req v16.CancelReservation
	var res v16.CancelReservationResponse
	if exchanged16(&req, request, &res, answer) && res.Status.Known() {
		s.keepCancellation(ctx, req.ReservationID)
	}
}
