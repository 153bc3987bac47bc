package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
)

func benchCommand() *cobra.Command {
	var stations int
	var duration, warmup time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure sessions per second on this machine",
		Long: `Bench starts a server of its own on a fresh ledger in a temporary folder and
drives complete sessions against it over loopback, each station one after the
other: Authorize, StartTransaction, 5 × MeterValues of 3 samples,
StopTransaction, each answered before the next. Starts, stops and readings are
on disk before their answer. The load runs on the same machine.`,
		Example: "  leyden bench --stations 1000 --duration 20s",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if stations < 1 || duration <= 0 || warmup < 0 {
				return usagef("--stations and --duration must be above 0, --warmup not below")
			}
			binary, err := os.Executable()
			if err != nil {
				return fmt.Errorf("this program's own file: %w", err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d stations, %v of warm-up, then %v\n", stations, warmup, duration)
			r, err := bench.Sessions(cmd.Context(), bench.Options{
				Binary: binary, Stations: stations, Duration: duration, Warmup: warmup, Log: cmd.ErrOrStderr(),
			})
			if err != nil {
				return err
			}
			if err := showBench(cmd.OutOrStdout(), r, asJSON); err != nil {
				return err
			}
			if r.Errors > 0 || !r.LedgerTotalCheck {
				return fmt.Errorf("%d errors (%s); the ledger holds %d of %d answered sessions", r.Errors, r.FirstError, r.LedgerCompleted, r.Sessions)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&stations, "stations", 1000, "how many stations, each with a connection")
	cmd.Flags().DurationVar(&duration, "duration", 20*time.Second, "how long to measure")
	cmd.Flags().DurationVar(&warmup, "warmup", 3*time.Second, "how long to warm up before")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showBench(out io.Writer, r *bench.Result, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	fmt.Fprintf(out, "sessions            %.0f/s  (%d in %.1f s)\n", r.SessionsPerSecond, r.Sessions, r.Seconds)
	fmt.Fprintf(out, "messages            %.0f/s\n", r.MessagesPerSecond)
	fmt.Fprintf(out, "StartTransaction    p50 %.1f ms, p99 %.1f ms\n", r.StartP50, r.StartP99)
	fmt.Fprintf(out, "any answer          p50 %.1f ms, p99 %.1f ms\n", r.AnswerP50, r.AnswerP99)
	fmt.Fprintf(out, "server CPU          %.1f s, %.1f µs a message\n", r.ServerCPU, r.CPUPerMessage)
	fmt.Fprintf(out, "server RSS          %.0f MiB\n", r.ServerRSS)
	fmt.Fprintf(out, "ledger              %d completed transactions, %.0f MiB\n", r.LedgerCompleted, r.LedgerSizeMiB)
	_, err := fmt.Fprintf(out, "errors              %d\n", r.Errors)
	return err
}
