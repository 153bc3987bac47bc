package device_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"leyden"
	"leyden/device"
)

// sound is a profile that nothing is wrong with on connector 1.
func sound() device.ChargingProfile {
	return device.ChargingProfile{
		ID: 1, Purpose: device.TxDefaultProfile, Kind: device.Absolute,
		Schedule: device.ChargingSchedule{
			StartAt: time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC), Unit: "A",
			Periods: []device.ChargingPeriod{{Start: 0, Limit: 16}, {Start: 3600, Limit: 6.5, Phases: 1}},
		},
	}
}

type profile = device.ChargingProfile

// A profileCase is what is changed of a sound profile, and what is wrong then.
type profileCase struct {
	name      string
	connector int
	change    func(*profile)
	want      string // "" for sound
}

// soundProfiles are those that nothing is wrong with.
func soundProfiles() []profileCase {
	noon := sound().Schedule.StartAt
	return []profileCase{
		{"sound", 1, func(*profile) {}, ""},
		{"default of the whole station", 0, func(*profile) {}, ""},
		{"negative id", 1, func(p *profile) { p.ID = -7 }, ""},
		{"limit of the whole station", 0, func(p *profile) { p.Purpose = "ChargePointMaxProfile" }, ""},
		{"of a transaction", 1, func(p *profile) { p.Purpose, p.Transaction = "TxProfile", 7 }, ""},
		{"recurring", 1, func(p *profile) { p.Kind, p.Recurrency = "Recurring", "Weekly" }, ""},
		{"relative", 1, func(p *profile) { p.Kind, p.Schedule.StartAt = "Relative", time.Time{} }, ""},
		{"valid for a second", 1, func(p *profile) { p.ValidFrom, p.ValidTo = noon, noon.Add(time.Second) }, ""},
		{"nothing at all flows", 1, func(p *profile) { p.Schedule.Periods[0].Limit = 0 }, ""},
		{"as many periods as may be", 1, func(p *profile) { p.Schedule.Periods = periods(device.MaxPeriods) }, ""},
		{"all there is", 1, func(p *profile) { p.Schedule.MinRate, p.Schedule.Duration, p.StackLevel = 4.2, 86400, 3 }, ""},
	}
}

// brokenProfiles are wrong outside of their schedules.
func brokenProfiles() []profileCase {
	noon := sound().Schedule.StartAt
	return []profileCase{
		{"connector", -1, func(*profile) {}, "connectorId: is below 0"},
		{"id", 1, func(p *profile) { p.ID = 1 << 31 }, "chargingProfileId: is no number of 32 bits"},
		{"stack level", 1, func(p *profile) { p.StackLevel = -1 }, "stackLevel: is below 0"},
		{"high stack level", 1, func(p *profile) { p.StackLevel = 1 << 31 }, "stackLevel: is no number of 32 bits"},
		{"purpose", 1, func(p *profile) { p.Purpose = "txprofile" }, "chargingProfilePurpose: is none of ChargePointMaxProfile, TxDefaultProfile, TxProfile"},
		{"limit of a station on a connector", 1, func(p *profile) { p.Purpose = "ChargePointMaxProfile" },
			"chargingProfilePurpose: ChargePointMaxProfile is for the whole station: connector 0"},
		{"of a transaction on no connector", 0, func(p *profile) { p.Purpose = "TxProfile" },
			"chargingProfilePurpose: TxProfile is for one connector, not for the whole station"},
		{"negative transaction", 1, func(p *profile) { p.Purpose, p.Transaction = "TxProfile", -1 }, "transactionId: is below 1"},
		{"default of a transaction", 1, func(p *profile) { p.Transaction = 7 }, "transactionId: is for a TxProfile only"},
		{"kind", 1, func(p *profile) { p.Kind = "" }, "chargingProfileKind: is none of Absolute, Recurring, Relative"},
		{"recurring never", 1, func(p *profile) { p.Kind = "Recurring" }, "recurrencyKind: must be Daily or Weekly for a Recurring profile"},
		{"absolute daily", 1, func(p *profile) { p.Recurrency = "Daily" }, "recurrencyKind: is for a Recurring profile only"},
		{"valid for no time", 1, func(p *profile) { p.ValidFrom, p.ValidTo = noon, noon }, "validTo: is not after validFrom"},
		{"absolute from no time", 1, func(p *profile) { p.Schedule.StartAt = time.Time{} },
			"chargingSchedule.startSchedule: is required for an Absolute or a Recurring profile"},
		{"relative from a time", 1, func(p *profile) { p.Kind = "Relative" },
			"chargingSchedule.startSchedule: is for an Absolute or a Recurring profile only"},
	}
}

