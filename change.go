package leyden

import (
	"context"
	"time"
)

// A change is being made: events, and the transactions they turn into.
type change struct {
	entry  Entry
	ledger *Ledger
	desk   *desk
}

func (l *Ledger) change(d *desk) *change { return &change{ledger: l, desk: d} }

// apply adds e to the change and returns the new state of its transaction t.
func (c *change) apply(ctx context.Context, t Transaction, e Event) (Transaction, error) {
	now := c.ledger.Now()
	if e.ReceivedAt.IsZero() {
		e.ReceivedAt = now
	}
	e.Transaction, e.Station = t.ID, c.desk.station
	n, err := c.ledger.fold(ctx, t, c.pendingEvents(t.ID), e)
	if err != nil {
		return t, err
	}
	n.Version = t.Version
	c.entry.Events = append(c.entry.Events, e)
	c.put(t, n, now)
	return n, nil
}

// pendingEvents returns those of the change that are not stored yet.
func (c *change) pendingEvents(id TransactionID) []Event {
	var events []Event
	for _, e := range c.entry.Events {
		if e.Transaction == id {
			events = append(events, e)
		}
	}
	return events
}

// put replaces the new state of a transaction; only the first raises its version.
func (c *change) put(old, n Transaction, now time.Time) {
	for i := range c.entry.Transactions {
		ch := &c.entry.Transactions[i]
		if ch.Transaction.ID == n.ID {
			n.Version = ch.Transaction.Version
			ch.Stamp = ch.Stamp || revised(&old, &n)
			n.Revision = ch.Transaction.Revision
			n.DueAt = c.ledger.dueAt(&n)
			c.announce(&old, &n, now)
			ch.Transaction = n
			return
		}
	}
	n.Version = old.Version + 1
	stamp := revised(&old, &n)
	n.DueAt = c.ledger.dueAt(&n)
	c.announce(&old, &n, now)
	c.entry.Transactions = append(c.entry.Transactions, Change{Transaction: n, Stamp: stamp})
}

// reschedule changes when the ledger looks at t again, and nothing else.
func (c *change) reschedule(t Transaction) {
	t.Version++
	t.DueAt = c.ledger.dueAt(&t)
	c.entry.Transactions = append(c.entry.Transactions, Change{Transaction: t})
}

// write counts revisions and appends the change.
func (c *change) write(ctx context.Context) error {
	for i := range c.entry.Transactions {
		if ch := &c.entry.Transactions[i]; ch.Stamp {
			ch.Transaction.Revision++
		}
	}
	for i := range c.entry.Notices {
		if ch := c.entry.stamping(&c.entry.Notices[i]); ch != nil {
			c.entry.Notices[i].State.Revision = ch.Transaction.Revision
		}
	}
	return c.ledger.append(ctx, c.desk, &c.entry)
}

// state returns the state of a transaction after the change.
func (c *change) state(id TransactionID) Transaction {
	for i := range c.entry.Transactions {
		if t := &c.entry.Transactions[i].Transaction; t.ID == id {
			return *t
		}
	}
	return Transaction{}
}

// fold applies e to t, from all its events when the order of readings matters.
func (l *Ledger) fold(ctx context.Context, t Transaction, unsaved []Event, e Event) (Transaction, error) {
	n := Apply(t, e)
	if !n.NeedsFold() {
		return n, nil
	}
	events, err := l.store.Events(ctx, t.ID)
	if err != nil {
		return t, err
	}
	f := Fold(append(append(events, unsaved...), e))
	f.PublicID, f.InsertedAt, f.Revision = t.PublicID, t.InsertedAt, t.Revision
	return f, nil
}

// corrected reports whether an operator made n of old.
func corrected(old, n *Transaction) bool {
	return len(n.Evidence.Corrections) > len(old.Evidence.Corrections)
}

// revised reports whether n is a final record that differs from old in what v2
// shows of it, or that an operator corrected: also one that is not final any more,
// for whoever has the old one.
func revised(old, n *Transaction) bool {
	if corrected(old, n) {
		return n.Status == Completed || old.Status == Completed || !old.InsertedAt.IsZero()
	}
	if n.Status != Completed {
		return false
	}
	return old.Status != Completed || view(old) != view(n)
}

// A shown is what v2 shows of a final record.
type shown struct {
	connector                          int
	start, stop, pluggedIn, pluggedOut int64
	initialSoC, endSoC                 float64
	vehicle, initiator, result         string
	energy                             WattHours
	flags                              Flags
}

func view(t *Transaction) shown {
	soc := func(f *float64) float64 {
		if f == nil {
			return -1
		}
		return *f
	}
	return shown{
		t.Connector,
		t.StartedAt.UnixMicro(), t.StoppedAt.UnixMicro(), t.SessionStart.UnixMicro(), t.SessionEnd.UnixMicro(),
		soc(t.InitialSoC), soc(t.EndSoC),
		t.VehicleID, t.Token.Value, t.EndResult(),
		valueOf(t.Energy), t.Flags,
	}
}
