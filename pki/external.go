package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"leyden"
)

// An External authority is one that operators run elsewhere. Requests wait for
// it.
type External struct {
	Operator string // O of stations
	Now      func() time.Time
	// Trusted returns the authorities whose certificates let stations in; nil
	// means that this is not for us to check.
	Trusted func() *x509.CertPool
	Since   Since
}

// Sign checks the request of a station and returns no chain: somebody else has to
// sign it. It fails with [leyden.ErrInvalid].
func (e *External) Sign(station leyden.StationID, request string) ([]*x509.Certificate, error) {
	_, err := readRequest(station, request)
	return nil, err
}

// Accept reads the chain (PEM, the station's certificate first) that an authority
// signed for a request of a station. It returns the chain without its root. It
// fails with [leyden.ErrInvalid] unless the station could come in with it: the
// key is that of the request, CN and O are right, it is good now and for
// clients, it does not begin before it would let the station in, and each
// certificate is signed by the next, the last by an authority that is trusted.
func (e *External) Accept(station leyden.StationID, request, chain string) ([]*x509.Certificate, error) {
	r, err := readRequest(station, request)
	if err != nil {
		return nil, err
	}
	list, err := Decode(chain)
	if err != nil {
		return nil, err
	}
	leaf := list[0]
	if err := e.checkLeaf(station, leaf, r.PublicKey); err != nil {
		return nil, err
	}
	if err := e.checkSince(station, leaf); err != nil {
		return nil, err
	}
	for i, c := range list[1:] {
		if err := list[i].CheckSignatureFrom(c); err != nil {
			return nil, invalidf("certificate %d of the chain is not signed by the next: %v", i+1, err)
		}
	}
	if err := e.checkTrust(leaf, list[1:]); err != nil {
		return nil, err
	}
	if last := len(list) - 1; last > 0 && selfSigned(list[last]) {
		list = list[:last]
	}
	return list, nil
}

func (e *External) checkLeaf(station leyden.StationID, leaf *x509.Certificate, key crypto.PublicKey) error {
	requested, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return invalidf("key of the request: %v", err)
	}
	signed, err := x509.MarshalPKIXPublicKey(leaf.PublicKey)
	if err != nil || !bytes.Equal(requested, signed) {
		return invalidf("the first certificate is not for the key of the request")
	}
	names := values(leaf.Subject, asn1.ObjectIdentifier{2, 5, 4, 3})
	if len(names) != 1 || names[0] != string(station) {
		return invalidf("the first certificate is of CN %q, want the one CN %s", leaf.Subject.CommonName, station)
	}
	orgs := values(leaf.Subject, asn1.ObjectIdentifier{2, 5, 4, 10})
	if len(orgs) != 1 || orgs[0] != e.Operator {
		return invalidf("the first certificate is of O %q, want the one O %q", orgs, e.Operator)
	}
	if now := e.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return invalidf("the first certificate is good from %s to %s only", leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

func (e *External) checkSince(station leyden.StationID, leaf *x509.Certificate) error {
	since, err := e.Since.of(station)
	if err != nil {
		return fmt.Errorf("certificates of %s: %w", station, err)
	}
	if leaf.NotBefore.Before(since) {
		return invalidf("the first certificate is good from %s, which is before %s, when a station of this identity was removed: what it was given until then lets nobody in",
			leaf.NotBefore.UTC().Format(time.RFC3339), since.UTC().Format(time.RFC3339))
	}
	return nil
}

func (e *External) checkTrust(leaf *x509.Certificate, above []*x509.Certificate) error {
	if e.Trusted == nil {
		return nil
	}
	o := x509.VerifyOptions{
		Roots: e.Trusted(), Intermediates: x509.NewCertPool(), CurrentTime: e.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range above {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return invalidf("no authority that this server trusts has signed it for clients: %v", err)
	}
	return nil
}
