package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

// benchSettings are what all scenarios can be told.
type benchSettings struct {
	stores []string
	rounds int    // 0: as often as is usual
	json   string // file; - is stdout

	stations         int
	duration, warmup time.Duration
}

func benchCommand() *cobra.Command {
	var s benchSettings
	var d disturbSettings
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure sessions per second on this machine, and more",
		Long: `Bench starts a server of its own on a fresh ledger in a temporary folder (that
TMPDIR chooses: it should be on the disk to be measured), and measures what it
does over loopback. The load runs on the same machine. Without a subcommand it
measures sessions.

With --disturb the stations work at a steady rate instead, and spells without
and with one station that misbehaves follow each other: slow writes and reads a
byte at a time, silent answers nothing, flood sends Heartbeats as fast as it can
and flood-readings MeterValues. What that costs the others is the difference of
their answer times in the same run, the median over all rounds; with --max-cost
the command fails if one costs more than that.

Every scenario takes --store, --rounds and --json; leyden bench compare says what
changed between two files that --json wrote.`,
		Example: `  leyden bench --stations 1000 --duration 20s
  leyden bench sessions --store memory,sqlite --rounds 5 --json new.json
  leyden bench compare old.json new.json
  leyden bench --disturb slow,silent,flood,flood-readings --max-cost 10ms`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if len(d.disturb) > 0 {
				return runIsolation(cmd.Context(), &s, &d, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return runSessions(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.AddCommand(
		benchSessionsCommand(), benchRateCommand(), benchIdleCommand(), benchStormCommand(), benchQueryCommand(), benchAPICommand(),
		benchGrowthCommand(),
		benchFillCommand(), benchCompareCommand(), benchSoakCommand(), benchProbeCommand(),
	)
	s.flags(cmd)
	s.loadFlags(cmd)
	d.flags(cmd)
	return cmd
}

// flags adds what every scenario takes.
func (s *benchSettings) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&s.stores, "store", []string{bench.SQLite}, "where the ledger is kept: sqlite, memory, or both, which take turns")
	cmd.Flags().IntVar(&s.rounds, "rounds", 0, "how often each is measured; the table has medians, and from where to where the rounds lie (default 1, with --disturb 10)")
	cmd.Flags().StringVar(&s.json, "json", "", "write all that was measured to a file as JSON, or to stdout if it is -")
}

// loadFlags adds what a scenario with a load takes.
func (s *benchSettings) loadFlags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&s.stations, "stations", 1000, "how many stations, each with a connection")
	cmd.Flags().DurationVar(&s.duration, "duration", 20*time.Second, "how long to measure")
	cmd.Flags().DurationVar(&s.warmup, "warmup", 3*time.Second, "how long to warm up before")
}

// check finds what cannot be measured.
func (s *benchSettings) check() error {
	if s.rounds < 0 || len(s.stores) == 0 {
		return usagef("--rounds must be above 0, and --store name a store")
	}
	for i, name := range s.stores {
		if err := storeKnown(name); err != nil {
			return err
		}
		if slices.Contains(s.stores[:i], name) {
			return usagef("--store names %s twice", name)
		}
	}
	return nil
}

// checkLoad finds what no load can do.
func (s *benchSettings) checkLoad() error {
	if s.stations < 1 || s.duration <= 0 || s.warmup < 0 {
		return usagef("--stations and --duration must be above 0, --warmup not below")
	}
	return s.check()
}

// options returns how to measure on a store, with stations over plain WebSocket.
func (s *benchSettings) options(store string, stderr io.Writer) (bench.Options, error) {
	binary, err := os.Executable()
	if err != nil {
		return bench.Options{}, fmt.Errorf("this program's own file: %w", err)
	}
	return bench.Options{
		Binary: binary, Store: store, Stations: s.stations, Duration: s.duration, Warmup: s.warmup, Log: stderr,
		Dial: func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{}) },
	}, nil
}

// A measurement is how a scenario measures once.
type measurement func(ctx context.Context, o bench.Options) (*bench.Sample, error)

// measure measures as often as was asked for and shows the report. headline names
// the figure that is told after each run.
func (s *benchSettings) measure(ctx context.Context, r *bench.Report, headline string, once measurement, stdout, stderr io.Writer) error {
	rounds := bench.Rounds{Count: max(1, s.rounds), Stores: s.stores}
	many := rounds.Count*len(rounds.Stores) > 1
	rounds.OnSample = func(round int, store string, m *bench.Sample) {
		if many {
			fmt.Fprintf(stderr, "round %d of %d, %s: %s %s\n", round+1, rounds.Count, store, headline, shownFigure(m.Get(headline)))
		}
	}
	err := rounds.Fill(ctx, r, func(ctx context.Context, store string) (*bench.Sample, error) {
		o, err := s.options(store, stderr)
		if err != nil {
			return nil, err
		}
		finish := s.showProgress(&o, stderr)
		defer finish()
		return once(ctx, o)
	})
	if err != nil {
		return err
	}
	return s.show(r, stdout)
}

// show writes a report as it was asked for, and fails if something went wrong in it.
func (s *benchSettings) show(r *bench.Report, stdout io.Writer) error {
	if s.json != "" {
		if err := writeJSON(s.json, stdout, r); err != nil {
			return err
		}
	}
	if s.json != "-" {
		if err := showReport(stdout, r); err != nil {
			return err
		}
	}
	if r.Errors > 0 {
		return fmt.Errorf("%d errors, the first: %s", r.Errors, r.FirstError)
	}
	return nil
}

// showProgress fills a bar on a terminal while it is measured. It returns what ends
// that.
func (s *benchSettings) showProgress(o *bench.Options, stderr io.Writer) (finish func()) {
	bar := newBar(stderr, 100, "warming up")
	if bar == nil {
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
	span := cmp.Or(s.duration, time.Second)
	tick := time.NewTicker(max(span/100, 50*time.Millisecond))
	defer tick.Stop()
	var from time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case from = <-began:
		case now := <-tick.C:
			if !from.IsZero() {
				bar.set(int(100*now.Sub(from)/span), "measuring")
			}
		}
	}
}
