package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

const mask = "[secret]"

// A Secret is the plain text of a credential. It masks itself wherever it is
// printed, logged or marshalled; string(s) is the text.
type Secret string

// String returns a mask.
func (Secret) String() string { return mask }

// Format writes a mask, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, mask) }

// LogValue returns a mask.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns a mask: a reply that shall show a secret must say so.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// A Hash is the keyed hash under which the text of a credential is kept and
// found. The zero Hash belongs to no text.
type Hash [32]byte

// String returns a mask.
func (Hash) String() string { return mask }

// Format writes a mask, whatever the verb.
func (Hash) Format(f fmt.State, _ rune) { fmt.Fprint(f, mask) }

// MarshalText returns a mask.
func (Hash) MarshalText() ([]byte, error) { return []byte(mask), nil }

// What minted texts are made of.
const (
	base32Digits  = "abcdefghijklmnopqrstuvwxyz234567" // RFC 4648 §6, in lower case
	keyPrefix     = "lk_"
	clientPrefix  = "ls_" // of a client's secret
	publicLength  = 8     // characters of a key or secret that lists show, 40 bits
	secretLength  = 32    // characters of it that nobody sees, 160 bits
	passwordBytes = 20    // of a station's password, 40 hex digits (OCPP 1.6 security white paper, AuthorizationKey)
)

// mintKey returns the text of a new API key.
func mintKey() Secret { return mint(keyPrefix) }

func mint(prefix string) Secret {
	return Secret(prefix + randomText(publicLength) + "_" + randomText(secretLength))
}

// shownPrefix returns the part of a key or secret that lists may show: nothing of
// one that was not minted here, which may be a phrase of few words.
func shownPrefix(prefix, key string) string {
	rest, ours := strings.CutPrefix(key, prefix)
	if !ours || len(rest) != publicLength+1+secretLength || rest[publicLength] != '_' {
		return ""
	}
	if strings.Trim(rest[:publicLength]+rest[publicLength+1:], base32Digits) != "" {
		return ""
	}
	return key[:len(prefix)+publicLength]
}

// mintPassword returns a new password of a station, in hex.
func mintPassword() Secret {
	var b [passwordBytes]byte
	rand.Read(b[:])
	return Secret(hex.EncodeToString(b[:]))
}

func randomText(length int) string {
	b := make([]byte, length*5/8)
	rand.Read(b)
	return encodeText(b)
}

func encodeText(b []byte) string {
	return base32.NewEncoding(base32Digits).WithPadding(base32.NoPadding).EncodeToString(b)
}
