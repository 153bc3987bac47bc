package auth

import (
	"cmp"
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
	Reach  *Reach // with which chargers; nil for all
}

// Allow reports whether the principal may do what the scope names.
func (p Principal) Allow(s Scope) bool { return p.Scopes.Allow(s) }

// An Authenticator recognises who makes a request and issues access tokens. It
// may be used by several goroutines.
type Authenticator struct {
	store     Store
	secrets   Secrets
	issuer    string
	now       func() time.Time
	log       *slog.Logger
	addresses *throttle[netip.Prefix]

	mu      sync.Mutex
	signer  *signer              // of the key material as it was last
	touched map[string]time.Time // when a credential's use was last written
}

// NewAuthenticator returns an authenticator for the store of c.
func NewAuthenticator(c Config) (*Authenticator, error) {
	a := &Authenticator{
		store: c.Store, secrets: c.Secrets, issuer: c.Issuer, now: c.Now, log: c.Log,
		addresses: newThrottle[netip.Prefix](),
		touched:   make(map[string]time.Time),
	}
	_, err := a.signing()
	return a, err
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
	hash := a.secrets.keyHash(string(c.APIKey))
	k, err := a.store.KeyByHash(ctx, hash)
	if errors.Is(err, leyden.ErrNotFound) {
		return Principal{}, a.wrong(c.Addr, "api key is not known")
	}
	if err != nil {
		return Principal{}, fmt.Errorf("look up api key: %w", err)
	}
	if err := cmp.Or(k.lapsed(a.now()), k.replaced(hash, a.now())); err != nil {
		return Principal{}, err
	}
	reach, err := reachOf(ctx, a.store, k.LimitedTo)
	if err != nil {
		return Principal{}, err
	}
	a.touch(ctx, use{k.ID, k.LastUsedAt, a.store.TouchKey})
	return Principal{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Reach: reach}, nil
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
	reach, err := reachOf(ctx, a.store, client.LimitedTo)
	if err != nil {
		return Principal{}, err
	}
	a.touch(ctx, use{client.ID, client.LastUsedAt, a.store.TouchClient})
	return Principal{ID: client.ID, Name: client.Name, Client: true, Scopes: t.Scopes.and(client.Scopes), Reach: reach}, nil
}

// verified returns a valid access token and its client. It fails with errForged
// or [ErrUnauthorized].
func (a *Authenticator) verified(ctx context.Context, text Secret) (AccessToken, ClientRecord, error) {
	signer, err := a.signing()
	if err != nil {
		return AccessToken{}, ClientRecord{}, err
	}
	t, err := signer.verify(text, a.now())
	if errors.Is(err, errExpired) {
		err = &LapsedError{"the access token has expired"}
	}
	if err != nil {
		return AccessToken{}, ClientRecord{}, err
	}
	client, err := a.store.Client(ctx, t.ClientID)
	if err := cmp.Or(unknown(err), client.lapsed(a.now())); err != nil {
		return AccessToken{}, ClientRecord{}, err
	}
	revoked, err := a.store.Revoked(ctx, t.ID)
	if err != nil {
		return AccessToken{}, ClientRecord{}, fmt.Errorf("look up access token: %w", err)
	}
	if revoked {
		return AccessToken{}, ClientRecord{}, &LapsedError{"the access token is revoked"}
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
	var used *ClientSecret
	for i := range c.Secrets {
		if subtle.ConstantTimeCompare(c.Secrets[i].Hash[:], presented[:]) == 1 {
			used = &c.Secrets[i]
		}
	}
	if used == nil {
		return ClientRecord{}, a.wrongClient(l.Addr)
	}
	now := a.now()
	if lapsed, ok := errors.AsType[*LapsedError](cmp.Or(c.lapsed(now), used.lapsed(now))); ok {
		return ClientRecord{}, fmt.Errorf("%w: %s", ErrInvalidClient, lapsed.Why)
	}
	a.touch(ctx, use{c.ID, c.LastUsedAt, a.store.TouchClient})
	a.touch(ctx, use{used.ID, used.LastUsedAt, func(ctx context.Context, id string, at time.Time) error {
		return a.store.TouchSecret(ctx, c.ID, id, at)
	}})
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
	maxTouched = MaxKeys + MaxClients*(1+MaxClientSecrets)
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
