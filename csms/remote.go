package csms

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
)

// RemoteStart asks a station to begin a transaction. It returns once the station
// has accepted, with the transaction as it is then: pending, or active when the
// station was quick. A station that is not connected is not tried and leaves
// nothing behind. It fails with [leyden.ErrRefused], a [*StationError],
// [leyden.ErrSilent] or [ErrLeft] after the station was asked, which the transaction records
// and which comes with it; with the errors of [leyden.Ledger.Reserve], with
// [leyden.ErrConnector] for a station that may not work here, and with those of
// the commands.
func (srv *Server) RemoteStart(ctx context.Context, r leyden.StartRequest) (leyden.Transaction, error) {
	return srv.RemoteStartWith(ctx, r, nil)
}

// RemoteStartWith is [Server.RemoteStart] with a charging profile for the
// transaction, unless it is nil.
func (srv *Server) RemoteStartWith(ctx context.Context, r leyden.StartRequest, p *device.ChargingProfile) (leyden.Transaction, error) {
	s, err := srv.session(ctx, r.Station)
	if err != nil {
		return leyden.Transaction{}, err
	}
	if err := s.dialect.startable(&r, p); err != nil {
		return leyden.Transaction{}, err
	}
	if !s.accepted.Load() {
		return leyden.Transaction{}, fmt.Errorf("%w: station %s is not accepted", leyden.ErrConnector, r.Station)
	}
	r.RequirePreparing = r.RequirePreparing || srv.opt.RequirePreparing
	t, err := srv.ledger.Reserve(ctx, r)
	if err != nil {
		return leyden.Transaction{}, err
	}
	ctx = orAs(context.WithoutCancel(ctx), r.By) // what was begun is seen through, also for a client that left
	status, err := s.dialect.remoteStart(concerning(ctx, t.ID), s, &t, p)
	answer := answerOf(status, err)
	now, err := srv.ledger.AnswerStart(ctx, t.ID, answer.of(startAnswers), answer.reason)
	if err != nil {
		return t, errors.Join(answer.err, err)
	}
	return now, answer.err
}

// An answer is what became of a remote start or stop.
type answer struct {
	kind   answerKind
	reason string
	err    error
}

type answerKind int

const (
	consent answerKind = iota
	refusal
	failure // an error, or it never left
	silence // or it left: it may have acted
)

var (
	startAnswers = [...]leyden.EventKind{leyden.StartAnswered, leyden.StartRefused, leyden.StartErrored, leyden.StartUnanswered}
	stopAnswers  = [...]leyden.EventKind{leyden.StopAnswered, leyden.StopDenied, leyden.StopDenied, leyden.StopUnanswered}
)

func (a answer) of(kinds [4]leyden.EventKind) leyden.EventKind { return kinds[a.kind] }

// answerOf tells what a station's word or error means. A word that OCPP does not
// know is neither consent nor refusal: nobody knows what the station will do.
func answerOf(status string, err error) answer {
	if err == nil && !strings.EqualFold(status, accepted) && !strings.EqualFold(status, rejected) {
		err = &StationError{Code: string(ocpp.PropertyConstraint), Description: "the answer's status is " + strconv.Quote(maskWords(clip(status)))}
	}
	_, errored := errors.AsType[*StationError](err)
	switch {
	case err == nil && strings.EqualFold(status, accepted):
		return answer{kind: consent}
	case err == nil:
		return answer{refusal, status, leyden.ErrRefused}
	case errored || errors.Is(err, errNotSent) || errors.Is(err, leyden.ErrInvalid):
		return answer{failure, err.Error(), err}
	}
	return answer{silence, err.Error(), err}
}

// An openStop is a remote stop whose answer is awaited.
type openStop struct {
	recorded chan struct{} // closed once the ledger knows of it, or cannot
	err      error         // why it cannot; set before
}

// RemoteStop asks a station to end a transaction, and returns it once the
// station has accepted. One that is pending is cancelled instead. While the
// answer to a stop is awaited another one sends nothing and returns the
// transaction as it is, or what that one fails with. It fails with
// [leyden.ErrState] for a transaction that does not run, and like
// [Server.RemoteStart].
func (srv *Server) RemoteStop(ctx context.Context, id leyden.TransactionID, by string) (leyden.Transaction, error) {
	t, err := srv.ledger.Store().Transaction(ctx, id)
	if err != nil {
		return leyden.Transaction{}, fmt.Errorf("transaction %d: %w", id, err)
	}
	if t.Status == leyden.Pending {
		cancelled, err := srv.ledger.Cancel(ctx, id, by)
		if !errors.Is(err, leyden.ErrState) {
			return cancelled, err
		}
		if t, err = srv.ledger.Store().Transaction(ctx, id); err != nil { // it has just begun
			return t, fmt.Errorf("transaction %d: %w", id, err)
		}
	}
	if t.Status != leyden.Active && t.Status != leyden.Stopping {
		return t, fmt.Errorf("transaction %d is %v: %w", id, t.Status, leyden.ErrState)
	}
	s, err := srv.session(ctx, t.Station)
	if err != nil {
		return t, err
	}
	stop := &openStop{recorded: make(chan struct{})}
	if other, open := srv.stops.LoadOrStore(id, stop); open {
		return srv.joinStop(ctx, id, by, other.(*openStop))
	}
	defer srv.stops.CompareAndDelete(id, stop)
	return s.remoteStop(ctx, id, by, stop)
}

// joinStop returns the transaction that another caller is stopping; one that left
// too early, or ran out of time, leaves it to this one.
func (srv *Server) joinStop(ctx context.Context, id leyden.TransactionID, by string, other *openStop) (leyden.Transaction, error) {
	select {
	case <-other.recorded:
	case <-ctx.Done():
		return leyden.Transaction{}, ctx.Err()
	}
	if errors.Is(other.err, context.Canceled) || errors.Is(other.err, context.DeadlineExceeded) {
		return srv.RemoteStop(ctx, id, by)
	}
	if other.err != nil {
		return leyden.Transaction{}, other.err
	}
	t, err := srv.ledger.Store().Transaction(ctx, id)
	if err != nil {
		return t, fmt.Errorf("transaction %d: %w", id, err)
	}
	if t.Status == leyden.Active { // the station has just said no
		return t, leyden.ErrRefused
	}
	return t, nil
}

func (s *session) remoteStop(ctx context.Context, id leyden.TransactionID, by string, stop *openStop) (leyden.Transaction, error) {
	t, err := s.srv.ledger.RequestStop(ctx, id, by)
	if err != nil {
		s.srv.stops.CompareAndDelete(id, stop) // who joined it may ask anew
	}
	stop.err = err
	close(stop.recorded)
	if err != nil {
		return t, err
	}
	ctx = orAs(context.WithoutCancel(ctx), by) // as in RemoteStart
	status, err := s.dialect.remoteStop(ctx, s, &t)
	answer := answerOf(status, err)
	now, err := s.srv.ledger.AnswerStop(ctx, id, t.StopRound, answer.of(stopAnswers), answer.reason)
	if err != nil {
		return t, errors.Join(answer.err, err)
	}
	return now, answer.err
}

// stopUnwanted stops a transaction that the ledger wants stopped after a report.
func (srv *Server) stopUnwanted(id leyden.TransactionID) {
	srv.background(func(ctx context.Context) {
		if _, err := srv.RemoteStop(ctx, id, ""); err != nil {
			srv.log.Warn("cancelled transaction not stopped", "transaction", id, "error", err)
		}
	})
}
