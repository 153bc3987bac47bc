package sim_test

import (
	"fmt"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// limits returns a schedule of pairs of seconds and limits.
func limits(unit v16.ChargingRateUnit, pairs ...float64) v16.ChargingSchedule {
	s := v16.ChargingSchedule{ChargingRateUnit: unit}
	for i := 0; i < len(pairs); i += 2 {
		s.ChargingSchedulePeriod = append(s.ChargingSchedulePeriod, v16.ChargingSchedulePeriod{StartPeriod: int(pairs[i]), Limit: pairs[i+1]})
	}
	return s
}

// profile returns a relative one.
func profile(id, level int, purpose v16.ChargingProfilePurpose, s v16.ChargingSchedule) v16.ChargingProfile {
	return v16.ChargingProfile{
		ChargingProfileID: id, StackLevel: level, ChargingProfilePurpose: purpose,
		ChargingProfileKind: v16.ChargingProfileKindRelative, ChargingSchedule: s,
	}
}

func (c *central) setProfile(connector int, p v16.ChargingProfile, want v16.ChargingProfileStatus) {
	c.t.Helper()
	var res v16.SetChargingProfileResponse
	c.call(station, &v16.SetChargingProfile{ConnectorID: connector, CSChargingProfiles: p}, &res)
	if res.Status != want {
		c.t.Errorf("profile %d on connector %d is %s, want %s", p.ChargingProfileID, connector, res.Status, want)
	}
	sleep(time.Millisecond)
}

func (c *central) clearProfile(m *v16.ClearChargingProfile, want v16.ClearChargingProfileStatus) {
	c.t.Helper()
	var res v16.ClearChargingProfileResponse
	c.call(station, m, &res)
	if res.Status != want {
		c.t.Errorf("clearing %+v is %s, want %s", m, res.Status, want)
	}
	sleep(time.Millisecond)
}

// composite returns the periods of a composite schedule as "start:limit …", and
// its duration.
func (c *central) composite(connector, duration int, unit v16.ChargingRateUnit) string {
	c.t.Helper()
	var res v16.GetCompositeScheduleResponse
	c.call(station, &v16.GetCompositeSchedule{ConnectorID: connector, Duration: duration, ChargingRateUnit: ocpp.Some(unit)}, &res)
	if res.Status != v16.GenericStatusAccepted {
		return string(res.Status)
	}
	text := fmt.Sprint(res.ChargingSchedule.Value.Duration.Value, "s", res.ChargingSchedule.Value.ChargingRateUnit)
	for _, p := range res.ChargingSchedule.Value.ChargingSchedulePeriod {
		text += fmt.Sprintf(" %d:%v", p.StartPeriod, p.Limit)
	}
	return text
}

// register returns what the meter of a connector shows now, in Wh.
func (c *central) register(connector int) int {
	c.t.Helper()
	n := c.pages()
	var res v16.TriggerMessageResponse
	c.call(station, &v16.TriggerMessage{RequestedMessage: v16.MessageTriggerMeterValues, ConnectorID: ocpp.Some(connector)}, &res)
	sleep(10 * time.Millisecond)
	for _, m := range c.since(n) {
		if m, ok := m.(*v16.MeterValues); ok {
			return wattHours(c.t, m.MeterValue[0].SampledValue[0])
		}
	}
	c.t.Fatal("no reading came")
	return 0
}

func wattHours(t *testing.T, v v16.SampledValue) int {
	t.Helper()
	factor := 1.0
	if v.Unit.Value == v16.UnitKWh {
		factor = 1000
	}
	var n float64
	if _, err := fmt.Sscan(v.Value, &n); err != nil {
		t.Fatal(err)
	}
	return int(n*factor + 0.5)
}

// drawn returns the mean W that a connector draws in the next minutes.
func (c *central) drawn(connector, minutes int) int {
	c.t.Helper()
	from := c.register(connector)
	sleep(time.Duration(minutes)*time.Minute - 10*time.Millisecond)
	return (c.register(connector) - from) * 60 / minutes
}

func (c *central) wantDrawn(what string, connector, minutes, want int) {
	c.t.Helper()
	if got := c.drawn(connector, minutes); got < want-30 || got > want+30 {
		c.t.Errorf("%s: %d W, want %d", what, got, want)
	}
}

func TestProfilesLimitPower(t *testing.T) {
	const w = v16.ChargingRateUnitW
	c := newCentral(t)
	r := passive(t, 2, c, func() {
		c.remoteStart(1, "TAG")
		sleep(time.Minute)
		c.setProfile(0, profile(1, 0, "TxDefaultProfile", limits(w, 0, 6000)), "Accepted")
		c.wantDrawn("default", 1, 2, 6000)
		c.setProfile(1, profile(2, 0, "TxDefaultProfile", limits(w, 0, 4200)), "Accepted")
		c.wantDrawn("default of the connector", 1, 2, 4200)
		c.setProfile(0, profile(3, 1, "TxDefaultProfile", limits(w, 0, 3000)), "Accepted")
		c.wantDrawn("default of a higher level", 1, 2, 3000)
		p := profile(4, 0, "TxProfile", limits(w, 0, 9000))
		p.TransactionID = ocpp.Some(1)
		c.setProfile(1, p, "Accepted")
		c.wantDrawn("of the transaction", 1, 2, 9000)
		c.setProfile(0, profile(5, 0, "ChargePointMaxProfile", limits(w, 0, 8000)), "Accepted")
		c.wantDrawn("of the station", 1, 2, 8000)
		c.remoteStart(2, "TAG2")
		sleep(time.Minute)
		c.wantDrawn("half of the station", 1, 2, 4000)
		c.wantDrawn("default of connector 2", 2, 2, 3000)
		c.setProfile(1, profile(6, 1, "TxProfile", limits(w, 0, 0)), "Accepted")
		c.wantDrawn("nothing", 1, 2, 0)
		c.clearProfile(&v16.ClearChargingProfile{ID: ocpp.Some(6)}, "Accepted")
		c.clearProfile(&v16.ClearChargingProfile{ID: ocpp.Some(6)}, "Unknown")
		c.clearProfile(&v16.ClearChargingProfile{ChargingProfilePurpose: ocpp.Some(v16.ChargingProfilePurposeChargePointMaxProfile)}, "Accepted")
		c.wantDrawn("of the transaction again", 1, 2, 9000)
	})
	if log := c.log(station); count(log, "1 SuspendedEVSE") != 1 || count(log, "1 Charging") != 2 {
		t.Errorf("told was %v", log)
	}
	for _, ch := range r.Charges {
		compare(t, c, ch)
	}
}

func count(list []string, want string) int {
	n := 0
	for _, s := range list {
		if s == want {
			n++
		}
	}
	return n
}

func TestScheduleRuns(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		p := profile(1, 0, "TxDefaultProfile", limits("W", 0, 6000, 600, 3000))
		p.ChargingSchedule.Duration = ocpp.Some(900)
		c.setProfile(1, p, "Accepted")
		c.setProfile(0, profile(2, 1, "TxProfile", limits("W", 0, 1)), "Rejected") // nobody charges
		var res v16.RemoteStartTransactionResponse
		c.call(station, &v16.RemoteStartTransaction{
			IDTag: "TAG", ChargingProfile: ocpp.Some(profile(3, 0, "TxProfile", limits("W", 0, 5000, 300, 4000, 301, 7000))),
		}, &res)
		sleep(8*time.Second + 500*time.Millisecond)
		if got := c.composite(1, 1200, "W"); got != "1200sW 0:5000 300:4000 301:7000" {
			t.Errorf("composite schedule is %s", got)
		}
		c.wantDrawn("first step", 1, 4, 5000)
		sleep(time.Minute + 2*time.Second)
		c.wantDrawn("last step", 1, 2, 7000)
		c.clearProfile(&v16.ClearChargingProfile{ConnectorID: ocpp.Some(1), StackLevel: ocpp.Some(0), ChargingProfilePurpose: ocpp.Some(v16.ChargingProfilePurposeTxProfile)}, "Accepted")
		sleep(4 * time.Minute)
		c.wantDrawn("second step of the default", 1, 2, 3000)
		c.remoteStop(1)
		sleep(time.Minute)
		if got := c.composite(1, 60, "W"); got != "60sW 0:6000" {
			t.Errorf("composite schedule afterwards is %s", got)
		}
	})
}

