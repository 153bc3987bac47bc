package auth_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

// A world is an installation whose clock stands until a test moves it.
type world struct {
	*auth.Registrar
	*auth.Authenticator

	store  *testStore
	config auth.Config
	now    time.Time
	log    bytes.Buffer
}

func newWorld(t testing.TB) *world { return newWorldWith(t, auth.NewSecrets()) }

func newWorldWith(t testing.TB, secrets auth.Secrets) *world {
	t.Helper()
	w := &world{store: newStore(), now: time.Date(2026, 5, 4, 10, 30, 0, 0, time.UTC)}
	w.config = auth.Config{
		Store: w.store, Secrets: secrets, Issuer: "leyden",
		Now: func() time.Time { return w.now },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	w.Registrar = auth.NewRegistrar(w.config)
	a, err := auth.NewAuthenticator(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.Authenticator = a
	return w
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// key makes an API key with these scopes.
func (w *world) key(t testing.TB, scopes ...string) (auth.KeyRecord, auth.Secret) {
	t.Helper()
	k, text, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// client makes an OAuth2 client with these scopes.
func (w *world) client(t testing.TB, scopes ...string) (auth.ClientRecord, auth.ClientLogin) {
	t.Helper()
	c, text, err := w.CreateClient(t.Context(), auth.Spec{Name: "c", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return c, auth.ClientLogin{ID: c.ID, Secret: text, Addr: address(1)}
}

// token issues an access token with all scopes of the client.
func (w *world) token(t testing.TB, login auth.ClientLogin) auth.Grant {
	t.Helper()
	g, err := w.IssueToken(t.Context(), auth.TokenRequest{Login: login, GrantType: "client_credentials"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (w *world) withKey(t testing.TB, key auth.Secret) (auth.Principal, error) {
	return w.Authenticate(t.Context(), auth.Credentials{APIKey: key, Addr: address(1)})
}

func (w *world) withToken(t testing.TB, text auth.Secret) (auth.Principal, error) {
	return w.Authenticate(t.Context(), auth.Credentials{Authorization: "Bearer " + text, Addr: address(1)})
}

// address returns one of many IPv4 addresses.
func address(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// wantThrottled fails unless err asks to wait between a second and the window.
func wantThrottled(t testing.TB, what string, err error) time.Duration {
	t.Helper()
	throttled, ok := errors.AsType[*auth.ThrottledError](err)
	if !ok {
		t.Fatalf("%s: got error %v, want a ThrottledError", what, err)
	}
	wait := throttled.RetryAfter
	if wait < time.Second || wait > auth.GuessWindow || wait%time.Second != 0 {
		t.Fatalf("%s: retry after %v, want whole seconds up to %v", what, wait, auth.GuessWindow)
	}
	return wait
}

// printed prints values in every way that a log or a message could.
func printed(values ...any) string {
	var out strings.Builder
	json := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		json.Info("m", "v", v)
		plain.Info("m", "v", v)
	}
	return out.String()
}

// spellings returns some bytes as fmt would print them.
func spellings(b []byte) []string {
	return []string{string(b), hex.EncodeToString(b), strings.Trim(fmt.Sprint(b), "[]"),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")}
}

func TestSecretsAreMasked(t *testing.T) {
	secrets, seed, pepper := storedSecrets(t)
	w := newWorldWith(t, secrets)
	k, text := w.key(t, "admin")
	c, login := w.client(t, "admin")
	g := w.token(t, login)
	password, err := w.SetStation(t.Context(), auth.StationSpec{Station: "S1"})
	if err != nil {
		t.Fatal(err)
	}
	station, err := w.Station(t.Context(), "S1")
	if err != nil {
		t.Fatal(err)
	}
	records := printed(k, text, c, login, g, password, station,
		auth.Credentials{APIKey: text, Authorization: "Bearer " + g.Text}, auth.TokenRequest{Login: login},
		auth.StationSpec{Station: "S1", Password: password})
	parts := printed(secrets, &secrets, w.config, w.Registrar, w.Authenticator, *w.Registrar,
		auth.NewStationGate(w.config, auth.AdmitOpen))
	hidden := []string{string(text), string(login.Secret), string(g.Text), string(password)}
	for _, key := range [][]byte{seed, pepper} {
		hidden = append(hidden, spellings(key)...)
	}
	for _, secret := range hidden {
		if strings.Contains(records+parts, secret) {
			t.Errorf("%.12s… is in what was printed", secret)
		}
	}
	for _, hash := range append(spellings(k.Hash[:]), spellings(station.Hash[:])...) {
		if strings.Contains(records, hash) {
			t.Errorf("hash %.12s… is in what was printed", hash)
		}
	}
	if !strings.Contains(records, "[secret]") || !strings.Contains(records, k.ID) {
		t.Error("what was printed shows neither masks nor what is no secret")
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	w := newWorld(t)
	_, key := w.key(t, "admin")
	_, login := w.client(t, "admin")
	g := w.token(t, login)
	gate := auth.NewStationGate(w.config, auth.AdmitOpen)
	w.store.fail(leyden.ErrUnavailable)
	ctx := t.Context()
	for what, call := range map[string]func() error{
		"Authenticate with a key":    func() error { _, err := w.withKey(t, key); return err },
		"Authenticate with a token":  func() error { _, err := w.withToken(t, g.Text); return err },
		"VerifyToken":                func() error { _, err := w.VerifyToken(ctx, g.Text); return err },
		"AuthenticateClient":         func() error { _, err := w.AuthenticateClient(ctx, login); return err },
		"RevokeToken":                func() error { _, err := w.RevokeToken(ctx, login, g.Text); return err },
		"Admit":                      func() error { return gate.Admit(ctx, leyden.Attempt{Station: "S1"}) },
		"Rotate":                     func() error { _, err := gate.Rotate(ctx, "S1", given); return err },
		"CreateKey":                  func() error { _, _, err := w.CreateKey(ctx, adminSpec()); return err },
		"UpdateKey":                  func() error { _, err := w.UpdateKey(ctx, "key_", auth.Edit{}); return err },
		"RevokeKey":                  func() error { _, err := w.RevokeKey(ctx, "key_"); return err },
		"EnsureAdmin":                func() error { _, _, err := w.EnsureAdmin(ctx, ""); return err },
		"EnsureAdmin with a text":    func() error { _, _, err := w.EnsureAdmin(ctx, givenAdmin); return err },
		"CreateClient":               func() error { _, _, err := w.CreateClient(ctx, adminSpec()); return err },
		"AddClientSecret":            func() error { _, _, err := w.AddClientSecret(ctx, login.ID, time.Time{}); return err },
		"RevokeClient":               func() error { _, err := w.RevokeClient(ctx, login.ID); return err },
		"SetStation":                 func() error { _, err := w.SetStation(ctx, auth.StationSpec{Station: "S"}); return err },
		"DeleteStation":              func() error { return w.DeleteStation(ctx, "S") },
		"a registered station's one": func() error { _, err := w.Station(ctx, "S"); return err },
	} {
		err := call()
		wantError(t, what, err, leyden.ErrUnavailable)
		for _, other := range []error{auth.ErrUnauthorized, auth.ErrDenied, auth.ErrInvalidClient} {
			if errors.Is(err, other) {
				t.Errorf("%s: a store that failed is taken for %v", what, other)
			}
		}
	}
}

const givenAdmin = "correct-horse-battery-staple"

func adminSpec() auth.Spec { return auth.Spec{Name: "n", Scopes: []string{"admin"}} }
