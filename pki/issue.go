package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"leyden"
)

// A Pair is a certificate chain and its private key, in PEM form.
type Pair struct {
	Chain    string
	Key      string // nobody else's business
	NotAfter time.Time
}

// A ServerSpec says what certificate a server shall have.
type ServerSpec struct {
	Hosts    []string // names and IP addresses at which it is reached; at least one
	Validity time.Duration
	RSA      bool // a key for the RSA suites of OCPP instead of one on P-256
}

// rsaBits is the length of RSA keys that are made here.
const rsaBits = 3072

var hostPattern = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// IssueServer makes a key and a certificate of a server. It fails with
// [leyden.ErrInvalid] for hosts that cannot be.
func (a *Authority) IssueServer(s ServerSpec) (Pair, error) {
	now := a.Now()
	c := &x509.Certificate{
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(s.Validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range s.Hosts {
		if addr, err := netip.ParseAddr(host); err == nil {
			c.IPAddresses = append(c.IPAddresses, addr.AsSlice())
			continue
		}
		if len(host) > 253 || !hostPattern.MatchString(host) {
			return Pair{}, invalidf("%q is no name of a host and no IP address", host)
		}
		c.DNSNames = append(c.DNSNames, strings.ToLower(host))
	}
	if len(s.Hosts) == 0 {
		return Pair{}, invalidf("no host")
	}
	if first := s.Hosts[0]; len(first) <= 64 { // the longest CN (RFC 5280, appendix A.1)
		c.Subject = pkix.Name{CommonName: first, Organization: []string{a.Operator}}
	}
	if s.RSA {
		c.KeyUsage |= x509.KeyUsageKeyEncipherment // TLS_RSA_WITH_…
	}
	return a.pair(c, s.RSA)
}

// IssueStation makes a key and a certificate of a station, for one that cannot
// ask for it over OCPP.
func (a *Authority) IssueStation(station leyden.StationID) (Pair, error) {
	if !station.Valid() {
		return Pair{}, invalidf("%q is no identity of a station", station)
	}
	c, err := a.stationCertificate(station)
	if err != nil {
		return Pair{}, err
	}
	return a.pair(c, false)
}

func (a *Authority) pair(c *x509.Certificate, useRSA bool) (Pair, error) {
	key, err := newKey(useRSA)
	if err != nil {
		return Pair{}, err
	}
	text, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	chain, err := a.issue(c, key.Public())
	if err != nil {
		return Pair{}, err
	}
	return Pair{Encode(chain), string(text), chain[0].NotAfter}, nil
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
