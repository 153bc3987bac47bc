package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"leyden/sim"
)

const (
	// probePath is what an unrelated client asks for in a storm, and probeEvery how
	// often.
	probePath  = "/api/v1/chargers?limit=20"
	probeEvery = 10 * time.Millisecond
	// probeQuiet is how long it asks before, to know what it takes otherwise.
	probeQuiet = time.Second
)

// Storm measures what happens when all stations come back at the same moment, each
// with the stop of a charge in its queue, and how long a client waits meanwhile that
// has nothing to do with it.
func Storm(ctx context.Context, o Options) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		quiet, err := t.probe(ctx, time.Now().Add(probeQuiet))
		if err != nil {
			return 0, err
		}
		var meanwhile []time.Duration
		var probing sync.WaitGroup
		var failed error
		end, stop := context.WithCancel(ctx)
		defer stop()
		storm := sim.Load{Dial: t.Dial(t.url), Stations: t.Stations, OnMeasure: func() {
			if t.OnMeasure != nil {
				t.OnMeasure()
			}
			probing.Go(func() { meanwhile, failed = t.probe(end, time.Time{}) })
		}}
		r, err := storm.Storm(ctx)
		stop()
		probing.Wait()
		if err := errors.Join(err, failed); err != nil {
			return 0, err
		}
		t.Errors, t.FirstError = r.Errors, r.FirstError
		t.add("all booted", "s", Less, r.Booted.Max.Seconds())
		t.add("all answered", "s", Less, r.Answered.Max.Seconds())
		t.add("answered p50", "s", Less, r.Answered.P50.Seconds())
		t.add("connections tried again", "", Less, float64(r.Retries))
		t.add("API call before p99", "ms", Neither, percentile(quiet, 99))
		t.add("API call meanwhile p50", "ms", Less, percentile(meanwhile, 50))
		t.add("API call meanwhile p99", "ms", Less, percentile(meanwhile, 99))
		t.add("API calls meanwhile", "", Neither, float64(len(meanwhile)))
		t.add("server RSS", "MiB", Less, t.rss())
		return r.Answered.Count, nil
	})
	if err != nil {
		return nil, err
	}
	return &t.Sample, nil
}

// probe asks at even intervals, whether or not what it asked before is answered,
// until a moment or until ctx is done. Answers are timed from when the question was
// due.
func (t *trial) probe(ctx context.Context, until time.Time) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var asking sync.WaitGroup
	for due := time.Now(); until.IsZero() || due.Before(until); due = due.Add(probeEvery) {
		if sleep(ctx, time.Until(due)) != nil {
			break
		}
		asking.Go(func() {
			_, err := t.get(context.WithoutCancel(ctx), probePath)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			failed = errors.Join(failed, err)
		})
	}
	asking.Wait()
	return slices.Clip(took), failed
}
