package auth

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"leyden"
)

// Lengths of a station's password that is given instead of minted.
const (
	MinPassword = 16
	MaxPassword = 40
)

// A StationSpec says how a station shall prove who it is.
type StationSpec struct {
	Station leyden.StationID
	// Profile is the least that lets it in; whatever it proved before is
	// forgotten. "" leaves both as they are, and means ProfileBasic for a station
	// without credentials.
	Profile Profile
	// Password is 16 to 40 printable ASCII characters; "" means mint one.
	Password Secret
	// KeepPassword, without a Password, leaves the one that the station has, and
	// those that it was sent, as they are. One is minted only if the profile needs
	// it and there is none.
	KeepPassword bool
}

// SetStation registers a station, or replaces how it proves who it is. It
// returns the station's new password, here and never again; "" when it gets
// none, as it must not under [ProfileNone]. It fails with an [InvalidError].
func (r *Registrar) SetStation(ctx context.Context, spec StationSpec) (made Secret, err error) {
	if err := spec.Check(); err != nil {
		return "", err
	}
	err = decided(func() error {
		made, err = r.saveStation(ctx, spec)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("station %s: %w", spec.Station, err)
	}
	return made, nil
}

// Station returns how a station proves who it is, or [leyden.ErrNotFound].
func (r *Registrar) Station(ctx context.Context, id leyden.StationID) (StationCredential, error) {
	return r.Store.StationCredential(ctx, id)
}

// DeleteStation makes a station unknown. It fails with [leyden.ErrNotFound].
func (r *Registrar) DeleteStation(ctx context.Context, id leyden.StationID) error {
	return r.Store.DeleteStationCredential(ctx, id)
}

// CertificatesSince returns from when certificates of a station prove anything:
// what begins before was given to one of its identity that was removed. It is in
// whole seconds, as certificates are; the zero time means from ever.
func (r *Registrar) CertificatesSince(ctx context.Context, id leyden.StationID) (time.Time, error) {
	return certificatesSince(ctx, r.Store, id)
}

func certificatesSince(ctx context.Context, s StationStore, id leyden.StationID) (time.Time, error) {
	removed, err := s.LastRemoved(ctx, id)
	if err != nil || removed.IsZero() {
		return time.Time{}, err
	}
	return removed.Truncate(time.Second).Add(time.Second), nil
}

// Check returns an [InvalidError] for what cannot be, whatever the station has now.
func (s *StationSpec) Check() error {
	if !s.Station.Valid() {
		return &InvalidError{"chargeBoxId", "must have 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + - and not begin with chg_"}
	}
	if s.Profile != "" && s.Profile.Number() < 0 {
		return &InvalidError{"securityProfile", profileRange}
	}
	switch {
	case s.Password == "":
		return nil
	case s.Profile == ProfileNone:
		return &InvalidError{"password", "has no use under security profile 0"}
	}
	return s.Password.check("password")
}

// check says what keeps s, which a field of a request holds, from being a
// station's password.
func (s Secret) check(field string) error {
	if len(s) < MinPassword || len(s) > MaxPassword || !printable(strings.ReplaceAll(string(s), " ", "_")) {
		return &InvalidError{field, "must have 16 to 40 printable ASCII characters"}
	}
	return nil
}

// saveStation decides on what the station has now, and returns its new password.
func (r *Registrar) saveStation(ctx context.Context, spec StationSpec) (Secret, error) {
	c, err := r.Store.StationCredential(ctx, spec.Station)
	now := r.time()
	if errors.Is(err, leyden.ErrNotFound) {
		c, err = StationCredential{Station: spec.Station, CreatedAt: now}, nil
	}
	if err != nil {
		return "", err
	}
	if spec.Profile != "" {
		c.Profile, c.Proven = spec.Profile, ""
	}
	c.Profile = cmp.Or(c.Profile, ProfileBasic)
	password, err := c.renew(spec)
	if err != nil {
		return "", err
	}
	if password != "" {
		c.Hash = r.Secrets.stationHash(c.Station, string(password))
	}
	c.UpdatedAt = now
	c.Version++
	return password, r.Store.SaveStationCredential(ctx, c)
}

// renew takes the passwords away that spec does not keep and returns the new
// one, if there is to be one.
func (c *StationCredential) renew(spec StationSpec) (Secret, error) {
	if c.Profile == ProfileNone && spec.Password != "" {
		return "", &InvalidError{"password", "has no use under security profile 0"}
	}
	needless := c.Profile == ProfileMutualTLS || c.Profile != ProfileNone && c.Hash != Hash{}
	if spec.KeepPassword && spec.Password == "" && needless {
		return "", nil
	}
	c.Hash, c.Next = Hash{}, nil
	if spec.Password != "" || c.Profile == ProfileNone {
		return spec.Password, nil
	}
	return mintPassword(), nil
}

// stationHash returns the hash of a station's password. A password in hex and
// the bytes it stands for have the same one: some stations log in with the
// digits they were given, some with the 16 to 20 bytes (OCPP 1.6 security white
// paper, AuthorizationKey).
func (s Secrets) stationHash(id leyden.StationID, password string) Hash {
	if len(password) >= 32 && len(password) <= 40 {
		if b, err := hex.DecodeString(password); err == nil {
			password = string(b)
		}
	}
	return s.hash("station", string(id), password)
}
