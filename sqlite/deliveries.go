package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/feed"
)

// insertDelivery adds one, as the head of its line if none is pending there.
func insertDelivery(c *sqlite.Conn, d *feed.Delivery, log string) error {
	const insert = `
INSERT INTO deliveries (id, webhook, seq, event, station, transaction_id, line, status, attempts, since, next_at, created_at,
  ended_at, log, body, head)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?8 = 'pending' AND NOT EXISTS (
  SELECT 1 FROM deliveries WHERE webhook = ?2 AND line = ?7 AND status = 'pending'))
ON CONFLICT (webhook, seq) DO NOTHING`
	return exec(c, insert, func(b *binder) {
		b.text(d.ID)
		b.text(d.Webhook)
		b.int(d.Seq)
		b.text(d.Event)
		b.text(string(d.Station))
		b.id(d.Transaction)
		b.text(d.Line)
		b.text(string(d.Status))
		b.int(int64(d.Attempts))
		b.time(d.Since)
		b.time(d.NextAt)
		b.time(d.CreatedAt)
		b.time(d.EndedAt)
		b.text(log)
		b.optBytes(d.Body)
	})
}

const (
	deliveryColumns = `
SELECT id, webhook, seq, event, station, transaction_id, line, status, attempts, since, next_at, created_at, ended_at, log, `
	wholeDelivery  = deliveryColumns + `body `
	listedDelivery = deliveryColumns + `NULL ` // without its body
)

// delivery reads one that keeps the rules of its record.
func (r *row) delivery(d *feed.Delivery) error {
	*d = feed.Delivery{
		ID: r.text(), Webhook: r.text(), Seq: r.int(), Event: r.text(), Station: leyden.StationID(r.text()),
		Transaction: leyden.TransactionID(r.int()), Line: r.text(), Status: feed.DeliveryStatus(r.text()), Attempts: int(r.int()),
		Since: r.time(), NextAt: r.time(), CreatedAt: r.time(), EndedAt: r.time(),
	}
	if log := r.text(); log != "" {
		if err := json.Unmarshal([]byte(log), &d.Log); err != nil {
			return &failure{fmt.Errorf("log of delivery %s: %w", d.ID, err)}
		}
	}
	d.Body = r.optBlob()
	if err := d.Check(); err != nil {
		return &failure{fmt.Errorf("broken row: %v", err)}
	}
	return nil
}

// findDelivery selects the one with id ?1.
const findDelivery = wholeDelivery + `FROM deliveries WHERE id = ?1`

func deliveryOf(c *sqlite.Conn, id string) (d feed.Delivery, err error) {
	err = one(c, findDelivery, func(b *binder) { b.text(id) }, func(r *row) error { return r.delivery(&d) })
	return d, err
}

// Delivery implements [feed.WebhookStore].
func (db *DB) Delivery(ctx context.Context, id string) (d feed.Delivery, err error) {
	err = db.read(ctx, "delivery", func(c *sqlite.Conn) (err error) {
		d, err = deliveryOf(c, id)
		return err
	})
	return d, err
}

// deliveryHeads selects the heads of webhook ?1, at most ?2.
const deliveryHeads = wholeDelivery + `
FROM deliveries INDEXED BY deliveries_due WHERE webhook = ?1 AND head = 1 ORDER BY next_at, seq LIMIT (?2 + 0)`

// DeliveryHeads implements [feed.WebhookStore].
func (db *DB) DeliveryHeads(ctx context.Context, webhook string, limit int) (list []feed.Delivery, err error) {
	err = db.read(ctx, "heads of deliveries", func(c *sqlite.Conn) error {
		return each(c, deliveryHeads, func(b *binder) {
			b.text(webhook)
			b.int(int64(limit))
		}, gather(&list))
	})
	return list, err
}

// gather returns what reads deliveries into a list.
func gather(list *[]feed.Delivery) func(*row) error {
	return func(r *row) error {
		var d feed.Delivery
		err := r.delivery(&d)
		*list = append(*list, d)
		return err
	}
}

