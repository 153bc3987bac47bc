package resttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"leyden/rest"
)

// mostKept is how much of a reply is kept to look at; of a longer one the body is
// not looked at.
const mostKept = 1 << 20

// A Server is an API that fails its test when a reply breaks the contract.
type Server struct {
	*rest.API
	// Contract is made of the API's own document, at the first request.
	Contract func() *Contract
	t        testing.TB
}

// NewServer returns an API for a test. Register operations on its API before it
// serves. A contract that is given saves the time to make one: it must be that
// of the same operations.
func NewServer(t testing.TB, config rest.Config, contract ...func() (*Contract, error)) *Server {
	s := &Server{API: rest.New(config), t: t}
	s.Contract = sync.OnceValue(func() *Contract {
		var c *Contract
		var err error
		if len(contract) > 0 {
			c, err = contract[0]()
		} else {
			c, err = NewContract(s.API)
		}
		if err != nil {
			panic(fmt.Sprintf("contract: %v", err)) // the goroutine may not be the test's
		}
		return c
	})
	return s
}

// ServeHTTP answers a request and holds the reply against the document.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Contract().Handler(s.t.Errorf, s.API).ServeHTTP(w, r)
}

// Handler returns a handler that answers as next does and reports what breaks
// the contract.
func (c *Contract) Handler(report func(format string, args ...any), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &witness{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r) // a panic is the end of the connection, not a reply
		if r.Context().Err() != nil && !seen.written {
			return // nobody was there to be answered
		}
		partial := r.Context().Err() != nil || seen.failed || seen.body.Len() >= mostKept
		if err := c.Breach(r, Reply{Status: seen.status, Header: w.Header(), Body: seen.body.Bytes(), Partial: partial}); err != nil {
			report("%v", err)
		}
	})
}

// A witness sees what a handler writes.
type witness struct {
	http.ResponseWriter
	status  int
	written bool
	failed  bool
	body    bytes.Buffer
}

// WriteHeader notes the status.
func (w *witness) WriteHeader(status int) {
	if !w.written {
		w.status, w.written = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes the body.
func (w *witness) Write(p []byte) (int, error) {
	w.written = true
	if w.body.Len() < mostKept {
		w.body.Write(p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.failed = w.failed || err != nil
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Transport returns a transport that reports what of the replies breaks the
// contract, once their body was read to its end.
func (c *Contract) Transport(report func(error), next http.RoundTripper) http.RoundTripper {
	return transport{c, report, next}
}

type transport struct {
	contract *Contract
	report   func(error)
	next     http.RoundTripper
}

// RoundTrip sends a request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
		return res, err
	}
	res.Body = &witnessed{ReadCloser: res.Body, whole: func(body []byte, partial bool) {
		reply := Reply{Status: res.StatusCode, Header: res.Header, Body: body, Partial: partial}
		if err := t.contract.Breach(r, reply); err != nil {
			t.report(err)
		}
	}}
	return res, nil
}

// A witnessed body tells once what was read of it.
type witnessed struct {
	io.ReadCloser
	read  bytes.Buffer
	whole func(body []byte, partial bool)
	once  sync.Once
}

// Read reads, and tells at the end.
func (w *witnessed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if w.read.Len() < mostKept {
		w.read.Write(p[:n])
	}
	if err != nil {
		w.tell(err != io.EOF || w.read.Len() >= mostKept)
	}
	return n, err
}

// Close tells what was read until now.
func (w *witnessed) Close() error {
	w.tell(true)
	return w.ReadCloser.Close()
}

func (w *witnessed) tell(partial bool) {
	w.once.Do(func() { w.whole(w.read.Bytes(), partial) })
}
