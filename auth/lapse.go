package auth

import (
	"errors"
	"fmt"
	"time"

	"leyden"
)

// What follows says why credentials that were right once are refused: it
// returns a [LapsedError], or nil.

func (k *KeyRecord) lapsed(now time.Time) error {
	return lapse{"API key", k.RevokedAt, k.DisabledAt, k.ExpiresAt}.at(now)
}

// replaced is about a key that was presented by its hash.
func (k *KeyRecord) replaced(presented Hash, now time.Time) error {
	if presented == k.Hash || now.Before(k.OldUntil) {
		return nil
	}
	return &LapsedError{"the API key was replaced by a new one"}
}

func (c *ClientRecord) lapsed(now time.Time) error {
	return lapse{"client", c.RevokedAt, c.DisabledAt, c.ExpiresAt}.at(now)
}

func (s *ClientSecret) lapsed(now time.Time) error {
	return lapse{what: "secret", expires: s.ExpiresAt}.at(now)
}

// A lapse is when a credential ends, in which way. Zero times are never.
type lapse struct {
	what                       string
	revoked, disabled, expires time.Time
}

func (l lapse) at(now time.Time) error {
	switch {
	case !l.revoked.IsZero():
		return &LapsedError{fmt.Sprintf("the %s is revoked", l.what)}
	case !l.disabled.IsZero():
		return &LapsedError{fmt.Sprintf("the %s is disabled", l.what)}
	case !l.expires.IsZero() && !now.Before(l.expires):
		return &LapsedError{fmt.Sprintf("the %s expired at %s", l.what, l.expires.UTC().Format(time.RFC3339))}
	}
	return nil
}

// unknown returns the error of looking a credential up that must be there.
func unknown(err error) error {
	if errors.Is(err, leyden.ErrNotFound) {
		return &LapsedError{"the credential is no longer there"}
	}
	if err != nil {
		return fmt.Errorf("look up credential: %w", err)
	}
	return nil
}
