package csms

import (
	"context"
	"strings"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

func setChargingProfile16(ctx context.Context, s *session, connector int, p *device.ChargingProfile) (string, error) {
	var res v16.SetChargingProfileResponse
	err := s.call(ctx, &v16.SetChargingProfile{ConnectorID: connector, CSChargingProfiles: profile16(p)}, &res)
	return string(res.Status), err
}

func clearChargingProfiles16(ctx context.Context, s *session, f device.ProfileFilter) (string, error) {
	var res v16.ClearChargingProfileResponse
	err := s.call(ctx, &v16.ClearChargingProfile{
		ID: given(f.ID), ConnectorID: given(f.Connector), StackLevel: given(f.StackLevel),
		ChargingProfilePurpose: someUnlessZero(v16.ChargingProfilePurpose(f.Purpose)),
	}, &res)
	return string(res.Status), err
}

func compositeSchedule16(ctx context.Context, s *session, r CompositeRequest) (CompositeSchedule, error) {
	var res v16.GetCompositeScheduleResponse
	err := s.call(ctx, &v16.GetCompositeSchedule{
		ConnectorID: r.Connector, Duration: r.Duration, ChargingRateUnit: someUnlessZero(v16.ChargingRateUnit(r.Unit)),
	}, &res)
	out := CompositeSchedule{Status: string(res.Status), Connector: pointer(res.ConnectorID), StartAt: res.ScheduleStart.Value}
	if schedule, ok := res.ChargingSchedule.Get(); ok {
		out.Schedule = new(scheduleOf16(&schedule))
	}
	return out, err
}

// startableWith16 refuses a charging profile that a remote start cannot carry: it
// is for the transaction that begins, whose number nobody knows yet (OCPP 1.6
// §5.11, §5.16.2).
func startableWith16(connector int, p *device.ChargingProfile) error {
	if err := p.Check(connector); err != nil {
		return err
	}
	if p.Purpose != device.TxProfile {
		return &device.FieldError{Field: "chargingProfilePurpose", Reason: "must be TxProfile in a remote start"}
	}
	if p.Transaction != 0 {
		return &device.FieldError{Field: "transactionId", Reason: "must not be there in a remote start"}
	}
	return nil
}

func keptProfile16(ctx context.Context, s *session, request, answer string) {
	var req v16.SetChargingProfile
	var res v16.SetChargingProfileResponse
	if exchanged16(&req, request, &res, answer) && strings.EqualFold(string(res.Status), accepted) {
		s.keepProfile(ctx, req.ConnectorID, profileOf16(&req.CSChargingProfiles))
	}
}

// keptStart16 keeps the charging profile that came with a remote start, as that of
// the transaction that waits for it.
func keptStart16(ctx context.Context, s *session, request, answer string) {
	var req v16.RemoteStartTransaction
	var res v16.RemoteStartTransactionResponse
	if !exchanged16(&req, request, &res, answer) || !strings.EqualFold(string(res.Status), accepted) {
		return
	}
	p, with := req.ChargingProfile.Get()
	connector, told := req.ConnectorID.Get()
	if with && told && s.openOn(ctx, connector) != 0 { // otherwise nobody knows how long it lives
		s.keepProfile(ctx, connector, profileOf16(&p))
	}
}

// keptClearing16 forgets the profiles that were cleared, also those of which the
// station knows nothing.
func keptClearing16(ctx context.Context, s *session, request, answer string) {
	var req v16.ClearChargingProfile
	var res v16.ClearChargingProfileResponse
	if !exchanged16(&req, request, &res, answer) || !res.Status.Known() {
		return
	}
	s.forgetProfiles(ctx, device.ProfileFilter{
		ID: pointer(req.ID), Connector: pointer(req.ConnectorID), StackLevel: pointer(req.StackLevel),
		Purpose: string(req.ChargingProfilePurpose.Value),
	})
}

// profile16 says a charging profile in the words of OCPP 1.6.
func profile16(p *device.ChargingProfile) v16.ChargingProfile {
	m := v16.ChargingProfile{
		ChargingProfileID: p.ID, TransactionID: someUnlessZero(int(p.Transaction)), StackLevel: p.StackLevel,
		ChargingProfilePurpose: v16.ChargingProfilePurpose(p.Purpose),
		ChargingProfileKind:    v16.ChargingProfileKind(p.Kind),
		RecurrencyKind:         someUnlessZero(v16.RecurrencyKind(p.Recurrency)),
		ValidFrom:              someUnlessZero(p.ValidFrom),
		ValidTo:                someUnlessZero(p.ValidTo),
		ChargingSchedule: v16.ChargingSchedule{
			Duration:         someUnlessZero(p.Schedule.Duration),
			StartSchedule:    someUnlessZero(p.Schedule.StartAt),
			ChargingRateUnit: v16.ChargingRateUnit(p.Schedule.Unit),
			MinChargingRate:  someUnlessZero(p.Schedule.MinRate),
		},
	}
	for _, period := range p.Schedule.Periods {
		m.ChargingSchedule.ChargingSchedulePeriod = append(m.ChargingSchedule.ChargingSchedulePeriod, v16.ChargingSchedulePeriod{
			StartPeriod: period.Start, Limit: period.Limit, NumberPhases: someUnlessZero(period.Phases),
		})
	}
	return m
}

// profileOf16 returns the charging profile that a message carries.
func profileOf16(m *v16.ChargingProfile) device.ChargingProfile {
	return device.ChargingProfile{
		ID: m.ChargingProfileID, StackLevel: m.StackLevel,
		Purpose:     string(m.ChargingProfilePurpose),
		Kind:        string(m.ChargingProfileKind),
		Recurrency:  string(m.RecurrencyKind.Value),
		ValidFrom:   m.ValidFrom.Value,
		ValidTo:     m.ValidTo.Value,
		Transaction: transactionOf16(m.TransactionID),
		Schedule:    scheduleOf16(&m.ChargingSchedule),
	}
}

// transactionOf16 returns the number of a transaction, or 0 for what can be none.
func transactionOf16(o ocpp.Opt[int]) leyden.TransactionID {
	if n := o.Or(0); n == int(leyden.TransactionID(n)) && n > 0 {
		return leyden.TransactionID(n)
	}
	return 0
}

func scheduleOf16(m *v16.ChargingSchedule) device.ChargingSchedule {
	s := device.ChargingSchedule{
		Duration: m.Duration.Value, StartAt: m.StartSchedule.Value, Unit: string(m.ChargingRateUnit), MinRate: m.MinChargingRate.Value,
	}
	for _, p := range m.ChargingSchedulePeriod {
		s.Periods = append(s.Periods, device.ChargingPeriod{Start: p.StartPeriod, Limit: p.Limit, Phases: p.NumberPhases.Value})
	}
	return s
}

// someUnlessZero returns a value that is absent when it is zero.
func someUnlessZero[T comparable](v T) ocpp.Opt[T] { return ocpp.Opt[T]{Value: v, Set: v != *new(T)} }
