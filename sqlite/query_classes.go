package sqlite

import (
	"cmp"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A classed list is read class by class: each has what it selects in the order of
// an index, and a merge makes one list of them.
type classed struct {
	q       *leyden.Query
	few     sizes
	parts   []classPart
	tallied map[tallyKey]gain
}

// A classPart is what a list has of one class.
type classPart struct {
	class class
	all   gain // of the class, whatever the list filters by
	want  times
	// bounds are where the times lie that are known.
	bounds times
	// estimates are how many the class has within the bounds of each time that is
	// filtered by, at least.
	estimates [3]gain
}

type tallyKey struct {
	class class
	time  int
	in    span
}

func planClasses(c *sqlite.Conn, q *leyden.Query, few sizes) (list, error) {
	const classes = `SELECT class, n, low, high FROM tallies WHERE axis = 0 AND n > 0`
	l := &classed{q: q, few: few, tallied: make(map[tallyKey]gain)}
	alts := timesOf(q)
	err := each(c, classes, nil, func(r *row) error {
		part := classPart{class: class(r.int()), all: gain{r.int(), r.int(), r.int()}}
		if !inClass(q, part.class) {
			return nil
		}
		for _, want := range alts {
			part.want, part.bounds = want, want.bounded(part.class.level())
			l.parts = append(l.parts, part)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range l.parts {
		if err := l.estimate(c, &l.parts[i]); err != nil {
			return nil, err
		}
	}
	l.parts = slices.DeleteFunc(l.parts, func(p classPart) bool { return p.most() == 0 })
	return l, nil
}

// estimate fills in how many a part can have.
func (l *classed) estimate(c *sqlite.Conn, p *classPart) error {
	for i, want := range p.want {
		if !want.known() {
			continue
		}
		if p.all.n <= l.few.rows {
			p.estimates[i] = p.all
			continue
		}
		g, err := l.tally(c, p.class, i, p.bounds[i])
		if err != nil {
			return err
		}
		p.estimates[i] = g
	}
	return nil
}

// most returns how many the part has at most.
func (p *classPart) most() int64 {
	n := p.all.n
	for i, want := range p.want {
		if want.known() {
			n = min(n, p.estimates[i].n)
		}
	}
	return n
}

// numbersIn returns between which numbers the part lies.
func (p *classPart) numbersIn() span {
	s := span{p.all.low, p.all.high}
	for i, want := range p.want {
		if want.known() {
			s = s.and(span{p.estimates[i].low, p.estimates[i].high})
		}
	}
	return s
}

// tally returns how many of a class have a time within whole buckets that cover
// a span, and between which numbers they lie.
func (l *classed) tally(c *sqlite.Conn, of class, time int, in span) (gain, error) {
	key := tallyKey{of, time, span{in.low >> narrow, in.high >> narrow}}
	if in.empty() {
		return gain{}, nil
	}
	if g, ok := l.tallied[key]; ok {
		return g, nil
	}
	g, err := tallyBuckets(c, of, time, key.in)
	l.tallied[key] = g
	return g, err
}

// tallyBuckets sums narrow buckets, from wide ones where they lie whole within.
func tallyBuckets(c *sqlite.Conn, of class, time int, in span) (sum gain, err error) {
	const query = `
SELECT ifnull(sum(n), 0), ifnull(min(low), 0), ifnull(max(high), 0) FROM tallies
WHERE axis = ?1 AND class = ?2 AND bucket BETWEEN ?3 AND ?4 AND n > 0`
	const bits = wide - narrow
	whole := span{(in.low + 1<<bits - 1) >> bits, (in.high+1)>>bits - 1}
	type part struct {
		axis int64
		in   span
	}
	parts := []part{{axisOf(time), in}}
	if !whole.empty() {
		parts = []part{
			{axisOf(time) + 1, whole},
			{axisOf(time), span{in.low, whole.low<<bits - 1}},
			{axisOf(time), span{(whole.high + 1) << bits, in.high}},
		}
	}
	for _, p := range parts {
		if p.in.empty() {
			continue
		}
		err = each(c, query, func(b *binder) {
			b.int(p.axis)
			b.int(int64(of))
			b.int(p.in.low)
			b.int(p.in.high)
		}, func(r *row) error {
			sum = sum.and(gain{r.int(), r.int(), r.int()})
			return nil
		})
		if err != nil {
			return gain{}, err
		}
	}
	return sum, nil
}

// and adds what two sets have that have nothing in common.
func (g gain) and(o gain) gain {
	switch {
	case g.n == 0:
		return o
	case o.n == 0:
		return g
	}
	return gain{g.n + o.n, min(g.low, o.low), max(g.high, o.high)}
}

// numbers implements [list].
func (l *classed) numbers(c *sqlite.Conn) ([]int64, error) {
	m := &merge{c: c, q: l.q, few: l.few, limit: limitOf(l.q)}
	for i := range l.parts {
		m.add(&l.parts[i])
	}
	if err := m.skip(int64(max(l.q.Offset, 0))); err != nil {
		return nil, err
	}
	return m.take()
}

// add adds the streams of a part: what is few is sorted, anything else is read
// in order.
func (m *merge) add(p *classPart) {
	fewest, n := -1, m.few.rows
	for i, want := range p.want {
		switch {
		case want == justUnknown():
			fewest, n = i, 0
		case want.known() && p.estimates[i].n < n:
			fewest, n = i, p.estimates[i].n
		}
	}
	s := stream{m: m, class: p.class, want: p.want, weight: float64(p.most()), sorted: -1}
	if fewest >= 0 && p.want[fewest].known() {
		s.want[fewest] = p.bounds[fewest]
	}
	if m.q.Order == leyden.ByID {
		s.along, s.sorted = p.numbersIn(), fewest
		m.begin(s)
		return
	}
	t := int(m.q.Order) - int(leyden.ByStart)
	if fewest >= 0 && fewest != t {
		s.sorted = fewest
	}
	s.along = p.bounds[t]
	m.begin(s)
	if p.want[t].high == unknown {
		s.along = justUnknown()
		m.begin(s)
	}
}

// begin adds a stream, at the place where the page begins.
func (m *merge) begin(s stream) {
	low, high := place{s.along.low, math.MinInt64}, place{s.along.high, math.MaxInt64}
	if m.q.Order == leyden.ByID {
		low, high = place{0, max(s.along.low, math.MinInt64+1) - 1}, place{0, min(s.along.high, math.MaxInt64-1) + 1}
	}
	from, end := low, high
	if !m.q.Ascending {
		from, end = high, low
	}
	s.at, s.end = from, end
	if begin := beginOf(m.q); m.q.After != nil && s.at.before(begin, m.q.Ascending) {
		s.at = begin
	}
	if s.along.empty() || !s.at.before(s.end, m.q.Ascending) {
		return
	}
	if late := s.along == justUnknown(); late == m.q.Ascending {
		m.later = append(m.later, &s)
		return
	}
	m.streams = append(m.streams, &s)
}

// total implements [list].
func (l *classed) total(c *sqlite.Conn) (n int64, least bool, err error) {
	count := counter{c: c, l: l, left: l.few.exact}
	for i := range l.parts {
		if err := count.part(&l.parts[i]); err != nil {
			return 0, false, err
		}
	}
	return count.n, count.left < 0, nil
}

// compareStreams puts the heaviest first.
func compareStreams(a, b *stream) int { return cmp.Compare(b.weight, a.weight) }

// otherConnector restricts s where a class stands for several connectors.
func (s *selection) otherConnector(q *leyden.Query, of class) {
	if q.Connector != 0 && of.connector() == otherConnectors {
		s.add(`connector = ?`, integer(int64(q.Connector)))
	}
}
