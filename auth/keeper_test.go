package auth_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"leyden/auth"
)

// rotating returns a world whose key material is in a folder, and what rotates
// its key as another process does.
func rotating(t *testing.T) (w *world, rotate func(forget bool) (string, error)) {
	t.Helper()
	dir := t.TempDir()
	secrets, err := auth.LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	w = newWorldWith(t, secrets)
	return w, func(forget bool) (string, error) {
		return auth.Rotation{Dir: dir, Now: w.now, Forget: forget}.Rotate()
	}
}

func (w *world) keyIDs(t *testing.T) (ids []string) {
	t.Helper()
	keys, err := w.PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestRotateSigningKey(t *testing.T) {
	w, rotate := rotating(t)
	_, key := w.key(t, "admin")
	_, login := w.client(t, "admin")
	first := w.keyIDs(t)
	before := w.token(t, login)
	w.pass(10 * time.Minute)
	kid, err := rotate(false)
	if err != nil {
		t.Fatal(err)
	}
	if ids := w.keyIDs(t); len(ids) != 2 || ids[0] != kid || ids[1] != first[0] {
		t.Fatalf("keys %v after %v, want %s first", ids, first, kid)
	}
	after := w.token(t, login)
	if header := decoded(t, head(after.Text)); header["kid"] != kid {
		t.Errorf("signed by %v, want %s", header["kid"], kid)
	}
	for name, text := range map[string]auth.Secret{"old": before.Text, "new": after.Text} {
		if _, err := w.withToken(t, text); err != nil {
			t.Errorf("%s access token: %v", name, err)
		}
	}
	if _, err := w.withKey(t, key); err != nil {
		t.Errorf("API key: %v", err) // the pepper stays
	}
	w.pass(auth.AccessTokenLife + time.Minute)
	if ids := w.keyIDs(t); len(ids) != 1 || ids[0] != kid {
		t.Errorf("keys %v once the old tokens have expired", ids)
	}
	// A token that the old key signs later, by whoever stole it, is worth nothing.
	_, err = w.withToken(t, before.Text)
	wantError(t, "old access token", err, auth.ErrUnauthorized)
}

func head(text auth.Secret) string {
	for i := range len(text) {
		if text[i] == '.' {
			return string(text[:i])
		}
	}
	return ""
}

func TestForgetSigningKey(t *testing.T) {
	w, rotate := rotating(t)
	_, login := w.client(t, "admin")
	before := w.token(t, login)
	if _, err := rotate(true); err != nil {
		t.Fatal(err)
	}
	_, err := w.withToken(t, before.Text)
	wantError(t, "access token of a key that is forgotten", err, auth.ErrUnauthorized)
	if _, err := w.withToken(t, w.token(t, login).Text); err != nil {
		t.Error(err)
	}
}

func TestManyRotations(t *testing.T) {
	w, rotate := rotating(t)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = rotate(false)
	}
	wantError(t, "rotation without end", err, auth.ErrLimit)
	if ids := w.keyIDs(t); len(ids) != n {
		t.Errorf("%d keys after %d rotations", len(ids), n-1)
	}
	w.pass(2 * auth.AccessTokenLife)
	if _, err := rotate(false); err != nil {
		t.Errorf("two hours later: %v", err)
	}
}

// TestSecretsOutOfReach: a server goes on with what it read last.
func TestSecretsOutOfReach(t *testing.T) {
	dir := t.TempDir()
	secrets, err := auth.LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldWith(t, secrets)
	_, login := w.client(t, "admin")
	g := w.token(t, login)
	path := filepath.Join(dir, auth.SecretsFile)
	moved := os.Rename(path, path+".away")
	_, whileAway := w.withToken(t, g.Text)
	broken := os.WriteFile(path, []byte("{"), 0o600)
	_, whileBroken := w.withToken(t, g.Text)
	if err := errors.Join(moved, whileAway, broken, whileBroken); err != nil {
		t.Error(err)
	}
	if _, err := (auth.Rotation{Dir: dir, Now: w.now}).Rotate(); err == nil {
		t.Error("a broken file was rotated")
	}
}

// Of several who rotate at once, in the order in which they come, none loses the key
// of another: whatever one of them signed verifies still.
func TestRotateAtOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := auth.LoadSecrets(dir); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	kids := make([]string, 10)
	for i := range kids {
		group.Go(func() {
			var err error
			if kids[i], err = (auth.Rotation{Dir: dir, Now: time.Date(2026, 5, 4, 10, 30, 0, 0, time.UTC)}).Rotate(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	secrets, err := auth.LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids := newWorldWith(t, secrets).keyIDs(t)
	for _, kid := range kids {
		if !slices.Contains(ids, kid) {
			t.Errorf("key %s, which signed for a while, is none of %v", kid, ids)
		}
	}
}
