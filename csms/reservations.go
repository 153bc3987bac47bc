package csms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leyden"
)

// A reservationDialect sends the messages about reservations and returns the
// station's word.
type reservationDialect struct {
	// reservable says why a reservation cannot be asked for, or returns nil.
	reservable func(q *leyden.ReservationRequest) error
	reserve    func(ctx context.Context, s *session, r *leyden.Reservation) (string, error)
	cancel     func(ctx context.Context, s *session, id int) (string, error)
}

// notSent stands in the record of a reservation for the word of a station that
// never heard of it.
const notSent = "not sent"

// Reserve asks a station to keep a connector, or with 0 any of them, for an idTag,
// and returns the reservation once the station has accepted. What it answers is
// recorded; after silence the reservation stays pending until it expires. It fails
// with [leyden.ErrRefused], a [*StationError], [leyden.ErrSilent] or [ErrLeft]
// after the station was asked, and then with the reservation; with the errors of
// [leyden.Ledger.BookConnector], and like [Server.RemoteStart].
func (srv *Server) Reserve(ctx context.Context, q leyden.ReservationRequest) (leyden.Reservation, error) {
	s, err := srv.session(ctx, q.Station)
	if err != nil {
		return leyden.Reservation{}, err
	}
	if err := s.dialect.reservations.reservable(&q); err != nil {
		return leyden.Reservation{}, err
	}
	if !s.accepted.Load() {
		return leyden.Reservation{}, fmt.Errorf("%w: station %s is not accepted", leyden.ErrConnector, q.Station)
	}
	r, err := srv.ledger.BookConnector(ctx, q)
	if err != nil {
		return leyden.Reservation{}, err
	}
	ctx = orAs(context.WithoutCancel(ctx), q.By) // what was begun is seen through, also for a client that left
	status, err := s.dialect.reservations.reserve(ctx, s, &r)
	word, answered := reservationWord(status, err)
	if !answered {
		return r, err // it may have reserved
	}
	now, lost := srv.ledger.AnswerReservation(ctx, q.Station, r.ID, word)
	if lost != nil {
		return r, errors.Join(err, lost)
	}
	if err == nil && word != accepted {
		err = fmt.Errorf("%w: %s", leyden.ErrRefused, word)
	}
	return now, err
}

// reservationWord returns what the record says of a station's word or error, or
// false if nobody knows what the station did.
func reservationWord(status string, err error) (string, bool) {
	if e, ok := errors.AsType[*StationError](err); ok && !e.unread {
		return clip(e.Code), true
	}
	switch {
	case err == nil && strings.EqualFold(status, accepted):
		return accepted, true
	case err == nil:
		return clip(status), true
	case errors.Is(err, errNotSent) || errors.Is(err, leyden.ErrInvalid):
		return notSent, true
	}
	return "", false
}

// CancelReservation asks a station to give up a reservation, and returns it once
// the station has. A station that has none with that number answers Rejected: the
// reservation ends here, too, and the error is [leyden.ErrRefused]. One that is
// cancelled already is returned as it is. It fails with [leyden.ErrReservation]
// for one that ended otherwise, [leyden.ErrNotFound], and like the commands.
func (srv *Server) CancelReservation(ctx context.Context, id leyden.StationID, number int, by string) (leyden.Reservation, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return leyden.Reservation{}, err
	}
	r, err := srv.ledger.Store().Reservation(ctx, id, number)
	if err != nil {
		return leyden.Reservation{}, fmt.Errorf("reservation %d of station %s: %w", number, id, err)
	}
	switch {
	case r.Status == leyden.ReservationCancelled:
		return r, nil
	case !r.Status.Open():
		return r, fmt.Errorf("reservation %d is %s: %w", number, r.Status, leyden.ErrReservation)
	}
	ctx = orAs(context.WithoutCancel(ctx), by)
	answer := answerOf(s.dialect.reservations.cancel(ctx, s, number))
	if answer.kind != consent && answer.kind != refusal {
		return r, answer.err
	}
	now, err := srv.ledger.CancelReservation(ctx, id, number, by)
	if err != nil {
		return r, errors.Join(answer.err, err)
	}
	return now, answer.err
}

// keepReservation records what a station answered to a reservation: to one of the
// ledger's that waits for it, or to one that somebody made with a number of his
// own.
func (s *session) keepReservation(ctx context.Context, n leyden.Reservation, status string) {
	ctx, cancel := aside(ctx)
	defer cancel()
	known, err := s.srv.ledger.Store().Reservation(ctx, s.station, n.ID)
	if err == nil && known.Status == leyden.ReservationPending && known.Connector == n.Connector && known.Token.Fold() == n.Token.Fold() {
		word, _ := reservationWord(status, nil)
		_, err = s.srv.ledger.AnswerReservation(ctx, s.station, n.ID, word)
		s.reservationKept(ctx, n.ID, err)
		return
	}
	if (err == nil || errors.Is(err, leyden.ErrNotFound)) && !strings.EqualFold(status, accepted) {
		return
	}
	if err == nil || errors.Is(err, leyden.ErrNotFound) {
		n.Station, n.By = s.station, callerOf(ctx)
		err = s.srv.ledger.NoteReservation(ctx, n)
	}
	s.reservationKept(ctx, n.ID, err)
}

// keepCancellation records that a station has no reservation with that number any
// more.
func (s *session) keepCancellation(ctx context.Context, number int) {
	ctx, cancel := aside(ctx)
	defer cancel()
	_, err := s.srv.ledger.CancelReservation(ctx, s.station, number, callerOf(ctx))
	if errors.Is(err, leyden.ErrNotFound) || errors.Is(err, leyden.ErrReservation) {
		return // nobody here made it, or it ended before
	}
	s.reservationKept(ctx, number, err)
}

func (s *session) reservationKept(ctx context.Context, number int, err error) {
	if err != nil {
		s.srv.log.WarnContext(ctx, "reservation not kept", "station", s.station, "reservation", number, "error", err)
	}
}
