package leyden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits of what operators do to one transaction.
const (
	maxCorrections = 100
	maxMetadata    = 20 // entries
	// closeSilence is after how long without a message from its station a charge may
	// be closed although nothing shows that it ended.
	closeSilence = time.Hour
)

// An Act is who changes a record by hand, and why.
type Act struct {
	By     string // id of a credential
	Reason string
	Force  bool // also against what the evidence says
	// When is asked at the very state that is changed, and nothing is if it fails;
	// nil: whatever that is.
	When func(*Transaction) error
}

// Correct sets what f names. What is so already changes nothing, and is no
// correction. It fails with [ErrState] for a record that was joined into another,
// with [ErrLimit] for one that was corrected too often.
func (l *Ledger) Correct(ctx context.Context, id TransactionID, f Fix, a Act) (Transaction, error) {
	return l.amend(ctx, id, a, func(c *change, t Transaction) error {
		if t.Status == Void {
			return fmt.Errorf("transaction %d was joined into another: %w", id, ErrState)
		}
		e := a.event(Corrected, &t)
		e.Fix = f
		n := Apply(t, e)
		if !corrects(&t, &n) {
			return nil
		}
		if len(n.Metadata) > max(maxMetadata, len(t.Metadata)) {
			return &FieldError{"metadata", fmt.Sprintf("would have more than %d entries", maxMetadata)}
		}
		_, err := c.apply(ctx, t, e)
		return err
	})
}

// corrects reports whether more than the count of corrections differs.
func corrects(t, n *Transaction) bool {
	return !slices.Equal(Differences(*t, *n), []string{"corrections"})
}

// CloseCharge closes a charge that will not end by itself: at that time by the
// station's clock, the zero time being when it was last known to run, and with
// the register as somebody read it, if anybody did. Its stop may come all the
// same, and then counts. It fails with [ErrState] unless the transaction runs,
// and with [ErrActive] if nothing shows that it does not charge right now, unless
// forced.
func (l *Ledger) CloseCharge(ctx context.Context, id TransactionID, end time.Time, register *WattHours, a Act) (Transaction, error) {
	return l.amend(ctx, id, a, func(c *change, t Transaction) error {
		if t.Status != Active && t.Status != Stopping {
			return fmt.Errorf("transaction %d is %v: %w", id, t.Status, ErrState)
		}
		if !a.Force && c.desk.death(&t) == "" && l.Now().Sub(c.desk.heard(&t)) < closeSilence {
			return fmt.Errorf("transaction %d: %w", id, ErrActive)
		}
		e := a.event(Closed, &t)
		e.At, e.Register = storable(end), register
		if e.At.IsZero() {
			e.At = t.lastKnown()
		}
		if err := t.mayEnd(&e, l.Now()); err != nil {
			return err
		}
		_, err := c.apply(ctx, t, e)
		return err
	})
}

// heard returns when the station of t was last heard of.
func (d *desk) heard(t *Transaction) time.Time {
	return latest(latest(d.sighting.SeenAt, d.sighting.ConnectedAt), t.Evidence.ReportedAt)
}

// mayEnd refuses an end that t cannot have.
func (t *Transaction) mayEnd(e *Event, now time.Time) error {
	switch {
	case e.At.Before(t.StartedAt):
		return &FieldError{"endTime", "lies before the start"}
	case tooEarly(e.At, now):
		return &FieldError{"endTime", "is still to come"}
	case e.Register == nil:
		return nil
	case *e.Register < 0 || t.MeterStart != nil && *e.Register < *t.MeterStart:
		return &FieldError{"meterStop", "is below the register at the start"}
	}
	return nil
}

// Join gives a charge without a stop the stop that was recorded on its own, with
// all that was reported with it; the orphan is void from then on. It fails with
// [ErrState] if one of the two is not such, and with [ErrNotFound] if they are
// not of one station.
func (l *Ledger) Join(ctx context.Context, id, orphan TransactionID, a Act) (Transaction, error) {
	return l.amend(ctx, id, a, func(c *change, t Transaction) error {
		o, err := c.orphan(ctx, &t, orphan)
		if err != nil {
			return err
		}
		if err := lends(&t, &o); err != nil {
			return err
		}
		events, err := l.store.Events(ctx, o.ID)
		if err != nil {
			return fmt.Errorf("events of transaction %d: %w", o.ID, err)
		}
		there := a.event(JoinedElsewhere, &o)
		e := a.event(Joined, &t)
		e.Other, e.Twin, there.Other, there.Twin = o.ID, there.Round, t.ID, e.Round
		if e.Stop, err = l.lend(ctx, c.desk, &t, &o); err != nil {
			return err
		}
		for i := range events {
			if events[i].Kind.Reported() {
				e.Samples = append(e.Samples, events[i].Samples...)
			}
		}
		if _, err = c.apply(ctx, t, e); err != nil {
			return err
		}
		_, err = c.apply(ctx, o, there)
		return err
	})
}

// orphan returns another transaction of the station of t.
func (c *change) orphan(ctx context.Context, t *Transaction, id TransactionID) (Transaction, error) {
	o, err := c.ledger.current(ctx, c.desk, id)
	if err == nil && o.Station != t.Station {
		err = fmt.Errorf("transaction %d of the station: %w", id, ErrNotFound)
	}
	return o, err
}

// lends reports why the stop of o cannot become that of t.
func lends(t, o *Transaction) error {
	switch {
	case !t.HasStart() || t.HasStop() || t.Status == Void:
		return fmt.Errorf("transaction %d is not one that has a start and no stop: %w", t.ID, ErrState)
	case !o.Orphan() || o.Status != Completed:
		return fmt.Errorf("transaction %d is no stop without a start: %w", o.ID, ErrState)
	case o.StoppedAt.Before(t.StartedAt) && !(t.Flags | o.Flags).Has(ClockImplausible):
		return &FieldError{"orphan", fmt.Sprintf("transaction %d ended before %d began", o.ID, t.ID)}
	}
	return nil
}

