package csms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leyden"
	"leyden/device"
)

// A CompositeRequest asks which limits will hold on a connector.
type CompositeRequest struct {
	Connector int
	Duration  int    // seconds
	Unit      string // of limits, W or A; "": as the station likes
}

// A CompositeSchedule is the limits that a station says will hold.
type CompositeSchedule struct {
	Status    string
	Connector *int                     // nil when the station does not say
	StartAt   time.Time                // zero when the station does not say
	Schedule  *device.ChargingSchedule // nil for none
}

// A smartChargingDialect sends the messages of Smart Charging and returns the
// station's word.
type smartChargingDialect struct {
	set       func(ctx context.Context, s *session, connector int, p *device.ChargingProfile) (string, error)
	clear     func(ctx context.Context, s *session, f device.ProfileFilter) (string, error)
	composite func(ctx context.Context, s *session, r CompositeRequest) (CompositeSchedule, error)
}

// SetChargingProfile installs a charging profile on a connector, or with 0 on the
// whole station. It fails with a [*device.FieldError] for one that OCPP does not
// know.
func (srv *Server) SetChargingProfile(ctx context.Context, id leyden.StationID, connector int, p device.ChargingProfile) (string, error) {
	if err := p.Check(connector); err != nil {
		return "", err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.smart.set(ctx, s, connector, &p)
}

// ClearChargingProfiles takes installed charging profiles away.
func (srv *Server) ClearChargingProfiles(ctx context.Context, id leyden.StationID, f device.ProfileFilter) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.smart.clear(ctx, s, f)
}

// CompositeSchedule asks a station which limits all its profiles amount to.
func (srv *Server) CompositeSchedule(ctx context.Context, id leyden.StationID, r CompositeRequest) (CompositeSchedule, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return CompositeSchedule{}, err
	}
	return s.dialect.smart.composite(ctx, s, r)
}

// InstalledProfiles returns the charging profiles that a station accepted, by
// connector, purpose and stack level, without those of transactions that have
// ended: the station forgot them (OCPP 1.6 §3.13.1).
func (srv *Server) InstalledProfiles(ctx context.Context, id leyden.StationID) ([]device.InstalledProfile, error) {
	if srv.opt.Devices == nil {
		return nil, nil
	}
	all, err := srv.opt.Devices.InstalledProfiles(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("charging profiles of station %s: %w", id, err)
	}
	var installed []device.InstalledProfile
	for _, p := range all {
		gone, err := srv.hasEnded(ctx, p.Profile.Transaction)
		if err != nil {
			return nil, err
		}
		if !gone {
			installed = append(installed, p)
		}
	}
	return installed, nil
}

// hasEnded reports whether a transaction is known and over.
func (srv *Server) hasEnded(ctx context.Context, id leyden.TransactionID) (bool, error) {
	if id == 0 {
		return false, nil
	}
	t, err := srv.ledger.Store().Transaction(ctx, id)
	if errors.Is(err, leyden.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("transaction %d: %w", id, err)
	}
	return !t.Status.Open(), nil
}

// keepProfile keeps a charging profile that the station accepted. One for
// whichever transaction runs is kept as that of the one that does.
func (s *session) keepProfile(ctx context.Context, connector int, p device.ChargingProfile) {
	store := s.srv.opt.Devices
	if store == nil {
		return
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	if p.Purpose == device.TxProfile && p.Transaction == 0 {
		p.Transaction = s.openOn(ctx, connector)
	}
	err := store.InstallProfile(ctx, device.InstalledProfile{
		Station: s.station, Connector: connector, Profile: p, By: callerOf(ctx), InstalledAt: s.srv.ledger.Now(),
	})
	if err != nil {
		s.srv.log.WarnContext(ctx, "charging profile not kept", "station", s.station, "profile", p.ID, "error", err)
	}
}

// openOn returns the youngest open transaction on a connector, or 0.
func (s *session) openOn(ctx context.Context, connector int) leyden.TransactionID {
	page, err := s.srv.ledger.Store().Transactions(ctx, leyden.Query{
		Station: s.station, Connector: connector, Statuses: []leyden.Status{leyden.Pending, leyden.Active, leyden.Stopping}, Limit: 1,
	})
	if err != nil {
		s.srv.log.WarnContext(ctx, "transaction of a charging profile not found", "station", s.station, "error", err)
	}
	if len(page.Transactions) == 0 {
		return 0
	}
	return page.Transactions[0].ID
}

// forgetProfiles forgets charging profiles that the station does not have any more.
func (s *session) forgetProfiles(ctx context.Context, f device.ProfileFilter) {
	store := s.srv.opt.Devices
	if store == nil {
		return
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	if err := store.ClearProfiles(ctx, s.station, f); err != nil {
		s.srv.log.WarnContext(ctx, "charging profiles not forgotten", "station", s.station, "error", err)
	}
}
