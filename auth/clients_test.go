package auth_test

import (
	"regexp"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

func TestCreateClient(t *testing.T) {
	w := newWorld(t)
	c, text, err := w.CreateClient(t.Context(), auth.Spec{Name: "fleet", Scopes: []string{"transactions:read"}})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^cli_[a-z2-7]{26}$`).MatchString(c.ID) ||
		!regexp.MustCompile(`^ls_[a-z2-7]{8}_[a-z2-7]{32}$`).MatchString(string(text)) {
		t.Errorf("client %q, secret of %d characters", c.ID, len(text))
	}
	got, err := w.Client(t.Context(), c.ID)
	if err != nil || got.Name != "fleet" || len(got.Secrets) != 1 || got.Scopes.String() != "transactions:read" {
		t.Errorf("Client = %+v, %v", got, err)
	}
	all, err := w.Clients(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != c.ID {
		t.Errorf("Clients = %+v, %v", all, err)
	}
}

// TestRotateClient walks through the rotation of a secret without an
// interruption.
func TestRotateClient(t *testing.T) {
	w := newWorld(t)
	c, old := w.client(t, "admin")
	login := func(what string, l auth.ClientLogin, want error) {
		t.Helper()
		_, err := w.AuthenticateClient(t.Context(), l)
		wantError(t, what, err, want)
	}
	changed, text, err := w.AddClientSecret(t.Context(), c.ID, time.Time{})
	if err != nil || len(changed.Secrets) != 2 {
		t.Fatalf("second secret: %+v, %v", changed, err)
	}
	fresh := auth.ClientLogin{ID: c.ID, Secret: text, Addr: address(1)}
	login("old secret beside the new one", old, nil)
	login("new secret beside the old one", fresh, nil)
	_, _, err = w.AddClientSecret(t.Context(), c.ID, time.Time{})
	wantError(t, "third secret", err, auth.ErrLimit)
	g := w.token(t, old)
	if _, err = w.RemoveClientSecret(t.Context(), c.ID, changed.Secrets[0].ID); err != nil {
		t.Fatal(err)
	}
	login("old secret after its end", old, auth.ErrInvalidClient)
	login("new secret alone", fresh, nil)
	if _, err := w.withToken(t, g.Text); err != nil {
		t.Errorf("access token of the old secret: %v", err)
	}
	_, err = w.RemoveClientSecret(t.Context(), c.ID, changed.Secrets[1].ID)
	wantError(t, "removal of the last secret", err, auth.ErrLastSecret)
	_, err = w.RemoveClientSecret(t.Context(), c.ID, "sec_none")
	wantError(t, "removal of an unknown secret", err, leyden.ErrNotFound)
	_, _, err = w.AddClientSecret(t.Context(), "cli_none", time.Time{})
	wantError(t, "secret of an unknown client", err, leyden.ErrNotFound)
}

// TestSecretOfAnotherClient: secrets belong to the client that they were made
// for.
func TestSecretOfAnotherClient(t *testing.T) {
	w := newWorld(t)
	a, loginA := w.client(t, "admin")
	_, loginB := w.client(t, "chargers:read")
	loginB.ID = a.ID
	_, err := w.AuthenticateClient(t.Context(), loginB)
	wantError(t, "login with another client's secret", err, auth.ErrInvalidClient)
	if _, err := w.AuthenticateClient(t.Context(), loginA); err != nil {
		t.Error(err)
	}
}

func TestRevokeClient(t *testing.T) {
	w := newWorld(t)
	c, login := w.client(t, "admin")
	g := w.token(t, login)
	revokedAt := w.now
	for range 2 {
		got, err := w.RevokeClient(t.Context(), c.ID)
		if err != nil || !got.RevokedAt.Equal(revokedAt) {
			t.Fatalf("revoked: %+v, %v", got, err)
		}
		w.pass(time.Minute)
	}
	_, err := w.withToken(t, g.Text)
	wantError(t, "access token of a revoked client", err, auth.ErrUnauthorized)
	_, err = w.AuthenticateClient(t.Context(), login)
	wantError(t, "login of a revoked client", err, auth.ErrInvalidClient)
	_, err = w.UpdateClient(t.Context(), c.ID, auth.Edit{Scopes: []string{"admin"}})
	wantError(t, "edit of a revoked client", err, auth.ErrRevoked)
	_, _, err = w.AddClientSecret(t.Context(), c.ID, time.Time{})
	wantError(t, "secret for a revoked client", err, auth.ErrRevoked)
	_, err = w.RevokeClient(t.Context(), "cli_none")
	wantError(t, "revocation of an unknown client", err, leyden.ErrNotFound)
}
