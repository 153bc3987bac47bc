package sim

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// maxRoots is how many root certificates a station keeps (CertificateStoreMaxLength).
const maxRoots = 10

// certificates are what a station proves and checks identities with (security
// whitepaper, A02, A03, M03 to M05).
type certificates struct {
	asked *ecdsa.PrivateKey // of the last request that was accepted
	own   *tls.Certificate  // nil while there is none
	roots []root
}

// A root is a root certificate that was installed.
type root struct {
	use  v16.CertificateUse
	cert *x509.Certificate
}

// certificateCommand answers what is about certificates.
func (s *station) certificateCommand(req ocpp.Request, now time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.CertificateSigned:
		err := s.take(m.CertificateChain, now)
		if err == nil {
			return &v16.CertificateSignedResponse{Status: v16.GenericStatusAccepted}, nil
		}
		return &v16.CertificateSignedResponse{Status: v16.GenericStatusRejected}, func(now time.Time) {
			s.securityEvent("InvalidChargePointCertificate", err.Error(), now)
		}
	case *v16.InstallCertificate:
		return s.installRoot(m, now)
	case *v16.DeleteCertificate:
		return &v16.DeleteCertificateResponse{Status: s.deleteRoot(m.CertificateHashData)}, nil
	case *v16.GetInstalledCertificateIds:
		return s.rootIDs(m.CertificateType), nil
	}
	return nil, nil
}

// askCertificate makes a key and asks for a certificate (A02.FR.02).
func (s *station) askCertificate(now time.Time) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return // which it never is: the system has run out of chance
	}
	subject := pkix.Name{CommonName: s.id}
	if o := s.config.text(keyOperator); o != "" {
		subject.Organization = []string{o}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		s.securityEvent("InvalidChargePointCertificate", "no request: "+err.Error(), now)
		return
	}
	s.asked = key
	req := &v16.SignCertificate{CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))}
	s.tell(&message{
		action: req.Action(), extension: true,
		build: func() ocpp.Request { return req },
		answered: func(res ocpp.Response, _ time.Time) {
			if res.(*v16.SignCertificateResponse).Status != v16.GenericStatusAccepted && s.asked == key {
				s.asked = nil
			}
		},
	}, now)
}

// take takes the certificate that was asked for, if it is that.
func (s *station) take(text string, now time.Time) error {
	own := &tls.Certificate{PrivateKey: s.asked}
	for rest := []byte(text); ; {
		block, left := pem.Decode(rest)
		if block == nil {
			break
		}
		own.Certificate, rest = append(own.Certificate, block.Bytes), left
	}
	if s.asked == nil || len(own.Certificate) == 0 {
		return errors.New("no certificate that was asked for")
	}
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	switch {
	case !s.asked.PublicKey.Equal(leaf.PublicKey):
		return errors.New("the certificate is for another key")
	case leaf.Subject.CommonName != s.id:
		return fmt.Errorf("the certificate is for %.50q", leaf.Subject.CommonName)
	case now.After(leaf.NotAfter):
		return errors.New("the certificate has expired")
	}
	own.Leaf = leaf
	s.own, s.asked = own, nil
	return nil
}

func parseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no certificate in PEM form")
	}
	return x509.ParseCertificate(block.Bytes)
}

// installRoot answers an InstallCertificate (M05). Only a certificate that signed
// itself is a root.
func (s *station) installRoot(m *v16.InstallCertificate, now time.Time) (ocpp.Message, func(time.Time)) {
	cert, err := parseCertificate(m.Certificate)
	if err != nil || !bytes.Equal(cert.RawIssuer, cert.RawSubject) || now.After(cert.NotAfter) {
		return &v16.InstallCertificateResponse{Status: v16.InstallCertificateStatusRejected}, func(now time.Time) {
			s.securityEvent("InvalidCentralSystemCertificate", "", now)
		}
	}
	known := slices.ContainsFunc(s.roots, func(r root) bool { return r.use == m.CertificateType && r.cert.Equal(cert) })
	if !known && len(s.roots) == maxRoots {
		return &v16.InstallCertificateResponse{Status: v16.InstallCertificateStatusFailed}, nil
	}
	if !known {
		s.roots = append(s.roots, root{m.CertificateType, cert})
	}
	return &v16.InstallCertificateResponse{Status: v16.InstallCertificateStatusAccepted}, nil
}

// deleteRoot answers a DeleteCertificate (M04).
func (s *station) deleteRoot(which v16.CertificateHashData) v16.DeleteCertificateStatus {
	n := len(s.roots)
	s.roots = slices.DeleteFunc(s.roots, func(r root) bool {
		have, err := hashData(r.cert, which.HashAlgorithm)
		return err == nil && strings.EqualFold(have.IssuerNameHash, which.IssuerNameHash) &&
			strings.EqualFold(have.IssuerKeyHash, which.IssuerKeyHash) && sameSerial(have.SerialNumber, which.SerialNumber)
	})
	if len(s.roots) == n {
		return v16.DeleteCertificateStatusNotFound
	}
	return v16.DeleteCertificateStatusAccepted
}

// sameSerial compares serial numbers in hex, whatever their leading zeros.
func sameSerial(a, b string) bool {
	return strings.EqualFold(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
}

// rootIDs answers a GetInstalledCertificateIds (M03).
func (s *station) rootIDs(use v16.CertificateUse) *v16.GetInstalledCertificateIdsResponse {
	res := &v16.GetInstalledCertificateIdsResponse{Status: v16.InstalledCertificateStatusNotFound}
	for _, r := range s.roots {
		if r.use != use {
			continue
		}
		if h, err := hashData(r.cert, v16.HashAlgorithmSHA256); err == nil {
			res.Status = v16.InstalledCertificateStatusAccepted
			res.CertificateHashData = append(res.CertificateHashData, h)
		}
	}
	return res
}

// hashData says which certificate it is, as RFC 6960 does: hashes of the name and
// of the key of its issuer, which for a root is itself.
func hashData(cert *x509.Certificate, algorithm v16.HashAlgorithm) (v16.CertificateHashData, error) {
	hash := map[v16.HashAlgorithm]crypto.Hash{
		v16.HashAlgorithmSHA256: crypto.SHA256, v16.HashAlgorithmSHA384: crypto.SHA384, v16.HashAlgorithmSHA512: crypto.SHA512,
	}[algorithm]
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &info); err != nil {
		return v16.CertificateHashData{}, fmt.Errorf("public key: %w", err)
	}
	if !hash.Available() {
		return v16.CertificateHashData{}, fmt.Errorf("hash %q is not there", algorithm)
	}
	sum := func(b []byte) string {
		h := hash.New()
		h.Write(b) // a hash takes anything
		return hex.EncodeToString(h.Sum(nil))
	}
	return v16.CertificateHashData{
		HashAlgorithm: algorithm, IssuerNameHash: sum(cert.RawIssuer), IssuerKeyHash: sum(info.Key.RightAlign()),
		SerialNumber: cert.SerialNumber.Text(16),
	}, nil
}
