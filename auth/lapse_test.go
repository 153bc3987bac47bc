package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

// wantLapsed fails unless err is an ErrUnauthorized that says why.
func wantLapsed(t testing.TB, what string, err error, why string) {
	t.Helper()
	lapsed, ok := errors.AsType[*auth.LapsedError](err)
	if !ok || lapsed.Why != why || !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("%s: got error %v, want that %s", what, err, why)
	}
}

func TestKeyExpires(t *testing.T) {
	w := newWorld(t)
	end := w.now.Add(time.Hour)
	_, _, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: []string{"admin"}, ExpiresAt: w.now})
	wantError(t, "key that has ended", err, leyden.ErrInvalid)
	k, text, err := w.CreateKey(t.Context(), auth.Spec{Name: "k", Scopes: []string{"admin"}, ExpiresAt: end})
	if err != nil || !k.ExpiresAt.Equal(end) {
		t.Fatalf("key %+v, %v", k, err)
	}
	w.pass(time.Hour - time.Microsecond)
	if _, err := w.withKey(t, text); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	w.pass(time.Microsecond)
	for range 3 * auth.MaxGuesses { // it is no guess
		_, err = w.withKey(t, text)
		wantLapsed(t, "at its end", err, "the API key expired at 2026-05-04T11:30:00Z")
	}
	later := w.now.Add(time.Hour)
	if _, err := w.UpdateKey(t.Context(), k.ID, auth.Edit{ExpiresAt: &later}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.withKey(t, text); err != nil {
		t.Errorf("with a later end: %v", err)
	}
	_, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{ExpiresAt: &w.now})
	wantError(t, "an end that is over", err, leyden.ErrInvalid)
	if k, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{ExpiresAt: new(time.Time)}); err != nil || !k.ExpiresAt.IsZero() {
		t.Errorf("without an end: %+v, %v", k, err)
	}
}

