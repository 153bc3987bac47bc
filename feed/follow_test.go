package feed_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/feed"
	"leyden/memory"
)

// A counted store counts how often notices and bounds are read.
type counted struct {
	*memory.Store
	reads, bounds atomic.Int64
	fail          atomic.Bool
}

var errStorage = fmt.Errorf("no disk: %w", leyden.ErrUnavailable)

func (c *counted) Notices(ctx context.Context, q feed.Query) (feed.Page, error) {
	c.reads.Add(1)
	if c.fail.Load() {
		return feed.Page{}, errStorage
	}
	return c.Store.Notices(ctx, q)
}

func (c *counted) NoticeBounds(ctx context.Context) (oldest, last int64, err error) {
	c.bounds.Add(1)
	if c.fail.Load() {
		return 0, 0, errStorage
	}
	return c.Store.NoticeBounds(ctx)
}

func newCounted() *counted { return &counted{Store: memory.New(time.Now)} }

// announce writes n notices in an entry each.
func announce(t *testing.T, s leyden.Store, n int) {
	t.Helper()
	for range n {
		e := &leyden.Entry{Station: "S", Notices: []leyden.Notice{{Topic: leyden.TopicUpdated, Station: "S", At: time.Now()}}}
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// follow reads on from after until ctx is done or the feed ends, and returns the
// Seqs that it saw.
func follow(ctx context.Context, f *feed.Feed, q feed.Query) (seen []int64, err error) {
	for {
		page, err := f.Read(ctx, q)
		if err != nil {
			return seen, err
		}
		for i := range page.Notices {
			seen = append(seen, page.Notices[i].Seq)
		}
		q.After = page.Last
		if page.More {
			continue
		}
		if err := f.Wait(ctx, q.After); err != nil {
			return seen, err
		}
	}
}

// wantAll fails unless seen is first, first+1 … last.
func wantAll(t *testing.T, seen []int64, first, last int64) {
	t.Helper()
	for i, seq := range seen {
		if seq != first+int64(i) {
			t.Fatalf("Seq %d where %d comes next", seq, first+int64(i))
		}
	}
	if int64(len(seen)) != last-first+1 {
		t.Errorf("%d were seen, want %d to %d", len(seen), first, last)
	}
}

// Many follow for the price of few reads, and see everything once.
func TestMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const followers, notices = 200, 500
		s := newCounted()
		f := feed.New(s, feed.Options{})
		announce(t, s, 3)
		var wg sync.WaitGroup
		for range followers {
			wg.Go(func() {
				seen, err := follow(t.Context(), f, feed.Query{})
				if !errors.Is(err, feed.ErrEnded) {
					t.Error(err)
				}
				wantAll(t, seen, 1, notices+3)
			})
		}
		synctest.Wait()
		before := s.reads.Load()
		for range notices / 10 {
			announce(t, s, 10)
			time.Sleep(time.Millisecond) // simulated
		}
		time.Sleep(time.Second)
		f.End()
		wg.Wait()
		if reads := s.reads.Load() - before; reads > 10 {
			t.Errorf("%d reads for %d followers in 50 ms", reads, followers)
		}
		if err := f.Wait(t.Context(), 1000); !errors.Is(err, feed.ErrEnded) {
			t.Errorf("Wait after the end: %v", err)
		}
	})
}

// Nobody is asked for anything while nothing happens, but for one look a second.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		f := feed.New(s, feed.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx, func(err error) { t.Error(err) }) })
		for range 50 {
			wg.Go(func() {
				if _, err := follow(ctx, f, feed.Query{}); !errors.Is(err, context.Canceled) && !errors.Is(err, feed.ErrEnded) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		reads := s.reads.Load()
		time.Sleep(30*time.Second + time.Millisecond)
		if got, looks := s.reads.Load()-reads, s.bounds.Load(); got != 0 || looks != 30 {
			t.Errorf("%d reads and %d looks in 30 s", got, looks)
		}
		cancel()
		wg.Wait()
	})
}

// What another process writes is seen within a second.
func TestOtherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		f := feed.New(s, feed.Options{})
		s.OnNotices(func(int64) {}) // as if it were another's
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go f.Run(ctx, func(err error) { t.Error(err) })
		announce(t, s, 2)
		begin := time.Now()
		if err := f.Wait(ctx, 0); err != nil || time.Since(begin) > 1100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		page, err := f.Read(ctx, feed.Query{})
		if err != nil || len(page.Notices) != 2 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// A tail that is far behind, and storage that fails, cost nobody a notice.
func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		f := feed.New(s, feed.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		first, err := f.Read(ctx, feed.Query{})
		if err != nil || first.More {
			t.Fatalf("%+v, %v", first, err)
		}
		announce(t, s, 9000) // more than a tail keeps
		seen, err := follow(ctx, f, feed.Query{})
		wantAll(t, seen, 1, 9000)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		announce(t, s, 9000)
		for range 3 { // the tail moves on
			announce(t, s, 3000)
			if _, err := f.Read(t.Context(), feed.Query{After: 18000}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Read(t.Context(), feed.Query{After: 27001}); err == nil {
			t.Error("a Seq that is not there is read after")
		}

		s.fail.Store(true)
		announce(t, s, 1)
		if _, err := f.Read(t.Context(), feed.Query{After: 26999}); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("Read of a store that fails: %v", err)
		}
		s.fail.Store(false)
		page, err := f.Read(t.Context(), feed.Query{After: 26999})
		if err != nil || len(page.Notices) != 2 || page.Last != 27001 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func TestFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		f := feed.New(s, feed.Options{})
		for range 2 { // from the store, then from the tail
			announce(t, s, 3)
			page, err := f.Read(t.Context(), feed.Query{Topics: []string{leyden.TopicBoot}})
			if err != nil || len(page.Notices) != 0 || page.More || page.Last%3 != 0 {
				t.Errorf("%+v, %v", page, err)
			}
			last := page.Last
			page, err = f.Read(t.Context(), feed.Query{After: last - 2, Limit: 1})
			if err != nil || len(page.Notices) != 1 || !page.More || page.Last != last-1 {
				t.Errorf("%+v, %v", page, err)
			}
		}
	})
}

// What is old is forgotten by itself, but for what is owed to somebody.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		var owed atomic.Int64
		owed.Store(1700)
		f := feed.New(s, feed.Options{Age: 72 * time.Hour, KeepAfter: func(context.Context) (int64, error) { return owed.Load(), nil }})
		announce(t, s, 1800)
		time.Sleep(time.Hour)
		announce(t, s, 5)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go f.Run(ctx, func(err error) { t.Error(err) })
		wantOldest := func(want int64) {
			t.Helper()
			if oldest, _, err := f.Bounds(t.Context()); oldest != want || err != nil {
				t.Errorf("the oldest is %d, %v; want %d", oldest, err, want)
			}
		}
		time.Sleep(70 * time.Hour)
		wantOldest(1)
		time.Sleep(time.Hour + 2*time.Minute)
		wantOldest(1701)
		owed.Store(9999)
		time.Sleep(2 * time.Minute)
		wantOldest(1801)
		_, err := f.Read(t.Context(), feed.Query{After: 7})
		if e, ok := errors.AsType[*feed.ForgottenError](err); !ok || e.Oldest != 1801 || e.Last != 1805 {
			t.Errorf("got %v", err)
		}
	})
}

func TestForgetFails(t *testing.T) {
	broken := errors.New("broken")
	f := feed.New(newCounted(), feed.Options{KeepAfter: func(context.Context) (int64, error) { return 0, broken }})
	if _, err := f.Forget(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Forget: %v", err)
	}
}