// saveDelivery writes what changes of one while it lives.
func saveDelivery(c *sqlite.Conn, d *feed.Delivery) error {
	const save = `
UPDATE deliveries SET line = ?2, status = ?3, attempts = ?4, since = ?5, next_at = ?6, ended_at = ?7, log = ?8, body = ?9,
  head = ?3 = 'pending' WHERE id = ?1`
	var log string
	if err := attemptsJSON(&log, d.Log); err != nil {
		return err
	}
	return exec(c, save, func(b *binder) {
		b.text(d.ID)
		b.text(d.Line)
		b.text(string(d.Status))
		b.int(int64(d.Attempts))
		b.time(d.Since)
		b.time(d.NextAt)
		b.time(d.EndedAt)
		b.text(log)
		b.optBytes(d.Body)
	})
}

// moveUp makes the next of line ?2 of webhook ?1 its head; it is due at ?3.
const moveUp = `
UPDATE deliveries SET head = 1, next_at = ?3 WHERE place = (
  SELECT place FROM deliveries INDEXED BY deliveries_in_line
  WHERE webhook = ?1 AND line = ?2 AND status = 'pending' ORDER BY seq LIMIT 1)`

// end writes a delivery that ended, and makes the next of its line the head.
func end(c *sqlite.Conn, d *feed.Delivery, at time.Time) error {
	if err := saveDelivery(c, d); err != nil {
		return err
	}
	return exec(c, moveUp, func(b *binder) {
		b.text(d.Webhook)
		b.text(d.Line)
		b.time(at)
	})
}

// SettleDelivery implements [feed.WebhookStore].
func (db *DB) SettleDelivery(ctx context.Context, s feed.Settlement) error {
	return db.write(ctx, "settle delivery", func(t *tx) error {
		d, err := deliveryOf(t.c, s.Delivery)
		if errors.Is(err, leyden.ErrNotFound) || err == nil && d.Status != feed.DeliveryPending {
			return nil
		}
		if err != nil {
			return err
		}
		d.Settle(&s)
		if d.Status == feed.DeliveryPending {
			return saveDelivery(t.c, &d)
		}
		return end(t.c, &d, s.Attempt.At)
	})
}

// wakeDeliveries makes heads of webhook ?1 due at ?2, at most ?3.
const wakeDeliveries = `
UPDATE deliveries SET next_at = ?2 WHERE place IN (
  SELECT place FROM deliveries INDEXED BY deliveries_due WHERE webhook = ?1 AND head = 1 AND next_at > ?2 LIMIT (?3 + 0))`

// WakeDeliveries implements [feed.WebhookStore].
func (db *DB) WakeDeliveries(ctx context.Context, webhook string, at time.Time, limit int) (n int, err error) {
	err = db.write(ctx, "wake deliveries", func(t *tx) error {
		err := exec(t.c, wakeDeliveries, func(b *binder) {
			b.text(webhook)
			b.time(at)
			b.int(int64(limit))
		})
		n = t.c.Changes()
		return err
	})
	return n, err
}

// oldDeliveries selects what is pending of webhook ?1 since before ?2, at most ?3.
const oldDeliveries = wholeDelivery + `
FROM deliveries INDEXED BY deliveries_waiting WHERE webhook = ?1 AND status = 'pending' AND since < ?2 ORDER BY since LIMIT (?3 + 0)`

