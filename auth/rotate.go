package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leyden"
)

// MaxNextPasswords is how many passwords that a station was sent and has not
// used may open the gate beside its current one. Beyond it the oldest is
// forgotten.
const MaxNextPasswords = 4

// Rotate makes password one with which a station may enter, beside the one that
// it has: call it before the station is sent the password, so that no answer
// that gets lost locks it out. It counts from the next attempt on. When the
// station first uses it, those that it had before are gone. takeBack undoes
// what Rotate did, for a station that refused the password; it never takes away
// one that is in use.
//
// Rotate fails with an [InvalidError] for what is no password, and for a station
// that has none to replace.
func (g *StationGate) Rotate(ctx context.Context, id leyden.StationID, password Secret) (takeBack func(context.Context) error, err error) {
	if err := password.check("value"); err != nil {
		return nil, err
	}
	next, added := g.secrets.stationHash(id, string(password)), false
	err = g.changePassword(ctx, id, func(c *StationCredential) bool {
		added = c.await(next)
		return added
	})
	if errors.Is(err, leyden.ErrNotFound) || errors.Is(err, errNoPassword) {
		return nil, &InvalidError{"value", "the station has no password yet: set its securityProfile and this password first, then send it"}
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if !added {
			return nil
		}
		return g.changePassword(ctx, id, func(c *StationCredential) bool { return c.forget(next) })
	}, nil
}

// changePassword is change for a station that has a password.
func (g *StationGate) changePassword(ctx context.Context, id leyden.StationID, f func(*StationCredential) bool) error {
	lacks := false
	err := g.change(ctx, id, func(c *StationCredential) bool {
		lacks = c.Hash == Hash{}
		return !lacks && f(c)
	})
	if err == nil && lacks {
		return errNoPassword
	}
	return err
}

// errNoPassword means that a station has none.
var errNoPassword = errors.New("station has no password")

// change saves what f makes of a station's credential, unless f reports that it
// changed nothing.
func (g *StationGate) change(ctx context.Context, id leyden.StationID, f func(*StationCredential) bool) error {
	err := decided(func() error {
		c, err := g.store.StationCredential(ctx, id)
		if err != nil || !f(&c) {
			return err
		}
		c.UpdatedAt = g.now().UTC().Truncate(time.Microsecond)
		c.Version++
		return g.store.SaveStationCredential(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("credential of station %s: %w", id, err)
	}
	return nil
}

// await adds a next password, unless the station may use it already.
func (c *StationCredential) await(next Hash) bool {
	if c.Hash == next || slices.Contains(c.Next, next) {
		return false
	}
	c.Next = append(c.Next[max(0, len(c.Next)-MaxNextPasswords+1):], next)
	return true
}

// forget takes a next password away.
func (c *StationCredential) forget(next Hash) bool {
	before := len(c.Next)
	c.Next = slices.DeleteFunc(c.Next, func(h Hash) bool { return h == next })
	return len(c.Next) < before
}

// use makes a next password the current one. Those that were sent before it are
// gone; one that was sent after it may still be on its way.
func (c *StationCredential) use(next Hash) bool {
	i := slices.Index(c.Next, next)
	if i < 0 {
		return false
	}
	c.Hash, c.Next = next, c.Next[i+1:]
	return true
}
