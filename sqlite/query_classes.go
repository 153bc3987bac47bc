package sqlite

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// A classed list is read class by class: each has what it selects in the order of
// an index, and a merge makes one list of them.
type classed struct {
	q       *leyden.Query
	few     sizes
	groups  []*classGroup
	counted []*classGroup // the same transactions, in as few groups as counting needs
}

// A classGroup is what a list has of the classes of one level, for one alternative
// of its times, or of all levels. What is asked of all of them takes one statement.
type classGroup struct {
	level int
	want  times
	// bounds are where the times lie that are known.
	bounds times
	by     int // the time that tells best how many each has; -1: none does
	parts  []classPart
}

// A classPart is what a list has of one class.
type classPart struct {
	class class
	all   gain // of the class, whatever the list filters by
	most  gain // of it, within the bounds of the time that tells best
}

func planClasses(c *sqlite.Conn, q *leyden.Query, few sizes) (list, error) {
	return planTimes(c, q, few, timesOf(q))
}

// planTimes plans a list of what q selects otherwise, with times that are one of
// alternatives.
func planTimes(c *sqlite.Conn, q *leyden.Query, few sizes, alts []times) (*classed, error) {
	const classes = `SELECT class, n, low, high FROM tallies WHERE axis = 0 AND n > 0`
	var parts []classPart
	err := each(c, classes, nil, func(r *row) error {
		part := classPart{class: class(r.int()), all: gain{r.int(), r.int(), r.int()}}
		part.most = part.all
		if inClass(q, part.class) {
			parts = append(parts, part)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	l := &classed{q: q, few: few}
	for _, want := range alts {
		if err := l.add(c, want, parts); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// add adds an alternative. Where it filters by one time at most, all levels are
// estimated and counted at once: what they differ in is how far off other times
// are. Of what has an unknown time all is read at once as well.
func (l *classed) add(c *sqlite.Conn, want times, parts []classPart) error {
	whole := &classGroup{level: irregular, want: want, bounds: want.bounded(irregular), parts: slices.Clone(parts)}
	ofUnknown := slices.Contains(want[:], justUnknown())
	once := ofUnknown || want.filtered() <= 1
	if once {
		if err := whole.estimate(c, l.few); err != nil {
			return err
		}
		l.counted = append(l.counted, whole)
	}
	if ofUnknown {
		l.groups = append(l.groups, whole)
		return nil
	}
	for level := range irregular + 1 {
		g := &classGroup{level: level, want: want, bounds: want.bounded(level), by: whole.by, parts: whole.ofLevel(level)}
		if !once {
			if err := g.estimate(c, l.few); err != nil {
				return err
			}
			l.counted = append(l.counted, g)
		}
		if len(g.parts) > 0 {
			l.groups = append(l.groups, g)
		}
	}
	return nil
}

// ofLevel returns the classes of a level.
func (g *classGroup) ofLevel(level int) (parts []classPart) {
	for _, p := range g.parts {
		if p.class.level() == level {
			parts = append(parts, p)
		}
	}
	return parts
}

// estimate fills in how many each class can have, and leaves out those that have
// none.
func (g *classGroup) estimate(c *sqlite.Conn, few sizes) error {
	g.by = g.narrowest()
	if g.by < 0 || len(g.parts) == 0 || g.sum().n <= few.rows {
		return nil
	}
	tallied, err := g.tally(c, g.by, g.bounds[g.by].buckets())
	if err != nil {
		return err
	}
	for k := range g.parts {
		g.parts[k].most = tallied[g.parts[k].class]
	}
	g.parts = slices.DeleteFunc(g.parts, func(p classPart) bool { return p.most.n == 0 })
	return nil
}

// narrowest returns the time with the narrowest bounds of those that are filtered
// by; -1 if there is none, or one must be unknown: that is few enough to be read.
func (g *classGroup) narrowest() int {
	by := -1
	for i, want := range g.want {
		if want == justUnknown() {
			return -1
		}
		if want.known() && (by < 0 || g.bounds[i].width() < g.bounds[by].width()) {
			by = i
		}
	}
	return by
}

// buckets returns the narrow buckets that cover s.
func (s span) buckets() span { return span{s.low >> narrow, s.high >> narrow} }

// sum returns what all classes have, whatever the list filters by.
func (g *classGroup) sum() (sum gain) {
	for i := range g.parts {
		sum = sum.and(g.parts[i].all)
	}
	return sum
}

// estimated returns how many all classes have at most.
func (g *classGroup) estimated() (n int64) {
	for i := range g.parts {
		n += g.parts[i].most.n
	}
	return n
}

// classes returns the classes of the group.
func (g *classGroup) classes() []class {
	all := make([]class, len(g.parts))
	for i := range all {
		all[i] = g.parts[i].class
	}
	return all
}

// of restricts s to classes.
func (s *selection) of(classes []class) {
	if len(classes) == 1 {
		s.add(`class = ?`, integer(int64(classes[0])))
		return
	}
	s.add(`class IN (SELECT value FROM json_each(?))`, classList(classes))
}

// classList binds classes as JSON.
func classList(classes []class) func(*binder) {
	list := []byte{'['}
	for i, c := range classes {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(c), 10)
	}
	return text(string(append(list, ']')))
}

// A bucketSpan is a span of buckets on an axis.
type bucketSpan struct {
	axis int64
	in   span
}

// covering returns the buckets that cover a span of narrow ones of a time, as wide
// as they can be.
func covering(time int, in span) (buckets []bucketSpan) {
	rest := []span{in}
	for _, g := range slices.Backward(grains[:]) {
		var left []span
		bits := g.bits - narrow
		for _, s := range rest {
			whole := span{(s.low + 1<<bits - 1) >> bits, (s.high+1)>>bits - 1}
			if !whole.empty() {
				buckets = append(buckets, bucketSpan{g.of(time), whole})
			}
			left = append(left, s.less(span{whole.low << bits, (whole.high+1)<<bits - 1})...)
		}
		rest = left
	}
	return buckets
}

// tally returns how many of each class have a time within narrow buckets, and
// between which numbers they lie.
func (g *classGroup) tally(c *sqlite.Conn, time int, in span) (map[class]gain, error) {
	sums := make(map[class]gain, len(g.parts))
	if in.empty() {
		return sums, nil
	}
	for i := range g.parts {
		sums[g.parts[i].class] = gain{}
	}
	for _, p := range covering(time, in) {
		if err := p.add(c, sums); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(sums, func(_ class, sum gain) bool { return sum.n == 0 })
	return sums, nil
}

// inBuckets is what is in buckets of an axis.
const inBuckets = `SELECT bucket, class, n, low, high FROM tallies WHERE axis = ?1 AND bucket BETWEEN ?2 AND ?3 AND n > 0`

// add adds what the buckets have of the classes that there are sums of.
func (p *bucketSpan) add(c *sqlite.Conn, sums map[class]gain) error {
	return p.each(c, func(_ int64, of class, r *row) {
		if sum, ok := sums[of]; ok {
			sums[of] = sum.and(gain{r.int(), r.int(), r.int()})
		}
	})
}

// each goes through the buckets. Behind bucket and class the row has a gain.
func (p *bucketSpan) each(c *sqlite.Conn, f func(bucket int64, of class, r *row)) error {
	return each(c, inBuckets, func(b *binder) {
		b.int(p.axis)
		b.int(p.in.low)
		b.int(p.in.high)
	}, func(r *row) error {
		f(r.int(), class(r.int()), r)
		return nil
	})
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
	for _, g := range l.groups {
		m.add(g)
	}
	if err := m.skip(int64(max(l.q.Offset, 0))); err != nil {
		return nil, err
	}
	return m.take()
}

// add adds the streams of a group: of what is few one that is sorted, of each other
// class one that is read in order.
func (m *merge) add(g *classGroup) {
	var sorted []*classPart
	by := m.sortBy(g)
	for i := range g.parts {
		p := &g.parts[i]
		if m.sorts(g, p) {
			sorted = append(sorted, p)
			continue
		}
		m.addStream(g, -1, p)
	}
	if len(sorted) > 0 {
		m.addStream(g, by, sorted...)
	}
}

// sortBy returns the time by whose index all is found that a group has to sort.
func (m *merge) sortBy(g *classGroup) int {
	if i := slices.Index(g.want[:], justUnknown()); i >= 0 {
		return i
	}
	if g.by >= 0 {
		return g.by
	}
	return m.orderTime()
}

// orderTime returns the time that is sorted by, or any for the order of numbers.
func (m *merge) orderTime() int { return max(timeStarted, int(m.q.Order)-int(leyden.ByStart)) }

// sorts reports whether what a class has is sorted: that of which a time is
// unknown, and few whose times and numbers may lie so far apart that much else
// comes between them in order.
func (m *merge) sorts(g *classGroup, p *classPart) bool {
	switch {
	case p.most.n <= m.few.skipped || slices.Contains(g.want[:], justUnknown()):
		return true
	case g.by < 0 || g.by == m.orderTime() && m.q.Order != leyden.ByID:
		return false
	}
	return g.level >= farApart && p.most.n <= m.few.rows
}

// addStream adds what classes of a group have, with what they have of unknown times.
func (m *merge) addStream(g *classGroup, sorted int, parts ...*classPart) {
	s := stream{m: m, group: g, want: g.want, sorted: sorted}
	var most gain
	for _, p := range parts {
		s.classes, most = append(s.classes, p.class), most.and(p.most)
	}
	s.weight = float64(most.n)
	switch {
	case sorted < 0:
	case g.want[sorted].known():
		s.want[sorted] = g.bounds[sorted]
	case g.want[sorted] == justUnknown():
		s.weight = 1 // of all that the classes have it is next to nothing
	}
	if m.q.Order == leyden.ByID {
		s.along = span{most.low, most.high}
		m.begin(s)
		return
	}
	t := m.orderTime()
	s.along = g.bounds[t]
	m.begin(s)
	if g.want[t].high == unknown {
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
	// By number nothing is later.
	if late := s.along == justUnknown(); late == m.q.Ascending && m.q.Order != leyden.ByID {
		m.later = append(m.later, &s)
		return
	}
	m.streams = append(m.streams, &s)
}

// total implements [list].
func (l *classed) total(c *sqlite.Conn) (n int64, least bool, err error) {
	count := counter{c: c, l: l, left: l.few.exact}
	for _, g := range l.counted {
		if err := count.group(g); err != nil {
			return 0, false, err
		}
	}
	return count.n, count.left < 0, nil
}

// ofOthers reports whether q wants a connector for which there is no class of its
// own: then it selects of others only.
func ofOthers(q *leyden.Query) bool { return q.Connector < 0 || q.Connector >= otherConnectors }

// otherConnector restricts s where a class stands for several connectors.
func (s *selection) otherConnector(q *leyden.Query) {
	if ofOthers(q) {
		s.add(`connector = ?`, integer(int64(q.Connector)))
	}
}
