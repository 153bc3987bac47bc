package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"leyden"
	"leyden/ocpp"
	"leyden/pki"
)

// A tlsWorld is a server that speaks TLS with a certificate of its own authority,
// and beside it without.
type tlsWorld struct {
	t         *testing.T
	dir, data string
	ca        *pki.Authority
	pool      *x509.CertPool
	p         *process
	plain     string // ws://…/ocpp
}

// newTLSWorld starts a server on loopback, with what prepare adds to its flags.
func newTLSWorld(t *testing.T, prepare ...func(w *tlsWorld) []string) *tlsWorld {
	t.Helper()
	dir := t.TempDir()
	w := &tlsWorld{t: t, dir: dir, data: filepath.Join(dir, "data"), pool: x509.NewCertPool()}
	must(t, "ca", "issue-server", "127.0.0.1", "--data", w.data, "--cert", w.file("server.pem"), "--key", w.file("server.key"))
	w.ca = w.authority("Leyden")
	w.pool.AddCert(w.ca.Certificates()[0])
	args := []string{"--data", w.data, "--tls-cert", w.file("server.pem"), "--tls-key", w.file("server.key"), "--listen-plain", "127.0.0.1:0"}
	for _, f := range prepare {
		args = append(args, f(w)...)
	}
	w.p = startServer(t, args...)
	w.plain = w.p.await(w.p.stdout, `(ws://127\.0\.0\.1:\d+/ocpp)/\{station\}   \(without TLS\)`)
	return w
}

func (w *tlsWorld) file(name string) string { return filepath.Join(w.dir, name) }

