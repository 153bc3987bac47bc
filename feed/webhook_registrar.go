package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leyden"
)

// A WebhookRegistrar makes and changes webhooks. It may be used by several
// goroutines, and beside a running server.
type WebhookRegistrar struct {
	Store WebhookStore
	Vault *Vault
	Guard *Guard
	// Last returns the newest Seq: a webhook begins behind it.
	Last func(context.Context) (int64, error)
	Now  func() time.Time
}

// A WebhookSpec says what a new webhook shall be.
type WebhookSpec struct {
	URL         string
	Events      []string // none: all
	Description string
	Secret      string // "": one is made
	Reach       *Reach
	By          string
}

// Create makes a webhook. It fails with a [FieldError], or [leyden.ErrLimit] when
// there are [MaxWebhooks].
func (r *WebhookRegistrar) Create(ctx context.Context, spec WebhookSpec) (Webhook, SigningSecret, error) {
	now := r.time()
	w := Webhook{
		ID: leyden.NewPublicID("wh_", now), Reach: spec.Reach, By: spec.By, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	err := r.apply(&w, WebhookEdit{URL: &spec.URL, Events: &spec.Events, Description: &spec.Description})
	if err != nil {
		return Webhook{}, "", err
	}
	secret, err := secretOr(spec.Secret)
	if err != nil {
		return Webhook{}, "", err
	}
	all, err := r.Store.Webhooks(ctx)
	if err != nil {
		return Webhook{}, "", fmt.Errorf("count webhooks: %w", err)
	}
	if len(all) >= MaxWebhooks {
		return Webhook{}, "", fmt.Errorf("there are %d webhooks already: %w", MaxWebhooks, leyden.ErrLimit)
	}
	if w.Cursor, err = r.Last(ctx); err != nil {
		return Webhook{}, "", fmt.Errorf("newest event: %w", err)
	}
	w.Secret = r.Vault.Seal(w.ID, secret)
	return w, secret, r.Store.SaveWebhook(ctx, w)
}

// secretOr reads a secret, or makes one for "".
func secretOr(text string) (SigningSecret, error) {
	if text == "" {
		return NewSigningSecret(), nil
	}
	return ParseSigningSecret(text)
}

// A WebhookEdit says what changes of a webhook. Fields that are nil leave things as
// they are.
type WebhookEdit struct {
	URL         *string
	Events      *[]string // of none: all
	Description *string
	Paused      *bool
}

func (r *WebhookRegistrar) apply(w *Webhook, e WebhookEdit) error {
	if e.URL != nil {
		if err := CheckURL(*e.URL, r.Guard); err != nil {
			return err
		}
		w.URL = *e.URL
	}
	if e.Events != nil {
		events, err := EventsOf(*e.Events)
		if err != nil {
			return err
		}
		w.Events = events
	}
	if e.Description != nil {
		if err := CheckDescription(*e.Description); err != nil {
			return err
		}
		w.Description = *e.Description
	}
	if e.Paused == nil {
		return nil
	}
	switch {
	case !*e.Paused:
		w.Resume()
	case w.Paused == "":
		w.Pause(PausedByOperator, r.time())
	}
	return nil
}

// maxTries limits how often a change is decided again because somebody else
// changed the webhook meanwhile.
const maxTries = 5

// change decides and saves a change of a webhook.
func (r *WebhookRegistrar) change(ctx context.Context, id string, decide func(*Webhook) error) (w Webhook, err error) {
	for range maxTries {
		if w, err = r.Store.Webhook(ctx, id); err != nil {
			return w, err
		}
		if err := decide(&w); err != nil {
			return w, err
		}
		w.UpdatedAt = r.time()
		w.Version++
		if err = r.Store.SaveWebhook(ctx, w); !errors.Is(err, leyden.ErrStale) {
			return w, err
		}
	}
	return w, err
}

// Change changes a webhook, unless may refuses it as it is, or as it would be. It
// fails with [leyden.ErrNotFound], a [FieldError] or what may returns.
func (r *WebhookRegistrar) Change(ctx context.Context, id string, e WebhookEdit, may func(*Webhook) error) (Webhook, error) {
	return r.change(ctx, id, func(w *Webhook) error {
		if err := may(w); err != nil {
			return err
		}
		if err := r.apply(w, e); err != nil {
			return err
		}
		return may(w)
	})
}

// Rotate gives a webhook another secret, a fresh one for "", unless may refuses it.
// Until [SecretOverlap] is over both sign.
func (r *WebhookRegistrar) Rotate(ctx context.Context, id, text string, may func(*Webhook) error) (Webhook, SigningSecret, error) {
	secret, err := secretOr(text)
	if err != nil {
		return Webhook{}, "", err
	}
	w, err := r.change(ctx, id, func(w *Webhook) error {
		if err := may(w); err != nil {
			return err
		}
		w.Rotate(r.Vault.Seal(w.ID, secret), r.time())
		return nil
	})
	return w, secret, err
}

// time returns our clock as it is stored.
func (r *WebhookRegistrar) time() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// ReplayDead replays the dead letters that q selects, and reports whether there are
// more.
func ReplayDead(ctx context.Context, s WebhookStore, q DeliveryQuery, at time.Time) (n int, more bool, err error) {
	list, total, err := s.Deliveries(ctx, q)
	if err != nil {
		return 0, false, err
	}
	for i := range list {
		_, err := s.ReplayDelivery(ctx, list[i].ID, at)
		if errors.Is(err, leyden.ErrState) || errors.Is(err, leyden.ErrNotFound) {
			continue // somebody else was faster
		}
		if err != nil {
			return n, false, fmt.Errorf("delivery %s: %w", list[i].ID, err)
		}
		n++
	}
	return n, total > len(list), nil
}
