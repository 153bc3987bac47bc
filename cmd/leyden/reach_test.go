package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTryUnderTLS: what the server says to try works as it is said, and names our
// own authority only where that signed the server's certificate.
func TestTryUnderTLS(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t, func(*tlsWorld) []string { return []string{"--demo", "1"} })
	line := w.p.await(w.p.stdout, `\n  (curl [^\n]*/api/v1/chargers')\n`)
	if want := "curl -s --cacert '" + w.data + "/ca.pem' -H \"X-API-Key: $KEY\" '" + w.p.url + "/api/v1/chargers'"; line != want {
		t.Errorf("said to try\n%s\nwant\n%s", line, want)
	}
	if curl, err := exec.LookPath("curl"); err == nil {
		words := regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1)[1:]
		for i, word := range words {
			words[i] = strings.ReplaceAll(strings.Trim(word, `'"`), "$KEY", adminKey)
		}
		out, err := exec.CommandContext(t.Context(), curl, words...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"chargers"`) {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	plain := startServer(t, "--demo", "1")
	if line := plain.await(plain.stdout, `\n  (curl [^\n]*/api/v1/chargers')\n`); strings.Contains(line, "--cacert") {
		t.Errorf("without TLS: %s", line)
	}
}

// TestTryWithForeignCertificate: a certificate of another authority is trusted, or
// not, as clients see fit.
func TestTryWithForeignCertificate(t *testing.T) {
	t.Parallel()
	w := newTLSWorld(t)
	w.p.drain()
	w.ca = strangers(t)
	w.replace()
	p := startServer(t, "--data", w.data, "--tls-cert", w.file("server.pem"), "--tls-key", w.file("server.key"), "--demo", "1")
	if line := p.await(p.stdout, `\n  (curl [^\n]*/api/v1/chargers')\n`); strings.Contains(line, "--cacert") {
		t.Errorf("said to try %s", line)
	}
}
