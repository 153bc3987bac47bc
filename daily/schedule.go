package daily

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"leyden/export"
)

// A Schedule writes the file of every day.
type Schedule struct {
	Store  Store
	Source Source
	Target Target
	Format export.Format
	// At is how long after its end a day is written.
	At time.Duration
	// Since is the first day of a ledger that has no runs yet; zero is the last
	// day that is over.
	Since time.Time
	Now   func() time.Time
	Log   *slog.Logger

	stats stats
}

// Stats is how the files of days go.
type Stats struct {
	Missing  int64     // days that are due and not done
	LastDay  time.Time // newest that is done; zero: none was by this process
	Rows     uint64    // written by this process
	Failures uint64    // of attempts of this process
}

type stats struct {
	missing, lastDay atomic.Int64
	rows, failures   atomic.Uint64
}

// Stats returns how it goes.
func (s *Schedule) Stats() Stats {
	out := Stats{Missing: s.stats.missing.Load(), Rows: s.stats.rows.Load(), Failures: s.stats.failures.Load()}
	if at := s.stats.lastDay.Load(); at != 0 {
		out.LastDay = time.Unix(at, 0).UTC()
	}
	return out
}

// Limits of a schedule.
const (
	firstPause = time.Minute // after a failure; the next ones are twice as long
	mostPause  = time.Hour
	atOnce     = 1000 // days that are looked at together
)

// Run writes days as they come due, until ctx is done. It looks at the clock
// again at least every hour: clocks are set, and machines sleep.
func (s *Schedule) Run(ctx context.Context) {
	pause := firstPause
	for {
		err := s.Round(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := min(s.nextDue().Sub(s.Now()), mostPause)
		if err != nil {
			wait = min(wait, pause)
			s.Log.Error("daily export; it is tried again", "err", err, "after", wait)
			pause = min(2*pause, mostPause)
		}
		if err == nil {
			pause = firstPause
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lastDue returns the newest day that is to be written by now.
func (s *Schedule) lastDue() time.Time { return DayOf(s.Now().Add(-s.At)).Add(-Length) }

// nextDue returns when the day after that comes due.
func (s *Schedule) nextDue() time.Time { return s.lastDue().Add(2*Length + s.At) }

// Round writes all days that are due, the oldest first. One that fails keeps no
// other from being written; the last error is returned.
func (s *Schedule) Round(ctx context.Context) error {
	if err := s.note(ctx); err != nil {
		return err
	}
	due, err := s.Store.DailyRuns(ctx, true, atOnce)
	if err != nil {
		return err
	}
	s.stats.missing.Store(int64(len(due)))
	var failed error
	for _, run := range due {
		if err := s.attempt(ctx, run); err != nil {
			failed = err
			continue
		}
		s.stats.missing.Add(-1)
	}
	if failed == nil && len(due) == atOnce {
		return s.Round(ctx)
	}
	return failed
}

// note makes runs of the days that came due.
func (s *Schedule) note(ctx context.Context) error {
	newest, there, err := s.newest(ctx)
	if err != nil {
		return err
	}
	last := s.lastDue()
	next := last
	switch {
	case there:
		next = newest.Add(Length)
	case !s.Since.IsZero():
		next = DayOf(s.Since)
	}
	for day := next; !day.After(last); day = day.Add(Length) {
		if err := s.Store.SaveDailyRun(ctx, Run{Day: day}); err != nil {
			return err
		}
	}
	return nil
}

// newest returns the newest day that has a run; what was made by hand does not
// count: others before it may be owed.
func (s *Schedule) newest(ctx context.Context) (day time.Time, there bool, err error) {
	for _, limit := range []int{1, allRuns} {
		runs, err := s.Store.DailyRuns(ctx, false, limit)
		if err != nil {
			return day, false, err
		}
		if i := slices.IndexFunc(runs, func(r Run) bool { return !r.ByHand() }); i >= 0 {
			return runs[i].Day, true, nil
		}
	}
	return day, false, nil
}

// attempt writes a day and keeps what came of it.
func (s *Schedule) attempt(ctx context.Context, before Run) error {
	run, err := Write(ctx, s.Target, s.Source, s.Format, before.Day, s.Now())
	if ctx.Err() != nil {
		return ctx.Err() // the day is as it was
	}
	run.Attempts = before.Attempts + 1
	if err != nil {
		s.stats.failures.Add(1)
		run.Error = err.Error()
	}
	if kerr := s.Store.SaveDailyRun(ctx, run); kerr != nil {
		return fmt.Errorf("keep the run of %s: %w", before.Day.Format(time.DateOnly), kerr)
	}
	if err != nil {
		return err
	}
	s.stats.rows.Add(uint64(run.Rows))
	s.stats.lastDay.Store(max(s.stats.lastDay.Load(), run.Day.Unix()))
	s.Log.Info("daily export", "day", run.Day.Format(time.DateOnly), "file", run.File, "rows", run.Rows, "bytes", run.Bytes)
	return nil
}

// contentType returns the media type of a file.
func contentType(name string) string {
	f, _ := export.ParseFormat(strings.TrimPrefix(path.Ext(name), "."))
	return f.MediaType()
}
