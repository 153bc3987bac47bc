package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leyden"
)

const (
	// maxParallel is how many messages are on their way to one webhook at most. It
	// begins with firstParallel, doubles with every success and halves with every
	// failure.
	maxParallel, firstParallel = 16, 2
	// failing is after how many failures, one after the other, a receiver is taken
	// to be down. It is tried again after firstBackoff, doubling to maxProbe.
	failing  = 5
	maxProbe = time.Minute
	// UpdateGap is the least time between two events transaction.updated of one
	// transaction.
	UpdateGap = 30 * time.Second

	enqueueBatch = 500                    // notices that are looked up for one commit
	enqueueGap   = 100 * time.Millisecond // between two commits
	cursorGap    = 1000                   // how far a Cursor may lag when there is nothing to send
	cursorEvery  = 10 * time.Second       // and for how long
	afterTrouble = time.Second            // until one tries again after storage failed
	expireBatch  = 500                    // deliveries that are given up in one commit
	wakeBatch    = 500                    // and that are made due
	lookAhead    = 64                     // heads that are read at a time
)

// A target is a webhook that is served. What is not said to be shared belongs to
// the goroutine of run.
type target struct {
	*Dispatcher
	id     string
	stop   context.CancelFunc
	told   atomic.Pointer[Webhook] // shared: what is kept of it now
	nudged chan struct{}           // shared: look again
	news   chan struct{}           // shared: there are notices that were not looked at
	done   chan outcome            // shared: attempts that ended
	group  sync.WaitGroup          // the goroutines of it

	webhook *Webhook
	health  health
	own     chan struct{}   // shared: slots that no other webhook takes
	flying  map[string]bool // deliveries under way
	heads   []Delivery      // that were due when they were read, and are to be sent next

	cursor    int64 // up to here notices were looked at
	saved     int64 // the Cursor that is kept
	savedAt   time.Time
	behind    bool // there may be notices after cursor
	waiting   bool // somebody waits for more
	waking    bool // what waits for another attempt is to be made due
	enqueueAt time.Time
	updates   updates
}

// An outcome is what the goroutine of a target learns of an attempt.
type outcome struct {
	delivery string
	judged   bool // it tells of the receiver
	ok, gone bool
}

func newTarget(d *Dispatcher, w *Webhook, stop context.CancelFunc) *target {
	t := &target{
		Dispatcher: d, id: w.ID, stop: stop, nudged: make(chan struct{}, 1), news: make(chan struct{}, 1),
		done: make(chan outcome, maxParallel), own: make(chan struct{}, ownSlots), flying: make(map[string]bool), webhook: w,
		cursor: w.Cursor, saved: w.Cursor, savedAt: d.Now(), behind: true,
		health: health{parallel: firstParallel, since: w.FailingSince}, updates: updates{last: make(map[leyden.TransactionID]time.Time)},
	}
	t.told.Store(w)
	return t
}

// tell says what is kept of the webhook now.
func (t *target) tell(w *Webhook) {
	if t.told.Swap(w).Version != w.Version {
		nudge(t.nudged)
	}
}

func (t *target) run(ctx context.Context) {
	defer t.group.Wait()
	for {
		wait, err := t.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Log.Error("webhook", "webhook", t.id, "err", err)
			wait = afterTrouble
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-t.nudged:
		case <-t.news:
			t.waiting, t.behind = false, true
		case o := <-t.done:
			err = t.noteAll(ctx, o)
		}
		timer.Stop()
		if err != nil && ctx.Err() == nil {
			t.Log.Error("webhook", "webhook", t.id, "err", err)
		}
	}
}

// step does what is to be done now, and returns when to look again at the latest.
func (t *target) step(ctx context.Context) (time.Duration, error) {
	t.adopt()
	if t.webhook.Paused != "" {
		return 10 * t.Look, nil
	}
	for _, do := range []func(context.Context) error{t.catchUp, t.wake, t.expire} {
		if err := do(ctx); err != nil {
			return 0, err
		}
	}
	next, err := t.launch(ctx)
	if t.behind && t.enqueueAt.Before(next) {
		next = t.enqueueAt
	}
	return max(0, next.Sub(t.Now())), err
}

// adopt takes up a change of the webhook: whatever was wrong may be right now.
func (t *target) adopt() {
	w := t.told.Load()
	if w.Version == t.webhook.Version {
		return
	}
	t.webhook, t.waking, t.heads = w, true, nil
	t.health = health{parallel: firstParallel, since: t.health.since}
}

