package bench

import (
	"context"
	"fmt"

	"leyden/sim"
)

// Rate measures how long answers take when messages arrive at a constant rate, so
// many a second of all stations together, whatever the server does meanwhile. The
// rate 0 is half of what the server does at most, which is measured just before, for
// as long, on the same ledger.
func Rate(ctx context.Context, o Options, rate float64) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		before := 0
		if rate == 0 {
			most, err := t.saturate(ctx)
			if err != nil {
				return 0, err
			}
			before = most.Sessions
			t.add("saturation", "messages/s", More, most.MessagesPerSecond())
			rate = most.MessagesPerSecond() / 2
		}
		t.add("asked for", "messages/s", Neither, rate)
		m, err := t.load(ctx, sim.Load{Rate: rate, Name: func(i int) string { return fmt.Sprintf("RATE-%04d", i+1) }})
		if err != nil {
			return 0, err
		}
		t.add("any answer p99 over p50", "", Less, over(t.Get("any answer p99"), t.Get("any answer p50")))
		t.add("sent late p50", "ms", Neither, ms(m.Late.P50))
		t.add("sent late p99", "ms", Neither, ms(m.Late.P99))
		return before + m.Sessions, nil
	})
	if err != nil {
		return nil, err
	}
	return &t.Sample, nil
}

// saturate measures how much the server does at most.
func (t *trial) saturate(ctx context.Context) (*sim.LoadResult, error) {
	m, err := sim.Load{Dial: t.Dial(t.url), Stations: t.Stations, Duration: t.Duration, Warmup: t.Warmup}.Run(ctx)
	if err != nil {
		return nil, err
	}
	if m.Errors > 0 || m.Messages == 0 {
		return nil, fmt.Errorf("at saturation: %d messages, %d errors, the first: %s", m.Messages, m.Errors, m.FirstError)
	}
	return m, sleep(ctx, settling) // what is written behind is written
}
