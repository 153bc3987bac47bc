package ocpp

import "fmt"

// An ErrorCode is one of the codes that OCPP-J names for a CALLERROR
// (OCPP-J 1.6 §4.2.3).
type ErrorCode string

// The error codes of OCPP 1.6, spelt as 1.6 spells them.
const (
	NotImplemented      ErrorCode = "NotImplemented"
	NotSupported        ErrorCode = "NotSupported"
	InternalError       ErrorCode = "InternalError"
	ProtocolError       ErrorCode = "ProtocolError"
	SecurityError       ErrorCode = "SecurityError"
	FormationViolation  ErrorCode = "FormationViolation"
	PropertyConstraint  ErrorCode = "PropertyConstraintViolation"
	OccurenceConstraint ErrorCode = "OccurenceConstraintViolation"
	TypeConstraint      ErrorCode = "TypeConstraintViolation"
	GenericError        ErrorCode = "GenericError"
)

// An Error is what a CALLERROR carries: an answer that says why a message was
// not processed.
type Error struct {
	Code        ErrorCode
	Description string // for people; at most 255 characters on the wire
	Details     string // of one that was received: the JSON object with more about it; "" for none
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Description) }

// Errorf returns an [*Error] with a formatted description.
func Errorf(code ErrorCode, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}
