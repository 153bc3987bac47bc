package sqlite

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A merge makes one list of streams that have the same order.
type merge struct {
	c       *sqlite.Conn
	q       *leyden.Query
	few     sizes
	limit   int64
	streams []*stream
	later   []*stream // what comes after all of streams: unknown times are the newest
	gone    *place    // up to where all is taken or skipped
}

// A stream is what classes have behind a place, in order. It is read in parts.
type stream struct {
	m       *merge
	group   *classGroup
	classes []class // of the group; several only if they are sorted
	want    times
	along   span    // of what is sorted by
	sorted  int     // which time finds it all to be sorted; -1: it is read in order
	weight  float64 // which part it has of all, roughly

	at, end place   // behind which it goes on, and where it ends
	buffer  []place // what comes next
	whole   bool    // nothing comes after the buffer
}

// readAtOnce is how much of a stream is read at once: a few numbers, for each makes
// a statement of its own, which stays prepared.
var readAtOnce = [...]int64{8, 32, 128, 1024}

// take returns the numbers of the page.
func (m *merge) take() (ids []int64, err error) {
	for int64(len(ids)) < m.limit {
		s, err := m.first(m.limit - int64(len(ids)))
		if err != nil {
			return nil, err
		}
		if s == nil && m.turn() {
			continue
		}
		if s == nil {
			return ids, nil
		}
		ids = append(ids, s.buffer[0].id)
		s.pop()
	}
	return ids, nil
}

// turn goes on to what comes later, if there is anything.
func (m *merge) turn() bool {
	m.streams, m.later = m.later, nil
	return len(m.streams) > 0
}

// first returns the stream whose next is the first of all, nil at the end. It
// reads as much as a page of n is likely to need.
func (m *merge) first(n int64) (first *stream, err error) {
	var sum float64
	for _, s := range m.streams {
		sum += s.weight
	}
	for _, s := range m.streams {
		if len(s.buffer) == 0 && !s.whole {
			if err := s.read(int64(float64(n)*s.weight/max(sum, 1)) + 1); err != nil {
				return nil, err
			}
		}
		if len(s.buffer) > 0 && (first == nil || s.buffer[0].before(first.buffer[0], m.q.Ascending)) {
			first = s
		}
	}
	m.streams = slices.DeleteFunc(m.streams, func(s *stream) bool { return s.whole && len(s.buffer) == 0 })
	return first, nil
}

// pop goes on by one of the buffer.
func (s *stream) pop() {
	s.at, s.buffer = s.buffer[0], s.buffer[1:]
	s.m.gone = new(s.at)
}

// skip goes on by n: to the begin of a bucket, then, as long as n is many, by as
// much of the heaviest stream as it has of all, and by what the others have before
// that place.
func (m *merge) skip(n int64) error {
	for n > 0 && len(m.streams)+len(m.later) > 0 {
		left, err := m.stride(n)
		if err == nil {
			left, err = m.skipStreams(left)
		}
		if err != nil {
			return err
		}
		if n = left; len(m.streams) == 0 {
			m.turn()
		}
	}
	return nil
}

// skipStreams goes on by n, and returns how many are left to skip when all are at
// their end.
func (m *merge) skipStreams(n int64) (int64, error) {
	for n > m.few.skipped && len(m.streams) > 0 {
		skipped, err := m.leap(n)
		if err != nil {
			return 0, err
		}
		n -= skipped
	}
	for n > 0 && len(m.streams) > 0 {
		s, err := m.first(n + m.limit)
		if err != nil {
			return 0, err
		}
		if s != nil {
			s.pop()
			n--
		}
	}
	return n, nil
}

// leap goes on by at most n, and by 1 at least unless all is at its end: by what
// the heaviest stream is likely to have of n, and by what the others have up to
// there; where that fails, by some of the stream that comes first.
func (m *merge) leap(n int64) (int64, error) {
	heavy := slices.MinFunc(m.streams, compareStreams)
	step := n
	switch {
	case len(m.streams) == 1:
	case m.gone == nil:
		step = 1 // the others may have much before the heaviest begins
	default:
		var sum float64
		for _, s := range m.streams {
			sum += s.weight
		}
		step = min(n, max(1, int64(0.9*float64(n)*heavy.weight/max(sum, 1))))
	}
	skipped, err := m.leapWith(heavy, step, n)
	if err != nil || skipped > 0 {
		return skipped, err
	}
	first, err := m.first(m.few.skipped)
	if err != nil || first == nil {
		return 0, err
	}
	for step := n / 2; step > 1; step /= 4 {
		if skipped, err := m.leapWith(first, step, n); err != nil || skipped > 0 {
			return skipped, err
		}
	}
	// Its buffer may be gone, to look farther.
	if first, err = m.first(m.few.skipped); err != nil || first == nil {
		return 0, err
	}
	first.pop()
	return 1, nil
}

