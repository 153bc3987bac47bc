package rest

import (
	"io"
	"log/slog"
	"net/http"
)

// A Stream lets an operation write its reply piece by piece. Embed it in the
// output and call [Stream.Send]; without that call the Body is the reply.
//
// Once the first piece is written the status is out. An error after that, from
// the writer or from write itself, cuts the connection so that the client
// notices that something is missing; it is logged.
type Stream struct {
	contentType string
	write       func(StreamWriter) error
}

// Send makes the reply of what write writes, with that content type. The
// context of the handler lives until write returns.
func (s *Stream) Send(contentType string, write func(StreamWriter) error) {
	s.contentType, s.write = contentType, write
}

func (s *Stream) stream() *Stream { return s }

// A streamer is an output with an embedded [Stream].
type streamer interface{ stream() *Stream }

// A StreamWriter takes the pieces of a streamed reply.
type StreamWriter interface {
	io.Writer
	// Flush sends what was written on its way.
	Flush() error
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
	if w.reply.status == 0 {
		w.reply.WriteHeader(w.status)
	}
}

// runStream writes a streamed reply.
func (rt *route) runStream(w *reply, r *http.Request, status int) error {
	w.Header().Set("Content-Type", w.stream.contentType)
	out := streamWriter{w, status}
	err := w.stream.write(out)
	if err == nil {
		out.begin()
		return nil
	}
	if w.status == 0 {
		return err
	}
	rt.api.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "stream broke off",
		slog.String("requestId", w.requestID), slog.Any("error", err))
	panic(http.ErrAbortHandler)
}
