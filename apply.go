package leyden

import (
	"cmp"
	"slices"
	"time"
)

// Apply returns t after e. It is the only place where a report changes a
// transaction, and a pure function.
//
// Applying the same set of events, each once, in any order gives the same
// transaction: every step below only picks the better of two facts. Left out of
// that are what depends on when we heard it (the times of our clock, Version)
// and Evidence itself; and a figure that rests on the order of readings, or on
// signed ones that came before it was known when the charge was, is only final
// when they came in order: [Transaction.NeedsFold] tells when they did not.
func Apply(t Transaction, e Event) Transaction {
	t.apply(&e)
	return t
}

// apply makes t what it is after e. What t points to others may have as well: that
// is replaced, never changed.
func (t *Transaction) apply(e *Event) {
	t.applyFacts(e)
	t.placeSigned()
	if e.Kind.Reported() && len(e.Samples) > 0 {
		in := t.span()
		eachBatch(e, func(b batch) { t.Evidence.observe(b, e.ReceivedAt, in) })
	}
	t.derive()
}

// Fold returns the transaction that events make. Of events with the same key
// the first counts. It is the definition of what a transaction is: [Apply]
// reaches the same, one event at a time.
func Fold(events []Event) Transaction {
	var t Transaction
	type timed struct {
		batch
		received time.Time
	}
	var batches []timed
	take := func(e *Event) {
		eachBatch(e, func(b batch) { batches = append(batches, timed{b, e.ReceivedAt}) })
	}
	seen := make(map[string]bool, len(events))
	for i := range events {
		e := &events[i]
		if seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		t.applyFacts(e)
		if e.Kind.Reported() {
			take(e)
		}
	}
	if lent := t.lentReadings(events); lent != nil {
		t.Evidence.noteSigned(lent.Samples)
		take(lent)
	}
	slices.SortStableFunc(batches, func(a, b timed) int {
		return cmp.Or(a.at.Compare(b.at), -cmp.Compare(a.orNone(), b.orNone()))
	})
	in := t.span()
	for _, b := range batches {
		t.Evidence.observe(b.batch, b.received, in)
	}
	t.derive()
	return t
}

// NeedsFold reports whether only a fold of all its events gives the figures of t:
// its energy rests on the order of its readings and they came out of it, or
// readings of another record were joined into it.
func (t *Transaction) NeedsFold() bool {
	if t.Evidence.lent() {
		return true
	}
	if !t.HasStart() || !t.Status.Charged() {
		return false
	}
	if t.Evidence.SignedOpen || !t.Evidence.Disordered {
		return t.Evidence.SignedOpen
	}
	switch t.EnergySource {
	case EnergySigned, EnergyRegisters, EnergyLastSample, EnergyOperator:
		return false
	}
	return true // also when no figure was found: in order there may be one
}

func valueOf(wh *WattHours) WattHours {
	if wh == nil {
		return -1
	}
	return *wh
}

// applyFacts merges all of e but its samples.
func (t *Transaction) applyFacts(e *Event) {
	t.Station = e.Station
	t.ID = max(t.ID, e.Transaction)
	t.Evidence.Noted |= e.Flags
	t.UpdatedAt = latest(t.UpdatedAt, e.ReceivedAt)
	if e.Kind.Reported() {
		t.Evidence.ReportedAt = latest(t.Evidence.ReportedAt, e.ReceivedAt)
		t.Evidence.noteSigned(e.Samples)
	}
	switch e.Kind {
	case Started:
		t.applyStarted(e)
	case Updated:
		t.Evidence.Updated = true
		t.Evidence.Guess.merge(e)
	case Ended:
		t.applyEnded(e)
	case Superseded:
		t.applySuperseded(e)
	case PluggedOut:
		t.Evidence.LeftAt = latest(t.Evidence.LeftAt, e.At)
	case Rebooted:
		t.applyRebooted(e)
	case WentStale:
		t.Evidence.StaleAt = latest(t.Evidence.StaleAt, e.ReceivedAt)
	case Contradicted:
		t.Evidence.Noted |= ContentConflict
	case JoinedElsewhere, Corrected, Reverted, Closed, Joined:
		t.applyCorrection(e)
	default:
		t.applyRemote(e)
	}
}

func (t *Transaction) applyStarted(e *Event) {
	v := &t.Evidence
	if t.HasStart() {
		if before(t.StartedAt, v.StartKey, e.At, e.Key) {
			return
		}
	}
	v.StartKey = e.Key
	v.Started = Origin{Connector: e.Connector, Token: e.Token, Vehicle: e.Vehicle}
	t.StartedAt, t.StartReceivedAt = e.At, e.ReceivedAt
	t.MeterStart, t.Reservation = e.Register, e.Reservation
	t.SessionStart, v.Before = e.PluggedAt, e.Before
}

