package device

import (
	"fmt"
	"math"
	"slices"
)

// MaxPeriods is how many periods a charging profile may have. Stations take
// fewer (ChargingScheduleMaxPeriods, OCPP 1.6 §9.4.3).
const MaxPeriods = 1024

// maxRate is beyond what any charger delivers, in W or A.
const maxRate = 100_000_000

// The words of OCPP for charging profiles (OCPP 1.6 §7.9 to §7.11, §7.36).
const (
	ChargePointMaxProfile = "ChargePointMaxProfile"
	TxDefaultProfile      = "TxDefaultProfile"
	TxProfile             = "TxProfile"
	Absolute              = "Absolute"
	Recurring             = "Recurring"
	Relative              = "Relative"
)

// Check returns a [*FieldError] about what is wrong with p on a connector, or nil;
// connector 0 is the whole station (OCPP 1.6 §3.13, §5.16). Fields are named as
// OCPP 1.6 names them.
func (p *ChargingProfile) Check(connector int) error {
	return firstOf([]rule{
		{connector < 0, "connectorId", "is below 0"},
		{p.ID != int(int32(p.ID)), "chargingProfileId", "is no number of 32 bits"},
		{p.StackLevel < 0, "stackLevel", "is below 0"},
		{p.StackLevel > math.MaxInt32, "stackLevel", "is no number of 32 bits"},
		{!oneOf(p.Purpose, ChargePointMaxProfile, TxDefaultProfile, TxProfile), "chargingProfilePurpose", "is none of ChargePointMaxProfile, TxDefaultProfile, TxProfile"},
		{p.Purpose == ChargePointMaxProfile && connector != 0, "chargingProfilePurpose", "ChargePointMaxProfile is for the whole station: connector 0"},
		{p.Purpose == TxProfile && connector == 0, "chargingProfilePurpose", "TxProfile is for one connector, not for the whole station"},
		{p.Transaction < 0, "transactionId", "is below 1"},
		{p.Transaction > 0 && p.Purpose != TxProfile, "transactionId", "is for a TxProfile only"},
		{!oneOf(p.Kind, Absolute, Recurring, Relative), "chargingProfileKind", "is none of Absolute, Recurring, Relative"},
		{p.Kind == Recurring && !oneOf(p.Recurrency, "Daily", "Weekly"), "recurrencyKind", "must be Daily or Weekly for a Recurring profile"},
		{p.Kind != Recurring && p.Recurrency != "", "recurrencyKind", "is for a Recurring profile only"},
		{!p.ValidFrom.IsZero() && !p.ValidTo.IsZero() && !p.ValidFrom.Before(p.ValidTo), "validTo", "is not after validFrom"},
		{p.Kind != Relative && p.Schedule.StartAt.IsZero(), "chargingSchedule.startSchedule", "is required for an Absolute or a Recurring profile"},
		{p.Kind == Relative && !p.Schedule.StartAt.IsZero(), "chargingSchedule.startSchedule", "is for an Absolute or a Recurring profile only"},
	}, p.Schedule.rules("chargingSchedule."))
}

// rules are those of a schedule whose name in messages begins with prefix.
func (s *ChargingSchedule) rules(prefix string) []rule {
	periods := prefix + "chargingSchedulePeriod"
	rules := []rule{
		{s.Duration < 0, prefix + "duration", "is below 0"},
		{s.Duration > math.MaxInt32, prefix + "duration", "is no number of 32 bits"},
		{!oneOf(s.Unit, "W", "A"), prefix + "chargingRateUnit", "is neither W nor A"},
		{rateFault(s.MinRate) != "", prefix + "minChargingRate", rateFault(s.MinRate)},
		{len(s.Periods) == 0, periods, "is empty"},
		{len(s.Periods) > MaxPeriods, periods, fmt.Sprintf("has more than %d items", MaxPeriods)},
	}
	for i, p := range s.Periods[:min(len(s.Periods), MaxPeriods)] {
		item := fmt.Sprintf("%s[%d].", periods, i)
		rules = append(rules,
			rule{i == 0 && p.Start != 0, item + "startPeriod", "is not 0, and the first one must be"},
			rule{i > 0 && p.Start <= s.Periods[max(0, i-1)].Start, item + "startPeriod", "is not after the one before"},
			rule{p.Start > math.MaxInt32, item + "startPeriod", "is no number of 32 bits"},
			rule{rateFault(p.Limit) != "", item + "limit", rateFault(p.Limit)},
			rule{p.Phases < 0 || p.Phases > 3, item + "numberPhases", "is not 1, 2 or 3"},
		)
	}
	return rules
}

// rateFault says what is wrong with a limit, or returns "". Stations take tenths,
// which are to be said exactly.
func rateFault(x float64) string {
	switch {
	case !isFinite(x):
		return "is no number"
	case x < 0:
		return "is below 0"
	case x > maxRate:
		return fmt.Sprintf("is above %d", maxRate)
	case math.Round(x*10)/10 != x:
		return "has more than one decimal"
	}
	return ""
}

// A rule is what a field must not be.
type rule struct {
	broken        bool
	field, reason string
}

func firstOf(lists ...[]rule) error {
	for _, list := range lists {
		for _, r := range list {
			if r.broken {
				return &FieldError{Field: r.field, Reason: r.reason}
			}
		}
	}
	return nil
}

func oneOf(word string, words ...string) bool { return slices.Contains(words, word) }
