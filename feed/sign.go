package feed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery (Standard Webhooks 1.0.0).
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	secretPrefix   = "whsec_"
	minSecretBytes = 24
	maxSecretBytes = 64
	newSecretBytes = 32
	secretMask     = "[secret]"
)

// A SigningSecret signs what a webhook is sent: whsec_ and base64 of 24 to 64
// bytes. It masks itself wherever it is printed, logged or marshalled; string(s)
// is the text.
type SigningSecret string

// NewSigningSecret returns a fresh one.
func NewSigningSecret() SigningSecret {
	var b [newSecretBytes]byte
	rand.Read(b[:]) // never fails
	return SigningSecret(secretPrefix + base64.StdEncoding.EncodeToString(b[:]))
}

// ParseSigningSecret reads one that somebody gave. What it returns is the usual
// spelling of it.
func ParseSigningSecret(text string) (SigningSecret, error) {
	key, err := decodeSecret(text)
	if err != nil {
		return "", err
	}
	return SigningSecret(secretPrefix + base64.StdEncoding.EncodeToString(key)), nil
}

// decodeSecret never says what it read.
func decodeSecret(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return nil, &FieldError{"secret", "must begin with whsec_"}
	}
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(digits, "="))
	if err != nil {
		return nil, &FieldError{"secret", "must be whsec_ and base64"}
	}
	if len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, &FieldError{"secret", fmt.Sprintf("must be base64 of %d to %d bytes", minSecretBytes, maxSecretBytes)}
	}
	return key, nil
}

// String returns a mask.
func (SigningSecret) String() string { return secretMask }

// Format writes a mask, whatever the verb.
func (SigningSecret) Format(f fmt.State, _ rune) { fmt.Fprint(f, secretMask) }

// LogValue returns a mask.
func (SigningSecret) LogValue() slog.Value { return slog.StringValue(secretMask) }

// MarshalText returns a mask: a reply that shall show a secret must say so.
func (SigningSecret) MarshalText() ([]byte, error) { return []byte(secretMask), nil }

// Sign returns the signature of a body that is sent under that id at that time,
// with its version: v1 is HMAC-SHA256.
func (s SigningSecret) Sign(id string, at time.Time, body []byte) (string, error) {
	key, err := decodeSecret(string(s))
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// signatures returns the signatures by all secrets, with spaces between them:
// while a secret is rotated a receiver may know the one or the other.
func signatures(secrets []SigningSecret, id string, at time.Time, body []byte) (string, error) {
	var all []string
	for _, s := range secrets {
		text, err := s.Sign(id, at, body)
		if err != nil {
			return "", err
		}
		all = append(all, text)
	}
	return strings.Join(all, " "), nil
}

func timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// A Vault seals signing secrets: they must be known to sign with, and shall be of
// no use to who has but a copy of the database.
type Vault struct{ aead cipher.AEAD }

// VaultKeySize is how many bytes the key of a [Vault] has.
const VaultKeySize = 32

// NewVault returns one with a key of [VaultKeySize] bytes, that is kept elsewhere
// than what it seals.
func NewVault(key []byte) (*Vault, error) {
	if len(key) != VaultKeySize {
		return nil, fmt.Errorf("key of signing secrets has %d bytes, not %d", len(key), VaultKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of signing secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("key of signing secrets: %w", err)
	}
	return &Vault{aead}, nil
}

// Seal returns the secret of a webhook as it may be kept. It opens for this
// webhook only.
func (v *Vault) Seal(webhook string, s SigningSecret) []byte {
	return v.aead.Seal(nil, nil, []byte(s), []byte(webhook))
}

// errSealed does not tell a damaged record from a wrong key: nobody can.
var errSealed = errors.New("the signing secret cannot be read: the record is damaged, or the data folder has another secrets file")

// Open returns what was sealed.
func (v *Vault) Open(webhook string, sealed []byte) (SigningSecret, error) {
	text, err := v.aead.Open(nil, nil, sealed, []byte(webhook))
	if err != nil {
		return "", fmt.Errorf("webhook %s: %w", webhook, errSealed)
	}
	return SigningSecret(text), nil
}
