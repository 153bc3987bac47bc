package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
	"leyden/ocpp"
	"leyden/sim"
)

// soakSettings are what a soak can be told.
type soakSettings struct {
	bench.Soak
	json     string
	maxSlope float64
}

func benchSoakCommand() *cobra.Command {
	var s soakSettings
	f := &s.Fleet
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Have stations charge for hours, and compare the whole ledger every minute",
		Long: `Soak starts a server of its own on a fresh ledger in a temporary folder, and
stations that charge, lose connections, lose answers, resend and go offline as
the seed says. Every minute the whole ledger is read over the REST API and compared
with what physically happened: each charge whose stop was answered must be there,
once, with its number, its times and every Wh, and nothing else. In the end, when
all stations are gone, the server must have as many goroutines and descriptors as
before they came, and leyden check must find the ledger whole.

The command ends with 1 if there is a difference, if a station was told something
that it must not be, if something was left behind, or if memory grew faster after
the warm-up than --max-slope allows.`,
		Example: `  leyden bench soak --duration 2h --max-slope 1
  leyden bench soak --duration 10m --stations 50 --speed 500 --every 10s --json soak.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if f.Stations < 1 || s.Duration <= 0 || s.Every <= 0 || s.Warmup < 0 || s.maxSlope < 0 {
				return usagef("--stations, --duration and --every must be above 0, --warmup and --max-slope not below")
			}
			return runSoak(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&f.Stations, "stations", 500, "how many stations, each with two connectors")
	fs.Float64Var(&f.Speed, "speed", 60, "how many times as fast as in life people and cars are")
	fs.Uint64Var(&f.Seed, "seed", 1, "what happens follows from it")
	fs.Float64Var(&f.Faults.Cut, "cut", 0.02, "share of the messages about transactions around which the connection is lost")
	fs.Float64Var(&f.Faults.Lose, "lose", 0.002, "share of them whose answer is lost while the connection stays")
	fs.Float64Var(&f.Faults.Repeat, "repeat", 0.03, "share of them that are sent again although they were answered")
	fs.Float64Var(&f.Faults.Offline, "offline", 0.05, "share of the charges during which the station is offline for a while")
	fs.DurationVar(&s.Duration, "duration", 2*time.Hour, "how long new charges begin")
	fs.DurationVar(&s.Warmup, "warmup", 20*time.Minute, "how long memory may grow")
	fs.DurationVar(&s.Every, "every", time.Minute, "how often the ledger is compared")
	fs.Float64Var(&s.maxSlope, "max-slope", 0, "how many MiB memory may grow in an hour after the warm-up; 0 is no limit")
	fs.StringVar(&s.json, "json", "", "write all that was seen to a file as JSON, or to stdout if it is -")
	return cmd
}

func runSoak(ctx context.Context, s *soakSettings, stdout, stderr io.Writer) error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program's own file: %w", err)
	}
	s.Fleet.Connectors, s.Fleet.Patience = 2, 5*time.Minute
	s.Fleet.RampUp = min(s.Duration/10, 10*time.Second)
	s.OnCheck = func(c bench.SoakCheck) {
		fmt.Fprintf(stderr, "%v: %d rows, %d settled, %d differences; RSS %.1f MiB, %d goroutines, %d descriptors\n",
			time.Duration(c.Seconds*float64(time.Second)).Round(time.Second), c.Rows, c.Settled, c.Differences, c.RSS, c.Goroutines, c.Descriptors)
	}
	r, err := s.Run(ctx, bench.Options{
		Binary: binary, Log: stderr,
		Dial: func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{}) },
	})
	if err != nil {
		return err
	}
	if err := s.show(r, stdout); err != nil {
		return err
	}
	return r.Err(s.maxSlope)
}

// show shows the result, as JSON as well if that was asked for.
func (s *soakSettings) show(r *bench.SoakResult, stdout io.Writer) error {
	if s.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if s.json == "-" {
			_, err = fmt.Fprintf(stdout, "%s\n", text)
			return err
		}
		if err := os.WriteFile(s.json, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	for _, line := range [][2]string{
		{"charges", fmt.Sprintf("%d by %d stations in %v", r.Charges, r.Stations, time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))},
		{"messages", fmt.Sprintf("%d answered, %d resent, %d reconnects, %d CALLERRORs", r.Messages, r.Resends, r.Reconnects, r.CallErrors)},
		{"compared", fmt.Sprintf("%d times", len(r.Checks))},
		{"differences", fmt.Sprint(r.Different)},
		{"memory", fmt.Sprintf("RSS %.1f MiB before, %.1f MiB after, %+.2f MiB/h after the warm-up", r.Before.RSS, r.After.RSS, r.Slope)},
		{"goroutines", fmt.Sprintf("%d before, %d after", r.Before.Goroutines, r.After.Goroutines)},
		{"descriptors", fmt.Sprintf("%d before, %d after", r.Before.Descriptors, r.After.Descriptors)},
	} {
		fmt.Fprintf(stdout, "%-12s %s\n", line[0], line[1])
	}
	for _, d := range r.Differences {
		fmt.Fprintf(stdout, "  %s\n", d)
	}
	return nil
}
