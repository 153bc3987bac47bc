package auth_test

import (
	"bytes"
	"testing"

	"leyden/auth"
)

// Each purpose and each installation has key material of its own, which is the
// same whenever it is asked for.
func TestDerive(t *testing.T) {
	folder := t.TempDir()
	load := func() auth.Secrets {
		s, err := auth.LoadSecrets(folder)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	derive := func(s auth.Secrets, purpose string) []byte {
		key, err := s.Derive(purpose)
		if err != nil || len(key) != 32 {
			t.Fatalf("%d bytes, %v", len(key), err)
		}
		return key
	}
	one := derive(load(), "one")
	if !bytes.Equal(one, derive(load(), "one")) {
		t.Error("the same purpose has another key after a restart")
	}
	if bytes.Equal(one, derive(load(), "two")) || bytes.Equal(one, derive(auth.NewSecrets(), "one")) {
		t.Error("another purpose, or another installation, has the same key")
	}
}
