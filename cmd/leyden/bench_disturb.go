package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

// runIsolation measures what stations that misbehave cost the others.
func runIsolation(ctx context.Context, s *benchSettings, stdout, stderr io.Writer) error {
	if s.stations < 1 || s.rate < 1 || s.rounds < 1 || s.spell <= 0 || s.maxCost < 0 {
		return usagef("--stations, --rate, --rounds and --spell must be above 0, --max-cost not below")
	}
	i := bench.Isolation{
		Slow:  func(url string) sim.Dialer { return sim.SlowWebSocket(url, ocpp.DialOptions{}) },
		Every: time.Duration(s.stations) * time.Second / time.Duration(s.rate),
		Spell: s.spell, Rounds: s.rounds,
	}
	for _, name := range s.disturb {
		how := sim.Disturbance(name)
		if !slices.Contains(sim.Disturbances(), how) {
			return usagef("--disturb takes %v, not %q", sim.Disturbances(), name)
		}
		i.Disturb = append(i.Disturb, how)
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program's own file: %w", err)
	}
	i.Options = bench.Options{
		Binary: binary, Stations: s.stations, // commands that fail are what is wanted, and not shown
		Dial: func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{}) },
	}
	fmt.Fprintf(stderr, "%d stations, %d messages/s, %d rounds of %v without and with each disturber\n", s.stations, s.rate, s.rounds, s.spell)
	r, err := i.Run(ctx)
	if err != nil {
		return err
	}
	if err := showIsolation(stdout, r, s.json); err != nil {
		return err
	}
	if r.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %s", r.Errors, r.FirstError)
	}
	return tooDear(r.Costs, s.maxCost)
}

// tooDear returns an error that names what costs the others more than most.
func tooDear(costs []bench.Cost, most time.Duration) error {
	var dear []string
	for _, c := range costs {
		if most > 0 && c.P99 > float64(most)/float64(time.Millisecond) {
			dear = append(dear, fmt.Sprintf("%s %.1f ms", c.Disturbance, c.P99))
		}
	}
	if len(dear) > 0 {
		return fmt.Errorf("the 99th percentile of the others grows by more than %v: %s", most, strings.Join(dear, ", "))
	}
	return nil
}

func showIsolation(out io.Writer, r *bench.IsolationResult, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	for _, c := range r.Costs {
		fmt.Fprintf(out, "%-14s without p50 %.1f ms, p99 %.1f ms; with p50 %.1f ms, p99 %.1f ms; cost of p99 %+.1f ms (%d answers to the others, %.0f/s to it)\n",
			c.Disturbance, c.QuietP50, c.QuietP99, c.DisturbedP50, c.DisturbedP99, c.P99, c.Messages, c.Disturber)
	}
	_, err := fmt.Fprintf(out, "errors         %d\n", r.Errors)
	return err
}
