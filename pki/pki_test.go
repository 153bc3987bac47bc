package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/pki"
)

const (
	operator = "Volta Charging"
	year     = 365 * 24 * time.Hour
)

var noon = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

func options() pki.Options {
	return pki.Options{Operator: operator, Validity: year, Now: func() time.Time { return noon }}
}

func open(t *testing.T, dir string) *pki.Authority {
	t.Helper()
	a, err := pki.Open(dir, options())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ecKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(c, rand.Reader))
}

// request returns a CSR.
func request(t *testing.T, key crypto.Signer, subject pkix.Name) string {
	t.Helper()
	der := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key))
	return block("CERTIFICATE REQUEST", der)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func named(cn string) pkix.Name { return pkix.Name{CommonName: cn} }

func wantRefused(t *testing.T, what string, err error, reason string) {
	t.Helper()
	if !errors.Is(err, leyden.ErrInvalid) || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %v; want it refused because of %q", what, err, reason)
	}
}

// verify fails unless a chain is good for a client at an authority's servers.
func verify(t *testing.T, a *pki.Authority, chain []*x509.Certificate, use x509.ExtKeyUsage) {
	t.Helper()
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{use}}
	for _, c := range a.Certificates() {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(o); err != nil {
		t.Error(err)
	}
}

// TestOpen: the authority is made once, and is what it should be.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	all := make([]*pki.Authority, 8)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i], _ = pki.Open(dir, options()) })
	}
	wg.Wait()
	first := open(t, dir).Certificates()[0]
	for _, a := range all {
		if a == nil || !a.Certificates()[0].Equal(first) {
			t.Fatal("those that opened at once have not all the same authority")
		}
	}
	if !first.IsCA || first.MaxPathLen != 0 || !first.MaxPathLenZero || first.NotAfter.Sub(noon) < 19*year || first.Subject.CommonName != operator+" CA" {
		t.Errorf("the authority is %v, path length %d, until %v", first.Subject, first.MaxPathLen, first.NotAfter)
	}
	if info, err := os.Stat(filepath.Join(dir, pki.KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	if files := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(files) != 2 {
		t.Errorf("%d files in the folder, want 2", len(files))
	}
}

// TestOpenDamaged: what is lost is not replaced in silence, nor quoted.
func TestOpenDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"key lost":        {func(dir string) error { return os.Remove(filepath.Join(dir, pki.KeyFile)) }, "restore it from a backup"},
		"key empty":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, pki.KeyFile), nil, 0o600) }, "certificate authority"},
		"key of another":  {func(dir string) error { return copyKey(t, dir) }, "does not match"},
		"cert no longer":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, pki.CertFile), []byte("x"), 0o600) }, "certificate authority"},
		"no such folder":  {func(dir string) error { return os.RemoveAll(dir) }, "certificate authority"},
		"cert of no auth": {func(dir string) error { return notAuthority(t, dir) }, "not one of a certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			open(t, dir)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := pki.Open(dir, options()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want a word of %q", err, c.want)
			}
		})
	}
}

func copyKey(t *testing.T, dir string) error {
	other := t.TempDir()
	open(t, other)
	text := must[[]byte](t)(os.ReadFile(filepath.Join(other, pki.KeyFile)))
	return os.WriteFile(filepath.Join(dir, pki.KeyFile), text, 0o600)
}

func notAuthority(t *testing.T, dir string) error {
	pair := must[pki.Pair](t)(open(t, dir).IssueStation("S1"))
	return errors.Join(
		os.WriteFile(filepath.Join(dir, pki.KeyFile), []byte(pair.Key), 0o600),
		os.WriteFile(filepath.Join(dir, pki.CertFile), []byte(pair.Chain), 0o600),
	)
}

