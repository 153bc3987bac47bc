package ocpp_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
)

// A station is the far end of a server's WebSocket, byte by byte.
type station struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

// hijack is a request's connection that is a pipe in memory.
type hijack struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// attach opens a WebSocket without a network, so that a synctest bubble can
// hold it, and returns both ends.
func attach(t testing.TB, o ocpp.UpgradeOptions) (ocpp.Transport, *station) {
	return attachWith(t, o, "permessage-deflate")
}

func attachWith(t testing.TB, o ocpp.UpgradeOptions, extensions string) (ocpp.Transport, *station) {
	near, far := net.Pipe()
	s := &station{t, far, bufio.NewReader(far)}
	r := httptest.NewRequest(http.MethodGet, "/ocpp/CHARGER-001", nil)
	r.Header = handshake("ocpp1.6")
	r.Header.Set("Sec-Websocket-Extensions", extensions)
	o.Protocols = []string{"ocpp1.6"}
	done := make(chan error, 1)
	go func() {
		resp, err := http.ReadResponse(s.in, nil)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	tr, _, err := ocpp.Upgrade(hijack{httptest.NewRecorder(), near}, r, o)
	if err == nil {
		err = <-done
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr, s
}

// The first byte of a WebSocket frame.
const (
	fin      = 0x80
	deflated = 0x40
	textOp   = 1
	binaryOp = 2
	closeOp  = 8
	pingOp   = 9
	pongOp   = 10
)

// masked returns a frame as a client sends it.
func masked(first byte, payload string) string {
	b := header(first, len(payload), true)
	mask := []byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}

// header returns the beginning of a frame, up to the mask.
func header(first byte, length int, masked bool) []byte {
	var m byte
	if masked {
		m = 0x80
	}
	switch {
	case length < 126:
		return []byte{first, m | byte(length)}
	case length < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, m | 126}, uint16(length))
	}
	return binary.BigEndian.AppendUint64([]byte{first, m | 127}, uint64(length))
}

// send sends in the background: the server may stop reading at any byte.
func (s *station) send(bytes string) {
	go func() { _, _ = io.WriteString(s, bytes) }()
}

// frame reads one frame of the server.
func (s *station) frame() (first byte, payload []byte, err error) {
	h := make([]byte, 2)
	if _, err := io.ReadFull(s.in, h); err != nil {
		return 0, nil, err
	}
	n := int(h[1])
	if n == 126 {
		long := make([]byte, 2)
		if _, err := io.ReadFull(s.in, long); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(long))
	}
	if h[1] > 126 {
		s.t.Fatalf("a frame of the server is masked or too long: %x", h)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(s.in, payload)
	return h[0], payload, err
}

// wantFrame reads a frame and compares it.
func (s *station) wantFrame(first byte, payload string) {
	s.t.Helper()
	f, p, err := s.frame()
	if err != nil || f != first || string(p) != payload {
		s.t.Fatalf("frame %#x %q (%v); want %#x %q", f, p, err, first, payload)
	}
}

// wantClosing reads a close frame.
func (s *station) wantClosing(code ocpp.CloseCode) {
	s.t.Helper()
	f, p, err := s.frame()
	if err != nil || f != fin|closeOp || len(p) < 2 || binary.BigEndian.Uint16(p) != uint16(code) {
		s.t.Fatalf("frame %#x %q (%v); want a close with %d", f, p, err, code)
	}
}

// finish answers a close with code and expects that nothing follows.
func (s *station) finish(code ocpp.CloseCode) {
	s.t.Helper()
	body := string(binary.BigEndian.AppendUint16(nil, uint16(code)))
	if _, err := io.WriteString(s, masked(fin|closeOp, body)); err == nil {
		if _, _, err = s.frame(); err == nil {
			s.t.Error("the server goes on after the close")
		}
	}
	if err := s.Close(); err != nil {
		s.t.Error(err)
	}
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// compressed returns text as permessage-deflate sends it.
func compressed(text string) string {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(z, text)
	}
	if err == nil {
		err = z.Flush()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// deliver runs echo for as long as the test's WebSocket lives.
func deliver(tr ocpp.Transport) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- echo(tr) }()
	return ended
}

