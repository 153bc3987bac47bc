package leyden

import (
	"context"
	"sync"
	"time"
)

// A change is being made: events, and the transactions they turn into.
type change struct {
	entry  Entry
	ledger *Ledger
	desk   *desk
	now    time.Time
	fresh  int           // how many of the events are proven to be fresh
	spare  *standing     // room for the new state of a transaction
	states []Transaction // what notices show
	event  [1]Event      // room for the first event
	begun  Transaction   // room for one that begins
}

// A standing is the state of a transaction, as an entry has it that changes no
// other one: so the desk takes it over from the entry as it is.
type standing [1]Change

func (s *standing) of() *Transaction { return &s[0].Transaction }

// standings keeps those that are free.
var standings = sync.Pool{New: func() any { return new(standing) }}

// change begins a change at a desk.
func (l *Ledger) change(d *desk, now time.Time) *change {
	return &change{ledger: l, desk: d, now: now}
}

// drop takes back all that was changed: no Store keeps anything of an entry.
func (c *change) drop() {
	e := &c.entry
	if len(e.Transactions) > 1 {
		clear(e.Transactions)
	}
	if len(e.Events) > 1 {
		clear(e.Events)
	}
	clear(e.Notices)
	clear(c.states)
	c.entry = Entry{Notices: e.Notices[:0]}
	c.states, c.fresh = c.states[:0], 0
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
	c.add(e)
	return n, nil
}

// add adds e to the entry, in its place if it is there already.
func (c *change) add(e *Event) {
	if len(c.entry.Events) == 0 && e == &c.event[0] {
		c.entry.Events = c.event[:1:1]
		return
	}
	c.entry.Events = append(c.entry.Events, *e)
}

// slot returns where the new state of t is to be made, which is t as yet, and t as
// it stays. Only the first change of it raises its version.
func (c *change) slot(t *Transaction) (*Change, *Transaction) {
	if len(c.entry.Transactions) > 0 {
		return c.nextSlot(t)
	}
	if c.spare == nil {
		c.spare = standings.Get().(*standing)
	}
	c.entry.Transactions = c.spare[:1:1]
	ch := &c.spare[0]
	ch.Transaction, ch.Stamp = *t, false
	ch.Transaction.Version++
	return ch, t
}

// nextSlot is slot for a change that has some transaction already.
func (c *change) nextSlot(t *Transaction) (*Change, *Transaction) {
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
	return c.refold(ctx, t, e)
}

func (c *change) refold(ctx context.Context, t *Transaction, e *Event) error {
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
	ch, _ := c.slot(&t)
	ch.Transaction.DueAt = c.ledger.dueAt(&t)
}

// write counts revisions, appends the change and puts the new states on the desk.
func (c *change) write(ctx context.Context) error {
	e, d := &c.entry, c.desk
	for i := range e.Transactions {
		if ch := &e.Transactions[i]; ch.Stamp {
			ch.Transaction.Revision++
		}
	}
	for i := range e.Notices {
		if ch := e.stamping(&e.Notices[i]); ch != nil {
			e.Notices[i].State.Revision = ch.Transaction.Revision
		}
	}
	e.Fresh = c.fresh > 0 && c.fresh == len(e.Events)
	if err := c.ledger.append(ctx, d, e); err != nil {
		return err
	}
	if len(e.Transactions) == 1 && c.spare != nil && &e.Transactions[0] == &c.spare[0] {
		c.spare = d.put(c.spare)
		return nil
	}
	for i := range e.Transactions {
		s := standings.Get().(*standing)
		s[0].Transaction = e.Transactions[i].Transaction
		d.put(s)
	}
	return nil
}

// after returns the state of a transaction after the change, or nil. It is the
// desk's once the change is written.
func (c *change) after(id TransactionID) *Transaction {
	for i := range c.entry.Transactions {
		if t := &c.entry.Transactions[i].Transaction; t.ID == id {
			return t
		}
	}
	return nil
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
