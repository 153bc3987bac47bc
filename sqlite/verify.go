package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/chain"
)

// A Verification says what Verify reads and tells. All of it may be left out.
type Verification struct {
	Progress func(done, total int64)                             // events so far; one call at a time
	Differs  func(id leyden.TransactionID, differences []string) // a transaction is not what its events make of it; one call at a time
}

// Verified is what Verify has found.
type Verified struct {
	Events, Transactions int64              // how many were read
	Differing            int64              // how many transactions are not what their events make of them
	Chain                chain.State        // without anchors
	Broken               *chain.BrokenError // the first event that is not what was recorded; nil: there is none
}

// Verify reads every event once, on all processors: whether the chain of their
// hashes is whole, and whether those of each transaction fold to what is stored of
// it. A server may go on beside it: what it appends meanwhile is left out.
func (db *DB) Verify(ctx context.Context, o Verification) (Verified, error) {
	v := &verification{Verification: o, db: db}
	if err := db.settled(ctx); err != nil {
		return v.found, outward(ctx, "verify", err)
	}
	if err := db.readLong(ctx, "verify", v.prepare); err != nil {
		return v.found, err
	}
	err := v.readAll(ctx)
	if err == nil {
		err = db.readLong(ctx, "verify", v.untold)
	}
	return v.found, err
}

// A verification is one under way.
type verification struct {
	Verification
	db    *DB
	spans []verifySpan
	total int64
	next  atomic.Int64

	mu    sync.Mutex // guards found and calls of functions of Verification
	found Verified
}

// A verifySpan is a range of events that one goroutine reads: those from first to
// last. Those older than the chain have no links, and no part; nor has any if an anchor
// is missing.
type verifySpan struct {
	first, last int64
	part        *chain.Part
}

// prepare reads the state of the chain and cuts the events into spans.
func (v *verification) prepare(c *sqlite.Conn) error {
	const (
		oldest = `SELECT ifnull(min(seq), ?1) FROM events`
		newest = `SELECT ifnull(max(seq), ?1) FROM events`
	)
	s, err := readChain(c)
	if err == nil {
		err = readAnchors(c, &s)
	}
	if err != nil {
		return err
	}
	first, err := number(c, oldest, func(b *binder) { b.int(s.Oldest) })
	if err != nil {
		return err
	}
	last, err := number(c, newest, func(b *binder) { b.int(s.End.Number) })
	if err != nil {
		return err
	}
	if first < min(1, s.Oldest) || first < s.Oldest && s.Oldest > s.Began {
		v.broken(&chain.BrokenError{Number: first, Why: "has no place in the chain"})
	}
	if last > s.End.Number {
		v.broken(&chain.BrokenError{Number: s.End.Number + 1, Why: "stands behind the end of the chain"})
	}
	v.cut(&s, max(first, 1))
	s.Anchors = nil
	v.found.Chain = s
	v.total = s.End.Number - min(first, s.Oldest) + 1
	return nil
}

func (v *verification) cut(s *chain.State, first int64) {
	parts, err := s.Parts()
	if broken, ok := errors.AsType[*chain.BrokenError](err); ok {
		v.broken(broken)
	}
	until := s.Began - 1
	if err != nil {
		until = s.End.Number // fold them at least
	}
	for ; first <= until; first += chain.PartitionRows {
		v.spans = append(v.spans, verifySpan{first: first, last: min(until, first+chain.PartitionRows-1)})
	}
	for i := range parts {
		v.spans = append(v.spans, verifySpan{parts[i].From.Number + 1, parts[i].Upto.Number, &parts[i]})
	}
}

// broken notes the first event of those that are not as recorded.
func (v *verification) broken(e *chain.BrokenError) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.found.Broken == nil || e.Number < v.found.Broken.Number {
		v.found.Broken = e
	}
}