func TestRecurringProfile(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		now := time.Now().Truncate(time.Second)
		daily := profile(1, 0, "ChargePointMaxProfile", limits("A", 0, 10, 3600, 6))
		daily.ChargingProfileKind, daily.RecurrencyKind = v16.ChargingProfileKindRecurring, ocpp.Some(v16.RecurrencyKindDaily)
		c.setProfile(0, daily, "Rejected") // it has no start
		daily.ChargingSchedule.StartSchedule = ocpp.Some(now.Add(-71 * time.Hour))
		daily.ChargingSchedule.Duration = ocpp.Some(7200)
		c.setProfile(0, daily, "Accepted")
		// The last round has ended 21 h ago, and the next begins in an hour.
		full := c.composite(0, 1, "A")
		limit := full[len("1sA 0:"):]
		if got, want := c.composite(0, 4*3600, "A"), "14400sA 0:"+limit+" 3600:10 7200:6 10800:"+limit; got != want {
			t.Errorf("composite schedule is %s, want %s", got, want)
		}
		daily.ValidTo = ocpp.Some(now.Add(7200 * time.Second))
		c.setProfile(0, daily, "Accepted")
		if got, want := c.composite(0, 4*3600, "A"), "14400sA 0:"+limit+" 3600:10 7200:"+limit; got != want {
			t.Errorf("composite schedule is %s, want %s", got, want)
		}
		if got := c.composite(2, 60, "W"); got != "Rejected" {
			t.Errorf("composite schedule of no connector is %s", got)
		}
	})
}

