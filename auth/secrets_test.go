package auth_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"leyden/auth"
)

// storedSecrets returns fresh key material and what its file holds.
func storedSecrets(t *testing.T) (s auth.Secrets, seed, pepper []byte) {
	t.Helper()
	dir := t.TempDir()
	s, err := auth.LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, auth.SecretsFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ TokenSeed, Pepper string }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	seed, seedErr := hex.DecodeString(file.TokenSeed)
	pepper, pepperErr := hex.DecodeString(file.Pepper)
	if seedErr != nil || pepperErr != nil || len(seed) != 32 || len(pepper) != 32 {
		t.Fatalf("seed of %d bytes, %v; pepper of %d bytes, %v", len(seed), seedErr, len(pepper), pepperErr)
	}
	return s, seed, pepper
}

// recognises reports whether credentials made under one installation's secrets
// are good under another's.
func recognises(t *testing.T, made, read auth.Secrets) bool {
	t.Helper()
	w := newWorldWith(t, made)
	_, key := w.key(t, "admin")
	_, login := w.client(t, "admin")
	g := w.token(t, login)
	w.config.Secrets = read
	other, err := auth.NewAuthenticator(w.config)
	if err != nil {
		t.Fatal(err)
	}
	_, keyErr := other.Authenticate(t.Context(), auth.Credentials{APIKey: key})
	_, tokenErr := other.Authenticate(t.Context(), auth.Credentials{Authorization: "Bearer " + g.Text})
	if (keyErr == nil) != (tokenErr == nil) {
		t.Fatalf("key: %v, access token: %v", keyErr, tokenErr)
	}
	return keyErr == nil
}

func TestLoadSecrets(t *testing.T) {
	dir := t.TempDir()
	first, err := auth.LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, auth.SecretsFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info.Mode(), err)
	}
	second, err := auth.LoadSecrets(dir)
	if err != nil || !recognises(t, first, second) {
		t.Errorf("a second start reads other secrets, %v", err)
	}
	if recognises(t, first, auth.NewSecrets()) {
		t.Error("another installation recognises the credentials of this one")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

func TestLoadSecretsAtOnce(t *testing.T) {
	dir := t.TempDir()
	all, errs := make([]auth.Secrets, 16), make([]error, 16)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i], errs[i] = auth.LoadSecrets(dir) })
	}
	wg.Wait()
	for i := range all {
		if errs[i] != nil || !recognises(t, all[0], all[i]) {
			t.Errorf("start %d of 16 at once has other secrets, %v", i, errs[i])
		}
	}
}

func TestLoadSecretsTightens(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, auth.SecretsFile)
	if _, err := auth.LoadSecrets(dir); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o604, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := auth.LoadSecrets(dir)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v became %v; %v", mode, info.Mode(), err)
		}
	}
}

func TestLoadSecretsDamaged(t *testing.T) {
	good := `{"version":1,"tokenSeed":"` + strings.Repeat("5a", 32) + `","pepper":"` + strings.Repeat("a5", 32) + `"}`
	for name, text := range map[string]string{
		"empty":     "",
		"cut":       good[:len(good)-10],
		"version":   strings.Replace(good, "1", "2", 1),
		"no pepper": strings.Replace(good, "pepper", "paper", 1),
		"short":     strings.Replace(good, "5a5a", "5a", 1),
		"long":      strings.Replace(good, "5a5a", "5a5a5a", 1),
		"not hex":   strings.Replace(good, "a5a5", "g5a5", 1),
		"too long":  strings.Repeat(" ", 5000) + good,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, auth.SecretsFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := auth.LoadSecrets(dir)
		if err == nil {
			t.Errorf("%s: read all the same", name)
			continue
		}
		if m := err.Error(); !strings.Contains(m, path) || strings.Contains(m, "5a5a") || strings.Contains(m, "\n") {
			t.Errorf("%s: the error is %q", name, m)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != text {
			t.Errorf("%s: the damaged file was changed, %v", name, err)
		}
	}
}

func TestLoadSecretsImpossible(t *testing.T) {
	if _, err := auth.LoadSecrets(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("secrets of a folder that is not there")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, auth.SecretsFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.LoadSecrets(dir); err == nil {
		t.Error("a folder is read as secrets")
	}
}