// readAll reads all spans, as many at a time as there are readers.
func (v *verification) readAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range cap(v.db.readers) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(v.next.Add(1)) - 1
				if i >= len(v.spans) {
					return
				}
				err := v.db.readLong(ctx, "verify", func(c *sqlite.Conn) error { return newSpanReader(v, c, v.spans[i]).read() })
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// untold finds transactions of which there is no event. There is none if as many were
// judged as there are.
func (v *verification) untold(c *sqlite.Conn) error {
	const all = `SELECT count(*) FROM transactions`
	if n, err := number(c, all, nil); err != nil || n == v.found.Transactions {
		return err
	}
	const without = selectTransaction + `AS t WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.transaction_id = t.id) ORDER BY id`
	return each(c, without, nil, func(r *row) error {
		var t leyden.Transaction
		if err := r.transaction(&t, true); err != nil {
			return err
		}
		v.judge(&t, leyden.Fold(nil))
		return nil
	})
}

// judge compares a transaction with what its events make of it.
func (v *verification) judge(t *leyden.Transaction, folded leyden.Transaction) {
	diff := leyden.Differences(folded, *t)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found.Transactions++
	if len(diff) == 0 {
		return
	}
	v.found.Differing++
	if v.Differs != nil {
		v.Differs(t.ID, diff)
	}
}

// advance counts events that have been read.
func (v *verification) advance(n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found.Events += n
	if v.Progress != nil {
		v.Progress(v.found.Events, v.total)
	}
}

// A spanReader reads a span. The transactions that have their first event in it are
// its to fold; what those have behind it, it looks up. So it keeps no more than the
// events of a span.
type spanReader struct {
	*verification
	c      *sqlite.Conn
	span   verifySpan
	chain  *chain.Verifier // nil: there is no chain, or it is broken
	open   map[int64]*folding
	spare  []*folding
	hash   chain.Hash
	texts  texts
	buf    []byte
	unread int64 // events that were not told of
}

// A folding is a transaction of which events are to come.
type folding struct {
	last   int64 // the last event of it
	ours   bool
	events []leyden.Event
}

func newSpanReader(v *verification, c *sqlite.Conn, span verifySpan) *spanReader {
	s := &spanReader{verification: v, c: c, span: span, open: make(map[int64]*folding)}
	if span.part != nil {
		s.chain = chain.NewVerifier(span.part.From)
	}
	return s
}

// tellEvery is after how many events progress is told.
const tellEvery = 4096

func (s *spanReader) read() error {
	const query = `SELECT ` + eventColumns + `, hash FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq`
	err := each(s.c, query, func(b *binder) {
		b.int(s.span.first)
		b.int(s.span.last)
	}, s.event)
	if err != nil {
		return err
	}
	if s.chain != nil {
		s.ends(s.chain.End(s.span.part.Upto))
	}
	s.advance(s.unread)
	for id, f := range s.open {
		if err := s.close(id, f); err != nil {
			return err
		}
	}
	return nil
}

// event takes a row of the span.
func (s *spanReader) event(r *row) error {
	if s.unread++; s.unread == tellEvery {
		s.advance(s.unread)
		s.unread = 0
	}
	t := r.told(&s.texts)
	s.link(&t, r)
	if t.Transaction == unknown {
		return t.event(new(leyden.Event))
	}
	f, err := s.folding(&t)
	if err != nil {
		return err
	}
	if f.ours {
		f.events = append(f.events, leyden.Event{})
		if err := t.event(&f.events[len(f.events)-1]); err != nil {
			return err
		}
	}
	if t.seq < f.last {
		return nil
	}
	delete(s.open, t.Transaction)
	return s.close(t.Transaction, f)
}

// link verifies that the row is the next of the chain.
func (s *spanReader) link(t *told, r *row) {
	if s.chain == nil {
		if t.seq < s.found.Chain.Began && !r.isNull() {
			s.broken(&chain.BrokenError{Number: t.seq, Why: "is older than the chain, and has a hash"})
		}
		return
	}
	n := r.stmt.ColumnBytes(r.next(), s.hash[:])
	s.ends(s.chain.Next(t.seq, &t.Row, s.hash[:n]))
}

// ends notes where the chain is broken, if it is.
func (s *spanReader) ends(err error) {
	if broken, ok := errors.AsType[*chain.BrokenError](err); ok {
		s.chain = nil
		s.broken(broken)
	}
}

