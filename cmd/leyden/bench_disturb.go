package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

// disturbSettings say what stations that misbehave shall do.
type disturbSettings struct {
	disturb []string
	rate    int
	spell   time.Duration
	maxCost time.Duration // 0: any
}

// disturbRounds is how often each disturbance is measured unless that is said.
const disturbRounds = 10

func (d *disturbSettings) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&d.disturb, "disturb", nil, "measure what a station that misbehaves costs the others: slow, silent, flood, flood-readings")
	cmd.Flags().IntVar(&d.rate, "rate", 1000, "with --disturb: messages a second of all stations that behave")
	cmd.Flags().DurationVar(&d.spell, "spell", time.Second, "with --disturb: how long one spell is measured")
	cmd.Flags().DurationVar(&d.maxCost, "max-cost", 0, "with --disturb: fail if the others' 99th percentile grows by more; 0 is any")
}

// runIsolation measures what stations that misbehave cost the others.
func runIsolation(ctx context.Context, s *benchSettings, d *disturbSettings, stdout, stderr io.Writer) error {
	if s.stations < 1 || d.rate < 1 || d.spell <= 0 || d.maxCost < 0 {
		return usagef("--stations, --rate and --spell must be above 0, --max-cost not below")
	}
	if err := s.check(); err != nil {
		return err
	}
	if len(s.stores) > 1 {
		return usagef("--disturb takes one --store")
	}
	i := bench.Isolation{
		Slow:  func(url string) sim.Dialer { return sim.SlowWebSocket(url, ocpp.DialOptions{}) },
		Every: time.Duration(s.stations) * time.Second / time.Duration(d.rate),
		Spell: d.spell, Rounds: cmp.Or(s.rounds, disturbRounds),
	}
	for _, name := range d.disturb {
		how := sim.Disturbance(name)
		if !slices.Contains(sim.Disturbances(), how) {
			return usagef("--disturb takes %v, not %q", sim.Disturbances(), name)
		}
		i.Disturb = append(i.Disturb, how)
	}
	var err error
	if i.Options, err = s.options(s.stores[0], nil); err != nil { // commands that fail are what is wanted, and not shown
		return err
	}
	fmt.Fprintf(stderr, "%d stations, %d messages/s, %d rounds of %v without and with each disturber\n", s.stations, d.rate, i.Rounds, d.spell)
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
	return tooDear(r.Costs, d.maxCost)
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

func showIsolation(out io.Writer, r *bench.IsolationResult, asJSON string) error {
	if asJSON != "" {
		if err := writeJSON(asJSON, out, r); err != nil || asJSON == "-" {
			return err
		}
	}
	for _, c := range r.Costs {
		fmt.Fprintf(out, "%-14s without p50 %.1f ms, p99 %.1f ms; with p50 %.1f ms, p99 %.1f ms; cost of p99 %+.1f ms (%d answers to the others, %.0f/s to it)\n",
			c.Disturbance, c.QuietP50, c.QuietP99, c.DisturbedP50, c.DisturbedP99, c.P99, c.Messages, c.Disturber)
	}
	_, err := fmt.Fprintf(out, "errors         %d\n", r.Errors)
	return err
}
