package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A wire is a station that writes byte by byte what it is told to: it may break
// every rule of WebSocket and OCPP. Each write, and each answer that it waits for,
// takes at most limit.
type wire struct {
	net.Conn
	in     *bufio.Reader
	silent bool // an answer never came
}

// A received is what the server sent: a message, a pong, or a close with its
// code; 0 is the code of a connection that ended without a close.
type received struct {
	op      ws.OpCode
	payload string
	code    int
}

func (r received) String() string {
	if r.op == ws.OpClose {
		return fmt.Sprintf("close %d %q", r.code, r.payload)
	}
	return fmt.Sprintf("%.300s", r.payload)
}

// dialWire opens a TCP connection to a server, from a loopback address of its own
// unless that is "".
func dialWire(t *testing.T, url, from string) *wire {
	t.Helper()
	d := net.Dialer{Timeout: limit}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return &wire{Conn: conn, in: bufio.NewReader(conn)}
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// upgradeHeader is a handshake that nothing is wrong with.
func upgradeHeader(station, password string) http.Header {
	return http.Header{
		"Host":                     {"localhost"},
		"Connection":               {"Upgrade"},
		"Upgrade":                  {"websocket"},
		"Sec-WebSocket-Version":    {"13"},
		"Sec-WebSocket-Key":        {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-WebSocket-Protocol":   {"ocpp1.6"},
		"Sec-WebSocket-Extensions": {"permessage-deflate"},
		"Authorization":            {"Basic " + base64.StdEncoding.EncodeToString([]byte(station+":"+password))},
	}
}

// request sends the head of a request as it is given and reads the answer.
func (w *wire) request(line string, h http.Header) (*http.Response, error) {
	var b strings.Builder
	b.WriteString(line + "\r\n")
	for name, values := range h {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	if _, err := io.WriteString(w, b.String()+"\r\n"); err != nil {
		return nil, err
	}
	if err := w.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	return http.ReadResponse(w.in, nil)
}

// A frame of a WebSocket as it goes out: whatever is said of it in front.
type wireFrame struct {
	ws.Header
	payload  []byte
	announce int // a length that is a lie, unless 0
	keep     int // how many bytes of it are sent, unless 0
}

// bytes returns the frame as a client writes it.
func (f wireFrame) bytes() []byte {
	var b bytes.Buffer
	f.Length = int64(len(f.payload))
	if f.announce != 0 {
		f.Length = int64(f.announce)
	}
	if err := ws.WriteHeader(&b, f.Header); err != nil {
		panic(err) // a buffer takes everything
	}
	p := bytes.Clone(f.payload)
	if f.Masked {
		ws.Cipher(p, f.Mask, 0)
	}
	b.Write(p)
	if f.keep != 0 {
		b.Truncate(min(f.keep, b.Len()))
	}
	return b.Bytes()
}

// plainFrame is a text message that nothing is wrong with.
func plainFrame(text string) wireFrame {
	return wireFrame{Header: ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Mask: [4]byte{7, 11, 13, 17}}, payload: []byte(text)}
}

// split returns the frame in fragments of at most n bytes of payload.
func (f wireFrame) split(n int) []byte {
	var all []byte
	last := f.Fin
	for part := range slices.Chunk(f.payload, n) {
		f.payload = part
		f.Fin = false
		all = append(all, f.bytes()...)
		f.OpCode, f.Rsv = ws.OpContinuation, 0
	}
	if last {
		f.Fin, f.payload = true, nil
		all = append(all, f.bytes()...)
	}
	return all
}

// deflateEnd is what permessage-deflate leaves out at the end of a message.
const deflateEnd = "\x00\x00\xff\xff"

// deflated returns the last of some texts as permessage-deflate sends it. It refers
// to those before: none may be there without context takeover.
func deflated(texts ...[]byte) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	for _, text := range texts {
		b.Reset()
		if err == nil {
			_, err = z.Write(text)
		}
		if err == nil {
			err = z.Flush()
		}
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return bytes.TrimSuffix(b.Bytes(), []byte(deflateEnd))
}

// next returns what the server sent next, but for pings. It answers a close.
func (w *wire) next() (received, error) {
	if err := w.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return received{}, err
	}
	return w.read()
}

// read is next, as long as a deadline lets it: pings come for ever.
func (w *wire) read() (received, error) {
	h, err := ws.ReadHeader(w.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.silent = true
		return received{}, fmt.Errorf("nothing came within %v: %w", limit, err)
	}
	if err != nil {
		return received{op: ws.OpClose}, nil // without a word
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(w.in, payload); err != nil {
		return received{}, err
	}
	switch {
	case h.Masked || !h.Fin || h.OpCode == ws.OpBinary:
		return received{}, fmt.Errorf("the server sent a frame that it may not: %+v", h)
	case h.OpCode == ws.OpPing:
		return w.read()
	case h.OpCode == ws.OpClose:
		return w.closed(payload)
	case h.Rsv1():
		text, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(deflateEnd+"\x01\x00\x00\xff\xff"))))
		return received{op: h.OpCode, payload: string(text)}, err
	}
	return received{op: h.OpCode, payload: string(payload)}, nil
}

// closed answers a close, and wants nothing to follow it.
func (w *wire) closed(payload []byte) (received, error) {
	answer := plainFrame(string(payload))
	answer.OpCode = ws.OpClose
	_, _ = w.Write(answer.bytes()) // the server may have closed for good
	if n, err := io.Copy(io.Discard, w.in); err == nil && n > 0 {
		return received{}, fmt.Errorf("%d bytes follow the close", n)
	}
	r := received{op: ws.OpClose, code: 1005}
	if len(payload) >= 2 {
		r.code, r.payload = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
	}
	return r, nil
}
