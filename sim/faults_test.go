package sim_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// registerOf returns the register that a reading tells, in Wh.
func registerOf(t *testing.T, m v16.MeterValue) int {
	t.Helper()
	for _, v := range m.SampledValue {
		if v.Measurand.Or(v16.MeasurandEnergyActiveImportRegister) != v16.MeasurandEnergyActiveImportRegister {
			continue
		}
		wh, err := strconv.ParseFloat(v.Value, 64)
		if err != nil {
			t.Fatal(err)
		}
		if v.Unit.Value == v16.UnitKWh {
			wh *= 1000
		}
		return int(wh + 0.5)
	}
	t.Fatalf("no register in %+v", m)
	return 0
}

// A meter that is reset in the midst of a charge is read before and after, so that
// what its readings rise is what was charged.
func TestMeterReset(t *testing.T) {
	c := newCentral(t)
	r := run(t, sim.Options{Stations: 10, Sessions: 3, Seed: 4, Faults: sim.Faults{Reset: 1}}, c, nil)
	if err := r.Err(); err != nil || len(r.Charges) != 30 {
		t.Fatalf("%d charges, %v", len(r.Charges), err)
	}
	resets := 0
	for _, ch := range r.Charges {
		row, sum := c.ids[ch.TransactionIDs[0]], 0
		last, readings := ch.MeterStart, make(map[time.Time]int)
		for _, v := range row.values {
			readings[v.MeterValue[0].Timestamp] = registerOf(t, v.MeterValue[0])
		}
		for _, a := range ch.Answers {
			if got, ok := readings[a.At]; a.Action == "MeterValues" && (!ok || got != a.Wh) {
				t.Errorf("%s at %v: the register shows %d, want %d", ch.Station, a.At, got, a.Wh)
			}
			sum += max(0, a.Wh-last)
			last = a.Wh
		}
		if ch.MeterStop < ch.MeterStart {
			resets++
		}
		if sum != ch.Energy || ch.Energy <= 0 || ch.MeterStop >= ch.MeterStart && ch.Energy != ch.MeterStop-ch.MeterStart {
			t.Errorf("%s %d: %d Wh, readings rise by %d, from %d to %d", ch.Station, ch.Number, ch.Energy, sum, ch.MeterStart, ch.MeterStop)
		}
	}
	if resets < 5 || resets == len(r.Charges) {
		t.Errorf("%d meters of %d charges were reset", resets, len(r.Charges))
	}
}

// A clock that is off is off by the same in all that a station says.
func TestClockSkew(t *testing.T) {
	c := newCentral(t)
	off := make(map[string]time.Duration)
	c.handle = func(station string, m ocpp.Request) (ocpp.Reply, bool) {
		if m, ok := m.(*v16.StartTransaction); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			skew := time.Until(m.Timestamp)
			if before, ok := off[station]; ok && (before-skew).Abs() > time.Millisecond {
				t.Errorf("the clock of %s was off by %v, is off by %v", station, before, skew)
			}
			off[station] = skew
		}
		return ocpp.Reply{}, false
	}
	r := run(t, sim.Options{Stations: 20, Sessions: 2, Seed: 4, ClockSkew: 5 * time.Hour}, c, nil)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	ahead := 0
	for station, skew := range off {
		if skew.Abs() > 5*time.Hour {
			t.Errorf("the clock of %s is off by %v", station, skew)
		}
		if skew > 0 {
			ahead++
		}
	}
	if len(off) != 20 || ahead == 0 || ahead == 20 {
		t.Errorf("%d clocks of %d are ahead", ahead, len(off))
	}
	for _, ch := range r.Charges {
		compare(t, c, ch)
	}
}

// Messages overtake each other only where a central system can still tell what
// belongs together.
func TestReorder(t *testing.T) {
	c := newCentral(t)
	r := run(t, sim.Options{
		Stations: 8, Connectors: 2, Sessions: 3, Seed: 5, Faults: sim.Faults{Reorder: 0.5, Offline: 0.8, Cut: 0.1, Repeat: 0.1},
	}, c, nil)
	if err := r.Err(); err != nil || len(r.Charges) != 48 {
		t.Fatalf("%d charges, %v", len(r.Charges), err)
	}
	late := 0
	for _, ch := range r.Charges {
		for i := 1; i < len(ch.Answers); i++ {
			if ch.Answers[i].At.Before(ch.Answers[i-1].At) {
				late++
			}
		}
		if first := ch.Answers[0]; first.Action != "StartTransaction" {
			t.Errorf("%s %d: %s was answered before its start", ch.Station, ch.Number, first.Action)
		}
		ch.Answers = ch.Answers[:1] // in what order the others came is no matter
		row := c.ids[ch.TransactionIDs[0]]
		if row.stop == nil || row.stop.MeterStop != ch.MeterStop || !row.start.Timestamp.Equal(ch.StartedAt) {
			t.Errorf("%+v was recorded as %+v", ch, row)
		}
	}
	if late < 20 {
		t.Errorf("only %d messages were overtaken", late)
	}
}

// A station that restarts by itself goes on with its charges, or ends them.
func TestRebootByItself(t *testing.T) {
	c := newCentral(t)
	r := run(t, sim.Options{Stations: 10, Connectors: 2, Sessions: 2, Seed: 6, Faults: sim.Faults{Reboot: 0.6}}, c, nil)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	boots, ended := 0, make(map[string]bool)
	for _, ch := range r.Charges {
		compare(t, c, ch)
		ended[ch.Reason] = true
	}
	for station, n := range c.boots {
		if n > c.dials[station] {
			t.Errorf("%s booted %d times with %d connections", station, n, c.dials[station])
		}
		boots += n
	}
	if boots < 20 || !ended["PowerLoss"] || !ended["Local"] || r.Completed != len(r.Charges) {
		t.Errorf("%d boots, charges ended with %v: %s", boots, ended, fmt.Sprint(r))
	}
}
