package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
)

// noRequestLimit are flags of a server whose API is measured, not its limits.
var noRequestLimit = []string{"--limits-requests-per-second", "0"}

func benchAPICommand() *cobra.Command {
	var s benchSettings
	var reads bench.Reads
	cmd := &cobra.Command{
		Use:   "api",
		Short: "Measure how much clients read over REST",
		Long: `Api gives a ledger some charges over OCPP, and then lets clients read: lists of
transactions in both APIs, single transactions, chargers. Each client asks for one
thing after the other on a connection that it keeps. What lists of millions take
shows leyden bench query.`,
		Example: `  leyden bench api --clients 16 --duration 20s`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if reads.Clients < 1 || reads.Sessions < 1 || s.duration <= 0 {
				return usagef("--clients, --sessions and --duration must be above 0")
			}
			if err := s.check(); err != nil {
				return err
			}
			s.stations = min(reads.Sessions, apiStations)
			r := bench.NewReport("api", map[string]string{
				"clients": fmt.Sprint(reads.Clients), "sessions": fmt.Sprint(reads.Sessions), "duration": s.duration.String(),
			})
			once := func(ctx context.Context, o bench.Options) (*bench.Sample, error) {
				o.Flags = append(o.Flags, noRequestLimit...)
				return bench.API(ctx, o, reads)
			}
			return s.measure(cmd.Context(), r, "reads", once, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&reads.Clients, "clients", 16, "how many clients read at once")
	cmd.Flags().IntVar(&reads.Sessions, "sessions", 5000, "how many charges the ledger has")
	cmd.Flags().DurationVar(&s.duration, "duration", 10*time.Second, "how long to measure")
	return cmd
}

// apiStations is how many stations make the charges that are read.
const apiStations = 100
