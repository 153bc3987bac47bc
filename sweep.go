package leyden

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sweepBatch is how many of what is due one look at the clock takes up.
const sweepBatch = 256

// Sweep does what is due by the clock: remote starts expire, remote stops
// become overdue, transactions that outlived a boot are marked for review,
// reservations that nobody used expire. It returns how many it decided about.
// One that fails is in nobody's way.
func (l *Ledger) Sweep(ctx context.Context) (int, error) {
	decided, err := eachDue(ctx, l.settle,
		func(t *Transaction) string { return fmt.Sprintf("transaction %d", t.ID) },
		func(limit int) ([]Transaction, error) { return l.store.Due(ctx, l.Now(), limit) })
	expired, expireErr := eachDue(ctx, l.expire,
		func(r *Reservation) string { return fmt.Sprintf("reservation %d of %s", r.ID, r.Station) },
		func(limit int) ([]Reservation, error) {
			due := ReservationQuery{Statuses: openReservations(), Due: l.Now().Add(-reservationGrace), Limit: limit}
			list, _, err := l.store.Reservations(ctx, due)
			return list, err
		})
	return decided + expired, errors.Join(err, expireErr)
}

// eachDue settles what look finds due, a part at a time, until nothing is left
// but what failed. It returns what settle did, added up.
func eachDue[T any](ctx context.Context, settle func(context.Context, *T) (int, error), name func(*T) string, look func(limit int) ([]T, error)) (int, error) {
	var errs []error
	decided, failed := 0, make(map[string]bool)
	for {
		due, err := look(sweepBatch + len(failed))
		if err != nil {
			return decided, errors.Join(append(errs, fmt.Errorf("what is due: %w", err))...)
		}
		full, before := len(due) == sweepBatch+len(failed), decided+len(failed)
		for i := range due {
			id := name(&due[i])
			if failed[id] {
				continue
			}
			n, err := settle(ctx, &due[i])
			if ctx.Err() != nil || errors.Is(err, ErrUnavailable) {
				return decided, errors.Join(append(errs, err)...)
			}
			if err != nil {
				failed[id] = true
				errs = append(errs, fmt.Errorf("due %s: %w", id, err))
			}
			decided += n
		}
		if !full || decided+len(failed) == before {
			return decided, errors.Join(errs...)
		}
	}
}

// settle makes the decisions about one transaction that are due, and returns 1
// if there were any. If the time was set by other limits than are in force now,
// it is set anew.
func (l *Ledger) settle(ctx context.Context, due *Transaction) (int, error) {
	decided := 0
	err := l.atDesk(ctx, due.Station, func(d *desk) error {
		t, err := l.current(ctx, d, due.ID)
		if err != nil {
			return err
		}
		if t.Version < due.Version {
			return ErrStale
		}
		c := l.change(d, l.Now())
		events := l.dueEvents(&t)
		decided = min(1, len(events))
		for _, e := range events {
			if t, err = c.apply(ctx, t, e); err != nil {
				return err
			}
		}
		if len(events) == 0 {
			if l.dueAt(&t).Equal(t.DueAt) {
				return nil
			}
			c.reschedule(t)
		}
		return c.write(ctx)
	})
	if err != nil {
		return 0, err
	}
	return decided, nil
}

// dueEvents returns what the clock decides about t now.
func (l *Ledger) dueEvents(t *Transaction) []Event {
	now := l.Now()
	var events []Event
	if at := expiryDue(t); !at.IsZero() && !at.After(now) {
		events = append(events, Event{Kind: StartExpired, Key: ownKey(StartExpired, t.ID, 0)})
	}
	if at := l.stopDue(t); !at.IsZero() && !at.After(now) {
		events = append(events, Event{Kind: StopOverdue, Key: ownKey(StopOverdue, t.ID, t.StopRound), Round: t.StopRound})
		if t.Evidence.FlowAt.After(t.Evidence.StopAskedAt) {
			events = append(events, *lapsed(t))
		}
	}
	if at := l.reviewDue(t); !at.IsZero() && !at.After(now) {
		events = append(events, Event{Kind: WentStale, Key: ownKey(WentStale, t.ID, 0)})
	}
	return events
}

// dueAt returns when the ledger must look at t again, or zero.
func (l *Ledger) dueAt(t *Transaction) time.Time {
	return earliest(earliest(expiryDue(t), l.stopDue(t)), l.reviewDue(t))
}

func expiryDue(t *Transaction) time.Time {
	if t.Status != Pending {
		return time.Time{}
	}
	return t.ExpiresAt
}

func (l *Ledger) stopDue(t *Transaction) time.Time {
	if t.Status != Stopping || t.Evidence.StopStep == StopOverdue {
		return time.Time{}
	}
	return t.Evidence.StopAskedAt.Add(l.opt.StopTimeout)
}

func (l *Ledger) reviewDue(t *Transaction) time.Time {
	v := &t.Evidence
	running := t.Status == Active || t.Status == Stopping
	if !running || !v.StaleAt.IsZero() || v.BootedAt.IsZero() || v.ReportedAt.After(v.BootedAt) {
		return time.Time{}
	}
	return v.BootedAt.Add(l.opt.ReviewLimit)
}

// Run sweeps and flushes every second until ctx is done, and flushes a last
// time then. report hears of what went wrong; it goes on regardless.
func (l *Ledger) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := l.Flush(last); err != nil {
				report(err)
			}
			return
		case <-tick.C:
			if _, err := l.Sweep(ctx); err != nil && ctx.Err() == nil {
				report(err)
			}
			if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
				report(err)
			}
		}
	}
}
