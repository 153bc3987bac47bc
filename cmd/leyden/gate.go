package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leyden"
	"leyden/auth"
)

// A gate speaks for auth's gate in the terms of package csms: a denial is a
// denial, a throttled guess says how long to wait, and whatever else went wrong
// means that nothing could be decided.
type gate struct{ *auth.StationGate }

// Admit implements csms.Gate.
func (g gate) Admit(ctx context.Context, a leyden.Attempt) error {
	err := g.StationGate.Admit(ctx, a)
	if err == nil || errors.Is(err, auth.ErrDenied) {
		return err
	}
	if guess, ok := errors.AsType[*auth.ThrottledError](err); ok {
		return throttled{guess}
	}
	return fmt.Errorf("%w: %w", leyden.ErrUnavailable, err)
}

// Rotate implements csms.Gate.
func (g gate) Rotate(ctx context.Context, id leyden.StationID, password string) (takeBack func(context.Context) error, err error) {
	takeBack, err = g.StationGate.Rotate(ctx, id, auth.Secret(password))
	if err == nil || errors.Is(err, leyden.ErrInvalid) {
		return takeBack, err
	}
	return nil, fmt.Errorf("%w: %w", leyden.ErrUnavailable, err)
}

type throttled struct{ err *auth.ThrottledError }

func (t throttled) Error() string { return t.err.Error() }

// RetryAfter is how long a guesser shall wait.
func (t throttled) RetryAfter() time.Duration { return t.err.RetryAfter }
