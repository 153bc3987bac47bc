package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"leyden"
	"leyden/feed"
)

var _ feed.WebhookStore = (*Store)(nil)

// webhooks are what is kept of webhooks and of what is on its way to them.
type webhooks struct {
	all        map[string]feed.Webhook
	deliveries map[string]*feed.Delivery
	bySeq      map[webhookSeq]string
}

type webhookSeq struct {
	webhook string
	seq     int64
}

func newWebhooks() webhooks {
	return webhooks{
		all: make(map[string]feed.Webhook), deliveries: make(map[string]*feed.Delivery), bySeq: make(map[webhookSeq]string),
	}
}

// hooked calls f with what is kept of webhooks.
func (s *Store) hooked(ctx context.Context, f func(*webhooks) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(&s.webhooks)
}

// SaveWebhook implements [feed.WebhookStore].
func (s *Store) SaveWebhook(ctx context.Context, w feed.Webhook) error {
	if err := w.Check(); err != nil {
		return err
	}
	return s.hooked(ctx, func(h *webhooks) error {
		old, there := h.all[w.ID]
		if old.Version != w.Version-1 {
			return leyden.ErrStale
		}
		kept := detach(w)
		kept.FailingSince = old.FailingSince
		if there {
			kept.Cursor = old.Cursor
		}
		h.all[kept.ID] = kept
		return nil
	})
}

// Webhook implements [feed.WebhookStore].
func (s *Store) Webhook(ctx context.Context, id string) (feed.Webhook, error) {
	return get(ctx, s, s.webhooks.all, id)
}

// Webhooks implements [feed.WebhookStore].
func (s *Store) Webhooks(ctx context.Context) (list []feed.Webhook, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		list = detach(slices.SortedFunc(maps.Values(h.all), func(a, b feed.Webhook) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		}))
		return nil
	})
	return list, err
}

// RemoveWebhook implements [feed.WebhookStore].
func (s *Store) RemoveWebhook(ctx context.Context, id string) error {
	return s.hooked(ctx, func(h *webhooks) error {
		if _, ok := h.all[id]; !ok {
			return leyden.ErrNotFound
		}
		delete(h.all, id)
		for _, d := range h.of(id) {
			h.forget(d)
		}
		return nil
	})
}

// MarkFailing implements [feed.WebhookStore].
func (s *Store) MarkFailing(ctx context.Context, webhook string, since time.Time) error {
	return s.hooked(ctx, func(h *webhooks) error {
		if w, ok := h.all[webhook]; ok {
			w.FailingSince = detach(since)
			h.all[w.ID] = w
		}
		return nil
	})
}

// EnqueueDeliveries implements [feed.WebhookStore].
func (s *Store) EnqueueDeliveries(ctx context.Context, webhook string, from, to int64, list []feed.Delivery) error {
	for i := range list {
		if err := list[i].Check(); err != nil {
			return err
		}
		if list[i].Webhook != webhook {
			return fmt.Errorf("delivery %s is of webhook %s: %w", list[i].ID, list[i].Webhook, leyden.ErrInvalid)
		}
	}
	return s.hooked(ctx, func(h *webhooks) error {
		w, ok := h.all[webhook]
		if !ok {
			return leyden.ErrNotFound
		}
		if w.Cursor != from {
			return leyden.ErrStale
		}
		w.Cursor = to
		h.all[w.ID] = w
		for i := range list {
			if key := (webhookSeq{w.ID, list[i].Seq}); h.bySeq[key] == "" {
				kept := detach(list[i])
				h.deliveries[kept.ID], h.bySeq[key] = &kept, kept.ID
			}
		}
		return nil
	})
}

// of returns the deliveries of a webhook, by Seq.
func (h *webhooks) of(webhook string) []*feed.Delivery {
	var list []*feed.Delivery
	for _, d := range h.deliveries {
		if d.Webhook == webhook {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *feed.Delivery) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

func (h *webhooks) forget(d *feed.Delivery) {
	delete(h.deliveries, d.ID)
	delete(h.bySeq, webhookSeq{d.Webhook, d.Seq})
}

// heads returns the first pending delivery of every line, by Seq.
func (h *webhooks) heads(webhook string) []*feed.Delivery {
	var list []*feed.Delivery
	lines := make(map[string]bool)
	for _, d := range h.of(webhook) {
		if d.Status == feed.DeliveryPending && !lines[d.Line] {
			lines[d.Line] = true
			list = append(list, d)
		}
	}
	return list
}

// DeliveryHeads implements [feed.WebhookStore].
func (s *Store) DeliveryHeads(ctx context.Context, webhook string, limit int) (list []feed.Delivery, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		found := h.heads(webhook)
		slices.SortStableFunc(found, func(a, b *feed.Delivery) int { return a.NextAt.Compare(b.NextAt) })
		for _, d := range found[:min(limit, len(found))] {
			list = append(list, detach(*d))
		}
		return nil
	})
	return list, err
}

