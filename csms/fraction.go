package csms

import (
	"context"

	"leyden/ocpp"
)

// noteFraction notes whether a register has a fraction, which OCPP 1.6 does not
// allow (§6.45), and reports it.
func (s *session) noteFraction(v *ocpp.Violations, payload, name string) bool {
	if _, odd := v.At(name); !odd || !fractional(payload, name) {
		return false
	}
	if s.conn != nil { // nil: an operator replays what it once sent
		s.srv.ledger.NoticedFraction(s.station)
	}
	return true
}

// mayStart returns why a start is refused, or nil. A fraction in meterStart is
// rounded down, if it is all that is wrong and the station is known for it.
func (s *session) mayStart(ctx context.Context, v *ocpp.Violations, payload string, meterStart *int) error {
	err := v.Err()
	if err == nil || !s.noteFraction(v, payload, "meterStart") {
		return err
	}
	q, lookup := s.srv.ledger.Quirks(ctx, s.station)
	if lookup != nil || q.FractionalMeters == nil || !*q.FractionalMeters || len(v.List)+v.Dropped > 1 {
		return err
	}
	return mend(v, payload, "meterStart", meterStart)
}
