package auth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"leyden/auth"
)

func TestIssueToken(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "transactions:read", "chargers:read")
	for _, test := range []struct {
		name, grant, scope string
		login              auth.ClientLogin
		scopes             string
		want               error
	}{
		{"all scopes", "client_credentials", "", login, "transactions:read chargers:read", nil},
		{"one scope", "client_credentials", "chargers:read", login, "chargers:read", nil},
		{"scopes twice", "client_credentials", " chargers:read chargers:read", login, "chargers:read", nil},
		{"a scope it has not", "client_credentials", "chargers:read tags:write", login, "", auth.ErrInvalidScope},
		{"admin", "client_credentials", "admin", login, "", auth.ErrInvalidScope},
		{"a scope that is none", "client_credentials", "chargers", login, "", auth.ErrInvalidScope},
		{"no grant type", "", "", login, "", auth.ErrInvalidRequest},
		{"password grant", "password", "", login, "", auth.ErrUnsupportedGrantType},
		{"wrong case", "Client_Credentials", "", login, "", auth.ErrUnsupportedGrantType},
		{"wrong secret", "client_credentials", "", auth.ClientLogin{ID: c.ID, Secret: "ls_x"}, "", auth.ErrInvalidClient},
		{"no secret", "client_credentials", "", auth.ClientLogin{ID: c.ID}, "", auth.ErrInvalidClient},
		{"unknown client", "client_credentials", "", auth.ClientLogin{ID: "cli_x", Secret: login.Secret}, "", auth.ErrInvalidClient},
		{"nobody", "client_credentials", "", auth.ClientLogin{}, "", auth.ErrInvalidClient},
	} {
		g, err := w.IssueToken(t.Context(), auth.TokenRequest{Login: test.login, GrantType: test.grant, Scope: test.scope})
		wantError(t, test.name, err, test.want)
		if g.Scopes.String() != test.scopes || (g.Text == "") != (test.want != nil) {
			t.Errorf("%s: granted %q, want %q", test.name, g.Scopes, test.scopes)
		}
		// RFC 6749 §5.2 forbids both in an error_description.
		if err != nil && strings.ContainsAny(err.Error(), `"\`) {
			t.Errorf("%s: the description holds a quote or a backslash: %v", test.name, err)
		}
	}
}

func TestTokenHolds(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "chargers:read", "tags:write")
	g := w.token(t, login)
	parts := strings.Split(string(g.Text), ".")
	header, payload := decoded(t, parts[0]), decoded(t, parts[1])
	if header["alg"] != "EdDSA" || header["kid"] == "" || header["typ"] != "JWT" {
		t.Errorf("header %v", header)
	}
	iat := float64(w.now.Unix())
	for name, want := range map[string]any{
		"iss": "leyden", "sub": c.ID, "iat": iat, "exp": iat + 3600, "scope": "chargers:read tags:write", "jti": g.ID,
	} {
		if payload[name] != want {
			t.Errorf("%s = %v, want %v", name, payload[name], want)
		}
	}
	if len(payload) != 6 || g.ID == "" || g.ID == w.token(t, login).ID {
		t.Errorf("claims %v", payload)
	}
	got, err := w.VerifyToken(t.Context(), g.Text)
	if err != nil || got.ID != g.ID || got.ClientID != c.ID || !got.ExpiresAt.Equal(g.ExpiresAt) || got.Scopes.String() != g.Scopes.String() {
		t.Errorf("VerifyToken = %+v, %v; want %+v", got, err, g.AccessToken)
	}
	p, err := w.withToken(t, g.Text)
	if err != nil || p.ID != c.ID || !p.Client || !p.Allow(auth.TagsWrite) || p.Allow(auth.ChargersControl) {
		t.Errorf("principal %+v, %v", p, err)
	}
}

func decoded(t *testing.T, part string) (values map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// TestPublicKeys verifies an access token as an outsider would.
func TestPublicKeys(t *testing.T) {
	w := newWorld(t)
	_, login := w.client(t, "admin")
	g := w.token(t, login)
	keys, err := w.PublicKeys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	x, err := base64.RawURLEncoding.DecodeString(keys[0].X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		t.Fatalf("x %q, %v", keys[0].X, err)
	}
	parsed, err := jwt.ParseSigned(string(g.Text), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || parsed.Headers[0].KeyID != keys[0].ID {
		t.Fatalf("kid %v, %v; want %s", parsed.Headers, err, keys[0].ID)
	}
	var claims jwt.Claims
	if err := parsed.Claims(ed25519.PublicKey(x), &claims); err != nil || claims.ID != g.ID {
		t.Errorf("claims %+v, %v", claims, err)
	}
}

func TestTokenExpires(t *testing.T) {
	w := newWorld(t)
	_, login := w.client(t, "admin")
	g := w.token(t, login)
	w.pass(time.Hour - time.Nanosecond)
	if _, err := w.withToken(t, g.Text); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	w.pass(time.Nanosecond)
	// An expired access token is no guess, however often it comes.
	for range 3 * auth.MaxGuesses {
		_, err := w.withToken(t, g.Text)
		wantError(t, "at its end", err, auth.ErrUnauthorized)
		_, err = w.VerifyToken(t.Context(), g.Text)
		wantError(t, "VerifyToken at its end", err, auth.ErrUnauthorized)
	}
}

func TestRevokeToken(t *testing.T) {
	w := newWorld(t)
	_, login := w.client(t, "admin")
	_, other := w.client(t, "admin")
	g, kept := w.token(t, login), w.token(t, login)
	refused := func(what string, by auth.ClientLogin, want error) {
		t.Helper()
		c, err := w.RevokeToken(t.Context(), by, g.Text)
		wantError(t, what, err, want)
		if c.ID != by.ID {
			t.Errorf("%s: by client %q, want %q", what, c.ID, by.ID)
		}
	}
	refused("revocation by another client", other, auth.ErrInvalidRequest)
	refused("revocation by nobody", auth.ClientLogin{}, auth.ErrInvalidClient)
	if _, err := w.withToken(t, g.Text); err != nil {
		t.Fatalf("before it was revoked: %v", err)
	}
	for _, text := range []auth.Secret{g.Text, g.Text, "", "nonsense"} {
		if c, err := w.RevokeToken(t.Context(), login, text); err != nil || c.ID != login.ID {
			t.Errorf("RevokeToken: %q, %v", c.ID, err)
		}
	}
	_, err := w.withToken(t, g.Text)
	wantError(t, "access token that was revoked", err, auth.ErrUnauthorized)
	if _, err := w.withToken(t, kept.Text); err != nil {
		t.Errorf("another one of the same client: %v", err)
	}
}

// TestTokenOfDeletedClient: a client that its store no longer has.
func TestTokenOfDeletedClient(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "admin")
	g := w.token(t, login)
	delete(w.store.clients, c.ID)
	_, err := w.withToken(t, g.Text)
	wantError(t, "access token without a client", err, auth.ErrUnauthorized)
}

// TestTamperedToken changes every character of an access token to every other
// one of its alphabet, and more.
func TestTamperedToken(t *testing.T) {
	w := newWorld(t)
	_, login := w.client(t, "admin")
	text := string(w.token(t, login).Text)
	var tampered []string
	for i := range text {
		for _, c := range "AZaz09-_=." {
			if text[i] != byte(c) {
				tampered = append(tampered, text[:i]+string(c)+text[i+1:])
			}
		}
		tampered = append(tampered, text[:i], text[:i]+text[i+1:], text[:i]+"\n"+text[i:], text[:i]+" "+text[i:])
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if last := len(text) - 1; text[last] != byte(c) {
			tampered = append(tampered, text[:last]+string(c))
		}
	}
	tampered = append(tampered, text+".", "."+text, text+"."+text, text+"=", strings.ToUpper(text), strings.Repeat("A", 1<<20))
	for _, text := range tampered {
		if _, err := w.VerifyToken(t.Context(), auth.Secret(text)); !errors.Is(err, auth.ErrUnauthorized) {
			t.Fatalf("%.400q: %v", text, err)
		}
	}
}

// A forger signs what it likes with the key that it likes.
type forger struct {
	algorithm jose.SignatureAlgorithm
	key       any
	kid       string
	claims    map[string]any
}

func (f forger) token(t *testing.T) auth.Secret {
	t.Helper()
	options := new(jose.SignerOptions).WithType("JWT").WithHeader("kid", f.kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: f.algorithm, Key: f.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(f.claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return auth.Secret(text)
}

func TestForgedTokens(t *testing.T) {
	secrets, seed, _ := storedSecrets(t)
	w := newWorldWith(t, secrets)
	_, login := w.client(t, "admin")
	parts := strings.Split(string(w.token(t, login).Text), ".")
	private := ed25519.NewKeyFromSeed(seed)
	genuine := func() forger {
		return forger{jose.EdDSA, private, decoded(t, parts[0])["kid"].(string), decoded(t, parts[1])}
	}
	if _, err := w.VerifyToken(t.Context(), genuine().token(t)); err != nil {
		t.Fatalf("the forger's own way of making a genuine one: %v", err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(*forger){
		"another key":            func(f *forger) { f.key = stranger },
		"another kid":            func(f *forger) { f.kid = "other" },
		"no kid":                 func(f *forger) { f.kid = "" },
		"HS256 of the seed":      func(f *forger) { f.algorithm, f.key = jose.HS256, seed },
		"HS256 of the public":    func(f *forger) { f.algorithm, f.key = jose.HS256, []byte(private.Public().(ed25519.PublicKey)) },
		"another issuer":         func(f *forger) { f.claims["iss"] = "other" },
		"no issuer":              func(f *forger) { delete(f.claims, "iss") },
		"no expiry":              func(f *forger) { delete(f.claims, "exp") },
		"expiry of another type": func(f *forger) { f.claims["exp"] = "never" },
		"no subject":             func(f *forger) { delete(f.claims, "sub") },
		"no id":                  func(f *forger) { delete(f.claims, "jti") },
		"no time of issue":       func(f *forger) { delete(f.claims, "iat") },
		"unknown scope":          func(f *forger) { f.claims["scope"] = "root" },
		"another client":         func(f *forger) { f.claims["sub"] = "cli_other" },
	} {
		f := genuine()
		forge(&f)
		_, err := w.VerifyToken(t.Context(), f.token(t))
		wantError(t, name, err, auth.ErrUnauthorized)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	for _, text := range []string{none + "." + parts[1] + ".", none + "." + parts[1] + ".AA", none + "." + parts[1] + "." + parts[2]} {
		_, err := w.VerifyToken(t.Context(), auth.Secret(text))
		wantError(t, "alg none", err, auth.ErrUnauthorized)
	}
}