// brokenSchedules are wrong in their schedules.
func brokenSchedules() []profileCase {
	return []profileCase{
		{"duration", 1, func(p *profile) { p.Schedule.Duration = -1 }, "chargingSchedule.duration: is below 0"},
		{"long duration", 1, func(p *profile) { p.Schedule.Duration = 1 << 31 }, "chargingSchedule.duration: is no number of 32 bits"},
		{"unit", 1, func(p *profile) { p.Schedule.Unit = "kW" }, "chargingSchedule.chargingRateUnit: is neither W nor A"},
		{"rate", 1, func(p *profile) { p.Schedule.MinRate = 0.25 }, "chargingSchedule.minChargingRate: has more than one decimal"},
		{"no periods", 1, func(p *profile) { p.Schedule.Periods = nil }, "chargingSchedule.chargingSchedulePeriod: is empty"},
		{"too many periods", 1, func(p *profile) { p.Schedule.Periods = periods(device.MaxPeriods + 1) },
			"chargingSchedule.chargingSchedulePeriod: has more than 1024 items"},
		{"late first period", 1, func(p *profile) { p.Schedule.Periods[0].Start = 1 },
			"chargingSchedule.chargingSchedulePeriod[0].startPeriod: is not 0, and the first one must be"},
		{"periods at once", 1, func(p *profile) { p.Schedule.Periods[1].Start = 0 },
			"chargingSchedule.chargingSchedulePeriod[1].startPeriod: is not after the one before"},
		{"far period", 1, func(p *profile) { p.Schedule.Periods[1].Start = 1 << 31 },
			"chargingSchedule.chargingSchedulePeriod[1].startPeriod: is no number of 32 bits"},
		{"negative limit", 1, func(p *profile) { p.Schedule.Periods[1].Limit = -0.1 },
			"chargingSchedule.chargingSchedulePeriod[1].limit: is below 0"},
		{"fine limit", 1, func(p *profile) { p.Schedule.Periods[1].Limit = 1.1000000001 },
			"chargingSchedule.chargingSchedulePeriod[1].limit: has more than one decimal"},
		{"huge limit", 1, func(p *profile) { p.Schedule.Periods[1].Limit = 1e12 },
			"chargingSchedule.chargingSchedulePeriod[1].limit: is above 100000000"},
		{"limit that is none", 1, func(p *profile) { p.Schedule.Periods[1].Limit = math.NaN() },
			"chargingSchedule.chargingSchedulePeriod[1].limit: is no number"},
		{"four phases", 1, func(p *profile) { p.Schedule.Periods[1].Phases = 4 },
			"chargingSchedule.chargingSchedulePeriod[1].numberPhases: is not 1, 2 or 3"},
	}
}

func TestCheckOfChargingProfiles(t *testing.T) {
	for _, c := range slices.Concat(soundProfiles(), brokenProfiles(), brokenSchedules()) {
		p := sound()
		c.change(&p)
		err := p.Check(c.connector)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
		if err != nil && !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%s: %v is no ErrInvalid", c.name, err)
		}
	}
}

// Tenths are exact although no float is.
func TestTenthsAreExact(t *testing.T) {
	for n := range 100_000 {
		p := sound()
		p.Schedule.Periods[0].Limit = float64(n) / 10
		if err := p.Check(1); err != nil {
			t.Fatalf("%v: %v", p.Schedule.Periods[0].Limit, err)
		}
	}
}

func periods(n int) []device.ChargingPeriod {
	list := make([]device.ChargingPeriod, n)
	for i := range list {
		list[i].Start = i * 60
	}
	return list
}
