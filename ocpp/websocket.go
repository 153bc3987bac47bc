package ocpp

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Timeouts are how long a WebSocket waits; zero means the default.
type Timeouts struct {
	// Ping is how long nothing may arrive before a ping is sent, and how long a
	// pong may take (60 s). After two missed pongs the peer counts as dead.
	// Below zero there are no pings.
	Ping time.Duration
	// Frame is how long the rest of a message may take once it has begun
	// (30 s). Every KiB that arrives adds a second, so that an honest station
	// on a slow line gets a long message through.
	Frame time.Duration
	// Write is how long a peer may not read before it is given up (10 s).
	Write time.Duration
	// Pace is how much time each 512 bytes, once decompressed, and each WebSocket
	// frame of the peer take on average (a 3,000th of a second). A peer that sends
	// faster is not refused but read no faster, so that it takes nothing from
	// others. One that waits for its answers hardly notices. Below zero there is
	// no such limit.
	Pace time.Duration
}

func (t Timeouts) orDefaults() Timeouts {
	return Timeouts{
		Ping:  cmp.Or(t.Ping, time.Minute),
		Frame: cmp.Or(t.Frame, 30*time.Second),
		Write: cmp.Or(t.Write, 10*time.Second),
		Pace:  cmp.Or(t.Pace, time.Second/3000),
	}
}

const (
	// missedPongs is how many pings in a row may go unanswered.
	missedPongs = 2
	// handshakeTimeout bounds the opening handshake, but for the request that
	// a server waits for, which is the business of its http.Server.
	handshakeTimeout = 10 * time.Second
	// maxReason is how much text fits a close frame beside its code.
	maxReason = ws.MaxControlFramePayloadSize - 2
)

// A socket is a WebSocket (RFC 6455) after the handshake, of either side.
//
// It owns a buffer only while bytes are on their way: a socket that waits is
// this struct and the stack of the goroutine in Receive.
type socket struct {
	conn    net.Conn
	raw     rawSocket
	timeout Timeouts
	client  bool
	deflate bool // permessage-deflate was negotiated
	window  int  // the longest message that the peer can inflate

	closed  atomic.Pointer[CloseError]    // why it ended, once it did; set by end
	stuck   atomic.Bool                   // Close of conn would wait for the goroutine in stream
	gone    atomic.Bool                   // cut was called
	written atomic.Uint32                 // frames of ours
	resting atomic.Pointer[chan struct{}] // closed by end; nil unless Receive is in rest
	write   sync.Mutex

	input
}

// newSocket returns a socket over conn; early is what was read from it already.
func newSocket(conn net.Conn, early []byte, client bool, t Timeouts) *socket {
	s := &socket{conn: conn, timeout: t.orDefaults(), client: client}
	s.raw.of(conn)
	s.heard = time.Now()
	if len(early) > 0 {
		s.buf = newBuffer()
		s.buf.b = append(s.buf.b, early...)
	}
	s.expectPing()
	return s
}

// Receive implements Transport.
func (s *socket) Receive(f func(msg []byte) error) error {
	var m message
	defer func() {
		m.free()
		s.release()
	}()
	for {
		done, err := s.step(&m)
		if err != nil {
			return s.lost(err)
		}
		if done && s.closed.Load() == nil {
			return f(m.whole)
		}
		if done {
			m.free() // nobody waits for what the peer sent before it knew
		}
	}
}

// step reads one WebSocket frame. It returns true when m is complete.
func (s *socket) step(m *message) (done bool, err error) {
	s.rest()
	h, err := s.header(m)
	if err != nil {
		return false, err
	}
	if h.OpCode.IsControl() {
		err = s.control(h)
	} else {
		done, err = s.data(m, h)
	}
	if err == nil && !m.open {
		s.settle()
	}
	cost := h.Length
	if m.inflated != nil {
		cost = max(cost, int64(len(m.inflated.b))) // work begins when it is whole
	}
	s.spend(cost)
	return done, err
}

// Send implements Transport.
func (s *socket) Send(msg []byte) error {
	if s.deflate && len(msg) >= compressFrom && len(msg) <= s.window {
		z := newBuffer()
		defer z.free()
		if compress(z, msg); len(z.b) < len(msg) {
			return s.writeFrame(ws.Header{Fin: true, OpCode: ws.OpText, Rsv: rsvDeflate}, z.b)
		}
	}
	return s.writeFrame(ws.Header{Fin: true, OpCode: ws.OpText}, msg)
}

// Close implements Transport.
func (s *socket) Close(code CloseCode, reason string) error {
	if !s.end(&CloseError{code, reason}) {
		return nil
	}
	if code == CloseAbnormal {
		return s.cut()
	}
	time.AfterFunc(CloseTimeout, func() {
		_ = s.cut() // the peer is given up, and closed it may be already
	})
	return s.sendClose(code, reason)
}

func (s *socket) sendClose(code CloseCode, reason string) error {
	var body []byte
	if code != CloseNoStatus {
		reason = strings.ToValidUTF8(reason, "\uFFFD")
		for len(reason) > maxReason {
			_, size := utf8.DecodeLastRuneInString(reason)
			reason = reason[:len(reason)-size]
		}
		body = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	return s.writeFrame(ws.Header{Fin: true, OpCode: ws.OpClose}, body)
}

// lost ends the socket after Receive met err: what was read cannot be trusted,
// or nothing more comes.
func (s *socket) lost(err error) error {
	if ce, ok := errors.AsType[*CloseError](err); ok {
		_ = s.Close(ce.Code, ce.Reason)
		s.linger()
	}
	s.abort(err)
	return s.closed.Load()
}

// linger says that nothing more will come and reads what the peer still sends
// until it closes. A socket closed with bytes unread resets the connection, and
// the peer never learns why.
func (s *socket) linger() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the close frame has said it already
	}
	if s.buf == nil {
		s.buf = newBuffer()
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(CloseTimeout))
	for {
		if _, err := s.conn.Read(s.buf.b[:cap(s.buf.b)]); err != nil {
			return
		}
	}
}