// wake makes all that wait for another attempt due, a part of them at a time.
func (t *target) wake(ctx context.Context) error {
	if !t.waking {
		return nil
	}
	n, err := t.Store.WakeDeliveries(ctx, t.id, t.Now(), wakeBatch)
	if err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	t.waking = n == wakeBatch
	if t.waking {
		nudge(t.nudged)
	}
	return nil
}

// catchUp makes deliveries of what was announced since it last looked.
func (t *target) catchUp(ctx context.Context) error {
	now := t.Now()
	if !t.behind || now.Before(t.enqueueAt) {
		return nil
	}
	t.enqueueAt = now.Add(enqueueGap)
	if err := t.enqueue(ctx, now); err != nil {
		return err
	}
	if t.behind || t.waiting {
		return nil
	}
	t.waiting = true
	after := t.cursor
	t.group.Go(func() {
		if err := t.Feed.Wait(ctx, after); err == nil {
			nudge(t.news)
		}
	})
	return nil
}

func (t *target) enqueue(ctx context.Context, now time.Time) error {
	q := Query{After: t.cursor, Limit: enqueueBatch, Topics: t.webhook.Events}
	if t.webhook.Reach != nil {
		within, err := t.Within(ctx, t.webhook.Reach)
		if err != nil {
			return fmt.Errorf("reach of webhook %s: %w", t.id, err)
		}
		q.Stations = append([]leyden.StationID{}, within...) // nil were all stations
	}
	page, err := t.Feed.Read(ctx, q)
	if e, ok := errors.AsType[*ForgottenError](err); ok {
		return t.skip(ctx, e, now)
	}
	if err != nil {
		return err
	}
	var list []Delivery
	t.updates.begin()
	for i := range page.Notices {
		if n := &page.Notices[i]; t.updates.admit(n) {
			list = append(list, NewDelivery(t.id, n, now))
		}
	}
	if len(list) > 0 || page.Last-t.saved >= cursorGap || page.Last > t.saved && now.Sub(t.savedAt) >= cursorEvery {
		if err := t.move(ctx, page.Last, list); err != nil {
			t.updates.undo()
			return err
		}
	}
	t.cursor, t.behind = page.Last, page.More
	return nil
}

// move keeps deliveries, and how far one looked for them.
func (t *target) move(ctx context.Context, to int64, list []Delivery) error {
	err := t.Store.EnqueueDeliveries(ctx, t.id, t.saved, to, list)
	if errors.Is(err, leyden.ErrNotFound) {
		return nil // it was removed: this ends soon
	}
	if errors.Is(err, leyden.ErrStale) {
		err = errors.Join(err, t.again(ctx))
	}
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	t.saved, t.savedAt = to, t.Now()
	return nil
}

// again begins anew from the Cursor that is kept: a commit that was thought to have
// failed was made.
func (t *target) again(ctx context.Context) error {
	w, err := t.Store.Webhook(ctx, t.id)
	if err == nil {
		t.cursor, t.saved, t.behind = w.Cursor, w.Cursor, true
	}
	return err
}

// EventGap is the event of the dead letter that stands for events that were
// forgotten before they could be sent.
const EventGap = "webhook.gap"

// skip goes on where there are notices again, and leaves a dead letter.
func (t *target) skip(ctx context.Context, e *ForgottenError, now time.Time) error {
	to, list := e.Last, []Delivery(nil)
	if e.After < e.Oldest-1 {
		to = e.Oldest - 1
		gap := NewDelivery(t.id, &leyden.Notice{Seq: to, Topic: EventGap}, now)
		gap.Log = []Attempt{{At: now, Error: fmt.Sprintf("the events from %d to %d were forgotten before they could be sent", e.After+1, to)}}
		gap.Expire(now)
		list = append(list, gap)
	}
	t.Log.Warn("a webhook missed events", "webhook", t.id, "after", e.After, "up to", to)
	if err := t.move(ctx, to, list); err != nil {
		return err
	}
	t.cursor, t.behind = to, true
	return nil
}

// expire gives up what is old, of a receiver that was down for as long, and is still:
// after a pause, a change or a start of ours it is tried before.
func (t *target) expire(ctx context.Context) error {
	now := t.Now()
	if t.health.since.IsZero() || now.Sub(t.health.since) < RetryFor || t.health.failures < failing || len(t.flying) > 0 {
		return nil
	}
	t.heads = nil
	n, err := t.Store.ExpireDeliveries(ctx, t.id, now.Add(-RetryFor), now, expireBatch)
	t.Died.Add(uint64(n))
	if err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	if n == expireBatch {
		nudge(t.nudged)
	}
	return nil
}

