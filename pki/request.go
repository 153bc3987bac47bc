package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"leyden"
)

// Limits of what is signed.
const (
	maxRequest = 16 << 10 // characters
	minRSA     = 2048     // bits
	maxRSA     = 8192
)

// invalidf says why a request or a chain is refused.
func invalidf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, leyden.ErrInvalid)...)
}

// readRequest reads the request of a station and checks that it may be signed.
func readRequest(station leyden.StationID, text string) (*x509.CertificateRequest, error) {
	der, err := requestBytes(text)
	if err != nil {
		return nil, err
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, invalidf("certificate request cannot be read: %v", err)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, invalidf("signature of the certificate request: %v", err)
	}
	if names := values(r.Subject, asn1.ObjectIdentifier{2, 5, 4, 3}); len(names) > 1 || len(names) == 1 && names[0] != "" && names[0] != string(station) {
		return nil, invalidf("certificate request is for CN %q, not for station %s", strings.Join(names, ", "), station)
	}
	return r, checkKey(r.PublicKey)
}

// requestBytes finds the request in a text: PEM under either of its names, also
// with its line ends escaped once too often, or base64 alone.
func requestBytes(text string) ([]byte, error) {
	if len(text) > maxRequest {
		return nil, invalidf("certificate request has more than %d characters", maxRequest)
	}
	if !strings.Contains(text, "\n") {
		text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	}
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
			return nil, invalidf("a %q is no certificate request", block.Type)
		}
		return block.Bytes, nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(der) == 0 {
		return nil, invalidf("certificate request is not in PEM form")
	}
	return der, nil
}

func checkKey(key any) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return invalidf("key on curve %s: want P-256, P-384 or P-521", k.Curve.Params().Name)
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
			return invalidf("RSA key of %d bits: want %d to %d", bits, minRSA, maxRSA)
		}
		return nil
	}
	return invalidf("key is of a kind that is not signed: want ECDSA or RSA")
}

// values returns what a subject has of an attribute.
func values(subject pkix.Name, attribute asn1.ObjectIdentifier) (list []string) {
	for _, a := range subject.Names {
		if a.Type.Equal(attribute) {
			text, _ := a.Value.(string)
			list = append(list, text)
		}
	}
	return list
}
