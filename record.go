package leyden

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// recordStart keeps a start. What the station could not do with an error, it
// does not get: only a start on a connector whose last charge shows no sign of
// its end is refused, and kept in quarantine.
func (l *Ledger) recordStart(ctx context.Context, d *desk, r *Report) error {
	e := r.Event
	if err := l.recall(ctx, d, e); err != nil {
		return err
	}
	sent := e.sentAt()
	for occurrence := 0; ; occurrence++ {
		e.date()
		e.Key = startKey(e, sent, occurrence)
		err := l.start(ctx, d, r, occurrence == 0 && d.freshStart(sent))
		if err == nil {
			d.past.noteStart(sent)
		}
		if !errors.Is(err, ErrReplay) {
			return err
		}
		if again, err := r.replayStart(ctx, e.Key); !again {
			return err
		}
	}
}

// date gives a report without a time that of its arrival.
func (e *Event) date() {
	if e.At.IsZero() {
		e.At = e.ReceivedAt
		e.Flags |= ClockImplausible
	}
}

// replayStart makes the outcome of a start that of the one that was recorded with
// the key before, or returns true: a clock that stands before 1.6 was made stands
// still, and a meter that resets starts from 0, so what looks like a resend of a
// charge that ended is the next one.
func (r *Report) replayStart(ctx context.Context, key string) (again bool, err error) {
	r.again()
	sent := *r.Event
	r.Event.date()
	if err := r.replay(ctx, key); err != nil {
		return false, err
	}
	if sent.At.Before(implausibleBefore) && r.state.Status == Completed {
		*r.Event = sent
		r.again()
		return true, nil
	}
	r.RemoteStop = unwanted(r.state)
	return false, nil
}

// start records a start under its key; fresh if that is proven not to be there.
func (l *Ledger) start(ctx context.Context, d *desk, r *Report, fresh bool) error {
	e, c := r.Event, &r.change
	for t := range d.working.all() {
		if t.Evidence.StartKey == e.Key {
			return ErrReplay
		}
	}
	t := d.startOf(e)
	known := t != nil
	running := slices.DeleteFunc(d.charging(e.Connector), func(o *Transaction) bool { return o == t })
	if known && t.HasStop() {
		running = nil // it ended already: what runs there now is in nobody's way
	}
	busy, next := overtaken(running, e)
	if len(busy) > 0 {
		if err := l.mayReplace(ctx, d, busy, e, r.Frame); err != nil {
			return err
		}
	}
	if !known && !fresh && (r.Frame == "" || e.ReceivedAt.Sub(e.At).Abs() > resendDoubt) {
		if err := l.unrecorded(ctx, e); err != nil {
			return err
		}
	}
	if !d.past.known || d.past.refused {
		c.entry.Release = []string{e.Key} // also when what stood in its way has ended since
	}
	e.Flags |= d.lateness(e, r.Frame == "")
	if !known {
		t = &c.begun
		if err := l.begin(ctx, d.station, t); err != nil {
			return err
		}
	}
	if err := l.completeStart(ctx, d, e, t, running); err != nil {
		return err
	}
	if err := c.claim(ctx, e, t.ID); err != nil {
		return err
	}
	if err := c.supersede(ctx, busy, t.ID, e); err != nil {
		return err
	}
	if fresh {
		c.fresh++
	}
	n, err := c.applyTo(ctx, t, e)
	if err == nil {
		err = c.concede(ctx, n, next)
	}
	if err == nil {
		err = c.write(ctx)
	}
	if err != nil {
		return err
	}
	r.state = c.after(e.Transaction)
	r.RemoteStop = unwanted(r.state)
	return nil
}

// unrecorded returns [ErrReplay] if an event with the key of e is recorded.
func (l *Ledger) unrecorded(ctx context.Context, e *Event) error {
	_, err := l.store.ByKey(ctx, e.Station, e.Key)
	switch {
	case err == nil:
		return ErrReplay
	case errors.Is(err, ErrNotFound):
		return nil
	}
	return err
}

// unwanted returns t if it is to be stopped, or 0: a charge that began although its
// remote start was cancelled, until a remote stop was sent.
func unwanted(t *Transaction) TransactionID {
	if t.Status != Active || t.Evidence.Outcome != Cancelled || t.StopRound > 0 {
		return 0
	}
	return t.ID
}

// begin makes t a new transaction, whose number it draws.
func (l *Ledger) begin(ctx context.Context, s StationID, t *Transaction) error {
	id, err := l.store.NextID(ctx)
	if err != nil {
		return fmt.Errorf("draw a number: %w", err)
	}
	*t = Transaction{}
	t.ID, t.PublicID, t.Station = id, NewPublicID("txn_", l.Now()), s
	return nil
}

