package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"leyden/sim"
)

const (
	// footprintEvery is how often the server's memory is looked at.
	footprintEvery = 5 * time.Second
	// settleWithin is how long the server may take to be as it was, once nobody is
	// there any more; its own timeouts are shorter.
	settleWithin = 5 * time.Minute
	// spare is how many goroutines and descriptors more than at the beginning are
	// as many: a request that is answered, a file of the ledger that was opened since.
	spare = 8
)

// A Soak says how long to look, and how hard.
type Soak struct {
	Fleet    sim.Options // what the stations do; Dial, OnCharge and OnProgress are replaced
	Duration time.Duration
	Warmup   time.Duration // in which memory may grow
	Every    time.Duration // the whole ledger is compared so often

	OnCheck func(SoakCheck) // may be nil
}

// A SoakCheck is one comparison of the whole ledger with what happened.
type SoakCheck struct {
	Seconds     float64 `json:"seconds"` // since the beginning
	Rows        int     `json:"rows"`
	Settled     int     `json:"settled"` // charges that had to be there, whole
	Differences int     `json:"differences"`
	Footprint
}

// A Footprint is what a server takes.
type Footprint struct {
	RSS         float64 `json:"rssMiB"`
	Goroutines  int     `json:"goroutines"`
	Descriptors int     `json:"descriptors"`
}

// A SoakResult is what came of it.
type SoakResult struct {
	Seconds     float64     `json:"seconds"`
	Stations    int         `json:"stations"`
	Charges     int         `json:"charges"`
	Messages    int         `json:"messages"`
	Resends     int         `json:"resends"`
	Reconnects  int         `json:"reconnects"`
	CallErrors  int         `json:"callErrors"`
	Breaches    int         `json:"breaches"` // expectations of the stations that were broken
	Checks      []SoakCheck `json:"checks"`
	Differences []string    `json:"differences"` // the first 20
	Different   int         `json:"different"`
	Before      Footprint   `json:"before"` // before any station came
	After       Footprint   `json:"after"`  // when all were gone
	Slope       float64     `json:"rssSlopeMiBPerHour"`
	Settled     bool        `json:"settled"` // goroutines and descriptors are as many as before
}

// Err says what is wrong, or nil. Memory may grow by so many MiB an hour after the
// warm-up; 0 is no limit.
func (r *SoakResult) Err(mostSlope float64) error {
	var errs []error
	if r.Different > 0 {
		errs = append(errs, fmt.Errorf("%d differences, the first: %s", r.Different, r.Differences[0]))
	}
	if r.Breaches > 0 {
		errs = append(errs, fmt.Errorf("%d expectations of the stations were broken", r.Breaches))
	}
	if !r.Settled {
		errs = append(errs, fmt.Errorf("%d goroutines and %d descriptors are left, %d and %d were there before",
			r.After.Goroutines, r.After.Descriptors, r.Before.Goroutines, r.Before.Descriptors))
	}
	if mostSlope > 0 && r.Slope > mostSlope {
		errs = append(errs, fmt.Errorf("memory grows by %.2f MiB an hour, more than %.2f", r.Slope, mostSlope))
	}
	return errors.Join(errs...)
}

// Run has stations charge, with all that goes wrong for them, and compares the
// whole ledger, as the REST API shows it, with what physically happened, again and
// again. In the end `leyden check` has to find the ledger whole too.
func (k Soak) Run(ctx context.Context, o Options) (r *SoakResult, err error) {
	data, err := os.MkdirTemp("", "leyden-soak-")
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	srv, err := start(ctx, &o, filepath.Join(data, "ledger"))
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	s := &soaking{Soak: k, server: srv, book: newSoakBook(), result: &SoakResult{Stations: k.Fleet.Stations}}
	err = s.run(ctx, o.Dial(srv.url))
	if err := errors.Join(err, srv.stop()); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	out, err := exec.CommandContext(ctx, o.Binary, "check", "--data", filepath.Join(data, "ledger")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("soak: leyden check: %w: %s", err, out)
	}
	return s.result, nil
}

