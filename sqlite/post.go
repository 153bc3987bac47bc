package sqlite

import (
	"cmp"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A head is what the writer must know of the row that a change replaces: its
// version, and what its indexes hold.
type head struct {
	version int64 // 0: there is no row
	origin  string
	stage   [stageColumns]int64
	listing listing
}

func (h *head) status() leyden.Status { return leyden.Status(h.stage[0]) }

// headOf reads the head of a row.
func headOf(s scanner) (h head) {
	h.listing.id = s.int()
	h.listing.station, h.version = strings.Clone(s.text()), s.int()
	from := s.b
	token, start, _ := s.text(), s.next(), s.next()
	connector, vehicle, remote, started := s.int(), s.text(), s.int() != 0, s.next()
	h.origin = string(from[:len(from)-len(s.b)])
	status, stopped, due, inserted := s.int(), s.next(), s.next(), s.next()
	h.stage = [stageColumns]int64{status, stopped.known(), due.known(), inserted.known()}
	h.listing.times = [3]int64{started.known(), stopped.known(), inserted.known()}
	h.listing.class = classOf(connector, status, remote, start.tag != tagNull, h.listing.times)
	h.listing.token, h.listing.vehicle = strings.Clone(token), strings.Clone(vehicle)
	return h
}

// facts writes the events of an entry and what it releases, and remembers its
// transactions for flush. It returns ErrReplay, and has written nothing, if the
// first event is recorded.
func (t *tx) facts(s *scanner) error {
	station := s.text()
	for range s.count() {
		err := t.insertEvent(station, s)
		if err == leyden.ErrReplay && t.booked {
			t.db.opt.Log.Error("an entry was called fresh that was recorded before", "station", strings.Clone(station))
			continue
		}
		if err != nil {
			return err
		}
	}
	for range s.count() {
		if err := t.remember(s); err != nil {
			return err
		}
	}
	for range s.count() {
		if err := t.release(station, s.text()); err != nil {
			return err
		}
	}
	if s.broken {
		return failed(errTorn)
	}
	return nil
}

// remember keeps the row of a transaction until flush, instead of an older one.
func (t *tx) remember(s *scanner) error {
	row := s.within()
	ahead := row
	id := ahead.int()
	if s.broken || ahead.broken {
		return failed(errTorn)
	}
	t.rows[id] = row
	return nil
}

// flush writes the rows that are remembered. What is pending comes last, for what
// makes room for it may be among the others: a connector has one remote start at a
// time.
func (t *tx) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	type change struct {
		row scanner
		now head
	}
	changes := make([]change, 0, len(t.rows))
	for _, row := range t.rows {
		changes = append(changes, change{row, headOf(row)})
	}
	clear(t.rows)
	last := func(c *change) int {
		if c.now.status() == leyden.Pending {
			return 1
		}
		return 0
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(last(&a), last(&b)), cmp.Compare(a.now.listing.id, b.now.listing.id))
	})
	for i := range changes {
		if err := t.writeRow(changes[i].row, &changes[i].now); err != nil {
			return err
		}
	}
	return nil
}

// head returns what is known of the row of a transaction.
func (t *tx) head(id int64) (head, error) {
	if h, ok := t.heads.get(id); ok {
		return h, nil
	}
	const lookUp = `
SELECT station, version, token_fold, start_key, public_id, connector, vehicle_id, remote, started_at,
  status, stopped_at, due_at, inserted_at
FROM transactions WHERE id = ?1`
	var h head
	err := each(t.c, lookUp, func(b *binder) { b.int(id) }, func(r *row) error {
		var v values
		v.int(id)
		for range keyColumns - 1 + originColumns + stageColumns {
			v.column(r)
		}
		h = headOf(scanner{b: v.b})
		return nil
	})
	return h, err
}

// column adds what a row has in its next column.
func (v *values) column(r *row) {
	switch r.stmt.ColumnType(r.i) {
	case sqlite.TypeInteger:
		v.int(r.int())
	case sqlite.TypeText:
		v.text(r.text())
	default:
		r.i++
		v.null()
	}
}

// announce writes the notices of an entry. The first of its quarantined messages
// must be known.
func (t *tx) announce(s *scanner) error {
	for range s.count() {
		if err := t.insertNotice(s); err != nil {
			return err
		}
	}
	if s.broken {
		return failed(errTorn)
	}
	return nil
}

// heads are those that were needed last. All may be let go at any time.
type heads struct{ young, old map[int64]head }

// maxHeads is how many are in each of the two maps at most.
const maxHeads = 16384

func (h *heads) get(id int64) (head, bool) {
	if known, ok := h.young[id]; ok {
		return known, true
	}
	known, ok := h.old[id]
	return known, ok
}

func (h *heads) put(id int64, now head) {
	if h.young == nil || len(h.young) >= maxHeads {
		h.young, h.old = make(map[int64]head), h.young
	}
	h.young[id] = now
}
