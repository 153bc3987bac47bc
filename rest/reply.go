package rest

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"time"

	"leyden"
	"leyden/auth"
)

// A reply is the connection to the client of one request, and what the access
// log will tell about it.
type reply struct {
	http.ResponseWriter
	requestID string
	pattern   string // of the mux
	principal auth.Principal
	admit     func(context.Context) error // looks again whether the caller may use the operation
	request   *http.Request
	status    int // 0 until something was written
	bytes     int64
	gone      bool    // the client left, nothing was written
	stream    *Stream // what the handler wants written instead of a body

	// What the audit log will tell.
	station     leyden.StationID
	transaction leyden.TransactionID
	unrecorded  bool // nothing: there were too many requests

	// count counts the request of an operation that LogsIn, once it is known whose
	// it is; nil when that is done.
	count func(refused error) error
}

type replyKey struct{}

func newReply(w http.ResponseWriter, r *http.Request) *reply {
	id := r.Header.Get("X-Request-ID")
	if !saneRequestID(id) {
		id = rand.Text()
	}
	w.Header().Set("X-Request-ID", id)
	return &reply{ResponseWriter: w, requestID: id, request: r}
}

// saneRequestID reports whether a client's id may be echoed and logged.
func saneRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f || id[i] == '"' || id[i] == '\\' || id[i] == '<' || id[i] == '>' {
			return false
		}
	}
	return true
}

func withReply(ctx context.Context, w *reply) context.Context {
	return context.WithValue(ctx, replyKey{}, w)
}

func replyOf(ctx context.Context) *reply {
	w, ok := ctx.Value(replyKey{}).(*reply)
	if !ok {
		return &reply{request: &http.Request{}}
	}
	return w
}

// PrincipalOf returns who asks; the zero Principal in public operations.
func PrincipalOf(ctx context.Context) auth.Principal { return replyOf(ctx).principal }

// Readmit refuses whoever asks as his request would be refused now, and brings what
// [PrincipalOf] returns up to date. Replies that last call it from time to time:
// credentials end, and what they reach changes.
func Readmit(ctx context.Context) error {
	w := replyOf(ctx)
	if w.admit == nil {
		return nil
	}
	return w.admit(ctx)
}

// WriteHeader notes the status and sends the header.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends part of the body.
func (w *reply) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// send writes a whole reply. A client that has left is no error: there is
// nobody to tell.
func (w *reply) send(status int, body []byte) {
	if status != http.StatusNoContent && status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.extendWrite()
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}

// extendWrite gives the client time to take the next part. A writer without
// deadlines, as in tests, has none to extend.
func (w *reply) extendWrite() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeStall))
}

// abandon notes that the client left before there was a reply.
func (w *reply) abandon() { w.gone = true }
