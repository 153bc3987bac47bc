package leyden_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"leyden"
)

// reading returns samples of one instant: kind is "phase=value" or a value.
func reading(minute int, texts ...string) []leyden.Sample {
	var samples []leyden.Sample
	for _, text := range texts {
		s := leyden.Sample{At: at(minute), Value: text}
		if phase, value, ok := strings.Cut(text, "="); ok {
			s.Phase, s.Value = phase, value
		}
		samples = append(samples, s)
	}
	return samples
}

// folded returns a charge of two hours with these readings in one report.
func folded(start, stop leyden.WattHours, samples ...[]leyden.Sample) leyden.Transaction {
	number := int64(17)
	e := leyden.Event{Transaction: 17, Station: "S", Key: "m", Kind: leyden.Updated, Number: &number, ReceivedAt: at(120)}
	for _, s := range samples {
		e.Samples = append(e.Samples, s...)
	}
	return leyden.Fold([]leyden.Event{
		{Transaction: 17, Station: "S", Key: "start", Kind: leyden.Started, At: at(0), ReceivedAt: at(0), Connector: 1, Register: &start},
		e,
		{Transaction: 17, Station: "S", Key: "stop", Kind: leyden.Ended, Number: &number, At: at(120), ReceivedAt: at(120), Register: &stop},
	})
}

func TestEnergyOfHostileRegisters(t *testing.T) {
	extremes := []leyden.WattHours{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, start := range extremes {
		for _, stop := range extremes {
			got := folded(start, stop, reading(10, "0"), reading(20, "1000000000000000"))
			if got.Energy != nil && (*got.Energy < 0 || *got.Energy > 2_000_000) {
				t.Errorf("%d to %d: %d Wh by %q", start, stop, *got.Energy, got.EnergySource)
			}
			if (start < 0 || stop < start) != got.Flags.Has(leyden.MeterRollback) {
				t.Errorf("%d to %d: flags %v", start, stop, got.Flags.Names())
			}
		}
	}
	sum := make([]string, 0, 20_000)
	for range 20_000 {
		sum = append(sum, "L1=900000000000000", "L2=900000000000000")
	}
	if got := folded(-1, -1, reading(10, sum...), reading(20, "L1=900000000000005", "L2=900000000000000")); deref(got.Energy) != 5 {
		t.Errorf("phases without end: %d Wh by %q", deref(got.Energy), got.EnergySource)
	}
}

func TestEnergyOfOddReadings(t *testing.T) {
	late := reading(30, "9000")
	late[0].At = at(0).AddDate(5, 0, 0)
	for name, tc := range map[string]struct {
		start, stop leyden.WattHours
		samples     [][]leyden.Sample
		energy      leyden.WattHours
		flags       string
	}{
		"phases told twice in one instant": {-1, -1, [][]leyden.Sample{
			reading(10, "L1=100", "L2=200", "L3=300", "L1=100", "L2=200", "L3=300"), reading(20, "L1=200", "L2=300", "L3=400"),
		}, 300, "METER_ROLLBACK"},
		"phases, also against neutral": {-1, -1, [][]leyden.Sample{
			reading(10, "L1=100", "L1-N=100", "L2=200", "N=7"), reading(20, "L1=200", "L1-N=200", "L2=300", "N=9"),
		}, 200, "METER_ROLLBACK"},
		"phases of one instant apart": {-1, -1, [][]leyden.Sample{
			reading(10, "L1=1000"), reading(20, "L1=2000"), reading(10, "L2=1000"), reading(20, "L2=2000"),
		}, 2000, "METER_ROLLBACK"},
		"a reading from the future":                  {1000, -1, [][]leyden.Sample{reading(20, "2000"), late}, 1000, "METER_ROLLBACK"},
		"begin of 0, lifetime after two hours":       {0, 910_083, [][]leyden.Sample{reading(10, "910000"), reading(110, "910050")}, 83, "METER_JUMP"},
		"session's register, lifetime at the stop":   {0, 910_083, [][]leyden.Sample{reading(10, "10"), reading(118, "80")}, 80, "METER_JUMP"},
		"one stray reading proves nothing":           {1000, 3000, [][]leyden.Sample{reading(10, "9000000"), reading(20, "2000")}, 2000, ""},
		"a last reading of 0 proves nothing":         {0, 60_000, [][]leyden.Sample{reading(10, "3000"), reading(119, "0")}, 60_000, ""},
		"readings of a day that is not on the clock": {1000, 3000, [][]leyden.Sample{{{Value: "7000"}}}, 2000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := folded(tc.start, tc.stop, tc.samples...)
			if deref(got.Energy) != tc.energy || strings.Join(got.Flags.Names(), " ") != tc.flags {
				t.Errorf("%d Wh by %q, flags %v; want %d, flags %s", deref(got.Energy), got.EnergySource, got.Flags.Names(), tc.energy, tc.flags)
			}
		})
	}
}

// What an active charge shows is checked like what a finished one bills.
func TestEnergyWhileItRuns(t *testing.T) {
	b := newBench(t, leyden.Options{})
	lifetime := b.start(1, "A", 0).Transaction.ID
	behind := b.start(2, "A", 1000).Transaction.ID
	b.pass(10 * time.Minute)
	b.read(int64(lifetime), 1, "910000")
	b.read(int64(behind), 2, "900")
	b.want(behind, leyden.Active, none)
	b.pass(2 * time.Hour)
	b.read(int64(lifetime), 1, "910083")
	b.want(lifetime, leyden.Active, 83, "METER_JUMP")
	b.read(int64(behind), 2, "2000")
	b.want(behind, leyden.Active, 1000)
}

// A signed figure that no connector can deliver is not billed either.
func TestSignedJumpIsNotBilled(t *testing.T) {
	signed := reading(60, `OCMF|{"RD":[{"TX":"B","RV":0,"RU":"kWh"},{"TX":"E","RV":9100.83,"RU":"kWh"}]}|{"SD":"00"}`)
	signed[0].Format = "SignedData"
	got := folded(1000, 3000, signed)
	if deref(got.Energy) != 2000 || got.EnergySource != leyden.EnergyRegisters || !got.Flags.Has(leyden.MeterJump) {
		t.Errorf("%d Wh by %q, flags %v; want 2000 by registers, METER_JUMP", deref(got.Energy), got.EnergySource, got.Flags.Names())
	}
}
