package csms

import (
	"context"
	"errors"
	"fmt"

	"leyden"
	"leyden/ocpp"
)

// A StationError is a CALLERROR with which a station answered a call of ours,
// or says what was wrong with an answer that cannot be read.
type StationError struct {
	Code        string // as OCPP names it, e.g. NotSupported
	Description string
	Details     string // JSON object that came with it; "" for none

	unread bool // there was an answer, but it cannot be read: the station may have acted
}

func (e *StationError) Error() string {
	return fmt.Sprintf("station answered with %s: %s", e.Code, e.Description)
}

// ErrLeft comes with [leyden.ErrOffline] when a station was asked and its
// connection ended before it answered: it may have acted.
var ErrLeft = errors.New("it left before it answered and may have acted")

// errNotSent marks calls that never left: the station cannot have acted.
var errNotSent = errors.New("not sent")

// quotesSecret stands for the words of a station that may quote what it was sent.
const quotesSecret = "its words may quote the secret and are left out"

// callError turns an error of a call on a connection into one that callers act
// on. ctx is theirs, without the time limit of the call. What a station said is
// masked: it goes to the log and to whoever asked. Nothing of it is left if the
// call had a secret, which it may quote.
func callError(ctx context.Context, err error, secret bool) error {
	notSent := errors.Is(err, ocpp.ErrNotSent)
	refusal, answered := errors.AsType[*ocpp.Error](err)
	switch {
	case err == nil:
		return nil
	case answered:
		_, whole := err.(*ocpp.Error) // as it is, see [ocpp.Conn.Call]
		out := &StationError{Code: maskWords(string(refusal.Code)), Description: quotesSecret, unread: !whole}
		if !secret {
			out.Description, out.Details = maskWords(refusal.Description), maskError(refusal.Details)
		}
		return out
	case ctx.Err() != nil:
		return ctx.Err()
	case notSent && errors.Is(err, ocpp.ErrClosed):
		return fmt.Errorf("%w: %w", leyden.ErrOffline, errNotSent)
	case notSent:
		return fmt.Errorf("%w: %w", leyden.ErrBusy, errNotSent)
	case errors.Is(err, ocpp.ErrClosed):
		return fmt.Errorf("%w: %w", leyden.ErrOffline, ErrLeft)
	}
	return leyden.ErrSilent
}
