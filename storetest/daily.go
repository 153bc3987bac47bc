package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leyden"
	"leyden/daily"
)

// RunDaily tests the stores that open returns. Each call must return an empty one.
func RunDaily(t *testing.T, open func(*testing.T) daily.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, daily.Store)
	}{
		{"Runs", dailyRuns},
		{"RefusesNoDay", refusesNoDay},
		{"Cancelled", dailyCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

func dailyRuns(t *testing.T, s daily.Store) {
	day := func(n int) time.Time { return daily.DayOf(base).AddDate(0, 0, n) }
	want := func(what string, unfinished bool, limit int, runs ...daily.Run) {
		t.Helper()
		got, err := s.DailyRuns(t.Context(), unfinished, limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(runs, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	want("nothing", false, 10)
	done := daily.Run{
		Day: day(1), Attempts: 2, File: "s3://bucket/file", Rows: 1 << 40, Bytes: 1 << 50, SHA256: "ab", FinishedAt: minute(7).Add(time.Microsecond),
	}
	failed := daily.Run{Day: day(2), Attempts: 1, Error: "no route"}
	for _, r := range []daily.Run{failed, {Day: day(3)}, {Day: day(1)}, {Day: day(0)}, done} {
		if err := s.SaveDailyRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	want("all", false, 10, daily.Run{Day: day(3)}, failed, done, daily.Run{Day: day(0)})
	want("the newest", false, 1, daily.Run{Day: day(3)})
	want("what is to be done", true, 10, daily.Run{Day: day(0)}, failed, daily.Run{Day: day(3)})
	want("the first of it", true, 1, daily.Run{Day: day(0)})
}

func refusesNoDay(t *testing.T, s daily.Store) {
	for _, at := range []time.Time{{}, base, daily.DayOf(base).Add(-time.Microsecond)} {
		if err := s.SaveDailyRun(t.Context(), daily.Run{Day: at}); !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%v: got %v", at, err)
		}
	}
}

func dailyCancelled(t *testing.T, s daily.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.SaveDailyRun(ctx, daily.Run{Day: daily.DayOf(base)}); !errors.Is(err, context.Canceled) {
		t.Errorf("save: got %v", err)
	}
	if _, err := s.DailyRuns(ctx, false, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("read: got %v", err)
	}
}
