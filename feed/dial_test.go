package feed_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leyden/feed"
)

func guard(t *testing.T, allow ...string) *feed.Guard {
	t.Helper()
	g, err := feed.NewGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestNewGuardRefuses(t *testing.T) {
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "10.0.0.1:80"} {
		if _, err := feed.NewGuard([]string{"127.0.0.1", bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestCheckURL: what a text tells.
func TestCheckURL(t *testing.T) {
	open, closed := guard(t, "127.0.0.0/8", "fd00::/8"), guard(t)
	for _, test := range []struct {
		url string
		g   *feed.Guard
		ok  bool
	}{
		{"https://example.com/hook?a=b", closed, true},
		{"https://example.com:8443", nil, true},
		{"https://1.1.1.1/", closed, true},
		{"https://[2606:4700::1111]/", closed, true},
		{"http://example.com/", closed, false},
		{"http://example.com/", nil, false},
		{"http://localhost:9000/", open, true}, // where the name leads is seen when it is used
		{"http://127.0.0.1/", open, true},
		{"https://127.0.0.1/", open, true},
		{"http://[fd00::1]/", open, true},
		{"http://1.1.1.1/", open, false},
		{"https://127.0.0.1/", closed, false},
		{"https://10.1.2.3/", open, false},
		{"https://[::1]/", open, false},
		{"https://[::ffff:10.0.0.1]/", closed, false},
		{"https://[::ffff:1.1.1.1]/", closed, true},
		{"https://[64:ff9b::a00:1]/", closed, false},
		{"https://user:pass@example.com/", closed, false},
		{"https://user@example.com/", closed, false},
		{"https://example.com/#part", closed, false},
		{"https://example.com/#", closed, false},
		{"https://example.com/a b", closed, false},
		{"https://example.com/\n", closed, false},
		{"https://", closed, false},
		{"https:///path", closed, false},
		{"https://:443/", closed, false},
		{"https://example.com:0/", closed, false},
		{"https://example.com:65536/", closed, false},
		{"ftp://example.com/", closed, false},
		{"file:///etc/passwd", open, false},
		{"example.com", closed, false},
		{"", closed, false},
		{"https://example.com/" + strings.Repeat("a", feed.MaxURL), closed, false},
	} {
		err := feed.CheckURL(test.url, test.g)
		if e, ok := errors.AsType[*feed.FieldError](err); (err == nil) != test.ok || err != nil && (!ok || e.Field != "url") {
			t.Errorf("%.60s: %v; want fine: %v", test.url, err, test.ok)
		}
	}
}

// TestSpecialAddresses: of all that is not the public internet nothing is reached.
func TestSpecialAddresses(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "168.63.129.16",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
		"198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "100::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
	} {
		addr := netip.MustParseAddr(text)
		if err := feed.CheckURL("https://"+netip.AddrPortFrom(addr, 443).String()+"/", nil); err == nil {
			t.Errorf("%s may be reached", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1", "2a00::1", "2001:4860:4860::8888"} {
		addr := netip.MustParseAddr(text)
		if err := feed.CheckURL("https://"+netip.AddrPortFrom(addr, 443).String()+"/", nil); err != nil {
			t.Errorf("%s may not be reached: %v", text, err)
		}
	}
}

// A listener counts who connects to it.
func listener(t *testing.T, h http.HandlerFunc) (u *url.URL, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, connections
}

func post(g *feed.Guard, r *net.Resolver, target string) feed.Answer {
	s := feed.Sender{Transport: g.Transport(r), Now: time.Now, Agent: "test"}
	return s.Send(context.Background(), feed.Message{URL: target, ID: "evt_1", Body: []byte("{}"), Secrets: []feed.SigningSecret{feed.NewSigningSecret()}})
}

// TestGuardOfConnections: it is the address of the connection that counts.
func TestGuardOfConnections(t *testing.T) {
	u, connections := listener(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "taken") })
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		target := "http://" + net.JoinHostPort(strings.Trim(host, "[]"), u.Port())
		if a := post(guard(t, "10.0.0.0/8"), nil, target); !strings.Contains(a.Error, "not allowed") || a.Code != 0 {
			t.Errorf("%s: %+v; want it refused", target, a.Attempt)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if a := post(guard(t, "127.0.0.1"), nil, u.String()); a.Error != "" || a.Code != http.StatusOK || a.Excerpt != "taken" {
		t.Errorf("what is allowed: %+v", a.Attempt)
	}
	if a := post(guard(t, "127.0.0.1"), nil, "https://"+u.Host); a.Error == "" {
		t.Errorf("https to a server without TLS: %+v", a.Attempt)
	}
}

// TestRebinding: a name that leads to the public internet when somebody looks, and
// to ourselves when the connection is made.
func TestRebinding(t *testing.T) {
	u, connections := listener(t, func(http.ResponseWriter, *http.Request) {})
	var asked atomic.Int64
	resolver := names(t, func() netip.Addr {
		if asked.Add(1) == 1 {
			return netip.MustParseAddr("1.1.1.1")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if got, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil || got[0] != netip.MustParseAddr("1.1.1.1") {
		t.Fatalf("looked up %v, %v", got, err)
	}
	for _, scheme := range []string{"https", "http"} {
		a := post(guard(t, "10.0.0.0/8"), resolver, scheme+"://rebind.example:"+u.Port()+"/")
		if !strings.Contains(a.Error, "not allowed") || connections.Load() != 0 {
			t.Errorf("%s: %+v, %d connections", scheme, a.Attempt, connections.Load())
		}
		if strings.Contains(a.Error, "127.0.0.1") {
			t.Errorf("%s: the error tells the address: %s", scheme, a.Error)
		}
	}
}

// TestRedirects: nobody is sent elsewhere.
func TestRedirects(t *testing.T) {
	inner, connections := listener(t, func(http.ResponseWriter, *http.Request) {})
	outer, _ := listener(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.String(), http.StatusTemporaryRedirect)
	})
	a := post(guard(t, "127.0.0.0/8"), nil, outer.String())
	if a.Code != http.StatusTemporaryRedirect || !strings.Contains(a.Error, "not followed") || connections.Load() != 0 {
		t.Errorf("%+v, %d connections", a.Attempt, connections.Load())
	}
}

// TestNoProxy: the environment leads nothing astray.
func TestNoProxy(t *testing.T) {
	proxy, connections := listener(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.String())
	}
	resolver := names(t, func() netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	a := post(guard(t, "127.0.0.0/8"), resolver, "http://proxied.example:1/")
	if a.Error == "" || connections.Load() != 0 {
		t.Errorf("%+v, %d connections to the proxy", a.Attempt, connections.Load())
	}
}

// TestEndlessAnswer: of an answer that does not end no more is read than is kept.
func TestEndlessAnswer(t *testing.T) {
	u, _ := listener(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	})
	if a := post(guard(t, "127.0.0.1"), nil, u.String()); a.Error != "" || len(a.Excerpt) != feed.MaxExcerpt {
		t.Errorf("%d characters, %+v", len(a.Excerpt), a.Attempt)
	}
}

// names returns a resolver for which every name stands for one IPv4 address.
func names(t *testing.T, addr func() netip.Addr) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			head := make([]byte, 2) // a pipe is no packet connection: messages begin with their length (RFC 1035 §4.2.2)
			for {
				if _, err := server.Read(head); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(head))
				if _, err := server.Read(q); err != nil {
					return
				}
				a := dnsAnswer(q, addr)
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

// dnsAnswer answers a question of type A, and others with nothing (RFC 1035 §4).
func dnsAnswer(q []byte, addr func() netip.Addr) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5 // the root, type and class
	a := append([]byte{q[0], q[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if q[end-3] != 1 {
		return a
	}
	a[7] = 1
	ip := addr().As4()
	a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(a, ip[:]...)
}
