package rest

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
)

// A Stream lets an operation write its reply piece by piece. Embed it in the
// output and call [Stream.Send]; without that call the Body is the reply. To HEAD
// nothing is written.
//
// Once the first piece is written the status is out. An error after that, from
// the writer or from write itself, cuts the connection so that the client
// notices that something is missing; it is logged.
type Stream struct {
	contentType string
	trailer     string // its name
	write       func(StreamWriter) error
}

// Send makes the reply of what write writes, with that content type. The
// context of the handler lives until write returns.
func (s *Stream) Send(contentType string, write func(StreamWriter) error) {
	s.contentType, s.write = contentType, write
}

// sendCounted is Send of rows, which write counts. Their number follows the last
// piece as the trailer X-Row-Count (RFC 9110 §6.5): whoever has it has all.
func (s *Stream) sendCounted(contentType string, write func(io.Writer) (rows int64, err error)) {
	s.trailer = rowCount
	s.Send(contentType, func(w StreamWriter) error {
		n, err := write(w)
		if err == nil {
			w.finish(strconv.FormatInt(n, 10))
		}
		return err
	})
}

const rowCount = "X-Row-Count"

func (s *Stream) stream() *Stream { return s }

// A streamer is an output with an embedded [Stream].
type streamer interface{ stream() *Stream }

// A StreamWriter takes the pieces of a streamed reply.
type StreamWriter interface {
	io.Writer
	// Flush sends what was written on its way.
	Flush() error

	// finish sets the trailer that the stream announced.
	finish(value string)
}

type streamWriter struct {
	reply  *reply
	status int
}

// Write sends p; a client that takes nothing for half a minute is given up.
func (w streamWriter) Write(p []byte) (int, error) {
	w.reply.extendWrite()
	w.begin()
	return w.reply.Write(p)
}

// Flush sends what was written on its way.
func (w streamWriter) Flush() error {
	w.begin()
	return http.NewResponseController(w.reply.ResponseWriter).Flush()
}

func (w streamWriter) begin() {
	if w.reply.status != 0 {
		return
	}
	if name := w.reply.stream.trailer; name != "" {
		w.reply.Header().Set("Trailer", name)
	}
	w.reply.WriteHeader(w.status)
}

func (w streamWriter) finish(value string) {
	w.begin()
	w.reply.Header().Set(w.reply.stream.trailer, value)
}

// runStream writes a streamed reply.
func (rt *route) runStream(w *reply, r *http.Request, status int) error {
	w.Header().Set("Content-Type", w.stream.contentType)
	out := streamWriter{w, status}
	if r.Method == http.MethodHead { // nobody is sent the pieces, and there may be no end of them
		out.begin()
		return nil
	}
	err := w.stream.write(out)
	if err == nil {
		out.begin()
		return nil
	}
	if w.status == 0 {
		rt.takeBack(w.Header())
		return err
	}
	rt.api.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "stream broke off",
		slog.String("requestId", w.requestID), slog.Any("error", err))
	panic(http.ErrAbortHandler)
}

// takeBack removes the headers of a success that came to nothing, but for those
// that its refusal has as well.
func (rt *route) takeBack(h http.Header) {
	for _, name := range rt.ofSuccess {
		h.Del(name)
	}
}
