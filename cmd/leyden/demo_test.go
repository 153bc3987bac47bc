package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestDemo is what a newcomer does: start the demo, and paste what it prints.
func TestDemo(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"plain", nil},
		{"TLS", []string{"--tls-cert", cert, "--tls-key", key}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			p := launch(t, nil, append([]string{"serve", "--demo", "5", "--listen", "127.0.0.1:0"}, c.args...)...)
			p.url = p.await(p.stdout, `Leyden serves (https?://\S+)\n`)
			folder := p.await(p.stdout, `  ledger     (\S+)   \(removed at the end\)`)
			key := p.await(p.stdout, `  admin key  (\S+)   \(shown only now\)`)
			client := &http.Client{Transport: witnessed(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}})}
			eventually(t, time.Minute, "a first transaction", func() bool {
				r, err := ask(t.Context(), client, http.MethodGet, p.url+"/api/v1/transactions?status=active", key, "")
				return err == nil && strings.Contains(r.body, `"chargeBoxId":"DEMO-00`)
			})
			made, err := ask(t.Context(), client, http.MethodGet, p.url+"/api/v1/audit?operation=leyden%20serve", key, "")
			if err != nil || !strings.Contains(made.body, `\"name\":\"first admin\"`) || strings.Contains(made.body, key) {
				t.Errorf("the audit log has of the first key: %+v, %v", made, err)
			}
			t.Logf("the first transaction after %v", time.Since(began))
			p.await(p.stdout, `\n\d+ charging, \d+ completed: \d+ DEMO-00\d/\d \d+\.\d{3} kWh`)
			client.CloseIdleConnections()
			pasted := 0
			for line := range strings.Lines(p.stdout.String()) {
				if strings.HasPrefix(line, "  curl ") {
					paste(t, line, cert)
					pasted++
				}
			}
			if pasted != 3 {
				t.Errorf("%d curl lines in\n%s", pasted, p.stdout)
			}
			p.drain()
			if _, err := os.Stat(folder); !os.IsNotExist(err) {
				t.Errorf("%s stays behind: %v", folder, err)
			}
		})
	}
}

// paste runs a line as a person's shell does. curl must succeed with JSON.
func paste(t *testing.T, line, ca string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Logf("no curl here: not tried: %s", line)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.WaitDelay = limit / 4
	cmd.Env = environment("CURL_CA_BUNDLE=" + ca)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") || !strings.Contains(text, "DEMO-00") {
		t.Errorf("%s\nsaid %s (%v)", line, text, err)
	}
}
