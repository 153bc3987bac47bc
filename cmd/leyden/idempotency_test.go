package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// post sends a body with an Idempotency-Key.
func (p *process) post(path, body, key string) (reply, error) {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("X-API-Key", adminKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := patient().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return reply{res, string(text)}, err
}

// TestIdempotencyOverKill: what was answered before the server was killed is
// answered alike by the next one; what was under way is never carried out again.
func TestIdempotencyOverKill(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open")
	const spec = `{"name":"billing","scopes":["transactions:read"]}`
	first, err := p.post("/api/v1/auth/api-keys", spec, "make a key")
	if err != nil || first.StatusCode != http.StatusCreated {
		t.Fatalf("%v: %s %s", err, first.Status, first.body)
	}
	asked, end := mute(t, p)
	interrupted := make(chan error, 1)
	go func() {
		_, err := p.post("/api/v1/chargers/MUTE/reset", `{"type":"Soft"}`, "reset")
		interrupted <- err
	}()
	if msg := within(t, "the station is asked", asked); msg != "Reset" {
		t.Fatalf("the station was asked for %s", msg)
	}
	if err := p.end(syscall.SIGKILL); err == nil {
		t.Fatal("the server ended well although it was killed")
	}
	end()
	if err := within(t, "the request ends", interrupted); err == nil {
		t.Fatal("the request was answered although the station was silent")
	}

	p = startServer(t, "--data", data, "--admission", "open")
	again, err := p.post("/api/v1/auth/api-keys", spec, "make a key")
	if err != nil || again.StatusCode != http.StatusCreated || again.body != first.body || again.Header.Get("Idempotent-Replayed") != "true" ||
		again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("%v: %s %s, want %s", err, again.Status, again.body, first.body)
	}
	for range 2 {
		unknown, err := p.post("/api/v1/chargers/MUTE/reset", `{"type":"Soft"}`, "reset")
		if err != nil || unknown.StatusCode != http.StatusConflict || !strings.Contains(unknown.body, `"code":"CONFLICT"`) {
			t.Errorf("%v: %s %s", err, unknown.Status, unknown.body)
		}
	}
	other, err := p.post("/api/v1/chargers/MUTE/reset", `{"type":"Hard"}`, "reset")
	if err != nil || other.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%v: %s %s", err, other.Status, other.body)
	}
	p.drain()
}