// authority returns the embedded authority as if the operator had that name.
func (w *tlsWorld) authority(operator string) *pki.Authority {
	w.t.Helper()
	ca, err := pki.Open(w.data, pki.Options{Operator: operator, Validity: 24 * time.Hour, Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	return ca
}

// certificate returns one of a station.
func (w *tlsWorld) certificate(ca *pki.Authority, station leyden.StationID) *tls.Certificate {
	w.t.Helper()
	pair, err := ca.IssueStation(station)
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := tls.X509KeyPair([]byte(pair.Chain), []byte(pair.Key))
	if err != nil {
		w.t.Fatal(err)
	}
	return &cert
}

// A knock is one way to come.
type knock struct {
	plain    bool
	password string
	cert     *tls.Certificate
	sessions tls.ClientSessionCache
}

// dial connects a station.
func (w *tlsWorld) dial(station string, k knock) (ocpp.Transport, error) {
	o := ocpp.DialOptions{Protocols: []string{"ocpp1.6"}, TLS: &tls.Config{RootCAs: w.pool, ClientSessionCache: k.sessions}}
	if k.password != "" {
		o.User, o.Password = station, k.password
	}
	if k.cert != nil {
		o.TLS.Certificates = []tls.Certificate{*k.cert}
	}
	url := w.p.websocket()
	if k.plain {
		url = w.plain
	}
	tr, _, err := ocpp.Dial(w.t.Context(), url+"/"+station, o)
	return tr, err
}

// enters reports whether a station is let in. Who is not is denied: 401, or 429
// after many others; a certificate of nobody known does not come that far.
func (w *tlsWorld) enters(station string, k knock) bool {
	w.t.Helper()
	tr, err := w.dial(station, k)
	if refusal, ok := errors.AsType[*ocpp.HandshakeError](err); ok && (refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusTooManyRequests) {
		return false
	}
	if err != nil {
		w.t.Fatalf("station %s, %+v: %v", station, k, err)
	}
	if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
		w.t.Fatal(err)
	}
	return true
}

const profilePassword = "a password of 24 chars.."

// TestSecurityProfiles: every profile that a station may be registered with, and
// every way to come.
func TestSecurityProfiles(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	other := w.authority("Galvani")
	ways := []struct {
		name   string
		come   func(id leyden.StationID) knock
		proves int // -1: nobody enters so
	}{
		{"plain, nothing", func(leyden.StationID) knock { return knock{plain: true} }, 0},
		{"plain, wrong password", func(leyden.StationID) knock { return knock{plain: true, password: "not the right password"} }, 0},
		{"plain, password", func(leyden.StationID) knock { return knock{plain: true, password: profilePassword} }, 1},
		{"TLS, nothing", func(leyden.StationID) knock { return knock{} }, 0},
		{"TLS, wrong password", func(leyden.StationID) knock { return knock{password: "not the right password"} }, 0},
		{"TLS, password", func(leyden.StationID) knock { return knock{password: profilePassword} }, 2},
		{"certificate", func(id leyden.StationID) knock { return knock{cert: w.certificate(w.ca, id)} }, 3},
		{"certificate and password", func(id leyden.StationID) knock {
			return knock{password: profilePassword, cert: w.certificate(w.ca, id)}
		}, 3},
		{"certificate of another station", func(leyden.StationID) knock {
			return knock{password: profilePassword, cert: w.certificate(w.ca, "OTHER")}
		}, -1},
		{"certificate of another operator", func(id leyden.StationID) knock {
			return knock{password: profilePassword, cert: w.certificate(other, id)}
		}, -1},
	}
	for profile := range 4 {
		for i, way := range ways {
			id := fmt.Sprintf("P%d-%d", profile, i)
			args := []string{"station", "add", id, "--security-profile", fmt.Sprint(profile), "--data", w.data}
			if profile > 0 {
				args = append(args, "--password", profilePassword)
			}
			must(t, args...)
			proves := way.proves
			if profile == 0 && proves > 0 && proves < 3 {
				proves = 0 // it has no password
			}
			if got, want := w.enters(id, way.come(leyden.StationID(id))), proves >= profile; got != want {
				t.Errorf("profile %d, %s: let in %v, want %v", profile, way.name, got, want)
			}
			// What it proved is the least from now on.
			if proves > profile && w.enters(id, knock{plain: true, password: profilePassword}) {
				t.Errorf("profile %d, %s: let in without TLS afterwards", profile, way.name)
			}
		}
	}
	if _, err := w.dial("STRANGER", knock{cert: w.certificate(strangers(t), "STRANGER")}); err == nil {
		t.Error("a certificate of an authority that nobody named is taken")
	}
	if r := w.do(http.MethodGet, "/healthz", ""); r.StatusCode != http.StatusOK {
		t.Errorf("a client without a certificate: %s", r.Status)
	}
	resp, err := patient().Get("http" + strings.TrimPrefix(strings.TrimSuffix(w.plain, "/ocpp"), "ws") + "/api/v1/chargers")
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the REST API without TLS: %v, %v; want 404", resp, err)
	}
}

