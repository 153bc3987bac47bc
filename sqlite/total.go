package sqlite

import (
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"
)

// A counter counts what a list has, from tallies where it can and otherwise one
// by one.
type counter struct {
	c    *sqlite.Conn
	l    *classed
	n    int64
	left int64 // how many more may be counted one by one; below 0: there were more
}

// group adds what a group has.
func (t *counter) group(g *classGroup) error {
	if t.left < 0 || len(g.parts) == 0 {
		return nil
	}
	if ofOthers(t.l.q) {
		return t.walk(g, 0, g.want[0])
	}
	if i := slices.Index(g.want[:], justUnknown()); i >= 0 {
		return t.walk(g, i, justUnknown())
	}
	switch filtered := g.want.filtered(); {
	case filtered == 0:
		t.n += g.sum().n
		return nil
	case filtered == 1:
		n, err := t.between(g, g.by, g.want[g.by])
		t.n += n
		return err
	case g.level == irregular:
		return t.walk(g, g.by, g.bounds[g.by])
	}
	return t.regular(g, g.by)
}

// regular adds what a group has whose times are filtered by more than one: most
// of it lies so far within that one time tells all, and is tallied; the rest is
// looked at.
func (t *counter) regular(g *classGroup, by int) error {
	core := g.bounds[by]
	for i, want := range g.want {
		if i != by && !want.open() {
			core = core.and(want.narrower(reach(g.level, by, i)))
		}
	}
	if core.low>>narrow >= core.high>>narrow {
		return t.walk(g, by, g.bounds[by]) // too narrow for tallies
	}
	n, err := t.between(g, by, core)
	if err != nil {
		return err
	}
	t.n += n
	for i, want := range g.want {
		if n == 0 || i == by || want.open() || !want.known() {
			continue
		}
		missing, err := t.missing(g, by, core, i)
		if err != nil {
			return err
		}
		t.n -= missing
	}
	if t.n > t.l.few.exact && t.l.q.Overlaps.IsZero() {
		t.left = -1 // of several filters no more need be counted
		return nil
	}
	for _, edge := range g.bounds[by].less(core) {
		if err := t.walk(g, by, edge); err != nil {
			return err
		}
	}
	return nil
}

// missing returns how many lie within a span of one time, and have no other time:
// no time before that one either, so that none is taken away twice.
func (t *counter) missing(g *classGroup, by int, core span, without int) (int64, error) {
	s := t.selection(g, without)
	s.in(timeColumn(without), justUnknown())
	s.in(timeColumn(by), core)
	for i := range without {
		if i != by && g.want[i].known() {
			s.in(timeColumn(i), span{anything().low, unknown - 1})
		}
	}
	return t.count(s, ``)
}

// between returns how many of a group have the time by which it is estimated in a
// span: from tallies, but for the buckets at its edges.
func (t *counter) between(g *classGroup, by int, in span) (int64, error) {
	inner := span{in.low>>narrow + 1, in.high>>narrow - 1}
	if inner.empty() || g.sum().n <= t.l.few.rows {
		return t.countIn(g, by, in)
	}
	sum := g.estimated()
	for _, edge := range g.bounds[by].buckets().less(inner) {
		tallied, err := g.tally(t.c, by, edge)
		if err != nil {
			return 0, err
		}
		for _, of := range tallied {
			sum -= of.n
		}
		n, err := t.countEdge(g, by, edge, in, tallied)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// countEdge counts what lies within a span and in one of its first or last buckets,
// of the classes that have anything there.
func (t *counter) countEdge(g *classGroup, by int, buckets, in span, tallied map[class]gain) (int64, error) {
	in = in.and(span{buckets.low << narrow, (buckets.high+1)<<narrow - 1})
	if in.empty() || len(tallied) == 0 {
		return 0, nil
	}
	some := &classGroup{parts: slices.DeleteFunc(slices.Clone(g.parts), func(p classPart) bool { return tallied[p.class].n == 0 })}
	return t.countIn(some, by, in)
}

func (t *counter) countIn(g *classGroup, by int, in span) (int64, error) {
	s := t.selection(g, by)
	s.in(timeColumn(by), in)
	return t.count(s, ``)
}

// walk counts, one by one, what a group has within a span of a time.
func (t *counter) walk(g *classGroup, by int, in span) error {
	want := g.want
	want[by] = want[by].and(in)
	if t.left < 0 || want[by].empty() {
		return nil
	}
	s := t.selection(g, by)
	s.times(want)
	s.otherConnector(t.l.q)
	n, err := t.count(s, fmt.Sprintf(` LIMIT %d`, t.l.few.exact+1))
	t.n, t.left = t.n+n, t.left-n
	return err
}

// selection returns what the index of a time has of a group.
func (t *counter) selection(g *classGroup, by int) *selection {
	s := &selection{hint: `INDEXED BY ` + timeIndex(by)}
	s.of(g.classes())
	return s
}

func (t *counter) count(s *selection, limit string) (n int64, err error) {
	sql := `SELECT count(*) ` + s.from()
	if limit != `` {
		sql = `SELECT count(*) FROM (SELECT 1 ` + s.from() + limit + `)`
	}
	err = each(t.c, sql, s.bind, func(r *row) error {
		n = r.int()
		return nil
	})
	return n, err
}
