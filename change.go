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
	now    time.Time
	states []Transaction // what notices show
	fresh  int           // how many of the events are proven to be fresh
}

// change begins a change at a desk. Whoever has written it, and needs nothing of it
// any more, may give it back by recycle.
func (l *Ledger) change(d *desk, now time.Time) *change {
	c := l.changes.Get().(*change)
	c.ledger, c.desk, c.now = l, d, now
	return c
}

// recycle gives back a change that is written: no Store keeps anything of an entry.
func (c *change) recycle() {
	e, l := &c.entry, c.ledger
	clear(e.Events)
	clear(e.Transactions)
	clear(e.Notices)
	clear(c.states)
	*c = change{entry: Entry{Events: e.Events[:0], Transactions: e.Transactions[:0], Notices: e.Notices[:0]}, states: c.states[:0]}
	l.changes.Put(c)
}

// apply adds e to the change and returns the new state of its transaction t.
func (c *change) apply(ctx context.Context, t Transaction, e Event) (Transaction, error) {
	n, err := c.applyTo(ctx, &t, &e)
	if err != nil {
		return t, err
	}
	return *n, nil
}

// applyTo is apply without copies. It completes e. The new state is that in the
// entry, until another transaction is added.
func (c *change) applyTo(ctx context.Context, t *Transaction, e *Event) (*Transaction, error) {
	if e.ReceivedAt.IsZero() {
		e.ReceivedAt = c.now
	}
	e.Transaction, e.Station = t.ID, c.desk.station
	if t.freshDecision(e) {
		c.fresh++
	}
	ch, was := c.slot(t)
	n := &ch.Transaction
	version, revision := n.Version, n.Revision
	if err := c.fold(ctx, n, e); err != nil {
		return nil, err
	}
	n.Version, n.Revision = version, revision
	ch.Stamp = ch.Stamp || revised(was, n)
	n.DueAt = c.ledger.dueAt(n)
	c.announce(was, n)
	c.entry.Events = append(c.entry.Events, *e)
	return n, nil
}

// slot returns where the new state of t is to be made, which is t as yet, and t as
// it stays. Only the first change of it raises its version.
func (c *change) slot(t *Transaction) (*Change, *Transaction) {
	for i := range c.entry.Transactions {
		if ch := &c.entry.Transactions[i]; ch.Transaction.ID == t.ID {
			was, version, revision := new(*t), ch.Transaction.Version, ch.Transaction.Revision
			ch.Transaction = *was
			ch.Transaction.Version, ch.Transaction.Revision = version, revision
			return ch, was
		}
	}
	c.entry.Transactions = append(c.entry.Transactions, Change{Transaction: *t})
	ch := &c.entry.Transactions[len(c.entry.Transactions)-1]
	ch.Transaction.Version++
	return ch, t
}

// fold applies e to t, from all its events when the order of readings matters.
func (c *change) fold(ctx context.Context, t *Transaction, e *Event) error {
	t.apply(e)
	if !t.NeedsFold() {
		return nil
	}
	events, err := c.ledger.store.Events(ctx, t.ID)
	if err != nil {
		return err
	}
	for i := range c.entry.Events { // that are not stored yet
		if c.entry.Events[i].Transaction == t.ID {
			events = append(events, c.entry.Events[i])
		}
	}
	f := Fold(append(events, *e))
	f.PublicID, f.InsertedAt = t.PublicID, t.InsertedAt
	*t = f
	return nil
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
	c.entry.Fresh = c.fresh > 0 && c.fresh == len(c.entry.Events)
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
