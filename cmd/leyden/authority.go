package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"leyden"
	"leyden/pki"
)

// Who signs certificates of stations.
const (
	signedHere      = "embedded"
	signedElsewhere = "external"
	signedNowhere   = "none"
)

// authoritySettings are what serve and `leyden ca` can be told about the
// authority for stations.
type authoritySettings struct {
	signer        string
	caCert, caKey string
	operator      string
	validity      time.Duration // of certificates of stations
}

// flags adds what serve is told; shared adds what `leyden ca` is told too.
func (s *authoritySettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.signer, "station-ca", signedHere, "who signs certificates of stations: embedded (this server), external (requests wait for an operator), or none")
	s.shared(f)
}

func (s *authoritySettings) shared(f *pflag.FlagSet) {
	f.StringVar(&s.caCert, "station-ca-cert", "", "PEM file with the certificate of the authority, and those above it, instead of our own in the data folder")
	f.StringVar(&s.caKey, "station-ca-key", "", "PEM file with its key")
	f.StringVar(&s.operator, "operator", "Leyden", "name of the operator: the organization (O) in certificates of stations")
	f.DurationVar(&s.validity, "station-cert-validity", 365*24*time.Hour, "how long certificates of stations are good")
}

func (s *authoritySettings) check() error {
	switch {
	case s.signer != "" && s.signer != signedHere && s.signer != signedElsewhere && s.signer != signedNowhere:
		return usagef("--station-ca is embedded, external or none, not %q", s.signer)
	case (s.caCert == "") != (s.caKey == ""):
		return usagef("--station-ca-cert and --station-ca-key go together")
	case s.caCert != "" && s.signer != "" && s.signer != signedHere:
		return usagef("--station-ca-cert has no use with --station-ca %s", s.signer)
	case s.operator == "" || len(s.operator) > 64:
		return usagef("--operator takes a name of 1 to 64 characters, as it stands in certificates")
	case s.validity < time.Hour:
		return usagef("--station-cert-validity must be at least 1h")
	}
	return nil
}

// open returns the authority of a data folder, or of the files that were given.
func (s *authoritySettings) open(data string, since pki.Since) (*pki.Authority, error) {
	o := pki.Options{Operator: s.operator, Validity: s.validity, Now: time.Now, Since: since}
	if s.caCert != "" {
		return pki.Load(s.caCert, s.caKey, o)
	}
	return pki.Open(data, o)
}

// An authority signs for stations as the settings say. Our own is made when it is
// first needed.
type authority struct {
	settings *authoritySettings
	data     string
	served   *certificates // what the listener shows and trusts; nil without TLS
	since    pki.Since     // from when certificates of a station count

	mu  sync.Mutex
	own *pki.Authority
}

// open returns our own authority.
func (a *authority) open() (*pki.Authority, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own != nil {
		return a.own, nil
	}
	own, err := a.settings.open(a.data, a.since)
	if err == nil {
		a.own = own
	}
	return own, err
}

// opened returns our own authority if it was needed before, else nil.
func (a *authority) opened() *pki.Authority {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own
}

// Sign implements csms.Signer.
func (a *authority) Sign(station leyden.StationID, request string) ([]*x509.Certificate, error) {
	if a.settings.signer == signedElsewhere {
		return a.external().Sign(station, request)
	}
	own, err := a.open()
	if err != nil {
		return nil, err
	}
	return own.Sign(station, request)
}

// Accept implements csms.Signer.
func (a *authority) Accept(station leyden.StationID, request, chain string) ([]*x509.Certificate, error) {
	return a.external().Accept(station, request, chain)
}

// external checks what others signed. Behind a proxy that speaks TLS it cannot
// know whom that trusts.
func (a *authority) external() *pki.External {
	e := &pki.External{Operator: a.settings.operator, Now: time.Now, Since: a.since}
	if a.served != nil {
		e.Trusted = a.trusted
	}
	return e
}

func (a *authority) trusted() *x509.CertPool {
	if pool := a.served.current.Load().clientCAs; pool != nil {
		return pool
	}
	return x509.NewCertPool()
}

// CA implements apiv1.Authority.
func (a *authority) CA() (string, error) {
	if a.settings.signer != signedHere {
		return "", leyden.ErrNotFound
	}
	own, err := a.open()
	if err != nil {
		return "", err
	}
	return pki.Encode(own.Certificates()[:1]), nil
}

// ServerRoot implements apiv1.Authority. Without TLS it is our own authority, of
// which a certificate for a server may come later.
func (a *authority) ServerRoot() (string, error) {
	if a.served == nil {
		return a.CA()
	}
	ours, err := a.ours()
	if err != nil {
		return "", err
	}
	root := a.served.current.Load().root(ours)
	if root == nil {
		return "", leyden.ErrNotFound
	}
	return pki.Encode([]*x509.Certificate{root}), nil
}

// ours returns the certificates of our own authority, as far as it was ever made.
func (a *authority) ours() ([]*x509.Certificate, error) {
	if a.settings.signer == signedHere {
		own, err := a.open()
		if err != nil {
			return nil, err
		}
		return own.Certificates(), nil
	}
	text, err := os.ReadFile(filepath.Join(a.data, pki.CertFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return pki.Decode(string(text))
}

// trustFile returns the file with our own authority, if it signed the server's
// certificate: clients need it. Otherwise "".
func (a *authority) trustFile() string {
	if a.served == nil {
		return ""
	}
	ours, err := a.ours()
	if err != nil {
		return "" // serving has read them, or does without
	}
	root := a.served.current.Load().root(ours)
	if root == nil || !slices.ContainsFunc(ours, root.Equal) {
		return ""
	}
	if a.settings.signer == signedHere && a.settings.caCert != "" {
		return a.settings.caCert
	}
	return filepath.Join(a.data, pki.CertFile)
}
