package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"leyden"
)

// A shelf keeps records in boxes, each in order of time, and forgets the oldest
// of a box that is full.
type shelf[R any] struct {
	size   int // of a box
	places map[string]*place[R]
	boxes  map[box][]*place[R]
	last   int64 // places given so far
}

// A box says what shares a limit: the records of a station and kind.
type box struct {
	station leyden.StationID
	kind    string
}

// A place is where a record stands on a shelf.
type place[R any] struct {
	box    box
	id     string
	at     time.Time
	seq    int64 // order of those with the same time
	record R
}

func newShelf[R any](size int) shelf[R] {
	return shelf[R]{size: size, places: make(map[string]*place[R]), boxes: make(map[box][]*place[R])}
}

func (p *place[R]) compare(other *place[R]) int {
	return cmp.Or(p.at.Compare(other.at), cmp.Compare(p.seq, other.seq))
}

// put adds a record, or replaces the one with its id. It fails if that is in
// another box.
func (s *shelf[R]) put(in box, id string, at time.Time, record R) error {
	p := s.places[id]
	if p == nil {
		s.last++
		p = &place[R]{box: in, seq: s.last}
	}
	if p.box != in {
		return fmt.Errorf("%s is of another station: %w", id, leyden.ErrInvalid)
	}
	if p.id != "" {
		s.take(p)
	}
	kept := place[R]{box: box{detach(in.station), detach(in.kind)}, id: detach(id), at: detach(at), seq: p.seq, record: detach(record)}
	i, _ := slices.BinarySearchFunc(s.boxes[in], &kept, (*place[R]).compare)
	s.boxes[kept.box] = slices.Insert(s.boxes[in], i, &kept)
	s.places[kept.id] = &kept
	if full := s.boxes[in]; len(full) > s.size {
		s.take(full[0])
	}
	return nil
}

// find returns the record with that id.
func (s *shelf[R]) find(ctx context.Context, id string) (r R, err error) {
	p := s.places[id]
	if p == nil {
		return r, cmp.Or(ctx.Err(), leyden.ErrNotFound)
	}
	return detach(p.record), ctx.Err()
}

// take takes a record off the shelf.
func (s *shelf[R]) take(p *place[R]) {
	list := s.boxes[p.box]
	i, _ := slices.BinarySearchFunc(list, p, (*place[R]).compare)
	if i == 0 {
		list[0], s.boxes[p.box] = nil, list[1:] // no copy: this is how the oldest goes
	}
	if i > 0 {
		s.boxes[p.box] = slices.Delete(list, i, i+1)
	}
	delete(s.places, p.id)
}

// clear takes all records of a box off the shelf.
func (s *shelf[R]) clear(in box) {
	for _, p := range s.boxes[in] {
		delete(s.places, p.id)
	}
	delete(s.boxes, in)
}

// list returns a part of what is wanted of all boxes, the newest first, and how
// much is wanted.
func (s *shelf[R]) list(inBox func(box) bool, wanted func(*R) bool, p leyden.Slice) ([]R, int) {
	var found []*place[R]
	for in, places := range s.boxes {
		if !inBox(in) {
			continue
		}
		for _, p := range places {
			if wanted(&p.record) {
				found = append(found, p)
			}
		}
	}
	slices.SortFunc(found, func(a, b *place[R]) int { return b.compare(a) })
	n := len(found)
	found = s.behind(found, p.After)
	records := make([]R, len(found))
	for i, p := range found {
		records[i] = p.record
	}
	return part(records, p), n
}

// behind returns what comes after a place: it is that of the record whose id is its
// Name; of one that is gone only the time is known.
func (s *shelf[R]) behind(found []*place[R], after *leyden.Cursor) []*place[R] {
	if after == nil {
		return found
	}
	at := &place[R]{at: after.At, seq: after.ID}
	if known := s.places[after.Name]; known != nil {
		at.seq = known.seq
	}
	return slices.DeleteFunc(found, func(p *place[R]) bool { return p.compare(at) >= 0 })
}
