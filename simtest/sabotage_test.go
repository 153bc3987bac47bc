package simtest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"leyden"
	"leyden/sim"
)

// TestSabotage: what a simulation must notice, it notices.
func TestSabotage(t *testing.T) {
	p := plan{
		seed: 1, odds: odds{crash: 2000, refuse: 1000}, conflict: leyden.ConflictEvidence, poll: planOf(1).poll,
		fleet: sim.Options{
			Seed: 1, Stations: 8, Sessions: 2, Speed: 10, SampleInterval: planOf(1).fleet.SampleInterval, Patience: planOf(1).fleet.Patience,
			Record: true, Faults: sim.Faults{Cut: 0.2, Lose: 0.05, Repeat: 0.2, Offline: 0.5},
		},
	}
	for _, c := range []struct {
		name     string
		sabotage func(driver) driver
		noticed  string // in what is wrong
	}{
		{"nothing", nil, ""},
		{"answers before it is durable", func(d driver) driver { return &hasty{driver: d} }, "answered were"},
		{"does not know what was sent before", func(d driver) driver { return &forgetful{driver: d} }, "want one"},
		{"stores another figure than the events tell", func(d driver) driver { return &careless{driver: d} }, "differs from its events in energy"},
		{"stamps after it has shown", func(d driver) driver { return &backdating{driver: d} }, "was not fetched by window"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := p
			p.sabotage = c.sabotage
			_, wrongs := simulate(t, p)
			all := strings.Join(wrongs, "\n")
			if (c.noticed == "") != (len(wrongs) == 0) || !strings.Contains(all, c.noticed) {
				t.Errorf("what is wrong: %q, want %q", all, c.noticed)
			}
		})
	}
}

// A hasty driver writes an entry when somebody needs it: a crash takes the last.
type hasty struct {
	driver
	mu   sync.Mutex
	last *leyden.Entry
}

func (h *hasty) settle(ctx context.Context) {
	if h.last != nil {
		_ = h.driver.Append(ctx, h.last) // it was accepted already
		h.last = nil
	}
}

// Append implements [leyden.Store].
func (h *hasty) Append(ctx context.Context, e *leyden.Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle(ctx)
	if len(e.Events) != 1 || e.Events[0].Kind != leyden.Updated {
		return h.driver.Append(ctx, e)
	}
	h.last = kept(e)
	return nil
}

// kept returns a copy of an entry: the ledger uses e again.
func kept(e *leyden.Entry) *leyden.Entry {
	c := *e
	c.Events, c.Transactions = slices.Clone(e.Events), slices.Clone(e.Transactions)
	c.Notices, c.Release = slices.Clone(e.Notices), slices.Clone(e.Release)
	return &c
}

// Transaction implements [leyden.Store].
func (h *hasty) Transaction(ctx context.Context, id leyden.TransactionID) (leyden.Transaction, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle(ctx)
	return h.driver.Transaction(ctx, id)
}

// ByKey implements [leyden.Store].
func (h *hasty) ByKey(ctx context.Context, s leyden.StationID, key string) (leyden.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle(ctx)
	return h.driver.ByKey(ctx, s, key)
}

// A forgetful driver takes every report for a new one.
type forgetful struct{ driver }

// Append implements [leyden.Store].
func (f *forgetful) Append(ctx context.Context, e *leyden.Entry) error {
	for i := range e.Events {
		e.Events[i].Key += leyden.NewPublicID("", e.Events[i].ReceivedAt)
	}
	return f.driver.Append(ctx, e)
}

// A careless driver keeps 1 Wh too much.
type careless struct{ driver }

// Append implements [leyden.Store].
func (c *careless) Append(ctx context.Context, e *leyden.Entry) error {
	for i := range e.Transactions {
		if t := &e.Transactions[i].Transaction; t.Status == leyden.Completed && t.Energy != nil {
			*t.Energy++
		}
	}
	return c.driver.Append(ctx, e)
}

// A backdating driver shows what was inserted only some time later.
type backdating struct{ driver }

// Transactions implements [leyden.Store].
func (b *backdating) Transactions(ctx context.Context, q leyden.Query) (leyden.Page, error) {
	if !q.Inserted.IsZero() {
		q.Inserted.To = q.Inserted.To.Add(-theDelay)
	}
	return b.driver.Transactions(ctx, q)
}

// theDelay is how much later a backdating driver shows what it has.
const theDelay = 1 << 40 // ns, 18 min
