package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"leyden"
)

// AccessTokenLife is how long an access token is valid.
const AccessTokenLife = time.Hour

// An AccessToken says what a valid access token holds.
type AccessToken struct {
	ID        string // jti
	ClientID  string // sub
	Scopes    Scopes // as granted; what the client has lost since is not taken off
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Reasons why an access token is not valid.
var (
	errForged  = errors.New("access token is not ours")
	errExpired = errors.New("access token is expired")
)

// A signer makes and checks access tokens: JWTs signed with Ed25519 (RFC 7519,
// RFC 8037).
type signer struct {
	of        *material
	issuer    string
	sign      jose.Signer
	verifiers []verifier
}

// A verifier is a key that verifies access tokens.
type verifier struct {
	public jose.JSONWebKey
	until  time.Time // zero for the key that signs
}

func (v *verifier) counts(now time.Time) bool { return v.until.IsZero() || now.Before(v.until) }

// claims are the claims of an access token.
type claims struct {
	jwt.Claims
	Scope string `json:"scope"`
}

func newSigner(issuer string, m *material) (*signer, error) {
	key, err := webKey(ed25519.NewKeyFromSeed(m.seed[:]))
	if err != nil {
		return nil, err
	}
	options := new(jose.SignerOptions).WithType("JWT")
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("signer of access tokens: %w", err)
	}
	s := &signer{m, issuer, sign, []verifier{{public: key.Public()}}}
	for _, r := range m.retired {
		key, err := webKey(r.public)
		if err != nil {
			return nil, err
		}
		s.verifiers = append(s.verifiers, verifier{key, r.until})
	}
	return s, nil
}

// webKey returns an Ed25519 key, private or public, under its thumbprint (RFC
// 7638, RFC 8037 §2).
func webKey(key any) (jose.JSONWebKey, error) {
	web := jose.JSONWebKey{Key: key, Algorithm: string(jose.EdDSA), Use: "sig"}
	print, err := web.Thumbprint(crypto.SHA256)
	if err != nil {
		return web, fmt.Errorf("key of access tokens: %w", err)
	}
	web.KeyID = base64.RawURLEncoding.EncodeToString(print)
	return web, nil
}

// signing returns the signer of the key material as it is now.
func (a *Authenticator) signing() (*signer, error) {
	m := a.secrets.fresh()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.signer != nil && a.signer.of == m {
		return a.signer, nil
	}
	s, err := newSigner(a.issuer, m)
	if err != nil {
		return nil, err
	}
	a.signer = s
	return s, nil
}