// applyEnded takes the stop that names our number before one that was joined by
// its evidence, then the earlier.
func (t *Transaction) applyEnded(e *Event) {
	v := &t.Evidence
	v.Guess.merge(e)
	t.returnStop()
	numbered := e.Number != nil && *e.Number == int64(e.Transaction)
	if t.HasStop() {
		if v.Numbered && !numbered || v.Numbered == numbered && before(t.StoppedAt, v.StopKey, e.At, e.Key) {
			return
		}
	}
	v.StopKey, v.Numbered = e.Key, numbered
	t.StoppedAt, t.StopReceivedAt = e.At, e.ReceivedAt
	t.MeterStop, t.StopToken = e.Register, e.Token
	t.StopReason, t.StopReasonText, v.Model = e.Reason, e.ReasonText, e.Model
}

func (t *Transaction) applySuperseded(e *Event) {
	v := &t.Evidence
	if v.ClosedKey != "" && before(v.ClosedEnd, v.ClosedKey, e.At, e.Key) {
		return
	}
	v.ClosedKey, v.ClosedEnd, v.ClosedLimit = e.Key, e.At, e.Register
	*t.closeReason() = e.Reason
}

// applyRebooted keeps the first boot since the last report: more of them do not
// put off the review. That is about when we heard of it, and about Evidence
// alone.
func (t *Transaction) applyRebooted(e *Event) {
	v := &t.Evidence
	if !v.ReportedAt.Before(v.BootedAt) {
		v.BootedAt = e.ReceivedAt
	}
}

func (t *Transaction) applyRequested(e *Event) {
	v := &t.Evidence
	if t.Remote && before(t.RequestedAt, v.AskedKey, e.ReceivedAt, e.Key) {
		return
	}
	t.Remote = true
	t.RequestedAt, t.ExpiresAt, *t.metadata() = e.ReceivedAt, e.Expires, e.Metadata
	v.AskedKey = e.Key
	v.Asked = Origin{Connector: e.Connector, Token: e.Token, Vehicle: e.Vehicle}
}

// applyRemote merges the life of a remote start and of remote stops.
func (t *Transaction) applyRemote(e *Event) {
	v := &t.Evidence
	switch e.Kind {
	case Requested:
		t.applyRequested(e)
	case StartRefused:
		v.Outcome = max(v.Outcome, Failed)
	case StartErrored:
		v.Outcome, v.Errored = max(v.Outcome, Failed), true
	case StartUnanswered:
		v.Errored = true
	case StartExpired:
		v.Outcome = max(v.Outcome, Expired)
	case StartCancelled:
		v.Outcome = max(v.Outcome, Cancelled)
	case StopRequested, StopAnswered, StopDenied, StopOverdue, StopLapsed, StopUnanswered:
		t.applyStopStep(e)
	}
}

// applyStopStep keeps the furthest step of the latest remote stop.
func (t *Transaction) applyStopStep(e *Event) {
	v := &t.Evidence
	if e.Round < t.StopRound {
		return
	}
	if e.Round > t.StopRound {
		t.StopRound, v.StopStep, v.StopAskedAt = e.Round, 0, time.Time{}
	}
	if stopRank(e.Kind) > stopRank(v.StopStep) {
		v.StopStep = e.Kind
	}
	if e.Kind == StopRequested || e.Kind == StopAnswered {
		v.StopAskedAt = latest(v.StopAskedAt, e.ReceivedAt)
	}
}

func stopRank(k EventKind) int {
	return slices.Index([]EventKind{StopRequested, StopUnanswered, StopAnswered, StopOverdue, StopDenied, StopLapsed}, k)
}

// orNone returns the register, −1 if there is none.
func (b *batch) orNone() WattHours {
	if b.place == 0 {
		return -1
	}
	return b.register
}

func (o *Origin) merge(e *Event) {
	if o.Connector == 0 || e.Connector != 0 && e.Connector < o.Connector {
		o.Connector = e.Connector
	}
	if e.Token.Value == "" {
		return
	}
	if o.Token.Value == "" || cmp.Or(cmp.Compare(e.Token.Value, o.Token.Value), cmp.Compare(e.Token.Type, o.Token.Type)) < 0 {
		o.Token = e.Token
	}
}

// before reports whether the first of two facts, told by time and key, counts.
func before(at1 time.Time, key1 string, at2 time.Time, key2 string) bool {
	return cmp.Or(at1.Compare(at2), cmp.Compare(key1, key2)) <= 0
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
