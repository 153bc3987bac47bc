package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"leyden"
)

// Lengths of a station's password that is given instead of minted.
const (
	MinPassword = 16
	MaxPassword = 40
)

// A StationSpec says how a station shall prove who it is.
type StationSpec struct {
	Station  leyden.StationID
	Profile  Profile // "" means ProfileBasic
	Password Secret  // "" means mint one; else 16 to 40 printable ASCII characters
}

// SetStation registers a station, or replaces how it proves who it is. It
// returns the station's password, here and never again; "" under
// [ProfileNone]. It fails with an [InvalidError].
func (r *Registrar) SetStation(ctx context.Context, spec StationSpec) (Secret, error) {
	spec, err := spec.complete()
	if err != nil {
		return "", err
	}
	err = decided(func() error { return r.saveStation(ctx, spec) })
	if err != nil {
		return "", fmt.Errorf("station %s: %w", spec.Station, err)
	}
	return spec.Password, nil
}

// Station returns how a station proves who it is, or [leyden.ErrNotFound].
func (r *Registrar) Station(ctx context.Context, id leyden.StationID) (StationCredential, error) {
	return r.Store.StationCredential(ctx, id)
}

// DeleteStation makes a station unknown. It fails with [leyden.ErrNotFound].
func (r *Registrar) DeleteStation(ctx context.Context, id leyden.StationID) error {
	return r.Store.DeleteStationCredential(ctx, id)
}

// complete checks s and fills in what it leaves to us.
func (s StationSpec) complete() (StationSpec, error) {
	if !s.Station.Valid() {
		return s, &InvalidError{"chargeBoxId", "must have 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + - and not begin with chg_"}
	}
	if s.Profile == "" {
		s.Profile = ProfileBasic
	}
	if s.Profile.Number() < 0 {
		return s, &InvalidError{"securityProfile", "must be 0, 1 or 2"}
	}
	if s.Profile == ProfileNone {
		return s, s.checkNoPassword()
	}
	if s.Password == "" {
		s.Password = mintPassword()
	}
	return s, s.Password.check("password")
}

func (s StationSpec) checkNoPassword() error {
	if s.Password != "" {
		return &InvalidError{"password", "has no use under security profile 0"}
	}
	return nil
}

// check says what keeps s, which a field of a request holds, from being a
// station's password.
func (s Secret) check(field string) error {
	if len(s) < MinPassword || len(s) > MaxPassword || !printable(strings.ReplaceAll(string(s), " ", "_")) {
		return &InvalidError{field, "must have 16 to 40 printable ASCII characters"}
	}
	return nil
}

func (r *Registrar) saveStation(ctx context.Context, spec StationSpec) error {
	c, err := r.Store.StationCredential(ctx, spec.Station)
	now := r.time()
	if errors.Is(err, leyden.ErrNotFound) {
		c, err = StationCredential{Station: spec.Station, CreatedAt: now}, nil
	}
	if err != nil {
		return err
	}
	c.Profile, c.Hash, c.Next, c.UpdatedAt = spec.Profile, Hash{}, nil, now
	if spec.Profile != ProfileNone {
		c.Hash = r.Secrets.stationHash(spec.Station, string(spec.Password))
	}
	c.Version++
	return r.Store.SaveStationCredential(ctx, c)
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
