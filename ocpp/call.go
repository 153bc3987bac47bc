package ocpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// MaxQueuedCalls is how many calls of ours may wait on a connection while
// another one is open.
const MaxQueuedCalls = 64

// The errors of Call and CallRaw, beside the [*Error] that the peer answered,
// [ErrClosed] and that of the context.
var (
	// ErrQueueFull says that too many calls wait already.
	ErrQueueFull = errors.New("too many calls are waiting")
	// ErrNotSent says that the call never left, so that the peer cannot have
	// acted on it. Without it a call that failed may have had its effect.
	ErrNotSent = errors.New("not sent")
)

// calls are the calls of ours on one connection, in the order of their turns;
// the first one is open.
type calls struct {
	queue  []*call
	last   uint64 // the number of the youngest
	closed bool
}

// A call is one that waits for its turn, then for its answer.
type call struct {
	id   string
	turn chan struct{} // closed when it may be sent
	done chan result   // holds the one answer
	open bool          // it was sent and is not answered
}

// A result is how a call ended: with a payload, with a CALLERROR, or with
// why there is no answer.
type result struct {
	payload string
	err     *Error
	lost    error
}

// Call sends req and reads the answer into res. It returns
//   - the [*Error] with which the peer answered, as it is;
//   - an error that wraps an [*Error] when the answer lacks something that its
//     schema requires, or when req breaks its own and is not sent;
//   - [ErrQueueFull], [ErrClosed] when the connection ended, or the error of
//     ctx, wrapped.
//
// The error wraps [ErrNotSent] too when the call did not leave. A call whose
// ctx is done frees its turn, and its late answer is ignored.
func (c *Conn) Call(ctx context.Context, req Request, res Response) error {
	var v Violations
	if own, ok := req.(Checker); ok {
		own.Check(&v)
		if err := v.Err(); err != nil {
			return fmt.Errorf("%s: %w: %w", req.Action(), ErrNotSent, err)
		}
	}
	payload, err := c.Exchange(ctx, Outgoing{Action: req.Action(), Message: req})
	if err != nil {
		return err
	}
	return ReadAnswer(req.Action(), payload, res)
}

// CallRaw sends a payload that is JSON already and returns the payload of the
// answer unread. Its errors are those of Call.
func (c *Conn) CallRaw(ctx context.Context, action string, payload []byte) ([]byte, error) {
	answer, err := c.Exchange(ctx, Outgoing{Action: action, Message: Raw(payload)})
	if err != nil {
		return nil, err
	}
	return []byte(answer), nil
}

// ReadAnswer reads the payload of an answer to a call of that action, or says
// in an error that wraps an [*Error] what its schema misses.
func ReadAnswer(action, payload string, res Response) error {
	var v Violations
	if err := res.Decode(payload, &v); err != nil {
		return fmt.Errorf("answer to %s: %w", action, err)
	}
	for _, x := range v.List {
		if !x.Kept {
			return fmt.Errorf("answer to %s: %w", action, x.Err())
		}
	}
	return nil
}

// An Outgoing is a call of ours, and who wants to know how it goes. Its hooks
// run while it is open, the goroutine of the caller being busy with them: no
// other call of ours leaves meanwhile.
type Outgoing struct {
	Action  string
	Message Message
	// Sent, if not nil, is called once the call has left.
	Sent func()
	// Answered, if not nil, is called with the payload of a CALLRESULT.
	Answered func(payload string)
}

// Exchange sends a call as it is and returns the payload of the answer unread.
// Its errors are those of Call.
func (c *Conn) Exchange(ctx context.Context, o Outgoing) (string, error) {
	p, err := c.enqueue()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", o.Action, ErrNotSent, err)
	}
	defer c.leave(p)
	if err := c.await(ctx, p); err != nil {
		return "", fmt.Errorf("%s: %w: %w", o.Action, ErrNotSent, err)
	}
	if err := c.sendCall(ctx, p.id, o.Action, o.Message); err != nil {
		return "", fmt.Errorf("%s: %w", o.Action, err)
	}
	if o.Sent != nil {
		o.Sent()
	}
	answer, err := c.awaitAnswer(ctx, p, o.Action)
	if err == nil && o.Answered != nil {
		o.Answered(answer)
	}
	return answer, err
}

func (c *Conn) awaitAnswer(ctx context.Context, p *call, action string) (string, error) {
	select {
	case r := <-p.done:
		return r.read(action)
	case <-ctx.Done():
	}
	select {
	case r := <-p.done: // both happened: what the peer said counts
		return r.read(action)
	default:
		c.count.TimedOut.Add(1)
		return "", fmt.Errorf("%s: %w", action, ctx.Err())
	}
}

func (r result) read(action string) (string, error) {
	if r.err != nil {
		return "", r.err
	}
	if r.lost != nil {
		return "", fmt.Errorf("answer to %s: %w", action, r.lost)
	}
	return r.payload, nil
}

func (c *Conn) sendCall(ctx context.Context, id, action string, m Message) error {
	b := newBuffer()
	defer b.free()
	b.b = AppendCall(b.b, id, action, m)
	return c.send(ctx, Frame{Type: Call, ID: id, Action: action}, b.b)
}

// enqueue gives a call its place and, if it is the first, its turn.
func (c *Conn) enqueue() (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls.closed {
		return nil, ErrClosed
	}
	if len(c.calls.queue) > MaxQueuedCalls {
		return nil, ErrQueueFull
	}
	c.calls.last++
	p := &call{
		id:   c.opt.IDPrefix + strconv.FormatUint(c.calls.last, 10),
		turn: make(chan struct{}),
		done: make(chan result, 1),
	}
	c.calls.queue = append(c.calls.queue, p)
	if len(c.calls.queue) == 1 {
		close(p.turn)
	}
	return p, nil
}

// await waits for p's turn and takes it, unless the connection or ctx ends
// first.
func (c *Conn) await(ctx context.Context, p *call) error {
	select {
	case <-p.turn:
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls.closed {
		return ErrClosed
	}
	p.open = true
	return nil
}

// leave gives up p's place and gives the next call its turn.
func (c *Conn) leave(p *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.calls.queue, p)
	c.calls.queue = slices.Delete(c.calls.queue, i, i+1)
	if i == 0 && len(c.calls.queue) > 0 {
		close(c.calls.queue[0].turn)
	}
}

// deliver hands a result to the open call of that id. It returns false if
// there is none, or if it has its answer already.
func (c *Conn) deliver(id string, r result) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls.queue) == 0 {
		return false
	}
	p := c.calls.queue[0]
	if !p.open || p.id != id {
		return false
	}
	p.open = false
	p.done <- r
	return true
}

// failCalls ends all calls, now and from now on.
func (c *Conn) failCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls.closed = true
	for i, p := range c.calls.queue {
		if i > 0 || p.open {
			p.open = false
			p.done <- result{lost: ErrClosed}
		}
	}
}
