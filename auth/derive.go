package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Derive returns 32 bytes of key material for one purpose (HKDF-SHA-256, RFC
// 5869). What is sealed with it is lost without the installation's secrets file.
func (s Secrets) Derive(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, s.material().pepper[:], nil, "leyden "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", purpose, err)
	}
	return key, nil
}
