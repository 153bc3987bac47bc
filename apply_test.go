package leyden_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leyden"
	"leyden/internal/race"
)

var interleavings = flag.Int("interleavings", race.Fewer(20_000, 2_000), "how many seeded interleavings of a charge's events to fold")

func at(minute int) time.Time { return time.Date(2026, 2, 6, 12, minute, 0, 0, time.UTC) }

func wh(n leyden.WattHours) *leyden.WattHours { return &n }

// charge is a whole charge as six reports, SoC, power, a begin reading that
// comes last in its batch, and phases included.
func charge() []leyden.Event {
	card := leyden.IDToken{Value: "USER123"}
	number := int64(17)
	update := func(key string, minute int, samples ...leyden.Sample) leyden.Event {
		for i := range samples {
			samples[i].At = at(minute)
		}
		return leyden.Event{Transaction: 17, Station: "S", Key: key, Kind: leyden.Updated, Number: &number, Connector: 1, ReceivedAt: at(minute), Samples: samples}
	}
	soc := func(v string) leyden.Sample { return leyden.Sample{Value: v, Measurand: "SoC", Unit: "Percent"} }
	return []leyden.Event{
		{
			Transaction: 17, Station: "S", Key: "start", Kind: leyden.Started, At: at(0), ReceivedAt: at(0), Connector: 1, Token: card,
			Register: wh(1000), Vehicle: "van 7", Auth: leyden.TokenInfo{Status: leyden.TokenAccepted}, PluggedAt: at(0).Add(-time.Minute),
		},
		update("m1", 10, leyden.Sample{Value: "4000"}, soc("32"), leyden.Sample{Value: "0", Context: "Transaction.Begin"}),
		update("m2", 20, leyden.Sample{Value: "8.0", Unit: "kWh"}, leyden.Sample{Value: "24000", Measurand: "Power.Active.Import"}),
		update("m3", 30, leyden.Sample{Value: "11000", Measurand: "Power.Active.Import"}),
		update("m4", 40,
			leyden.Sample{Value: "4000", Phase: "L1"}, leyden.Sample{Value: "4500", Phase: "L2"}, leyden.Sample{Value: "5500", Phase: "L3"}, soc("81")),
		{
			Transaction: 17, Station: "S", Key: "stop", Kind: leyden.Ended, Number: &number, At: at(45), ReceivedAt: at(45),
			Register: wh(15000), Reason: "Local", Token: card,
		},
	}
}

// reset is the same charge on a meter that was replaced in between: its energy
// rests on the order of the readings.
func reset() []leyden.Event {
	events := charge()
	events[4].Samples = []leyden.Sample{{At: at(40), Value: "700"}}
	events[5].Register = wh(900)
	return events
}

// visible compares what readers see of two transactions; when we heard of it
// may differ.
var visible = cmp.Options{
	cmpopts.IgnoreFields(leyden.Transaction{}, "Evidence", "UpdatedAt", "Version"),
}

// arrive folds events as a ledger does: one at a time, each key once, from all
// events when the order of readings matters.
func arrive(events []leyden.Event, order []int) leyden.Transaction {
	var t leyden.Transaction
	var stored []leyden.Event
	for _, i := range order {
		e := events[i]
		if slices.ContainsFunc(stored, func(o leyden.Event) bool { return o.Key == e.Key }) {
			continue
		}
		stored = append(stored, e)
		if t = leyden.Apply(t, e); t.NeedsFold() {
			t = leyden.Fold(stored)
		}
	}
	return t
}

func TestEveryOrderFoldsToTheSame(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		events []leyden.Event
		energy leyden.WattHours
		source leyden.EnergySource
		flags  leyden.Flags
	}{
		"charge": {charge(), 14000, leyden.EnergyRegisters, 0},
		"reset":  {reset(), 7200, leyden.EnergyRising, leyden.MeterRollback},
		"signed": {signedCharge(), 14010, leyden.EnergySigned, leyden.ContentConflict},
	} {
		t.Run(name, func(t *testing.T) {
			want := leyden.Fold(tc.events)
			if want.Energy == nil || *want.Energy != tc.energy || want.EnergySource != tc.source || want.Flags != tc.flags || want.Status != leyden.Completed {
				t.Fatalf("folded: %v Wh by %q, flags %v, %v; want %v Wh by %q, flags %v, completed",
					deref(want.Energy), want.EnergySource, want.Flags.Names(), want.Status, tc.energy, tc.source, tc.flags.Names())
			}
			if *want.InitialSoC != 32 || *want.EndSoC != 81 && name != "reset" || want.VehicleID != "van 7" {
				t.Fatalf("folded: SoC %v to %v, vehicle %q", *want.InitialSoC, want.EndSoC, want.VehicleID)
			}
			orders := 0
			permute(len(tc.events), func(order []int) {
				orders++
				for times := 1; times <= 3; times++ {
					got := arrive(tc.events, repeated(order, times))
					if diff := cmp.Diff(want, got, visible); diff != "" {
						t.Fatalf("order %v, each delivered up to %d times (-want +got):\n%s", order, times, diff)
					}
				}
			})
			if orders != 720 {
				t.Fatalf("tried %d orders, want 720", orders)
			}
		})
	}
}

// repeated delivers each of order 1 to times times: again at once, and again
// at the very end.
func repeated(order []int, times int) []int {
	var out []int
	for i, e := range order {
		out = append(out, e)
		if times > 1 && i%2 == 0 {
			out = append(out, e)
		}
	}
	if times > 2 {
		out = append(out, order...)
	}
	return out
}

func permute(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var rec func(int)
	rec = func(k int) {
		if k == n {
			f(slices.Clone(order))
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			rec(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	rec(0)
}

// A station's queue is cut at random, resent from an earlier point, and comes
// over several connections that overtake each other.
func TestInterleavingsFoldToTheSame(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]leyden.Event{"charge": charge(), "reset": reset(), "signed": signedCharge()} {
		want := leyden.Fold(events)
		for seed := range *interleavings / 2 {
			order := interleave(rand.New(rand.NewPCG(uint64(seed), 1)), len(events))
			if diff := leyden.Differences(want, arrive(events, order)); len(diff) > 0 {
				t.Fatalf("%s, seed %d, order %v: %v differ", name, seed, order, diff)
			}
		}
	}
}

func deref(w *leyden.WattHours) leyden.WattHours {
	if w == nil {
		return -1
	}
	return *w
}

// interleave returns an order of arrival in which every event arrives at least
// once: two connections take turns; each may be cut and begin again earlier.
func interleave(r *rand.Rand, n int) []int {
	var order []int
	next := [2]int{0, r.IntN(n)}
	for next[0] < n || next[1] < n {
		c := r.IntN(2)
		if next[c] >= n {
			c = 1 - c
		}
		order = append(order, next[c])
		next[c]++
		if r.IntN(4) == 0 {
			next[c] = r.IntN(next[c] + 1)
		}
		if len(order) > 20*n {
			break
		}
	}
	rest := r.Perm(n)
	if r.IntN(2) == 0 {
		return append(rest, order...)
	}
	return append(order, rest...)
}

func ExampleFold() {
	t := leyden.Fold(charge())
	fmt.Println(t.Status, *t.Energy, t.EnergySource, t.EndResult())
	// Output: completed 14000 registers Local
}
