package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

func TestServePages(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"))
	p.await(p.stdout, `\n  stations   ws://127\.0\.0\.1:\d+/ocpp/\{station\}\n  REST API   http://127\.0\.0\.1:\d+/docs\n`)
	for _, c := range []struct {
		path, key string
		status    int
		body      string // a part of it
	}{
		{"/healthz", "", 200, `{"status":"ok"}`},
		{"/readyz", "", 200, `{"status":"ok"}`},
		{"/", "", 200, "<html"}, // it redirects to /docs
		{"/docs", "", 200, "openapi.json"},
		{"/openapi.json", "", 200, `"/api/v1/transactions/{`},
		{"/metrics", "", 200, "leyden_stations_online 0"},
		{"/nowhere", "", 404, ""},
		{"/api/v1/transactions", "", 401, `{"success":false,"error":{"code":"UNAUTHORIZED"`},
		{"/api/v1/transactions", "wrong", 401, `"code":"UNAUTHORIZED"`},
		{"/api/v1/transactions", adminKey, 200, `{"transactions":[],"pagination":{"total":0,"limit":50,"offset":0}}`},
		{"/api/v1/transactions?limit=x", adminKey, 400, `"field":"limit"`},
		{"/v2/transactions", "", 401, `{"code":401,"message":`},
		{"/v2/transactions", adminKey, 200, `[]`},
		{"/v2/transactions?limit=0", adminKey, 400, `"message":"limit: `},
		{"/ocpp/", "", 404, ""},
		{"/ocpp/UNKNOWN", "", 401, ""},
	} {
		r := p.call(http.MethodGet, c.path, c.key, "")
		if r.StatusCode != c.status || !strings.Contains(r.body, c.body) {
			t.Errorf("GET %s: got %d %.200s, want %d …%s…", c.path, r.StatusCode, r.body, c.status, c.body)
		}
	}
	var document struct{ OpenAPI string }
	p.get("/openapi.json", &document)
	if !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", document.OpenAPI)
	}
	p.drain()
}

// dial connects to a server as a station.
func dial(ctx context.Context, url, station, password string) (ocpp.Transport, error) {
	return sim.WebSocket("ws"+strings.TrimPrefix(url, "http")+"/ocpp", ocpp.DialOptions{})(ctx, sim.Login{Station: station, Password: password})
}

// TestServeDrains ends a server while stations charge: sockets close with 1012,
// the process ends with 0 in time, and what was answered is there.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open")
	fleet, err := sim.NewFleet(sim.Options{Dial: sim.WebSocket("ws"+strings.TrimPrefix(p.url, "http")+"/ocpp", ocpp.DialOptions{}), Stations: 20, Speed: 1000, Record: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan *sim.Report, 1)
	go func() { reports <- fleet.Run(ctx) }()

	tr, err := dial(t.Context(), p.url, "WATCHER", "")
	if err != nil {
		t.Fatal(err)
	}
	watcher := ocpp.NewConn(tr, ocpp.Options{})
	closed := make(chan error, 1)
	go func() {
		closed <- watcher.Serve(context.Background(), func(context.Context, ocpp.Frame) ocpp.Reply { return ocpp.Reply{} })
	}()
	var boot v16.BootNotificationResponse
	err = watcher.Call(t.Context(), &v16.BootNotification{ChargePointVendor: "V", ChargePointModel: "M"}, &boot)
	if err != nil || boot.Status != v16.RegistrationStatusAccepted || boot.Interval != 300 {
		t.Fatalf("boot: %+v, %v", boot, err)
	}
	const ended = 10 // a charge that ended was answered; one that began may not be yet
	eventually(t, limit, "stations charge", func() bool { return fleet.Report().Completed >= ended })

	p.drain()
	if ce, ok := errors.AsType[*ocpp.CloseError](within(t, "the socket is closed", closed)); !ok || ce.Code != ocpp.CloseRestart {
		t.Errorf("the socket was closed with %v, want 1012", ce)
	}
	cancel()
	answered := 0
	for _, c := range within(t, "the stations leave", reports).Charges {
		if len(c.TransactionIDs) > 0 {
			answered++
		}
	}
	listed := strings.Count(must(t, "transactions", "export", "--format", "ndjson", "--data", data), "\n")
	if answered < ended || listed < answered {
		t.Errorf("%d charges were answered, %d are in the ledger", answered, listed)
	}
	must(t, "check", "--data", data)
}

// TestServeEndsInTime: a request whose body never comes holds nobody up.
func TestServeEndsInTime(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"))
	hang(t, p)
	p.drain()
}

