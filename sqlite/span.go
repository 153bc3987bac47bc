package sqlite

import (
	"math"

	"leyden"
)

// A span is what a number may be: from low up to and with high. A time may be
// unknown if its span reaches that far.
type span struct{ low, high int64 }

// anything does not restrict.
func anything() span { return span{math.MinInt64, unknown} }

// justUnknown wants a time not to be known.
func justUnknown() span { return span{unknown, unknown} }

func (s span) empty() bool { return s.low > s.high }
func (s span) open() bool  { return s == anything() }
func (s span) known() bool { return s.high < unknown }

func (s span) and(o span) span { return span{max(s.low, o.low), min(s.high, o.high)} }

// wider returns the known times that lie no further than that below and above one
// in s.
func (s span) wider(below, above int64) span {
	wider := span{math.MinInt64, unknown - 1}
	if s.low > math.MinInt64+below {
		wider.low = s.low - below
	}
	if s.high < unknown-1-above {
		wider.high = s.high + above
	}
	return wider
}

// narrower returns the known times of which all that lies no further than that
// below and above them is in s.
func (s span) narrower(below, above int64) span {
	narrower := span{s.low, min(s.high, unknown-1)}
	if s.low > math.MinInt64 {
		narrower.low = s.low + below
	}
	if s.high < unknown-1 {
		narrower.high = s.high - above
	}
	return narrower
}

// width returns how wide s is, at most so many.
func (s span) width() int64 {
	if s.low < 0 && s.high > math.MaxInt64+s.low {
		return math.MaxInt64
	}
	return s.high - s.low
}

// less returns the parts of s that are not in o, of which o is a part.
func (s span) less(o span) []span {
	if o.empty() {
		return []span{s}
	}
	var rest []span
	if s.low < o.low {
		rest = append(rest, span{s.low, o.low - 1})
	}
	if o.high < s.high {
		rest = append(rest, span{o.high + 1, s.high})
	}
	return rest
}

// spanOf returns the times of a window.
func spanOf(w leyden.Window) span {
	if w.IsZero() {
		return anything()
	}
	s := span{math.MinInt64, unknown - 1}
	if !w.From.IsZero() {
		s.low = w.From.UnixMicro()
	}
	if !w.To.IsZero() {
		s.high = w.To.UnixMicro() - 1
	}
	return s
}

// filtered returns by how many times t filters.
func (t times) filtered() (n int) {
	for _, s := range t {
		if !s.open() {
			n++
		}
	}
	return n
}

// Times are the spans of the three times that a list filters by.
type times [3]span

// timesOf returns what q wants of the times, as alternatives without anything in
// common: what overlaps a window has ended behind its begin, or not at all.
func timesOf(q *leyden.Query) []times {
	want := times{spanOf(q.Started), spanOf(q.Stopped), spanOf(q.Inserted)}
	if !q.Overlaps.To.IsZero() {
		want[timeStarted] = want[timeStarted].and(span{math.MinInt64, q.Overlaps.To.UnixMicro() - 1})
	}
	if q.Overlaps.From.IsZero() {
		return want.possible()
	}
	ended, runs := want, want
	ended[timeStopped] = want[timeStopped].and(span{q.Overlaps.From.UnixMicro() + 1, unknown - 1})
	runs[timeStopped] = want[timeStopped].and(justUnknown())
	return append(ended.possible(), runs.possible()...)
}

// possible returns t, unless nothing can be so.
func (t times) possible() []times {
	for _, s := range t {
		if s.empty() {
			return nil
		}
	}
	return []times{t}
}

// reach returns how far below and above one time another of the same transaction
// may lie, by its level: no regular one has stopped before it started.
func reach(level, from, to int) (below, above int64) {
	below, above = spread(level), spread(level)
	switch {
	case from == timeStarted && to == timeStopped:
		below = 0
	case from == timeStopped && to == timeStarted:
		above = 0
	}
	return below, above
}

// bounded returns where the times of a level lie, as far as they are known, if
// they are as t wants: none lies further from another than the level says.
func (t times) bounded(level int) times {
	b := t
	for i := range b {
		b[i].high = min(b[i].high, unknown-1)
		for j, other := range t {
			if level != irregular && j != i && other.known() {
				b[i] = b[i].and(other.wider(reach(level, j, i)))
			}
		}
	}
	return b
}