// TestOpenAgain: a crash between the two files is made good, and a key that
// others may read is theirs no more.
func TestOpenAgain(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir)
	chain := must[[]*x509.Certificate](t)(before.Sign("S1", request(t, ecKey(t, elliptic.P256()), named("S1"))))
	if err := errors.Join(os.Remove(filepath.Join(dir, pki.CertFile)), os.Chmod(filepath.Join(dir, pki.KeyFile), 0o644)); err != nil {
		t.Fatal(err)
	}
	verify(t, open(t, dir), chain, x509.ExtKeyUsageClientAuth)
	if info, err := os.Stat(filepath.Join(dir, pki.KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
}

func TestSign(t *testing.T) {
	a := open(t, t.TempDir())
	key := ecKey(t, elliptic.P256())
	plain := request(t, key, named("S1"))
	b, _ := pem.Decode([]byte(plain))
	serials := map[string]bool{}
	for name, text := range map[string]string{
		"P-256":                  plain,
		"P-384":                  request(t, ecKey(t, elliptic.P384()), named("S1")),
		"P-521":                  request(t, ecKey(t, elliptic.P521()), named("S1")),
		"RSA 2048":               request(t, must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048)), named("S1")),
		"no common name":         request(t, key, pkix.Name{}),
		"another organization":   request(t, key, pkix.Name{CommonName: "S1", Organization: []string{"Galvani"}, Country: []string{"IT"}}),
		"older label":            block("NEW CERTIFICATE REQUEST", b.Bytes),
		"text around it":         "Certificate request:\n" + plain + "\n\n",
		"DOS line ends":          strings.ReplaceAll(plain, "\n", "\r\n"),
		"line ends escaped":      strings.ReplaceAll(plain, "\n", `\n`),
		"base64 without armour":  base64.StdEncoding.EncodeToString(b.Bytes),
		"base64 in lines":        strings.Join(strings.Split(plain, "\n")[1:4], "\n"),
		"the same request again": plain,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "base64 in lines" {
				text = strings.TrimSuffix(strings.SplitN(plain, "\n", 2)[1], "-----END CERTIFICATE REQUEST-----\n")
			}
			chain, err := a.Sign("S1", text)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, a, chain, x509.ExtKeyUsageClientAuth)
			leaf := chain[0]
			if got := leaf.Subject.String(); len(chain) != 1 || got != "CN=S1,O="+operator {
				t.Errorf("%d certificates, the first of %s", len(chain), got)
			}
			if leaf.IsCA || len(leaf.ExtKeyUsage) != 1 || leaf.KeyUsage != x509.KeyUsageDigitalSignature || leaf.SerialNumber.BitLen() < 64 || serials[leaf.SerialNumber.String()] {
				t.Errorf("CA %v, usage %v %v, serial %x", leaf.IsCA, leaf.KeyUsage, leaf.ExtKeyUsage, leaf.SerialNumber)
			}
			serials[leaf.SerialNumber.String()] = true
			if !leaf.NotAfter.Equal(noon.Add(year)) || !leaf.NotBefore.Equal(noon.Add(-time.Hour)) {
				t.Errorf("good from %v to %v", leaf.NotBefore, leaf.NotAfter)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	a := open(t, t.TempDir())
	good := request(t, ecKey(t, elliptic.P256()), named("S1"))
	b, _ := pem.Decode([]byte(good))
	forged := append([]byte(nil), b.Bytes...)
	forged[len(forged)-1] ^= 1
	twice := pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "S1"}, {Type: []int{2, 5, 4, 3}, Value: "S2"}}}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	external := pki.External{Operator: operator, Now: options().Now}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {"", "not in PEM form"},
		"garbage":          {"a certificate, please!", "not in PEM form"},
		"base64 garbage":   {"Z2FyYmFnZQ==", "cannot be read"},
		"a certificate":    {pki.Encode(a.Certificates()), "no certificate request"},
		"forged":           {block("CERTIFICATE REQUEST", forged), "signature"},
		"cut":              {block("CERTIFICATE REQUEST", b.Bytes[:60]), "cannot be read"},
		"too long":         {good + strings.Repeat(" ", 16<<10), "characters"},
		"another station":  {request(t, ecKey(t, elliptic.P256()), named("S2")), `CN "S2"`},
		"another case":     {request(t, ecKey(t, elliptic.P256()), named("s1")), `CN "s1"`},
		"two common names": {request(t, ecKey(t, elliptic.P256()), twice), `CN "S1, S2"`},
		"P-224":            {request(t, ecKey(t, elliptic.P224()), named("S1")), "P-224"},
		"RSA 1024":         {request(t, weakRSA(t), named("S1")), "1024 bits"},
		"Ed25519":          {request(t, edKey, named("S1")), "ECDSA or RSA"},
	} {
		chain, err := a.Sign("S1", c.text)
		wantRefused(t, name, err, c.want)
		if chain != nil {
			t.Errorf("%s: signed all the same", name)
		}
		_, err = external.Sign("S1", c.text)
		wantRefused(t, name+", external", err, c.want)
	}
}

