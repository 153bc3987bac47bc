package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"leyden/pki"
)

const (
	// certificateInterval is how often the files of certificates are looked at.
	certificateInterval = 2 * time.Second
	// expiryWarning is how long before its end, at most, a certificate is warned
	// about, and expiryRepeat how often.
	expiryWarning = 30 * 24 * time.Hour
	expiryRepeat  = 24 * time.Hour
)

// certificates are what the listener shows and trusts. They are read anew as
// their files change; connections that are there go on.
type certificates struct {
	settings *tlsSettings
	ca       string // file of the embedded authority, which need not be there; "" until it is known
	log      *slog.Logger
	current  atomic.Pointer[servedCertificates]

	// These belong to the goroutine that watches.
	complaint string    // why the last attempt failed; "" when it did not
	warned    time.Time // when an end was last warned about
}

// servedCertificates are certificates and how they are served.
type servedCertificates struct {
	*readCertificates
	config *tls.Config
}

// readCertificates are certificates as files hold them.
type readCertificates struct {
	digest    [sha256.Size]byte // of all files
	servers   []tls.Certificate // those of ECDSA first: they are faster
	files     []string          // where each of servers is from
	clientCAs *x509.CertPool    // nil when there are none
}

// openCertificates reads the certificates that settings name; nil without any.
func openCertificates(s *tlsSettings, log *slog.Logger) (*certificates, error) {
	if !s.on() {
		return nil, nil
	}
	c := &certificates{settings: s, log: log}
	r, err := c.read()
	if err != nil {
		return nil, err
	}
	c.use(r)
	return c, nil
}

// config returns what the listener speaks TLS with.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{protocol},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load().config, nil },
	}
}

func (c *certificates) use(r *readCertificates) {
	c.current.Store(&servedCertificates{r, c.settings.config(r)})
}

// watch reads the certificates anew when their files change, or on SIGHUP, until
// ctx is done. What cannot be read leaves those that there are.
func (c *certificates) watch(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(certificateInterval)
	defer tick.Stop()
	for {
		c.warn(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.reload()
		case <-hup:
			c.complaint = ""
			if c.reload() {
				c.log.Info("certificates read on SIGHUP")
			}
		}
	}
}

// reload reads the files and serves what they hold, if that changed. It complains
// once about what it cannot read, and reports whether it could.
func (c *certificates) reload() bool {
	r, err := c.read()
	if err != nil {
		if err.Error() != c.complaint {
			c.log.Error("certificates not read: the old ones stay", "err", err)
		}
		c.complaint = err.Error()
		return false
	}
	c.complaint = ""
	if r.digest == c.current.Load().digest {
		return true
	}
	c.use(r)
	c.warned = time.Time{}
	c.log.Info("certificates changed", "expires", r.expires().Format(time.RFC3339))
	return true
}

// read reads all files.
func (c *certificates) read() (*readCertificates, error) {
	r, sum := new(readCertificates), sha256.New()
	for i, file := range c.settings.certs {
		chain, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert: %w", err)
		}
		key, err := os.ReadFile(c.settings.keys[i])
		if err != nil {
			return nil, fmt.Errorf("--tls-key: %w", err)
		}
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert %s with --tls-key %s: %w", file, c.settings.keys[i], err)
		}
		fmt.Fprintf(sum, "%d %d\n%s%s", len(chain), len(key), chain, key)
		r.add(file, pair)
	}
	for _, file := range c.trusted() {
		text, err := os.ReadFile(file)
		if file == c.ca && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("--client-ca: %w", err)
		}
		if err := r.trust(string(text)); err != nil {
			return nil, fmt.Errorf("--client-ca %s: %w", file, err)
		}
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	r.digest = [sha256.Size]byte(sum.Sum(nil))
	return r, nil
}

// trusted returns the files with authorities of clients.
func (c *certificates) trusted() []string {
	list := slices.Clone(c.settings.clientCAs)
	if c.settings.caCert != "" {
		list = append(list, c.settings.caCert)
	}
	if c.ca != "" {
		list = append(list, c.ca)
	}
	return list
}

// add puts a certificate behind those of its kind.
func (r *readCertificates) add(file string, pair tls.Certificate) {
	at := len(r.servers)
	if _, fast := pair.PrivateKey.(*ecdsa.PrivateKey); fast {
		at = slices.IndexFunc(r.servers, func(t tls.Certificate) bool {
			_, fast := t.PrivateKey.(*ecdsa.PrivateKey)
			return !fast
		})
		if at < 0 {
			at = len(r.servers)
		}
	}
	r.servers, r.files = slices.Insert(r.servers, at, pair), slices.Insert(r.files, at, file)
}

func (r *readCertificates) trust(text string) error {
	list, err := pki.Decode(text)
	if err != nil {
		return err
	}
	if r.clientCAs == nil {
		r.clientCAs = x509.NewCertPool()
	}
	for _, c := range list {
		r.clientCAs.AddCert(c)
	}
	return nil
}

// expires returns when the first of the server's certificates ends.
func (r *readCertificates) expires() time.Time {
	first := r.servers[0].Leaf.NotAfter
	for _, t := range r.servers[1:] {
		if t.Leaf.NotAfter.Before(first) {
			first = t.Leaf.NotAfter
		}
	}
	return first
}

// warn warns about certificates that end soon, once a day: in the last thirty
// days, or the last quarter of a short life.
func (c *certificates) warn(now time.Time) {
	if now.Sub(c.warned) < expiryRepeat {
		return
	}
	r := c.current.Load()
	for i, t := range r.servers {
		life := t.Leaf.NotAfter.Sub(t.Leaf.NotBefore)
		left := t.Leaf.NotAfter.Sub(now)
		if left > min(expiryWarning, life/4) {
			continue
		}
		c.warned = now
		c.log.Warn("a certificate of this server ends soon: replace its files, no restart is needed", "file", r.files[i], "expires", t.Leaf.NotAfter.UTC().Format(time.RFC3339), "left", left.Round(time.Minute))
	}
}

// root returns the certificate by which others recognise the server, if it is
// known: the authority among ours that signed it, or the last of its chain.
func (r *readCertificates) root(ours []*x509.Certificate) *x509.Certificate {
	leaf := r.servers[0].Leaf
	for _, ca := range ours {
		if bytes.Equal(leaf.RawIssuer, ca.RawSubject) && leaf.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	chain := r.servers[0].Certificate
	last, err := x509.ParseCertificate(chain[len(chain)-1])
	if err != nil || !last.IsCA {
		return nil
	}
	return last
}
