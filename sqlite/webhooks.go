package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/feed"
)

var _ feed.WebhookStore = (*DB)(nil)

const selectWebhook = `
SELECT id, url, events, description, secret, former, former_until, paused, paused_at, failing_since, cursor, reach, by,
  created_at, updated_at, version FROM webhooks `

// webhook reads one that keeps the rules of its record.
func (r *row) webhook(w *feed.Webhook) error {
	*w = feed.Webhook{
		ID: r.text(), URL: r.text(), Events: strings.Fields(r.text()), Description: r.text(), Secret: r.optBlob(), Former: r.optBlob(),
		FormerUntil: r.time(), Paused: r.text(), PausedAt: r.time(), FailingSince: r.time(), Cursor: r.int(),
	}
	if reach := r.text(); reach != "" {
		w.Reach = new(feed.Reach)
		if err := json.Unmarshal([]byte(reach), w.Reach); err != nil {
			return &failure{fmt.Errorf("reach of webhook %s: %w", w.ID, err)}
		}
	}
	w.By, w.CreatedAt, w.UpdatedAt, w.Version = r.text(), r.time(), r.time(), int(r.int())
	if err := w.Check(); err != nil {
		return &failure{fmt.Errorf("broken row: %v", err)}
	}
	return nil
}

// optBlob is blob; NULL is nil.
func (r *row) optBlob() []byte {
	if r.isNull() {
		r.i++
		return nil
	}
	return r.blob()
}

// SaveWebhook implements [feed.WebhookStore].
func (db *DB) SaveWebhook(ctx context.Context, w feed.Webhook) error {
	const (
		lookUp = `SELECT version FROM webhooks WHERE id = ?1`
		save   = `
INSERT INTO webhooks (id, url, events, description, secret, former, former_until, paused, paused_at, cursor, reach, by,
  created_at, updated_at, version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET url = ?2, events = ?3, description = ?4, secret = ?5, former = ?6, former_until = ?7,
  paused = ?8, paused_at = ?9, reach = ?11, by = ?12, created_at = ?13, updated_at = ?14, version = ?15`
	)
	if err := w.Check(); err != nil {
		return err
	}
	reach := ""
	if w.Reach != nil {
		if err := toJSON(&reach, w.Reach); err != nil {
			return err
		}
	}
	return db.write(ctx, "save webhook", func(t *tx) error {
		version := 0
		err := each(t.c, lookUp, func(b *binder) { b.text(w.ID) }, func(r *row) error {
			version = int(r.int())
			return nil
		})
		if err == nil && version != w.Version-1 {
			err = leyden.ErrStale
		}
		if err != nil {
			return err
		}
		return exec(t.c, save, func(b *binder) {
			b.text(w.ID)
			b.text(w.URL)
			b.text(strings.Join(w.Events, " "))
			b.text(w.Description)
			b.bytes(w.Secret)
			b.optBytes(w.Former)
			b.time(w.FormerUntil)
			b.text(w.Paused)
			b.time(w.PausedAt)
			b.int(w.Cursor)
			b.text(reach)
			b.text(w.By)
			b.time(w.CreatedAt)
			b.time(w.UpdatedAt)
			b.int(int64(w.Version))
		})
	})
}

// optBytes binds v; an empty one is NULL.
func (b *binder) optBytes(v []byte) {
	if len(v) == 0 {
		b.i++
		return
	}
	b.bytes(v)
}

// Webhook implements [feed.WebhookStore].
func (db *DB) Webhook(ctx context.Context, id string) (w feed.Webhook, err error) {
	err = db.read(ctx, "webhook", func(c *sqlite.Conn) error {
		return one(c, selectWebhook+`WHERE id = ?1`, func(b *binder) { b.text(id) }, func(r *row) error { return r.webhook(&w) })
	})
	return w, err
}