// completeStart adds to a start what only the ledger knows: the answer about
// its token, its vehicle, the plug-in, and what is odd about it. Of it and the
// transactions that run on its connector only one goes on.
func (l *Ledger) completeStart(ctx context.Context, d *desk, e *Event, t *Transaction, running []*Transaction) error {
	var err error
	if e.Auth, e.Vehicle, err = l.authorizeStart(ctx, e.Token, running); err != nil {
		return err
	}
	if asked := t.Evidence.Asked.Vehicle; asked != "" {
		e.Vehicle = asked
	}
	if e.Register != nil && *e.Register == 0 {
		if e.Before, err = l.stoodBefore(ctx, d, e); err != nil {
			return err
		}
	}
	if !e.Auth.Accepted() {
		e.Flags |= Unauthorized
	}
	plugged := d.connector(e.Connector).PluggedAt
	if !plugged.IsZero() && !plugged.After(e.At.Add(time.Minute)) && e.Flags&(Offline|ClockImplausible) == 0 {
		e.PluggedAt = plugged
	}
	return nil
}

// lateness tells a start that waited for a connection, or with us, from one whose
// clock is wrong: a start from before the socket was there was reported late; one
// that lies behind although the station was connected has a slow clock.
func (d *desk) lateness(e *Event, waited bool) Flags {
	off := e.ReceivedAt.Sub(e.At)
	switch {
	case off < -skewLimit, e.Flags.Has(ClockImplausible):
		return ClockSkew
	case off <= skewLimit:
		return 0
	case waited || e.At.Before(d.sighting.ConnectedAt) || d.sighting.ConnectedAt.IsZero():
		return Offline
	}
	return ClockSkew
}

// overtaken parts the transactions that run on the connector of a start into
// those in its way and those that began after it. The latter it cannot end,
// whatever the evidence: it waited on its way, and they ended its charge. What we
// heard of began no later than that, whatever its clock; and a clock that says
// nothing tells no order.
func overtaken(running []*Transaction, e *Event) (busy, next []*Transaction) {
	for _, t := range running {
		odd := e.Flags.Has(ClockImplausible) || t.StartedAt.Before(implausibleBefore) || tooEarly(t.StartedAt, t.StartReceivedAt)
		if !odd && t.HasStart() && e.At.Before(t.StartedAt) && e.At.Before(t.StartReceivedAt) {
			next = append(next, t)
			continue
		}
		busy = append(busy, t)
	}
	return busy, next
}

// concede closes the transaction of a late start, in the commit that records it,
// if others on its connector began after it: the first of them. Its own stop may
// still come, and then counts. One that was closed before its start came stays as
// it was closed.
func (c *change) concede(ctx context.Context, t *Transaction, next []*Transaction) error {
	if len(next) == 0 || t.Evidence.ClosedKey != "" {
		return nil
	}
	first := slices.MinFunc(next, func(a, b *Transaction) int { return a.StartedAt.Compare(b.StartedAt) })
	_, err := c.applyTo(ctx, t, &Event{
		Kind: Superseded, Key: ownKey(Superseded, t.ID, 0), At: t.lastKnown(), Register: first.MeterStart, Other: first.ID,
		Reason: "reported after transaction " + strconv.Itoa(int(first.ID)) + ", which began later on the connector",
	})
	return err
}

// lastKnown returns when a transaction was last seen to run, by the station's
// clock.
func (t *Transaction) lastKnown() time.Time {
	if last := t.Evidence.Last; last != nil {
		return latest(t.StartedAt, last.At)
	}
	return t.StartedAt
}

// mayReplace decides whether a start may end the transactions that run on its
// connector.
func (l *Ledger) mayReplace(ctx context.Context, d *desk, busy []*Transaction, e *Event, frame string) error {
	if err := l.unrecorded(ctx, e); err != nil {
		return err
	}
	dead := !slices.ContainsFunc(busy, func(t *Transaction) bool { return d.over(t, e) == "" })
	if dead || l.opt.StartConflict == ConflictAccept {
		return nil
	}
	refused, err := l.store.Quarantined(ctx, QuarantineQuery{Station: d.station, Key: e.Key, Status: QuarantineWaiting, Limit: 1})
	if err != nil {
		return err
	}
	insists := len(refused) > 0 || frame == ""
	if insists && l.opt.StartConflict == ConflictEvidence {
		return nil
	}
	if !insists {
		d.past.refused = true
		q := Quarantined{Station: d.station, Key: e.Key, Action: "StartTransaction", Frame: frame, Reason: ErrActive.Error()}
		if err := l.Quarantine(ctx, q); err != nil {
			return err
		}
	}
	return fmt.Errorf("transaction %d: %w", busy[0].ID, ErrActive)
}

