package csms

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// sole returns the one value that a subject has of an attribute, or "" when there
// is none or several: what is ambiguous names nobody.
func sole(subject pkix.Name, attribute asn1.ObjectIdentifier) string {
	value, found := "", 0
	for _, a := range subject.Names {
		if a.Type.Equal(attribute) {
			value, _ = a.Value.(string)
			found++
		}
	}
	if found != 1 {
		return ""
	}
	return value
}

// commonName and organization are attributes of a subject (RFC 5280, appendix A.1).
func commonName() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{2, 5, 4, 3} }
func organization() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 10} }
