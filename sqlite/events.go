package sqlite

import (
	"context"
	"fmt"
	"unsafe"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/chain"
)

// eventValues is how many values an event has behind its station, see entry.go.
const eventValues = 7

// insertEvent writes the event that s has next, as the next of the chain. It returns
// ErrReplay, and writes nothing, if its key is recorded.
func (t *tx) insertEvent(station string, s *scanner) error {
	const insert = `
INSERT INTO events (seq, hash, station, key, kind, transaction_id, at, received_at, digest, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (key, station) DO NOTHING`
	if !t.links.known {
		if err := t.links.load(t.c); err != nil {
			return err
		}
	}
	var values [eventValues]value
	for i := range values {
		values[i] = s.next()
	}
	link := t.links.follow(station, &values)
	err := exec(t.c, insert, func(b *binder) {
		b.int(link.Number)
		b.bytes(link.Hash[:])
		b.text(station)
		for _, v := range values {
			b.value(v)
		}
	})
	if err == nil && t.c.Changes() == 0 {
		return leyden.ErrReplay
	}
	if err != nil {
		return err
	}
	t.event = link.Number
	return t.linked(link)
}

// id binds a transaction's number; 0, for none, is NULL.
func (b *binder) id(id leyden.TransactionID) {
	b.i++
	if id != 0 {
		b.stmt.BindInt64(b.i, int64(id))
	}
}

// eventColumns are what event reads, in its order.
const eventColumns = `seq, station, key, kind, transaction_id, at, received_at, digest, body`

func (r *row) event(e *leyden.Event) error {
	t := told{seq: r.int(), Row: chain.Row{
		Station: r.text(), Key: r.text(), Kind: r.int(), Transaction: r.known(),
		At: r.known(), ReceivedAt: r.known(), Digest: r.text(), Body: r.text(),
	}}
	return t.event(e)
}

// A told is an event as its row tells it.
type told struct {
	seq int64
	chain.Row
}

// told reads eventColumns. The texts are as lasting as what m gives room.
func (r *row) told(m *texts) told {
	return told{seq: r.int(), Row: chain.Row{
		Station: m.text(r), Key: m.text(r), Kind: r.int(), Transaction: r.known(),
		At: r.known(), ReceivedAt: r.known(), Digest: m.text(r), Body: m.text(r),
	}}
}

// Texts give room to texts of rows, many in one piece of memory.
type texts struct{ free []byte }

// textsSize is how large the pieces are.
const textsSize = 64 << 10

// text reads the next column.
func (m *texts) text(r *row) string {
	i := r.next()
	n := r.stmt.ColumnLen(i)
	if n > textsSize/16 {
		return r.stmt.ColumnText(i)
	}
	if n > len(m.free) {
		m.free = make([]byte, textsSize)
	}
	text := m.free[:n]
	m.free = m.free[n:]
	r.stmt.ColumnBytes(i, text)
	return unsafe.String(unsafe.SliceData(text), n)
}

// event reads the event into e.
func (t *told) event(e *leyden.Event) error {
	if err := e.ReadJSON(t.Body); err != nil {
		return &failure{fmt.Errorf("event %d: broken JSON in the database: %w", t.seq, err)}
	}
	e.Seq, e.Station, e.Key, e.Kind = t.seq, leyden.StationID(t.Station), t.Key, leyden.EventKind(t.Kind)
	e.At, e.ReceivedAt, e.Digest = moment(t.At), moment(t.ReceivedAt), t.Digest
	if t.Transaction != unknown {
		e.Transaction = leyden.TransactionID(t.Transaction)
	}
	if e.Kind.String() == "" {
		return &failure{fmt.Errorf("broken row: event %d is of the unknown kind %d", t.seq, t.Kind)}
	}
	return nil
}

// ByKey implements [leyden.Store].
func (db *DB) ByKey(ctx context.Context, s leyden.StationID, key string) (leyden.Event, error) {
	const query = `SELECT ` + eventColumns + ` FROM events WHERE station = ?1 AND key = ?2`
	var e leyden.Event
	if err := db.settledOf(ctx, s); err != nil {
		return e, outward(ctx, "event by key", err)
	}
	err := db.read(ctx, "event by key", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) {
			b.text(string(s))
			b.text(key)
		}, func(r *row) error { return r.event(&e) })
	})
	return e, err
}

// Events implements [leyden.Store].
func (db *DB) Events(ctx context.Context, id leyden.TransactionID) ([]leyden.Event, error) {
	const query = `SELECT ` + eventColumns + ` FROM events WHERE transaction_id = ?1 ORDER BY seq`
	if err := db.settled(ctx); err != nil {
		return nil, outward(ctx, "events of a transaction", err)
	}
	var events []leyden.Event
	err := db.readLong(ctx, "events of a transaction", func(c *sqlite.Conn) error {
		return each(c, query, func(b *binder) { b.id(id) }, func(r *row) error {
			events = append(events, leyden.Event{})
			return r.event(&events[len(events)-1])
		})
	})
	return events, err
}
