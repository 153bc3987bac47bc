package leyden

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// A desk is what the ledger has at hand of one station: the transactions that a
// report may concern, and what the station last said of itself. It saves a
// read for every report; the Store's version guard finds out when it is wrong.
type desk struct {
	station StationID

	mu       sync.Mutex
	gone     bool  // dismissed: another desk may serve the station now
	loaded   bool  // working and waiting are what the Store has
	working  stack // open ones
	waiting  stack // those that ended or expired, and whose start may still come
	roomy    int   // how many may wait before some are let go
	known    bool  // sighting includes what the Registry has
	sighting Sighting
	ends     map[int]end // where the registers stood when the last charges ended that it knows of, by connector
	doubt    clock       // see noteClock
	dirty    bool        // sighting is not written yet
	queued   bool        // it waits for Flush
	news     []Notice    // what happened and is not announced yet
	telling  []Notice    // what Flush is about to announce: nothing may overtake it
	past     past        // what it knows of starts that came before
}

// atDesk runs f at the desk of a station, alone, again when the ledger changed
// meanwhile.
func (l *Ledger) atDesk(ctx context.Context, s StationID, f func(*desk) error) error {
	d := l.sit(s)
	defer l.rise(d)
	var err error
	for range maxTries {
		if err = l.load(ctx, d); err != nil {
			return err
		}
		if err = f(d); !errors.Is(err, ErrStale) {
			return err
		}
		d.forget()
	}
	return err
}

// sit returns the desk of a station, locked.
func (l *Ledger) sit(s StationID) *desk {
	for {
		d := l.desk(s)
		d.mu.Lock()
		if !d.gone {
			return d
		}
		d.mu.Unlock()
	}
}

// rise unlocks a desk, and queues it for Flush if its sighting changed or there
// is something to announce.
func (l *Ledger) rise(d *desk) {
	if (d.dirty || len(d.news) > 0) && !d.queued {
		d.queued = true
		l.mu.Lock()
		l.unsaved = append(l.unsaved, d)
		l.mu.Unlock()
	}
	d.mu.Unlock()
}

func (l *Ledger) desk(s StationID) *desk {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.desks[s]
	if d == nil {
		if len(l.desks) >= l.crowded {
			l.dismiss()
		}
		d = &desk{station: s}
		l.desks[s] = d
	}
	return d
}

// dismiss clears the desks of stations that left and have been silent for long: not
// all of them come back. What they knew is stored.
func (l *Ledger) dismiss() {
	idle := l.Now().Add(-deskIdle)
	for s, d := range l.desks {
		if !d.mu.TryLock() {
			continue // somebody sits there
		}
		if waits := d.dirty && d.known || d.queued || d.telling != nil || d.sighting.Connected(); !waits && d.sighting.SeenAt.Before(idle) {
			d.gone = true
			delete(l.desks, s)
		}
		d.mu.Unlock()
	}
	l.crowded = max(minDesks, 2*len(l.desks))
}

func (l *Ledger) load(ctx context.Context, d *desk) error {
	if d.loaded {
		return nil
	}
	open, err := l.store.Working(ctx, d.station, l.Now().Add(-workingSpan))
	if err != nil {
		return fmt.Errorf("working set of %s: %w", d.station, err)
	}
	if !d.known {
		st, err := l.registry.RecentStation(ctx, d.station)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("station %s: %w", d.station, err)
		}
		d.sighting, d.known = mergeSighting(st.Sighting, d.sighting), true
	}
	d.loaded, d.roomy = true, maxIdle
	for i := range open {
		s := new(standing)
		s[0].Transaction = open[i]
		d.put(s)
	}
	return nil
}

// mergeSighting returns what was stored, overlaid with what was heard since.
func mergeSighting(stored, heard Sighting) Sighting {
	if heard.Vendor == "" {
		heard.Vendor, heard.Model, heard.Serial, heard.Firmware = stored.Vendor, stored.Model, stored.Serial, stored.Firmware
		heard.BootedAt = latest(stored.BootedAt, heard.BootedAt)
	}
	heard.Protocol = cmp.Or(heard.Protocol, stored.Protocol)
	heard.StartTimeout = cmp.Or(heard.StartTimeout, stored.StartTimeout)
	if heard.ClockAt.IsZero() {
		heard.ClockSkew, heard.ClockAt = stored.ClockSkew, stored.ClockAt
	}
	heard.ConnectedAt = latest(stored.ConnectedAt, heard.ConnectedAt)
	heard.DisconnectedAt = latest(stored.DisconnectedAt, heard.DisconnectedAt)
	heard.SeenAt = latest(stored.SeenAt, heard.SeenAt)
	heard.HeartbeatAt = latest(stored.HeartbeatAt, heard.HeartbeatAt)
	if len(heard.Connectors) == 0 {
		heard.Connectors = stored.Connectors
	}
	heard.Habits = stored.Habits.merged(heard.Habits)
	for i, keys := 0, heard.ReportedKeys; i < len(keys); i++ {
		stored.ReportedKeys = withKey(stored.ReportedKeys, keys[i])
	}
	heard.ReportedKeys = stored.ReportedKeys
	return heard
}

// forget makes the desk read its transactions again before they are used.
func (d *desk) forget() { d.loaded, d.working, d.waiting, d.past = false, nil, nil, past{} }

