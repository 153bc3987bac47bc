package leyden

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A StartRequest asks for a remote start.
type StartRequest struct {
	Station          StationID
	Connector        int
	Token            IDToken
	VehicleID        string            // "": the vehicle that uses the token
	Metadata         map[string]string // kept with the transaction
	By               string            // id of the credential that asked
	RequirePreparing bool              // only when a vehicle is plugged in already
}

// Reserve records that a remote start is about to be sent: the transaction is
// pending, and its number drawn, before the station hears of it. It fails with
// a [PendingError], [ErrActive], [ErrConnector] or [ErrToken], and then nothing
// was recorded.
func (l *Ledger) Reserve(ctx context.Context, r StartRequest) (Transaction, error) {
	var t Transaction
	err := l.atDesk(ctx, r.Station, func(d *desk) error {
		if err := d.startable(&r); err != nil {
			return err
		}
		info, vehicle, err := l.authorizeStart(ctx, r.Token, d.charging(r.Connector))
		if err != nil {
			return err
		}
		if !info.Accepted() {
			return fmt.Errorf("idTag %s is %s: %w", r.Token.Value, info.Status, ErrToken)
		}
		if d.connector(r.Connector).Status == reserved {
			if err := l.reservedFor(ctx, &r, info.Parent); err != nil {
				return err
			}
		}
		if r.VehicleID == "" {
			r.VehicleID = vehicle
		}
		fresh := new(Transaction)
		err = l.begin(ctx, r.Station, fresh)
		if err != nil {
			return err
		}
		c := l.change(d, l.Now())
		_, err = c.applyTo(ctx, fresh, &Event{
			Kind: Requested, Key: ownKey(Requested, fresh.ID, 0), Connector: r.Connector, Token: r.Token, Vehicle: r.VehicleID,
			Metadata: r.Metadata, By: r.By, Expires: l.Now().Add(l.startTimeout(d) + startGrace),
		})
		if err != nil {
			return err
		}
		err = c.write(ctx)
		t = *c.after(fresh.ID)
		return err
	})
	if err != nil {
		return Transaction{}, fmt.Errorf("remote start at %s connector %d: %w", r.Station, r.Connector, err)
	}
	return t, nil
}

func (l *Ledger) startTimeout(d *desk) time.Duration {
	return orDefault(d.sighting.StartTimeout, l.opt.StartTimeout)
}

// startable reports why a remote start cannot be tried on a connector, whoever
// asks for it.
func (d *desk) startable(r *StartRequest) error {
	for t := range d.working.all() {
		if t.Status == Pending && t.Connector == r.Connector {
			return &PendingError{ID: t.ID}
		}
	}
	for _, t := range d.charging(r.Connector) {
		if d.death(t) == "" {
			return fmt.Errorf("transaction %d: %w", t.ID, ErrActive)
		}
	}
	status := d.connector(r.Connector).Status
	switch status {
	case "Charging", "SuspendedEV", "SuspendedEVSE", "Faulted", "Unavailable":
		return fmt.Errorf("%w: it is %s", ErrConnector, status)
	case "Preparing":
		return nil
	}
	if r.RequirePreparing {
		return fmt.Errorf("%w: no vehicle is plugged in", ErrConnector)
	}
	return nil
}

// AnswerStart records what became of the message of a remote start: kind is
// StartAnswered, StartRefused, StartErrored or StartUnanswered.
func (l *Ledger) AnswerStart(ctx context.Context, id TransactionID, kind EventKind, reason string) (Transaction, error) {
	return l.decide(ctx, id, func(*Transaction) (Event, error) {
		return Event{Kind: kind, Key: ownKey(kind, id, 0), Reason: reason}, nil
	})
}

// Cancel ends a pending remote start. A start that comes all the same takes the
// number and is stopped at once. It fails with [ErrState] unless it is pending.
func (l *Ledger) Cancel(ctx context.Context, id TransactionID, by string) (Transaction, error) {
	return l.decide(ctx, id, func(t *Transaction) (Event, error) {
		if t.Status != Pending {
			return Event{}, fmt.Errorf("transaction %d is %v: %w", id, t.Status, ErrState)
		}
		return Event{Kind: StartCancelled, Key: ownKey(StartCancelled, id, 0), By: by}, nil
	})
}

// RequestStop records that a remote stop is about to be sent: the transaction
// is stopping before the station hears of it. StopRound of the answer says which
// stop it is. It fails with [ErrState] unless the transaction runs.
func (l *Ledger) RequestStop(ctx context.Context, id TransactionID, by string) (Transaction, error) {
	return l.decide(ctx, id, func(t *Transaction) (Event, error) {
		if t.Status != Active && t.Status != Stopping {
			return Event{}, fmt.Errorf("transaction %d is %v: %w", id, t.Status, ErrState)
		}
		round := t.StopRound + 1
		return Event{Kind: StopRequested, Key: ownKey(StopRequested, id, round), Round: round, By: by}, nil
	})
}

// AnswerStop records what became of the message of a remote stop: kind is
// StopAnswered, StopDenied or StopUnanswered.
func (l *Ledger) AnswerStop(ctx context.Context, id TransactionID, round int, kind EventKind, reason string) (Transaction, error) {
	return l.decide(ctx, id, func(*Transaction) (Event, error) {
		return Event{Kind: kind, Key: ownKey(kind, id, round), Round: round, Reason: reason}, nil
	})
}

// decide records a decision about one transaction. One that was recorded before
// changes nothing.
func (l *Ledger) decide(ctx context.Context, id TransactionID, f func(*Transaction) (Event, error)) (Transaction, error) {
	t, err := l.store.Transaction(ctx, id)
	if err != nil {
		return Transaction{}, fmt.Errorf("transaction %d: %w", id, err)
	}
	err = l.atDesk(ctx, t.Station, func(d *desk) error {
		if t, err = l.current(ctx, d, id); err != nil {
			return err
		}
		e, err := f(&t)
		if err != nil {
			return err
		}
		c := l.change(d, l.Now())
		if _, err := c.apply(ctx, t, e); err != nil {
			return err
		}
		err = c.write(ctx)
		if errors.Is(err, ErrReplay) {
			t, err = l.decided(ctx, &t)
			return err
		}
		if err != nil {
			return fmt.Errorf("%v of transaction %d: %w", e.Kind, id, err)
		}
		t = *c.after(id)
		return nil
	})
	if err != nil {
		return Transaction{}, err
	}
	return t, nil
}

// decided returns the transaction of a decision that was recorded before, or
// ErrStale if it was not seen when the decision was made again.
func (l *Ledger) decided(ctx context.Context, t *Transaction) (Transaction, error) {
	now, err := l.store.Transaction(ctx, t.ID)
	if err != nil {
		return now, fmt.Errorf("transaction %d: %w", t.ID, err)
	}
	if now.Version != t.Version {
		return now, ErrStale
	}
	return now, nil
}

// current returns a transaction as the desk has it, or else the Store.
func (l *Ledger) current(ctx context.Context, d *desk, id TransactionID) (Transaction, error) {
	if t := d.hand(id); t != nil {
		return *t, nil
	}
	t, err := l.store.Transaction(ctx, id)
	if err != nil {
		return t, fmt.Errorf("transaction %d: %w", id, err)
	}
	return t, nil
}
