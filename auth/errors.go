package auth

import (
	"errors"
	"fmt"
	"time"

	"leyden"
)

// Errors that callers act on, beside [leyden.ErrNotFound], [leyden.ErrExists],
// [InvalidError], [ThrottledError] and [GrantError].
var (
	// ErrUnauthorized means that a request carries no credential that we
	// recognise (HTTP 401); the text says why, for the log.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrDenied means that a station is not known or did not prove who it is
	// (HTTP 401). It does not say which.
	ErrDenied = errors.New("station denied")
	// ErrStale means that a record changed since it was read.
	ErrStale = errors.New("credential changed meanwhile")
	// ErrRevoked means that a revoked key or client cannot be changed.
	ErrRevoked = errors.New("credential is revoked")
	// ErrLimit means that there may be no more of these.
	ErrLimit = errors.New("limit reached")
	// ErrLastSecret means that a client would be left without a secret.
	ErrLastSecret = errors.New("a client keeps at least one secret")
)

// A LapsedError is an [ErrUnauthorized] about a credential that was right once:
// who presents it may know why it is refused.
type LapsedError struct {
	Why string // a sentence without its end
}

func (e *LapsedError) Error() string { return fmt.Sprintf("%v: %s", ErrUnauthorized, e.Why) }

// Is makes errors.Is(e, ErrUnauthorized) true.
func (e *LapsedError) Is(target error) bool { return target == ErrUnauthorized }

// An InvalidError says which field of a request is not as it must be. It is a
// [leyden.ErrInvalid].
type InvalidError struct {
	Field  string // as the REST API spells it
	Reason string // for people, without the value of a secret
}

func (e *InvalidError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

// Is makes errors.Is(e, leyden.ErrInvalid) true.
func (e *InvalidError) Is(target error) bool { return target == leyden.ErrInvalid }

// A SuspectError is an [ErrDenied] that tells more than a wrong guess: somebody
// tries what its station must not, or holds a certificate of another. It answers
// the station as any denial does; what it says is for operators.
type SuspectError struct {
	event, info string
}

func (e *SuspectError) Error() string { return fmt.Sprintf("%v: %s", ErrDenied, e.info) }

// Is makes errors.Is(e, ErrDenied) true.
func (e *SuspectError) Is(target error) bool { return target == ErrDenied }

// SecurityEvent returns the type of the event that this is, in the manner of
// OCPP's, and what there is to know of it.
func (e *SuspectError) SecurityEvent() (event, info string) { return e.event, e.info }

func foreignCertificate(a leyden.Attempt) error {
	return &SuspectError{"InvalidChargePointCertificate", fmt.Sprintf("client certificate of CN %q, O %q", a.CertName, a.CertOrg)}
}

func endedCertificate(a leyden.Attempt) error {
	return &SuspectError{"InvalidChargePointCertificate", fmt.Sprintf("client certificate of %s, from before this identity was removed", a.CertFrom.UTC().Format(time.RFC3339))}
}

func tooLow(came Profile, least int) error {
	return &SuspectError{"SecurityProfileTooLow", fmt.Sprintf("came at security profile %d, %d is the least", came.Number(), least)}
}

// A ThrottledError answers a wrong guess that came after too many others. A
// right credential never meets it.
type ThrottledError struct {
	RetryAfter time.Duration // whole seconds, at least one
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many wrong guesses: try again in %v", e.RetryAfter)
}

// A GrantError is an error code of the token endpoint (RFC 6749 §5.2).
type GrantError string

// The answers of the token endpoint to what it does not grant. A wrapped one
// adds a description.
const (
	ErrInvalidRequest       GrantError = "invalid_request"
	ErrInvalidClient        GrantError = "invalid_client" // HTTP 401, the others 400
	ErrInvalidScope         GrantError = "invalid_scope"
	ErrUnsupportedGrantType GrantError = "unsupported_grant_type"
)

// Error returns the code.
func (e GrantError) Error() string { return string(e) }
