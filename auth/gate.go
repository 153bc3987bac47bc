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
	operator   string
	now        func() time.Time
	log        *slog.Logger
	addresses  *throttle[netip.Prefix]
	identities *throttle[leyden.StationID]
}

// NewStationGate returns a gate. A mode that is not [AdmitOpen] admits as
// [AdmitRegistered].
func NewStationGate(c Config, mode Admission) *StationGate {
	return &StationGate{
		mode: mode, store: c.Store, secrets: c.Secrets, operator: c.Operator, now: c.Now, log: c.Log,
		addresses:  newThrottle[netip.Prefix](),
		identities: newThrottle[leyden.StationID](),
	}
}

// Admit returns nil if the station may connect. Otherwise it returns
// [ErrDenied], alike and at the same cost for a station that is not registered
// and for a wrong password; a [ThrottledError] after too many of those from the
// station's address or at its identity; or an error of the Store, upon which
// the station shall come back later. A [SuspectError] is an ErrDenied that
// operators should look at.
//
// What a station proves is a profile: [ProfileMutualTLS] by a certificate with
// its identity and the operator's name, whatever password comes with it, else
// [ProfileBasicTLS] or [ProfileBasic] by its password. A station with
// credentials must prove its registered profile, or the highest one that it ever
// proved, whichever is more. A certificate of another station or of another
// operator lets nobody in; one from before a station of that identity was removed
// proves nothing.
//
// When Admit returns nil two things are durable: a higher profile than before is
// the least from now on, and the first use of a password that the station was
// sent ([StationGate.Rotate]) has ended those before it.
func (g *StationGate) Admit(ctx context.Context, a leyden.Attempt) error {
	if !a.Station.Valid() {
		return g.deny(a, ErrDenied)
	}
	presented := g.secrets.stationHash(a.Station, password(a))
	c, err := g.store.StationCredential(ctx, a.Station)
	unknown := errors.Is(err, leyden.ErrNotFound)
	if err != nil && !unknown {
		return fmt.Errorf("credential of station %s: %w", a.Station, err)
	}
	// After the credential was read: what a removal has ended by then is known.
	ended, err := g.ended(ctx, &a)
	if err != nil {
		return err
	}
	current, next := c.proves(presented)
	proved := g.proved(a, current || next)
	switch {
	case a.HasCert && proved != ProfileMutualTLS:
		return g.deny(a, foreignCertificate(a))
	case unknown && g.mode == AdmitOpen:
		return nil
	case ended && (unknown || proved.Number() < c.least()):
		return g.deny(a, endedCertificate(a))
	case unknown || c.least() < 0 || proved == ProfileNone && c.Profile != ProfileNone:
		return g.deny(a, ErrDenied)
	case proved.Number() < c.least():
		return g.deny(a, tooLow(proved, c.least()))
	}
	if proved == ProfileNone {
		g.log.WarnContext(ctx, "station enters without a password, as it was registered", "station", a.Station)
	}
	if next || proved.Number() > c.least() {
		return g.note(ctx, a.Station, proved, presented)
	}
	return nil
}

// ended takes the certificate away from an attempt whose one is from before the
// station of its identity was removed, and reports whether that was so.
func (g *StationGate) ended(ctx context.Context, a *leyden.Attempt) (bool, error) {
	if g.proved(*a, false) != ProfileMutualTLS {
		return false, nil
	}
	since, err := certificatesSince(ctx, g.store, a.Station)
	if err != nil {
		return false, fmt.Errorf("certificates of station %s: %w", a.Station, err)
	}
	if !a.CertFrom.Before(since) {
		return false, nil
	}
	a.HasCert = false
	return true, nil
}

// proved returns the profile that an attempt proves, given whether it came with
// the station's password.
func (g *StationGate) proved(a leyden.Attempt, password bool) Profile {
	switch {
	case g.operator != "" && a.HasCert && a.CertName == string(a.Station) && a.CertOrg == g.operator:
		return ProfileMutualTLS
	case password && a.TLS:
		return ProfileBasicTLS
	case password:
		return ProfileBasic
	}
	return ProfileNone
}

// least returns the number of the profile that a station must prove at least, or
// -1 if none would do.
func (c *StationCredential) least() int {
	if c.Profile.Number() < 0 {
		return -1
	}
	return max(c.Profile.Number(), c.Proven.Number())
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

// note makes the profile that a station proved the least that lets it in, and
// the password that it used the current one.
func (g *StationGate) note(ctx context.Context, id leyden.StationID, proved Profile, presented Hash) error {
	var used, raised bool
	err := g.change(ctx, id, func(c *StationCredential) bool {
		used, raised = c.use(presented), c.raise(proved)
		return used || raised
	})
	if err != nil {
		return err
	}
	if used {
		g.log.InfoContext(ctx, "station uses its new password, the old one has ended", "station", id)
	}
	if raised {
		g.log.InfoContext(ctx, "station came at a higher security profile, which is the least from now on", "station", id, "profile", proved.Number())
	}
	return nil
}

// raise makes a profile the least that lets the station in, if it is more than
// that was.
func (c *StationCredential) raise(to Profile) bool {
	if to.Number() <= c.least() {
		return false
	}
	c.Proven = to
	return true
}

// deny counts a wrong guess and returns why it is one. The address comes first:
// one that is throttled does not use up the places of the identities it makes up.
func (g *StationGate) deny(a leyden.Attempt, why error) error {
	now := g.now()
	if err := g.addresses.wrong(Network(a.Addr), now); err != nil {
		return err
	}
	if !a.Station.Valid() {
		return why
	}
	id := leyden.StationID(strings.Clone(string(a.Station))) // it outlives the request it is a part of
	if err := g.identities.wrong(id, now); err != nil {
		return err
	}
	return why
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
