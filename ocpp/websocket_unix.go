//go:build unix

package ocpp

import (
	"io"
	"sync"
	"syscall"
	"time"
)

const rawSupported = true

// A rawOp is one system call on a file descriptor that does not block.
type rawOp struct {
	socket *socket
	p      []byte
	n      int
	err    error
	// The methods below as values, which would cost an allocation a call.
	read, write func(fd uintptr) bool
}

// rawOps is shared: only a socket that reads or writes needs one.
var rawOps = sync.Pool{New: func() any {
	o := new(rawOp)
	o.read, o.write = o.tryRead, o.tryWrite
	return o
}}

func (o *rawOp) free() {
	o.socket, o.p, o.n, o.err = nil, nil, 0, nil
	rawOps.Put(o)
}

// readRaw waits until the socket is readable and reads once.
func (s *socket) readRaw() (int, error) {
	o := rawOps.Get().(*rawOp)
	defer o.free()
	o.socket = s
	if err := s.raw.sys.Read(o.read); err != nil {
		return 0, err
	}
	return o.n, o.err
}

// tryRead returns false if there is nothing to read yet. A buffer that it took
// for nothing it gives back before the wait.
func (o *rawOp) tryRead(fd uintptr) bool {
	s := o.socket
	if s.buf == nil {
		s.buf, s.pos = newBuffer(), 0
	}
	b := s.buf.b
	n, err := retry(syscall.Read, fd, b[len(b):cap(b)])
	switch {
	case err == syscall.EAGAIN:
		s.release()
		return false
	case err != nil:
		o.err = err
	case n == 0:
		o.err = io.EOF
	default:
		s.buf.b = b[:len(b)+n]
		o.n = n
	}
	return true
}

// write writes as much of p as the socket takes at once.
func (r *rawSocket) write(p []byte) (int, error) {
	if r.sys == nil {
		return 0, nil
	}
	o := rawOps.Get().(*rawOp)
	defer o.free()
	o.p = p
	if err := r.sys.Write(o.write); err != nil {
		return 0, err
	}
	return o.n, o.err
}

func (o *rawOp) tryWrite(fd uintptr) bool {
	n, err := retry(syscall.Write, fd, o.p)
	if err == syscall.EAGAIN {
		return true // the caller waits for the rest
	}
	o.n, o.err = max(n, 0), err
	return true
}

// A stream is what receiveAll hands to the poller, in one piece for as long as no
// message comes that is cut in two.
type stream struct {
	*socket
	f   func(msg []byte) error
	err error // of f, or of the connection
	own bool  // err is that of f
}

// stream calls f with messages until something comes that is left to Receive; then it
// returns nil. All of that happens in one wait for the connection: the poller notes
// what arrives while f runs, and so nobody has to ask after each message, in vain,
// whether there is more.
func (s *socket) stream(f func(msg []byte) error) error {
	st := stream{socket: s, f: f}
	err := st.run()
	switch {
	case st.own:
		return st.err
	case isTimeout(err):
		err = s.overdue()
	case err == nil:
		err = st.err
	}
	if err != nil {
		return s.lost(err)
	}
	return nil
}

func (st *stream) run() error {
	st.stuck.Store(true)
	defer func() {
		st.release()
		st.stuck.Store(false)
		if st.gone.Load() {
			_ = st.conn.Close() // cut could not
		}
	}()
	return st.raw.sys.Read(st.next)
}

// next reads what there is and hands it out. It returns false once there is
// nothing more, and is called again when there is.
func (st *stream) next(fd uintptr) bool {
	for {
		st.makeRoom(1)
		b := st.buf.b
		n, err := retry(syscall.Read, fd, b[len(b):cap(b)])
		switch {
		case err == syscall.EAGAIN:
			st.release()
			return false
		case err != nil:
			st.err = err
			return true
		case n == 0:
			st.err = io.EOF
			return true
		}
		st.buf.b = b[:len(b)+n]
		st.hear()
		wrote := st.written.Load()
		if st.own, st.err = st.handOutApart(); st.err != nil || st.have() > 0 {
			return true
		}
		st.release()
		// Less than there was room for: that is all, and what comes next wakes us. Only
		// the end of the stream may have come together with it, unnoticed. Where that is
		// so an answer of ours brings the next event; without one we look.
		if n < cap(b)-len(b) && st.written.Load() != wrote {
			return false
		}
	}
}

// A socket that hears something rarely has it handled on a goroutine that ends
// then. Its own, which waits for days, would keep the stack that it grew.
const (
	longPause  = 5 * time.Second
	longStreak = 16 // after which it is not rare
)

// hear notes that something arrived.
func (st *stream) hear() {
	now := time.Now()
	if now.Sub(st.heard) > longPause {
		st.streak = 0
	}
	st.streak++
	st.heard, st.unanswered = now, 0
}

// handOutApart is handOut, on another goroutine if this one has to stay slim. A panic
// there is one here.
func (st *stream) handOutApart() (own bool, err error) {
	if st.streak > longStreak {
		return st.handOut(st.f)
	}
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		st.own, st.err = st.handOut(st.f)
	}()
	if p := <-done; p != nil {
		panic(p)
	}
	return st.own, st.err
}

// shutdown ends both directions of the connection, which wakes whoever waits for it.
func (r *rawSocket) shutdown() error {
	var err error
	if failed := r.sys.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }); failed != nil {
		return failed
	}
	if err == syscall.ENOTCONN {
		return nil // the peer was faster
	}
	return err
}

// retry repeats a call that a signal interrupted.
func retry(call func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
