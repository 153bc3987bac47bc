package barrage

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"leyden/rest/resttest"
)

// patience is how long a reply may take. In testing/synctest that is no time.
const patience = 5 * time.Minute

// An answer is a reply, and whether net/http gave it before ours saw the request.
type answer struct {
	resttest.Reply
	own bool
}

// A line is a connection to the server, made anew when it ended.
type line struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// send sends a request and reads the reply.
func (l *line) send(dial func() (net.Conn, error), r *request) (answer, error) {
	if l.conn == nil {
		conn, err := dial()
		if err != nil {
			return answer{}, err
		}
		l.conn, l.reader = conn, bufio.NewReader(conn)
	}
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	sent := make(chan struct{})
	conn := l.conn
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, r.wire()) // the server may have read enough
	}()
	reply, last, err := l.receive(r.method)
	if last || r.leave || err != nil {
		l.close()
	}
	<-sent
	return reply, err
}

// receive reads a reply, and reports whether it is the last one.
func (l *line) receive(method string) (reply answer, last bool, err error) {
	res, err := http.ReadResponse(l.reader, &http.Request{Method: method})
	if err != nil {
		return answer{}, true, err
	}
	defer res.Body.Close()
	reply.Reply = resttest.Reply{Status: res.StatusCode, Header: res.Header}
	reply.own = res.Header.Get("X-Request-ID") == ""
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		reply.Partial = true // it has no end
		return reply, true, nil
	}
	reply.Body, err = io.ReadAll(res.Body)
	if err != nil {
		err = fmt.Errorf("body after %d: %w", res.StatusCode, err)
	}
	return reply, res.Close, err
}

// parsed returns the request as a server reads it.
func (r *request) parsed() (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader(r.wire())))
}

// A Listener accepts connections in memory: those that Dial makes. It is for
// testing/synctest, where a real network would stop the clock.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var _ net.Listener = (*Listener)(nil)

// NewListener returns a listener.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects.
func (l *Listener) Dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- remote{theirs}:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address of loopback.
func (l *Listener) Addr() net.Addr { return loopback() }

// A remote is a connection that comes from loopback.
type remote struct{ net.Conn }

// RemoteAddr returns an address of loopback.
func (remote) RemoteAddr() net.Addr { return loopback() }

// LocalAddr returns an address of loopback.
func (remote) LocalAddr() net.Addr { return loopback() }

func loopback() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
