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
	of         map[string]*mailbag // by webhook
}

// A mailbag holds the deliveries of one webhook.
type mailbag struct {
	bySeq []*feed.Delivery            // in that order
	lines map[string][]*feed.Delivery // those that are pending, by Seq; none of them is empty
}

func newWebhooks() webhooks {
	return webhooks{all: make(map[string]feed.Webhook), deliveries: make(map[string]*feed.Delivery), of: make(map[string]*mailbag)}
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

// bag returns the deliveries of a webhook, which need not be there.
func (h *webhooks) bag(webhook string) *mailbag {
	if b := h.of[webhook]; b != nil {
		return b
	}
	return &mailbag{lines: make(map[string][]*feed.Delivery)}
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
		h.all[kept.ID], h.of[kept.ID] = kept, h.bag(kept.ID)
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
func (s *Store) RemoveWebhook(ctx context.Context, id string, version int) error {
	return s.hooked(ctx, func(h *webhooks) error {
		w, ok := h.all[id]
		if !ok {
			return leyden.ErrNotFound
		}
		if version != 0 && version != w.Version {
			return leyden.ErrStale
		}
		for _, d := range h.bag(id).bySeq {
			delete(h.deliveries, d.ID)
		}
		delete(h.all, id)
		delete(h.of, id)
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
			h.add(detach(list[i]))
		}
		return nil
	})
}

func bySeq(d *feed.Delivery, seq int64) int { return cmp.Compare(d.Seq, seq) }

// add adds a delivery, unless there is one of its Seq.
func (h *webhooks) add(d feed.Delivery) {
	bag := h.bag(d.Webhook)
	i, there := slices.BinarySearchFunc(bag.bySeq, d.Seq, bySeq)
	if there {
		return
	}
	bag.bySeq = slices.Insert(bag.bySeq, i, &d)
	h.deliveries[d.ID] = &d
	if d.Status == feed.DeliveryPending {
		bag.queue(&d)
	}
}

// queue puts a pending delivery into its line.
func (b *mailbag) queue(d *feed.Delivery) {
	line := b.lines[d.Line]
	i, _ := slices.BinarySearchFunc(line, d.Seq, bySeq)
	b.lines[d.Line] = slices.Insert(line, i, d)
}

// moveUp takes a delivery that ended out of its line; the next may be sent from then
// on.
func (b *mailbag) moveUp(ended *feed.Delivery, at time.Time) {
	line := slices.DeleteFunc(b.lines[ended.Line], func(d *feed.Delivery) bool { return d == ended })
	if len(line) == 0 {
		delete(b.lines, ended.Line)
		return
	}
	b.lines[ended.Line], line[0].NextAt = line, detach(at)
}

// forget takes a delivery that ended away.
func (h *webhooks) forget(d *feed.Delivery) {
	bag := h.bag(d.Webhook)
	i, _ := slices.BinarySearchFunc(bag.bySeq, d.Seq, bySeq)
	bag.bySeq = slices.Delete(bag.bySeq, i, i+1)
	delete(h.deliveries, d.ID)
}

// heads returns the first pending delivery of every line, by NextAt, then Seq.
func (b *mailbag) heads() []*feed.Delivery {
	list := make([]*feed.Delivery, 0, len(b.lines))
	for _, line := range b.lines {
		list = append(list, line[0])
	}
	slices.SortFunc(list, func(a, b *feed.Delivery) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Seq, b.Seq))
	})
	return list
}

// DeliveryHeads implements [feed.WebhookStore].
func (s *Store) DeliveryHeads(ctx context.Context, webhook string, limit int) (list []feed.Delivery, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		found := h.bag(webhook).heads()
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
			h.bag(d.Webhook).moveUp(d, one.Attempt.At)
		}
		return nil
	})
}

// WakeDeliveries implements [feed.WebhookStore].
func (s *Store) WakeDeliveries(ctx context.Context, webhook string, at time.Time, limit int) (n int, err error) {
	err = s.hooked(ctx, func(h *webhooks) error {
		for _, d := range h.bag(webhook).heads() {
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
		bag := h.bag(webhook)
		var due []*feed.Delivery
		for _, line := range bag.lines {
			for _, d := range line {
				if d.Since.Before(before) {
					due = append(due, d)
				}
			}
		}
		slices.SortFunc(due, func(a, b *feed.Delivery) int {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Seq, b.Seq))
		})
		n = min(limit, len(due))
		for _, d := range due[:n] {
			d.Expire(detach(at))
			bag.moveUp(d, at)
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
		h.bag(d.Webhook).queue(d)
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
		for _, d := range slices.Backward(h.bag(q.Webhook).bySeq) {
			if q.Status != "" && d.Status != q.Status || q.Event != "" && d.Event != q.Event ||
				q.Transaction != 0 && d.Transaction != q.Transaction {
				continue
			}
			total++
			if q.Before == 0 || d.Seq < q.Before {
				listed := *d
				listed.Body = nil
				list = append(list, listed)
			}
		}
		total = min(total, feed.MaxCounted+1)
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
