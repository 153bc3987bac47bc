package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

type benchSettings struct {
	stations         int
	duration, warmup time.Duration
	json             bool

	disturb []string
	rate    int
	rounds  int
	spell   time.Duration
	maxCost time.Duration // 0: any
}

func benchCommand() *cobra.Command {
	var s benchSettings
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure sessions per second on this machine",
		Long: `Bench starts a server of its own on a fresh ledger in a temporary folder and
drives complete sessions against it over loopback, each station one after the
other: Authorize, StartTransaction, 5 × MeterValues of 3 samples,
StopTransaction, each answered before the next. Starts, stops and readings are
on disk before their answer. The load runs on the same machine.

With --disturb the stations work at a steady rate instead, and spells without
and with one station that misbehaves follow each other: slow writes and reads a
byte at a time, silent answers nothing, flood sends Heartbeats as fast as it can
and flood-readings MeterValues. What that costs the others is the difference of
their answer times in the same run, the median over all rounds; with --max-cost
the command fails if one costs more than that.`,
		Example: `  leyden bench --stations 1000 --duration 20s
  leyden bench --disturb slow,silent,flood,flood-readings --max-cost 10ms`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if len(s.disturb) > 0 {
				return runIsolation(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return runBench(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.AddCommand(benchFillCommand(), benchQueryCommand())
	cmd.Flags().IntVar(&s.stations, "stations", 1000, "how many stations, each with a connection")
	cmd.Flags().DurationVar(&s.duration, "duration", 20*time.Second, "how long to measure")
	cmd.Flags().DurationVar(&s.warmup, "warmup", 3*time.Second, "how long to warm up before")
	cmd.Flags().StringSliceVar(&s.disturb, "disturb", nil, "measure what a station that misbehaves costs the others: slow, silent, flood, flood-readings")
	cmd.Flags().IntVar(&s.rate, "rate", 1000, "with --disturb: messages a second of all stations that behave")
	cmd.Flags().IntVar(&s.rounds, "rounds", 10, "with --disturb: how often each is repeated")
	cmd.Flags().DurationVar(&s.spell, "spell", time.Second, "with --disturb: how long one spell is measured")
	cmd.Flags().DurationVar(&s.maxCost, "max-cost", 0, "with --disturb: fail if the others' 99th percentile grows by more; 0 is any")
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func runBench(ctx context.Context, s *benchSettings, stdout, stderr io.Writer) error {
	if s.stations < 1 || s.duration <= 0 || s.warmup < 0 {
		return usagef("--stations and --duration must be above 0, --warmup not below")
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program's own file: %w", err)
	}
	o := bench.Options{
		Binary: binary, Stations: s.stations, Duration: s.duration, Warmup: s.warmup, Log: stderr,
		Dial: func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{}) },
	}
	finish := s.showProgress(&o, stderr)
	r, err := bench.Sessions(ctx, o)
	finish()
	if err != nil {
		return err
	}
	if err := showBench(stdout, r, s.json); err != nil {
		return err
	}
	if r.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %s", r.Errors, r.FirstError)
	}
	if !r.LedgerTotalCheck {
		return fmt.Errorf("the ledger holds %d of %d answered sessions", r.LedgerCompleted, r.Sessions)
	}
	return nil
}

// showProgress says what happens: on a terminal with a bar that fills while it
// is measured. It returns what ends that.
func (s *benchSettings) showProgress(o *bench.Options, stderr io.Writer) (finish func()) {
	text := fmt.Sprintf("%d stations, %v of warm-up, then %v", s.stations, s.warmup, s.duration)
	bar := newBar(stderr, 100, text)
	if bar == nil {
		fmt.Fprintln(stderr, text)
		return func() {}
	}
	began := make(chan time.Time, 1)
	o.OnMeasure = func() { began <- time.Now() }
	ctx, cancel := context.WithCancel(context.Background())
	var filling sync.WaitGroup
	filling.Go(func() { s.fill(ctx, bar, began) })
	return func() {
		cancel()
		filling.Wait()
		bar.finish()
	}
}

// fill fills a bar for as long as it is measured.
func (s *benchSettings) fill(ctx context.Context, bar *bar, began <-chan time.Time) {
	tick := time.NewTicker(max(s.duration/100, 50*time.Millisecond))
	defer tick.Stop()
	var from time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case from = <-began:
		case now := <-tick.C:
			if !from.IsZero() {
				bar.set(int(100*now.Sub(from)/s.duration), "measuring")
			}
		}
	}
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
