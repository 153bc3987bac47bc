package leyden

import (
	"slices"
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
	register WattHours
	place    int     // rank of the register's location; 0: there is no register
	begin    bool    // register read for the begin of the transaction
	power    float64 // of no use unless powered
	powered  bool
	soc      float64 // of no use unless charged
	charged  bool

	signed []taken
}

// eachBatch calls f with the samples of each instant of a report. Samples of an
// instant that could not be read, or that was not yet when we heard of it, are
// kept, but they are evidence of nothing: one such reading would be the last
// one for years.
func eachBatch(e *Event, f func(batch)) {
	samples := e.Samples
	if !inOrder(samples) {
		samples = slices.Clone(samples)
		slices.SortStableFunc(samples, func(a, b Sample) int { return a.At.Compare(b.At) })
	}
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && samples[n].At.Equal(samples[0].At) {
			n++
		}
		if at := samples[0].At; !at.IsZero() && !tooEarly(at, e.ReceivedAt) {
			reduce(samples[:n], f)
		}
		samples = samples[n:]
	}
}

func inOrder(samples []Sample) bool {
	for i := 1; i < len(samples); i++ {
		if samples[i].At.Before(samples[i-1].At) {
			return false
		}
	}
	return true
}

// tooEarly reports whether we heard of a time long before it came, more than
// a wrong time zone explains.
func tooEarly(at, received time.Time) bool {
	return !received.IsZero() && at.After(received.Add(24*time.Hour))
}

// reduce calls f for the readings among the samples of one instant, and once
// more for a reading of the begin of the transaction if there is one: stations
// repeat that one in every batch.
func reduce(samples []Sample, f func(batch)) {
	b := batch{at: samples[0].At}
	b.power, b.powered = total(samples, isPower, parseWatts)
	b.soc, b.charged = firstSoC(samples)
	b.register, b.place = register(samples, false)
	for i := range samples {
		if samples[i].Format != formatSigned || samples[i].Signature == SignatureInvalid {
			continue // found to be invalid as it was received: it is evidence of nothing
		}
		b.signed = append(b.signed, samples[i].signedReadings()...)
	}
	f(b)
	if wh, place := register(samples, true); place > 0 {
		f(batch{at: b.at, register: wh, place: place, begin: true})
	}
}

// register returns the import register that the samples of one instant tell,
// from the best location that has one, and the rank of that; 0 if none has.
func register(samples []Sample, begin bool) (best WattHours, rank int) {
	for i := range samples {
		s := &samples[i]
		place := placeRank(s.Location)
		if !isRegister(s) || (s.Context == contextBegin) != begin || place <= rank {
			continue
		}
		match := func(o *Sample) bool {
			return isRegister(o) && (o.Context == contextBegin) == begin && placeRank(o.Location) == place && o.Context == s.Context
		}
		if wh, ok := total(samples, match, parseWh); ok {
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

// phaseSets are the phases that add up to a total, and no others do: a station
// may tell the same energy once per phase and once against neutral.
var phaseSets = [...][3]string{{"L1", "L2", "L3"}, {"L1-N", "L2-N", "L3-N"}, {"L1-L2", "L2-L3", "L3-L1"}}

// total returns the first value without a phase, else the sum over the first set
// of phases that has values, each phase once.
func total[T WattHours | float64](samples []Sample, match func(*Sample) bool, parse func(value, unit string) (T, bool)) (T, bool) {
	var sums [len(phaseSets)]T
	var there [len(phaseSets)][3]bool
	phases := false
	for i := range samples {
		s := &samples[i]
		if !match(s) {
			continue
		}
		n, ok := parse(s.Value, s.Unit)
		if ok && s.Phase == "" {
			return n, true
		}
		set, phase := phaseOf(s.Phase)
		if ok && set >= 0 && !there[set][phase] {
			sums[set] += n
			there[set][phase], phases = true, true
		}
	}
	for set := range sums {
		if phases && there[set] != [3]bool{} {
			return sums[set], true
		}
	}
	return 0, false
}

func phaseOf(name string) (set, phase int) {
	for set, names := range phaseSets {
		if phase := slices.Index(names[:], name); phase >= 0 {
			return set, phase
		}
	}
	return -1, 0
}

func firstSoC(samples []Sample) (float64, bool) {
	for i := range samples {
		s := &samples[i]
		if s.Measurand != measurandSoC {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(s.Value), 64)
		if err == nil && v >= 0 && v <= 100 {
			return v, true
		}
	}
	return 0, false
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
