package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leyden"
)

// Lengths of a key that is given instead of minted.
const (
	MinGivenKey = 20
	MaxGivenKey = 200
)

// CreateKey makes an API key. Its text is returned here and never again.
func (r *Registrar) CreateKey(ctx context.Context, spec Spec) (KeyRecord, Secret, error) {
	keys, err := r.Store.Keys(ctx)
	if err != nil {
		return KeyRecord{}, "", fmt.Errorf("count keys: %w", err)
	}
	if len(keys) >= MaxKeys {
		return KeyRecord{}, "", fmt.Errorf("%w: %d keys", ErrLimit, MaxKeys)
	}
	text := mintKey()
	k, err := r.addKey(ctx, spec, text)
	if err != nil {
		return KeyRecord{}, "", err
	}
	return k, text, nil
}

// Key returns the key with that ID, or [leyden.ErrNotFound].
func (r *Registrar) Key(ctx context.Context, id string) (KeyRecord, error) {
	return r.Store.Key(ctx, id)
}

// Keys returns all keys, revoked ones too, oldest first.
func (r *Registrar) Keys(ctx context.Context) ([]KeyRecord, error) { return r.Store.Keys(ctx) }

// UpdateKey changes a key, from the next request on, unless one of may refuses it
// as it is. It fails with [leyden.ErrNotFound], [ErrRevoked], an [InvalidError] or
// what may returns.
func (r *Registrar) UpdateKey(ctx context.Context, id string, e Edit, may ...func(KeyRecord) error) (KeyRecord, error) {
	return r.changeKey(ctx, id, func(k *KeyRecord) error {
		if err := allow(*k, may); err != nil {
			return err
		}
		if !k.RevokedAt.IsZero() {
			return ErrRevoked
		}
		return k.terms().apply(e, r.time())
	})
}

// MaxGrace is how long a key that was rotated is good at most beside the new one.
const MaxGrace = 30 * 24 * time.Hour

// RotateKey gives a key a new text, which is returned here and never again. The
// one before is good until grace is over, and one before that ends at once. The
// key stays the same one: its ID, and what it may do. It fails with
// [leyden.ErrNotFound], [ErrRevoked] or an [InvalidError].
func (r *Registrar) RotateKey(ctx context.Context, id string, grace time.Duration) (KeyRecord, Secret, error) {
	if grace < 0 || grace > MaxGrace {
		return KeyRecord{}, "", &InvalidError{"graceSeconds", "must be 0 to 2592000, which is 30 days"}
	}
	text := mintKey()
	k, err := r.changeKey(ctx, id, func(k *KeyRecord) error {
		if !k.RevokedAt.IsZero() {
			return ErrRevoked
		}
		k.OldHash, k.OldUntil = k.Hash, r.time().Add(grace)
		if grace == 0 {
			k.OldHash, k.OldUntil = Hash{}, time.Time{}
		}
		k.Hash, k.Prefix = r.Secrets.keyHash(string(text)), shownPrefix(keyPrefix, string(text))
		return nil
	})
	if err != nil {
		return KeyRecord{}, "", err
	}
	return k, text, nil
}

func (k *KeyRecord) terms() terms {
	return terms{&k.Name, &k.Scopes, &k.LimitedTo, &k.ExpiresAt, &k.DisabledAt}
}

// RevokeKey ends a key for good, unless one of may refuses that. Revoking it again
// changes nothing. It fails with [leyden.ErrNotFound] or what may returns.
func (r *Registrar) RevokeKey(ctx context.Context, id string, may ...func(KeyRecord) error) (KeyRecord, error) {
	return r.changeKey(ctx, id, func(k *KeyRecord) error {
		if err := allow(*k, may); err != nil {
			return err
		}
		if k.RevokedAt.IsZero() {
			k.RevokedAt = r.time()
		}
		return nil
	})
}

// EnsureAdmin makes sure at a start that somebody can administrate. A given
// text becomes an admin key unless it is one already. Without one, an empty
// store gets a minted key. It returns the key that it made, nil for none, and the
// text of that.
//
// A given text whose key was revoked or lost its scope is an error: a restart
// does not bring back what somebody took away.
func (r *Registrar) EnsureAdmin(ctx context.Context, given string) (made *KeyRecord, text Secret, err error) {
	if given != "" {
		made, err = r.importAdmin(ctx, Secret(given))
		return made, Secret(given), err
	}
	keys, err := r.Store.Keys(ctx)
	if err != nil || len(keys) > 0 {
		return nil, "", err
	}
	k, text, err := r.CreateKey(ctx, Spec{Name: "first admin", Scopes: []string{string(Admin)}})
	if err != nil {
		return nil, "", err
	}
	return &k, text, nil
}

func (r *Registrar) importAdmin(ctx context.Context, given Secret) (made *KeyRecord, err error) {
	if len(given) < MinGivenKey || len(given) > MaxGivenKey || !printable(string(given)) {
		return nil, fmt.Errorf("admin key: %w: it must have %d to %d printable ASCII characters without spaces",
			leyden.ErrInvalid, MinGivenKey, MaxGivenKey)
	}
	k, err := r.Store.KeyByHash(ctx, r.Secrets.keyHash(string(given)))
	if err == nil {
		return nil, usableAdmin(k, r.Now())
	}
	if !errors.Is(err, leyden.ErrNotFound) {
		return nil, fmt.Errorf("look up the admin key: %w", err)
	}
	k, err = r.addKey(ctx, Spec{Name: "given admin", Scopes: []string{string(Admin)}}, given)
	switch {
	case errors.Is(err, leyden.ErrExists): // another node started at the same time
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &k, nil
}

func usableAdmin(k KeyRecord, now time.Time) error {
	if !k.RevokedAt.IsZero() {
		return fmt.Errorf("admin key: %w: give another one, or none", ErrRevoked)
	}
	if err := k.lapsed(now); err != nil {
		return fmt.Errorf("admin key: %w: %w: give another one, or none", leyden.ErrInvalid, err)
	}
	if !k.Scopes.Allow(Admin) {
		return fmt.Errorf("admin key: %w: it exists without scope %s", leyden.ErrInvalid, Admin)
	}
	return nil
}

func (r *Registrar) addKey(ctx context.Context, spec Spec, text Secret) (KeyRecord, error) {
	now := r.time()
	k := KeyRecord{
		ID: leyden.NewPublicID("key_", now), CreatedAt: now, Version: 1,
		Prefix: shownPrefix(keyPrefix, string(text)), Hash: r.Secrets.keyHash(string(text)),
	}
	if err := k.terms().begin(spec, now); err != nil {
		return KeyRecord{}, err
	}
	if err := r.Store.SaveKey(ctx, k); err != nil {
		return KeyRecord{}, fmt.Errorf("save key %q: %w", k.Name, err)
	}
	return k, nil
}

func (r *Registrar) changeKey(ctx context.Context, id string, change func(*KeyRecord) error) (k KeyRecord, err error) {
	err = decided(func() error {
		if k, err = r.Store.Key(ctx, id); err != nil {
			return err
		}
		if err = change(&k); err != nil {
			return err
		}
		k.Version++
		return r.Store.SaveKey(ctx, k)
	})
	if err != nil {
		return KeyRecord{}, fmt.Errorf("key %s: %w", id, err)
	}
	return k, nil
}

// printable reports whether text is of visible ASCII characters, as a header
// carries them unchanged.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