// weakRSA returns a key that is too short to be made here.
func weakRSA(t *testing.T) crypto.Signer {
	t.Setenv("GODEBUG", "rsa1024min=0")
	return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
}

// TestAuthorityEnds: nothing outlives its authority.
func TestAuthorityEnds(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	o := options()
	o.Now = func() time.Time { return noon.Add(20*year - 24*time.Hour) }
	late := must[*pki.Authority](t)(pki.Open(dir, o))
	text := request(t, ecKey(t, elliptic.P256()), named("S1"))
	chain := must[[]*x509.Certificate](t)(late.Sign("S1", text))
	if !chain[0].NotAfter.Equal(late.Certificates()[0].NotAfter) {
		t.Errorf("good until %v, the authority until %v", chain[0].NotAfter, late.Certificates()[0].NotAfter)
	}
	o.Now = func() time.Time { return noon.Add(21 * year) }
	if _, err := must[*pki.Authority](t)(pki.Open(dir, o)).Sign("S1", text); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an authority that has expired: %v", err)
	}
}

// intermediate makes the files of an authority below a root of its own.
func intermediate(t *testing.T) (certFile, keyFile string, root *x509.Certificate) {
	t.Helper()
	rootKey, key := ecKey(t, elliptic.P384()), ecKey(t, elliptic.P256())
	template := func(cn string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: named(cn), NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(2 * year),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	rootDER := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template("Root"), template("Root"), rootKey.Public(), rootKey))
	root = must[*x509.Certificate](t)(x509.ParseCertificate(rootDER))
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template("Below"), root, key.Public(), rootKey))
	own := must[*x509.Certificate](t)(x509.ParseCertificate(der))
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "sub.pem"), filepath.Join(dir, "sub.key")
	private := must[[]byte](t)(x509.MarshalECPrivateKey(key))
	if err := errors.Join(
		os.WriteFile(certFile, []byte(pki.Encode([]*x509.Certificate{own, root})), 0o600),
		os.WriteFile(keyFile, []byte(block("EC PRIVATE KEY", private)), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, root
}

// TestIntermediate: what is between the station and the root comes with it.
func TestIntermediate(t *testing.T) {
	certFile, keyFile, root := intermediate(t)
	a := must[*pki.Authority](t)(pki.Load(certFile, keyFile, options()))
	chain := must[[]*x509.Certificate](t)(a.Sign("S1", request(t, ecKey(t, elliptic.P256()), named("S1"))))
	if len(chain) != 2 || chain[1].Subject.CommonName != "Below" {
		t.Fatalf("a chain of %d", len(chain))
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	o.Roots.AddCert(root)
	o.Intermediates.AddCert(chain[1])
	if _, err := chain[0].Verify(o); err != nil {
		t.Error(err)
	}
}

func TestAccept(t *testing.T) {
	certFile, keyFile, root := intermediate(t)
	ca := must[*pki.Authority](t)(pki.Load(certFile, keyFile, options()))
	key := ecKey(t, elliptic.P256())
	text := request(t, key, named("S1"))
	chain := must[[]*x509.Certificate](t)(ca.Sign("S1", text))
	elsewhere := must[[]*x509.Certificate](t)(open(t, t.TempDir()).Sign("S1", text))
	trusted := x509.NewCertPool()
	trusted.AddCert(root)
	for name, c := range map[string]struct {
		station  leyden.StationID
		operator string
		later    time.Duration
		chain    []*x509.Certificate
		want     string // "": accepted
	}{
		"without its root":      {chain: chain},
		"with its root":         {chain: append(chain[:2:2], root)},
		"nothing":               {want: "no certificate"},
		"the wrong way round":   {chain: []*x509.Certificate{chain[1], chain[0]}, want: "not for the key of the request"},
		"a gap":                 {chain: []*x509.Certificate{chain[0], root}, want: "not signed by the next"},
		"one is missing":        {chain: chain[:1], want: "no authority that this server trusts"},
		"another authority":     {chain: elsewhere, want: "no authority that this server trusts"},
		"another key":           {chain: must[[]*x509.Certificate](t)(ca.Sign("S1", request(t, ecKey(t, elliptic.P256()), named("S1")))), want: "not for the key of the request"},
		"another station":       {chain: must[[]*x509.Certificate](t)(ca.Sign("S2", request(t, key, pkix.Name{}))), want: `CN "S2"`},
		"another operator":      {operator: "Galvani", chain: chain, want: "O "},
		"expired":               {later: 13 * 30 * 24 * time.Hour, chain: chain, want: "good from"},
		"request of another":    {station: "S2", chain: chain, want: `CN "S1"`},
		"certificate of a host": {chain: serverChain(t, ca), want: "not for the key of the request"},
	} {
		t.Run(name, func(t *testing.T) {
			e := pki.External{Operator: operator, Now: func() time.Time { return noon.Add(c.later) }, Trusted: func() *x509.CertPool { return trusted }}
			station := leyden.StationID("S1")
			if c.station != "" {
				station = c.station
			}
			if c.operator != "" {
				e.Operator = c.operator
			}
			got, err := e.Accept(station, text, pki.Encode(c.chain))
			if c.want != "" {
				wantRefused(t, name, err, c.want)
				return
			}
			if err != nil || len(got) != 2 || !got[0].Equal(chain[0]) || !got[1].Equal(chain[1]) {
				t.Errorf("%d certificates, %v; want leaf and intermediate", len(got), err)
			}
		})
	}
	untold := pki.External{Operator: operator, Now: options().Now}
	if _, err := untold.Accept("S1", text, pki.Encode(elsewhere)); err != nil {
		t.Errorf("where trust is not ours to check: %v", err)
	}
	if _, err := ca.Accept("S1", text, pki.Encode(chain)); err != nil {
		t.Errorf("an authority's own: %v", err)
	}
	_, err := ca.Accept("S1", text, pki.Encode(elsewhere))
	wantRefused(t, "another authority's", err, "no authority that this server trusts")
	if waits, err := untold.Sign("S1", text); err != nil || waits != nil {
		t.Errorf("an external authority signed at once: %v, %v", waits, err)
	}
}

func serverChain(t *testing.T, a *pki.Authority) []*x509.Certificate {
	pair := must[pki.Pair](t)(a.IssueServer(pki.ServerSpec{Hosts: []string{"csms.example"}, Validity: year}))
	return must[[]*x509.Certificate](t)(pki.Decode(pair.Chain))
}

func TestIssueServer(t *testing.T) {
	a := open(t, t.TempDir())
	for _, useRSA := range []bool{false, true} {
		pair, err := a.IssueServer(pki.ServerSpec{Hosts: []string{"CSMS.example", "127.0.0.1", "::1", "*.example.com"}, Validity: year, RSA: useRSA})
		if err != nil {
			t.Fatal(err)
		}
		chain := must[[]*x509.Certificate](t)(pki.Decode(pair.Chain))
		verify(t, a, chain, x509.ExtKeyUsageServerAuth)
		leaf := chain[0]
		for _, host := range []string{"csms.example", "127.0.0.1", "[::1]", "a.example.com"} {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
		key := must[any](t)(x509.ParsePKCS8PrivateKey(firstBlock(t, pair.Key)))
		_, isRSA := key.(*rsa.PrivateKey)
		if isRSA != useRSA || leaf.KeyUsage&x509.KeyUsageKeyEncipherment != 0 != useRSA || !pair.NotAfter.Equal(leaf.NotAfter) {
			t.Errorf("RSA %v, usage %v, until %v", isRSA, leaf.KeyUsage, pair.NotAfter)
		}
		if !leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
			t.Errorf("addresses %v", leaf.IPAddresses)
		}
	}
	for _, hosts := range [][]string{nil, {""}, {"a b"}, {"ok", "https://x"}, {"x:443"}, {"*"}, {strings.Repeat("a", 64)}, {"a..b"}} {
		_, err := a.IssueServer(pki.ServerSpec{Hosts: hosts, Validity: year})
		if !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("hosts %q: %v", hosts, err)
		}
	}
}

func firstBlock(t *testing.T, text string) []byte {
	t.Helper()
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		t.Fatal("no PEM block")
	}
	return b.Bytes
}

