package ocpp

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
)

// maxBroken is how many broken frames in a row a peer may send.
const maxBroken = 20

// A Handler answers one CALL of the peer.
//
// It must not Call on the same connection: the answer would be read by the
// goroutine that runs the handler. What it wants to ask the peer belongs into
// Then, on a goroutine of its own.
type Handler func(ctx context.Context, f Frame) Reply

// A Reply is what a Handler answers.
type Reply struct {
	// Message is the payload of the CALLRESULT, unless Err is set.
	Message Message
	// Err makes the answer a CALLERROR: with the code and description of the
	// [*Error] that it wraps, otherwise [InternalError] without a word of what
	// happened. When it wraps a [*CloseError], no answer leaves and the
	// connection is closed with its code.
	Err error
	// Then, if any, is called by Serve once the answer has been written, and
	// not at all if it could not be.
	Then func()
}

// Options are the settings of a Conn; the zero value is ready for use.
type Options struct {
	// Counters, if not nil, counts; connections may share it.
	Counters *Counters
	// IDPrefix begins the message ids of our calls, before a number that counts
	// from 1; it has at most 16 characters. Empty means a random one for each
	// connection, so that an answer which outlived its connection fits no call
	// of the next.
	IDPrefix string
	// OnFrame, if not nil, sees every frame that was received, before it is
	// handled, and every frame of ours just before it leaves. ctx is that of Serve,
	// or of whoever calls.
	OnFrame func(ctx context.Context, s Sight)
	// Borrows, if not nil, tells the actions whose calls the Handler has no use for
	// any more once it has returned, not even of parts of their texts: their frames
	// are not copied, and are overwritten then.
	Borrows func(action string) bool
	// OnBroken, if not nil, sees every frame that ParseFrame refused, and what
	// could be read of it. Both are valid only while it runs.
	OnBroken func(f Frame, data []byte, err error)
}

// A Sight is one frame on its way over a connection, for a journal.
type Sight struct {
	Sent  bool
	Frame Frame  // as far as it could be read; of ours only Type, ID and the Action of a Call
	Data  []byte // all of it; valid, as Frame is, only while OnFrame runs
	Err   error  // why ParseFrame refused it
}

// Counters counts what connections do.
type Counters struct {
	FramesIn  atomic.Uint64
	FramesOut atomic.Uint64
	Broken    atomic.Uint64 // frames that were refused as malformed
	Ignored   atomic.Uint64 // unknown message types, answers to no open call
	TimedOut  atomic.Uint64 // calls of ours that were given up after they were sent
}

// A Conn is one OCPP-J connection, the same for both sides of it.
//
// Calls of the peer are handled one at a time, in order, on the goroutine that
// runs Serve. Calls of ours go out one at a time too (OCPP-J 1.6 §4.1.1), from
// any goroutine, while Serve runs. The two directions do not wait for each
// other.
type Conn struct {
	tr     Transport
	opt    Options
	count  *Counters
	broken int // frames in a row, owned by Serve

	mu       sync.Mutex
	handling bool
	draining *CloseError
	calls    calls
}

// NewConn returns a connection over tr. Somebody must Serve it: nobody else
// reads.
func NewConn(tr Transport, o Options) *Conn {
	c := &Conn{tr: tr, opt: o, count: o.Counters}
	if c.count == nil {
		c.count = new(Counters)
	}
	if c.opt.IDPrefix == "" {
		c.opt.IDPrefix = strconv.FormatUint(rand.Uint64(), 36) + "-"
	}
	return c
}

// Serve reads frames until the connection ends or ctx is done, and returns why:
// a [*CloseError] if it was closed by either end. A ctx that is done closes it
// with the code of the CloseError that is its cause, else with
// [CloseGoingAway]. When Serve returns, all calls have failed with [ErrClosed].
func (c *Conn) Serve(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() {
		ce := closing(context.Cause(ctx), CloseGoingAway)
		_ = c.Close(ce.Code, ce.Reason) // Serve returns what ended it
	})
	defer stop()
	err := ReceiveAll(c.tr, func(msg []byte) error { return c.handle(ctx, h, msg) })
	c.end(err)
	return err
}

// Close closes the connection at once; open calls fail.
func (c *Conn) Close(code CloseCode, reason string) error {
	return c.tr.Close(code, reason)
}

