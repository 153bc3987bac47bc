package ocpp

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// MaxMessage is the size of the largest message that is received, in bytes
// and after decompression. A larger one closes the connection with
// [CloseTooBig].
const MaxMessage = 1 << 20

// CloseTimeout is how long the other end may take to agree to a close.
const CloseTimeout = 2 * time.Second

// A Transport carries whole text messages between two ends: a WebSocket, or
// [Pipe] in memory.
type Transport interface {
	// Receive waits for the next message and calls f with it; it returns what
	// f returns. The message is valid only while f runs. An error that is not
	// f's means that the connection has ended: a [*CloseError] if one of the
	// ends closed it. After Close, f is not called any more and Receive returns
	// as soon as the other end has agreed, or within [CloseTimeout].
	//
	// One goroutine at a time may be in Receive. While it waits it holds no
	// buffer, so that an idle connection costs little.
	Receive(f func(msg []byte) error) error

	// Send sends one message. Any number of goroutines may send. An error
	// wraps [ErrClosed] and means that the connection has ended; a peer that
	// does not read is given up after a while.
	Send(msg []byte) error

	// Close tells the other end that and why the connection ends. The first
	// Close counts, later ones do nothing. It takes no longer than
	// [CloseTimeout], after which the connection is closed by force.
	Close(code CloseCode, reason string) error
}

// A CloseCode says why a WebSocket was closed (RFC 6455 §7.4.1 and the IANA
// registry).
type CloseCode uint16

// The close codes that are in use here.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseProtocol    CloseCode = 1002 // not WebSocket
	CloseUnsupported CloseCode = 1003 // a binary message
	CloseNoStatus    CloseCode = 1005 // never sent: the peer gave no code
	CloseAbnormal    CloseCode = 1006 // never sent: there was no close frame
	CloseInvalidText CloseCode = 1007 // not UTF-8
	ClosePolicy      CloseCode = 1008 // too many broken frames, or too slow
	CloseTooBig      CloseCode = 1009
	CloseInternal    CloseCode = 1011
	CloseRestart     CloseCode = 1012
	CloseTryLater    CloseCode = 1013 // storage trouble
)

// ErrClosed says that the connection has ended.
var ErrClosed = errors.New("connection closed")

// A CloseError says with which code a connection was closed, by either end.
// It is an [ErrClosed].
type CloseError struct {
	Code   CloseCode
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("%v with %d %q", ErrClosed, e.Code, e.Reason)
}

// Unwrap returns [ErrClosed].
func (e *CloseError) Unwrap() error { return ErrClosed }

const (
	bufferSize  = 4 << 10  // most messages are far smaller
	largeBuffer = 64 << 10 // what is larger is left to the garbage collector
)

// A buffer is room for a message, lent to a connection only while bytes are on
// their way.
type buffer struct {
	b      []byte
	header [ws.MaxHeaderSize]byte // room to read or write a header in
}

// buffers is shared by all connections, most of which are idle.
var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, bufferSize)} }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// Write appends p to b and cannot fail.
func (b *buffer) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *buffer) free() {
	if cap(b.b) > largeBuffer {
		return
	}
	b.b = b.b[:0]
	buffers.Put(b)
}
