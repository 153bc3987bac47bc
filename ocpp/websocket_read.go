package ocpp

import (
	"encoding/binary"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// The bits of ws.Header.Rsv (RFC 6455 §5.2, RFC 7692 §6).
const (
	rsvDeflate = 0b100 // the message is compressed
	rsvUnknown = 0b011
)

// input is the reading half of a socket, owned by the goroutine in Receive.
type input struct {
	buf        *buffer // bytes that arrived; nil while there are none
	pos        int     // how many of them are consumed
	first      [1]byte // takes the first byte where nothing else can wait for it
	heard      time.Time
	streak     int       // how often it heard something without a pause of note; see stream
	unanswered int       // pings since anything was heard
	begun      time.Time // when the message began that is late, else zero
	arrived    int       // bytes since then
	paid       time.Time // until when the peer has used up its pace
}

// A message is what Receive puts together.
type message struct {
	whole      []byte  // the complete message
	parts      *buffer // what arrived of a fragmented one
	inflated   *buffer
	open       bool // fragments are missing
	compressed bool
}

func (m *message) free() {
	for _, b := range []*buffer{m.parts, m.inflated} {
		if b != nil {
			b.free()
		}
	}
	*m = message{}
}

// header reads and checks the header of the next frame.
func (s *socket) header(m *message) (ws.Header, error) {
	if !m.open && s.have() == 0 {
		if err := s.idle(); err != nil {
			return ws.Header{}, err
		}
	}
	if err := s.need(ws.MinHeaderSize); err != nil {
		return ws.Header{}, err
	}
	if err := s.need(headerSize(s.unread()[1])); err != nil {
		return ws.Header{}, err
	}
	h, size, err := parseHeader(s.unread())
	if err != nil {
		return h, err
	}
	s.pos += size
	return h, s.check(h, m)
}

// parseHeader reads the header that p begins with, and returns how long it is.
func parseHeader(p []byte) (h ws.Header, size int, err error) {
	h = ws.Header{
		Fin: p[0]&0x80 != 0, Rsv: p[0] >> 4 & 0b111, OpCode: ws.OpCode(p[0] & 0x0f),
		Masked: p[1]&0x80 != 0, Length: int64(p[1] & 0x7f),
	}
	size = ws.MinHeaderSize
	switch h.Length {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(p[size:]))
		size += 2
	case 127:
		n := binary.BigEndian.Uint64(p[size:])
		if n > math.MaxInt64 {
			return h, size, &CloseError{CloseProtocol, "the length of a frame is negative"}
		}
		h.Length = int64(n)
		size += 8
	}
	if h.Masked {
		size += copy(h.Mask[:], p[size:])
	}
	return h, size, nil
}

// headerSize returns how long a header is whose second byte is b.
func headerSize(b byte) int {
	n := ws.MinHeaderSize
	if b&0x80 != 0 {
		n += 4
	}
	switch b & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	return n
}

// check returns how a header breaks the protocol, or what it announces that is
// not taken. Nothing of the payload has been read then.
func (s *socket) check(h ws.Header, m *message) error {
	state := ws.StateExtended // reserved bits are checked below
	if s.client {
		state = state.Set(ws.StateClientSide)
	} else {
		state = state.Set(ws.StateServerSide)
	}
	if m.open {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return &CloseError{CloseProtocol, err.Error()}
	}
	begins := h.OpCode == ws.OpText || h.OpCode == ws.OpBinary
	if h.Rsv&rsvUnknown != 0 || h.Rsv != 0 && !(s.deflate && begins) {
		return &CloseError{CloseProtocol, "reserved bits are set"}
	}
	switch {
	case h.OpCode == ws.OpBinary:
		return &CloseError{CloseUnsupported, "binary messages are not OCPP"}
	case h.OpCode.IsControl():
		return nil // short, and no part of the message that it may stand within
	}
	limit := int64(MaxMessage)
	if h.Rsv&rsvDeflate != 0 || m.compressed {
		limit += incompressible
	}
	if m.parts != nil {
		limit -= int64(len(m.parts.b))
	}
	if h.Length > limit {
		return errTooBig
	}
	return nil
}

// errTooBig closes a socket whose peer sends too much.
var errTooBig = &CloseError{CloseTooBig, "message is over 1 MiB"}

