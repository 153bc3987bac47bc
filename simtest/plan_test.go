package simtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"leyden"
	"leyden/sim"
)

// A plan is what a seed decides.
type plan struct {
	seed     uint64
	fleet    sim.Options
	odds     odds
	conflict leyden.StartConflict
	operator time.Duration // about how often an operator does something; 0: there is none
	poll     time.Duration // how often somebody fetches what was inserted
	restart  time.Duration // about how often the server is restarted in good order; 0: never
	files    bool          // the ledger is in files, with SQLite

	sabotage func(driver) driver // what a server does worse with its storage; nil: nothing
}

// odds are how often the server and its disk fail, of 100,000 changes.
type odds struct{ crash, refuse int }

// String tells what is special about p.
func (p plan) String() string {
	f := p.fleet
	return fmt.Sprintf("%d stations × %d connectors × %d visits, speed %.0f, faults %+v, skew %v, quirks %v, server %+v, %s, operator %v",
		f.Stations, f.Connectors, f.Sessions, f.Speed, f.Faults, f.ClockSkew, f.Quirks, p.odds, p.conflict, p.operator)
}

// planOf returns what a seed decides. Most seeds are of a few dozen stations that charge
// often, some are of hundreds.
func planOf(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := plan{seed: seed, poll: 7 * time.Minute, files: seed%20 == 7}
	o := sim.Options{
		Seed: seed, Stations: 3 + r.IntN(15), Connectors: 1 + r.IntN(2), Sessions: 1 + r.IntN(3),
		Speed: pick(r, 2.0, 10, 40), SampleInterval: time.Duration(4+r.IntN(12)) * time.Minute,
		RampUp: time.Duration(r.IntN(120)) * time.Second, Patience: 6 * time.Hour, Record: true,
	}
	if seed%16 == 0 {
		o.Stations, o.Connectors, o.Sessions = 200+r.IntN(200), 1, 1
	}
	some := func(most float64) float64 { return max(0, r.Float64()*4/3-1.0/3) * most } // none, every fourth time
	o.Faults = sim.Faults{
		Cut: some(0.3), Lose: some(0.05), Repeat: some(0.2), Offline: some(0.8),
		Reorder: some(0.5), Reboot: some(0.5), Reset: some(0.5),
	}
	o.ClockSkew = pick(r, 0, time.Minute, 3*time.Hour, 23*time.Hour, noClock)
	if o.ClockSkew == noClock {
		o.Faults.Repeat = 0 // before 2015 a start that comes again after its stop is another charge
		o.Faults.Reset = 0  // readings from days to come are no evidence
	}
	o.Quirks = quirks(r)
	if r.IntN(6) == 0 { // what they belong to is clear of charges that come one after the other
		o.Connectors, o.Faults.Reorder, o.Faults.Reset = 1, 0, 0
		o.Quirks = append(o.Quirks, sim.OfflineIDs)
	}
	changes := o.Stations * o.Connectors * o.Sessions * 7
	p.odds = odds{crash: int(some(15) * 100_000 / float64(changes)), refuse: int(some(5_000))}
	p.conflict = pick(r, leyden.ConflictEvidence, leyden.ConflictAccept, leyden.ConflictReject)
	p.operator = pick(r, 0, 20*time.Second, 2*time.Minute)
	p.restart = pick(r, 0, 0, 3*time.Minute)
	p.fleet = o
	return p
}

// noClock is the skew of clocks that nobody has set.
const noClock = 30 * 365 * 24 * time.Hour

// quirks returns those of a fleet, in most cases none.
func quirks(r *rand.Rand) []sim.Quirk {
	return pick(r, nil, nil, nil, []sim.Quirk{sim.SessionRegister}, []sim.Quirk{sim.NoZone}, []sim.Quirk{sim.FractionalMeters})
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
