package daily_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/daily"
	"leyden/export"
	"leyden/memory"
)

type row struct {
	Day string `json:"day"`
	N   int    `json:"n"`
}

// rows writes three rows that tell the day.
func rows(_ context.Context, w io.Writer, f export.Format, day time.Time) (int64, error) {
	return export.Copy(w, f, func(yield func(row, error) bool) {
		for n := range 3 {
			if !yield(row{day.Format(time.DateOnly), n}, nil) {
				return
			}
		}
	}, nil)
}

func date(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWrite(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "exports", "here")
	for range 2 { // the second replaces the first
		run, err := daily.Write(t.Context(), daily.Folder(folder), rows, export.CSV, date(20), date(21).Add(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(run.File)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if want := "day,n\r\n2026-11-20,0\r\n2026-11-20,1\r\n2026-11-20,2\r\n"; string(data) != want ||
			run.Rows != 3 || run.Bytes != int64(len(want)) || run.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("got %q and %+v", data, run)
		}
		var got daily.Manifest
		data, err = os.ReadFile(filepath.Join(folder, "transactions-2026-11-20.manifest.json"))
		if err != nil || json.Unmarshal(data, &got) != nil {
			t.Fatalf("manifest: %v in %s", err, data)
		}
		want := daily.Manifest{
			File: "transactions-2026-11-20.csv", Day: "2026-11-20", From: date(20), To: date(21), Format: export.CSV,
			Rows: 3, Bytes: run.Bytes, SHA256: run.SHA256, ExportedAt: date(21).Add(2 * time.Hour),
		}
		if got != want {
			t.Errorf("manifest: got %+v, want %+v", got, want)
		}
	}
	if got := names(t, folder); len(got) != 2 {
		t.Errorf("the folder has %v", got)
	}
}

// What fails leaves nothing, neither file nor manifest.
func TestWriteBroken(t *testing.T) {
	folder, broken := t.TempDir(), errors.New("broken")
	_, err := daily.Write(t.Context(), daily.Folder(folder), func(_ context.Context, w io.Writer, _ export.Format, _ time.Time) (int64, error) {
		_, err := io.WriteString(w, "half a ")
		return 1, errors.Join(err, broken)
	}, export.CSV, date(20), date(21))
	if got := names(t, folder); !errors.Is(err, broken) || len(got) > 0 {
		t.Errorf("got %v, and the folder has %v", err, got)
	}
}

// What a crash left of any day goes with the next file; what others have there stays.
func TestWriteAfterCrash(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		".transactions-2026-11-18.csv.12.part", ".transactions-2026-11-18.manifest.json.13.part", ".transactions-2026-11-20.parquet.14.part",
		".transactions-november.csv.15.part", ".report.csv.16.part",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := daily.Write(t.Context(), daily.Folder(folder), rows, export.CSV, date(20), date(21)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		".report.csv.16.part", ".transactions-november.csv.15.part", "transactions-2026-11-20.csv", "transactions-2026-11-20.manifest.json",
	}
	if got := names(t, folder); !slices.Equal(got, want) {
		t.Errorf("the folder has %v, want %v", got, want)
	}
}

// A flaky target fails for days that it is told.
type flaky struct {
	daily.Target
	mu  sync.Mutex // guards all below
	bad map[string]bool
	put []string
}

// fail makes the files with these names fail from now on, and no others.
func (f *flaky) fail(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = map[string]bool{}
	for _, name := range names {
		f.bad[name] = true
	}
}

func (f *flaky) Put(ctx context.Context, name string, write func(io.Writer) error) (string, error) {
	f.mu.Lock()
	bad := f.bad[name]
	if !bad {
		f.put = append(f.put, name)
	}
	f.mu.Unlock()
	if bad {
		return "", errors.New("no route to host")
	}
	return f.Target.Put(ctx, name, write)
}

func schedule(store daily.Store, target daily.Target, clock *time.Time) *daily.Schedule {
	return &daily.Schedule{
		Store: store, Source: rows, Target: target, Format: export.NDJSON, At: 2 * time.Hour,
		Now: func() time.Time { return *clock }, Log: slog.New(slog.DiscardHandler),
	}
}

// Each day is written once it is over and due, also after the server was away; a
// day that fails is tried again and keeps no other from being written.
func TestRounds(t *testing.T) {
	now := date(21).Add(time.Hour)
	store, target := memory.New(time.Now), &flaky{Target: daily.Folder(t.TempDir())}
	s := schedule(store, target, &now)
	round := func(fails bool, missing int64, want ...string) {
		t.Helper()
		target.put = nil
		if err := s.Round(t.Context()); (err != nil) != fails {
			t.Errorf("%v: got %v", now, err)
		}
		days := slices.DeleteFunc(target.put, func(name string) bool { return filepath.Ext(name) == ".json" })
		if !slices.Equal(days, want) || s.Stats().Missing != missing {
			t.Errorf("%v: got %v and %+v, want %v and %d missing", now, days, s.Stats(), want, missing)
		}
	}
	file := func(day int) string { return daily.FileName(date(day), export.NDJSON) }

	round(false, 0, file(19)) // the 20th is over, and comes due at 02:00
	now = now.Add(59 * time.Minute)
	round(false, 0)
	now = now.Add(time.Minute)
	round(false, 0, file(20))
	round(false, 0)

	now = date(25).Add(3 * time.Hour) // it was away
	target.fail(file(22))
	round(true, 1, file(21), file(23), file(24))
	runs, err := store.DailyRuns(t.Context(), true, 10)
	if err != nil || len(runs) != 1 || runs[0].Attempts != 1 || runs[0].Error != "export "+file(22)+": no route to host" {
		t.Errorf("got %+v, %v", runs, err)
	}
	round(true, 1)
	target.fail()
	again := schedule(store, target, &now) // another process
	s = again
	round(false, 0, file(22))
	runs, err = store.DailyRuns(t.Context(), false, 10)
	if err != nil || len(runs) != 6 || runs[2].Attempts != 3 || runs[2].Error != "" || runs[2].Rows != 3 || runs[2].FinishedAt != now {
		t.Errorf("got %+v, %v", runs, err)
	}
	if got := s.Stats(); got.Rows != 3 || got.LastDay != date(22) {
		t.Errorf("got %+v", got)
	}

	target.fail(daily.ManifestName(date(25))) // a file without a manifest is not done
	now = date(26).Add(3 * time.Hour)
	round(true, 1, file(25))
}

// What is made by hand is noted, and takes no day from the schedule, neither one
// that is due nor those before and behind it.
func TestByHand(t *testing.T) {
	now := date(21).Add(time.Hour)
	store, mine := memory.New(time.Now), daily.Folder(t.TempDir())
	target := &flaky{Target: daily.Folder(t.TempDir())}
	s := schedule(store, target, &now)
	byHand := func(day int) {
		t.Helper()
		run, err := daily.ByHand(t.Context(), store, mine, rows, export.CSV, date(day), now)
		if err != nil || run.FinishedAt != now || run.Rows != 3 {
			t.Errorf("%d: got %+v, %v", day, run, err)
		}
	}
	noted := func(want ...string) {
		t.Helper()
		runs, err := store.DailyRuns(t.Context(), false, 100)
		var got []string
		for _, r := range runs {
			got = append(got, fmt.Sprintf("%d %d %s %v %v", r.Day.Day(), r.Attempts, filepath.Ext(r.File), r.ByHand(), !r.FinishedAt.IsZero()))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	round := func(fails bool) {
		t.Helper()
		if err := s.Round(t.Context()); (err != nil) != fails {
			t.Errorf("got %v", err)
		}
	}
	byHand(10)
	byHand(20)
	noted("20 0 .csv true true", "10 0 .csv true true")
	round(false) // the last that is due, and no more
	noted("20 0 .csv true true", "19 1 .ndjson false true", "10 0 .csv true true")
	byHand(19)
	noted("20 0 .csv true true", "19 1 .csv false true", "10 0 .csv true true")
	now = date(22).Add(3 * time.Hour)
	target.fail(daily.FileName(date(20), export.NDJSON))
	round(true)
	byHand(20)
	noted("21 1 .ndjson false true", "20 1 .csv false false", "19 1 .csv false true", "10 0 .csv true true")
	target.fail()
	round(false)
	noted("21 1 .ndjson false true", "20 2 .ndjson false true", "19 1 .csv false true", "10 0 .csv true true")

	broken := errors.New("broken")
	source := func(context.Context, io.Writer, export.Format, time.Time) (int64, error) { return 0, broken }
	if _, err := daily.ByHand(t.Context(), store, mine, source, export.CSV, date(11), now); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	noted("21 1 .ndjson false true", "20 2 .ndjson false true", "19 1 .csv false true", "10 0 .csv true true")
}

// A ledger without runs begins where it is told.
func TestSince(t *testing.T) {
	now, folder := date(21).Add(12*time.Hour), t.TempDir()
	s := schedule(memory.New(time.Now), daily.Folder(folder), &now)
	s.Since = date(1).Add(time.Hour)
	if err := s.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, folder); len(got) != 40 || got[0] != "transactions-2026-11-01.manifest.json" {
		t.Errorf("got %v", got)
	}
}

// The schedule wakes when a day comes due, and again soon after a failure.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins at midnight of 2000-01-01.
		target := &flaky{Target: daily.Folder(t.TempDir())}
		s := schedule(memory.New(time.Now), target, nil)
		s.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			s.Run(ctx)
			close(ended)
		}()
		wait := func(d time.Duration, want int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			target.mu.Lock()
			defer target.mu.Unlock()
			if len(target.put) != want {
				t.Errorf("%v: %v were put, want %d", time.Now().UTC(), target.put, want)
			}
		}
		wait(time.Second, 2)
		wait(2*time.Hour, 4)
		target.fail("transactions-2000-01-01.ndjson")
		wait(24*time.Hour, 4)
		target.fail()
		wait(time.Minute, 6)
		cancel()
		<-ended
		if got := s.Stats(); got.Failures != 1 || got.Missing != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// A run that is interrupted counts for nothing.
func TestInterrupted(t *testing.T) {
	now := date(21).Add(3 * time.Hour)
	store := memory.New(time.Now)
	s := schedule(store, daily.Folder(t.TempDir()), &now)
	ctx, cancel := context.WithCancel(t.Context())
	s.Source = func(context.Context, io.Writer, export.Format, time.Time) (int64, error) {
		cancel()
		return 0, fmt.Errorf("scan: %w", ctx.Err())
	}
	if err := s.Round(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	runs, err := store.DailyRuns(t.Context(), true, 10)
	if err != nil || len(runs) != 1 || runs[0].Attempts != 0 {
		t.Errorf("got %+v, %v", runs, err)
	}
}
