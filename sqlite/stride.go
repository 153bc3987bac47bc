package sqlite

import (
	"maps"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// stride goes on by as many of n as lie before the begin of a narrow bucket, and
// returns how many are left to skip: tallies say where that is, and how many come
// before it is a total as any other.
func (m *merge) stride(n int64) (int64, error) {
	if n <= m.few.rows || m.q.Order == leyden.ByID || m.q.After != nil || ofOthers(m.q) {
		return n, nil
	}
	for _, s := range m.streams {
		if s.along == justUnknown() {
			return n, nil // by number
		}
	}
	bucket, ok, err := m.bucketOf(n)
	if err != nil || !ok {
		return n, err
	}
	in := span{bucket << narrow, (bucket+1)<<narrow - 1}
	to, before := place{in.low, math.MinInt64}, span{math.MinInt64, in.low - 1}
	if !m.q.Ascending {
		to, before = place{in.high, math.MaxInt64}, span{in.high + 1, unknown - 1}
	}
	passed, ok, err := m.totalIn(before)
	if err != nil || !ok || passed > n {
		return n, err
	}
	for _, s := range m.streams {
		s.leapTo(to)
	}
	m.gone = &to
	return n - passed, nil
}

// totalIn returns how many there are with a time within a span, of that which is
// sorted by; it reports false if they are too many to be counted.
func (m *merge) totalIn(in span) (int64, bool, error) {
	t := m.orderTime()
	var alts []times
	for _, want := range timesOf(m.q) {
		want[t] = want[t].and(in)
		alts = append(alts, want.possible()...)
	}
	l, err := planTimes(m.c, m.q, m.few, alts)
	if err != nil {
		return 0, false, err
	}
	n, least, err := l.total(m.c)
	return n, !least, err
}

// bucketOf returns the first narrow bucket, of the time that is sorted by, up to the
// end of which more than n may lie. It reports false if there is none.
func (m *merge) bucketOf(n int64) (int64, bool, error) {
	t := m.orderTime()
	alike := make(map[span]map[class]bool)
	for _, s := range m.streams {
		in := s.group.bounds[t].buckets()
		if alike[in] == nil {
			alike[in] = make(map[class]bool)
		}
		for _, of := range s.classes {
			alike[in][of] = true
		}
	}
	cut := span{anything().buckets().low, (unknown - 1) >> narrow}
	for _, g := range slices.Backward(grains[:]) {
		sums := make(map[int64]int64)
		for in, classes := range alike {
			if err := g.sum(m.c, t, classes, in.and(cut), sums); err != nil {
				return 0, false, err
			}
		}
		bucket, ok := m.walk(sums, &n)
		if !ok {
			return 0, false, nil
		}
		bits := g.bits - narrow
		cut = span{bucket << bits, (bucket+1)<<bits - 1}
	}
	return cut.low, true, nil
}

// walk goes through buckets in order as long as they have no more than n, which it
// lessens.
func (m *merge) walk(sums map[int64]int64, n *int64) (bucket int64, ok bool) {
	all := slices.Sorted(maps.Keys(sums))
	if !m.q.Ascending {
		slices.Reverse(all)
	}
	for _, bucket := range all {
		if sums[bucket] > *n {
			return bucket, true
		}
		*n -= sums[bucket]
	}
	return 0, false
}

// sum adds what classes have in each bucket of a grain, of those that a span of
// narrow ones touches.
func (g grain) sum(c *sqlite.Conn, time int, classes map[class]bool, in span, to map[int64]int64) error {
	if in.empty() {
		return nil
	}
	bits := g.bits - narrow
	all := bucketSpan{g.of(time), span{in.low >> bits, in.high >> bits}}
	return all.each(c, func(bucket int64, of class, r *row) {
		if classes[of] {
			to[bucket] += r.int()
		}
	})
}
