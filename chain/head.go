package chain

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Head says how a chain ended at a time. Signed and kept elsewhere, it proves later
// that the rows up to its end are still those.
type Head struct {
	ID    ID
	Began int64 // number of the first row of the chain
	End   Link
	At    time.Time // to the second
}

// headTitle is the first line of a signed head.
const headTitle = "leyden head 1"

// ErrHead says that a text is no signed head, or that its signature is not right.
var ErrHead = errors.New("no signed head")

// Sign returns h as a text of lines, of which the last is the signature of those
// before (Ed25519, RFC 8032).
func (h *Head) Sign(key ed25519.PrivateKey) string {
	text := h.text(key.Public().(ed25519.PublicKey))
	return text + fmt.Sprintf("signature %x\n", ed25519.Sign(key, []byte(text)))
}

func (h *Head) text(key ed25519.PublicKey) string {
	return fmt.Sprintf("%s\nchain %s\nbegan %d\nevent %d\nhash %s\nat %s\nkey %x\n",
		headTitle, h.ID, h.Began, h.End.Number, h.End.Hash, h.At.UTC().Format(time.RFC3339), []byte(key))
}

// ReadHead reads what Sign returned. The key is the one that the text itself names:
// whether it is that of somebody who is trusted is for the caller to say. Errors are
// [ErrHead].
func ReadHead(text string) (h Head, key ed25519.PublicKey, err error) {
	var id, hash, public, signature []byte
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if len(lines) != 9 || lines[0] != headTitle || lines[8] != "" {
		return h, nil, fmt.Errorf("%w: it does not begin with %q and seven lines behind that", ErrHead, headTitle)
	}
	for i, read := range []struct {
		name string
		to   func(string) error
	}{
		{"chain", digits(&id, len(h.ID))},
		{"began", whole(&h.Began)},
		{"event", whole(&h.End.Number)},
		{"hash", digits(&hash, len(h.End.Hash))},
		{"at", func(s string) (err error) { h.At, err = time.Parse(time.RFC3339, s); return err }},
		{"key", digits(&public, ed25519.PublicKeySize)},
		{"signature", digits(&signature, ed25519.SignatureSize)},
	} {
		value, ok := strings.CutPrefix(lines[i+1], read.name+" ")
		if !ok {
			return h, nil, fmt.Errorf("%w: line %d is not %q and a value", ErrHead, i+2, read.name)
		}
		if err := read.to(value); err != nil {
			return h, nil, fmt.Errorf("%w: %s: %w", ErrHead, read.name, err)
		}
	}
	h.ID, h.End.Hash = ID(id), Hash(hash)
	if !ed25519.Verify(public, []byte(h.text(public)), signature) {
		return h, nil, fmt.Errorf("%w: it is not what was signed", ErrHead)
	}
	return h, public, nil
}

func digits(to *[]byte, size int) func(string) error {
	return func(s string) (err error) {
		*to, err = hex.DecodeString(s)
		if err == nil && len(*to) != size {
			err = fmt.Errorf("it has %d bytes, not %d", len(*to), size)
		}
		return err
	}
}

func whole(to *int64) func(string) error {
	return func(s string) (err error) {
		*to, err = strconv.ParseInt(s, 10, 64)
		return err
	}
}

// Compare returns nil if a chain that is whole still has all rows of h: found is the
// link that is stored for the row of h, and there tells whether there is one. The
// error is a *[BrokenError] but for what cannot be compared.
func (h *Head) Compare(s *State, found Hash, there bool) error {
	switch {
	case h.ID != s.ID || h.Began != s.Began:
		return fmt.Errorf("the head is of the chain %s from event %d, not of %s from event %d", h.ID, h.Began, s.ID, s.Began)
	case h.End.Number == s.Began-1 && h.End == Begin(s.ID, s.Began):
		return nil // it had no row yet
	case h.End.Number > s.End.Number:
		return &BrokenError{s.End.Number + 1, fmt.Sprintf("is missing: there was event %d at %s", h.End.Number, h.At.Format(time.RFC3339))}
	case !there:
		return fmt.Errorf("event %d of the head has been dropped: take a newer head", h.End.Number)
	case found != h.End.Hash:
		return &BrokenError{h.End.Number, fmt.Sprintf("or one before it is not what was recorded at %s", h.At.Format(time.RFC3339))}
	}
	return nil
}
