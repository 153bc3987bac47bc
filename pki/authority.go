package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	"leyden"
)

// Options say what an authority puts into certificates. All fields but Since must
// be set.
type Options struct {
	Operator string        // O of stations
	Validity time.Duration // of certificates of stations
	Now      func() time.Time
	Since    Since
}

// A Since returns from when certificates of a station let it in, in whole seconds;
// the zero time means from ever, and so does a nil Since.
type Since func(leyden.StationID) (time.Time, error)

func (f Since) of(station leyden.StationID) (time.Time, error) {
	if f == nil {
		return time.Time{}, nil
	}
	return f(station)
}

// Validities that nobody chooses.
const (
	caValidity = 20 * 365 * 24 * time.Hour
	// backdate is by how much a certificate is older than it is: clocks of
	// stations are slow at times.
	backdate = time.Hour
)

// An Authority signs certificates. It may be used by several goroutines.
type Authority struct {
	Options
	chain []*x509.Certificate // its own certificate, then those above it
	key   crypto.Signer
}

// Load returns the authority of two PEM files: its certificate, which those above
// it may follow, and its key.
func Load(certFile, keyFile string, o Options) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate authority of %s and %s: %w", certFile, keyFile, err)
	}
	a := &Authority{Options: o}
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate authority of %s: %w", certFile, err)
		}
		a.chain = append(a.chain, c)
	}
	var ok bool
	if a.key, ok = pair.PrivateKey.(crypto.Signer); !ok {
		return nil, fmt.Errorf("the key in %s cannot sign", keyFile)
	}
	if own := a.chain[0]; !own.IsCA || own.KeyUsage != 0 && own.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("the certificate in %s is not one of a certificate authority", certFile)
	}
	return a, nil
}

// Certificates returns the authority's own certificate and those above it that
// it knows.
func (a *Authority) Certificates() []*x509.Certificate {
	return append([]*x509.Certificate(nil), a.chain...)
}

// Sign returns the certificate of a station for its request (PKCS #10, PEM),
// followed by those between it and the root. It fails with [leyden.ErrInvalid].
func (a *Authority) Sign(station leyden.StationID, request string) ([]*x509.Certificate, error) {
	r, err := readRequest(station, request)
	if err != nil {
		return nil, err
	}
	c, err := a.stationCertificate(station)
	if err != nil {
		return nil, err
	}
	return a.issue(c, r.PublicKey)
}

// Accept checks a chain that was signed elsewhere, as [External.Accept] does.
func (a *Authority) Accept(station leyden.StationID, request, chain string) ([]*x509.Certificate, error) {
	e := External{Operator: a.Operator, Now: a.Now, Trusted: a.pool, Since: a.Since}
	return e.Accept(station, request, chain)
}

func (a *Authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range a.chain {
		pool.AddCert(c)
	}
	return pool
}

func (a *Authority) stationCertificate(station leyden.StationID) (*x509.Certificate, error) {
	since, err := a.Since.of(station)
	if err != nil {
		return nil, fmt.Errorf("certificates of %s: %w", station, err)
	}
	now := a.Now()
	from := now.Add(-backdate)
	if from.Before(since) {
		from = since
	}
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: string(station), Organization: []string{a.Operator}},
		NotBefore:   from,
		NotAfter:    now.Add(a.Validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, nil
}

// issue signs c for a public key, and returns it with what is between it and the
// root.
func (a *Authority) issue(c *x509.Certificate, public crypto.PublicKey) ([]*x509.Certificate, error) {
	own := a.chain[0]
	if !a.Now().Before(own.NotAfter) {
		return nil, fmt.Errorf("the certificate authority has expired on %s", own.NotAfter.UTC().Format(time.DateOnly))
	}
	if c.NotAfter.After(own.NotAfter) {
		c.NotAfter = own.NotAfter
	}
	c.SerialNumber, c.BasicConstraintsValid = newSerial(), true
	der, err := x509.CreateCertificate(rand.Reader, c, own, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", c.Subject.CommonName, err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", c.Subject.CommonName, err)
	}
	chain := []*x509.Certificate{signed}
	for _, above := range a.chain {
		if !selfSigned(above) {
			chain = append(chain, above)
		}
	}
	return chain, nil
}

// newSerial returns 127 random bits, which fit OCPP's 40 hex digits.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] = b[0]&0x7f | 0x40 // positive, and of the same length always
	return new(big.Int).SetBytes(b[:])
}

// selfSigned tells a root: whoever trusts it has it.
func selfSigned(c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer)
}

// Encode returns certificates in PEM form, in their order.
func Encode(chain []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range chain {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// maxChain is how many certificates are read at most.
const maxChain = 100

// Decode reads all certificates of a text in PEM form. It fails with
// [leyden.ErrInvalid] when there is none, or one that cannot be read.
func Decode(text string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for rest := []byte(text); len(list) < maxChain; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w: %w", len(list)+1, leyden.ErrInvalid, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no certificate in PEM form: %w", leyden.ErrInvalid)
	}
	return list, nil
}
