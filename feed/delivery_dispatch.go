package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"leyden"
)

const (
	// maxFlying bounds how many messages are on their way at once, to all webhooks,
	// beside ownSlots of each: receivers that take their time leave others those.
	maxFlying, ownSlots = 64, 2
	// sweepEvery is how often old deliveries are forgotten, sweepBatch in one commit.
	sweepEvery = time.Minute
	sweepBatch = 500
)

// A DispatcherConfig is what a [Dispatcher] works with. All fields must be set, but
// for those with a default in brackets.
type DispatcherConfig struct {
	Store WebhookStore
	Feed  *Feed
	// Render returns the body that announces a notice.
	Render func(context.Context, *leyden.Notice) ([]byte, error)
	// Within returns the stations that a reach covers now.
	Within func(context.Context, *Reach) ([]leyden.StationID, error)
	Vault  *Vault
	Sender *Sender
	Age    time.Duration // for how long delivered ones are kept
	Now    func() time.Time
	Log    *slog.Logger
	Chance func() float64 // from 0 to 1 [rand.Float64]
	// Look is how often one looks for webhooks that other processes changed; for
	// deliveries that they did, ten times as long [a second].
	Look time.Duration
}

// A Dispatcher sends events to webhooks: at least once, those of one line one
// after the other, those of different lines at once. Every webhook has a goroutine
// of its own: one whose receiver is slow or dead slows no other.
//
// What a receiver did not take is tried again, at ever longer intervals, until the
// delivery is [RetryFor] old; then it is dead. A receiver that fails again and
// again gets one message at a time, until one arrives; then all that wait are due.
type Dispatcher struct {
	DispatcherConfig
	slots chan struct{} // shared by all webhooks: one for each message on its way
	poked chan struct{}

	// Delivered, Failed and Died count deliveries, failed attempts and dead letters.
	Delivered, Failed, Died atomic.Uint64
}

// NewDispatcher returns one that does nothing before [Dispatcher.Run].
func NewDispatcher(c DispatcherConfig) *Dispatcher {
	if c.Chance == nil {
		c.Chance = rand.Float64
	}
	c.Look = cmp.Or(c.Look, time.Second)
	return &Dispatcher{DispatcherConfig: c, slots: make(chan struct{}, maxFlying), poked: make(chan struct{}, 1)}
}

// Poke says that webhooks or deliveries were changed; without it that is seen
// within seconds.
func (d *Dispatcher) Poke() { nudge(d.poked) }

// nudge wakes who waits for c, now or when it next does.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends until ctx is done, and returns when nothing is on its way any more.
func (d *Dispatcher) Run(ctx context.Context) {
	targets := &targets{dispatcher: d, running: make(map[string]*target)}
	defer targets.wait()
	refresh, sweep := time.NewTicker(d.Look), time.NewTicker(sweepEvery)
	defer refresh.Stop()
	defer sweep.Stop()
	for {
		if err := targets.refresh(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("webhooks", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-refresh.C:
		case <-d.poked:
			targets.nudge()
		case <-sweep.C:
			if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
				d.Log.Error("webhooks", "err", err)
			}
		}
	}
}

// sweep forgets what is old.
func (d *Dispatcher) sweep(ctx context.Context) error {
	now := d.Now()
	for {
		n, err := d.Store.ForgetDeliveries(ctx, now.Add(-d.Age), now.Add(-DeadFor), sweepBatch)
		if err != nil {
			return fmt.Errorf("forget deliveries: %w", err)
		}
		if n < sweepBatch {
			return nil
		}
	}
}

// OwedAfter returns the Seq after which notices are still owed to webhooks that
// run, for the KeepAfter of [Options].
func OwedAfter(ctx context.Context, s WebhookStore) (int64, error) {
	all, err := s.Webhooks(ctx)
	if err != nil {
		return 0, fmt.Errorf("webhooks: %w", err)
	}
	after := int64(math.MaxInt64)
	for i := range all {
		if all[i].Paused == "" {
			after = min(after, all[i].Cursor)
		}
	}
	return after, nil
}

// Test sends a webhook a message right now that announces nothing, and returns
// what came of it. If it arrived, what waits for another attempt is due.
func (d *Dispatcher) Test(ctx context.Context, w *Webhook, id string, body []byte) (Answer, error) {
	secrets, err := d.Vault.SecretsOf(w, d.Now())
	if err != nil {
		return Answer{}, err
	}
	a := d.Sender.Send(ctx, Message{URL: w.URL, ID: id, Body: body, Secrets: secrets})
	if a.Error != "" {
		return a, nil
	}
	_, err = d.Store.WakeDeliveries(ctx, w.ID, d.Now(), wakeBatch)
	d.Poke()
	return a, err
}

// targets are the webhooks that are served. One goroutine owns them.
type targets struct {
	dispatcher *Dispatcher
	running    map[string]*target
	group      sync.WaitGroup
}

func (all *targets) wait() {
	for _, t := range all.running {
		t.stop()
	}
	all.group.Wait()
}

func (all *targets) nudge() {
	for _, t := range all.running {
		nudge(t.nudged)
	}
}

// refresh begins with webhooks that are new, ends with those that are gone, and
// tells the others what is kept of them.
func (all *targets) refresh(ctx context.Context) error {
	list, err := all.dispatcher.Store.Webhooks(ctx)
	if err != nil {
		return err
	}
	kept := make(map[string]bool, len(list))
	for i := range list {
		w := &list[i]
		kept[w.ID] = true
		if t := all.running[w.ID]; t != nil {
			t.tell(w)
			continue
		}
		own, stop := context.WithCancel(ctx)
		t := newTarget(all.dispatcher, w, stop)
		all.running[w.ID] = t
		all.group.Go(func() { t.run(own) })
	}
	for id, t := range all.running {
		if !kept[id] {
			t.stop()
			delete(all.running, id)
		}
	}
	return nil
}

// SecretsOf returns what signs for a webhook: the new secret, and the former one
// while that is still good.
func (v *Vault) SecretsOf(w *Webhook, now time.Time) ([]SigningSecret, error) {
	secret, err := v.Open(w.ID, w.Secret)
	if err != nil {
		return nil, err
	}
	secrets := []SigningSecret{secret}
	if now.Before(w.FormerUntil) {
		former, err := v.Open(w.ID, w.Former)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, former)
	}
	return secrets, nil
}

// pause stops a webhook whose receiver is gone, whoever else changes it at the same
// time; with another URL it has another receiver.
func (d *Dispatcher) pause(ctx context.Context, gone *Webhook) error {
	for {
		w, err := d.Store.Webhook(ctx, gone.ID)
		if errors.Is(err, leyden.ErrNotFound) || err == nil && (w.URL != gone.URL || w.Paused != "") {
			return nil
		}
		if err != nil {
			return err
		}
		w.Pause(PausedGone, d.Now())
		w.UpdatedAt = d.Now()
		w.Version++
		if err := d.Store.SaveWebhook(ctx, w); !errors.Is(err, leyden.ErrStale) {
			return err
		}
	}
}