// data reads the payload of a frame into m. It returns true when m is complete.
// The usual message, one frame, is not copied.
func (s *socket) data(m *message, h ws.Header) (done bool, err error) {
	p, err := s.payload(h)
	if err != nil {
		return false, err
	}
	if h.OpCode == ws.OpText {
		m.compressed = h.Rsv&rsvDeflate != 0
	}
	m.open = !h.Fin
	if m.parts == nil && m.open {
		m.parts = newBuffer()
	}
	m.whole = p
	if m.parts != nil {
		m.parts.b = append(m.parts.b, p...)
		m.whole = m.parts.b
	}
	if m.open {
		return false, nil
	}
	if m.compressed {
		m.inflated = newBuffer()
		if err := inflate(m.inflated, m.whole); err != nil {
			return false, err
		}
		m.whole = m.inflated.b
	}
	if !utf8.Valid(m.whole) {
		return false, &CloseError{CloseInvalidText, "message is not UTF-8"}
	}
	return true, nil
}

// payload reads the payload of a frame. It is valid until the next read.
func (s *socket) payload(h ws.Header) ([]byte, error) {
	n := int(h.Length)
	if err := s.need(n); err != nil {
		return nil, err
	}
	p := s.unread()[:n]
	s.pos += n
	if h.Masked {
		ws.Cipher(p, h.Mask, 0)
	}
	return p, nil
}

func (s *socket) have() int {
	if s.buf == nil {
		return 0
	}
	return len(s.buf.b) - s.pos
}

func (s *socket) unread() []byte {
	if s.buf == nil {
		return nil
	}
	return s.buf.b[s.pos:]
}

// release gives the buffer back if nothing in it is waiting.
func (s *socket) release() {
	if s.buf != nil && s.have() == 0 {
		s.buf.free()
		s.buf, s.pos = nil, 0
	}
}

// idle waits, holding no buffer, until the peer sends something.
func (s *socket) idle() error {
	s.release()
	for s.have() == 0 {
		if err := s.fill(); err != nil {
			return err
		}
	}
	return nil
}

// need reads until n bytes are there, which the peer has begun to send.
func (s *socket) need(n int) error {
	for s.have() < n {
		s.hurry()
		s.makeRoom(n)
		if err := s.fill(); err != nil {
			return err
		}
	}
	return nil
}

// hurry sets the read deadline for the rest of a message.
func (s *socket) hurry() {
	if s.begun.IsZero() {
		s.begun, s.arrived = time.Now(), 0
	}
	extra := time.Duration(min(s.arrived, MaxMessage)>>10) * time.Second
	s.wake(s.begun.Add(s.timeout.Frame + extra))
}

// settle ends what hurry began: a message has come to its end.
func (s *socket) settle() {
	if !s.begun.IsZero() {
		s.begun = time.Time{}
		s.expectPing()
	}
}

// makeRoom makes room in the buffer for at least one of the n bytes that are
// needed. It at most doubles a buffer that is full: a length that the peer only
// announced costs nothing.
func (s *socket) makeRoom(n int) {
	if s.buf == nil {
		s.buf, s.pos = newBuffer(), 0
	}
	b := s.buf.b
	if len(b) < cap(b) && s.pos+n <= cap(b) {
		return
	}
	if s.pos > 0 {
		b = b[:copy(b, b[s.pos:])]
		s.pos = 0
	}
	if len(b) == cap(b) {
		b = append(make([]byte, 0, min(2*cap(b), max(n, bufferSize))), b...)
	}
	s.buf.b = b
}

// fill reads once, however much there is. A deadline that passed is no error as
// long as the peer may live.
func (s *socket) fill() error {
	n, err := s.readSome()
	if n > 0 {
		s.heard, s.unanswered = time.Now(), 0
		s.arrived += n
		return nil
	}
	if isTimeout(err) {
		return s.overdue()
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readSome appends what it reads to the buffer.
func (s *socket) readSome() (int, error) {
	if s.raw.sys != nil {
		return s.readRaw()
	}
	if s.buf != nil {
		b := s.buf.b
		n, err := s.conn.Read(b[len(b):cap(b)])
		s.buf.b = b[:len(b)+n]
		return n, err
	}
	n, err := s.conn.Read(s.first[:])
	if n > 0 {
		s.buf, s.pos = newBuffer(), 0
		s.buf.b = append(s.buf.b, s.first[0])
	}
	return n, err
}
