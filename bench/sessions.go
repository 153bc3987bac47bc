package bench

import (
	"context"
	"time"

	"leyden/sim"
)

// Sessions measures how many complete charges a second the server keeps, each
// station doing one after the other. ctx ends it early, with an error. It fails if
// the ledger lacks a session that was answered.
func Sessions(ctx context.Context, o Options) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		m, err := t.load(ctx, sim.Load{})
		if err != nil {
			return 0, err
		}
		t.add("StartTransaction p50 over fdatasync p50", "", Less, over(t.Get("StartTransaction p50"), t.Get("fdatasync p50")))
		return m.Sessions, nil
	})
	if err != nil {
		return nil, err
	}
	return &t.Sample, nil
}

// load lets the stations of the options do sessions, and adds what they achieved and
// what that cost.
func (t *trial) load(ctx context.Context, l sim.Load) (*sim.LoadResult, error) {
	used := sampler{server: t.server, span: t.Duration, also: t.OnMeasure}
	l.Dial, l.Stations, l.Duration, l.Warmup = t.Dial(t.url), t.Stations, t.Duration, t.Warmup
	l.OnMeasure = used.begin
	m, err := l.Run(ctx)
	u, rss := used.used(), t.rss()
	if err != nil {
		return nil, err
	}
	t.take(m)
	t.cost(m.Messages, &u)
	t.add("server RSS", "MiB", Less, rss)
	return m, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// take adds what the load achieved.
func (s *Sample) take(m *sim.LoadResult) {
	s.Errors, s.FirstError = m.Errors, m.FirstError
	s.add("sessions", "/s", More, m.SessionsPerSecond())
	s.add("messages", "/s", More, m.MessagesPerSecond())
	for _, l := range []struct {
		name string
		sim.Latency
	}{
		{"Authorize", m.Authorizes}, {"StartTransaction", m.Starts}, {"MeterValues", m.Readings}, {"StopTransaction", m.Stops}, {"any answer", m.Answers},
	} {
		s.add(l.name+" p50", "ms", Less, ms(l.P50))
		s.add(l.name+" p99", "ms", Less, ms(l.P99))
	}
}

// cost adds what was used for so many messages.
func (s *Sample) cost(messages int, u *usage) {
	each := func(n float64) float64 { return over(n, float64(messages)) }
	s.add("server processor", "µs/message", Less, each(u.server*1e6))
	s.add("load processor", "µs/message", Neither, each(u.load*1e6))
	s.add("read calls", "/message", Less, each(u.reads))
	s.add("write calls", "/message", Less, each(u.writes))
	if u.counts[countFrames] > 0 {
		s.add("allocations", "/message", Less, u.perFrame(countMallocs))
		s.add("allocated", "B/message", Less, u.perFrame(countBytes))
	}
	if _, commits := u.counts[countCommits]; commits {
		s.add("commits", "/s", Neither, u.rate(countCommits))
		s.add("messages a commit", "", Neither, over(u.counts[countFrames], u.counts[countCommits]))
	}
}
