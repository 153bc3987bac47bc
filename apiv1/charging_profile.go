package apiv1

import (
	"errors"

	"leyden"
	"leyden/device"
	"leyden/rest"
)

// profileInput is a charging profile that a client sends, in OCPP's words. What
// its fields mean for each other is the business of [device.ChargingProfile.Check].
type profileInput struct {
	ChargingProfileID      int           `json:"chargingProfileId" minimum:"-2147483648" maximum:"2147483647" doc:"Its number; another one with the same number is replaced." example:"1"`
	TransactionID          int           `json:"transactionId,omitempty" minimum:"1" maximum:"2147483647" doc:"Only of a TxProfile: the transaction it is for; else whichever runs on the connector."`
	StackLevel             int           `json:"stackLevel" minimum:"0" maximum:"2147483647" doc:"Of two profiles of one purpose the higher level counts." example:"0"`
	ChargingProfilePurpose string        `json:"chargingProfilePurpose" enum:"ChargePointMaxProfile,TxDefaultProfile,TxProfile" example:"TxDefaultProfile"`
	ChargingProfileKind    string        `json:"chargingProfileKind" enum:"Absolute,Recurring,Relative" example:"Relative"`
	RecurrencyKind         string        `json:"recurrencyKind,omitempty" enum:"Daily,Weekly" doc:"Of a Recurring profile."`
	ValidFrom              rest.Time     `json:"validFrom,omitzero" doc:"From now on when absent."`
	ValidTo                rest.Time     `json:"validTo,omitzero" doc:"Until it is replaced when absent."`
	ChargingSchedule       scheduleInput `json:"chargingSchedule"`
}

// scheduleInput is the limits of a profileInput over time.
type scheduleInput struct {
	Duration               int           `json:"duration,omitempty" minimum:"1" maximum:"2147483647" doc:"In seconds; as long as the profile is valid when absent." example:"86400"`
	StartSchedule          rest.Time     `json:"startSchedule,omitzero" doc:"Where an Absolute or a Recurring schedule begins; a Relative one begins with the charge."`
	ChargingRateUnit       string        `json:"chargingRateUnit" enum:"A,W" doc:"Of the limits." example:"A"`
	ChargingSchedulePeriod []periodInput `json:"chargingSchedulePeriod" minItems:"1" maxItems:"1024"`
	MinChargingRate        float64       `json:"minChargingRate,omitempty" minimum:"0" doc:"What the vehicle needs at least; one decimal." example:"6"`
}

// periodInput is one step of a scheduleInput.
type periodInput struct {
	StartPeriod  int     `json:"startPeriod" minimum:"0" maximum:"2147483647" doc:"Seconds from the begin of the schedule; 0 in the first one." example:"0"`
	Limit        float64 `json:"limit" minimum:"0" maximum:"100000000" doc:"With one decimal at most." example:"16"`
	NumberPhases int     `json:"numberPhases,omitempty" minimum:"1" maximum:"3" doc:"3 when absent." example:"3"`
}

// profile returns what was sent.
func (in *profileInput) profile() device.ChargingProfile {
	p := device.ChargingProfile{
		ID: in.ChargingProfileID, StackLevel: in.StackLevel,
		Purpose: in.ChargingProfilePurpose, Kind: in.ChargingProfileKind, Recurrency: in.RecurrencyKind,
		ValidFrom: in.ValidFrom.Time, ValidTo: in.ValidTo.Time, Transaction: leyden.TransactionID(in.TransactionID),
		Schedule: device.ChargingSchedule{
			Duration: in.ChargingSchedule.Duration, StartAt: in.ChargingSchedule.StartSchedule.Time,
			Unit: in.ChargingSchedule.ChargingRateUnit, MinRate: in.ChargingSchedule.MinChargingRate,
		},
	}
	for _, period := range in.ChargingSchedule.ChargingSchedulePeriod {
		p.Schedule.Periods = append(p.Schedule.Periods, device.ChargingPeriod{Start: period.StartPeriod, Limit: period.Limit, Phases: period.NumberPhases})
	}
	return p
}

// chargingProfile is how v1 shows a [device.ChargingProfile].
type chargingProfile struct {
	ChargingProfileID      int              `json:"chargingProfileId" example:"1"`
	TransactionID          *int             `json:"transactionId" doc:"The transaction that a TxProfile is for."`
	StackLevel             int              `json:"stackLevel" example:"0"`
	ChargingProfilePurpose string           `json:"chargingProfilePurpose" example:"TxDefaultProfile"`
	ChargingProfileKind    string           `json:"chargingProfileKind" example:"Relative"`
	RecurrencyKind         *string          `json:"recurrencyKind"`
	ValidFrom              rest.Time        `json:"validFrom"`
	ValidTo                rest.Time        `json:"validTo"`
	ChargingSchedule       chargingSchedule `json:"chargingSchedule"`
}

// chargingSchedule is how v1 shows a [device.ChargingSchedule].
type chargingSchedule struct {
	Duration               *int             `json:"duration" doc:"In seconds." example:"86400"`
	StartSchedule          rest.Time        `json:"startSchedule"`
	ChargingRateUnit       string           `json:"chargingRateUnit" doc:"A or W." example:"A"`
	ChargingSchedulePeriod []chargingPeriod `json:"chargingSchedulePeriod"`
	MinChargingRate        *float64         `json:"minChargingRate" example:"6"`
}

// chargingPeriod is how v1 shows a [device.ChargingPeriod].
type chargingPeriod struct {
	StartPeriod  int     `json:"startPeriod" doc:"Seconds from the begin of the schedule." example:"0"`
	Limit        float64 `json:"limit" example:"16"`
	NumberPhases *int    `json:"numberPhases" doc:"Null when it was not said: then it is 3." example:"3"`
}

func presentProfile(p *device.ChargingProfile) chargingProfile {
	return chargingProfile{
		ChargingProfileID: p.ID, TransactionID: orNull(int(p.Transaction)), StackLevel: p.StackLevel,
		ChargingProfilePurpose: p.Purpose, ChargingProfileKind: p.Kind, RecurrencyKind: orNull(p.Recurrency),
		ValidFrom: rest.Time{Time: p.ValidFrom}, ValidTo: rest.Time{Time: p.ValidTo}, ChargingSchedule: presentSchedule(&p.Schedule),
	}
}

func presentSchedule(s *device.ChargingSchedule) chargingSchedule {
	out := chargingSchedule{
		Duration: orNull(s.Duration), StartSchedule: rest.Time{Time: s.StartAt}, ChargingRateUnit: s.Unit,
		ChargingSchedulePeriod: make([]chargingPeriod, len(s.Periods)), MinChargingRate: orNull(s.MinRate),
	}
	for i, p := range s.Periods {
		out.ChargingSchedulePeriod[i] = chargingPeriod{p.Start, p.Limit, orNull(p.Phases)}
	}
	return out
}

// within says of a fault in a part of a body where that part stands.
func within(part string, err error) error {
	if e, ok := errors.AsType[*device.FieldError](err); ok {
		return &device.FieldError{Field: part + "." + e.Field, Reason: e.Reason}
	}
	return err
}
