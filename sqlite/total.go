package sqlite

import (
	"fmt"

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

// part adds what a class has.
func (t *counter) part(p *classPart) error {
	if t.left < 0 {
		return nil
	}
	if t.l.q.Connector != 0 && p.class.connector() == otherConnectors {
		return t.walk(p, 0, p.want[0])
	}
	filtered, by := 0, timeStarted
	for i, want := range p.want {
		if want.open() {
			continue
		}
		filtered++
		if want == justUnknown() {
			return t.walk(p, i, want)
		}
		if filtered == 1 || want.known() && p.estimates[i].n < p.estimates[by].n {
			by = i
		}
	}
	switch {
	case filtered == 0:
		t.n += p.all.n
		return nil
	case filtered == 1 && p.want[by].known():
		n, err := t.between(p, by, p.want[by])
		t.n += n
		return err
	case !p.want[by].known() || p.class.level() == irregular:
		return t.walk(p, by, p.bounds[by])
	}
	return t.regular(p, by)
}

// regular adds what a class has whose times are filtered by more than one: most
// of it lies so far within that one time tells all, and is tallied; the rest is
// looked at.
func (t *counter) regular(p *classPart, by int) error {
	core := p.bounds[by]
	for i, want := range p.want {
		if i != by && !want.open() {
			core = core.and(want.within(spread(p.class.level())))
		}
	}
	if core.low>>narrow >= core.high>>narrow {
		return t.walk(p, by, p.bounds[by]) // too narrow for tallies
	}
	n, err := t.between(p, by, core)
	if err != nil {
		return err
	}
	t.n += n
	for i, want := range p.want {
		if n == 0 || i == by || want.open() || !want.known() {
			continue
		}
		missing, err := t.missing(p, by, core, i)
		if err != nil {
			return err
		}
		t.n -= missing
	}
	for _, edge := range p.bounds[by].less(core) {
		if err := t.walk(p, by, edge); err != nil {
			return err
		}
	}
	return nil
}

// missing returns how many lie within a span of one time, and have no other time:
// no time before that one either, so that none is taken away twice.
func (t *counter) missing(p *classPart, by int, core span, without int) (int64, error) {
	s := &selection{hint: `INDEXED BY ` + timeIndex(without)}
	s.add(`class = ?`, integer(int64(p.class)))
	s.in(timeColumn(without), justUnknown())
	s.in(timeColumn(by), core)
	for i := range without {
		if i != by && p.want[i].known() {
			s.in(timeColumn(i), span{anything().low, unknown - 1})
		}
	}
	return t.count(s, ``)
}

// between returns how many of a class have a time in a span: from tallies, but for
// the buckets at its edges.
func (t *counter) between(p *classPart, by int, in span) (int64, error) {
	inner := span{in.low>>narrow + 1, in.high>>narrow - 1}
	if inner.empty() || p.all.n <= t.l.few.rows {
		return t.countIn(p, by, in)
	}
	sum, err := tallyBuckets(t.c, p.class, by, inner)
	if err != nil || p.estimates[by].n == 0 {
		return 0, err
	}
	for _, edge := range in.less(span{inner.low << narrow, (inner.high+1)<<narrow - 1}) {
		n, err := t.countIn(p, by, edge)
		if err != nil {
			return 0, err
		}
		sum.n += n
	}
	return sum.n, nil
}

func (t *counter) countIn(p *classPart, by int, in span) (int64, error) {
	s := &selection{hint: `INDEXED BY ` + timeIndex(by)}
	s.add(`class = ?`, integer(int64(p.class)))
	s.in(timeColumn(by), in)
	return t.count(s, ``)
}

// walk counts, one by one, what a part has within a span of a time.
func (t *counter) walk(p *classPart, by int, in span) error {
	if t.left < 0 || in.empty() {
		return nil
	}
	s := &selection{hint: `INDEXED BY ` + timeIndex(by)}
	s.add(`class = ?`, integer(int64(p.class)))
	want := p.want
	want[by] = want[by].and(in)
	if want[by].empty() {
		return nil
	}
	s.times(want)
	s.otherConnector(t.l.q, p.class)
	n, err := t.count(s, fmt.Sprintf(` LIMIT %d`, t.l.few.exact+1))
	t.n, t.left = t.n+n, t.left-n
	return err
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
