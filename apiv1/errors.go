package apiv1

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/feed"
	"leyden/rest"
)

// The codes of refusals that their status does not tell, listed in docs/api.md.
const (
	codeNotReady     = "CONNECTOR_NOT_READY"
	codeActive       = "TRANSACTION_ACTIVE"
	codePending      = "TRANSACTION_PENDING"
	codeNotActive    = "TRANSACTION_NOT_ACTIVE"
	codeToken        = "ID_TAG_NOT_ACCEPTED"
	codeRejected     = "REJECTED_BY_CHARGER"
	statusRejected   = "Rejected"
	busyRetry        = 5 * time.Second
	unavailableRetry = 5 * time.Second
)

// failure is the body of every refusal.
type failure struct {
	Success bool         `json:"success" doc:"Always false." example:"false"`
	Error   failureError `json:"error"`
}

type failureError struct {
	Code      string        `json:"code" doc:"What a program acts on." example:"NOT_FOUND"`
	Message   string        `json:"message" doc:"One sentence for a person." example:"transaction 12345: not found"`
	Details   []rest.Detail `json:"details,omitempty" doc:"Which fields, and why; or what else a program may want to know."`
	RequestID string        `json:"requestId" doc:"The X-Request-ID of the reply."`
}

func newFacade() *rest.Facade {
	return &rest.Facade{
		Prefix:  prefix + "/",
		Problem: true,
		Explain: explain,
		Body: func(e *rest.Error, requestID string) any {
			return failure{Error: failureError{e.Code, e.Message, e.Details, requestID}}
		},
	}
}

// explain says for every error that callers act on what the client shall see.
// It returns nil for what is explained already and for what nobody expects.
func explain(err error) *rest.Error {
	if _, ok := errors.AsType[*rest.Error](err); ok {
		return nil
	}
	if e, ok := errors.AsType[*csms.StationError](err); ok {
		return stationError(e).Because(err)
	}
	if e, ok := errors.AsType[*auth.InvalidError](err); ok {
		return rest.Invalid(e.Field, e.Reason).Because(err)
	}
	if e, ok := errors.AsType[*device.FieldError](err); ok {
		return rest.Invalid(e.Field, e.Reason).Because(err)
	}
	if e, ok := errors.AsType[*leyden.FieldError](err); ok {
		return rest.Invalid(e.Field, e.Reason).Because(err)
	}
	if e, ok := errors.AsType[*feed.FieldError](err); ok {
		return rest.Invalid(e.Field, e.Reason).Because(err)
	}
	if e, ok := errors.AsType[*leyden.PendingError](err); ok {
		pending := refusal(codePending, err)
		pending.Details = []rest.Detail{transactionDetail(e.ID)}
		return pending
	}
	if e := asForgotten(err); e != nil {
		return e.Because(err)
	}
	if errors.Is(err, leyden.ErrRefused) {
		return rejected().Because(err)
	}
	if e := unreachable(err); e != nil {
		return e.Because(err)
	}
	return refused(err)
}

// unreachable explains what has nothing to do with what was asked.
func unreachable(err error) *rest.Error {
	switch {
	case errors.Is(err, csms.ErrLeft):
		e := rest.Errorf(http.StatusServiceUnavailable, "the charger disconnected before it answered; it may have acted")
		e.Unsure = true
		return e
	case errors.Is(err, leyden.ErrOffline):
		return rest.Errorf(http.StatusServiceUnavailable, "the charger is not connected")
	case errors.Is(err, leyden.ErrSilent):
		return rest.Errorf(http.StatusGatewayTimeout, "the charger did not answer in time; it may still act")
	case errors.Is(err, leyden.ErrBusy):
		return rest.Errorf(http.StatusTooManyRequests, "too many commands wait for the charger").RetryAfter(busyRetry)
	case errors.Is(err, leyden.ErrUnavailable):
		return rest.Errorf(http.StatusServiceUnavailable, "storage is unavailable; try again later").RetryAfter(unavailableRetry)
	}
	return nil
}

// refused explains why what was asked cannot be done as things are.
func refused(err error) *rest.Error {
	for _, known := range []struct {
		is   error
		code string
	}{
		{leyden.ErrPending, codePending},
		{leyden.ErrActive, codeActive},
		{leyden.ErrConnector, codeNotReady},
		{leyden.ErrToken, codeToken},
		{leyden.ErrState, codeNotActive},
		{leyden.ErrExists, ""},
		{leyden.ErrLimit, ""},
		{leyden.ErrReservation, ""},
		{leyden.ErrStale, ""},
		{auth.ErrStale, ""},
		{auth.ErrRevoked, ""},
		{auth.ErrLimit, ""},
		{auth.ErrLastSecret, ""},
	} {
		if errors.Is(err, known.is) {
			return refusal(known.code, err)
		}
	}
	switch {
	case errors.Is(err, leyden.ErrNotFound):
		return rest.Errorf(http.StatusNotFound, "%v", err)
	case errors.Is(err, leyden.ErrInvalid):
		return rest.Errorf(http.StatusBadRequest, "%v", err)
	}
	return nil
}

// refusal is a 409 whose message is the error's; "" is the usual code.
func refusal(code string, err error) *rest.Error {
	return &rest.Error{Status: http.StatusConflict, Code: code, Message: err.Error(), Cause: err}
}

// stationError passes on what a station answered with a CALLERROR.
func stationError(e *csms.StationError) *rest.Error {
	out := rest.Errorf(http.StatusBadGateway, "the charger answered with an error")
	out.Details = []rest.Detail{{Field: "ocppErrorCode", Reason: e.Code}}
	if e.Description != "" {
		out.Details = append(out.Details, rest.Detail{Field: "ocppErrorDescription", Reason: e.Description})
	}
	return out
}

// rejected is what becomes of a command that the station does not want to obey.
func rejected() *rest.Error {
	return &rest.Error{Status: http.StatusConflict, Code: codeRejected, Message: "the charger rejected the command"}
}

func transactionDetail(id leyden.TransactionID) rest.Detail {
	return rest.Detail{Field: "transactionId", Reason: strconv.Itoa(int(id))}
}

// named says of what an error is, if it is one.
func named(kind, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", kind, id, err)
}