// end keeps why the socket ends, and returns true if nothing had ended it before.
func (s *socket) end(why *CloseError) bool {
	if !s.closed.CompareAndSwap(nil, why) {
		return false
	}
	if woken := s.resting.Swap(nil); woken != nil {
		close(*woken)
	}
	return true
}

// abort ends the socket without a word to the peer.
func (s *socket) abort(err error) {
	s.end(&CloseError{CloseAbnormal, err.Error()})
	_ = s.cut() // it may be closed already
}

// cut closes the connection by force.
func (s *socket) cut() error {
	s.gone.Store(true)
	if s.stuck.Load() {
		return s.raw.shutdown() // stream, which it wakes, does the rest
	}
	return s.conn.Close()
}

// writeFrame sends one WebSocket frame with one write. The peer has not read
// for too long if that fails.
func (s *socket) writeFrame(h ws.Header, payload []byte) error {
	b := newBuffer()
	defer b.free()
	h.Length = int64(len(payload))
	if h.Masked = s.client; h.Masked {
		// RFC 6455 §5.3 wants the masks unpredictable; this generator is.
		n := rand.Uint32()
		h.Mask = [4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	}
	if err := ws.WriteHeaderBuffer(b, h, b.header[:]); err != nil {
		return err
	}
	start := len(b.b)
	b.b = append(b.b, payload...)
	if h.Masked {
		ws.Cipher(b.b[start:], h.Mask, 0)
	}

	s.write.Lock()
	defer s.write.Unlock()
	if ce := s.closed.Load(); ce != nil && h.OpCode != ws.OpClose {
		return ce
	}
	if err := s.output(b.b); err != nil {
		s.abort(err)
		return s.closed.Load()
	}
	s.written.Add(1)
	return nil
}

// output writes p. Only if the peer is slow does it set a deadline.
func (s *socket) output(p []byte) error {
	n, err := s.raw.write(p)
	if err != nil || n == len(p) {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout.Write)); err != nil {
		return err
	}
	if _, err := s.conn.Write(p[n:]); err != nil {
		return err
	}
	_ = s.conn.SetWriteDeadline(time.Time{}) // p is written, whatever comes next
	return nil
}

// control treats a ping, a pong or a close.
func (s *socket) control(h ws.Header) error {
	p, err := s.payload(h)
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		if s.closed.Load() == nil {
			return s.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPong}, p)
		}
	case ws.OpClose:
		return s.closedByPeer(p)
	}
	return nil // a pong has proved by arriving what it can
}

// closedByPeer answers a close frame, unless it is itself the answer to ours,
// and ends the socket (RFC 6455 §5.5.1).
func (s *socket) closedByPeer(p []byte) error {
	ce := &CloseError{Code: CloseNoStatus}
	if len(p) > 0 {
		code, reason := ws.ParseCloseFrameData(p)
		if !validCode(CloseCode(code)) {
			return &CloseError{CloseProtocol, "invalid close code"}
		}
		if !utf8.ValidString(reason) {
			return &CloseError{CloseInvalidText, "close reason is not UTF-8"}
		}
		ce = &CloseError{CloseCode(code), reason}
	}
	if s.end(ce) {
		if err := s.sendClose(ce.Code, ""); err != nil {
			return err
		}
	}
	return errPeerClosed
}

// errPeerClosed ends Receive after the close handshake.
var errPeerClosed = errors.New("close handshake done")

// validCode reports whether a peer may send c (RFC 6455 §7.4 and the IANA
// registry).
func validCode(c CloseCode) bool {
	switch c {
	case 1004, CloseNoStatus, CloseAbnormal:
		return false
	}
	return c >= 1000 && c <= 1014 || c >= 3000 && c <= 4999
}

// overdue is called when the read deadline passed: the peer has to be pinged,
// or is dead, or has begun a message and not finished it.
func (s *socket) overdue() error {
	if !s.begun.IsZero() {
		return &CloseError{ClosePolicy, "message not finished in time"}
	}
	if time.Since(s.heard) < s.timeout.Ping {
		s.expectPing()
		return nil
	}
	if s.unanswered == missedPongs {
		return errors.New("no answer to pings")
	}
	s.unanswered++
	s.wake(time.Now().Add(s.timeout.Ping))
	if s.closed.Load() != nil {
		return nil // Close gives it up in time
	}
	return s.writeFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, nil)
}

// expectPing sets the read deadline for a peer that is quiet between messages.
func (s *socket) expectPing() {
	if s.timeout.Ping < 0 {
		s.wake(time.Time{})
		return
	}
	s.wake(s.heard.Add(s.timeout.Ping))
}

// wake sets the read deadline. It fails only when the connection is closed, as
// the next read will tell.
func (s *socket) wake(at time.Time) { _ = s.conn.SetReadDeadline(at) }

// isTimeout reports whether a read ended because of its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// A rawSocket reads and writes a TCP connection in one system call each,
// waiting for bytes without a buffer to put them. Its zero value says that the
// connection is of another kind, such as TLS.
type rawSocket struct {
	sys syscall.RawConn
}

func (r *rawSocket) of(conn net.Conn) {
	// Only this very type: one that wraps it may count or change the bytes.
	if tcp, ok := conn.(*net.TCPConn); ok && rawSupported {
		if sys, err := tcp.SyscallConn(); err == nil {
			r.sys = sys
		}
	}
}
