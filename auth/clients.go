package auth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leyden"
)

// CreateClient makes an OAuth2 client with one secret. The secret is returned
// here and never again.
func (r *Registrar) CreateClient(ctx context.Context, spec Spec) (ClientRecord, Secret, error) {
	now := r.time()
	c := ClientRecord{ID: leyden.NewPublicID("cli_", now), CreatedAt: now, Version: 1}
	if err := c.terms().begin(spec, now); err != nil {
		return ClientRecord{}, "", err
	}
	clients, err := r.Store.Clients(ctx)
	if err != nil {
		return ClientRecord{}, "", fmt.Errorf("count clients: %w", err)
	}
	if len(clients) >= MaxClients {
		return ClientRecord{}, "", fmt.Errorf("%w: %d clients", ErrLimit, MaxClients)
	}
	secret, text := r.mintClientSecret(c.ID)
	c.Secrets = []ClientSecret{secret}
	if err := r.Store.SaveClient(ctx, c); err != nil {
		return ClientRecord{}, "", fmt.Errorf("save client %q: %w", c.Name, err)
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

// UpdateClient changes a client, unless one of may refuses it as it is. What it
// loses is lost to its access tokens too. It fails with [leyden.ErrNotFound],
// [ErrRevoked], an [InvalidError] or what may returns.
func (r *Registrar) UpdateClient(ctx context.Context, id string, e Edit, may ...func(ClientRecord) error) (ClientRecord, error) {
	return r.changeClient(ctx, id, func(c *ClientRecord) error {
		if err := allow(*c, may); err != nil {
			return err
		}
		if !c.RevokedAt.IsZero() {
			return ErrRevoked
		}
		return c.terms().apply(e, r.time())
	})
}

// AddClientSecret gives a client a second secret, so that it can be rotated.
// It ends by itself at a time that is not zero. It fails with
// [leyden.ErrNotFound], [ErrRevoked], an [InvalidError], or [ErrLimit] if the
// client has two.
func (r *Registrar) AddClientSecret(ctx context.Context, id string, expires time.Time) (ClientRecord, Secret, error) {
	end, err := checkEnd(expires, r.time())
	if err != nil {
		return ClientRecord{}, "", err
	}
	secret, text := r.mintClientSecret(id)
	secret.ExpiresAt = end
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

// RevokeClient ends a client and its access tokens for good, unless one of may
// refuses that. Revoking it again changes nothing. It fails with
// [leyden.ErrNotFound] or what may returns.
func (r *Registrar) RevokeClient(ctx context.Context, id string, may ...func(ClientRecord) error) (ClientRecord, error) {
	return r.changeClient(ctx, id, func(c *ClientRecord) error {
		if err := allow(*c, may); err != nil {
			return err
		}
		if c.RevokedAt.IsZero() {
			c.RevokedAt = r.time()
		}
		return nil
	})
}

func (r *Registrar) mintClientSecret(clientID string) (ClientSecret, Secret) {
	text := mint(clientPrefix)
	now := r.time()
	return ClientSecret{
		ID: leyden.NewPublicID("sec_", now), Prefix: shownPrefix(clientPrefix, string(text)),
		Hash: r.Secrets.clientHash(clientID, string(text)), CreatedAt: now,
	}, text
}

func (c *ClientRecord) terms() terms {
	return terms{&c.Name, &c.Scopes, &c.LimitedTo, &c.ExpiresAt, &c.DisabledAt}
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