// SettleDelivery implements [feed.WebhookStore].
func (s *Store) SettleDelivery(ctx context.Context, one feed.Settlement) error {
	return s.hooked(ctx, func(h *webhooks) error {
		d := h.deliveries[one.Delivery]
		if d == nil || d.Status != feed.DeliveryPending {
			return nil
		}
		d.Settle(new(detach(one)))
		if d.Status != feed.DeliveryPending {
			h.moveUp(d, one.Attempt.At)
		}
		return nil
	})
}

// moveUp makes the next of a line its head, after one that ended.
func (h *webhooks) moveUp(ended *feed.Delivery, at time.Time) {
	for _, d := range h.of(ended.Webhook) {
		if d.Line == ended.Line && d.Status == feed.DeliveryPending {
			d.NextAt = detach(at)
			return
		}
	}
}

// WakeDeliveries implements [feed.WebhookStore].
func (s *Store) WakeDeliveries(ctx context.Context, webhook string, at time.Time, limit int) (n int, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		for _, d := range h.heads(webhook) {
			if d.NextAt.After(at) && n < limit {
				d.NextAt = detach(at)
				n++
			}
		}
		return nil
	})
	return n, err
}

// ExpireDeliveries implements [feed.WebhookStore].
func (s *Store) ExpireDeliveries(ctx context.Context, webhook string, before, at time.Time, limit int) (n int, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		due := slices.DeleteFunc(h.of(webhook), func(d *feed.Delivery) bool {
			return d.Status != feed.DeliveryPending || !d.Since.Before(before)
		})
		slices.SortStableFunc(due, func(a, b *feed.Delivery) int { return a.Since.Compare(b.Since) })
		n = min(limit, len(due))
		for _, d := range due[:n] {
			d.Expire(detach(at))
			h.moveUp(d, at)
		}
		return nil
	})
	return n, err
}

// ReplayDelivery implements [feed.WebhookStore].
func (s *Store) ReplayDelivery(ctx context.Context, id string, at time.Time) (replayed feed.Delivery, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		d := h.deliveries[id]
		if d == nil {
			return leyden.ErrNotFound
		}
		if d.Status == feed.DeliveryPending {
			return fmt.Errorf("delivery %s is pending: %w", id, leyden.ErrState)
		}
		d.Replay(detach(at))
		replayed = detach(*d)
		return nil
	})
	return replayed, err
}

// Delivery implements [feed.WebhookStore].
func (s *Store) Delivery(ctx context.Context, id string) (found feed.Delivery, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		d := h.deliveries[id]
		if d == nil {
			return leyden.ErrNotFound
		}
		found = detach(*d)
		return nil
	})
	return found, err
}

// Deliveries implements [feed.WebhookStore].
func (s *Store) Deliveries(ctx context.Context, q feed.DeliveryQuery) (list []feed.Delivery, total int, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		found := slices.DeleteFunc(h.of(q.Webhook), func(d *feed.Delivery) bool {
			return q.Status != "" && d.Status != q.Status || q.Event != "" && d.Event != q.Event ||
				q.Transaction != 0 && d.Transaction != q.Transaction
		})
		total = min(len(found), feed.MaxCounted+1)
		slices.Reverse(found)
		for _, d := range found {
			if q.Before == 0 || d.Seq < q.Before {
				listed := *d
				listed.Body = nil
				list = append(list, listed)
			}
		}
		list = part(list, leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		return nil
	})
	return list, total, err
}

// DeliveryTallies implements [feed.WebhookStore].
func (s *Store) DeliveryTallies(ctx context.Context) (tallies map[string]feed.DeliveryTally, err error) {
	tallies = make(map[string]feed.DeliveryTally)
	err = s.hooked(ctx, func(h *webhooks) error {
		for _, d := range h.deliveries {
			t := tallies[d.Webhook]
			switch d.Status {
			case feed.DeliveryPending:
				t.Pending++
			case feed.DeliveryDead:
				t.Dead++
			default:
				continue
			}
			tallies[d.Webhook] = t
		}
		return nil
	})
	return tallies, err
}

// ForgetDeliveries implements [feed.WebhookStore].
func (s *Store) ForgetDeliveries(ctx context.Context, delivered, dead time.Time, limit int) (n int, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		var due []*feed.Delivery
		for _, d := range h.deliveries {
			if d.Status == feed.DeliveryDelivered && d.EndedAt.Before(delivered) || d.Status == feed.DeliveryDead && d.EndedAt.Before(dead) {
				due = append(due, d)
			}
		}
		slices.SortFunc(due, func(a, b *feed.Delivery) int {
			return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.ID, b.ID))
		})
		n = min(limit, len(due))
		for _, d := range due[:n] {
			h.forget(d)
		}
		return nil
	})
	return n, err
}
