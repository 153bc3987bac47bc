package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden/bench"
)

// fillMark is a file that tells a folder that was filled to be measured from one
// with a ledger that matters.
const fillMark = "bench-fill"

func benchFillCommand() *cobra.Command {
	f := bench.Filling{Stations: fillStations, Tokens: fillTokens}
	var data, transactions string
	cmd := &cobra.Command{
		Use:   "fill",
		Short: "Fill a ledger to measure lists on",
		Long: `Fill makes a ledger with many transactions: of five years, of chargers and
idTags that are not all as busy, some begun remotely, some failed, some reported
late, always the same ones for a seed. Without --events they have none, and such
a ledger is good for nothing but ` + "`leyden bench query`" + `; with them it is
what a server would have made of what stations said. A run that was cut goes on
where it was.`,
		Example: `  leyden bench fill --transactions 10M --data /tmp/fill
  leyden bench fill --transactions 1M --events --readings 5 --data /tmp/whole`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			n, err := parseCount(transactions)
			if err != nil {
				return err
			}
			f.Transactions = n
			if f.Stations < 1 || f.Tokens < 1 || f.Readings < 0 || data == "" {
				return usagef("--stations and --tokens must be above 0, --readings not below, and --data must name a folder")
			}
			return runFill(cmd.Context(), &f, data, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&transactions, "transactions", "1M", "how many; 10k and 1M are understood")
	cmd.Flags().IntVar(&f.Stations, "stations", f.Stations, "of how many chargers")
	cmd.Flags().IntVar(&f.Tokens, "tokens", f.Tokens, "of how many idTags")
	cmd.Flags().Uint64Var(&f.Seed, "seed", 1, "other seeds make other transactions")
	cmd.Flags().BoolVar(&f.Events, "events", false, "with what stations reported of each")
	cmd.Flags().IntVar(&f.Readings, "readings", 5, "with --events: how many readings each charge has")
	cmd.Flags().StringVar(&data, "data", "", "a folder of its own")
	return cmd
}

func runFill(ctx context.Context, f *bench.Filling, data string, stdout, stderr io.Writer) (err error) {
	mark := fmt.Sprintf("%d of %d and %d, seed %d\n", f.Transactions, f.Stations, f.Tokens, f.Seed)
	if f.Events {
		mark = fmt.Sprintf("%s with events, %d readings\n", strings.TrimSpace(mark), f.Readings)
	}
	if err := markFill(data, mark); err != nil {
		return err
	}
	opened, err := open(ctx, data, true)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, opened) }()
	began, db := time.Now(), opened.disk
	f.Store, f.Begin, f.End = db, fillBegin(), fillEnd()
	bar := newBar(stderr, f.Transactions, "filling")
	f.OnProgress = func(n int) {
		if bar != nil {
			bar.set(n, "filling")
			return
		}
		if n%500_000 == 0 {
			fmt.Fprintf(stderr, "%d of %d transactions (%v)\n", n, f.Transactions, time.Since(began).Round(time.Second))
		}
	}
	err = db.Bulk(ctx, func() error { return f.Fill(ctx) })
	if bar != nil {
		bar.finish()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d transactions in %v\n", f.Transactions, time.Since(began).Round(time.Second))
	return err
}

// Of how many chargers and idTags transactions are made up, unless that is said.
const fillStations, fillTokens = 2000, 50_000

// A ledger is filled with five years.
func fillBegin() time.Time { return fillEnd().AddDate(-5, 0, 0) }

func fillEnd() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// markFill makes a folder one to be filled with something, unless it holds anything
// else.
func markFill(data, with string) error {
	file := filepath.Join(data, fillMark)
	marked, err := exists(file)
	if err != nil {
		return err
	}
	if marked {
		text, err := os.ReadFile(file)
		if err == nil && string(text) != with {
			err = usagef("%s was begun with other flags: %s", data, text)
		}
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("folder to fill: %w", err)
	}
	there, err := os.ReadDir(data)
	if err != nil {
		return fmt.Errorf("folder to fill: %w", err)
	}
	if len(there) > 0 {
		return usagef("%s is not empty, and was not made by leyden bench fill", data)
	}
	return os.WriteFile(file, []byte(with), 0o600)
}
