package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
)

// stormLimit is how long a storm may take until it is given up.
const stormLimit = 5 * time.Minute

func benchStormCommand() *cobra.Command {
	var s benchSettings
	cmd := &cobra.Command{
		Use:   "storm",
		Short: "Measure what happens when all stations come back at once",
		Long: `Storm connects stations, lets each begin a charge, cuts all connections without a
word, and a second later lets all come back at the same moment: each boots and
sends the stop that it has queued. It measures how long it takes until all are
answered, and how long a client waits meanwhile that lists chargers every 10 ms on
connections that it keeps, counted from when each call was due. A connection that
fails is tried again after half a second. It fails if the ledger lacks a stop.`,
		Example: `  leyden bench storm --stations 10000`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if s.stations < 1 {
				return usagef("--stations must be above 0")
			}
			if err := s.check(); err != nil {
				return err
			}
			r := bench.NewReport("storm", map[string]string{"stations": fmt.Sprint(s.stations)})
			once := func(ctx context.Context, o bench.Options) (*bench.Sample, error) {
				ctx, cancel := context.WithTimeout(ctx, stormLimit)
				defer cancel()
				o.Flags = append(o.Flags, noRequestLimit...)
				return bench.Storm(ctx, o)
			}
			return s.measure(cmd.Context(), r, "all answered", once, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&s.stations, "stations", 10_000, "how many stations, each with a connection")
	return cmd
}

// benchProbeCommand is what a storm starts, for nobody else.
func benchProbeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return bench.Probe(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
