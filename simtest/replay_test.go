package simtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leyden/internal/race"
)

// TestReplay: a seed does the same again, to the last resend.
func TestReplay(t *testing.T) {
	for i := range uint64(race.Fewer(6, 2)) {
		p := planOf(*seed + i)
		once, _ := simulate(t, p)
		again, _ := simulate(t, p)
		if diff := cmp.Diff(once.Charges, again.Charges); diff != "" {
			t.Errorf("seed %d, %v (-first +second):\n%s", p.seed, p, diff)
		}
	}
}
