package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leyden"
	"leyden/daily"
)

var _ daily.Store = (*Store)(nil)

// SaveDailyRun implements [daily.Store].
func (s *Store) SaveDailyRun(ctx context.Context, run daily.Run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if run.Day.IsZero() || !run.Day.Equal(daily.DayOf(run.Day)) {
		return fmt.Errorf("%v is no day: %w", run.Day, leyden.ErrInvalid)
	}
	run.Day, run.FinishedAt = run.Day.UTC(), run.FinishedAt.UTC().Truncate(time.Microsecond)
	at, there := slices.BinarySearchFunc(s.dailyRuns, run.Day, func(r daily.Run, day time.Time) int { return r.Day.Compare(day) })
	if there {
		s.dailyRuns[at] = run
		return nil
	}
	s.dailyRuns = slices.Insert(s.dailyRuns, at, run)
	return nil
}

// DailyRuns implements [daily.Store].
func (s *Store) DailyRuns(ctx context.Context, unfinished bool, limit int) ([]daily.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	runs := slices.Clone(s.dailyRuns)
	if unfinished {
		runs = slices.DeleteFunc(runs, func(r daily.Run) bool { return !r.FinishedAt.IsZero() })
	} else {
		slices.Reverse(runs)
	}
	return runs[:min(limit, len(runs))], nil
}