func TestSocketAccepts(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"a message", masked(fin|textOp, "abc"), "abc"},
		{"an empty message", masked(fin|textOp, ""), ""},
		{"fragments", masked(textOp, "ab") + masked(0, "c") + masked(0, "") + masked(fin, "d"), "abcd"},
		{"a character in two fragments", masked(textOp, "\xc3") + masked(fin, "\xa9"), "é"},
		{"a compressed message", masked(fin|deflated|textOp, compressed("hello hello hello")), "hello hello hello"},
		{"a compressed empty message", masked(fin|deflated|textOp, "\x00"), ""},
		{"an uncompressed one beside", masked(fin|textOp, "plain"), "plain"},
		{"compressed fragments", masked(deflated|textOp, compressed("hello hello")[:3]) + masked(fin, compressed("hello hello")[3:]), "hello hello"},
		{"a length in more bytes than it needs", string([]byte{fin | textOp, 0x80 | 126, 0, 1, 0, 0, 0, 0}) + "x", "x"},
		{"an answer to a ping that was never sent", masked(fin|pongOp, "?") + masked(fin|textOp, "x"), "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{Compression: true})
				ended := deliver(tr)
				s.send(c.in)
				s.wantFrame(fin|textOp, c.out)
				s.send(masked(fin|closeOp, "\x03\xe8bye"))
				s.wantFrame(fin|closeOp, "\x03\xe8")
				wantClose(t, <-ended, ocpp.CloseNormal, "bye")
			})
		})
	}
}

func TestSocketAnswersPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		s.send(masked(fin|pingOp, "1") + masked(textOp, "ab") + masked(fin|pingOp, "2") + masked(fin, "c"))
		s.wantFrame(fin|pongOp, "1")
		s.wantFrame(fin|pongOp, "2")
		s.wantFrame(fin|textOp, "abc")
		s.send(masked(fin|closeOp, ""))
		s.wantFrame(fin|closeOp, "")
		wantClose(t, <-ended, ocpp.CloseNoStatus, "")
	})
}

