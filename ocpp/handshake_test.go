package ocpp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leyden/ocpp"
)

// handshake returns the header of a client that offers protocols.
func handshake(protocols ...string) http.Header {
	return http.Header{
		"Connection":             {"keep-alive, Upgrade"},
		"Upgrade":                {"WebSocket"},
		"Sec-Websocket-Version":  {"13"},
		"Sec-Websocket-Key":      {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Protocol": protocols,
	}
}

func TestUpgradeChoosesProtocol(t *testing.T) {
	for _, c := range []struct {
		offered []string
		status  int
		chosen  string
	}{
		{[]string{"ocpp1.6"}, 101, "ocpp1.6"},
		{[]string{"ocpp1.6, ocpp2.0.1"}, 101, "ocpp2.0.1"}, // the server's preference
		{[]string{"ocpp1.5", "ocpp1.6"}, 101, "ocpp1.6"},   // on two lines
		{[]string{"ocpp1.6,"}, 101, "ocpp1.6"},
		{[]string{"ocpp1.5"}, 400, ""},
		{[]string{"OCPP1.6"}, 400, ""},
		{nil, 400, ""},
	} {
		l := listen(t, ocpp.UpgradeOptions{}, "ws")
		resp := request(t, l, handshake(c.offered...))
		if resp.StatusCode != c.status || resp.Header.Get("Sec-Websocket-Protocol") != c.chosen {
			t.Errorf("%q: %s %q; want %d %q", c.offered, resp.Status, resp.Header.Get("Sec-Websocket-Protocol"), c.status, c.chosen)
		}
		if c.status == 101 {
			resp.Body.Close()
			wantClose(t, echo(<-l.accepted), ocpp.CloseAbnormal, "EOF")
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), "ocpp2.0.1, ocpp1.6") {
			t.Errorf("%q: refused with %q (%v); want a text that names our protocols", c.offered, body, err)
		}
	}
}

func request(t *testing.T, l *listener, h http.Header) *http.Response {
	r, err := http.NewRequestWithContext(soon(t), http.MethodGet, l.URL+"/ocpp/CHARGER-001", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	resp, err := l.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestUpgradeRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(http.Header)
		status int
	}{
		{"no upgrade", func(h http.Header) { h.Del("Upgrade") }, 426},
		{"no connection", func(h http.Header) { h.Set("Connection", "keep-alive") }, 426},
		{"old version", func(h http.Header) { h.Set("Sec-Websocket-Version", "8") }, 426},
		{"no version", func(h http.Header) { h.Del("Sec-Websocket-Version") }, 400},
		{"short key", func(h http.Header) { h.Set("Sec-Websocket-Key", "abc") }, 400},
	} {
		l := listen(t, ocpp.UpgradeOptions{}, "ws")
		h := handshake("ocpp1.6")
		c.change(h)
		resp := request(t, l, h)
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s; want %d", c.name, resp.Status, c.status)
		}
	}
}

// A proxy may put the tokens of a header on lines of their own.
func TestUpgradeReadsAllLines(t *testing.T) {
	l := listen(t, ocpp.UpgradeOptions{}, "ws")
	h := handshake("ocpp1.6")
	h["Connection"] = []string{"keep-alive", "Upgrade"}
	resp := request(t, l, h)
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %s; want 101", resp.Status)
	}
	wantClose(t, echo(<-l.accepted), ocpp.CloseAbnormal, "EOF")
}

func TestUpgradeNegotiatesCompression(t *testing.T) {
	const none = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, c := range []struct{ offer, want string }{
		{"permessage-deflate", none},
		{"permessage-deflate; client_max_window_bits", none},
		{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", none},
		{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", none + "; server_max_window_bits=12"},
		{"x-webkit-deflate-frame, permessage-deflate", none},
		{"permessage-deflate; future=1, permessage-deflate", none},
		{"permessage-deflate; server_max_window_bits=99", ""},
		{"x-webkit-deflate-frame", ""},
		{"", ""},
		{"permessage-deflate;;=", ""},
	} {
		l := listen(t, ocpp.UpgradeOptions{Compression: true}, "ws")
		h := handshake("ocpp1.6")
		h.Set("Sec-Websocket-Extensions", c.offer)
		resp := request(t, l, h)
		resp.Body.Close()
		if got := strings.ReplaceAll(resp.Header.Get("Sec-Websocket-Extensions"), ";", "; "); got != c.want || resp.StatusCode != 101 {
			t.Errorf("%s:\n got %s %q\nwant 101 %q", c.offer, resp.Status, got, c.want)
		}
		wantClose(t, echo(<-l.accepted), ocpp.CloseAbnormal, "EOF")
	}
}

func TestDialRefused(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	_, _, err := ocpp.Dial(soon(t), "ws"+strings.TrimPrefix(srv.URL, "http"), ocpp.DialOptions{})
	he, ok := errors.AsType[*ocpp.HandshakeError](err)
	if !ok || he.Status != 503 || he.Header.Get("Retry-After") != "7" || he.Text != "come back later" {
		t.Errorf("error %v; want the refusal with its status, header and text", err)
	}
}

func TestDialWithoutCommonProtocol(t *testing.T) {
	l := listen(t, ocpp.UpgradeOptions{}, "ws")
	_, _, err := ocpp.Dial(soon(t), l.url, ocpp.DialOptions{Protocols: []string{"ocpp1.5"}})
	if he, ok := errors.AsType[*ocpp.HandshakeError](err); !ok || he.Status != 400 || !strings.Contains(he.Text, "ocpp1.6") {
		t.Errorf("error %v; want a 400 that names the server's protocols", err)
	}
}

func TestDialCancelled(t *testing.T) {
	l := listen(t, ocpp.UpgradeOptions{}, "ws")
	ctx, cancel := context.WithCancel(soon(t))
	cancel()
	if _, _, err := ocpp.Dial(ctx, l.url, ocpp.DialOptions{Protocols: []string{"ocpp1.6"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want context.Canceled", err)
	}
	if _, _, err := ocpp.Dial(soon(t), "http://localhost", ocpp.DialOptions{}); err == nil {
		t.Error("a URL that is no WebSocket was dialled")
	}
}