// over returns the evidence that t, on the connector of a start, is dead, or "": what
// the station did since, or a stop that fits no charge and may yet be that of t, as far
// as times, connector and idTag tell: of a meter that was reset, say.
func (d *desk) over(t *Transaction, start *Event) string {
	if reason := d.death(t); reason != "" {
		return reason
	}
	old := start.ReceivedAt.Add(-workingSpan)
	for o := range d.waiting.all() {
		orphan := o.HasStop() && !o.HasStart() && !o.UpdatedAt.Before(old) && !o.StoppedAt.Before(t.lastKnown())
		if orphan && !differs(o.Connector, t.Connector) && (o.StopToken.Value == "" || same(o.StopToken, t.Token)) {
			return "station stopped a transaction that it did not name at " + stamp(o.StopReceivedAt)
		}
	}
	return ""
}

// supersede closes the transactions that a new one replaces, at their last
// reading. What the station said of itself may be the evidence, so that is
// written first.
func (c *change) supersede(ctx context.Context, busy []*Transaction, by TransactionID, start *Event) error {
	if len(busy) == 0 {
		return nil
	}
	if err := c.ledger.saveSighting(ctx, c.desk); err != nil {
		return err
	}
	for _, t := range busy {
		reason := c.desk.over(t, start)
		if reason == "" {
			reason = "station insisted on another start on the connector"
		}
		if same(t.Token, start.Token) && equal(t.MeterStart, start.Register) && t.Evidence.Last == nil {
			start.Flags |= DuplicateSuspect
		}
		_, err := c.applyTo(ctx, t, &Event{
			Kind: Superseded, Key: ownKey(Superseded, t.ID, 0), At: t.lastKnown(), Register: start.Register, Reason: reason, Other: by,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// startOf finds the transaction that a start begins, if there is one: a pending
// remote start; else one that the station was late for; else the only stop that
// fits it and still has no start.
func (d *desk) startOf(e *Event) *Transaction {
	var remote, orphan *Transaction
	orphans := 0
	old := e.ReceivedAt.Add(-workingSpan)
	for t := range d.atHand() {
		switch {
		case t.HasStart(), !t.Status.Open() && t.UpdatedAt.Before(old):
		case t.HasStop():
			if !differs(t.Connector, e.Connector) && startFits(e, t) {
				orphan = t
				orphans++
			}
		case t.Connector == e.Connector && same(t.Token, e.Token) && mayStart(t, e):
			if remote == nil || t.Status == Pending || remote.Status != Pending && t.ID > remote.ID {
				remote = t
			}
		}
	}
	if remote == nil && orphans == 1 {
		return orphan
	}
	return remote
}

// mayStart reports whether a start comes in time for a remote start
// (docs/ocpp.md "Remote start and stop").
func mayStart(t *Transaction, e *Event) bool {
	switch {
	case t.Status == Pending || t.Status.Charged():
		return true
	case t.Status == Failed && !t.Evidence.Errored:
		return false // the station said no: this is another charge
	case e.At.IsZero() || e.Flags.Has(ClockImplausible):
		return !e.ReceivedAt.After(t.ExpiresAt.Add(reviveBlind))
	}
	return !e.At.Before(t.RequestedAt.Add(-reviveSlack)) && !e.At.After(t.ExpiresAt.Add(reviveSlack))
}

// startFits reports whether a start may be the one that t, an orphan stop, waits
// for. What does not tell the order of the two is no evidence of it: a charge
// that begins now must not be taken for one that has ended.
func startFits(e *Event, t *Transaction) bool {
	stop := Event{At: t.StoppedAt, Register: t.MeterStop, Token: t.StopToken}
	startOdd, stopOdd := e.Flags.Has(ClockImplausible), t.Evidence.Noted.Has(ClockImplausible)
	switch {
	case startOdd && stopOdd:
		if !e.At.Before(implausibleBefore) || !stop.At.Before(implausibleBefore) {
			return false
		}
	case startOdd, stopOdd && stop.Token.Value == "":
		return false
	case !e.At.After(e.ReceivedAt) && e.At.After(t.StopReceivedAt):
		return false // its stop had reached us before it began
	}
	return oneCharge(e, &stop)
}

// oneCharge reports whether a start and a stop can be those of one charge: in
// this order, for the same idTag if the stop tells one, and with no less on the
// register than before nor more than can flow in the time.
func oneCharge(start, stop *Event) bool {
	if stop.At.Before(start.At) || stop.Token.Value != "" && !same(stop.Token, start.Token) {
		return false
	}
	if !isRegisterValue(start.Register) || !isRegisterValue(stop.Register) {
		return true
	}
	return rose(*start.Register, *stop.Register, between(start.At, stop.At))
}

func differs(a, b int) bool { return a != 0 && b != 0 && a != b }

func same(a, b IDToken) bool { return a.Value == b.Value || a.Fold() == b.Fold() }

// recordUpdate keeps readings. Those of no transaction are the station's own
// series; those of one that we do not know join the one that runs on their
// connector.
func (l *Ledger) recordUpdate(ctx context.Context, d *desk, r *Report) error {
	e, c := r.Event, &r.change
	t, err := l.numbered(ctx, d, e.Number)
	if err != nil {
		return err
	}
	ours := t != nil && e.Connector != 0
	if ours && mayPrecede(e, t) {
		if err := r.replay(ctx, string(r.meterKey(false))); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	key := r.meterKey(ours)
	e.Key = unsafe.String(unsafe.SliceData(key), len(key)) // nobody keeps it
	if !ours {
		if t = d.onlyCharge(e); t == nil && e.Number != nil && e.Connector != 0 {
			e.Flags |= OrphanStop
		}
	}
	if t == nil {
		e.Station = d.station
		c.add(e)
		return r.finish(ctx)
	}
	n, err := c.applyTo(ctx, t, e)
	if err != nil {
		return err
	}
	if ours && r.Frame != "" && d.freshReading(t, n, e) {
		c.fresh++
	}
	if n.Status == Stopping && n.Evidence.StopStep == StopOverdue && !n.Evidence.FlowAt.Before(e.ReceivedAt) {
		if err := c.lapse(ctx, n); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// mayPrecede reports whether a report may have been sent before its number was
// drawn: a number that meant nothing then may be ours by now.
func mayPrecede(e *Event, t *Transaction) bool { return !t.HasStart() || e.At.Before(t.StartedAt) }

// lapse adds the decision that a remote stop came to nothing.
func (c *change) lapse(ctx context.Context, t *Transaction) error {
	_, err := c.applyTo(ctx, t, lapsed(t))
	return err
}

// lapsed is the decision that a remote stop came to nothing.
func lapsed(t *Transaction) *Event {
	return &Event{
		Kind: StopLapsed, Key: ownKey(StopLapsed, t.ID, t.StopRound), Round: t.StopRound,
		Reason: "energy flowed on after the remote stop",
	}
}

// onlyCharge returns the transaction that runs on the connector of readings
// whose number we do not know, if there is just one and they are not older, or nil.
func (d *desk) onlyCharge(e *Event) *Transaction {
	if e.Number == nil || e.Connector == 0 {
		return nil
	}
	ts := d.charging(e.Connector)
	if len(ts) != 1 || len(e.Samples) > 0 && e.Samples[len(e.Samples)-1].At.Before(ts[0].StartedAt) {
		return nil
	}
	return ts[0]
}

// numbered returns the station's transaction with that number, or nil. Another
// station's is none.
func (l *Ledger) numbered(ctx context.Context, d *desk, n *int64) (*Transaction, error) {
	if n == nil || *n < 1 || *n > maxTransactionID {
		return nil, nil
	}
	id := TransactionID(*n)
	if t := d.hand(id); t != nil {
		return t, nil
	}
	return l.numberedBefore(ctx, d, id)
}

// numberedBefore is numbered for one that the desk has not at hand.
func (l *Ledger) numberedBefore(ctx context.Context, d *desk, id TransactionID) (*Transaction, error) {
	t, err := l.store.Transaction(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && t.Station != d.station {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &t, nil
}

const maxTransactionID = 1<<31 - 1

// recordStop keeps a stop: of the transaction it names, of the only one it
// fits, or as a record of its own that waits for its start.
func (l *Ledger) recordStop(ctx context.Context, d *desk, r *Report) error {
	e, c := r.Event, &r.change
	t, err := l.numbered(ctx, d, e.Number)
	if err != nil {
		return err
	}
	ours := t != nil
	if ours && mayPrecede(e, t) {
		if err := r.replay(ctx, stopKey(e, false)); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	e.Key = stopKey(e, ours)
	e.date()
	e.Flags |= d.lateness(e, false) & Offline
	if !ours {
		if t, err = l.stopped(ctx, d, r); err != nil {
			return err
		}
	}
	if !t.HasStart() {
		e.Reason = strings.Clone(e.Reason) // it stays at the desk for days: without its frame
	}
	if e.Token.Value != "" {
		if err = l.authorizeStop(ctx, e); err != nil {
			return err
		}
	}
	if e.Model, err = l.stopModel(ctx, d, e, t); err != nil {
		return err
	}
	if ours && !t.HasStop() {
		c.fresh++
	}
	if _, err := c.applyTo(ctx, t, e); err != nil {
		return err
	}
	return r.finish(ctx)
}

// authorizeStop adds to a stop the answer about its idTag.
func (l *Ledger) authorizeStop(ctx context.Context, e *Event) (err error) {
	var h holder
	e.Auth, err = l.authorize(ctx, e.Token, &h)
	return err
}

// stopped returns the transaction that a stop without a number of ours ends:
// the only one that runs and fits, else the only one that fits and that we closed
// because its stop had not come, else a new one. The station's quirks may say
// that there is none, or which of several.
func (l *Ledger) stopped(ctx context.Context, d *desk, r *Report) (*Transaction, error) {
	e, begun := r.Event, &r.begun
	habit, err := l.offlineIDs(ctx, d, e)
	if err != nil {
		return nil, err
	}
	if habit != nil && !*habit {
		return begun, l.begin(ctx, d.station, begun)
	}
	fits := fitting(d.working.all(), e)
	if len(fits) == 0 {
		closed, err := l.closedBefore(ctx, d, e)
		if err != nil {
			return nil, err
		}
		fits = fitting(slices.Values(closed), e)
	}
	if len(fits) > 1 && habit != nil {
		fits = slices.DeleteFunc(fits, func(t *Transaction) bool { return !t.Flags.Has(Offline) })
	}
	if len(fits) == 1 {
		return fits[0], nil
	}
	return begun, l.begin(ctx, d.station, begun)
}

// offlineIDs returns what the station's quirks say of a stop under −1 and the
// like: whether it is one of a charge that began offline. nil: nothing.
func (l *Ledger) offlineIDs(ctx context.Context, d *desk, stop *Event) (*bool, error) {
	if stop.Number == nil || *stop.Number > 0 {
		return nil, nil
	}
	q, err := l.Quirks(ctx, d.station)
	return q.OfflineIDs, err
}

// closedBefore returns the last transactions that began in the days before a stop
// and are not open any more.
func (l *Ledger) closedBefore(ctx context.Context, d *desk, stop *Event) ([]*Transaction, error) {
	page, err := l.store.Transactions(ctx, Query{
		Station: d.station, Statuses: []Status{Completed}, Order: ByStart, Limit: maxClosed,
		Started: Window{From: stop.At.Add(-workingSpan), To: stop.At.Add(time.Microsecond)},
	})
	if err != nil {
		return nil, fmt.Errorf("transactions before a stop: %w", err)
	}
	var closed []*Transaction
	for i := range page.Transactions {
		closed = append(closed, &page.Transactions[i])
	}
	return closed, nil
}

// fitting returns those of the transactions without a stop that a stop may be of.
func fitting(ts iter.Seq[*Transaction], stop *Event) []*Transaction {
	var fits []*Transaction
	for t := range ts {
		if !t.HasStart() || t.HasStop() {
			continue
		}
		start := Event{At: t.StartedAt, Register: t.MeterStart, Token: t.Token}
		if oneCharge(&start, stop) && !outlived(t, stop) {
			fits = append(fits, t)
		}
	}
	return fits
}

// outlived reports whether t is known not to have ended with that stop: its
// readings go on, or had counted further, or the next charge began lower.
func outlived(t *Transaction, stop *Event) bool {
	last, limit := t.Evidence.Last, t.Evidence.ClosedLimit
	if limit != nil && *limit > 0 && isRegisterValue(stop.Register) && *stop.Register > *limit {
		return true // at 0 a register begins anew, and tells nothing
	}
	if last == nil {
		return false
	}
	return last.At.After(stop.At.Add(skewLimit)) ||
		!last.At.After(stop.At) && isRegisterValue(stop.Register) && last.Wh > *stop.Register
}

// sameContent reports whether two reports with one key say the same.
func sameContent(a, b *Event) bool {
	if a.Digest != "" && a.Digest == b.Digest {
		return true
	}
	return a.Kind == b.Kind && a.At.Equal(b.At) && equal(a.Register, b.Register) && same(a.Token, b.Token) &&
		a.Reason == b.Reason && a.ReasonText == b.ReasonText && equal(a.Reservation, b.Reservation) &&
		slices.EqualFunc(a.Samples, b.Samples, func(x, y Sample) bool {
			x.At, y.At, x.Signature, y.Signature = x.At.UTC(), y.At.UTC(), "", "" // keys may have come to be known
			return x == y
		})
}
