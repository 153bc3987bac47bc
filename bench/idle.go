package bench

import (
	"context"
	"time"

	"leyden/sim"
)

// Idle measures what stations cost that are connected, have booted and do nothing:
// how long it takes until all are there, and the server's memory and goroutines,
// at once and when it has settled.
func Idle(ctx context.Context, o Options, settle time.Duration) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		before := t.state()
		if t.OnMeasure != nil {
			t.OnMeasure()
		}
		crowd, err := sim.Load{Dial: t.Dial(t.url), Stations: t.Stations}.Crowd(ctx)
		if err != nil {
			return 0, err
		}
		defer crowd.Close()
		t.add("connected and booted", "s", Less, crowd.Took.Seconds())
		t.add("server processor", "µs/station", Less, over((t.state().processor-before.processor)*1e6, float64(t.Stations)))
		t.each("at once", before)
		if err := sleep(ctx, settle); err != nil {
			return 0, err
		}
		t.each("settled", before)
		now := t.state()
		n := float64(t.Stations)
		t.add("goroutines", "/station", Less, (now.counts["go_goroutines"]-before.counts["go_goroutines"])/n)
		t.add("heap", "KiB/station", Less, (now.counts["go_memstats_heap_inuse_bytes"]-before.counts["go_memstats_heap_inuse_bytes"])/n/1024)
		t.add("stacks", "KiB/station", Less, (now.counts["go_memstats_stack_inuse_bytes"]-before.counts["go_memstats_stack_inuse_bytes"])/n/1024)
		t.add("server RSS", "MiB", Less, now.rss)
		return 0, nil
	})
	if err != nil {
		return nil, err
	}
	return &t.Sample, nil
}

// A state is what a server has and has used at a moment.
type state struct {
	rss       float64 // MiB
	processor float64 // s
	counts    map[string]float64
}

func (s *server) state() state {
	return state{s.rss(), processorTime(s.cmd.Process.Pid), s.metrics()}
}

// each adds the memory that each station takes.
func (t *trial) each(when string, before state) {
	t.add("RSS "+when, "KiB/station", Less, (t.rss()-before.rss)*1024/float64(t.Stations))
}
