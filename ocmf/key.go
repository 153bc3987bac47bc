package ocmf

import (
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A Key is a public key of a meter. The zero Key verifies nothing.
type Key struct {
	curve *curve
	x, y  *big.Int
}

// publicKeyAlgorithm is id-ecPublicKey (RFC 5480 §2.1.1).
var publicKeyAlgorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}

// A publicKeyInfo is a SubjectPublicKeyInfo of an elliptic curve (RFC 5480).
type publicKeyInfo struct {
	Algorithm struct{ Algorithm, Curve asn1.ObjectIdentifier }
	Point     asn1.BitString
}

// maxKeyText is longer than any text of a key.
const maxKeyText = 4096

// ParseKey reads a public key: SubjectPublicKeyInfo or a bare point, in hex or
// base64 or PEM, also inside of "oca:base16:asn1:…" and base64 around all of it.
// curve names the curve of a bare point; "" finds the one that it lies on.
func ParseKey(text, curve string) (Key, error) {
	k, err := parseKey(text, curve)
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	return k, nil
}

// KeyOf reads a public key as [Key.DER] writes it.
func KeyOf(der []byte) (Key, error) {
	k, err := keyOfInfo(der, "")
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	return k, nil
}

func parseKey(text, curve string) (Key, error) {
	if len(text) > maxKeyText {
		return Key{}, errors.New("it is too long")
	}
	b, err := keyBytes(strings.TrimSpace(text))
	if err != nil {
		return Key{}, err
	}
	k, err := keyOf(b, curve)
	if err == nil || !isText(b) {
		return k, err
	}
	inner, innerErr := keyBytes(string(b)) // base64 around a text of its own
	if innerErr != nil {
		return Key{}, err
	}
	return keyOf(inner, curve)
}

// keyBytes returns the bytes that a text stands for.
func keyBytes(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return block.Bytes, nil
	}
	if rest, ok := strings.CutPrefix(text, "oca:"); ok { // oca:ENCODING:FORMAT:KEY
		parts := strings.SplitN(rest, ":", 3)
		if len(parts) < 3 {
			return nil, errors.New("it begins with oca: and has no key")
		}
		if strings.EqualFold(parts[0], "base64") {
			return fromBase64(parts[2])
		}
		return fromHex(parts[2])
	}
	if b, err := fromHex(text); err == nil {
		return b, nil
	}
	b, err := fromBase64(text)
	if err != nil || len(b) == 0 {
		return nil, errors.New("it is neither hex nor base64 nor PEM")
	}
	return b, nil
}

func isText(b []byte) bool {
	for _, c := range b {
		if c > '~' || c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// keyOf reads SubjectPublicKeyInfo or a point, of the curve with that name
// unless it is "".
func keyOf(b []byte, name string) (Key, error) {
	k, err := keyOfInfo(b, name)
	if err == nil {
		return k, nil
	}
	k, notPoint := keyOfPoint(b, name)
	if notPoint != nil && len(b) > 0 && b[0] == sequence {
		return Key{}, err
	}
	return k, notPoint
}

// sequence is the first byte of a SubjectPublicKeyInfo.
const sequence = 0x30

func keyOfInfo(b []byte, name string) (Key, error) {
	var info publicKeyInfo
	rest, err := asn1.Unmarshal(b, &info)
	if err != nil {
		return Key{}, fmt.Errorf("no SubjectPublicKeyInfo: %w", err)
	}
	if len(rest) > 0 || info.Point.BitLength != 8*len(info.Point.Bytes) {
		return Key{}, errors.New("no SubjectPublicKeyInfo: it does not end with the key")
	}
	if !info.Algorithm.Algorithm.Equal(publicKeyAlgorithm) {
		return Key{}, errors.New("it is not of an elliptic curve")
	}
	i := slices.IndexFunc(curves, func(c *curve) bool { return c.id.Equal(info.Algorithm.Curve) })
	if i < 0 {
		return Key{}, fmt.Errorf("no curve %v is known", info.Algorithm.Curve)
	}
	c := curves[i]
	if name == "" {
		return c.key(info.Point.Bytes)
	}
	wanted, err := curveNamed(name)
	if err != nil {
		return Key{}, err
	}
	if wanted != c {
		return Key{}, fmt.Errorf("it is of %s, not of %s", c, wanted)
	}
	return c.key(info.Point.Bytes)
}

// keyOfPoint reads a bare point. The curves of one size have hardly a point in
// common, so an uncompressed one tells its curve.
func keyOfPoint(b []byte, name string) (Key, error) {
	if name != "" {
		c, err := curveNamed(name)
		if err != nil {
			return Key{}, err
		}
		return c.key(b)
	}
	if len(b)%2 == 1 && (b[0] == 2 || b[0] == 3) {
		return Key{}, errors.New("a compressed point does not say which curve it is on: name the curve")
	}
	for _, c := range curves {
		if k, err := c.key(b); err == nil {
			return k, nil
		}
	}
	return Key{}, errors.New("it is a point on no curve that is known")
}

// key reads a point of c: uncompressed, compressed, or its two coordinates alone.
func (c *curve) key(b []byte) (Key, error) {
	n := c.size()
	k := Key{curve: c}
	switch {
	case len(b) == 2*n:
		k.x, k.y = new(big.Int).SetBytes(b[:n]), new(big.Int).SetBytes(b[n:])
	case len(b) == 1+2*n && b[0] == 4:
		k.x, k.y = new(big.Int).SetBytes(b[1:1+n]), new(big.Int).SetBytes(b[1+n:])
	case len(b) == 1+n && (b[0] == 2 || b[0] == 3):
		var ok bool
		k.x = new(big.Int).SetBytes(b[1:])
		if k.y, ok = c.decompress(k.x, b[0] == 3); !ok {
			return Key{}, fmt.Errorf("it is no point on %s", c)
		}
	default:
		return Key{}, fmt.Errorf("it is no point on %s: %d bytes", c, len(b))
	}
	if !c.has(k.x, k.y) {
		return Key{}, fmt.Errorf("it is no point on %s", c)
	}
	return k, nil
}

// Curve returns the name of the key's curve.
func (k Key) Curve() string {
	if k.curve == nil {
		return ""
	}
	return k.curve.name
}

// DER returns the key as SubjectPublicKeyInfo with an uncompressed point: one
// key has one such form.
func (k Key) DER() ([]byte, error) {
	if k.curve == nil {
		return nil, errors.New("there is no key")
	}
	var info publicKeyInfo
	info.Algorithm.Algorithm, info.Algorithm.Curve = publicKeyAlgorithm, k.curve.id
	point := k.point()
	info.Point = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
	return asn1.Marshal(info)
}

// point returns the uncompressed point.
func (k Key) point() []byte {
	n := k.curve.size()
	b := make([]byte, 1+2*n)
	b[0] = 4
	k.x.FillBytes(b[1 : 1+n])
	k.y.FillBytes(b[1+n:])
	return b
}