// soaking is a soak that goes on.
type soaking struct {
	Soak
	*server
	book   *soakBook
	began  time.Time
	trend  trend
	result *SoakResult
}

func (s *soaking) run(ctx context.Context, dial sim.Dialer) error {
	if _, err := s.check(ctx); err != nil { // so that what serves it is there
		return err
	}
	s.result.Checks = nil
	s.result.Before = s.footprint()
	f := s.Fleet
	f.Dial, f.OnCharge, f.Duration = dial, s.book.note, s.Duration
	fleet, err := sim.NewFleet(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.began = time.Now()
	reports := make(chan *sim.Report, 1)
	go func() { reports <- fleet.Run(ctx) }()
	report, err := s.watch(ctx, reports)
	if err != nil {
		cancel()
		<-reports
		return err
	}
	s.result.Seconds = time.Since(s.began).Seconds()
	s.result.Charges, s.result.Messages, s.result.Resends = report.Started, report.Messages, report.Resends
	s.result.Reconnects, s.result.CallErrors, s.result.Breaches = report.Reconnects, report.CallErrors, report.Breaches
	if err := report.Err(); err != nil {
		s.book.differs("%v", err)
	}
	_, err = s.check(ctx)
	s.settle(ctx)
	s.result.Slope = s.trend.slope()
	s.result.Differences, s.result.Different = s.book.list, s.book.different
	return err
}

// watch compares and looks at memory until the fleet is done.
func (s *soaking) watch(ctx context.Context, reports chan *sim.Report) (*sim.Report, error) {
	compare, look := time.NewTicker(cmp.Or(s.Every, time.Minute)), time.NewTicker(footprintEvery)
	defer compare.Stop()
	defer look.Stop()
	for {
		select {
		case r := <-reports:
			return r, ctx.Err()
		case <-compare.C:
			if _, err := s.check(ctx); err != nil {
				return nil, err
			}
		case <-look.C:
			if since := time.Since(s.began); since > s.Warmup && since < s.Duration {
				s.trend.add(since.Hours(), s.footprint().RSS)
			}
		}
	}
}

// check compares once.
func (s *soaking) check(ctx context.Context) (SoakCheck, error) {
	rows, settled, err := s.book.compare(ctx, s.server)
	if err != nil {
		return SoakCheck{}, err
	}
	c := SoakCheck{Seconds: time.Since(s.began).Seconds(), Rows: rows, Settled: settled, Differences: s.book.different, Footprint: s.footprint()}
	s.result.Checks = append(s.result.Checks, c)
	if s.OnCheck != nil && !s.began.IsZero() {
		s.OnCheck(c)
	}
	return c, nil
}

// settle waits until the server is as it was before.
func (s *soaking) settle(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.After(settleWithin)
	for {
		before, now := s.result.Before, s.footprint()
		s.result.After = now
		if now.Goroutines <= before.Goroutines+spare && now.Descriptors <= before.Descriptors+spare {
			s.result.Settled = true
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			return
		case <-ctx.Done():
			return
		}
	}
}

// footprint says what the server takes now.
func (s *server) footprint() Footprint {
	m := s.metrics()
	return Footprint{RSS: s.rss(), Goroutines: int(m["go_goroutines"]), Descriptors: int(m["process_open_fds"])}
}

// A trend is the straight line that fits points best.
type trend struct{ n, x, y, xx, xy float64 }

func (t *trend) add(x, y float64) {
	t.n++
	t.x, t.y, t.xx, t.xy = t.x+x, t.y+y, t.xx+x*x, t.xy+x*y
}

// slope returns how steep it is, 0 of too few points.
func (t *trend) slope() float64 {
	if d := t.n*t.xx - t.x*t.x; t.n > 2 && d > 0 {
		return (t.n*t.xy - t.x*t.y) / d
	}
	return 0
}