func (s *signer) issue(t AccessToken) (Secret, error) {
	text, err := jwt.Signed(s.sign).Claims(claims{
		Claims: jwt.Claims{
			Issuer: s.issuer, Subject: t.ClientID, ID: t.ID,
			IssuedAt: jwt.NewNumericDate(t.IssuedAt), Expiry: jwt.NewNumericDate(t.ExpiresAt),
		},
		Scope: t.Scopes.String(),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return Secret(text), nil
}

// verify returns what an access token holds. It fails with errForged, or with
// errExpired for one that was ours.
func (s *signer) verify(text Secret, now time.Time) (AccessToken, error) {
	if !canonicalJWT(string(text)) {
		return AccessToken{}, errForged
	}
	parsed, err := jwt.ParseSigned(string(text), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return AccessToken{}, errForged
	}
	by := slices.IndexFunc(s.verifiers, func(v verifier) bool { return v.public.KeyID == parsed.Headers[0].KeyID })
	if by < 0 || !s.verifiers[by].counts(now) {
		return AccessToken{}, errForged
	}
	var c claims
	if err := parsed.Claims(s.verifiers[by].public, &c); err != nil {
		return AccessToken{}, errForged
	}
	scopes, err := ParseScopes(c.Scope)
	if err != nil || c.Issuer != s.issuer || c.Expiry == nil || c.IssuedAt == nil || c.ID == "" || c.Subject == "" {
		return AccessToken{}, errForged
	}
	t := AccessToken{c.ID, c.Subject, scopes, c.IssuedAt.Time().UTC(), c.Expiry.Time().UTC()}
	if !now.Before(t.ExpiresAt) {
		return AccessToken{}, errExpired
	}
	return t, nil
}

// A PublicKey verifies access tokens: an Ed25519 key as RFC 8037 §2 writes it.
type PublicKey struct {
	ID string // kid
	X  string // the key, in base64url
}

// publicKeys returns the keys that count, the one that signs first.
func (s *signer) publicKeys(now time.Time) ([]PublicKey, error) {
	var keys []PublicKey
	for _, v := range s.verifiers {
		public, ok := v.public.Key.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("key %s of access tokens is no Ed25519 key", v.public.KeyID)
		}
		if v.counts(now) {
			keys = append(keys, PublicKey{v.public.KeyID, base64.RawURLEncoding.EncodeToString(public)})
		}
	}
	return keys, nil
}

// canonicalJWT reports whether text is the one way to write some JWS: the
// decoder behind ParseSigned also takes line breaks and stray bits, with which
// one access token would have many texts.
func canonicalJWT(text string) bool {
	if len(text) > maxCredential || !printable(text) {
		return false
	}
	parts := strings.Split(text, ".")
	for _, part := range parts {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || part == "" {
			return false
		}
	}
	return len(parts) == 3
}

// A TokenRequest asks for an access token.
type TokenRequest struct {
	Login     ClientLogin
	GrantType string
	Scope     string // names with spaces between them; "" asks for all that the client has
}

// A Grant is an access token that was issued.
type Grant struct {
	AccessToken
	Text Secret
}

// IssueToken grants an access token to a client by its own credentials (RFC
// 6749 §4.4), with the scopes asked for or all the client has. It fails with a
// [GrantError], a [ThrottledError] or an error of the Store.
func (a *Authenticator) IssueToken(ctx context.Context, r TokenRequest) (Grant, error) {
	if r.GrantType == "" {
		return Grant{}, fmt.Errorf("%w: grant_type is missing", ErrInvalidRequest)
	}
	if r.GrantType != "client_credentials" {
		return Grant{}, fmt.Errorf("%w: only client_credentials is granted", ErrUnsupportedGrantType)
	}
	c, err := a.AuthenticateClient(ctx, r.Login)
	if err != nil {
		return Grant{}, err
	}
	scopes, err := grantable(c.Scopes, r.Scope)
	if err != nil {
		return Grant{}, err
	}
	now := a.now().UTC().Truncate(time.Second)
	g := Grant{AccessToken: AccessToken{leyden.NewPublicID("", now), c.ID, scopes, now, now.Add(AccessTokenLife)}}
	signer, err := a.signing()
	if err != nil {
		return Grant{}, err
	}
	g.Text, err = signer.issue(g.AccessToken)
	return g, err
}

// grantable returns the scopes to grant to a client that has some and asks for
// a list.
func grantable(has Scopes, asked string) (Scopes, error) {
	wanted, err := ParseScopes(asked)
	if err != nil {
		return nil, fmt.Errorf("%w: a scope is not known", ErrInvalidScope)
	}
	if len(wanted) == 0 {
		return has, nil
	}
	if !has.Covers(wanted) {
		return nil, fmt.Errorf("%w: the client may have %v only", ErrInvalidScope, has)
	}
	return wanted, nil
}

// VerifyToken returns what an access token holds if it is valid now: signed by
// us, not expired, not revoked, its client alive. Otherwise it fails with
// [ErrUnauthorized].
func (a *Authenticator) VerifyToken(ctx context.Context, text Secret) (AccessToken, error) {
	t, _, err := a.verified(ctx, text)
	if errors.Is(err, errForged) {
		err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	return t, err
}

// RevokeToken ends an access token of the client that logs in (RFC 7009). One
// that is not valid anyway is no error; one of another client is
// [ErrInvalidRequest]. It fails as [Authenticator.AuthenticateClient] does, and
// returns the client once it is known.
func (a *Authenticator) RevokeToken(ctx context.Context, login ClientLogin, text Secret) (ClientRecord, error) {
	c, err := a.AuthenticateClient(ctx, login)
	if err != nil {
		return ClientRecord{}, err
	}
	signer, err := a.signing()
	if err != nil {
		return c, err
	}
	t, err := signer.verify(text, a.now())
	if err != nil {
		return c, nil // there is nothing left to revoke (RFC 7009 §2.2)
	}
	if t.ClientID != c.ID {
		return c, fmt.Errorf("%w: the access token belongs to another client", ErrInvalidRequest)
	}
	return c, a.store.SaveRevocation(ctx, Revocation{t.ID, t.ExpiresAt, a.now().UTC().Truncate(time.Microsecond)})
}

// Introspect returns what an access token holds, for a client that logs in (RFC
// 7662): with the scopes that its client has still. active is false for whatever
// is no valid access token. It fails as [Authenticator.AuthenticateClient] does.
func (a *Authenticator) Introspect(ctx context.Context, login ClientLogin, text Secret) (t AccessToken, active bool, err error) {
	if _, err := a.AuthenticateClient(ctx, login); err != nil {
		return AccessToken{}, false, err
	}
	t, client, err := a.verified(ctx, text)
	if errors.Is(err, errForged) || errors.Is(err, ErrUnauthorized) {
		return AccessToken{}, false, nil
	}
	if err != nil {
		return AccessToken{}, false, err
	}
	t.Scopes = t.Scopes.and(client.Scopes)
	return t, true, nil
}

// Issuer returns the iss of access tokens.
func (a *Authenticator) Issuer() string { return a.issuer }

// PublicKeys returns the keys that verify access tokens, for
// /.well-known/jwks.json: the one that signs first, then those that were rotated
// out and verify what they signed before.
func (a *Authenticator) PublicKeys() ([]PublicKey, error) {
	signer, err := a.signing()
	if err != nil {
		return nil, err
	}
	return signer.publicKeys(a.now())
}
