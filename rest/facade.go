package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"
)

// A Facade is a family of operations below one path prefix with its own words
// for errors.
type Facade struct {
	// Prefix begins every path of the façade and ends in a slash. What is
	// unknown below it is refused in the façade's words.
	Prefix string

	// Explain turns an error into what the client shall see, or returns nil
	// when it does not know it. It is asked first, also about an [*Error].
	// Unexplained errors that are no [*Error] are 500 and logged.
	Explain func(error) *Error

	// Body returns the JSON body that says e. Its type is the schema of the
	// façade's errors, so it returns the same type always.
	Body func(e *Error, requestID string) any

	// Problem offers RFC 9457 to clients that accept application/problem+json.
	Problem bool
}

// A problem is an error in the form of RFC 9457.
type problem struct {
	Type      string   `json:"type" doc:"Always about:blank: the status says it."`
	Title     string   `json:"title" doc:"The status in words."`
	Status    int      `json:"status"`
	Detail    string   `json:"detail" doc:"What went wrong."`
	Code      string   `json:"code" doc:"The error code of v1."`
	Errors    []Detail `json:"errors,omitempty" doc:"Which fields, and why."`
	RequestID string   `json:"requestId"`
}

const problemType = "application/problem+json"

// plain is the façade of what no other façade's prefix covers.
func plain() *Facade {
	return &Facade{Prefix: "/", Problem: true, Body: func(e *Error, id string) any { return problemOf(e, id) }}
}

func problemOf(e *Error, requestID string) problem {
	return problem{
		Type:      "about:blank",
		Title:     http.StatusText(e.Status),
		Status:    e.Status,
		Detail:    e.Message,
		Code:      e.Code,
		Errors:    e.Details,
		RequestID: requestID,
	}
}

// explain makes one [Error] of whatever went wrong.
func (f *Facade) explain(err error) *Error {
	if f.Explain != nil {
		if e := f.Explain(err); e != nil {
			return complete(e)
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return complete(e)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Errorf(http.StatusServiceUnavailable, "the request took too long").Because(err)
	}
	return Errorf(http.StatusInternalServerError, "internal error").Because(err)
}

func complete(e *Error) *Error {
	if e.Code != "" {
		return e
	}
	done := *e
	done.Code = CodeOf(e.Status)
	return &done
}

// refuse writes err as the façade says it.
func (a *API) refuse(w *reply, r *http.Request, f *Facade, err error) {
	if left(r, err) {
		w.abandon()
		return
	}
	e, data := a.say(w, r, f, err)
	w.send(e.Status, data)
}

// left reports whether err is that the client has left.
func left(r *http.Request, err error) bool {
	return errors.Is(err, context.Canceled) && r.Context().Err() != nil
}

// say says err as the façade does: it sets the headers and returns the body.
func (a *API) say(w *reply, r *http.Request, f *Facade, err error) (*Error, []byte) {
	e := f.explain(err)
	if e.Status >= http.StatusInternalServerError {
		a.config.Log.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("requestId", w.requestID), slog.Int("status", e.Status), slog.Any("error", err))
	}
	contentType, body := "application/json", f.Body(e, w.requestID)
	if f.Problem && wantsProblem(r) {
		body = problemOf(e, w.requestID)
	}
	if _, ok := body.(problem); ok {
		contentType = problemType
	}
	data, err := Encode(body)
	if err != nil {
		panic(err) // our own types always encode
	}
	h := w.Header()
	for name, values := range e.Header {
		h[name] = values
	}
	h.Set("Content-Type", contentType)
	return e, data
}

// wantsProblem reports whether the client names application/problem+json in
// Accept and does not refuse it with a weight of zero (RFC 9110 §12.4.2).
func wantsProblem(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != problemType {
			continue
		}
		weight, weighed := params["q"]
		return !weighed || strings.Trim(weight, "0.") != ""
	}
	return false
}

// Encode renders v as the JSON of a reply: without HTML escapes and without a
// newline at its end.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