// compareStreams puts the heaviest first.
func compareStreams(a, b *stream) int { return cmp.Compare(b.weight, a.weight) }

// leapWith goes on by a step of one stream and what the others have up to there, if
// there is so much, and it is no more than n; otherwise by 0.
func (m *merge) leapWith(s *stream, step, n int64) (int64, error) {
	to, ok, err := s.peek(step)
	if err != nil || !ok {
		s.weight /= 2
		return 0, err
	}
	passed, err := m.passed(s, to, n-step)
	if err != nil || step+passed > n {
		return 0, err
	}
	for _, other := range m.streams {
		other.leapTo(to)
	}
	m.gone = &to
	return step + passed, nil
}

// passed returns how many all streams but one have up to a place; more than limit
// when there are more.
func (m *merge) passed(but *stream, to place, limit int64) (sum int64, err error) {
	alike := make(map[likeness][]*stream)
	for _, s := range m.streams {
		if s == but {
			continue
		}
		if s.sorted >= 0 && !s.whole {
			if err := s.readAll(); err != nil {
				return 0, err
			}
		}
		if last := s.last(); s.whole || to.before(last, m.q.Ascending) {
			sum += s.buffered(to)
			continue
		}
		key := likeness{s.group, s.along == justUnknown()}
		alike[key] = append(alike[key], s)
	}
	for _, streams := range alike {
		if sum > limit {
			break
		}
		n, err := m.countTo(streams, to, limit+1-sum)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// A likeness is what streams have alike whose rows one statement can count.
type likeness struct {
	group   *classGroup
	unknown bool // of an unknown time
}

// leapTo leaves out what comes up to a place.
func (s *stream) leapTo(to place) {
	for len(s.buffer) > 0 && !to.before(s.buffer[0], s.m.q.Ascending) {
		s.pop()
	}
	if s.at.before(to, s.m.q.Ascending) {
		s.at = to
	}
}

// peek returns the place of the n-th that comes, if there are so many.
func (s *stream) peek(n int64) (at place, ok bool, err error) {
	if s.sorted >= 0 && !s.whole {
		if err := s.read(0); err != nil {
			return at, false, err
		}
	}
	if n <= int64(len(s.buffer)) {
		return s.buffer[n-1], true, nil
	}
	if s.whole {
		return at, false, nil
	}
	s.buffer = nil // it is behind at, and will be read again
	sel := s.selection()
	err = each(s.m.c, s.sql(sel, `LIMIT 1 OFFSET ?`), func(b *binder) {
		sel.bind(b)
		b.int(n - 1)
	}, func(r *row) error {
		at, ok = place{r.int(), r.int()}, true
		return nil
	})
	return at, ok, err
}

// buffered returns how many of the buffer come up to a place.
func (s *stream) buffered(to place) (n int64) {
	for _, at := range s.buffer {
		if to.before(at, s.m.q.Ascending) {
			break
		}
		n++
	}
	return n
}

// countTo returns how many come up to a place in streams that are alike, at most
// limit.
func (m *merge) countTo(streams []*stream, to place, limit int64) (n int64, err error) {
	sel := m.upTo(streams, to)
	err = each(m.c, `SELECT count(*) FROM (SELECT 1 `+sel.from()+` LIMIT (? + 0))`, func(b *binder) {
		sel.bind(b)
		b.int(limit)
	}, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}

// upTo returns what comes up to a place in streams that are alike.
func (m *merge) upTo(streams []*stream, to place) *selection {
	all := *streams[0]
	all.classes, all.buffer = nil, nil
	for _, s := range streams {
		all.classes = append(all.classes, s.classes...)
		if s.at.before(all.at, m.q.Ascending) {
			all.at = s.at
		}
		if all.end.before(s.end, m.q.Ascending) {
			all.end = s.end
		}
	}
	if m.gone != nil && all.at.before(*m.gone, m.q.Ascending) {
		all.at = *m.gone
	}
	if all.end.before(to, m.q.Ascending) {
		to = all.end
	}
	return all.selectionFrom(all.at, to)
}

// last returns the place behind which nothing is in the buffer yet.
func (s *stream) last() place {
	if len(s.buffer) > 0 {
		return s.buffer[len(s.buffer)-1]
	}
	return s.at
}

// read reads the next n or so; what is to be sorted it reads whole.
func (s *stream) read(n int64) error {
	if s.sorted >= 0 {
		return s.readAll()
	}
	size := readAtOnce[len(readAtOnce)-1]
	for _, some := range readAtOnce {
		if n <= some {
			size = some
			break
		}
	}
	sel := s.selection()
	err := s.fetch(s.sql(sel, fmt.Sprintf(`LIMIT %d`, size)), sel)
	s.whole = int64(len(s.buffer)) < size
	return err
}

// all returns all that a stream has that is to be sorted.
func (s *stream) all() *selection {
	sel := &selection{hint: `INDEXED BY ` + timeIndex(s.sorted)}
	want := s.want
	if s.m.q.Order != leyden.ByID {
		t := s.m.q.Order - leyden.ByStart
		want[t] = want[t].and(s.along)
	}
	s.restrict(sel, want)
	return sel
}

func (s *stream) readAll() error {
	sel := s.all()
	err := s.fetch(`SELECT `+placeColumns(s.m.q.Order)+` `+sel.from(), sel)
	sortPlaces(s.buffer, s.m.q.Ascending)
	first := slices.IndexFunc(s.buffer, func(p place) bool { return s.at.before(p, s.m.q.Ascending) })
	if first < 0 {
		first = len(s.buffer)
	}
	s.buffer, s.whole = s.buffer[first:], true
	return err
}

func (s *stream) fetch(sql string, sel *selection) error {
	s.buffer = nil
	return each(s.m.c, sql, sel.bind, func(r *row) error {
		s.buffer = append(s.buffer, place{r.int(), r.int()})
		return nil
	})
}

func (s *stream) sql(sel *selection, limit string) string {
	return `SELECT ` + placeColumns(s.m.q.Order) + ` ` + sel.from() + ` ORDER BY ` + orderTerm(s.m.q) + ` ` + limit
}

// restrict restricts sel to what the stream has, wherever it goes on.
func (s *stream) restrict(sel *selection, want times) {
	sel.of(s.classes)
	sel.times(want)
	sel.otherConnector(s.m.q)
}

// selection returns what comes after the stream's place.
func (s *stream) selection() *selection { return s.selectionFrom(s.last(), s.end) }

// selectionFrom returns what comes after a place, up to and with another.
func (s *stream) selectionFrom(from, to place) *selection {
	sel := &selection{hint: `INDEXED BY ` + orderIndex(s.m.q.Order)}
	want := s.want
	if s.m.q.Order != leyden.ByID {
		want[s.m.q.Order-leyden.ByStart] = anything() // along says it, and SQLite shall look there
	}
	s.restrict(sel, want)
	than, upTo := ` < `, ` >= `
	if s.m.q.Ascending {
		than, upTo = ` > `, ` <= `
	}
	column := orderColumn(s.m.q.Order)
	if s.along == justUnknown() {
		sel.in(column, s.along) // what is left of the order is the number
	}
	if s.along == justUnknown() || s.m.q.Order == leyden.ByID {
		sel.add(`id`+than+`?`, integer(from.id))
		sel.add(`id`+upTo+`?`, integer(to.id))
		return sel
	}
	sel.behind(s.m.q, from)
	if to.id == math.MinInt64 || to.id == math.MaxInt64 {
		sel.add(column+upTo+`?`, integer(to.at))
		return sel
	}
	sel.add(`(`+column+`, id)`+upTo+`(?, ?)`, integer(to.at), integer(to.id))
	return sel
}

// orderIndex returns the index that has a class in an order.
func orderIndex(o leyden.Order) string {
	return map[leyden.Order]string{
		leyden.ByID: `transactions_in_order`, leyden.ByStart: `transactions_by_start`,
		leyden.ByStop: `transactions_by_stop`, leyden.ByInserted: `transactions_by_insertion`,
	}[o]
}

// timeIndex returns the index that has a class by a time.
func timeIndex(i int) string { return orderIndex(leyden.ByStart + leyden.Order(i)) }
