package simtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"leyden/internal/race"
	"leyden/sim"
)

var (
	seeds = flag.Int("seeds", race.Fewer(500, 40), "how many simulations are run")
	seed  = flag.Uint64("seed", 1, "the seed of the first")
)

// TestMain has one processor do one thing at a time, in an order that is the same again.
// Garbage waits: there is little of it, and much to do.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds runs simulations, each of its own seed.
func TestSeeds(t *testing.T) {
	for i := range *seeds {
		p := planOf(*seed + uint64(i))
		t.Run(fmt.Sprint("seed=", p.seed), func(t *testing.T) {
			_, wrongs := simulate(t, p)
			for _, wrong := range wrongs {
				t.Error(wrong)
			}
			if t.Failed() {
				t.Logf("%v\nonce more: go test ./simtest -run '^TestSeeds$' -v -count=1 -seeds 1 -seed %d", p, p.seed)
			}
		})
	}
}

// simulate runs a simulation. It returns what happened, and what was not as it must be.
func simulate(t *testing.T, p plan) (report *sim.Report, wrongs []string) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(theBegin))
		w := newWorld(t, p)
		poller := poller{world: w, until: theBegin, seen: make(map[edition]int)}
		w.running.Go(poller.poll)
		if p.operator > 0 {
			w.running.Go(w.operate)
		}
		p.fleet.Dial = w.dial
		fleet, err := sim.NewFleet(p.fleet)
		if err != nil {
			t.Fatal(err)
		}
		report = fleet.Run(t.Context())
		w.heal()
		poller.fetch()
		w.compare(report)
		poller.compare()
		if testing.Verbose() {
			t.Logf("%v\n%d lives, fates %v\n%v", p, w.lives, w.fates.counts, report)
		}
		w.end()
		wrongs = w.wrongs
	})
	return report, wrongs
}