// Webhooks implements [feed.WebhookStore].
func (db *DB) Webhooks(ctx context.Context) (list []feed.Webhook, err error) {
	err = db.read(ctx, "webhooks", func(c *sqlite.Conn) error {
		return each(c, selectWebhook+`ORDER BY created_at, id`, nil, func(r *row) error {
			var w feed.Webhook
			err := r.webhook(&w)
			list = append(list, w)
			return err
		})
	})
	return list, err
}

// MarkFailing implements [feed.WebhookStore].
func (db *DB) MarkFailing(ctx context.Context, webhook string, since time.Time) error {
	const mark = `UPDATE webhooks SET failing_since = ?2 WHERE id = ?1`
	return db.write(ctx, "mark webhook", func(t *tx) error {
		return exec(t.c, mark, func(b *binder) {
			b.text(webhook)
			b.time(since)
		})
	})
}

// removedAtOnce is how many deliveries of a removed webhook share a commit:
// nobody else shall wait long for it.
const removedAtOnce = 2000

// removeDeliveries removes some deliveries of webhook ?1, at most ?2.
const removeDeliveries = `
DELETE FROM deliveries WHERE place IN (SELECT place FROM deliveries INDEXED BY deliveries_by_seq WHERE webhook = ?1 LIMIT (?2 + 0))`

// RemoveWebhook implements [feed.WebhookStore]. The webhook goes with the last of
// its deliveries; what version it has is decided with the first of them.
func (db *DB) RemoveWebhook(ctx context.Context, id string, version int) error {
	const remove = `DELETE FROM webhooks WHERE id = ?1`
	if _, err := db.Webhook(ctx, id); err != nil {
		return err
	}
	for more := true; more; version = 0 {
		err := db.write(ctx, "remove webhook", func(t *tx) error {
			if err := webhookIs(t.c, id, version); err != nil {
				return err
			}
			err := exec(t.c, removeDeliveries, func(b *binder) {
				b.text(id)
				b.int(removedAtOnce)
			})
			if more = t.c.Changes() == removedAtOnce; err != nil || more {
				return err
			}
			return exec(t.c, remove, func(b *binder) { b.text(id) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// webhookIs fails with ErrStale if a webhook has another version; 0 is any.
func webhookIs(c *sqlite.Conn, id string, version int) error {
	if version == 0 {
		return nil
	}
	there, err := number(c, `SELECT version FROM webhooks WHERE id = ?1`, func(b *binder) { b.text(id) })
	if err == nil && int(there) != version {
		return leyden.ErrStale
	}
	return err
}

// webhookCursor returns where a webhook is, or ErrNotFound.
func webhookCursor(c *sqlite.Conn, webhook string) (int64, error) {
	return number(c, `SELECT cursor FROM webhooks WHERE id = ?1`, func(b *binder) { b.text(webhook) })
}

// EnqueueDeliveries implements [feed.WebhookStore].
func (db *DB) EnqueueDeliveries(ctx context.Context, webhook string, from, to int64, list []feed.Delivery) error {
	const move = `UPDATE webhooks SET cursor = ?2 WHERE id = ?1`
	logs := make([]string, len(list))
	for i := range list {
		if err := list[i].Check(); err != nil {
			return err
		}
		if list[i].Webhook != webhook {
			return fmt.Errorf("delivery %s is of webhook %s: %w", list[i].ID, list[i].Webhook, leyden.ErrInvalid)
		}
		if err := attemptsJSON(&logs[i], list[i].Log); err != nil {
			return err
		}
	}
	return db.write(ctx, "enqueue deliveries", func(t *tx) error {
		cursor, err := webhookCursor(t.c, webhook)
		if err == nil && cursor != from {
			err = leyden.ErrStale
		}
		if err != nil {
			return err
		}
		for i := range list {
			if err := insertDelivery(t.c, &list[i], logs[i]); err != nil {
				return err
			}
		}
		return exec(t.c, move, func(b *binder) {
			b.text(webhook)
			b.int(to)
		})
	})
}

// attemptsJSON leaves an empty log "".
func attemptsJSON(to *string, log []feed.Attempt) error {
	*to = ""
	if len(log) == 0 {
		return nil
	}
	return toJSON(to, log)
}
