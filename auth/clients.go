package auth

import (
	"context"
	"fmt"
	"slices"

	"leyden"
)

// CreateClient makes an OAuth2 client with one secret. The secret is returned
// here and never again.
func (r *Registrar) CreateClient(ctx context.Context, spec Spec) (ClientRecord, Secret, error) {
	name, scopes, err := spec.check()
	if err != nil {
		return ClientRecord{}, "", err
	}
	clients, err := r.Store.Clients(ctx)
	if err != nil {
		return ClientRecord{}, "", fmt.Errorf("count clients: %w", err)
	}
	if len(clients) >= MaxClients {
		return ClientRecord{}, "", fmt.Errorf("%w: %d clients", ErrLimit, MaxClients)
	}
	now := r.time()
	c := ClientRecord{ID: leyden.NewPublicID("cli_", now), Name: name, Scopes: scopes, CreatedAt: now, Version: 1}
	secret, text := r.mintClientSecret(c.ID)
	c.Secrets = []ClientSecret{secret}
	if err := r.Store.SaveClient(ctx, c); err != nil {
		return ClientRecord{}, "", fmt.Errorf("save client %q: %w", name, err)
	}
	return c, text, nil
}

// Client returns the client with that ID, or [leyden.ErrNotFound].
func (r *Registrar) Client(ctx context.Context, id string) (ClientRecord, error) {
	return r.Store.Client(ctx, id)
}

// Clients returns all clients, revoked ones too, oldest first.
func (r *Registrar) Clients(ctx context.Context) ([]ClientRecord, error) {
	return r.Store.Clients(ctx)
}

// UpdateClient changes the name or the scopes of a client. A scope that it
// loses is lost to its access tokens too. It fails with [leyden.ErrNotFound],
// [ErrRevoked] or an [InvalidError].
func (r *Registrar) UpdateClient(ctx context.Context, id string, e Edit) (ClientRecord, error) {
	return r.changeClient(ctx, id, unlessRevoked(func(c *ClientRecord) error { return e.apply(&c.Name, &c.Scopes) }))
}

// AddClientSecret gives a client a second secret, so that it can be rotated.
// It fails with [leyden.ErrNotFound], [ErrRevoked], or [ErrLimit] if it has
// two.
func (r *Registrar) AddClientSecret(ctx context.Context, id string) (ClientRecord, Secret, error) {
	secret, text := r.mintClientSecret(id)
	c, err := r.changeClient(ctx, id, unlessRevoked(func(c *ClientRecord) error {
		if len(c.Secrets) >= MaxClientSecrets {
			return fmt.Errorf("%w: %d secrets", ErrLimit, MaxClientSecrets)
		}
		c.Secrets = append(c.Secrets, secret)
		return nil
	}))
	if err != nil {
		return ClientRecord{}, "", err
	}
	return c, text, nil
}

// RemoveClientSecret ends one of a client's secrets. Access tokens that were
// issued for it stay valid. It fails with [leyden.ErrNotFound], [ErrRevoked] or
// [ErrLastSecret].
func (r *Registrar) RemoveClientSecret(ctx context.Context, id, secretID string) (ClientRecord, error) {
	return r.changeClient(ctx, id, unlessRevoked(func(c *ClientRecord) error {
		left := slices.DeleteFunc(slices.Clone(c.Secrets), func(s ClientSecret) bool { return s.ID == secretID })
		if len(left) == len(c.Secrets) {
			return fmt.Errorf("secret: %w", leyden.ErrNotFound)
		}
		if len(left) == 0 {
			return ErrLastSecret
		}
		c.Secrets = left
		return nil
	}))
}

// RevokeClient ends a client and its access tokens for good. Revoking it again
// changes nothing. It fails with [leyden.ErrNotFound].
func (r *Registrar) RevokeClient(ctx context.Context, id string) (ClientRecord, error) {
	return r.changeClient(ctx, id, func(c *ClientRecord) error {
		if c.RevokedAt.IsZero() {
			c.RevokedAt = r.time()
		}
		return nil
	})
}

func (r *Registrar) mintClientSecret(clientID string) (ClientSecret, Secret) {
	text := Secret(clientPrefix + randomText(secretLength))
	now := r.time()
	return ClientSecret{ID: leyden.NewPublicID("sec_", now), Hash: r.Secrets.clientHash(clientID, string(text)), CreatedAt: now}, text
}

func (r *Registrar) changeClient(ctx context.Context, id string, change func(*ClientRecord) error) (c ClientRecord, err error) {
	err = decided(func() error {
		if c, err = r.Store.Client(ctx, id); err != nil {
			return err
		}
		if err = change(&c); err != nil {
			return err
		}
		c.Version++
		return r.Store.SaveClient(ctx, c)
	})
	if err != nil {
		return ClientRecord{}, fmt.Errorf("client %s: %w", id, err)
	}
	return c, nil
}

func unlessRevoked(change func(*ClientRecord) error) func(*ClientRecord) error {
	return func(c *ClientRecord) error {
		if !c.RevokedAt.IsZero() {
			return ErrRevoked
		}
		return change(c)
	}
}
