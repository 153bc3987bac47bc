package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"leyden"
)

// An Admission says which stations may connect.
type Admission string

// The modes of admission, in the words of the command line.
const (
	AdmitRegistered Admission = "registered" // registered stations that prove who they are
	AdmitOpen       Admission = "open"       // any station; one that has a password must use it
)

// A StationGate decides whether a station may connect. It may be used by
// several goroutines.
type StationGate struct {
	mode       Admission
	store      StationStore
	secrets    Secrets
	now        func() time.Time
	log        *slog.Logger
	addresses  *throttle[netip.Prefix]
	identities *throttle[leyden.StationID]
}

// NewStationGate returns a gate. A mode that is not [AdmitOpen] admits as
// [AdmitRegistered].
func NewStationGate(c Config, mode Admission) *StationGate {
	return &StationGate{
		mode: mode, store: c.Store, secrets: c.Secrets, now: c.Now, log: c.Log,
		addresses:  newThrottle[netip.Prefix](),
		identities: newThrottle[leyden.StationID](),
	}
}

// Admit returns nil if the station may connect. Otherwise it returns
// [ErrDenied], alike and at the same cost for a station that is not registered
// and for a wrong password; a [ThrottledError] after too many of those from the
// station's address or at its identity; or an error of the Store, upon which
// the station shall come back later. The first use of a password that the
// station was sent ([StationGate.Rotate]) ends those before it, durably when
// Admit returns nil.
func (g *StationGate) Admit(ctx context.Context, a leyden.Attempt) error {
	if !a.Station.Valid() {
		return g.deny(a)
	}
	presented := g.secrets.stationHash(a.Station, password(a))
	c, err := g.store.StationCredential(ctx, a.Station)
	unknown := errors.Is(err, leyden.ErrNotFound)
	if err != nil && !unknown {
		return fmt.Errorf("credential of station %s: %w", a.Station, err)
	}
	current, next := c.proves(presented)
	if !g.lets(c, unknown, current || next, a.TLS) {
		return g.deny(a)
	}
	if c.Profile == ProfileNone {
		g.log.WarnContext(ctx, "station enters without a password, as it was registered", "station", a.Station)
	}
	if next {
		return g.use(ctx, a.Station, presented)
	}
	return nil
}

// proves reports whether a hash is that of the station's password, or of one
// that it was sent and has not used yet.
func (c *StationCredential) proves(presented Hash) (current, next bool) {
	equal := 0
	for _, h := range c.Next {
		equal |= subtle.ConstantTimeCompare(h[:], presented[:])
	}
	return subtle.ConstantTimeCompare(c.Hash[:], presented[:]) == 1, equal == 1
}

// lets decides whether a station enters that proved to know its password.
func (g *StationGate) lets(c StationCredential, unknown, proved, overTLS bool) bool {
	if unknown {
		return g.mode == AdmitOpen
	}
	switch c.Profile {
	case ProfileNone:
		return true
	case ProfileBasic:
		return proved
	case ProfileBasicTLS:
		return proved && overTLS
	}
	return false
}

// deny counts a wrong guess. The address comes first: one that is throttled
// does not use up the places of the identities it makes up.
func (g *StationGate) deny(a leyden.Attempt) error {
	now := g.now()
	if err := g.addresses.wrong(network(a.Addr), now); err != nil {
		return err
	}
	if !a.Station.Valid() {
		return ErrDenied
	}
	id := leyden.StationID(strings.Clone(string(a.Station))) // it outlives the request it is a part of
	if err := g.identities.wrong(id, now); err != nil {
		return err
	}
	return ErrDenied
}

// password returns the password of an attempt whose user name is the
// identity, else "", which nobody has. An identity may hold colons, at the first
// of which Basic credentials are split (RFC 7617 §2): they are put together
// again.
func password(a leyden.Attempt) string {
	if !a.HasBasic {
		return ""
	}
	p, ok := strings.CutPrefix(a.User+":"+a.Password, string(a.Station)+":")
	if !ok {
		return ""
	}
	return p
}
