//go:build unix

package ocpp

import (
	"io"
	"sync"
	"syscall"
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

// retry repeats a call that a signal interrupted.
func retry(call func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