// ExpireDeliveries implements [feed.WebhookStore].
func (db *DB) ExpireDeliveries(ctx context.Context, webhook string, before, at time.Time, limit int) (n int, err error) {
	err = db.write(ctx, "expire deliveries", func(t *tx) error {
		var list []feed.Delivery
		err := each(t.c, oldDeliveries, func(b *binder) {
			b.text(webhook)
			b.time(before)
			b.int(int64(limit))
		}, gather(&list))
		if err != nil {
			return err
		}
		n = len(list)
		for i := range list {
			list[i].Expire(at)
			if err := end(t.c, &list[i], at); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// ReplayDelivery implements [feed.WebhookStore].
func (db *DB) ReplayDelivery(ctx context.Context, id string, at time.Time) (d feed.Delivery, err error) {
	err = db.write(ctx, "replay delivery", func(t *tx) (err error) {
		if d, err = deliveryOf(t.c, id); err != nil {
			return err
		}
		if d.Status == feed.DeliveryPending {
			return fmt.Errorf("delivery %s is pending: %w", id, leyden.ErrState)
		}
		d.Replay(at.UTC().Truncate(time.Microsecond))
		return saveDelivery(t.c, &d)
	})
	return d, err
}

// Deliveries implements [feed.WebhookStore].
func (db *DB) Deliveries(ctx context.Context, q feed.DeliveryQuery) (list []feed.Delivery, total int, err error) {
	err = db.readLong(ctx, "deliveries", func(c *sqlite.Conn) error {
		s := deliveriesOf(&q)
		err := eachOnce(c, deliveryCount(s), s.bind, func(r *row) error {
			total = int(r.int())
			return nil
		})
		if err != nil || total == 0 {
			return err
		}
		if q.Before > 0 {
			s.add(`seq < ?`, integer(q.Before))
		}
		return eachOnce(c, deliveryList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, gather(&list))
	})
	return list, total, err
}

func deliveryCount(s *selection) string {
	return fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 %s LIMIT %d)`, s.from(), feed.MaxCounted+1)
}

func deliveryList(s *selection) string {
	return listedDelivery + s.from() + ` ORDER BY seq DESC LIMIT (? + 0) OFFSET ?`
}

// deliveriesOf returns all that q selects, wherever the page begins.
func deliveriesOf(q *feed.DeliveryQuery) *selection {
	s := &selection{table: `deliveries`, hint: `INDEXED BY deliveries_by_seq`}
	s.add(`webhook = ?`, text(q.Webhook))
	if q.Event != "" {
		s.hint = `INDEXED BY deliveries_by_event`
		s.add(`event = ?`, text(q.Event))
	}
	switch q.Status {
	case "":
	case feed.DeliveryPending: // in so many words, for the index
		s.hint = `INDEXED BY deliveries_pending`
		s.add(`status = 'pending'`)
	case feed.DeliveryDead:
		s.hint = `INDEXED BY deliveries_dead`
		s.add(`status = 'dead'`)
	default:
		s.add(`status = ?`, text(string(q.Status)))
	}
	if q.Transaction != 0 {
		s.hint = `INDEXED BY deliveries_by_transaction`
		s.add(`transaction_id = ?`, integer(int64(q.Transaction)))
	}
	return s
}

// tallyDeliveries counts what is pending and what is dead.
const tallyDeliveries = `
SELECT webhook, count(*), 0 FROM deliveries INDEXED BY deliveries_pending WHERE status = 'pending' GROUP BY webhook UNION ALL
SELECT webhook, 0, count(*) FROM deliveries INDEXED BY deliveries_dead WHERE status = 'dead' GROUP BY webhook`

// DeliveryTallies implements [feed.WebhookStore].
func (db *DB) DeliveryTallies(ctx context.Context) (map[string]feed.DeliveryTally, error) {
	tallies := make(map[string]feed.DeliveryTally)
	err := db.readLong(ctx, "count deliveries", func(c *sqlite.Conn) error {
		return each(c, tallyDeliveries, nil, func(r *row) error {
			webhook := r.text()
			t := tallies[webhook]
			t.Pending += int(r.int())
			t.Dead += int(r.int())
			tallies[webhook] = t
			return nil
		})
	})
	return tallies, err
}

// What was delivered before ?1 and what died before ?1 is forgotten, at most ?2.
const (
	forgetDelivered = `
DELETE FROM deliveries WHERE place IN (
  SELECT place FROM deliveries INDEXED BY deliveries_ended
  WHERE ended_at IS NOT NULL AND status = 'delivered' AND ended_at < ?1 ORDER BY ended_at LIMIT (?2 + 0))`
	forgetDead = `
DELETE FROM deliveries WHERE place IN (
  SELECT place FROM deliveries INDEXED BY deliveries_ended
  WHERE ended_at IS NOT NULL AND status = 'dead' AND ended_at < ?1 ORDER BY ended_at LIMIT (?2 + 0))`
)

// ForgetDeliveries implements [feed.WebhookStore].
func (db *DB) ForgetDeliveries(ctx context.Context, delivered, dead time.Time, limit int) (n int, err error) {
	err = db.write(ctx, "forget deliveries", func(t *tx) error {
		n = 0
		for _, old := range []struct {
			forget string
			before time.Time
		}{{forgetDelivered, delivered}, {forgetDead, dead}} {
			err := exec(t.c, old.forget, func(b *binder) {
				b.time(old.before)
				b.int(int64(limit - n))
			})
			if err != nil {
				return err
			}
			n += t.c.Changes()
		}
		return nil
	})
	return n, err
}
