package ocpp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// maxRefusal is how much of the text of a refused handshake is kept.
const maxRefusal = 1 << 10

// DialOptions say how a client opens a WebSocket.
type DialOptions struct {
	Protocols []string // the subprotocols that the client speaks, the best first
	Header    http.Header
	// User and Password are sent as Basic authentication unless both are empty.
	User, Password string
	// TLS is for wss URLs; nil means the system's roots.
	TLS *tls.Config
	// Compression offers permessage-deflate.
	Compression bool
	Timeouts    Timeouts
	// Wrap, if not nil, returns what is to be used in place of a connection, as soon
	// as that can be written to.
	Wrap func(net.Conn) net.Conn
}

// A HandshakeError is a server's refusal to open a WebSocket.
type HandshakeError struct {
	Status int
	Header http.Header
	Text   string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("handshake refused with %d: %s", e.Status, e.Text)
}

// Dial opens a WebSocket to a ws or wss URL and returns it with the subprotocol
// that the server chose. A server that answers with another status than 101
// makes it return a [*HandshakeError]. It takes at most 10 s. The ctx bounds
// only the handshake.
func Dial(ctx context.Context, url string, o DialOptions) (Transport, string, error) {
	var refused *HandshakeError
	d := ws.Dialer{
		Timeout:         handshakeTimeout,
		ReadBufferSize:  1 << 10,
		WriteBufferSize: 1 << 10,
		Protocols:       o.Protocols,
		TLSConfig:       o.TLS,
		Header:          ws.HandshakeHeaderHTTP(o.header()),
		WrapConn:        o.Wrap,
		OnStatusError: func(status int, _ []byte, resp io.Reader) {
			refused = readRefusal(status, resp)
		},
	}
	if o.Compression {
		offer := wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
		d.Extensions = []httphead.Option{offer.Option()}
	}
	conn, early, hs, err := d.Dial(ctx, url)
	if refused != nil {
		return nil, "", refused
	}
	if err != nil {
		return nil, "", fmt.Errorf("dial: %w", err)
	}
	s, err := dialed(conn, early, hs, o)
	if err != nil {
		_ = conn.Close() // the error says more
		return nil, "", fmt.Errorf("dial: %w", err)
	}
	return s, hs.Protocol, nil
}

// dialed makes a socket of a connection after the handshake.
func dialed(conn net.Conn, early *bufio.Reader, hs ws.Handshake, o DialOptions) (*socket, error) {
	var bytes []byte
	if early != nil {
		defer ws.PutReader(early)
		var err error
		if bytes, err = early.Peek(early.Buffered()); err != nil {
			return nil, err
		}
	}
	if len(o.Protocols) > 0 && hs.Protocol == "" {
		return nil, ErrNoProtocol
	}
	s := newSocket(conn, bytes, true, o.Timeouts)
	for _, x := range hs.Extensions {
		var p wsflate.Parameters
		if err := p.Parse(x); err != nil {
			return nil, err
		}
		if !p.ServerNoContextTakeover || p.ClientMaxWindowBits.Defined() {
			return nil, errors.New("server accepted a compression that was not offered")
		}
		s.deflate, s.window = true, MaxMessage
	}
	return s, nil
}

func (o DialOptions) header() http.Header {
	h := o.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	if o.User != "" || o.Password != "" {
		secret := base64.StdEncoding.EncodeToString([]byte(o.User + ":" + o.Password))
		h.Set("Authorization", "Basic "+secret)
	}
	return h
}

// readRefusal reads a response that is no upgrade. Of one that cannot be read
// the status is left.
func readRefusal(status int, r io.Reader) *HandshakeError {
	e := &HandshakeError{Status: status}
	resp, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return e
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // as far as it goes
	e.Header, e.Text = resp.Header, strings.TrimSpace(string(text))
	return e
}