// folding returns that of the transaction of an event. It is ours if the event is its
// first.
func (s *spanReader) folding(t *told) (*folding, error) {
	const bounds = `
SELECT (SELECT min(seq) FROM events WHERE transaction_id = ?1), (SELECT max(seq) FROM events WHERE transaction_id = ?1)`
	if f := s.open[t.Transaction]; f != nil {
		return f, nil
	}
	f := &folding{}
	if n := len(s.spare); n > 0 {
		f, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	s.open[t.Transaction] = f
	return f, one(s.c, bounds, func(b *binder) { b.int(t.Transaction) }, func(r *row) error {
		f.ours = r.int() == t.seq
		f.last = r.int()
		return nil
	})
}

// close folds a transaction, with what it has behind the span.
func (s *spanReader) close(id int64, f *folding) error {
	const (
		behind = `SELECT ` + eventColumns + ` FROM events WHERE transaction_id = ?1 AND seq > ?2 ORDER BY seq`
		stored = `SELECT ` + transactionColumns + `, evidence FROM transactions WHERE id = ?1`
	)
	if !f.ours {
		s.spare = append(s.spare, f)
		return nil
	}
	if f.last > s.span.last {
		err := each(s.c, behind, func(b *binder) {
			b.int(id)
			b.int(s.span.last)
		}, func(r *row) error {
			f.events = append(f.events, leyden.Event{})
			return r.event(&f.events[len(f.events)-1])
		})
		if err != nil {
			return err
		}
	}
	var t leyden.Transaction
	folded := leyden.Fold(f.events)
	err := one(s.c, stored, func(b *binder) { b.int(id) }, func(r *row) error {
		if err := r.transaction(&t, true); err != nil {
			return err
		}
		return s.legible(r.text(), &folded)
	})
	if errors.Is(err, leyden.ErrNotFound) {
		return &failure{fmt.Errorf("event %d is of transaction %d, which is not there", f.events[0].Seq, id)}
	}
	if err != nil {
		return err
	}
	s.judge(&t, folded)
	clear(f.events)
	f.events = f.events[:0]
	s.spare = append(s.spare, f)
	return nil
}

// legible returns why what is stored as the evidence of a transaction is none. In most
// cases it is what its events make of it.
func (s *spanReader) legible(evidence string, folded *leyden.Transaction) error {
	text, err := folded.Evidence.AppendJSON(s.buf[:0])
	if err != nil {
		return err
	}
	s.buf = text
	if string(text) != evidence && !json.Valid([]byte(evidence)) {
		return &failure{fmt.Errorf("evidence of transaction %d: broken JSON in the database", folded.ID)}
	}
	return nil
}

// ChainEnd returns what is known of the chain of events, without its anchors.
func (db *DB) ChainEnd(ctx context.Context) (s chain.State, err error) {
	if err := db.settled(ctx); err != nil {
		return s, outward(ctx, "end of the chain", err)
	}
	err = db.read(ctx, "end of the chain", func(c *sqlite.Conn) (err error) {
		s, err = readChain(c)
		return err
	})
	return s, err
}

// CompareHead returns nil if the ledger still has all events of a head, as far as
// their hashes tell: whether those are right is for Verify. The error is that of
// [chain.Head.Compare].
func (db *DB) CompareHead(ctx context.Context, h *chain.Head) error {
	const (
		hashOf = `SELECT hash FROM events WHERE seq = ?1 AND hash IS NOT NULL`
		behind = `SELECT before FROM anchors WHERE first = ?1 + 1`
	)
	s, err := db.ChainEnd(ctx)
	if err != nil {
		return err
	}
	var found chain.Hash
	there := false
	for _, query := range []string{behind, hashOf} {
		err := db.read(ctx, "head", func(c *sqlite.Conn) error {
			return each(c, query, func(b *binder) { b.int(h.End.Number) }, func(r *row) error {
				there = true
				r.bytes(found[:])
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return h.Compare(&s, found, there)
}
