package ocmf

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// ErrSignature is why a signature is not the key's.
var ErrSignature = errors.New("invalid signature")

// defaultAlgorithm is the one of a text that names none.
const defaultAlgorithm = "ECDSA-secp256r1-SHA256"

// Verify returns nil if the key has signed r, and else ErrSignature with the
// reason. The curve is the key's, whatever the text says of it; how it was hashed
// is what the text says.
func (k Key) Verify(r *Record) error {
	if k.curve == nil {
		return fmt.Errorf("%w: there is no key", ErrSignature)
	}
	digest, err := digestOf(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	x, y, err := r.pair(k.curve)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if !k.signed(digest, x, y) {
		return fmt.Errorf("%w: this key did not sign this payload", ErrSignature)
	}
	return nil
}

// signed reports whether the key made the signature (r, s) of a digest.
func (k Key) signed(digest []byte, r, s *big.Int) bool {
	if k.curve.standard == nil {
		return k.curve.verify(k.x, k.y, digest, r, s)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(k.curve.standard, k.point())
	return err == nil && ecdsa.Verify(public, digest, r, s)
}

// digestOf returns the hash of the payload that the algorithm names.
func digestOf(r *Record) ([]byte, error) {
	name := r.Algorithm
	if name == "" {
		name = defaultAlgorithm
	}
	upper := strings.ToUpper(name)
	if !strings.HasPrefix(upper, "ECDSA-") {
		return nil, fmt.Errorf("no signature method %.40q is known", name)
	}
	switch upper[strings.LastIndexByte(upper, '-'):] {
	case "-SHA256":
		sum := sha256.Sum256([]byte(r.Payload))
		return sum[:], nil
	case "-SHA384":
		sum := sha512.Sum384([]byte(r.Payload))
		return sum[:], nil
	case "-SHA512":
		sum := sha512.Sum512([]byte(r.Payload))
		return sum[:], nil
	}
	return nil, fmt.Errorf("no signature method %.40q is known", name)
}

// pair returns the two numbers of a signature: DER, or one after the other as
// some meters have it.
func (s *Signature) pair(c *curve) (r, v *big.Int, err error) {
	b, err := s.bytes()
	if err != nil {
		return nil, nil, err
	}
	var der struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(b, &der); err == nil && len(rest) == 0 {
		return der.R, der.S, nil
	}
	if n := (c.n.BitLen() + 7) / 8; len(b) == 2*n {
		return new(big.Int).SetBytes(b[:n]), new(big.Int).SetBytes(b[n:]), nil
	}
	return nil, nil, errors.New("the signature is not in DER")
}

// maxSignature is more than any signature takes, in characters.
const maxSignature = 1024

func (s *Signature) bytes() ([]byte, error) {
	switch {
	case s.Data == "":
		return nil, errors.New("there is no signature")
	case len(s.Data) > maxSignature:
		return nil, errors.New("the signature is too long")
	case strings.EqualFold(s.Encoding, "base64"):
		return fromBase64(s.Data)
	case s.Encoding == "" || strings.EqualFold(s.Encoding, "hex"):
		return fromHex(s.Data)
	}
	return nil, fmt.Errorf("no signature encoding %.40q is known", s.Encoding)
}
