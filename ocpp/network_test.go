package ocpp_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/ocpp"
)

// connect opens a WebSocket over the network and returns the far end byte by
// byte, as attach does in memory.
func connect(t testing.TB, l *listener) (ocpp.Transport, *station) {
	var conn net.Conn
	var err error
	if l.TLS == nil {
		conn, err = net.Dial("tcp", l.Listener.Addr().String())
	} else {
		conn, err = tls.Dial("tcp", l.Listener.Addr().String(), l.Client().Transport.(*http.Transport).TLSClientConfig)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t, conn, bufio.NewReader(conn)}
	r, err := http.NewRequest(http.MethodGet, l.URL+"/ocpp/CHARGER-001", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = handshake("ocpp1.6")
	r.Header.Set("Sec-Websocket-Extensions", "permessage-deflate")
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(s.in, r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %s; want 101", resp.Status)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return <-l.accepted, s
}

// overNetwork runs a test over TCP, where system calls are made directly, and
// over TLS, where they are not.
func overNetwork(t *testing.T, o ocpp.UpgradeOptions, test func(*testing.T, ocpp.Transport, *station)) {
	o.Compression = true
	for scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			tr, s := connect(t, listen(t, o, scheme))
			defer s.Close()
			test(t, tr, s)
		})
	}
}

// The first message may arrive together with the request.
func TestNetworkMessageBehindHandshake(t *testing.T) {
	l := listen(t, ocpp.UpgradeOptions{}, "ws")
	conn, err := net.Dial("tcp", l.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r, err := http.NewRequest(http.MethodGet, l.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = handshake("ocpp1.6")
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString(masked(fin|textOp, "early") + masked(fin|textOp, "bird") + masked(fin|textOp, "worm")[:5])
	s := &station{t, conn, bufio.NewReader(conn)}
	if _, err := s.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	ended := deliver(<-l.accepted)
	if _, err := http.ReadResponse(s.in, r); err != nil {
		t.Fatal(err)
	}
	s.wantFrame(fin|textOp, "early")
	s.wantFrame(fin|textOp, "bird")
	s.send(masked(fin|textOp, "worm")[5:] + masked(fin|closeOp, "\x03\xe8"))
	s.wantFrame(fin|textOp, "worm")
	s.wantFrame(fin|closeOp, "\x03\xe8")
	wantClose(t, <-ended, ocpp.CloseNormal, "")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Bytes arrive in any portions.
func TestNetworkByteByByte(t *testing.T) {
	overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended := deliver(tr)
		in := masked(fin|textOp, "one") + masked(textOp, "t") + masked(fin|pingOp, "?") + masked(fin, "wo") + masked(fin|closeOp, "\x03\xe8")
		for i := range len(in) {
			if _, err := io.WriteString(s, in[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		s.wantFrame(fin|textOp, "one")
		s.wantFrame(fin|pongOp, "?")
		s.wantFrame(fin|textOp, "two")
		s.wantFrame(fin|closeOp, "\x03\xe8")
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

// Any number of goroutines may send; their messages stay whole.
func TestNetworkConcurrentSends(t *testing.T) {
	overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended := deliver(tr)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				for range 20 {
					if err := tr.Send(bytes.Repeat([]byte{'a' + byte(i)}, 100*(i+1))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 200 {
			first, payload, err := s.frame()
			if err != nil || first != fin|textOp || len(payload) == 0 || len(payload) != 100*int(payload[0]-'a'+1) || !bytes.Equal(payload, bytes.Repeat(payload[:1], len(payload))) {
				t.Fatalf("frame %#x %q (%v)", first, payload, err)
			}
		}
		wg.Wait()
		if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
			t.Error(err)
		}
		s.wantClosing(ocpp.CloseNormal)
		s.finish(ocpp.CloseNormal)
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

func TestNetworkHalfSentFrameTimesOut(t *testing.T) {
	o := ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Frame: 20 * time.Millisecond}}
	overNetwork(t, o, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended := deliver(tr)
		s.send(masked(fin|textOp, "a message")[:9])
		s.wantClosing(ocpp.ClosePolicy)
		s.finish(ocpp.ClosePolicy)
		wantClose(t, <-ended, ocpp.ClosePolicy, "not finished in time")
	})
}

func TestNetworkSilentPeerIsPingedThenDead(t *testing.T) {
	o := ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Ping: 20 * time.Millisecond}}
	overNetwork(t, o, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended := deliver(tr)
		s.wantFrame(fin|pingOp, "")
		s.wantFrame(fin|pingOp, "")
		wantClose(t, <-ended, ocpp.CloseAbnormal, "no answer to pings")
	})
}

func TestNetworkPeerThatStopsReadingIsGivenUp(t *testing.T) {
	o := ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Write: 50 * time.Millisecond}}
	overNetwork(t, o, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended := deliver(tr)
		wantClose(t, flood(tr), ocpp.CloseAbnormal, "timeout")
		wantClose(t, <-ended, ocpp.CloseAbnormal, "timeout")
	})
}

// flood sends, more than the network holds, until that fails.
func flood(tr ocpp.Transport) error {
	msg := []byte(strings.Repeat("x", 1000))
	for {
		if err := tr.Send(msg); err != nil {
			return err
		}
	}
}

// A peer that does not read what is being sent does not hold up the close.
func TestNetworkCloseIsNotHeldUp(t *testing.T) {
	overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
		ended, sent := deliver(tr), make(chan error, 1)
		go func() { sent <- tr.Send(make([]byte, 32<<20)) }() // more than the network holds
		if _, err := s.in.ReadByte(); err != nil {
			t.Fatal(err)
		}
		wantClose(t, tr.Close(ocpp.CloseRestart, "update"), ocpp.CloseRestart, "update")
		wantClose(t, <-sent, ocpp.CloseRestart, "update")
		wantClose(t, <-ended, ocpp.CloseRestart, "update")
	})
}

// The peer learns why, although it was still sending.
func TestNetworkRefusalArrives(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		code ocpp.CloseCode
	}{
		"bomb":      {masked(fin|deflated|textOp, bomb()), ocpp.CloseTooBig},
		"too big":   {string(header(fin|textOp, 4<<20, true)) + strings.Repeat("x", 4<<20), ocpp.CloseTooBig},
		"binary":    {masked(fin|binaryOp, strings.Repeat("x", 100_000)), ocpp.CloseUnsupported},
		"not UTF-8": {masked(fin|textOp, "\xff"), ocpp.CloseInvalidText},
		"unmasked":  {string(header(fin|textOp, 1, false)) + "x", ocpp.CloseProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
				ended := deliver(tr)
				s.send(c.in)
				s.wantClosing(c.code)
				if _, _, err := s.frame(); err == nil {
					t.Error("the server goes on after the close")
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				wantClose(t, <-ended, c.code, "")
			})
		})
	}
}
