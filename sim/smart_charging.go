package sim

import (
	"math"
	"slices"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

const (
	maxStackLevel = 10
	maxPeriods    = 24
	maxProfiles   = 20
)

// smartCommand answers the messages of the profile Smart Charging.
func (s *station) smartCommand(req ocpp.Request, now time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.SetChargingProfile:
		if !s.fits(m.ConnectorID, &m.CSChargingProfiles) || !s.install(m.ConnectorID, &m.CSChargingProfiles, now) {
			return &v16.SetChargingProfileResponse{Status: v16.ChargingProfileStatusRejected}, nil
		}
		return &v16.SetChargingProfileResponse{Status: v16.ChargingProfileStatusAccepted}, s.regulate
	case *v16.ClearChargingProfile:
		if !s.clearProfiles(m) {
			return &v16.ClearChargingProfileResponse{Status: v16.ClearChargingProfileStatusUnknown}, nil
		}
		return &v16.ClearChargingProfileResponse{Status: v16.ClearChargingProfileStatusAccepted}, s.regulate
	case *v16.GetCompositeSchedule:
		return s.composite(m, now), nil
	}
	return nil, nil
}

// fits reports whether a profile may be set on a connector (OCPP 1.6 §5.16).
func (s *station) fits(connector int, p *v16.ChargingProfile) bool {
	c := s.connector(connector)
	if connector != 0 && c == nil || !usable(p) {
		return false
	}
	switch p.ChargingProfilePurpose {
	case v16.ChargingProfilePurposeChargePointMaxProfile:
		return connector == 0
	case v16.ChargingProfilePurposeTxProfile:
		return c != nil && c.charge != nil && (!p.TransactionID.Set || p.TransactionID.Value == c.charge.id)
	}
	return true
}

// usable reports whether a station can do what a profile says.
func usable(p *v16.ChargingProfile) bool {
	schedule := &p.ChargingSchedule
	periods := schedule.ChargingSchedulePeriod
	if p.StackLevel < 0 || p.StackLevel > maxStackLevel || len(periods) == 0 || len(periods) > maxPeriods || periods[0].StartPeriod != 0 {
		return false
	}
	if schedule.Duration.Set && schedule.Duration.Value <= 0 {
		return false
	}
	recurring := p.ChargingProfileKind == v16.ChargingProfileKindRecurring
	if recurring && (!p.RecurrencyKind.Set || !schedule.StartSchedule.Set) {
		return false
	}
	for i, period := range periods {
		if period.Limit < 0 || i > 0 && period.StartPeriod <= periods[i-1].StartPeriod {
			return false
		}
	}
	return true
}

// install puts a profile in the place of those that it replaces (OCPP 1.6 §5.16). It
// returns false when there is no room.
func (s *station) install(connector int, p *v16.ChargingProfile, now time.Time) bool {
	left := slices.DeleteFunc(slices.Clone(s.profiles), func(old profile) bool {
		place := old.connector == connector && old.ChargingProfilePurpose == p.ChargingProfilePurpose && old.StackLevel == p.StackLevel
		return place || old.ChargingProfileID == p.ChargingProfileID
	})
	if len(left) >= maxProfiles {
		return false
	}
	s.profiles = append(left, profile{*p, connector, now})
	return true
}

// clearProfiles takes away the profiles that m means (OCPP 1.6 §5.5), and reports
// whether there were any.
func (s *station) clearProfiles(m *v16.ClearChargingProfile) bool {
	n := len(s.profiles)
	s.profiles = slices.DeleteFunc(s.profiles, func(p profile) bool {
		if id, ok := m.ID.Get(); ok {
			return p.ChargingProfileID == id
		}
		return p.connector == m.ConnectorID.Or(p.connector) && p.StackLevel == m.StackLevel.Or(p.StackLevel) &&
			p.ChargingProfilePurpose == m.ChargingProfilePurpose.Or(p.ChargingProfilePurpose)
	})
	return len(s.profiles) < n
}

// endProfiles takes away what was for one charge on a connector.
func (s *station) endProfiles(c *connector) {
	s.profiles = slices.DeleteFunc(s.profiles, func(p profile) bool {
		return p.connector == c.id && p.ChargingProfilePurpose == v16.ChargingProfilePurposeTxProfile
	})
}

// composite tells what a connector may draw in the time to come (OCPP 1.6 §5.7).
func (s *station) composite(m *v16.GetCompositeSchedule, now time.Time) *v16.GetCompositeScheduleResponse {
	c := s.connector(m.ConnectorID)
	if m.ConnectorID != 0 && c == nil || m.Duration <= 0 {
		return &v16.GetCompositeScheduleResponse{Status: v16.GenericStatusRejected}
	}
	charged := now
	if c != nil && c.charge != nil {
		charged = c.charge.StartedAt
	}
	allowed := func(t time.Time) float64 {
		if c == nil {
			return s.allowedAll(t, charged)
		}
		return s.allowed(c, t, charged)
	}
	schedule := v16.ChargingSchedule{ChargingRateUnit: m.ChargingRateUnit.Or(v16.ChargingRateUnitW)}
	duration := min(seconds(m.Duration), week)
	var periods []v16.ChargingSchedulePeriod
	for _, t := range append([]time.Time{now}, s.edges(now, now.Add(duration-time.Second), charged)...) {
		start := int(math.Ceil(t.Sub(now).Seconds()))
		limit := s.inUnit(allowed(now.Add(seconds(start))), schedule.ChargingRateUnit)
		if n := len(periods); n > 0 && (periods[n-1].Limit == limit || periods[n-1].StartPeriod == start) {
			continue
		}
		periods = append(periods, v16.ChargingSchedulePeriod{StartPeriod: start, Limit: limit})
	}
	if len(periods) > maxPeriods { // what it can tell is shorter then
		duration = seconds(periods[maxPeriods].StartPeriod)
		periods = periods[:maxPeriods]
	}
	schedule.Duration, schedule.ChargingSchedulePeriod = ocpp.Some(int(duration/time.Second)), periods
	return &v16.GetCompositeScheduleResponse{
		Status: v16.GenericStatusAccepted, ConnectorID: ocpp.Some(m.ConnectorID),
		ScheduleStart: ocpp.Some(now), ChargingSchedule: ocpp.Some(schedule),
	}
}

// inUnit returns W in a unit of limits, with one decimal and never more.
func (s *station) inUnit(w float64, unit v16.ChargingRateUnit) float64 {
	if unit == v16.ChargingRateUnitA {
		w = s.amperes(w)
	}
	const rounding = 1e-6 // of floating point: 16 A stay 16 A
	return math.Floor(w*10+rounding) / 10
}