// launch begins what is due, as far as there is room, and returns when to look
// again.
func (t *target) launch(ctx context.Context) (time.Time, error) {
	now := t.Now()
	later := now.Add(10 * t.Look)
	free := t.health.parallel - len(t.flying)
	if free <= 0 {
		return later, nil
	}
	if now.Before(t.health.down) {
		return earlier(later, t.health.down), nil
	}
	if len(t.heads) < free {
		next, err := t.look(ctx, now)
		if err != nil {
			return later, err
		}
		later = earlier(later, next)
	}
	n := min(free, len(t.heads))
	for _, h := range t.heads[:n] {
		t.flying[h.ID] = true
		w := t.webhook
		t.group.Go(func() { t.done <- t.attempt(ctx, w, &h) })
	}
	t.heads = t.heads[n:]
	return later, nil
}

// look reads which heads are due, more than are sent at once: to read them for
// each message that ends costs more than to send it. It returns when the next one
// is due.
func (t *target) look(ctx context.Context, now time.Time) (next time.Time, err error) {
	next = now.Add(10 * t.Look)
	all, err := t.Store.DeliveryHeads(ctx, t.id, len(t.flying)+lookAhead)
	if err != nil {
		return next, fmt.Errorf("heads: %w", err)
	}
	all = slices.DeleteFunc(all, func(h Delivery) bool { return t.flying[h.ID] })
	due := slices.IndexFunc(all, func(h Delivery) bool { return h.NextAt.After(now) })
	if due < 0 {
		due = len(all)
	}
	if due < len(all) {
		next = all[due].NextAt
	}
	t.heads = all[:due]
	return next, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// noteAll takes up what came of an attempt, and of others that ended by now.
func (t *target) noteAll(ctx context.Context, o outcome) error {
	for {
		if err := t.note(ctx, o); err != nil {
			return err
		}
		select {
		case o = <-t.done:
		default:
			return nil
		}
	}
}

// note takes up what came of an attempt.
func (t *target) note(ctx context.Context, o outcome) error {
	delete(t.flying, o.delivery)
	if !o.judged {
		return nil
	}
	before := t.health.since
	t.health.judge(o.ok, t.Now())
	if o.gone {
		t.Log.Warn("a webhook is paused", "webhook", t.id, "reason", PausedGone)
		if err := t.pause(ctx, t.webhook); err != nil {
			return err
		}
		t.Poke()
	}
	if before.IsZero() == t.health.since.IsZero() {
		return nil
	}
	t.waking = t.waking || o.ok
	return t.Store.MarkFailing(ctx, t.id, t.health.since)
}

// health is what one thinks of a receiver.
type health struct {
	parallel int       // how many messages it may be sent at once
	failures int       // one after the other
	since    time.Time // when it went down; zero for a receiver that is not
	down     time.Time // until then it is left alone
}

func (h *health) judge(ok bool, now time.Time) {
	if ok {
		*h = health{parallel: min(maxParallel, h.parallel*2)}
		return
	}
	h.failures++
	h.parallel = max(1, h.parallel/2)
	if h.failures < failing {
		return
	}
	if h.since.IsZero() {
		h.since = now
	}
	h.down = now.Add(min(maxProbe, firstBackoff<<min(h.failures-failing, 10)))
}

// updates thins out the events transaction.updated.
type updates struct {
	last  map[leyden.TransactionID]time.Time // when one was let through
	fresh map[leyden.TransactionID]time.Time // what was there before the batch changed it
	now   time.Time                          // when the newest was announced
	swept time.Time
}

// begin begins a batch.
func (u *updates) begin() {
	u.fresh = make(map[leyden.TransactionID]time.Time)
	if u.now.Sub(u.swept) < UpdateGap {
		return
	}
	u.swept = u.now
	for id, at := range u.last {
		if u.now.Sub(at) >= UpdateGap {
			delete(u.last, id)
		}
	}
}

// admit reports whether a notice is to be sent.
func (u *updates) admit(n *leyden.Notice) bool {
	if n.Topic != leyden.TopicUpdated {
		return true
	}
	if n.At.After(u.now) {
		u.now = n.At
	}
	last := u.last[n.Transaction]
	if !last.IsZero() && n.At.Sub(last).Abs() < UpdateGap {
		return false
	}
	if _, there := u.fresh[n.Transaction]; !there {
		u.fresh[n.Transaction] = last
	}
	u.last[n.Transaction] = n.At
	return true
}

// undo forgets the batch.
func (u *updates) undo() {
	for id, at := range u.fresh {
		u.last[id] = at
	}
}