// A control frame is no part of the message around it, however long that is.
func TestSocketAnswersPingsInLongestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := string(text(ocpp.MaxMessage))
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := make(chan error, 1)
		go func() {
			ended <- tr.Receive(func(msg []byte) error {
				if string(msg) != long {
					t.Errorf("got a message of %d bytes, want %d", len(msg), len(long))
				}
				return nil
			})
		}()
		s.send(masked(textOp, long) + masked(fin|pingOp, "?") + masked(fin, ""))
		s.wantFrame(fin|pongOp, "?")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := errors.Join(tr.Close(ocpp.CloseAbnormal, ""), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestSocketRefuses(t *testing.T) {
	huge := func(first byte, length int) string { return string(header(first, length, true)) + "mask" }
	for _, c := range []struct {
		name, in string
		code     ocpp.CloseCode
	}{
		{"unmasked", string(header(fin|textOp, 1, false)) + "x", ocpp.CloseProtocol},
		{"reserved data opcode", masked(fin|3, ""), ocpp.CloseProtocol},
		{"reserved control opcode", masked(fin|11, ""), ocpp.CloseProtocol},
		{"second reserved bit", masked(fin|0x20|textOp, ""), ocpp.CloseProtocol},
		{"third reserved bit", masked(fin|0x10|textOp, ""), ocpp.CloseProtocol},
		{"compressed ping", masked(fin|deflated|pingOp, ""), ocpp.CloseProtocol},
		{"compressed continuation", masked(textOp, "") + masked(fin|deflated, ""), ocpp.CloseProtocol},
		{"long ping", masked(fin|pingOp, strings.Repeat("x", 126)), ocpp.CloseProtocol},
		{"ping in fragments", masked(pingOp, ""), ocpp.CloseProtocol},
		{"continuation of nothing", masked(fin, ""), ocpp.CloseProtocol},
		{"message within a message", masked(textOp, "a") + masked(fin|textOp, "b"), ocpp.CloseProtocol},
		{"negative length", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", ocpp.CloseProtocol},
		{"close of one byte", masked(fin|closeOp, "\x03"), ocpp.CloseProtocol},
		{"close with 999", masked(fin|closeOp, "\x03\xe7"), ocpp.CloseProtocol},
		{"close with 1005", masked(fin|closeOp, "\x03\xed"), ocpp.CloseProtocol},
		{"close with 1015", masked(fin|closeOp, "\x03\xf7"), ocpp.CloseProtocol},
		{"close with 5000", masked(fin|closeOp, "\x13\x88"), ocpp.CloseProtocol},
		{"close with a reason that is no UTF-8", masked(fin|closeOp, "\x03\xe8\xff"), ocpp.CloseInvalidText},
		{"binary", masked(fin|binaryOp, "abc"), ocpp.CloseUnsupported},
		{"binary in fragments", masked(binaryOp, "abc"), ocpp.CloseUnsupported},
		{"not UTF-8", masked(fin|textOp, "a\xffb"), ocpp.CloseInvalidText},
		{"cut UTF-8", masked(fin|textOp, "a\xc3"), ocpp.CloseInvalidText},
		{"surrogate", masked(fin|textOp, "\xed\xa0\x80"), ocpp.CloseInvalidText},
		{"not UTF-8, in fragments", masked(textOp, "\xc3") + masked(fin, "\xc3"), ocpp.CloseInvalidText},
		{"not UTF-8, compressed", masked(fin|deflated|textOp, compressed("a\xffb")), ocpp.CloseInvalidText},
		{"not deflate", masked(fin|deflated|textOp, "\xff\xff\xff"), ocpp.CloseInvalidText},
		{"a byte over 1 MiB", huge(fin|textOp, ocpp.MaxMessage+1), ocpp.CloseTooBig},
		{"an exabyte", huge(fin|textOp, 1<<60), ocpp.CloseTooBig},
		{"an exabyte compressed", huge(fin|deflated|textOp, 1<<60), ocpp.CloseTooBig},
		{"over 1 MiB in fragments", masked(textOp, string(text(ocpp.MaxMessage/2))) + masked(0, string(text(ocpp.MaxMessage/2))) + huge(fin, 1), ocpp.CloseTooBig},
		{"a byte over 1 MiB once inflated", masked(fin|deflated|textOp, compressed(strings.Repeat("a", ocpp.MaxMessage+1))), ocpp.CloseTooBig},
		{"bomb in fragments", masked(deflated|textOp, bomb()[:9999]) + masked(fin, bomb()[9999:]), ocpp.CloseTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{Compression: true})
				ended := deliver(tr)
				s.send(c.in)
				s.wantClosing(c.code)
				s.finish(c.code)
				wantClose(t, <-ended, c.code, "")
			})
		})
	}
}

// Without compression its bit is as wrong as the others.
func TestSocketRefusesUnnegotiatedCompression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		s.send(masked(fin|deflated|textOp, compressed("abc")))
		s.wantClosing(ocpp.CloseProtocol)
		s.finish(ocpp.CloseProtocol)
		wantClose(t, <-ended, ocpp.CloseProtocol, "")
	})
}

// bomb returns about 63 KiB that inflate to 64 MiB.
var bomb = sync.OnceValue(func() string { return compressed(strings.Repeat("a", 64<<20)) })

