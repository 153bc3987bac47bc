package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"leyden/bench"
)

func benchSessionsCommand() *cobra.Command {
	var s benchSettings
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "Measure complete sessions per second",
		Long: `Sessions drives complete sessions, each station one after the other: Authorize,
StartTransaction, 5 × MeterValues of 3 samples, StopTransaction, each answered
before the next. Starts, stops and readings are on disk before their answer. It
fails if the ledger lacks a session that was answered.

The table tells what the server used for a message, with the store's work:
processor time, read and write calls (of files and sockets alike, also those that
found nothing), allocations. load processor is what the stations used meanwhile
on the same machine; fdatasync p50 is what the disk takes for 4 KB.`,
		Example: `  leyden bench sessions --stations 1000 --duration 20s
  leyden bench sessions --store memory,sqlite --rounds 5 --json new.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			return runSessions(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	s.loadFlags(cmd)
	return cmd
}

func runSessions(ctx context.Context, s *benchSettings, stdout, stderr io.Writer) error {
	if err := s.checkLoad(); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d stations, %v of warm-up, then %v\n", s.stations, s.warmup, s.duration)
	r := bench.NewReport("sessions", map[string]string{"stations": fmt.Sprint(s.stations), "duration": s.duration.String()})
	return s.measure(ctx, r, "sessions", bench.Sessions, stdout, stderr)
}
