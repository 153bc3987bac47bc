package simtest

import (
	"strings"
	"testing"

	"leyden"
	"leyden/internal/race"
	"leyden/sim"
)

// TestStrayStops has meters be reset in charges that are stopped under −1. Which charge
// such a stop is of nobody can tell; but no start is refused for it. Messages come in
// order: readings under −1 from before their start would be those of the charge before.
func TestStrayStops(t *testing.T) {
	stray := 0
	for i := range uint64(race.Fewer(20, 3)) {
		p := planOf(*seed + i)
		p.conflict = leyden.ConflictReject
		o := &p.fleet
		o.Stations, o.Connectors, o.Sessions = min(o.Stations, 10), 2, 3
		o.Quirks = []sim.Quirk{sim.OfflineIDs}
		o.Faults.Offline, o.Faults.Reset, o.Faults.Reorder = 0.8, 0.5, 0
		_, wrongs := simulate(t, p)
		for _, wrong := range wrongs {
			if strings.Contains(wrong, "CALLERROR") {
				t.Errorf("seed %d: %s", p.seed, wrong)
			}
			if strings.Contains(wrong, "is marked ORPHAN") {
				stray++
			}
		}
	}
	if stray == 0 {
		t.Error("all stops were of a charge: nothing was tested")
	}
}
