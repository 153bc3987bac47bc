package main

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/spf13/pflag"
)

// tlsSettings are what `leyden serve` can be told about certificates.
type tlsSettings struct {
	certs, keys  []string // PEM files, each certificate with its key
	clientCAs    []string // PEM files
	legacySuites bool
	listenPlain  string
	authoritySettings
}

func (s *tlsSettings) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.certs, "tls-cert", nil, "PEM file with the certificate chain; serves TLS; give an ECDSA and an RSA one together to serve all clients")
	f.StringSliceVar(&s.keys, "tls-key", nil, "PEM file with the certificate's key, in the order of --tls-cert")
	f.StringSliceVar(&s.clientCAs, "client-ca", nil, "PEM file with authorities whose client certificates let stations in (security profile 3), beside our own")
	f.BoolVar(&s.legacySuites, "tls-legacy-suites", false, "allow the TLS 1.2 suites of OCPP without forward secrecy (TLS_RSA_WITH_AES_…_GCM); they need an RSA certificate")
	f.StringVar(&s.listenPlain, "listen-plain", "", "one more address, which serves stations alone and without TLS (security profile 1)")
	s.authoritySettings.flags(f)
}

// check finds what cannot be, before anything is opened.
func (s *tlsSettings) check() error {
	switch {
	case len(s.certs) != len(s.keys):
		return usagef("--tls-cert and --tls-key go together")
	case len(s.clientCAs) > 0 && len(s.certs) == 0:
		return usagef("--client-ca has a use with --tls-cert and --tls-key only")
	case s.legacySuites && len(s.certs) == 0:
		return usagef("--tls-legacy-suites has a use with --tls-cert and --tls-key only")
	case s.listenPlain != "" && len(s.certs) == 0:
		return usagef("--listen-plain has a use beside --tls-cert and --tls-key only: --listen is without TLS already")
	}
	return s.authoritySettings.check()
}

// on reports whether TLS is spoken.
func (s *tlsSettings) on() bool { return len(s.certs) > 0 }

// suites returns the suites of TLS 1.2: those of OCPP with forward secrecy, their
// RSA sisters for clients, and on demand those without (OCPP 1.6 security
// whitepaper, TLS12). TLS 1.3 has its own.
func (s *tlsSettings) suites() []uint16 {
	list := []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	if s.legacySuites {
		list = append(list, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384)
	}
	return list
}

// protocol is what is spoken over TLS: HTTP/2 has no connections to turn into
// WebSockets.
const protocol = "http/1.1"

// config returns what a connection is served with, given the certificates that
// were read. Clients need no certificate, but one that they show must be good.
func (s *tlsSettings) config(r *readCertificates) *tls.Config {
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: s.suites(),
		NextProtos:   []string{protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return chosen(hello, r.servers), nil
		},
	}
	if r.clientCAs != nil {
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, r.clientCAs
		c.VerifyConnection = r.verifyResumed
	}
	return c
}

// chosen returns the first certificate that a client can do with. The name that
// the client asks for matters less: one that is for no certificate here is for
// the client to mind.
func chosen(hello *tls.ClientHelloInfo, list []tls.Certificate) *tls.Certificate {
	unnamed := *hello
	unnamed.ServerName = ""
	for _, h := range []*tls.ClientHelloInfo{hello, &unnamed} {
		for i := range list {
			if h.SupportsCertificate(&list[i]) == nil {
				return &list[i]
			}
		}
	}
	return &list[0]
}

// verifyResumed looks at client certificates that were verified by an earlier
// connection, for the authorities may have changed since.
func (r *readCertificates) verifyResumed(state tls.ConnectionState) error {
	if !state.DidResume || len(state.PeerCertificates) == 0 {
		return nil
	}
	o := x509.VerifyOptions{
		Roots: r.clientCAs, Intermediates: x509.NewCertPool(), CurrentTime: time.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}
