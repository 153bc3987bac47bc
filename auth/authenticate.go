package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"leyden"
)

// Credentials are what a request to a REST façade presents.
type Credentials struct {
	APIKey        Secret // header X-API-Key
	Authorization Secret // header Authorization, as it stands
	Addr          netip.Addr
}

// A Principal is who made a request.
type Principal struct {
	ID     string // of the key or the client; what limits and audits count by
	Name   string
	Client bool   // an OAuth2 client, not an API key
	Scopes Scopes // what it may do now
}

// Allow reports whether the principal may do what the scope names.
func (p Principal) Allow(s Scope) bool { return p.Scopes.Allow(s) }

// An Authenticator recognises who makes a request and issues access tokens. It
// may be used by several goroutines.
type Authenticator struct {
	store     Store
	secrets   Secrets
	signer    *signer
	now       func() time.Time
	log       *slog.Logger
	addresses *throttle[netip.Prefix]

	mu      sync.Mutex
	touched map[string]time.Time // when a credential's use was last written
}

// NewAuthenticator returns an authenticator for the store of c.
func NewAuthenticator(c Config) (*Authenticator, error) {
	signer, err := newSigner(c.Issuer, c.Secrets.signingKey())
	if err != nil {
		return nil, err
	}
	return &Authenticator{
		store: c.Store, secrets: c.Secrets, signer: signer, now: c.Now, log: c.Log,
		addresses: newThrottle[netip.Prefix](),
		touched:   make(map[string]time.Time),
	}, nil
}

// Authenticate returns who presents c: by its API key if it has one, else by
// its access token. It fails with [ErrUnauthorized], with a [ThrottledError]
// for a wrong guess after too many, or with an error of the Store. A credential
// that is missing, unreadable, expired or revoked is no guess.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials) (Principal, error) {
	if c.APIKey != "" {
		return a.byKey(ctx, c)
	}
	if c.Authorization == "" {
		return Principal{}, fmt.Errorf("%w: no credential", ErrUnauthorized)
	}
	return a.byToken(ctx, c)
}

func (a *Authenticator) byKey(ctx context.Context, c Credentials) (Principal, error) {
	if len(c.APIKey) > maxCredential {
		return Principal{}, fmt.Errorf("%w: api key is too long", ErrUnauthorized)
	}
	k, err := a.store.KeyByHash(ctx, a.secrets.keyHash(string(c.APIKey)))
	if errors.Is(err, leyden.ErrNotFound) {
		return Principal{}, a.wrong(c.Addr, "api key is not known")
	}
	if err != nil {
		return Principal{}, fmt.Errorf("look up api key: %w", err)
	}
	if !k.RevokedAt.IsZero() {
		return Principal{}, fmt.Errorf("%w: api key %s is revoked", ErrUnauthorized, k.ID)
	}
	a.touch(ctx, use{k.ID, k.LastUsedAt, a.store.TouchKey})
	return Principal{ID: k.ID, Name: k.Name, Scopes: k.Scopes}, nil
}

func (a *Authenticator) byToken(ctx context.Context, c Credentials) (Principal, error) {
	text, ok := ParseBearer(string(c.Authorization))
	if !ok {
		return Principal{}, fmt.Errorf("%w: the Authorization header holds no access token", ErrUnauthorized)
	}
	t, client, err := a.verified(ctx, text)
	if errors.Is(err, errForged) {
		return Principal{}, a.wrong(c.Addr, err.Error())
	}
	if err != nil {
		return Principal{}, err
	}
	a.touch(ctx, use{client.ID, client.LastUsedAt, a.store.TouchClient})
	return Principal{ID: client.ID, Name: client.Name, Client: true, Scopes: t.Scopes.and(client.Scopes)}, nil
}

// verified returns a valid access token and its client. It fails with errForged
// or [ErrUnauthorized].
func (a *Authenticator) verified(ctx context.Context, text Secret) (AccessToken, ClientRecord, error) {
	t, err := a.signer.verify(text, a.now())
	if errors.Is(err, errExpired) {
		err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	if err != nil {
		return AccessToken{}, ClientRecord{}, err
	}
	client, err := a.store.Client(ctx, t.ClientID)
	if err != nil && !errors.Is(err, leyden.ErrNotFound) {
		return AccessToken{}, ClientRecord{}, fmt.Errorf("look up client: %w", err)
	}
	if err != nil || !client.RevokedAt.IsZero() {
		return AccessToken{}, ClientRecord{}, fmt.Errorf("%w: client %s is gone", ErrUnauthorized, t.ClientID)
	}
	revoked, err := a.store.Revoked(ctx, t.ID)
	if err != nil {
		return AccessToken{}, ClientRecord{}, fmt.Errorf("look up access token: %w", err)
	}
	if revoked {
		return AccessToken{}, ClientRecord{}, fmt.Errorf("%w: access token %s is revoked", ErrUnauthorized, t.ID)
	}
	return t, client, nil
}

// AuthenticateClient returns the client that logs in with one of its secrets.
// It fails with [ErrInvalidClient], a [ThrottledError] or an error of the Store.
func (a *Authenticator) AuthenticateClient(ctx context.Context, l ClientLogin) (ClientRecord, error) {
	presented := a.secrets.clientHash(l.ID, string(l.Secret))
	c, err := a.store.Client(ctx, l.ID)
	if err != nil && !errors.Is(err, leyden.ErrNotFound) {
		return ClientRecord{}, fmt.Errorf("look up client: %w", err)
	}
	right := 0
	for _, secret := range c.Secrets {
		right |= subtle.ConstantTimeCompare(secret.Hash[:], presented[:])
	}
	if right == 0 {
		return ClientRecord{}, a.wrongClient(l.Addr)
	}
	if !c.RevokedAt.IsZero() {
		return ClientRecord{}, fmt.Errorf("%w: the client is revoked", ErrInvalidClient)
	}
	a.touch(ctx, use{c.ID, c.LastUsedAt, a.store.TouchClient})
	return c, nil
}

// wrong counts a wrong guess and returns what to answer it with.
func (a *Authenticator) wrong(from netip.Addr, why string) error {
	if err := a.addresses.wrong(Network(from), a.now()); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrUnauthorized, why)
}

func (a *Authenticator) wrongClient(from netip.Addr) error {
	if err := a.addresses.wrong(Network(from), a.now()); err != nil {
		return err
	}
	return fmt.Errorf("%w: unknown client or wrong secret", ErrInvalidClient)
}

// Limits of writing down when credentials are used.
const (
	touchEvery = time.Minute
	maxTouched = MaxKeys + MaxClients
)

// A use is one use of a credential, to be written down with write unless that
// was done within touchEvery.
type use struct {
	id    string
	last  time.Time
	write func(ctx context.Context, id string, at time.Time) error
}

// touch writes a use down. That it cannot keeps nobody out.
func (a *Authenticator) touch(ctx context.Context, u use) {
	now := a.now().UTC().Truncate(time.Microsecond)
	if !a.claimTouch(u, now) {
		return
	}
	if err := u.write(ctx, u.id, now); err != nil {
		a.log.WarnContext(ctx, "use of a credential is not written down", "credential", u.id, "err", err)
	}
}

// claimTouch reports whether the caller shall write the use down: of many
// requests at once one shall.
func (a *Authenticator) claimTouch(u use, now time.Time) bool {
	if now.Sub(u.last) < touchEvery {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.touched[u.id]; ok && now.Sub(last) < touchEvery {
		return false
	}
	if len(a.touched) >= maxTouched {
		clear(a.touched)
	}
	a.touched[u.id] = now
	return true
}