func TestSocketMemoryIsBounded(t *testing.T) {
	b := bomb()
	t.Logf("the bomb has %d bytes", len(b))
	for name, in := range map[string]string{
		"a bomb":                            masked(fin|deflated|textOp, b),
		"an announced megabyte, never sent": string(header(fin|textOp, ocpp.MaxMessage, true)) + "mask" + "a few",
	} {
		synctest.Test(t, func(t *testing.T) {
			tr, s := attach(t, ocpp.UpgradeOptions{Compression: true})
			before := allocated()
			ended := deliver(tr)
			s.send(in)
			if _, _, err := s.frame(); err != nil {
				t.Error(err)
			}
			if grown := allocated() - before; grown > ocpp.MaxMessage {
				t.Errorf("%s allocated %d bytes; want at most %d", name, grown, ocpp.MaxMessage)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
}

// A compressed message comes out whole, whatever room it needs.
func TestSocketInflates(t *testing.T) {
	for _, size := range []int{4<<10 - 1, 4 << 10, 4<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000, ocpp.MaxMessage} {
		want := string(text(size))
		synctest.Test(t, func(t *testing.T) {
			tr, s := attach(t, ocpp.UpgradeOptions{Compression: true})
			s.send(masked(fin|deflated|textOp, compressed(want)))
			err := tr.Receive(func(msg []byte) error {
				if string(msg) != want {
					t.Errorf("%d bytes came out as %d others", size, len(msg))
				}
				return nil
			})
			if err := errors.Join(err, tr.Close(ocpp.CloseAbnormal, ""), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestSilentPeerIsPingedThenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		start := time.Now()
		ended := deliver(tr)
		for i := range 2 {
			s.wantFrame(fin|pingOp, "")
			if got, want := time.Since(start), time.Duration(i+1)*time.Minute; got != want {
				t.Errorf("ping %d after %v; want %v", i+1, got, want)
			}
		}
		wantClose(t, <-ended, ocpp.CloseAbnormal, "no answer to pings")
		if got := time.Since(start); got != 3*time.Minute {
			t.Errorf("dead after %v; want 3m", got)
		}
	})
}

func TestPeerThatAnswersPingsLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		start := time.Now()
		ended := deliver(tr)
		for range 60 {
			s.wantFrame(fin|pingOp, "")
			s.send(masked(fin|pongOp, ""))
		}
		if got := time.Since(start); got != time.Hour {
			t.Errorf("60 pings in %v; want 1h", got)
		}
		s.send(masked(fin|textOp, "still here"))
		s.wantFrame(fin|textOp, "still here")
		s.send(masked(fin|closeOp, "\x03\xe8"))
		s.wantFrame(fin|closeOp, "\x03\xe8")
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

func TestPeerThatTalksIsNotPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		for range 60 {
			pass(59 * time.Second)
			s.send(masked(fin|textOp, "x"))
			s.wantFrame(fin|textOp, "x")
		}
		s.send(masked(fin|closeOp, "\x03\xe8"))
		s.wantFrame(fin|closeOp, "\x03\xe8")
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

func TestPingsCanBeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Ping: -1}})
		ended := deliver(tr)
		pass(24 * time.Hour)
		s.send(masked(fin|textOp, "x"))
		s.wantFrame(fin|textOp, "x")
		s.send(masked(fin|closeOp, "\x03\xe8"))
		s.wantFrame(fin|closeOp, "\x03\xe8")
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

func TestHalfSentFrameTimesOut(t *testing.T) {
	whole := masked(fin|textOp, strings.Repeat("x", 200))
	for name, part := range map[string]string{
		"one byte":             whole[:1],
		"half a header":        whole[:3],
		"half a payload":       whole[:100],
		"all but a byte":       whole[:len(whole)-1],
		"a fragment":           masked(textOp, "abc"),
		"a fragment and pings": masked(textOp, "abc") + masked(fin|pongOp, ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{})
				ended := deliver(tr)
				pass(50 * time.Second) // so that a ping is nearer than the timeout
				start := time.Now()
				s.send(part)
				s.wantClosing(ocpp.ClosePolicy)
				if got := time.Since(start); got != 30*time.Second {
					t.Errorf("timed out after %v; want 30s", got)
				}
				s.finish(ocpp.ClosePolicy)
				wantClose(t, <-ended, ocpp.ClosePolicy, "not finished in time")
			})
		})
	}
}

func TestByteAMinuteTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		start := time.Now()
		ended := deliver(tr)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, b := range []byte(masked(fin|textOp, strings.Repeat("x", 20))) {
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
				pass(time.Minute)
			}
		})
		s.wantClosing(ocpp.ClosePolicy)
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("timed out after %v; want 30s", got)
		}
		wantClose(t, <-ended, ocpp.ClosePolicy, "")
		wg.Wait()
	})
}

// 200 kB over a line of 16 kbit/s take 100 s: a long StopTransaction must get
// through all the same.
func TestSlowStationGetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		got := make(chan int, 1)
		ended := make(chan error, 1)
		go func() {
			for {
				err := tr.Receive(func(msg []byte) error { got <- len(msg); return nil })
				if err != nil {
					ended <- err
					return
				}
			}
		}()
		for part := masked(fin|textOp, strings.Repeat("x", 200_000)); part != ""; {
			n := min(2000, len(part))
			if _, err := io.WriteString(s, part[:n]); err != nil {
				t.Fatal(err)
			}
			part = part[n:]
			pass(time.Second)
		}
		if n := <-got; n != 200_000 {
			t.Errorf("got %d bytes; want 200000", n)
		}
		s.wantFrame(fin|pingOp, "") // quiet again
		s.send(masked(fin|closeOp, "\x03\xe8"))
		s.wantFrame(fin|closeOp, "\x03\xe8")
		wantClose(t, <-ended, ocpp.CloseNormal, "")
	})
}

func TestPeerThatStopsReadingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		start := time.Now()
		wantClose(t, tr.Send([]byte("nobody reads this")), ocpp.CloseAbnormal, "timeout")
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("given up after %v; want 10s", got)
		}
		wantClose(t, <-ended, ocpp.CloseAbnormal, "timeout")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseOfSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		start := time.Now()
		if err := tr.Close(ocpp.CloseRestart, "the peer does not hear this"); err == nil {
			t.Error("the peer heard what it never read")
		}
		wantClose(t, <-ended, ocpp.CloseRestart, "")
		if got := time.Since(start); got != ocpp.CloseTimeout {
			t.Errorf("closed after %v; want %v", got, ocpp.CloseTimeout)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What the peer sent before it knew of the close is not delivered.
func TestNothingIsDeliveredAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := attach(t, ocpp.UpgradeOptions{})
		ended := deliver(tr)
		closed := make(chan error, 1)
		go func() { closed <- tr.Close(ocpp.CloseRestart, "update") }()
		s.wantFrame(fin|closeOp, "\x03\xf4update")
		s.send(masked(textOp, "a") + masked(fin, "b") + masked(fin|textOp, "late") + masked(fin|pingOp, "") + masked(fin|closeOp, "\x03\xf4"))
		wantClose(t, <-ended, ocpp.CloseRestart, "update")
		if _, _, err := s.frame(); err != io.EOF {
			t.Errorf("after the close: %v; want EOF", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Long messages are compressed where that helps and the peer has the window.
func TestSocketCompresses(t *testing.T) {
	noise := string(text(1 << 12))
	for _, c := range []struct {
		name, offer, msg string
		compressed       bool
	}{
		{"long", "permessage-deflate", strings.Repeat("a", 5000), true},
		{"short", "permessage-deflate", strings.Repeat("a", 500), false},
		{"not negotiated", "", strings.Repeat("a", 5000), false},
		{"fits the window", "permessage-deflate; server_max_window_bits=12", strings.Repeat("a", 4096), true},
		{"beyond the window", "permessage-deflate; server_max_window_bits=12", strings.Repeat("a", 4097), false},
		{"another after it", "permessage-deflate", noise[:2000] + noise, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attachWith(t, ocpp.UpgradeOptions{Compression: true}, c.offer)
				ended := deliver(tr)
				s.send(masked(fin|textOp, c.msg))
				first, payload, err := s.frame()
				if err != nil {
					t.Fatal(err)
				}
				if got := first == fin|deflated|textOp; got != c.compressed {
					t.Errorf("first byte %#x, compressed %v; want %v", first, got, c.compressed)
				}
				if c.compressed {
					payload = inflated(t, payload)
				}
				if string(payload) != c.msg {
					t.Errorf("%d bytes came back as %d others", len(c.msg), len(payload))
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				wantClose(t, <-ended, ocpp.CloseAbnormal, "EOF")
			})
		})
	}
}

// inflated is the reverse of compressed.
func inflated(t *testing.T, p []byte) []byte {
	t.Helper()
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	out, err := io.ReadAll(flate.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func FuzzSocket(f *testing.F) {
	f.Add([]byte(masked(textOp, "ab") + masked(fin|pingOp, "x") + masked(fin, "c")))
	f.Add([]byte(masked(fin|deflated|textOp, compressed("hello hello hello"))))
	f.Add([]byte(masked(fin|closeOp, "\x03\xe8bye")))
	f.Add(header(fin|textOp, 1<<60, true))
	f.Add([]byte(masked(fin|binaryOp, "abc") + masked(fin|textOp, "\xff")))
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			tr, s := attach(t, ocpp.UpgradeOptions{Compression: true})
			ended := deliver(tr)
			go func() { _, _ = io.Copy(io.Discard, s.in) }()
			if _, err := s.Write(data); err == nil {
				_ = s.Close() // the server may have been quicker
			}
			if err := <-ended; err == nil {
				t.Error("ended without a reason")
			}
			_ = s.Close()
		})
	})
}
