package sqlite

import (
	"time"

	"zombiezen.com/go/sqlite"

	"leyden/chain"
)

// Links are what the writer must know of the chain of hashes over events: it alone
// lengthens it, and it may forget all of it at any time between transactions.
type links struct {
	known  bool
	began  int64
	end    chain.Link // of the last event
	tip    int64      // what the table of chains has for the last event
	hasher chain.Hasher
	row    chain.Row
}

// load reads where the chain ends. If events were cut off or added by a stranger, it
// goes on behind them, and stays broken where they were.
func (l *links) load(c *sqlite.Conn) error {
	const newest = `SELECT ifnull(max(seq), 0) FROM events`
	s, err := readChain(c)
	if err != nil {
		return err
	}
	last, err := number(c, newest, nil)
	if err != nil {
		return err
	}
	l.known, l.began, l.end, l.tip = true, s.Began, s.End, s.End.Number
	l.end.Number = max(s.End.Number, last)
	return nil
}

// readChain reads the state of the chain, but for its anchors.
func readChain(c *sqlite.Conn) (s chain.State, err error) {
	const query = `SELECT id, began, oldest, last, hash FROM chains`
	err = one(c, query, nil, func(r *row) error {
		r.bytes(s.ID[:])
		s.Began, s.Oldest, s.End.Number = r.int(), r.int(), r.int()
		if r.isNull() {
			s.End = chain.Begin(s.ID, s.Began)
			return nil
		}
		r.bytes(s.End.Hash[:])
		return nil
	})
	return s, err
}

// readAnchors reads the anchors of the chain.
func readAnchors(c *sqlite.Conn, s *chain.State) error {
	const query = `SELECT first, before FROM anchors ORDER BY first`
	return each(c, query, nil, func(r *row) error {
		a := chain.Anchor{First: r.int()}
		r.bytes(a.Before[:])
		s.Anchors = append(s.Anchors, a)
		return nil
	})
}

// follow returns the link of an event with these values behind its station, in the
// order of insertEvent, which would be the next.
func (l *links) follow(station string, v *[eventValues]value) chain.Link {
	l.row = chain.Row{
		Station: station, Key: v[0].text, Kind: v[1].known(), Transaction: v[2].known(), At: v[3].known(), ReceivedAt: v[4].known(),
		Digest: v[5].text, Body: v[6].text,
	}
	return l.hasher.After(l.end, &l.row)
}

// linked notes that an event stands in the table. The first of a partition has an
// anchor.
func (t *tx) linked(link chain.Link) error {
	const insert = `INSERT INTO anchors (first, before, at) VALUES (?1, ?2, ?3)`
	before := t.links.end
	t.links.end = link
	if !chain.Opens(link.Number, t.links.began) {
		return nil
	}
	return exec(t.c, insert, func(b *binder) {
		b.int(link.Number)
		b.bytes(before.Hash[:])
		b.int(t.now)
	})
}

// seal notes where the chain ends, if it has become longer.
func (t *tx) seal() error {
	const update = `UPDATE chains SET last = ?1, hash = ?2`
	l := &t.links
	if l.tip == l.end.Number {
		return nil
	}
	l.tip = l.end.Number
	return exec(t.c, update, func(b *binder) {
		b.int(l.end.Number)
		b.bytes(l.end.Hash[:])
	})
}

// known returns the number in the next column, or unknown for NULL.
func (r *row) known() int64 {
	if r.isNull() {
		r.i++
		return unknown
	}
	return r.int()
}

// moment returns the time of so many microseconds; unknown is the zero time.
func moment(micros int64) time.Time {
	if micros == unknown {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
