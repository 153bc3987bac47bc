package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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
	issuer string
	public jose.JSONWebKey
	sign   jose.Signer
}

// claims are the claims of an access token.
type claims struct {
	jwt.Claims
	Scope string `json:"scope"`
}

func newSigner(issuer string, private ed25519.PrivateKey) (*signer, error) {
	key := jose.JSONWebKey{Key: private, Algorithm: string(jose.EdDSA), Use: "sig"}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("key of access tokens: %w", err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(print)
	options := new(jose.SignerOptions).WithType("JWT")
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("signer of access tokens: %w", err)
	}
	return &signer{issuer, key.Public(), sign}, nil
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
	if err != nil || parsed.Headers[0].KeyID != s.public.KeyID {
		return AccessToken{}, errForged
	}
	var c claims
	if err := parsed.Claims(s.public, &c); err != nil {
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

// jwks returns the public key as a JSON Web Key Set (RFC 7517 §5).
func (s *signer) jwks() ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.public}})
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
	g.Text, err = a.signer.issue(g.AccessToken)
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
// [ErrInvalidRequest]. It fails as [Authenticator.AuthenticateClient] does.
func (a *Authenticator) RevokeToken(ctx context.Context, login ClientLogin, text Secret) error {
	c, err := a.AuthenticateClient(ctx, login)
	if err != nil {
		return err
	}
	t, err := a.signer.verify(text, a.now())
	if err != nil {
		return nil // there is nothing left to revoke (RFC 7009 §2.2)
	}
	if t.ClientID != c.ID {
		return fmt.Errorf("%w: the access token belongs to another client", ErrInvalidRequest)
	}
	return a.store.SaveRevocation(ctx, Revocation{t.ID, t.ExpiresAt, a.now().UTC().Truncate(time.Microsecond)})
}

// PublicKeys returns the key that verifies access tokens as a JSON Web Key Set
// (RFC 7517 §5), for /.well-known/jwks.json.
func (a *Authenticator) PublicKeys() ([]byte, error) { return a.signer.jwks() }
