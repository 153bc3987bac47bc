package leyden

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Most reports are no resend, and the ledger often knows without a look into the
// Store. It says so by [Entry.Fresh], for entries of one event, where this holds
// whatever clocks do and whatever the station sent before. Where it is in doubt,
// it says nothing.
//
// All proofs have one form: had the report been recorded before, something that
// the desk has at hand would show it. That the transaction at hand is what the
// Store has is for the guard of versions: it is the fold of all its events.
//
// A stop of ours has the key E|number, and only such stops have it: it belongs to
// the transaction of that number, and that has a stop from then on, of its own,
// which nothing takes away. So it is fresh if there is none.

// freshReading proves it for readings of ours, which made n of t. Their key is
// M|connector|number|digest, and only readings of that transaction have it: those
// whose number was not ours then have another key. What the evidence keeps of the
// time of readings only ever grows: the rank of the register's location, with it
// the time of the last reading, and those of the last power and state of charge.
// Had they been recorded before, all that would have grown by them already, so they
// could not move it: the same hash is the same payload, and that says the same each
// time. It would not if its times were read otherwise than now: those without a zone,
// by a quirk that changed, or those that were not yet when it came first, which is
// noted of the transaction.
func (d *desk) freshReading(t, n *Transaction, e *Event) bool {
	same := e.Digest != "" && d.sighting.Habits.MissingZone.Count == 0 && !n.Evidence.Noted.Has(ClockImplausible)
	return same && n.Evidence.movedOn(&t.Evidence, e.At)
}

// movedOn reports whether v has later readings than old had, none of which is later
// than limit.
func (v *Evidence) movedOn(old *Evidence, limit time.Time) bool {
	register := v.Last != nil && !v.Last.At.After(limit) &&
		(v.Place > old.Place || v.Place == old.Place && (old.Last == nil || v.Last.At.After(old.Last.At)))
	return register || v.Power.movedOn(old.Power, limit) || v.LastSoC.movedOn(old.LastSoC, limit)
}

func (g *Gauge) movedOn(old *Gauge, limit time.Time) bool {
	return g != nil && !g.At.After(limit) && (old == nil || g.At.After(old.At))
}

// freshDecision proves it for what the ledger decides about t, if it can. That t was
// closed for another is decided once, with the same key. The other keys have a
// time, which is in what t is known by from then on: when the vehicle was last told
// to leave, and when t was last heard of by our clock.
func (t *Transaction) freshDecision(e *Event) bool {
	switch e.Kind {
	case Superseded:
		return t.Evidence.ClosedKey == ""
	case PluggedOut:
		return e.At.After(t.Evidence.LeftAt)
	case Rebooted:
		return e.ReceivedAt.After(t.UpdatedAt)
	}
	return false
}

// Limits of what a desk learns of the starts before.
const (
	// zoneLimit is further from UTC than any zone: a start that was sent without one
	// lies so far at most from the instant in its key.
	zoneLimit = 24 * time.Hour
	// maxRecent is how many starts of the last time are looked at. Where there are
	// more, none is proven to be fresh.
	maxRecent = 100
)

// A past is what a desk knows of the starts that its station sent before.
type past struct {
	known   bool
	latest  time.Time // no start is recorded whose key has a later instant; zero: that is not known
	refused bool      // one may be in quarantine
}

// recall learns what was sent before the start e, once for a desk. A start whose
// time lies zoneLimit or more before that of e has an earlier instant in its key.
func (l *Ledger) recall(ctx context.Context, d *desk, e *Event) error {
	if d.past.known || e.At.Before(implausibleBefore) {
		return nil
	}
	recent, err := l.store.Transactions(ctx, Query{
		Station: d.station, Statuses: allStatuses(), Started: Window{From: e.sentAt().Add(-zoneLimit)},
		Order: ByStart, Limit: maxRecent, Brief: true,
	})
	if err != nil {
		return fmt.Errorf("last starts of %s: %w", d.station, err)
	}
	refused, err := l.store.Quarantined(ctx, QuarantineQuery{Station: d.station, Status: QuarantineWaiting, Limit: 1})
	if err != nil {
		return fmt.Errorf("messages of %s in quarantine: %w", d.station, err)
	}
	d.past = past{known: true, refused: len(refused) > 0}
	if len(recent.Transactions) < recent.Total {
		return nil
	}
	d.past.latest = e.sentAt().Add(-time.Microsecond)
	for i := range recent.Transactions {
		if at, ok := keyInstant(recent.Transactions[i].Evidence.StartKey); ok {
			d.past.latest = latest(d.past.latest, at)
		}
	}
	return nil
}

// freshStart proves it for a start. Its key has the instant that was sent, and
// none with such an instant is recorded.
func (d *desk) freshStart(sent time.Time) bool {
	return !d.past.latest.IsZero() && sent.After(d.past.latest)
}

// noteStart takes note of a start that is recorded.
func (p *past) noteStart(sent time.Time) {
	if !p.latest.IsZero() {
		p.latest = latest(p.latest, sent)
	}
}

// keyInstant returns the instant in the key of a start, which [startKey] made, if
// there is one.
func keyInstant(key string) (time.Time, bool) {
	parts := strings.Split(key, "|")
	if len(parts) < 3 {
		return time.Time{}, false
	}
	micros, err := strconv.ParseInt(parts[len(parts)-3], 10, 64)
	return time.UnixMicro(micros), err == nil
}

// allStatuses returns all statuses, also that of what lists leave out.
func allStatuses() []Status {
	return []Status{Pending, Active, Stopping, Completed, Failed, Expired, Cancelled, Void}
}