func TestIssueStation(t *testing.T) {
	a := open(t, t.TempDir())
	pair := must[pki.Pair](t)(a.IssueStation("S1"))
	chain := must[[]*x509.Certificate](t)(pki.Decode(pair.Chain))
	verify(t, a, chain, x509.ExtKeyUsageClientAuth)
	if got := chain[0].Subject.String(); got != "CN=S1,O="+operator {
		t.Errorf("of %s", got)
	}
	_, err := a.IssueStation("no identity")
	wantRefused(t, "no identity", err, "identity")
}

func FuzzSign(f *testing.F) {
	a, err := pki.Open(f.TempDir(), options())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := a.Sign("S1", text); err != nil && !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%v is not %v", err, leyden.ErrInvalid)
		}
		if _, err := a.Accept("S1", text, text); err != nil && !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%v is not %v", err, leyden.ErrInvalid)
		}
	})
}

// TestSince: what an authority signs begins no earlier than it lets the station
// in, and what another one signed has to as well.
func TestSince(t *testing.T) {
	removed := map[leyden.StationID]time.Time{"S1": noon.Add(-10 * time.Minute), "S2": noon.Add(time.Second)}
	o := options()
	o.Since = func(s leyden.StationID) (time.Time, error) { return removed[s], nil }
	a := must[*pki.Authority](t)(pki.Open(t.TempDir(), o))
	key := ecKey(t, elliptic.P256())
	for station, want := range map[leyden.StationID]time.Time{"S1": removed["S1"], "S2": removed["S2"], "S3": noon.Add(-time.Hour)} {
		csr := request(t, key, named(string(station)))
		chain := must[[]*x509.Certificate](t)(a.Sign(station, csr))
		if got := chain[0].NotBefore; !got.Equal(want) {
			t.Errorf("%s: good from %v, want %v", station, got, want)
		}
		pair := must[pki.Pair](t)(a.IssueStation(station))
		if got := must[[]*x509.Certificate](t)(pki.Decode(pair.Chain))[0].NotBefore; !got.Equal(want) {
			t.Errorf("%s: issued one is good from %v, want %v", station, got, want)
		}
	}
	csr := request(t, key, named("S1"))
	text := pki.Encode(must[[]*x509.Certificate](t)(a.Sign("S1", csr)))
	if _, err := a.Accept("S1", csr, text); err != nil {
		t.Errorf("what begins with the removal: %v", err)
	}
	removed["S1"] = removed["S1"].Add(time.Second)
	_, err := a.Accept("S1", csr, text)
	wantRefused(t, "what begins before the removal", err, "2026-02-06T11:50:00Z, which is before 2026-02-06T11:50:01Z")

	o.Since = func(leyden.StationID) (time.Time, error) { return time.Time{}, leyden.ErrUnavailable }
	broken := must[*pki.Authority](t)(pki.Open(t.TempDir(), o))
	_, signErr := broken.Sign("S1", csr)
	_, issueErr := broken.IssueStation("S1")
	_, acceptErr := broken.Accept("S1", csr, text)
	for _, err := range []error{signErr, issueErr, acceptErr} {
		if !errors.Is(err, leyden.ErrUnavailable) || errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%v, want %v", err, leyden.ErrUnavailable)
		}
	}
}
