package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"leyden/sim"
)

// Isolation says how to measure what a station that misbehaves costs the others:
// the stations of Options do sessions at a steady rate, and spells without and
// with a disturber follow each other, on one server in one run. What counts is the
// difference, which owes nothing to the machine. Options.Duration and
// Options.Warmup are not used.
type Isolation struct {
	Options
	Disturb []sim.Disturbance
	Slow    func(url string) sim.Dialer // how the slow one connects
	Every   time.Duration               // between two messages of a station
	Spell   time.Duration               // how long one is measured
	Rounds  int                         // how many pairs of spells for each disturbance
}

// An IsolationResult is what was measured.
type IsolationResult struct {
	Stations   int     `json:"stations"`
	Rounds     int     `json:"rounds"`
	Costs      []Cost  `json:"costs"`
	Errors     int     `json:"errors"` // of the stations that behave
	FirstError string  `json:"firstError,omitempty"`
	ServerRSS  float64 `json:"serverRssMiB"` // at the end
}

// A Cost is what one disturbance cost: percentiles of the answers to those that
// behave, without and with it over all spells, in ms. P99 is the median of what each
// pair of spells says, since whatever else the machine does falls into single ones.
type Cost struct {
	Disturbance  sim.Disturbance `json:"disturbance"`
	Messages     int             `json:"messages"` // of those that behave, while it was
	QuietP50     float64         `json:"quietP50Ms"`
	QuietP99     float64         `json:"quietP99Ms"`
	DisturbedP50 float64         `json:"disturbedP50Ms"`
	DisturbedP99 float64         `json:"disturbedP99Ms"`
	P99          float64         `json:"costP99Ms"`
	Disturber    float64         `json:"disturberAnswersPerSecond"`
}

const (
	// settling is how long after a change nothing is measured.
	settling = 500 * time.Millisecond
	// longest is how long all spells may take.
	longest = time.Hour
	// pester is how often an operator sends the disturber a command.
	pester = 100 * time.Millisecond
	// disturbers are called so, and a number.
	disturber = "DISTURBER"
)

// Run measures. ctx ends it early, with an error.
func (i Isolation) Run(ctx context.Context) (r *IsolationResult, err error) {
	data, err := os.MkdirTemp("", "leyden-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := start(ctx, &i.Options, data)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c := &conductor{Isolation: i, server: s}
	begun, over := make(chan struct{}), make(chan struct{})
	load := sim.Load{
		Dial: i.Dial(s.url), Stations: i.Stations, Every: i.Every, OnAnswer: c.count,
		Duration: longest, Stop: over,
		OnMeasure: func() {
			if i.OnMeasure != nil {
				i.OnMeasure()
			}
			close(begun)
		},
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var conducting sync.WaitGroup
	conducting.Go(func() {
		select {
		case <-begun:
		case <-ctx.Done():
			return
		}
		if err := c.conduct(ctx); err != nil {
			cancel(err)
		}
		close(over)
	})
	measured, err := load.Run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	conducting.Wait()
	r = &IsolationResult{Stations: i.Stations, Rounds: i.Rounds, Costs: c.costs, ServerRSS: s.rss()}
	if err := errors.Join(err, s.stop()); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r.Errors, r.FirstError = measured.Errors, measured.FirstError
	return r, nil
}

// A conductor leads through the spells.
type conductor struct {
	Isolation
	server *server
	costs  []Cost

	mu  sync.Mutex
	now *[]time.Duration // where answers are counted; nil: nowhere
}

// count counts an answer to a station that behaves.
func (c *conductor) count(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil {
		*c.now = append(*c.now, took)
	}
}

// spell measures for a while.
func (c *conductor) spell(ctx context.Context) ([]time.Duration, error) {
	if err := sleep(ctx, settling); err != nil {
		return nil, err
	}
	var answers []time.Duration
	c.turn(&answers)
	err := sleep(ctx, c.Spell)
	c.turn(nil)
	return answers, err
}

func (c *conductor) turn(to *[]time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *conductor) conduct(ctx context.Context) error {
	tallies := make([]tally, len(c.Disturb))
	for round := range c.Rounds {
		for k, how := range c.Disturb {
			quiet, err := c.spell(ctx)
			if err != nil {
				return err
			}
			d := &sim.Disturber{Dial: c.dialer(how), Station: fmt.Sprintf("%s-%d-%d", disturber, round, k), How: how}
			disturbed, err := c.disturbed(ctx, d)
			if err != nil {
				return fmt.Errorf("%s: %w", how, err)
			}
			tallies[k].add(quiet, disturbed, d.Answers.Load())
		}
	}
	for k, t := range tallies {
		cost := t.cost()
		cost.Disturbance = c.Disturb[k]
		cost.Disturber = float64(t.answers) / (time.Duration(c.Rounds) * (c.Spell + settling)).Seconds()
		c.costs = append(c.costs, cost)
	}
	return nil
}

// A tally is what was measured of one disturbance.
type tally struct {
	quiet, disturbed []time.Duration
	costs            []float64 // of the 99th percentile, by round, in ms
	answers          int64     // to the disturber
}

func (t *tally) add(quiet, disturbed []time.Duration, answers int64) {
	t.quiet, t.disturbed = append(t.quiet, quiet...), append(t.disturbed, disturbed...)
	t.costs = append(t.costs, percentile(disturbed, 99)-percentile(quiet, 99))
	t.answers += answers
}

func (t *tally) cost() Cost {
	slices.Sort(t.costs)
	return Cost{
		Messages: len(t.disturbed), P99: t.costs[len(t.costs)/2],
		QuietP50: percentile(t.quiet, 50), QuietP99: percentile(t.quiet, 99),
		DisturbedP50: percentile(t.disturbed, 50), DisturbedP99: percentile(t.disturbed, 99),
	}
}

func (c *conductor) dialer(how sim.Disturbance) sim.Dialer {
	if how == sim.Slow {
		return c.Slow(c.server.url)
	}
	return c.Dial(c.server.url)
}

// disturbed measures while d misbehaves, and an operator sends it commands.
func (c *conductor) disturbed(ctx context.Context, d *sim.Disturber) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			cancel(err)
		}
	})
	running.Go(func() { c.pester(ctx, d.Station) })
	answers, err := c.spell(ctx)
	cancel(nil)
	running.Wait()
	return answers, err
}

// pester sends a station commands, whatever becomes of them.
func (c *conductor) pester(ctx context.Context, station string) {
	url := c.server.api + "/api/v1/chargers/" + station + "/cache/clear"
	var asking sync.WaitGroup
	defer asking.Wait()
	for sleep(ctx, pester) == nil {
		asking.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
			if err != nil {
				return // the URL is ours
			}
			req.Header.Set("X-API-Key", adminKey)
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close() // nothing of it matters
			}
		})
	}
}

// percentile returns the p-th percentile in ms; 0 of nothing.
func percentile(of []time.Duration, p int) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return float64(sorted[min(len(sorted)-1, len(sorted)*p/100)]) / float64(time.Millisecond)
}