// put keeps a transaction at hand as long as a report may concern it, and returns
// what it has no use for: its state before, or that itself.
func (d *desk) put(s *standing) (spare *standing) {
	if !d.loaded {
		return s
	}
	t := s.of()
	switch {
	case t.Status.Open():
		d.waiting, _ = d.waiting.without(t.ID)
		d.working, spare = d.working.with(s)
	case !t.HasStart() && t.Status != Void:
		d.working, _ = d.working.without(t.ID)
		d.waiting, spare = d.waiting.with(s)
	default:
		spare = s
		var was *standing
		if d.working, was = d.working.without(t.ID); was == nil {
			d.waiting, was = d.waiting.without(t.ID)
		}
		if was != nil {
			standings.Put(was)
		}
	}
	d.tidy(t.UpdatedAt)
	return spare
}

// tidy lets go of what waits in vain, and beyond the limit of the oldest. Each time
// it leaves room for as many as are left: what a look at all of them costs is shared
// by those that came since the last one.
func (d *desk) tidy(now time.Time) {
	if len(d.waiting) > d.roomy {
		old := now.Add(-workingSpan)
		d.waiting = slices.DeleteFunc(d.waiting, func(s *standing) bool { return s.of().UpdatedAt.Before(old) })
		d.roomy = max(maxIdle, 2*len(d.waiting))
	}
	if len(d.working)+len(d.waiting) <= 2*MaxWorking {
		return
	}
	all := slices.AppendSeq(slices.Clone(d.working), slices.Values(d.waiting))
	all.sort()
	from := all[len(all)-MaxWorking].of().ID
	older := func(s *standing) bool { return s.of().ID < from }
	d.working, d.waiting = slices.DeleteFunc(d.working, older), slices.DeleteFunc(d.waiting, older)
}

// A stack is transactions by number.
type stack []*standing

func (s stack) sort() {
	slices.SortFunc(s, func(a, b *standing) int { return int(a.of().ID) - int(b.of().ID) })
}

func (s stack) find(id TransactionID) (int, bool) {
	return slices.BinarySearchFunc(s, id, func(t *standing, id TransactionID) int { return int(t.of().ID) - int(id) })
}

// with returns s with t, and in which state it was before if it was there.
func (s stack) with(t *standing) (with stack, was *standing) {
	i, there := s.find(t.of().ID)
	if there {
		was, s[i] = s[i], t
		return s, was
	}
	return slices.Insert(s, i, t), nil
}

// without returns s without a transaction, and that if it was there.
func (s stack) without(id TransactionID) (without stack, was *standing) {
	i, there := s.find(id)
	if !there {
		return s, nil
	}
	was = s[i]
	return slices.Delete(s, i, i+1), was
}

// all yields the transactions.
func (s stack) all() iter.Seq[*Transaction] {
	return func(yield func(*Transaction) bool) {
		for _, t := range s {
			if !yield(t.of()) {
				return
			}
		}
	}
}

// hand returns a transaction that the desk has at hand, or nil. It is in that state
// until the desk gets another one.
func (d *desk) hand(id TransactionID) *Transaction {
	for _, s := range [...]stack{d.working, d.waiting} {
		if i, there := s.find(id); there {
			return s[i].of()
		}
	}
	return nil
}

// atHand yields all transactions that the desk has at hand.
func (d *desk) atHand() iter.Seq[*Transaction] {
	return func(yield func(*Transaction) bool) {
		for _, s := range [...]stack{d.working, d.waiting} {
			for _, t := range s {
				if !yield(t.of()) {
					return
				}
			}
		}
	}
}

// charging returns the transactions that run on a connector, by number.
func (d *desk) charging(connector int) []*Transaction {
	var ts []*Transaction
	for t := range d.working.all() {
		if t.Connector == connector && (t.Status == Active || t.Status == Stopping) {
			ts = append(ts, t)
		}
	}
	return ts
}

// connector returns what the station last said of a connector.
func (d *desk) connector(n int) Connector {
	for _, c := range d.sighting.Connectors {
		if c.Number == n {
			return c
		}
	}
	return Connector{Number: n}
}

// setConnector replaces what is known of a connector. The list is copied:
// others may hold the old one.
func (d *desk) setConnector(c Connector) {
	list := slices.DeleteFunc(slices.Clone(d.sighting.Connectors), func(o Connector) bool { return o.Number == c.Number })
	at, _ := slices.BinarySearchFunc(list, c.Number, func(o Connector, n int) int { return o.Number - n })
	d.sighting.Connectors = slices.Insert(list, at, c)
	d.dirty = true
}

// death returns the evidence that t is dead, or "": something that the station
// did since its last report of t and that a running charge does not survive.
func (d *desk) death(t *Transaction) string {
	since := t.Evidence.ReportedAt
	c := d.connector(t.Connector)
	switch {
	case d.sighting.BootedAt.After(since):
		return "station booted at " + stamp(d.sighting.BootedAt)
	case d.sighting.ConnectedAt.After(since):
		return "station connected again at " + stamp(d.sighting.ConnectedAt)
	case !c.At.IsZero() && c.At.Before(t.StartedAt):
		return "" // it was reported late, and is older than the charge
	case c.UpdatedAt.After(since) && (c.Status == available || c.Status == preparing || c.Status == "Finishing"):
		return "connector became " + c.Status + " at " + stamp(c.UpdatedAt)
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
