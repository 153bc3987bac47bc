package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// An appending is an Entry on its way to the writer. Its texts are made by the
// caller, so that the writer only binds and steps.
type appending struct {
	*leyden.Entry
	bodies   []string // JSON of the events
	evidence []string // JSON of the transactions' Evidence
	metadata []string // and of their Metadata; "" for none
	notices  []posting

	// What the writer assigned. The caller fills it in when all is on disk.
	firstEvent, firstNotice, firstQuarantined, stamp int64
}

// Append implements [leyden.Store]. Beside a server it settles quarantined
// messages, and no more.
func (db *DB) Append(ctx context.Context, e *leyden.Entry) error {
	if err := db.serving(); err != nil && !settlesOnly(e) {
		return err
	}
	if err := e.Check(); err != nil {
		return err
	}
	a, err := encode(e)
	if err != nil {
		return err
	}
	if err := db.write(ctx, "append", a.run); err != nil {
		return err
	}
	a.fillIn()
	return nil
}

// encode fails for what JSON cannot say, a year beyond 9999 for one.
func encode(e *leyden.Entry) (*appending, error) {
	a := &appending{
		Entry:    e,
		bodies:   make([]string, len(e.Events)),
		evidence: make([]string, len(e.Transactions)),
		metadata: make([]string, len(e.Transactions)),
	}
	var err error
	if a.notices, err = encodeNotices(e.Notices); err != nil {
		return nil, err
	}
	for i := range e.Events {
		if err := toJSON(&a.bodies[i], &e.Events[i]); err != nil {
			return nil, fmt.Errorf("event %q: %w", e.Events[i].Key, err)
		}
	}
	for i := range e.Transactions {
		t := &e.Transactions[i].Transaction
		if err := toJSON(&a.evidence[i], &t.Evidence); err != nil {
			return nil, fmt.Errorf("evidence of transaction %d: %w", t.ID, err)
		}
		if len(t.Metadata) == 0 {
			continue
		}
		if err := toJSON(&a.metadata[i], t.Metadata); err != nil {
			return nil, fmt.Errorf("metadata of transaction %d: %w", t.ID, err)
		}
	}
	return a, nil
}

func toJSON(to *string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", leyden.ErrInvalid, err)
	}
	*to = string(text)
	return nil
}

// run checks everything first: a refused entry leaves nothing behind in the
// batch that it shares. A lone event is found to be a replay as it is written,
// which is then the first thing that is.
func (a *appending) run(t *tx) error {
	known := make([]stored, len(a.Transactions))
	refusal := a.refuse(t.c, known)
	if isFailure(refusal) {
		return refusal
	}
	if refusal != nil || len(a.Events) > 1 {
		if err := a.refuseReplay(t.c); err != nil {
			return err
		}
	}
	if refusal != nil {
		return refusal
	}
	return a.write(t, known)
}

// refuse returns why the entry may not be written, replays apart, and fills in
// what is known of the rows that it changes.
func (a *appending) refuse(c *sqlite.Conn, known []stored) error {
	for i := range a.Transactions {
		if err := a.refuseStale(c, i, &known[i]); err != nil {
			return err
		}
	}
	if err := a.refuseReservations(c); err != nil {
		return err
	}
	if err := a.refusePending(c); err != nil {
		return err
	}
	return a.refuseSettled(c)
}

func (a *appending) refuseReplay(c *sqlite.Conn) error {
	const recorded = `SELECT 1 FROM events WHERE station = ?1 AND key = ?2`
	for i := range a.Events {
		err := each(c, recorded, func(b *binder) {
			b.text(string(a.Station))
			b.text(a.Events[i].Key)
		}, func(*row) error { return leyden.ErrReplay })
		if err != nil {
			return err
		}
	}
	return nil
}

// stored is what the writer must know of the row that a change replaces: its
// version, and which of its indexed columns stay as they are.
type stored struct {
	version    int64
	sameOrigin bool // who, where and when it began
	sameStage  bool // how far it has come
	listing    listing
}

