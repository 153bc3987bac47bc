package device

import "leyden"

// A FieldError says which part of what was asked for can never be, and why. It
// is a [leyden.ErrInvalid].
type FieldError struct {
	Field  string // path of the property, e.g. chargingSchedule.chargingSchedulePeriod[2].limit
	Reason string // e.g. "is below 0"
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap returns [leyden.ErrInvalid].
func (e *FieldError) Unwrap() error { return leyden.ErrInvalid }