// lend returns the stop of o as it is to be read in t.
func (l *Ledger) lend(ctx context.Context, d *desk, t, o *Transaction) (*lentStop, error) {
	model, err := l.stopModel(ctx, d, &Event{Register: o.MeterStop}, t)
	return &lentStop{
		Key: o.Evidence.StopKey, At: o.StoppedAt, ReceivedAt: o.StopReceivedAt, Register: o.MeterStop, Token: o.StopToken,
		Reason: o.StopReason, ReasonText: o.StopReasonText, Model: model, Flags: o.Evidence.Noted,
	}, err
}

// Revert undoes the correction with that number, or what undid one. The record is
// then what it would be without it. It fails with [ErrNotFound] if there is none,
// with [ErrState] if it does not count any more or, joining two records, cannot
// count again, and with [ErrActive] if the charge would run again beside another.
func (l *Ledger) Revert(ctx context.Context, id TransactionID, number int, a Act) (Transaction, error) {
	return l.amend(ctx, id, a, func(c *change, t Transaction) error {
		i := slices.IndexFunc(t.Evidence.Corrections, func(c correction) bool { return c.Number == number })
		switch {
		case i < 0:
			return fmt.Errorf("correction %d of transaction %d: %w", number, id, ErrNotFound)
		case !t.Counts(number):
			return fmt.Errorf("correction %d of transaction %d was undone already: %w", number, id, ErrState)
		}
		before := t.Evidence.counting()
		e := a.event(Reverted, &t)
		e.Undoes = number
		n, err := c.apply(ctx, t, e)
		if err != nil {
			return err
		}
		for j, counts := range n.Evidence.counting()[:len(before)] {
			if counts != before[j] {
				if err := c.revertTwin(ctx, a, &t, &n.Evidence.Corrections[j], counts); err != nil {
					return err
				}
			}
		}
		return c.alone(&t, &n)
	})
}

// revertTwin keeps two records that were joined in step: what undoes one half of
// that undoes the other, and what lets it count again too. mine is the record of
// the half as it was.
func (c *change) revertTwin(ctx context.Context, a Act, mine *Transaction, half *correction, again bool) error {
	if half.Other == 0 {
		return nil
	}
	t, err := c.ledger.current(ctx, c.desk, half.Other)
	if err != nil {
		return err
	}
	start, orphan := mine, &t
	if half.Kind == JoinedElsewhere {
		start, orphan = &t, mine
	}
	if err := lends(start, orphan); again && err != nil {
		return err
	}
	e := a.event(Reverted, &t)
	if e.Undoes = t.Evidence.undoing(half.Twin); e.Undoes == 0 {
		return fmt.Errorf("transaction %d does not tell that it was joined: %w", t.ID, ErrState)
	}
	n, err := c.apply(ctx, t, e)
	if err != nil {
		return err
	}
	return c.alone(&t, &n)
}

// undoing returns which correction to undo so that another one ceases to count,
// or counts again; 0 if there is none.
func (v *Evidence) undoing(number int) int {
	counts := v.counting()
	for i := range slices.Backward(v.Corrections) {
		c := &v.Corrections[i]
		if counts[i] && (c.Number == number || c.Kind == Reverted && c.Undoes == number) {
			return c.Number
		}
	}
	return 0
}

// alone refuses a charge that would run again where another one runs.
func (c *change) alone(old, n *Transaction) error {
	if old.Status.Open() || !n.Status.Open() {
		return nil
	}
	for _, o := range c.desk.charging(n.Connector) {
		if o.ID != n.ID {
			return fmt.Errorf("transaction %d: %w", o.ID, ErrActive)
		}
	}
	return nil
}

// event returns what an operator does to t next.
func (a *Act) event(kind EventKind, t *Transaction) Event {
	number := t.Corrections() + 1
	return Event{
		Transaction: t.ID, Station: t.Station, Kind: kind, Key: ownKey(Corrected, t.ID, number), Round: number, By: a.By, Reason: a.Reason,
	}
}

// amend makes a change by hand to one transaction, at its state as it is.
func (l *Ledger) amend(ctx context.Context, id TransactionID, a Act, f func(*change, Transaction) error) (Transaction, error) {
	t, err := l.store.Transaction(ctx, id)
	if err != nil {
		return Transaction{}, fmt.Errorf("transaction %d: %w", id, err)
	}
	err = l.atDesk(ctx, t.Station, func(d *desk) error {
		if t, err = l.current(ctx, d, id); err != nil {
			return err
		}
		if a.When != nil {
			if err := a.When(&t); err != nil {
				return err
			}
		}
		if t.Corrections() >= maxCorrections {
			return fmt.Errorf("corrections of transaction %d: %w", id, ErrLimit)
		}
		c := l.change(d, l.Now())
		if err := f(c, t); err != nil || len(c.entry.Events) == 0 {
			return err
		}
		if err := c.write(ctx); err != nil {
			if errors.Is(err, ErrReplay) {
				err = ErrStale // somebody else made the correction with that number
			}
			return fmt.Errorf("%v of transaction %d: %w", c.entry.Events[0].Kind, id, err)
		}
		t = *c.after(id)
		return nil
	})
	if err != nil {
		return Transaction{}, err
	}
	return t, nil
}

// Edition names the state of t that a change by hand is made to: it moves with its
// status, with every revision of the final record and with every correction, but
// not with the readings of a charge that runs.
func (t *Transaction) Edition() string {
	return fmt.Sprintf("%d.%d.%d", t.Status, t.Revision, t.Corrections())
}
