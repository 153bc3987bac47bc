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
	o.ClockSkew = pick(r, 0, time.Minute, 3*time.Hour, 23*time.Hour)
	o.Quirks = quirks(r)
	changes := o.Stations * o.Connectors * o.Sessions * 7
	p.odds = odds{crash: int(some(15) * 100_000 / float64(changes)), refuse: int(some(5_000))}
	p.conflict = pick(r, leyden.ConflictEvidence, leyden.ConflictAccept, leyden.ConflictReject)
	p.operator = pick(r, 0, 20*time.Second, 2*time.Minute)
	p.fleet = o
	return p
}

// quirks returns those of a fleet, in most cases none. What a charge that speaks of
// number −1 belongs to can only be guessed; see docs/ocpp.md.
func quirks(r *rand.Rand) []sim.Quirk {
	return pick(r, nil, nil, nil, []sim.Quirk{sim.SessionRegister}, []sim.Quirk{sim.NoZone}, []sim.Quirk{sim.FractionalMeters})
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
