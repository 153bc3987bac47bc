package leyden

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Measurands and contexts that the ledger understands (OCPP 1.6 §7.31, §7.32).
const (
	measurandImport = "Energy.Active.Import.Register"
	measurandPower  = "Power.Active.Import"
	measurandSoC    = "SoC"
	contextBegin    = "Transaction.Begin"
	formatSigned    = "SignedData"
)

// maxPower is what a connector is taken to deliver at most when nothing better
// is known, in W.
const maxPower = 500_000

// jumpAllowance is how far a register may move in no time at all, in Wh:
// stations stamp whole batches with one time and round their clocks. A lifetime
// register that appears where a session's was expected is further away.
const jumpAllowance = 20_000

// unknownSpan is the time that a charge is taken to last when the clocks say
// nothing useful.
const unknownSpan = 24 * time.Hour

// plausible reports whether a register may rise by wh within d.
func plausible(wh WattHours, d time.Duration) bool {
	return float64(wh) <= jumpAllowance+maxPower*d.Hours()
}

// A batch is what the samples of one instant say, reduced to what the ledger
// needs. Totals beat sums of phases.
type batch struct {
	at       time.Time
	register *WattHours
	place    int  // rank of the register's location
	begin    bool // register read for the begin of the transaction
	power    *float64
	soc      *float64

	signedBegin, signedEnd *WattHours
}

// eachBatch calls f with the samples of each instant, in the order in which
// they stand in the message. Samples of an instant that could not be read are
// kept, but they are evidence of nothing.
func eachBatch(samples []Sample, f func(batch)) {
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].At.Equal(samples[0].At) {
			n++
		}
		if !samples[0].At.IsZero() {
			reduce(samples[:n], f)
		}
		samples = samples[n:]
	}
}

// reduce calls f for the readings among the samples of one instant, and once
// more for a reading of the begin of the transaction if there is one: stations
// repeat that one in every batch.
func reduce(samples []Sample, f func(batch)) {
	b := batch{at: samples[0].At, power: sumOrTotal(samples, isPower), soc: firstSoC(samples)}
	b.register, b.place = register(samples, false)
	for i := range samples {
		begin, end := signedRegisters(&samples[i])
		b.signedBegin, b.signedEnd = cmp.Or(b.signedBegin, begin), cmp.Or(b.signedEnd, end)
	}
	f(b)
	if wh, place := register(samples, true); wh != nil {
		f(batch{at: b.at, register: wh, place: place, begin: true})
	}
}

// register returns the import register that the samples of one instant tell,
// from the best location that has one.
func register(samples []Sample, begin bool) (*WattHours, int) {
	var best *WattHours
	rank := 0
	for i := range samples {
		s := &samples[i]
		place := placeRank(s.Location)
		if !isRegister(s) || (s.Context == contextBegin) != begin || place <= rank {
			continue
		}
		match := func(o *Sample) bool {
			return isRegister(o) && (o.Context == contextBegin) == begin && placeRank(o.Location) == place && o.Context == s.Context
		}
		if wh := totalWh(samples, match); wh != nil {
			best, rank = wh, place
		}
	}
	return best, rank
}

func isRegister(s *Sample) bool {
	return (s.Measurand == "" || s.Measurand == measurandImport) && s.Format != formatSigned
}

func isPower(s *Sample) bool { return s.Measurand == measurandPower && s.Format != formatSigned }

// placeRank orders the locations of a register: what leaves the outlet is what
// is sold (OCPP 1.6 §7.30). Zero is no location at all.
func placeRank(location string) int {
	switch location {
	case "", "Outlet":
		return 5
	case "Cable":
		return 4
	case "Inlet":
		return 3
	case "Body":
		return 2
	}
	return 1
}

// totalWh returns the reading without a phase, else the sum over the phases.
func totalWh(samples []Sample, match func(*Sample) bool) *WattHours {
	var sum WattHours
	phases := 0
	for i := range samples {
		s := &samples[i]
		if !match(s) {
			continue
		}
		wh, ok := parseWh(s.Value, s.Unit)
		if !ok {
			continue
		}
		if s.Phase == "" {
			return &wh
		}
		sum += wh
		phases++
	}
	if phases == 0 {
		return nil
	}
	return &sum
}

func sumOrTotal(samples []Sample, match func(*Sample) bool) *float64 {
	sum, phases := 0.0, 0
	for i := range samples {
		s := &samples[i]
		if !match(s) {
			continue
		}
		w, ok := parseWatts(s.Value, s.Unit)
		if !ok {
			continue
		}
		if s.Phase == "" {
			return &w
		}
		sum += w
		phases++
	}
	if phases == 0 {
		return nil
	}
	return &sum
}

func firstSoC(samples []Sample) *float64 {
	for i := range samples {
		s := &samples[i]
		if s.Measurand != measurandSoC {
			continue
		}
		v, err := strconv.ParseFloat(s.Value, 64)
		if err == nil && v >= 0 && v <= 100 {
			return &v
		}
	}
	return nil
}

// parseWh reads a register text in Wh or kWh, exactly, rounded down to whole
// Wh: a fraction is never billed before it is whole.
func parseWh(value, unit string) (WattHours, bool) {
	places := 0
	switch {
	case unit == "" || strings.EqualFold(unit, "Wh"):
	case strings.EqualFold(unit, "kWh"):
		places = 3
	default:
		return 0, false
	}
	n, ok := parseDecimal(strings.TrimSpace(value), places)
	return WattHours(n), ok && n >= 0
}

// parseWatts reads a power text in W or kW. It shows, it never bills.
func parseWatts(value, unit string) (float64, bool) {
	w, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if strings.EqualFold(unit, "kW") {
		w *= 1000
	}
	const limit = 1e9
	return w, err == nil && w > -limit && w < limit
}
