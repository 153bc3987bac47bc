package ocpp_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"leyden/ocpp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what takes milliseconds when it works.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A listener accepts WebSockets and hands out the server's ends of them.
type listener struct {
	*httptest.Server
	url      string
	accepted chan ocpp.Transport
}

// schemes are the ways to start a server, by the scheme of its URL.
var schemes = map[string]func(*httptest.Server){"ws": (*httptest.Server).Start, "wss": (*httptest.Server).StartTLS}

func listen(t testing.TB, o ocpp.UpgradeOptions, scheme string) *listener {
	o.Protocols = []string{"ocpp2.0.1", "ocpp1.6"}
	l := &listener{accepted: make(chan ocpp.Transport, 1)}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tr, _, err := ocpp.Upgrade(w, r, o); err == nil {
			l.accepted <- tr
		}
	}))
	schemes[scheme](l.Server)
	t.Cleanup(l.Close)
	l.url = scheme + "://" + l.Listener.Addr().String() + "/ocpp/CHARGER-001"
	return l
}

// echo sends every message back, and returns why the connection ended.
func echo(tr ocpp.Transport) error {
	return ocpp.ReceiveAll(tr, tr.Send)
}

// sizes are those at which the form of a length or a buffer changes.
var sizes = []int{0, 1, 2, 15, 16, 17, 125, 126, 127, 1023, 1024, 4085, 4096, 4097, 8192, 65535, 65536, 65537, 300_000, ocpp.MaxMessage}

// text returns a text of n bytes that is hard to take for another.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i*i/7%26)
	}
	if n > 2 {
		copy(b[n/2:], "é")
	}
	return b
}

// compressions are the ways in which a peer uses permessage-deflate.
var compressions = map[string]websocket.CompressionMode{
	"plain":      websocket.CompressionDisabled,
	"compressed": websocket.CompressionNoContextTakeover,
	"takeover":   websocket.CompressionContextTakeover,
}

// TestServerWithPeer has an independent client talk to our server.
func TestServerWithPeer(t *testing.T) {
	for name, mode := range compressions {
		for scheme := range schemes {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				l := listen(t, ocpp.UpgradeOptions{Compression: true}, scheme)
				c, _, err := websocket.Dial(soon(t), l.url, &websocket.DialOptions{
					HTTPClient: l.Client(), Subprotocols: []string{"ocpp1.6"}, CompressionMode: mode, CompressionThreshold: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				if c.Subprotocol() != "ocpp1.6" {
					t.Errorf("subprotocol %q; want ocpp1.6", c.Subprotocol())
				}
				ended := make(chan error, 1)
				tr := <-l.accepted
				go func() { ended <- echo(tr) }()
				exchange(t, c)
				if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
					t.Error(err)
				}
				wantClose(t, <-ended, ocpp.CloseNormal, "bye")
			})
		}
	}
}

