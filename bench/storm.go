package bench

import (
	"context"
	"errors"
	"time"

	"leyden/sim"
)

// Storm measures what happens when all stations come back at the same moment, each
// with the stop of a charge in its queue, and how long a client waits meanwhile that
// has nothing to do with it. That client is another process; see [Probe].
func Storm(ctx context.Context, o Options) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		quiet, err := t.quietProbe(ctx)
		if err != nil {
			return 0, err
		}
		r, meanwhile, err := t.storm(ctx)
		if err != nil {
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

// quietProbe returns how long a client waits while nothing else happens.
func (t *trial) quietProbe(ctx context.Context) ([]time.Duration, error) {
	p, err := t.startProbe(ctx)
	if err != nil {
		return nil, err
	}
	interrupted := sleep(ctx, probeQuiet)
	took, err := p.end()
	return took, errors.Join(interrupted, err)
}

// storm lets the stations come back, and returns how long a client waited
// meanwhile.
func (t *trial) storm(ctx context.Context) (*sim.StormResult, []time.Duration, error) {
	var client *prober
	var failed error
	r, err := sim.Load{Dial: t.Dial(t.url), Stations: t.Stations, OnMeasure: func() {
		if t.OnMeasure != nil {
			t.OnMeasure()
		}
		client, failed = t.startProbe(ctx)
	}}.Storm(ctx)
	if err = errors.Join(err, failed); client == nil || failed != nil {
		return r, nil, err
	}
	meanwhile, failed := client.end()
	return r, meanwhile, errors.Join(err, failed)
}
