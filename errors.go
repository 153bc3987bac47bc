package leyden

import (
	"errors"
	"fmt"
)

// Errors that callers act on. Everything else is internal.
var (
	// ErrNotFound means that nothing has that identity.
	ErrNotFound = errors.New("not found")
	// ErrExists means that the identity is taken.
	ErrExists = errors.New("already exists")
	// ErrInvalid means that what was asked can never be done as it is; the text says why.
	ErrInvalid = errors.New("not valid")

	// ErrReplay means that an event with that key is recorded already.
	ErrReplay = errors.New("event already recorded")
	// ErrStale means that the record changed meanwhile: decide again.
	ErrStale = errors.New("it was changed meanwhile")
	// ErrPending means that a remote start is pending on that connector; see [PendingError].
	ErrPending = errors.New("a remote start is pending on this connector")

	// ErrActive means that a transaction runs on that connector and nothing shows that it died.
	ErrActive = errors.New("a transaction is active on this connector")
	// ErrLimit means that there are as many of them as there may be.
	ErrLimit = errors.New("there are too many")
	// ErrReservation means that the reservation is not open any more.
	ErrReservation = errors.New("the reservation has ended")
	// ErrState means that the transaction is in no state to do that.
	ErrState = errors.New("not possible in this state")
	// ErrConnector means that the connector is in no state to start a charge.
	ErrConnector = errors.New("connector is not ready")
	// ErrToken means that the idTag may not charge.
	ErrToken = errors.New("idTag is not accepted")

	// ErrOffline means that the station is not connected.
	ErrOffline = errors.New("station is not connected")
	// ErrRefused means that the station answered Rejected.
	ErrRefused = errors.New("station refused")
	// ErrSilent means that the station did not answer in time; it may still act.
	ErrSilent = errors.New("station did not answer")
	// ErrBusy means that too many calls wait for the station.
	ErrBusy = errors.New("too many calls are waiting for the station")

	// ErrUnavailable means that storage cannot take or give facts now. Whoever
	// asks shall come back; a station must not be answered.
	ErrUnavailable = errors.New("storage is unavailable")
)

// A PendingError is an [ErrPending] that knows the transaction in the way.
type PendingError struct{ ID TransactionID }

func (e *PendingError) Error() string { return fmt.Sprintf("transaction %d: %v", e.ID, ErrPending) }

// Is makes errors.Is(e, ErrPending) true.
func (e *PendingError) Is(target error) bool { return target == ErrPending }

// A FieldError is an [ErrInvalid] that knows what of a request is not valid.
type FieldError struct {
	Field  string // as the REST API spells it
	Reason string // e.g. "lies before the start"
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap returns [ErrInvalid].
func (e *FieldError) Unwrap() error { return ErrInvalid }
