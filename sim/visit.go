package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"leyden/ocpp/v16"
)

// A Visit is what one driver does at a connector. Its times and its battery
// are those of speed 1.
type Visit struct {
	After    time.Duration // since the last car has left, or since the first boot
	IDTag    string
	Capacity int           // of the car's battery, in Wh
	SoC      int           // at the arrival, in percent
	Power    int           // the most that the car draws, in W
	Stay     time.Duration // from the begin of the charge to the driver's return
	// Ending is how the driver ends the charge: ReasonLocal with the idTag, or
	// ReasonEVDisconnected by pulling the plug.
	Ending v16.Reason

	// OfflineAfter and Offline are when, after the begin of the charge, the
	// station loses its connection, and for how long. It charges on.
	OfflineAfter, Offline time.Duration
	// RebootAfter is when, after the begin of the charge, the station restarts by
	// itself, and ResetAfter when its meter begins anew at 0; zero: not at all.
	RebootAfter, ResetAfter time.Duration
}

// stream returns the random numbers for one purpose of one station: the same
// ones whatever else happens.
func stream(seed uint64, station string, purpose ...uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(station)) // a hash takes anything
	mix := h.Sum64()
	for _, p := range purpose {
		mix = (mix ^ p) * 0x9E3779B97F4A7C15 // the golden ratio: spreads small numbers
		mix ^= mix >> 32
	}
	return rand.New(rand.NewPCG(seed, mix))
}

// The purposes of streams, beside visits, whose purpose is their connector and
// number.
const (
	purposeTraits uint64 = 1<<32 + iota
	purposeRegister
	purposeFaults
	purposeRemote
	purposeMeter
	purposeClock
)

// skew returns how far a station's clock is ahead.
func (o *Options) skew(station string) time.Duration {
	return between(stream(o.Seed, station, purposeClock), -o.ClockSkew, o.ClockSkew).Truncate(time.Millisecond)
}

// between returns a duration from least to most.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// seededVisit returns the n-th visit at a connector. Everything is drawn
// always, and in the same order, so that no option moves what follows.
func (o *Options) seededVisit(station string, connector, n int) Visit {
	r := stream(o.Seed, station, uint64(connector), uint64(n))
	v := Visit{
		After:    between(r, 30*time.Second, 15*time.Minute),
		IDTag:    o.Tags[r.IntN(len(o.Tags))],
		Capacity: 30_000 + 500*r.IntN(140),
		SoC:      5 + r.IntN(50),
		Power:    []int{50_000, 100_000, 125_000, 150_000, 250_000}[r.IntN(5)],
		Stay:     between(r, 15*time.Minute, 65*time.Minute),
		Ending:   v16.ReasonLocal,
	}
	if r.IntN(3) == 0 {
		v.Ending = v16.ReasonEVDisconnected
	}
	offline, after, length := r.Float64(), r.Float64(), between(r, time.Minute, 40*time.Minute)
	if offline < o.Faults.Offline {
		v.OfflineAfter, v.Offline = time.Duration(after*float64(v.Stay)), length
	}
	reboot, reset := r.Float64(), r.Float64()
	rebootAfter, resetAfter := between(r, time.Minute, v.Stay), between(r, time.Minute, v.Stay)
	if reboot < o.Faults.Reboot {
		v.RebootAfter = rebootAfter
	}
	if reset < o.Faults.Reset {
		v.ResetAfter = resetAfter
	}
	if n == 0 {
		v.After /= 15 // a new fleet has something to show within a minute
	}
	return v
}

// visit returns the n-th visit at a connector, or false when nobody comes any
// more.
func (o *Options) visit(station string, connector, n int) (Visit, bool) {
	if o.Passive || o.Sessions > 0 && n >= o.Sessions {
		return Visit{}, false
	}
	if o.Visits != nil {
		return o.Visits(station, connector, n)
	}
	return o.seededVisit(station, connector, n), true
}

// remoteVisit returns the visit of a driver whose charge is started remotely.
func (o *Options) remoteVisit(r *rand.Rand, tag string) Visit {
	return Visit{
		IDTag:    tag,
		Capacity: 40_000 + 500*r.IntN(120),
		SoC:      10 + r.IntN(40),
		Power:    150_000,
		Stay:     between(r, 20*time.Minute, 60*time.Minute),
		Ending:   v16.ReasonEVDisconnected,
	}
}
