package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// Append implements [leyden.Store]. Beside a server it settles quarantined
// messages, and no more. An entry that is fresh and has nothing out of the ordinary
// is durable once it stands in the daybook; others are written to the ledger at once.
func (db *DB) Append(ctx context.Context, e *leyden.Entry) error {
	if err := db.serving(); err != nil && !settlesOnly(e) {
		return err
	}
	if err := e.Check(); err != nil {
		return err
	}
	if db.book == nil {
		return db.appendAtOnce(ctx, e)
	}
	b := db.book.booking(e)
	defer db.book.free(b)
	if err := b.encode(e); err != nil {
		return err
	}
	direct, err := db.book.submit(ctx, b)
	if direct {
		defer db.book.done(e.Station)
		return db.appendAtOnce(ctx, e)
	}
	if err != nil {
		return outward(ctx, "append", err)
	}
	tellStamp(e, b.stamp)
	return nil
}

// appendAtOnce writes an entry behind all that stands in the daybook.
func (db *DB) appendAtOnce(ctx context.Context, e *leyden.Entry) error {
	a := &appending{Entry: e}
	if err := a.encoded.encode(e); err != nil {
		return err
	}
	j := &job{run: a.run, stamps: slices.ContainsFunc(e.Transactions, func(c leyden.Change) bool { return c.Stamp })}
	if err := outward(ctx, "append", db.writer.submit(ctx, j)); err != nil {
		return err
	}
	a.fillIn()
	return nil
}

// tellStamp tells the caller when its final records were committed.
func tellStamp(e *leyden.Entry, stamp int64) {
	for i := range e.Transactions {
		if c := &e.Transactions[i]; c.Stamp {
			c.Transaction.InsertedAt = time.UnixMicro(stamp).UTC()
		}
	}
	e.FillNotices()
}

// An appending is an Entry on its way to the writer.
type appending struct {
	*leyden.Entry
	encoded values

	// What the writer assigned. The caller fills it in when all is on disk.
	firstEvent, firstNotice, firstQuarantined, stamp int64
}

// run checks everything first: a refused entry leaves nothing behind in the
// batch that it shares. A lone event is found to be a replay as it is written,
// which is then the first thing that is.
func (a *appending) run(t *tx) error {
	refusal := a.refuse(t)
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
	return a.write(t)
}

// refuse returns why the entry may not be written, replays apart.
func (a *appending) refuse(t *tx) error {
	for i := range a.Transactions {
		if err := t.refuseStale(&a.Transactions[i].Transaction); err != nil {
			return err
		}
	}
	if err := a.refuseReservations(t.c); err != nil {
		return err
	}
	if err := a.refusePending(t.c); err != nil {
		return err
	}
	return a.refuseSettled(t.c)
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

func (t *tx) refuseStale(n *leyden.Transaction) error {
	known, err := t.head(int64(n.ID))
	switch {
	case err != nil:
		return err
	case known.version > 0 && known.listing.station != string(n.Station):
		return fmt.Errorf("transaction %d is not of station %s: %w", n.ID, n.Station, leyden.ErrInvalid)
	case known.version != int64(n.Version)-1:
		return leyden.ErrStale
	}
	return nil
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
func (a *appending) write(t *tx) error {
	entry, _, err := nextEntry(a.encoded.b)
	if err != nil {
		return failed(err)
	}
	a.stamp = t.stamp
	entry.stamp = t.stamp
	if err := t.facts(&entry); err != nil {
		return err
	}
	a.firstEvent = t.event - int64(len(a.Events)) + 1
	if err := t.flush(); err != nil {
		return err
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
	entry.first = a.firstQuarantined
	err = t.announce(&entry)
	a.firstNotice = t.noticed - int64(len(a.Notices)) + 1
	return err
}

// fillIn tells the caller what the writer assigned. Numbers of one kind follow each
// other within an entry, for there is one writer.
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
	tellStamp(a.Entry, a.stamp)
}
