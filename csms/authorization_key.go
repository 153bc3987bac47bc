package csms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leyden"
)

// authorizationKey is the key of the setting that holds the password with which
// a station connects (OCPP 1.6 security white paper). Its case does not count:
// keys are CiString50Type.
const authorizationKey = "AuthorizationKey"

// changeKey gives a station a new password. The gate knows it before the station
// does, so that the station gets in whatever becomes of its answer, and forgets
// it when the station surely did not take it.
func (s *session) changeKey(ctx context.Context, key, password string) (string, error) {
	takeBack, err := s.srv.opt.Gate.Rotate(ctx, s.station, password)
	if err != nil {
		return "", fmt.Errorf("new %s of station %s: %w", authorizationKey, s.station, err)
	}
	ctx = context.WithoutCancel(ctx) // what was begun is seen through, also for a client that left
	status, err := s.dialect.changeConfiguration(ctx, s, key, password)
	if declined(status, err) {
		if lost := takeBack(ctx); lost != nil {
			return "", errors.Join(err, fmt.Errorf("station %s declined its new %s, which stays valid: %w", s.station, authorizationKey, lost))
		}
	}
	return status, err
}

// declined reports whether a station surely did not take over a setting. An
// answer that cannot be read is no such word.
func declined(status string, err error) bool {
	if err == nil {
		return strings.EqualFold(status, "Rejected") || strings.EqualFold(status, "NotSupported")
	}
	if refusal, ok := errors.AsType[*StationError](err); ok {
		return !refusal.unread
	}
	return errors.Is(err, errNotSent) || errors.Is(err, leyden.ErrInvalid)
}
