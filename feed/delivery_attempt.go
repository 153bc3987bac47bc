package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// leastAttempts is how often a delivery is tried at least: one that waited long
// behind others, or for a server that was off, gets a chance too.
const leastAttempts = 5

// attempt sends one message and keeps what came of it. It ends what it began when
// ctx is done: a message that arrived shall be known to have.
func (t *target) attempt(ctx context.Context, w *Webhook, d *Delivery) outcome {
	select {
	case t.own <- struct{}{}:
		defer func() { <-t.own }()
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return outcome{delivery: d.ID}
	}
	s, o := t.try(context.WithoutCancel(ctx), w, d)
	t.settle(ctx, s)
	return o
}

// try sends one message and decides what becomes of it.
func (t *target) try(ctx context.Context, w *Webhook, d *Delivery) (*Settlement, outcome) {
	s, o := &Settlement{Delivery: d.ID, Status: DeliveryDead, Body: d.Body}, outcome{delivery: d.ID}
	body, err := t.body(ctx, d)
	var secrets []SigningSecret
	if err == nil {
		secrets, err = t.Vault.SecretsOf(w, t.Now())
	}
	if err != nil {
		s.Attempt = Attempt{At: t.Now(), Error: readable(err.Error())}
		if !errors.Is(err, errForgotten) {
			t.retry(s, d, 0)
		}
		return s, o
	}
	a := t.Sender.Send(ctx, Message{URL: w.URL, ID: MessageID(d.Seq), Body: body, Secrets: secrets})
	s.Attempt, s.Body = a.Attempt, body
	o.judged, o.ok, o.gone = true, a.Error == "", a.Gone
	if o.ok {
		s.Status = DeliveryDelivered
		return s, o
	}
	t.retry(s, d, a.RetryAfter)
	return s, o
}

// MessageID is how a receiver knows the message about a notice, whichever attempt
// it comes with.
func MessageID(seq int64) string { return "evt_" + strconv.FormatInt(seq, 10) }

var errForgotten = errors.New("the event was forgotten before it could be sent")

// body returns what is to be sent: the same as before, if it was sent before.
func (t *target) body(ctx context.Context, d *Delivery) ([]byte, error) {
	if len(d.Body) > 0 {
		return d.Body, nil
	}
	page, err := t.Feed.Read(ctx, Query{After: d.Seq - 1, Limit: 1})
	if _, ok := errors.AsType[*ForgottenError](err); ok {
		return nil, errForgotten
	}
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	if len(page.Notices) == 0 || page.Notices[0].Seq != d.Seq {
		return nil, errForgotten
	}
	body, err := t.Render(ctx, &page.Notices[0])
	if err != nil {
		return nil, fmt.Errorf("put the event together: %w", err)
	}
	return body, nil
}

// retry lets a delivery be tried again, unless its time is over. The last attempt
// is made when that ends.
func (t *target) retry(s *Settlement, d *Delivery, wish time.Duration) {
	attempts, now, end := d.Attempts+1, s.Attempt.At, d.Since.Add(RetryFor)
	if attempts >= leastAttempts && !now.Before(end) {
		return
	}
	next := now.Add(max(wish, backoff(attempts, t.Chance())))
	if now.Before(end) {
		next = earlier(next, end)
	}
	s.Status, s.NextAt = DeliveryPending, next
}

// settle keeps what came of an attempt. While storage fails it tries again: the
// receiver has the message already.
func (t *target) settle(ctx context.Context, s *Settlement) {
	for {
		err := t.Store.SettleDelivery(context.WithoutCancel(ctx), *s)
		if err == nil {
			t.count(s)
			return
		}
		t.Log.Error("webhook", "webhook", t.id, "delivery", s.Delivery, "err", err)
		timer := time.NewTimer(afterTrouble)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (t *target) count(s *Settlement) {
	switch s.Status {
	case DeliveryDelivered:
		t.Delivered.Add(1)
	case DeliveryDead:
		t.Died.Add(1)
		t.Failed.Add(1)
	default:
		t.Failed.Add(1)
	}
}
