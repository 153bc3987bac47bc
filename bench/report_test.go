package bench_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"leyden/bench"
)

// sample is a run that measured two figures.
func sample(rate, cost float64) *bench.Sample {
	return &bench.Sample{Values: []bench.Value{
		{Name: "sessions", Unit: "/s", Better: bench.More, Value: rate}, {Name: "cost", Unit: "µs", Better: bench.Less, Value: cost},
	}}
}

// TestRounds: stores take turns, every other round in reverse, and ratios come from
// rounds.
func TestRounds(t *testing.T) {
	rates := map[string][]float64{"memory": {100, 400, 200}, "sqlite": {50, 100, 150}}
	var order, told []string
	o := bench.Rounds{
		Count: 3, Stores: []string{"memory", "sqlite"},
		OnRun:    func(round int, store string) { order = append(order, fmt.Sprint(round, store)) },
		OnSample: func(round int, store string, _ *bench.Sample) { told = append(told, fmt.Sprint(round, store)) },
	}
	taken := map[string]int{}
	r := bench.NewReport("sessions", nil)
	err := o.Fill(t.Context(), r, func(_ context.Context, store string) (*bench.Sample, error) {
		s := sample(rates[store][taken[store]], 1)
		taken[store]++
		s.Errors, s.FirstError = 1, store
		return s, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0memory", "0sqlite", "1sqlite", "1memory", "2memory", "2sqlite"}
	if !slices.Equal(order, want) || !slices.Equal(told, want) {
		t.Errorf("ran %v, told %v; want %v", order, told, want)
	}
	if r.Rounds != 3 || r.Errors != 6 || r.FirstError != "memory" || len(r.Series) != 2 || r.Machine.Processors < 1 {
		t.Errorf("got %+v", r)
	}
	memory, disk := r.Series[0].Figure("sessions"), r.Series[1].Figure("sessions")
	if memory.Median != 200 || memory.Low != 100 || memory.High != 400 || disk.Median != 100 || disk.Share(memory) != 0.5 {
		t.Errorf("got %+v and %+v: %v", memory, disk, disk.Share(memory))
	}
	if r.Series[0].Figure("other") != nil {
		t.Error("a figure that was not measured is there")
	}
	broken := errors.New("no disk")
	err = o.Fill(t.Context(), r, func(context.Context, string) (*bench.Sample, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestCompare(t *testing.T) {
	report := func(rates, costs []float64) *bench.Report {
		r := bench.NewReport("sessions", map[string]string{"stations": "10"})
		for i := range rates {
			r.Add("sqlite", sample(rates[i], costs[i]))
		}
		return r
	}
	for _, c := range []struct {
		name       string
		old, new   *bench.Report
		rate, cost bench.Verdict
		percent    float64
		measured   bool
	}{
		{"the same", report([]float64{100, 110}, []float64{5, 6}), report([]float64{108, 112}, []float64{5, 6}), bench.Same, bench.Same, 100 * 5.0 / 105, true},
		{"better", report([]float64{100, 110}, []float64{5, 6}), report([]float64{210, 210}, []float64{3, 4}), bench.Gained, bench.Gained, 100, true},
		{"worse", report([]float64{100, 100}, []float64{5, 6}), report([]float64{50, 50}, []float64{7, 8}), bench.Lost, bench.Lost, -50, true},
		{"once", report([]float64{100}, []float64{5}), report([]float64{150}, []float64{5}), bench.Gained, bench.Same, 50, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := bench.Compare(c.old, c.new)
			if err != nil || len(all) != 2 {
				t.Fatalf("got %+v, %v", all, err)
			}
			rate, cost := all[0], all[1]
			if rate.Verdict != c.rate || cost.Verdict != c.cost || rate.Percent != c.percent || rate.Measured != c.measured {
				t.Errorf("got %+v and %+v", rate, cost)
			}
		})
	}
	other := bench.NewReport("rate", nil)
	quiet := report([]float64{1}, []float64{1})
	quiet.Settings = map[string]string{"stations": "11"}
	empty := bench.NewReport("sessions", map[string]string{"stations": "10"})
	for want, r := range map[string]*bench.Report{
		"one measured sessions, the other rate": other, `one measured with stations "10", the other with "11"`: quiet, "they measured nothing in common": empty,
	} {
		if _, err := bench.Compare(report([]float64{1}, []float64{1}), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