// strangers returns an authority that the server does not know.
func strangers(t *testing.T) *pki.Authority {
	t.Helper()
	ca, err := pki.Open(t.TempDir(), pki.Options{Operator: "Leyden", Validity: time.Hour, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// do asks over TLS with adminKey.
func (w *tlsWorld) do(method, path, body string) reply {
	w.t.Helper()
	client := &http.Client{Transport: witnessed(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.pool}, DisableKeepAlives: true})}
	r, err := ask(w.t.Context(), client, method, w.p.url+path, adminKey, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v; it said\n%s", method, path, err, w.p.stderr)
	}
	return r
}

// TestSuspectAttempts: a station that comes lower than before, or with the
// certificate of another, is a security event, also after a restart.
func TestSuspectAttempts(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	must(t, "station", "add", "S1", "--password", profilePassword, "--data", w.data)
	if !w.enters("S1", knock{cert: w.certificate(w.ca, "S1")}) {
		t.Fatal("the certificate is refused")
	}
	w.p.drain()
	w.p = startServer(t, "--data", w.data, "--tls-cert", w.file("server.pem"), "--tls-key", w.file("server.key"))
	if w.enters("S1", knock{password: profilePassword}) || w.enters("S1", knock{cert: w.certificate(w.ca, "S2")}) {
		t.Error("a suspect attempt is let in")
	}
	var events struct {
		SecurityEvents []struct{ Type, TechInfo, Source string }
	}
	eventually(t, limit, "both are events", func() bool {
		decode(t, w.do(http.MethodGet, "/api/v1/security-events?chargeBoxId=S1", "").body, &events)
		return len(events.SecurityEvents) == 2
	})
	got := fmt.Sprintf("%+v", events.SecurityEvents)
	if !strings.Contains(got, "SecurityProfileTooLow TechInfo:came at security profile 2, 3 is the least") || !strings.Contains(got, `InvalidChargePointCertificate TechInfo:client certificate of CN "S2", O "Leyden"`) {
		t.Errorf("events %s", got)
	}
	// An operator may let it come lower again, and it keeps its password.
	if r := w.do(http.MethodPatch, "/api/v1/chargers/S1", `{"securityProfile":1}`); r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"provenSecurityProfile":null`) {
		t.Errorf("PATCH: %s %s", r.Status, r.body)
	}
	if !w.enters("S1", knock{password: profilePassword}) {
		t.Error("the operator's word does not count")
	}
}

// TestCertificateOfRemovedStation: what a station was given before it was removed
// does not open the identity's next registration, whoever made it; what it is
// given after does, however it was removed.
func TestCertificateOfRemovedStation(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	add := func() { must(t, "station", "add", "S1", "--security-profile", "3", "--data", w.data) }
	issued := func(name string) *tls.Certificate {
		must(t, "ca", "issue-station", "S1", "--data", w.data, "--cert", w.file(name+".pem"), "--key", w.file(name+".key"))
		cert, err := tls.LoadX509KeyPair(w.file(name+".pem"), w.file(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return &cert
	}
	add()
	given := []*tls.Certificate{issued("first")}
	for i, remove := range []func(){
		func() { must(t, "station", "remove", "S1", "--data", w.data) },
		func() {
			if r := w.do(http.MethodDelete, "/api/v1/chargers/S1", ""); r.StatusCode != http.StatusOK {
				t.Fatalf("DELETE: %s %s", r.Status, r.body)
			}
		},
	} {
		newest := given[len(given)-1]
		eventually(t, limit, "the newest certificate counts", func() bool { // it may begin with the next second
			tr, err := w.dial("S1", knock{cert: newest})
			return err == nil && tr.Close(ocpp.CloseNormal, "") == nil
		})
		remove()
		add()
		given = append(given, issued(fmt.Sprint("next", i)))
		for n, cert := range given[:len(given)-1] {
			if w.enters("S1", knock{cert: cert}) {
				t.Errorf("certificate %d of %d, from before a removal, lets a station in", n+1, len(given))
			}
		}
	}
}

// serial returns the serial number of the certificate that new connections see.
func (w *tlsWorld) serial() string {
	w.t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", strings.TrimPrefix(w.p.url, "https://"), &tls.Config{RootCAs: w.pool})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// replace writes a new certificate over the server's.
func (w *tlsWorld) replace() (serial string) {
	w.t.Helper()
	pair, err := w.ca.IssueServer(pki.ServerSpec{Hosts: []string{"127.0.0.1"}, Validity: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("server.key", pair.Key)
	w.write("server.pem", pair.Chain)
	chain, err := pki.Decode(pair.Chain)
	if err != nil {
		w.t.Fatal(err)
	}
	return chain[0].SerialNumber.String()
}

func (w *tlsWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestCertificatesReload: new connections see new certificates, those that are
// there go on, and what is broken changes nothing.
func TestCertificatesReload(t *testing.T) {
	t.Parallel()
	more := strangers(t)
	w := newTLSWorld(t, func(w *tlsWorld) []string {
		w.write("more.pem", pki.Encode(w.ca.Certificates()))
		return []string{"--client-ca", w.file("more.pem")}
	})
	must(t, "station", "add", "S1", "--password", profilePassword, "--data", w.data)
	must(t, "station", "add", "S2", "--security-profile", "3", "--data", w.data)
	station, err := w.dial("S1", knock{password: profilePassword})
	if err != nil {
		t.Fatal(err)
	}
	alive := func(when string) {
		t.Helper()
		if err := w.heartbeat(station); err != nil {
			t.Fatalf("the station's connection %s: %v", when, err)
		}
	}
	alive("at first")
	fresh := w.replace()
	eventually(t, limit, "new connections see the new certificate", func() bool { return w.serial() == fresh })
	alive("with a new certificate")

	w.write("server.pem", "-----BEGIN CERTIFICATE-----\nbroken")
	w.p.await(w.p.stderr, `level=ERROR msg="certificates not read: the old ones stay"`)
	if w.serial() != fresh {
		t.Error("a broken certificate took the place of a good one")
	}
	alive("with a broken certificate")
	fresh = w.replace()
	if err := w.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.p.await(w.p.stderr, "certificates read on SIGHUP")
	if w.serial() != fresh {
		t.Error("SIGHUP does not read certificates anew")
	}
	alive("after SIGHUP")

	// Authorities of clients come and go alike, for resumed sessions too.
	known := knock{cert: w.certificate(more, "S2"), sessions: tls.NewLRUClientSessionCache(1)}
	if _, err := w.dial("S2", known); err == nil {
		t.Fatal("a certificate of an authority that nobody named is taken")
	}
	w.write("more.pem", pki.Encode(more.Certificates()))
	comes := func() bool {
		tr, err := w.dial("S2", known)
		return err == nil && w.heartbeat(tr) == nil && tr.Close(ocpp.CloseNormal, "") == nil
	}
	eventually(t, limit, "the new authority counts", comes)
	w.write("more.pem", pki.Encode(w.ca.Certificates()))
	eventually(t, limit, "the old authority counts no more", func() bool { return !comes() })
	alive("after it all")
	w.p.drain()
}

// heartbeat sends one and wants its answer.
func (w *tlsWorld) heartbeat(tr ocpp.Transport) error {
	if err := tr.Send([]byte(`[2,"beat","Heartbeat",{}]`)); err != nil {
		return err
	}
	defer time.AfterFunc(limit, func() { _ = tr.Close(ocpp.CloseAbnormal, "") }).Stop() // it is given up
	answer := ""
	err := tr.Receive(func(msg []byte) error { answer = string(msg); return nil })
	if err == nil && !strings.HasPrefix(answer, `[3,"beat"`) {
		err = fmt.Errorf("answered %s", answer)
	}
	return err
}

// TestTLSVersionsAndSuites: TLS 1.2 and 1.3, the suites of OCPP with forward
// secrecy, those without only on demand; each client gets a certificate that it
// can do with.
func TestTLSVersionsAndSuites(t *testing.T) {
	t.Parallel()
	addRSA := func(w *tlsWorld) []string {
		must(t, "ca", "issue-server", "127.0.0.1", "--rsa", "--data", w.data, "--cert", w.file("rsa.pem"), "--key", w.file("rsa.key"))
		return []string{"--tls-cert", w.file("rsa.pem"), "--tls-key", w.file("rsa.key")}
	}
	usual := newTLSWorld(t, addRSA)
	legacy := newTLSWorld(t, addRSA, func(*tlsWorld) []string { return []string{"--tls-legacy-suites"} })
	for _, c := range []struct {
		name          string
		version       uint16
		suite         uint16
		kind          x509.PublicKeyAlgorithm
		usual, legacy bool
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, x509.ECDSA, true, true},
		{"TLS 1.2", tls.VersionTLS12, 0, x509.ECDSA, true, true},
		{"TLS 1.1", tls.VersionTLS11, 0, 0, false, false},
		{"TLS 1.0", tls.VersionTLS10, 0, 0, false, false},
		{"ECDHE-ECDSA-AES128-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, x509.ECDSA, true, true},
		{"ECDHE-ECDSA-AES256-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, x509.ECDSA, true, true},
		{"ECDHE-RSA-AES128-GCM", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, x509.RSA, true, true},
		{"RSA-AES128-GCM", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, x509.RSA, false, true},
		{"RSA-AES256-GCM", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, x509.RSA, false, true},
		{"RSA-AES128-CBC", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 0, false, false},
		{"ECDHE-ECDSA-AES128-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0, false, false},
	} {
		for w, want := range map[*tlsWorld]bool{usual: c.usual, legacy: c.legacy} {
			config := &tls.Config{RootCAs: w.pool, MinVersion: c.version, MaxVersion: c.version}
			if c.suite != 0 {
				config.CipherSuites = []uint16{c.suite}
			}
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", strings.TrimPrefix(w.p.url, "https://"), config)
			if !want {
				if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
					t.Errorf("%s, legacy %v: %v; want an alert", c.name, w == legacy, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, legacy %v: %v", c.name, w == legacy, err)
				continue
			}
			state := conn.ConnectionState()
			if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != c.kind || c.suite != 0 && state.CipherSuite != c.suite {
				t.Errorf("%s, legacy %v: a certificate of %v, suite %x", c.name, w == legacy, got, state.CipherSuite)
			}
			conn.Close()
		}
	}
}

// TestExpiry: an end that is near is in the log and in the metrics.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	pair, err := w.ca.IssueServer(pki.ServerSpec{Hosts: []string{"127.0.0.1"}, Validity: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.p.stderr.String(), "ends soon") {
		t.Error("a certificate that is good for a year is warned about")
	}
	w.write("server.key", pair.Key)
	w.write("server.pem", pair.Chain)
	w.p.await(w.p.stderr, `level=WARN msg="a certificate of this server ends soon.*server\.pem`)
	metrics := w.do(http.MethodGet, "/metrics", "").body
	left := regexp.MustCompile(`leyden_certificate_expiry_seconds\{file="[^"]*server\.pem",kind="server"\} (\d+)\.`).FindStringSubmatch(metrics)
	if left == nil || !strings.Contains(metrics, `kind="authority"`) {
		t.Fatalf("no such metric in\n%s", metrics)
	}
	if seconds, err := strconv.Atoi(left[1]); err != nil || seconds > 60 {
		t.Errorf("%s seconds left, want at most 60", left[1])
	}
}

// TestNewKeyOutlivesRestarts: a station that was sent a new AuthorizationKey comes
// with either until it used the new one, whichever process it meets.
func TestNewKeyOutlivesRestarts(t *testing.T) {
	t.Parallel()
	const fresh = "4c6f6e67506173737730726421313233343536ff" // no text once it is decoded
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)
	must(t, "station", "add", "S1", "--password", profilePassword, "--data", data)
	tr, err := dial(t.Context(), p.url, "S1", profilePassword)
	if err != nil {
		t.Fatal(err)
	}
	conn := ocpp.NewConn(tr, ocpp.Options{})
	served := make(chan error, 1)
	go func() {
		served <- conn.Serve(context.Background(), func(context.Context, ocpp.Frame) ocpp.Reply {
			return ocpp.Reply{Message: ocpp.Raw(`{"status":"Accepted"}`)}
		})
	}()
	eventually(t, limit, "the key is changed", func() bool {
		r := p.call(http.MethodPost, "/api/v1/chargers/S1/configuration/change", adminKey, `{"key":"AuthorizationKey","value":"`+fresh+`"}`)
		return r.StatusCode == http.StatusOK
	})
	p.drain()
	within(t, "the station's connection ends", served)
	restarted := func() {
		t.Helper()
		p = startServer(t, "--data", data)
	}
	restarted()
	if !connects(t, p, "S1", profilePassword) {
		t.Error("the old password is refused before the new one was used")
	}
	p.drain()
	restarted()
	raw, err := hex.DecodeString(fresh)
	if err != nil || !connects(t, p, "S1", string(raw)) {
		t.Errorf("the bytes of the new one are refused: %v", err)
	}
	p.drain()
	restarted()
	if !connects(t, p, "S1", fresh) || connects(t, p, "S1", profilePassword) {
		t.Error("the digits of the new one are refused, or the old one opens after the new one was used")
	}
	p.drain()
}
