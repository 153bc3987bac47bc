package rest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// An Error is a refusal as a client shall see it. Everything in it but Cause
// is shown; Cause goes to the log.
type Error struct {
	Status  int         // of HTTP
	Code    string      // VALIDATION_ERROR, NOT_FOUND, …; "" means [CodeOf] Status
	Message string      // one sentence for a person
	Details []Detail    // which fields, and why
	Header  http.Header // more headers for the reply: Retry-After, WWW-Authenticate
	Cause   error       // for the log only
	Unsure  bool        // what was asked for may have been done: a call with an Idempotency-Key is not tried again
}

// A Detail says what is wrong with one field of a request.
type Detail struct {
	Field  string `json:"field" doc:"Name of the parameter or body field; nested ones are dotted."`
	Reason string `json:"reason" doc:"What is wrong with it."`
}

// Error returns status, message and cause, for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s: %v", e.Status, e.Message, e.Cause)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf returns an Error with that status, its usual code and a message.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Code: CodeOf(status), Message: fmt.Sprintf(format, args...)}
}

// Invalid returns the 400 that names a field and what is wrong with it.
func Invalid(field, reason string) *Error {
	return invalid([]Detail{{Field: field, Reason: reason}})
}

// Because returns e with the cause that the log shall tell.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// RetryAfter returns e with a Retry-After of d, rounded up to whole seconds and
// at least one.
func (e *Error) RetryAfter(d time.Duration) *Error {
	seconds := max(1, int(math.Ceil(d.Seconds())))
	return e.with("Retry-After", strconv.Itoa(seconds))
}

func (e *Error) with(header, value string) *Error {
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set(header, value)
	return e
}

// invalid makes one 400 of all that is wrong; the message begins with the
// first field.
func invalid(details []Detail) *Error {
	e := Errorf(http.StatusBadRequest, "the request is not valid")
	if len(details) > 0 {
		e.Message = details[0].Field + ": " + details[0].Reason
		e.Details = details
	}
	return e
}

// CodeOf returns the usual code of a status.
func CodeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "VALIDATION_ERROR"
	case http.StatusUnauthorized:
		return "UNAUTHORIZED"
	case http.StatusForbidden:
		return "FORBIDDEN"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusMethodNotAllowed:
		return "METHOD_NOT_ALLOWED"
	case http.StatusConflict:
		return "CONFLICT"
	case http.StatusGone:
		return "GONE"
	case http.StatusPreconditionFailed:
		return "PRECONDITION_FAILED"
	case http.StatusRequestEntityTooLarge:
		return "PAYLOAD_TOO_LARGE"
	case http.StatusUnprocessableEntity:
		return "IDEMPOTENCY_MISMATCH"
	case http.StatusUnsupportedMediaType:
		return "UNSUPPORTED_MEDIA_TYPE"
	case http.StatusTooManyRequests:
		return "RATE_LIMIT_ERROR"
	case http.StatusBadGateway:
		return "CHARGER_ERROR"
	case http.StatusServiceUnavailable:
		return "SERVICE_UNAVAILABLE"
	case http.StatusGatewayTimeout:
		return "CHARGER_TIMEOUT"
	case http.StatusRequestTimeout:
		return "REQUEST_TIMEOUT"
	}
	return "INTERNAL_ERROR"
}