func (a *appending) refuseStale(c *sqlite.Conn, i int, known *stored) error {
	const lookUp = `
SELECT version, station = ?2,
  public_id IS ?3 AND connector IS ?4 AND token_fold IS ?5 AND vehicle_id IS ?6 AND started_at IS ?7 AND start_key IS ?8 AND remote IS ?13,
  status IS ?9 AND stopped_at IS ?10 AND inserted_at IS ?11 AND due_at IS ?12,
  class, started_order, stopped_order, inserted_order, token_fold, vehicle_id
FROM transactions WHERE id = ?1`
	n := &a.Transactions[i].Transaction
	err := each(c, lookUp, func(b *binder) {
		b.int(int64(n.ID))
		b.text(string(n.Station))
		b.text(n.PublicID)
		b.int(int64(n.Connector))
		b.text(n.Token.Fold())
		b.text(n.VehicleID)
		b.time(n.StartedAt)
		b.text(n.Evidence.StartKey)
		b.int(int64(n.Status))
		b.time(n.StoppedAt)
		b.time(n.InsertedAt)
		b.time(n.DueAt)
		b.bool(n.Remote)
	}, func(r *row) error {
		known.version = r.int()
		if !r.bool() {
			return fmt.Errorf("transaction %d is not of station %s: %w", n.ID, n.Station, leyden.ErrInvalid)
		}
		known.sameOrigin, known.sameStage = r.bool(), r.bool() && !a.Transactions[i].Stamp
		known.listing = listing{
			id: int64(n.ID), class: class(r.int()), times: [3]int64{r.int(), r.int(), r.int()},
			station: string(n.Station), token: r.text(), vehicle: r.text(),
		}
		return nil
	})
	if err == nil && known.version != int64(n.Version)-1 {
		return leyden.ErrStale
	}
	return err
}

// refusePending compares what would be pending after the entry: it may end one
// remote start and begin another on the same connector.
func (a *appending) refusePending(c *sqlite.Conn) error {
	const waiting = `SELECT id FROM transactions WHERE status = 1 AND station = ?1 AND connector = ?2`
	for i := range a.Transactions {
		n := &a.Transactions[i].Transaction
		if n.Status != leyden.Pending {
			continue
		}
		for j := range i {
			if m := &a.Transactions[j].Transaction; m.Status == leyden.Pending && m.Connector == n.Connector {
				return &leyden.PendingError{ID: m.ID}
			}
		}
		err := each(c, waiting, func(b *binder) {
			b.text(string(a.Station))
			b.int(int64(n.Connector))
		}, func(r *row) error {
			id := leyden.TransactionID(r.int())
			if a.changes(id) {
				return nil
			}
			return &leyden.PendingError{ID: id}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *appending) changes(id leyden.TransactionID) bool {
	return slices.ContainsFunc(a.Transactions, func(c leyden.Change) bool { return c.Transaction.ID == id })
}

// write writes the whole entry. After its first event only the engine can fail.
func (a *appending) write(t *tx, known []stored) error {
	a.stamp = t.stamp
	for i := range a.Events {
		seq, err := insertEvent(t.c, &a.Events[i], a.bodies[i])
		if err != nil {
			return err
		}
		if i == 0 {
			a.firstEvent = seq
		}
	}
	// What ends first: a connector has one remote start at a time.
	for _, pending := range []bool{false, true} {
		for i := range a.Transactions {
			if (a.Transactions[i].Transaction.Status == leyden.Pending) != pending {
				continue
			}
			if err := a.writeTransaction(t, i, known[i]); err != nil {
				return err
			}
		}
	}
	return a.writeRest(t)
}

func (a *appending) writeRest(t *tx) error {
	for _, key := range a.Release {
		if err := release(t, a.Station, key); err != nil {
			return err
		}
	}
	for i := range a.Reservations {
		if err := saveReservation(t.c, &a.Reservations[i]); err != nil {
			return err
		}
	}
	for i := range a.Settle {
		if err := settle(t, &a.Settle[i]); err != nil {
			return err
		}
	}
	for i := range a.Quarantine {
		id, err := insertQuarantined(t.c, &a.Quarantine[i])
		if err != nil {
			return err
		}
		if i == 0 {
			a.firstQuarantined = id
		}
	}
	return a.writeNotices(t)
}

// fillIn tells the caller what the store assigned. Numbers of one kind follow
// each other within an entry, for there is one writer.
func (a *appending) fillIn() {
	for i := range a.Events {
		a.Events[i].Seq = a.firstEvent + int64(i)
	}
	for i := range a.Notices {
		a.Notices[i].Seq = a.firstNotice + int64(i)
	}
	for i := range a.Quarantine {
		a.Quarantine[i].ID = a.firstQuarantined + int64(i)
	}
	for i := range a.Transactions {
		if c := &a.Transactions[i]; c.Stamp {
			c.Transaction.InsertedAt = time.UnixMicro(a.stamp).UTC()
		}
	}
	a.FillNotices()
}
