package auth_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
)

func TestCreateKey(t *testing.T) {
	w := newWorld(t)
	k, text, err := w.CreateKey(t.Context(), auth.Spec{Name: "  billing ", Scopes: []string{"tags:write", "chargers:read", "tags:write"}})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^key_[a-z2-7]{26}$`).MatchString(k.ID) {
		t.Errorf("id %q", k.ID)
	}
	if !regexp.MustCompile(`^lk_[a-z2-7]{8}_[a-z2-7]{32}$`).MatchString(string(text)) {
		t.Errorf("text has another form, of %d characters", len(text))
	}
	if k.Prefix != string(text[:11]) || k.Name != "billing" || k.Scopes.String() != "chargers:read tags:write" ||
		!k.CreatedAt.Equal(w.now) || !k.LastUsedAt.IsZero() || !k.RevokedAt.IsZero() {
		t.Errorf("key %+v", k)
	}
	p, err := w.withKey(t, text)
	if err != nil || p.ID != k.ID || p.Name != "billing" || p.Client || !p.Allow(auth.TagsWrite) || p.Allow(auth.Admin) {
		t.Errorf("principal %+v, %v", p, err)
	}
	other, otherText := w.key(t, "admin")
	if other.ID == k.ID || otherText == text || other.Prefix == k.Prefix {
		t.Error("two keys are alike")
	}
	stored := fmt.Sprintf("%+v", w.store.keys)
	if strings.Contains(stored, string(text)) || strings.Contains(stored, string(text[12:])) {
		t.Error("the store holds the text of a key")
	}
}

func TestSpecInvalid(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		field string
		spec  auth.Spec
	}{
		{"name", auth.Spec{Name: "", Scopes: []string{"admin"}}},
		{"name", auth.Spec{Name: " \t", Scopes: []string{"admin"}}},
		{"name", auth.Spec{Name: strings.Repeat("ü", auth.MaxName+1), Scopes: []string{"admin"}}},
		{"name", auth.Spec{Name: "a\nb", Scopes: []string{"admin"}}},
		{"name", auth.Spec{Name: "a\xff", Scopes: []string{"admin"}}},
		{"scopes", auth.Spec{Name: "n"}},
		{"scopes", auth.Spec{Name: "n", Scopes: []string{"admin", "everything"}}},
	} {
		_, _, keyErr := w.CreateKey(t.Context(), test.spec)
		wantInvalid(t, fmt.Sprintf("key %+v", test.spec), keyErr, test.field)
		_, _, clientErr := w.CreateClient(t.Context(), test.spec)
		wantInvalid(t, fmt.Sprintf("client %+v", test.spec), clientErr, test.field)
	}
	if len(w.store.keys)+len(w.store.clients) > 0 {
		t.Error("something was stored")
	}
	if _, _, err := w.CreateKey(t.Context(), auth.Spec{Name: strings.Repeat("ü", auth.MaxName), Scopes: []string{"admin"}}); err != nil {
		t.Errorf("a name as long as may be: %v", err)
	}
}

func TestUpdateKey(t *testing.T) {
	w := newWorld(t)
	k, text := w.key(t, "admin")
	name := "renamed"
	got, err := w.UpdateKey(t.Context(), k.ID, auth.Edit{Name: &name})
	if err != nil || got.Name != name || got.Scopes.String() != "admin" {
		t.Errorf("after a new name: %+v, %v", got, err)
	}
	if _, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{Scopes: []string{"chargers:read"}}); err != nil {
		t.Fatal(err)
	}
	p, err := w.withKey(t, text)
	if err != nil || p.Name != name || p.Allow(auth.Admin) || !p.Allow(auth.ChargersRead) {
		t.Errorf("principal of the next request: %+v, %v", p, err)
	}
	bad := ""
	_, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{Name: &bad, Scopes: []string{"admin"}})
	wantInvalid(t, "empty name", err, "name")
	_, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{Scopes: []string{}})
	wantInvalid(t, "no scope", err, "scopes")
	if got, err = w.Key(t.Context(), k.ID); err != nil || got.Scopes.String() != "chargers:read" || got.Name != name {
		t.Errorf("after edits that were refused: %+v, %v", got, err)
	}
	_, err = w.UpdateKey(t.Context(), "key_none", auth.Edit{Name: &name})
	wantError(t, "edit of an unknown key", err, leyden.ErrNotFound)
}

func TestRevokeKey(t *testing.T) {
	w := newWorld(t)
	k, text := w.key(t, "admin")
	revokedAt := w.now
	for range 2 {
		got, err := w.RevokeKey(t.Context(), k.ID)
		if err != nil || !got.RevokedAt.Equal(revokedAt) {
			t.Fatalf("revoked: %+v, %v", got, err)
		}
		w.pass(time.Hour)
	}
	_, err := w.withKey(t, text)
	wantError(t, "request with a revoked key", err, auth.ErrUnauthorized)
	name := "back"
	_, err = w.UpdateKey(t.Context(), k.ID, auth.Edit{Name: &name})
	wantError(t, "edit of a revoked key", err, auth.ErrRevoked)
	_, err = w.RevokeKey(t.Context(), "key_none")
	wantError(t, "revocation of an unknown key", err, leyden.ErrNotFound)
	all, err := w.Keys(t.Context())
	if err != nil || len(all) != 1 || all[0].RevokedAt.IsZero() {
		t.Errorf("Keys = %+v, %v", all, err)
	}
}

// TestRevokeBesideUpdates: whatever order changes come in, a revoked key stays
// revoked.
func TestRevokeBesideUpdates(t *testing.T) {
	w := newWorld(t)
	k, text := w.key(t, "admin")
	var wg sync.WaitGroup
	for i := range 3 {
		name := fmt.Sprint("name ", i)
		wg.Go(func() { w.UpdateKey(t.Context(), k.ID, auth.Edit{Name: &name}) })
	}
	wg.Go(func() {
		if _, err := w.RevokeKey(t.Context(), k.ID); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	_, err := w.withKey(t, text)
	wantError(t, "request with the revoked key", err, auth.ErrUnauthorized)
}

func TestEnsureAdminMints(t *testing.T) {
	w := newWorld(t)
	made, text, err := w.EnsureAdmin(t.Context(), "")
	if err != nil || made == nil {
		t.Fatalf("first start: %+v, %v", made, err)
	}
	p, err := w.withKey(t, text)
	if err != nil || !p.Allow(auth.Admin) {
		t.Errorf("principal %+v, %v", p, err)
	}
	if made, again, err := w.EnsureAdmin(t.Context(), ""); again != "" || made != nil || err != nil {
		t.Errorf("second start: %v, %v", made, err)
	}
	if _, err := w.RevokeKey(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if made, _, err := w.EnsureAdmin(t.Context(), ""); made != nil || err != nil {
		t.Errorf("start after the key was revoked: %v, %v", made, err)
	}
}

func TestEnsureAdminGiven(t *testing.T) {
	w := newWorld(t)
	w.key(t, "chargers:read") // other keys do not matter
	for start := range 3 {
		made, text, err := w.EnsureAdmin(t.Context(), givenAdmin)
		if text != givenAdmin || (made != nil) != (start == 0) || err != nil {
			t.Errorf("start %d: %v, %v", start, made, err)
		}
	}
	p, err := w.withKey(t, givenAdmin)
	if err != nil || !p.Allow(auth.Admin) {
		t.Fatalf("principal %+v, %v", p, err)
	}
	k, err := w.Key(t.Context(), p.ID)
	if err != nil || k.Prefix != "" {
		t.Errorf("lists show %q of a given text, %v", k.Prefix, err)
	}
	if _, err := w.UpdateKey(t.Context(), p.ID, auth.Edit{Scopes: []string{"chargers:read"}}); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.EnsureAdmin(t.Context(), givenAdmin)
	wantError(t, "start after the key lost its scope", err, leyden.ErrInvalid)
	if _, err := w.RevokeKey(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.EnsureAdmin(t.Context(), givenAdmin)
	wantError(t, "start after the key was revoked", err, auth.ErrRevoked)
}

func TestEnsureAdminGivenMinted(t *testing.T) {
	w := newWorld(t)
	_, minted := newWorld(t).key(t, "admin")
	if made, _, err := w.EnsureAdmin(t.Context(), string(minted)); err != nil || made == nil {
		t.Fatalf("import of another installation's key: %v, %v", made, err)
	}
	all, err := w.Keys(t.Context())
	if err != nil || len(all) != 1 || all[0].Prefix != string(minted[:11]) {
		t.Errorf("Keys = %+v, %v", all, err)
	}
}

func TestEnsureAdminRefuses(t *testing.T) {
	w := newWorld(t)
	for _, given := range []string{
		"short", strings.Repeat("x", auth.MinGivenKey-1), strings.Repeat("x", auth.MaxGivenKey+1),
		"with a space in the text", "with-a-line-break-at-the-end\n", "größer-als-zwanzig-zeichen",
	} {
		made, _, err := w.EnsureAdmin(t.Context(), given)
		wantError(t, fmt.Sprintf("EnsureAdmin(%.10q…)", given), err, leyden.ErrInvalid)
		if made != nil || strings.Contains(err.Error(), given) {
			t.Errorf("made: %+v, error: %v", made, err)
		}
	}
}

// wantInvalid fails unless err is an InvalidError of that field.
func wantInvalid(t testing.TB, what string, err error, field string) {
	t.Helper()
	wantError(t, what, err, leyden.ErrInvalid)
	if invalid, ok := errors.AsType[*auth.InvalidError](err); !ok || invalid.Field != field || invalid.Reason == "" {
		t.Errorf("%s: got %v, want an InvalidError of %s", what, err, field)
	}
}