func TestDisabled(t *testing.T) {
	w := newWorld(t)
	k, text := w.key(t, "admin")
	c, login := w.client(t, "admin")
	g := w.token(t, login)
	for _, enabled := range []bool{false, true} {
		changed, err := w.UpdateKey(t.Context(), k.ID, auth.Edit{Enabled: &enabled})
		if err != nil || changed.DisabledAt.IsZero() != enabled {
			t.Fatalf("key enabled %v: %+v, %v", enabled, changed, err)
		}
		if _, err := w.UpdateClient(t.Context(), c.ID, auth.Edit{Enabled: &enabled}); err != nil {
			t.Fatal(err)
		}
		if enabled {
			break
		}
		_, err = w.withKey(t, text)
		wantLapsed(t, "key", err, "the API key is disabled")
		_, err = w.withToken(t, g.Text)
		wantLapsed(t, "access token", err, "the client is disabled")
		_, err = w.AuthenticateClient(t.Context(), login)
		wantError(t, "client", err, auth.ErrInvalidClient)
	}
	_, keyErr := w.withKey(t, text)
	_, tokenErr := w.withToken(t, g.Text)
	if err := errors.Join(keyErr, tokenErr); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

func TestRotateKey(t *testing.T) {
	w := newWorld(t)
	k, first := w.key(t, "admin")
	enters := func(what string, text auth.Secret, why string) {
		t.Helper()
		p, err := w.withKey(t, text)
		if why == "" && (err != nil || p.ID != k.ID) {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
		if why != "" {
			wantLapsed(t, what, err, why)
		}
	}
	rotated, second, err := w.RotateKey(t.Context(), k.ID, time.Hour)
	if err != nil || rotated.ID != k.ID || !rotated.OldUntil.Equal(w.now.Add(time.Hour)) || !strings.HasPrefix(string(second), rotated.Prefix) || first == second {
		t.Fatalf("rotated %+v, %v", rotated, err)
	}
	enters("old one", first, "")
	enters("new one", second, "")
	w.pass(time.Hour)
	enters("old one after its grace", first, "the API key was replaced by a new one")
	_, third, err := w.RotateKey(t.Context(), k.ID, time.Hour)
	wantError(t, "second rotation", err, nil)
	_, fourth, err := w.RotateKey(t.Context(), k.ID, time.Hour)
	wantError(t, "third rotation", err, nil)
	_, err = w.withKey(t, second)
	wantError(t, "one before the last", err, auth.ErrUnauthorized)
	enters("the last", third, "")
	enters("the new one", fourth, "")
	_, fifth, err := w.RotateKey(t.Context(), k.ID, 0)
	wantError(t, "rotation without grace", err, nil)
	_, err = w.withKey(t, fourth)
	wantError(t, "old one without grace", err, auth.ErrUnauthorized)
	enters("new one without grace", fifth, "")
	for _, grace := range []time.Duration{-1, auth.MaxGrace + 1} {
		_, _, err = w.RotateKey(t.Context(), k.ID, grace)
		wantError(t, grace.String(), err, leyden.ErrInvalid)
	}
	_, err = w.RevokeKey(t.Context(), k.ID)
	wantError(t, "revocation", err, nil)
	_, _, err = w.RotateKey(t.Context(), k.ID, 0)
	wantError(t, "rotation of a revoked key", err, auth.ErrRevoked)
	_, _, err = w.RotateKey(t.Context(), "key_none", 0)
	wantError(t, "rotation of an unknown key", err, leyden.ErrNotFound)
}

func TestSecretsOfClients(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "admin")
	_, _, err := w.AddClientSecret(t.Context(), c.ID, w.now)
	wantError(t, "secret that has ended", err, leyden.ErrInvalid)
	added, text, err := w.AddClientSecret(t.Context(), c.ID, w.now.Add(time.Hour))
	if err != nil || len(added.Secrets) != 2 {
		t.Fatalf("client %+v, %v", added, err)
	}
	for i, text := range []auth.Secret{login.Secret, text} {
		if prefix := added.Secrets[i].Prefix; len(prefix) != len("ls_")+8 || !strings.HasPrefix(string(text), prefix) {
			t.Errorf("secret %d has the prefix %q", i, prefix)
		}
	}
	second := auth.ClientLogin{ID: c.ID, Secret: text, Addr: address(1)}
	w.token(t, second)
	got, err := w.Registrar.Client(t.Context(), c.ID)
	if err != nil || !got.Secrets[0].LastUsedAt.IsZero() || !got.Secrets[1].LastUsedAt.Equal(w.now) {
		t.Errorf("used secrets %+v, %v", got.Secrets, err)
	}
	w.pass(time.Hour)
	_, err = w.AuthenticateClient(t.Context(), second)
	wantError(t, "secret at its end", err, auth.ErrInvalidClient)
	if err == nil || !strings.Contains(err.Error(), "the secret expired at 2026-05-04T11:30:00Z") {
		t.Errorf("secret at its end: %v", err)
	}
	w.token(t, login)
}

func TestIntrospect(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "chargers:read", "tags:write")
	_, resource := w.client(t, "transactions:read")
	g := w.token(t, login)
	introspect := func(text auth.Secret) (auth.AccessToken, bool) {
		t.Helper()
		got, active, err := w.Introspect(t.Context(), resource, text)
		if err != nil {
			t.Fatal(err)
		}
		return got, active
	}
	if got, active := introspect(g.Text); !active || got.ID != g.ID || got.ClientID != c.ID || !got.ExpiresAt.Equal(g.ExpiresAt) || got.Scopes.String() != "chargers:read tags:write" {
		t.Errorf("introspected %+v, %v", got, active)
	}
	if _, err := w.UpdateClient(t.Context(), c.ID, auth.Edit{Scopes: []string{"tags:write"}}); err != nil {
		t.Fatal(err)
	}
	if got, _ := introspect(g.Text); got.Scopes.String() != "tags:write" {
		t.Errorf("after it lost a scope: %q", got.Scopes)
	}
	for _, text := range []auth.Secret{"", "nonsense", g.Text + "x"} {
		if got, active := introspect(text); active || got.ID != "" {
			t.Errorf("%.20q is active: %+v", string(text), got)
		}
	}
	if _, err := w.RevokeToken(t.Context(), login, g.Text); err != nil {
		t.Errorf("revocation: %v", err)
	}
	if _, active := introspect(g.Text); active {
		t.Error("a revoked access token is active")
	}
	expired := w.token(t, login)
	w.pass(auth.AccessTokenLife)
	if _, active := introspect(expired.Text); active {
		t.Error("an expired access token is active")
	}
	_, _, err := w.Introspect(t.Context(), auth.ClientLogin{}, g.Text)
	wantError(t, "introspection by nobody", err, auth.ErrInvalidClient)
	w.store.fail(leyden.ErrUnavailable)
	_, _, err = w.Introspect(t.Context(), resource, g.Text)
	wantError(t, "introspection without a store", err, leyden.ErrUnavailable)
}