// exchange sends messages of all sizes through c, whole and in fragments, and
// expects them back.
func exchange(t *testing.T, c *websocket.Conn) {
	ctx := soon(t)
	c.SetReadLimit(-1)
	for _, n := range sizes {
		if err := c.Write(ctx, websocket.MessageText, text(n)); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		wantMessage(t, c, text(n))
		w, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for rest := text(n); len(rest) > 0; {
			some := min(len(rest), n/3+1) // also cuts the é in two
			if _, err := w.Write(rest[:some]); err != nil {
				t.Fatalf("%d bytes in fragments: %v", n, err)
			}
			rest = rest[some:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, c, text(n))
	}
}

func wantMessage(t *testing.T, c *websocket.Conn, want []byte) {
	t.Helper()
	_, got, err := c.Read(soon(t))
	if err != nil {
		t.Fatalf("%d bytes: %v", len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes came back as %d others", len(want), len(got))
	}
}

func wantClose(t testing.TB, err error, code ocpp.CloseCode, reason string) {
	t.Helper()
	ce, ok := errors.AsType[*ocpp.CloseError](err)
	if !ok || ce.Code != code || !strings.Contains(ce.Reason, reason) {
		t.Errorf("ended with: %v; want %d %s", err, code, reason)
	}
	if !errors.Is(err, ocpp.ErrClosed) {
		t.Errorf("%v is no ErrClosed", err)
	}
}

// TestClientWithPeer has our client talk to an independent server.
func TestClientWithPeer(t *testing.T) {
	for name, mode := range compressions {
		for scheme, start := range schemes {
			t.Run(name+"/"+scheme, func(t *testing.T) { clientWithPeer(t, mode, scheme, start) })
		}
	}
}

func clientWithPeer(t *testing.T, mode websocket.CompressionMode, scheme string, start func(*httptest.Server)) {
	var user, password string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ocpp1.6"}, CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			t.Error(err)
			return
		}
		exchange(t, c)
		if err := c.Close(websocket.StatusServiceRestart, "bye"); err != nil {
			t.Error(err)
		}
	}))
	start(srv)
	defer srv.Close()
	o := ocpp.DialOptions{Protocols: []string{"ocpp2.0.1", "ocpp1.6"}, User: "CHARGER-001", Password: "\x00\xffsecret", Compression: true}
	if scheme == "wss" {
		o.TLS = srv.Client().Transport.(*http.Transport).TLSClientConfig
	}
	tr, protocol, err := ocpp.Dial(soon(t), scheme+"://"+srv.Listener.Addr().String()+"/ocpp/CHARGER-001", o)
	if err != nil {
		t.Fatal(err)
	}
	if protocol != "ocpp1.6" || user != o.User || password != o.Password {
		t.Errorf("protocol %q user %q password %q; want ocpp1.6 and those of the options", protocol, user, password)
	}
	wantClose(t, echo(tr), ocpp.CloseRestart, "bye")
}

// TestBothEnds has our client talk to our server.
func TestBothEnds(t *testing.T) {
	for scheme := range schemes {
		for _, compress := range []bool{false, true} {
			l := listen(t, ocpp.UpgradeOptions{Compression: true}, scheme)
			client := dial(t, l, ocpp.DialOptions{Compression: compress})
			server := <-l.accepted
			ended := make(chan error, 1)
			go func() { ended <- echo(server) }()
			for _, n := range sizes {
				if err := client.Send(text(n)); err != nil {
					t.Fatal(err)
				}
				err := client.Receive(func(msg []byte) error {
					if !bytes.Equal(msg, text(n)) {
						t.Errorf("%s: %d bytes came back as %d others", scheme, n, len(msg))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Close(ocpp.CloseGoingAway, strings.Repeat("ü", 100)); err != nil {
				t.Error(err)
			}
			wantClose(t, <-ended, ocpp.CloseGoingAway, strings.Repeat("ü", 61))
			wantClose(t, echo(client), ocpp.CloseGoingAway, "")
			if err := client.Send(text(1)); !errors.Is(err, ocpp.ErrClosed) {
				t.Errorf("Send after Close: %v; want ErrClosed", err)
			}
		}
	}
}

func dial(t testing.TB, l *listener, o ocpp.DialOptions) ocpp.Transport {
	o.Protocols = []string{"ocpp1.6"}
	if l.TLS != nil {
		o.TLS = l.Client().Transport.(*http.Transport).TLSClientConfig
	}
	tr, _, err := ocpp.Dial(soon(t), l.url, o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// A server that closes is told apart from one that is gone.
func TestConnectionLost(t *testing.T) {
	l := listen(t, ocpp.UpgradeOptions{}, "ws")
	client := dial(t, l, ocpp.DialOptions{})
	server := <-l.accepted
	if err := server.Close(ocpp.CloseAbnormal, ""); err != nil {
		t.Fatal(err)
	}
	wantClose(t, echo(client), ocpp.CloseAbnormal, "EOF")
	wantClose(t, echo(server), ocpp.CloseAbnormal, "")
}