// Drain closes the connection as soon as the answer to the call that is being
// handled has left, or at once if there is none.
func (c *Conn) Drain(code CloseCode, reason string) error {
	c.mu.Lock()
	handling := c.handling
	if c.draining == nil {
		c.draining = &CloseError{code, reason}
	}
	c.mu.Unlock()
	if handling {
		return nil
	}
	return c.Close(code, reason)
}

// closing returns with which code to close because of err.
func closing(err error, otherwise CloseCode) *CloseError {
	if ce, ok := errors.AsType[*CloseError](err); ok {
		return ce
	}
	return &CloseError{Code: otherwise}
}

// end closes the transport, whatever ended the connection, and waits for the
// other side to agree. Why it ended is known by now: errors tell nothing more.
func (c *Conn) end(err error) {
	c.failCalls()
	ce := closing(err, CloseInternal)
	_ = c.tr.Close(ce.Code, ce.Reason)
	_ = c.tr.Receive(func([]byte) error { return nil })
}

// handle treats one message. An error of it ends the connection.
func (c *Conn) handle(ctx context.Context, h Handler, msg []byte) error {
	c.count.FramesIn.Add(1)
	f, err := borrowFrame(msg)
	if c.opt.OnFrame != nil {
		c.opt.OnFrame(ctx, Sight{Frame: f, Data: msg, Err: err})
	}
	if err != nil && err != ErrUnknownType {
		return c.refuse(ctx, f, msg, err)
	}
	c.broken = 0
	if f.Type != Call || c.opt.Borrows == nil || !c.opt.Borrows(f.Action) {
		f, err = ParseFrame(msg)
	}
	if err == nil && f.Type == Call {
		return c.answer(ctx, h, f)
	}
	if err != nil || !c.deliver(f.ID, result{payload: f.Payload, err: f.Err}) {
		c.count.Ignored.Add(1)
	}
	return nil
}

// refuse answers a broken frame, which hurts only itself. If it was to answer a
// call of ours, that call need not wait any longer.
func (c *Conn) refuse(ctx context.Context, f Frame, msg []byte, err error) error {
	c.count.Broken.Add(1)
	if c.opt.OnBroken != nil {
		c.opt.OnBroken(f, msg, err)
	}
	if c.broken++; c.broken == maxBroken {
		return &CloseError{ClosePolicy, "too many broken frames in a row"}
	}
	if f.Type == CallResult || f.Type == CallError {
		c.deliver(f.ID, result{lost: err})
	}
	id := f.ID
	if id == "" {
		id = unreadableID
	}
	return c.sendError(ctx, id, err)
}

// answer has h handle f and sends what it answers.
func (c *Conn) answer(ctx context.Context, h Handler, f Frame) error {
	if ce := c.begin(); ce != nil {
		return ce
	}
	r := h(ctx, f)
	err := c.reply(ctx, f.ID, r)
	if err == nil && r.Then != nil {
		r.Then()
	}
	if ce := c.finish(); err == nil && ce != nil {
		return ce
	}
	return err
}

func (c *Conn) begin() *CloseError {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = c.draining == nil
	return c.draining
}

func (c *Conn) finish() *CloseError {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = false
	return c.draining
}

func (c *Conn) reply(ctx context.Context, id string, r Reply) error {
	if ce, ok := errors.AsType[*CloseError](r.Err); ok {
		return ce
	}
	if r.Err != nil || r.Message == nil {
		return c.sendError(ctx, id, r.Err)
	}
	b := newBuffer()
	defer b.free()
	b.b = AppendCallResult(b.b, id, r.Message)
	return c.send(ctx, Frame{Type: CallResult, ID: id}, b.b)
}

// sendError sends a CALLERROR that says of err only what an *Error says.
func (c *Conn) sendError(ctx context.Context, id string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = Errorf(InternalError, "internal error")
	}
	b := newBuffer()
	defer b.free()
	b.b = AppendCallError(b.b, id, e)
	return c.send(ctx, Frame{Type: CallError, ID: id}, b.b)
}

// send sends data, which f tells of. It is seen before it leaves, or the answer
// to it could be seen first.
func (c *Conn) send(ctx context.Context, f Frame, data []byte) error {
	if c.opt.OnFrame != nil {
		c.opt.OnFrame(ctx, Sight{Sent: true, Frame: f, Data: data})
	}
	if err := c.tr.Send(data); err != nil {
		return err
	}
	c.count.FramesOut.Add(1)
	return nil
}
