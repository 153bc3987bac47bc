package feed

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"leyden"
)

const (
	// MinAge is the least time for which notices are kept: longer than anybody
	// tries to deliver them.
	MinAge = 72 * time.Hour
	// DefaultAge is for how long they are kept unless somebody says otherwise.
	DefaultAge = 168 * time.Hour

	// wakeDelay is how long commits are gathered before all that wait are woken.
	wakeDelay = 10 * time.Millisecond
	// forgetEvery is how often old notices are forgotten, and forgetBatch how many
	// in one commit: others wait for it.
	forgetEvery = time.Minute
	forgetBatch = 500
	// tailSize is how many of the newest notices are kept in memory at least, and
	// half of how many at most.
	tailSize = 4096
)

// Options are the settings of a [Feed]. Zero fields take the defaults in brackets.
type Options struct {
	Age time.Duration    // notices are forgotten when they are older [DefaultAge]
	Now func() time.Time // [time.Now]
	// Look is how often the Store is asked for what other processes wrote [a second].
	Look time.Duration
	// KeepAfter returns the Seq after which notices are still owed to somebody,
	// who was not sent them yet [nobody is owed any].
	KeepAfter func(context.Context) (int64, error)
}

// A Feed is read by many that follow the ledger. It is safe for concurrent use.
type Feed struct {
	store Store
	opt   Options
	tail  tail
	ended chan struct{}
	end   func() // closes ended, once

	mu      sync.Mutex // guards all below; never held while the store is asked
	last    int64      // the newest Seq that we know of
	shown   int64      // up to which those that wait were woken
	waiting int
	timed   bool          // they will be woken
	woken   chan struct{} // closed when they are
}

// New returns the feed of a store, which tells nobody else of its commits.
func New(store Store, o Options) *Feed {
	o.Age = cmp.Or(o.Age, DefaultAge)
	o.Look = cmp.Or(o.Look, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KeepAfter == nil {
		o.KeepAfter = func(context.Context) (int64, error) { return math.MaxInt64, nil }
	}
	f := &Feed{store: store, opt: o, ended: make(chan struct{}), woken: make(chan struct{})}
	f.end = sync.OnceFunc(func() { close(f.ended) })
	store.OnNotices(f.note)
	return f
}

// Run looks for what other processes wrote, and forgets what is old, until ctx is
// done; then the feed ends. report hears of what went wrong; it goes on regardless.
func (f *Feed) Run(ctx context.Context, report func(error)) {
	defer f.End()
	look, forget := time.NewTicker(f.opt.Look), time.NewTicker(forgetEvery)
	defer look.Stop()
	defer forget.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			err = f.look(ctx)
		case <-forget.C:
			_, err = f.Forget(ctx)
		}
		if err != nil && ctx.Err() == nil {
			report(err)
		}
	}
}

// End ends the feed: nobody waits any more. It can be read still.
func (f *Feed) End() { f.end() }

// Read returns a page of what q selects, as [Store] says of Notices. What it
// returns is shared: do not change it.
func (f *Feed) Read(ctx context.Context, q Query) (Page, error) {
	if page, ok, err := f.tail.read(ctx, f, q); ok || err != nil {
		return page, err
	}
	page, err := f.store.Notices(ctx, q)
	if err != nil {
		return page, err
	}
	if !page.More {
		f.tail.begin(page.Last)
	}
	return page, nil
}

// Bounds returns the Seq of the oldest notice that is kept, and of the newest, as
// [Store] says of NoticeBounds.
func (f *Feed) Bounds(ctx context.Context) (oldest, last int64, err error) {
	return f.store.NoticeBounds(ctx)
}

// Wait returns when there are notices after a Seq. It fails with [ErrEnded] when
// the feed ends, or with the context's error. Whoever read a page that is the last
// waits for its Last and misses nothing.
func (f *Feed) Wait(ctx context.Context, after int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting++
	defer func() { f.waiting-- }()
	for f.shown <= after {
		f.wakeSoon()
		woken := f.woken
		f.mu.Unlock()
		err := f.until(ctx, woken)
		f.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Feed) until(ctx context.Context, woken <-chan struct{}) error {
	select {
	case <-woken:
		return nil
	case <-f.ended:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note takes up that there are notices up to last.
func (f *Feed) note(last int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = max(f.last, last)
	f.wakeSoon()
}

// wakeSoon sees to it that those that wait are woken if there is something new.
func (f *Feed) wakeSoon() {
	if f.last <= f.shown || f.waiting == 0 || f.timed {
		return
	}
	f.timed = true
	time.AfterFunc(wakeDelay, f.wake)
}

func (f *Feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timed, f.shown = false, f.last
	close(f.woken)
	f.woken = make(chan struct{})
}

// known returns the newest Seq that we know of.
func (f *Feed) known() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// look finds what other processes wrote, for those that wait.
func (f *Feed) look(ctx context.Context) error {
	_, last, err := f.store.NoticeBounds(ctx)
	if err != nil {
		return fmt.Errorf("newest notice: %w", err)
	}
	f.note(last)
	return nil
}

// Forget forgets the notices that are old and owed to nobody, and returns how
// many.
func (f *Feed) Forget(ctx context.Context) (int, error) {
	keepAfter, err := f.opt.KeepAfter(ctx)
	if err != nil {
		return 0, fmt.Errorf("which notices are owed: %w", err)
	}
	before, all := f.opt.Now().Add(-f.opt.Age), 0
	for {
		n, err := f.store.ForgetNotices(ctx, before, keepAfter, forgetBatch)
		all += n
		if err != nil {
			return all, fmt.Errorf("forget notices: %w", err)
		}
		if n < forgetBatch {
			return all, nil
		}
	}
}

// A tail keeps the newest notices for all that follow them: one of them reads
// what is new, and the others have it.
type tail struct {
	mu      sync.Mutex
	begun   bool
	notices []leyden.Notice
	first   int64 // Seq of the first of them, or of the next to come
}

// begin lets the tail begin behind last, unless it has begun.
func (t *tail) begin(last int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.first, t.notices = true, last+1, nil
	}
}

func (t *tail) last() int64 { return t.first + int64(len(t.notices)) - 1 }

// read returns the page that q asks for, if all of it is in the tail.
func (t *tail) read(ctx context.Context, f *Feed, q Query) (page Page, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun || q.After < t.first-1 {
		return Page{}, false, nil
	}
	if err := t.grow(ctx, f); err != nil {
		return Page{}, false, err
	}
	if !t.begun || q.After < t.first-1 || q.After > t.last() {
		return Page{}, false, nil
	}
	found := NewCollector(q)
	for i := q.After + 1 - t.first; i < int64(len(t.notices)) && !found.Full(); i++ {
		found.Look(t.notices[i])
	}
	return found.Page(t.last()), true, nil
}

// grow reads what is new. A tail that is far behind is given up.
func (t *tail) grow(ctx context.Context, f *Feed) error {
	last := f.known()
	if last-t.last() > tailSize {
		t.begun, t.notices = false, nil
		return nil
	}
	for t.last() < last {
		page, err := f.store.Notices(ctx, Query{After: t.last()})
		t.notices = append(t.notices, page.Notices...)
		if err != nil || t.last() != page.Last {
			t.begun, t.notices = false, nil
			return err
		}
	}
	if len(t.notices) > 2*tailSize { // not one by one: they are copied
		over := len(t.notices) - tailSize
		t.first += int64(over)
		t.notices = slices.Clone(t.notices[over:])
	}
	return nil
}