func TestBadProfiles(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		c.remoteStart(1, "TAG")
		sleep(time.Minute)
		tx := profile(1, 0, "TxProfile", limits("W", 0, 1000))
		for what, p := range map[string]v16.ChargingProfile{
			"of another transaction": {TransactionID: ocpp.Some(77)},
			"of too high a level":    {StackLevel: 11},
			"of the station":         {ChargingProfilePurpose: "ChargePointMaxProfile"},
			"without a begin":        {ChargingSchedule: limits("W", 5, 1000)},
			"in disorder":            {ChargingSchedule: limits("W", 0, 1000, 7, 1, 7, 2)},
			"below zero":             {ChargingSchedule: limits("W", 0, -1)},
		} {
			bad := tx
			bad.TransactionID, bad.StackLevel = p.TransactionID, p.StackLevel
			if p.ChargingProfilePurpose != "" {
				bad.ChargingProfilePurpose = p.ChargingProfilePurpose
			}
			if p.ChargingSchedule.ChargingRateUnit != "" {
				bad.ChargingSchedule = p.ChargingSchedule
			}
			t.Log(what)
			c.setProfile(1, bad, "Rejected")
		}
		c.setProfile(2, tx, "Rejected")
		for i := range 20 {
			c.setProfile(0, profile(100+i, i%11, v16.ChargingProfilePurpose([]string{"TxDefaultProfile", "ChargePointMaxProfile"}[i/11]), limits("W", 0, 5000)), "Accepted")
		}
		c.setProfile(1, tx, "Rejected") // there is no room
		c.clearProfile(new(v16.ClearChargingProfile), "Accepted")
		c.clearProfile(new(v16.ClearChargingProfile), "Unknown")
		c.setProfile(1, tx, "Accepted")
	})
}