// hang sends a request whose body never comes.
func hang(t *testing.T, p *process) {
	t.Helper()
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(p.url, "http://"), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	head := "POST /api/v1/chargers HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nX-API-Key: " + adminKey +
		"\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
	if _, err := c.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, "100 Continue") {
		t.Fatalf("the server does not wait for the body: %q, %v", line, err)
	}
}

// TestServeEndsAtOnce: a second signal is not waited for.
func TestServeEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"))
	hang(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(p.stderr, "msg=draining")
	eventually(t, limit, "it ends", func() bool {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
	if p.err == nil {
		t.Error("the second signal let it end as if nothing hung")
	}
}

// TestCredentialsCountAtOnce makes credentials by the command line beside a
// running server.
func TestCredentialsCountAtOnce(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)

	password := strings.TrimSpace(must(t, "station", "add", "CHARGER-001", "--data", data))
	eventually(t, time.Second, "the new station may connect", func() bool { return connects(t, p, "CHARGER-001", password) })
	raw, err := hex.DecodeString(password)
	if err != nil || !connects(t, p, "CHARGER-001", string(raw)) {
		t.Errorf("the 20 bytes of the password are refused: %v", err)
	}
	renewed := strings.TrimSpace(must(t, "station", "password", "CHARGER-001", "--data", data))
	eventually(t, time.Second, "the old password is refused", func() bool { return !connects(t, p, "CHARGER-001", password) })
	if !connects(t, p, "CHARGER-001", renewed) {
		t.Error("the new password is refused")
	}

	key := strings.TrimSpace(must(t, "key", "create", "billing", "--data", data))
	status := func() int { return p.call(http.MethodGet, "/v2/transactions", key, "").StatusCode }
	eventually(t, time.Second, "the new key opens", func() bool { return status() == http.StatusOK })
	id := strings.Fields(strings.Split(must(t, "key", "list", "--data", data), "billing")[0])
	must(t, "key", "revoke", id[len(id)-1], "--data", data)
	eventually(t, time.Second, "the revoked key is refused", func() bool { return status() == http.StatusUnauthorized })

	words := strings.Fields(must(t, "client", "create", "erp", "--data", data))
	token := oauthToken(t, p, words[1], words[3])
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v2/transactions", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := patient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("with the token: %s", res.Status)
	}
}

// connects reports whether a station is let in.
func connects(t *testing.T, p *process, station, password string) bool {
	t.Helper()
	tr, err := dial(t.Context(), p.url, station, password)
	if refusal, ok := errors.AsType[*ocpp.HandshakeError](err); ok && refusal.Status == http.StatusUnauthorized {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
		t.Fatal(err)
	}
	return true
}

// patient returns a client that waits no longer than a test does.
func patient() *http.Client { return &http.Client{Timeout: limit} }

func oauthToken(t *testing.T, p *process, client, secret string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, secret)
	res, err := patient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil || res.StatusCode != http.StatusOK || token.TokenType != "Bearer" {
		t.Fatalf("token: %s, %+v, %v", res.Status, token, err)
	}
	return token.AccessToken
}

// TestGuessing: wrong passwords are refused, too many of them put off; who has
// the right one enters all the while.
func TestGuessing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)
	password := strings.TrimSpace(must(t, "station", "add", "CHARGER-001", "--data", data))
	var statuses []int
	for range 12 {
		_, err := dial(t.Context(), p.url, "CHARGER-001", "a wrong password, one of many")
		refusal, ok := errors.AsType[*ocpp.HandshakeError](err)
		if !ok {
			t.Fatalf("a wrong password was answered with %v", err)
		}
		statuses = append(statuses, refusal.Status)
		if refusal.Status == http.StatusTooManyRequests && refusal.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	for i, status := range statuses {
		if want := http.StatusUnauthorized; i < 10 && status != want {
			t.Errorf("guess %d: %d, want %d", i+1, status, want)
		}
		if want := http.StatusTooManyRequests; i >= 10 && status != want {
			t.Errorf("guess %d: %d, want %d", i+1, status, want)
		}
	}
	if !connects(t, p, "CHARGER-001", password) {
		t.Error("the right password is refused")
	}
	// An API key is guessed no better.
	last := 0
	for range 30 {
		last = p.call(http.MethodGet, "/v2/transactions", "guessed", "").StatusCode
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 30th wrong key: %d", last)
	}
	if r := p.call(http.MethodGet, "/v2/transactions", adminKey, ""); r.StatusCode != http.StatusOK {
		t.Errorf("the right key: %s", r.Status)
	}
}
