package leyden

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Report is what a station reports, and what becomes of it. Reports are used
// again: what their Event points to may be as well, once the report is freed.
type Report struct {
	// Event is what the station told, and once that is kept the event as recorded:
	// for a replay the first one, whose Auth is the answer. Number, Digest, Samples
	// and the texts in them need to be valid no longer than the report.
	Event *Event
	// Frame is the message as the station sent it, in case it must be quarantined; ""
	// for one that is there already, and that somebody wants to be recorded now: it
	// shows nothing of the station as it is.
	Frame  string
	Replay bool // it was recorded before; nothing changed
	// RemoteStop is what the ledger wants done next by whoever talks to stations: to
	// stop that transaction (see [Ledger.RequestStop]); 0: nothing.
	RemoteStop TransactionID

	change
	state *Transaction // what the event is about, as it is now; nil: no transaction. It belongs to the desk
	sent  told
	room  [keyRoom]byte // takes the key of readings, which nobody keeps
}

// What is told of an event, and the ledger changes in it when it records it.
type told struct {
	seq         int64
	transaction TransactionID
	key         string
	at          time.Time
	auth        TokenInfo
	flags       Flags
	vehicle     string
	plugged     time.Time
	before      *WattHours
	model       RegisterModel
}

// reports keeps those that are free: each is larger than a stack should have to
// hold, of which there are as many as stations.
var reports = sync.Pool{New: func() any {
	r := new(Report)
	r.Event = &r.event[0]
	return r
}}

// NewReport returns an empty report.
func (l *Ledger) NewReport() *Report {
	r := reports.Get().(*Report)
	r.drop()
	r.event[0] = Event{}
	r.Frame, r.Replay, r.RemoteStop, r.state = "", false, 0, nil
	return r
}

// Free gives a report back. Nothing of it may be used any more. What it points to is
// forgotten when it is used again: that is long out of the processor's caches by now.
func (r *Report) Free() { reports.Put(r) }

// Record keeps a station's report and returns once it is durable. frame is
// [Report].Frame. Otherwise it is as [Ledger.Keep], with the whole outcome.
func (l *Ledger) Record(ctx context.Context, e Event, frame string) (Outcome, error) {
	r := l.NewReport()
	defer r.Free()
	*r.Event, r.Frame = e, frame
	var out Outcome
	if err := l.keep(ctx, r, &out); err != nil {
		return Outcome{}, err
	}
	out.Event, out.Replay, out.RemoteStop = *r.Event, r.Replay, r.RemoteStop
	out.Event.Key = strings.Clone(out.Event.Key)
	return out, nil
}

// Keep keeps a station's report and returns once it is durable. One that waited
// with us until it could be recorded brings its ReceivedAt along, and is judged by
// that. Errors that matter: [ErrActive] for a start on a busy connector (the frame is
// then in quarantine), [ErrUnavailable] when nothing could be kept.
func (l *Ledger) Keep(ctx context.Context, r *Report) error { return l.keep(ctx, r, nil) }

// keep is Keep. If out is not nil it gets the transaction.
func (l *Ledger) keep(ctx context.Context, r *Report, out *Outcome) error {
	now := l.Now()
	e := r.Event
	e.receive(now)
	d := l.sit(e.Station)
	defer l.rise(d)
	if r.Frame != "" {
		d.sighting.SeenAt, d.dirty = now, true
	}
	r.ledger, r.desk, r.now = l, d, now
	r.sent = told{e.Seq, e.Transaction, e.Key, e.At, e.Auth, e.Flags, e.Vehicle, e.PluggedAt, e.Before, e.Model}
	var err error
	for range maxTries {
		if err = l.record(ctx, d, r); !errors.Is(err, ErrStale) {
			break
		}
		d.forget()
		r.again()
	}
	if err != nil {
		return fmt.Errorf("record %v of %s: %w", e.Kind, e.Station, err)
	}
	if out != nil && r.state != nil {
		out.Transaction = *r.state
	}
	return nil
}

// again makes the report what it was before it was tried to record it.
func (r *Report) again() {
	r.drop()
	e, s := r.Event, &r.sent
	e.Seq, e.Transaction, e.Key, e.At, e.Auth, e.Flags = s.seq, s.transaction, s.key, s.at, s.auth, s.flags
	e.Vehicle, e.PluggedAt, e.Before, e.Model = s.vehicle, s.plugged, s.before, s.model
	r.Replay, r.RemoteStop, r.state = false, 0, nil
}

// record records a report at the desk of its station, and learns from it.
func (l *Ledger) record(ctx context.Context, d *desk, r *Report) error {
	if !d.loaded {
		if err := l.load(ctx, d); err != nil {
			return err
		}
	}
	var err error
	switch r.Event.Kind {
	case Started:
		err = l.recordStart(ctx, d, r)
	case Updated:
		err = l.recordUpdate(ctx, d, r)
	case Ended:
		err = l.recordStop(ctx, d, r)
	default:
		err = fmt.Errorf("%v is no report: %w", r.Event.Kind, ErrInvalid)
	}
	if err == nil && !r.Replay && r.Frame != "" {
		d.learn(r)
	}
	return err
}

// finish writes the change that the report makes, and turns a replay into its
// outcome.
func (r *Report) finish(ctx context.Context) error {
	err := r.write(ctx)
	if err == nil {
		r.state = r.after(r.Event.Transaction)
		return nil
	}
	if errors.Is(err, ErrReplay) {
		err = r.replay(ctx, r.Event.Key)
	}
	return err
}

// replay makes the outcome of the report that of the event that was recorded with a
// key before. The first content counts; other content is kept as evidence and marked.
func (r *Report) replay(ctx context.Context, key string) error {
	l := r.ledger
	first, err := l.store.ByKey(ctx, r.desk.station, key)
	if err != nil {
		return fmt.Errorf("recorded event %s: %w", key, err)
	}
	var t *Transaction
	if first.Transaction != 0 {
		found, err := l.store.Transaction(ctx, first.Transaction)
		if err != nil {
			return fmt.Errorf("transaction %d: %w", first.Transaction, err)
		}
		t = &found
		if !sameContent(&first, r.Event) {
			if t, err = r.contradict(ctx, t, key); err != nil {
				return err
			}
		}
	}
	r.Replay, r.state = true, t
	*r.Event = first
	return nil
}

// contradict keeps other content than was recorded with the key first, and returns
// the transaction after that.
func (r *Report) contradict(ctx context.Context, t *Transaction, key string) (*Transaction, error) {
	c := r.ledger.change(r.desk, r.ledger.Now())
	e := *r.Event
	e.Kind, e.Key = Contradicted, "C|"+key+"|"+e.Digest
	e.Flags |= ContentConflict
	if _, err := c.applyTo(ctx, t, &e); err != nil {
		return nil, err
	}
	switch err := c.write(ctx); {
	case err == nil:
		return new(*c.after(t.ID)), nil
	case !errors.Is(err, ErrReplay):
		return nil, err
	}
	return t, nil
}
