package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "leyden test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private), pool
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(p.url, "https://127.0.0.1:") {
		t.Fatalf("it serves %s", p.url)
	}
	p.await(p.stdout, `  stations   wss://127\.0\.0\.1:\d+/ocpp/`)
	client := &http.Client{Transport: witnessed(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true})}
	r, err := ask(t.Context(), client, http.MethodGet, p.url+"/v2/transactions", adminKey, "")
	if err != nil || r.StatusCode != http.StatusOK || r.Proto != "HTTP/1.1" {
		t.Fatalf("got %+v, %v", r, err)
	}
	client.CloseIdleConnections()
	if _, err := ask(t.Context(), http.DefaultClient, http.MethodGet, p.url+"/healthz", "", ""); err == nil {
		t.Error("a client that does not know the certificate trusts it")
	}
	old := &http.Client{Transport: witnessed(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}})}
	if _, err := ask(t.Context(), old, http.MethodGet, p.url+"/healthz", "", ""); err == nil {
		t.Error("TLS 1.1 is spoken")
	}

	must(t, "simulate", "--url", p.websocket(), "--data", data, "--ca", cert, "--speed", "5000")
	if _, stderr, err := runLeyden(t, "simulate", "--url", p.websocket(), "--data", data, "--speed", "5000"); err == nil ||
		!strings.Contains(stderr, "certificate signed by unknown authority") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("without --ca: %v, %s", err, stderr)
	}
	// Security profile 2 wants just this.
	password := strings.TrimSpace(must(t, "station", "add", "SECURE", "--security-profile", "2", "--data", data))
	p.drain()
	p = startServer(t, "--data", data)
	if connects(t, p, "SECURE", password) {
		t.Error("a station of profile 2 is let in without TLS")
	}
}
