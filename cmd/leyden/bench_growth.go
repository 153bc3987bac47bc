package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"leyden/bench"
)

// growthSettings say how a ledger shall grow.
type growthSettings struct {
	benchSettings
	sizes    []string
	data     string
	readings int
	svg      string
}

// growthFigure is what is plotted.
const growthFigure = "server processor"

func benchGrowthCommand() *cobra.Command {
	var s growthSettings
	cmd := &cobra.Command{
		Use:   "growth",
		Short: "Measure what a message costs beside ever more transactions",
		Long: `Growth fills a ledger for each size, through the store and not over sockets, with
transactions and their events, and measures sessions on each, the sizes in turns.
The table shows what a message costs beside so many transactions, and --svg plots
it. The folders stay in --data and are used again; they take about 1.5 KiB a
transaction without readings and 1 KiB more for each reading. Each round measures
on a copy; a ledger of 5 million and more, which hardly grows by that, has none.`,
		Example: `  leyden bench growth --data /tmp/growth --sizes 10k,100k,1M,10M --rounds 5 --svg growth.svg`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringSliceVar(&s.sizes, "sizes", []string{"10k", "100k", "1M"}, "how many transactions there are before")
	cmd.Flags().StringVar(&s.data, "data", "", "folder for the ledgers; needed")
	cmd.Flags().IntVar(&s.readings, "readings", 1, "how many readings each charge has")
	cmd.Flags().StringVar(&s.svg, "svg", "", "write a plot to a file")
	cmd.Flags().IntVar(&s.rounds, "rounds", 1, "how often each is measured")
	cmd.Flags().StringVar(&s.json, "json", "", "write all that was measured to a file as JSON, or to stdout if it is -")
	s.loadFlags(cmd)
	return cmd
}

func (s *growthSettings) run(ctx context.Context, stdout, stderr io.Writer) error {
	if s.data == "" || s.rounds < 1 || s.readings < 0 || len(s.sizes) == 0 {
		return usagef("--data must name a folder, --sizes a size, and --rounds be above 0")
	}
	s.stores = []string{bench.SQLite}
	if err := s.checkLoad(); err != nil {
		return err
	}
	for _, size := range s.sizes {
		if err := s.fillTo(ctx, size, stderr); err != nil {
			return err
		}
	}
	r := bench.NewReport("growth", map[string]string{
		"stations": fmt.Sprint(s.stations), "duration": s.duration.String(), "sizes": strings.Join(s.sizes, ","), "readings": fmt.Sprint(s.readings),
	})
	s.stores = s.sizes // they take turns like stores
	return errors.Join(s.measure(ctx, r, growthFigure, s.once, stdout, stderr), s.plot(r))
}

// fillTo makes the ledger of a size, unless it is there.
func (s *growthSettings) fillTo(ctx context.Context, size string, stderr io.Writer) error {
	n, err := parseCount(size)
	if err != nil {
		return err
	}
	f := &bench.Filling{Transactions: n, Stations: fillStations, Tokens: fillTokens, Seed: 1, Events: true, Readings: s.readings}
	folder := filepath.Join(s.data, size)
	done := filepath.Join(folder, "filled")
	if there, err := exists(done); there || err != nil {
		return err
	}
	if err := runFill(ctx, f, folder, stderr, stderr); err != nil {
		return err
	}
	return os.WriteFile(done, nil, 0o600)
}

// uncopied is from how many transactions on a ledger is measured as it is: what
// the rounds add to it is little.
const uncopied = 5_000_000

// once measures beside the ledger of a size, which is named where else the store is,
// or a copy of it, so that it does not grow from round to round.
func (s *growthSettings) once(ctx context.Context, o bench.Options) (r *bench.Sample, err error) {
	folder := filepath.Join(s.data, o.Store)
	if n, err := parseCount(o.Store); err != nil || n < uncopied {
		copied, err := os.MkdirTemp(s.data, "run-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(copied)) }()
		if err := os.CopyFS(filepath.Join(copied, "ledger"), os.DirFS(folder)); err != nil {
			return nil, err
		}
		folder = filepath.Join(copied, "ledger")
	}
	o.Store, o.Data = bench.SQLite, folder
	return bench.Sessions(ctx, o)
}

func (s *growthSettings) plot(r *bench.Report) error {
	if s.svg == "" || len(r.Series) == 0 {
		return nil
	}
	return os.WriteFile(s.svg, bench.Plot(r, growthFigure), 0o644)
}

// parseCount reads a number such as 10k or 1M.
func parseCount(text string) (int, error) {
	units := []string{"", "k", "M"}
	digits := strings.TrimRight(text, "kM")
	unit := slices.Index(units, text[len(digits):])
	n := 0
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil || unit < 0 || n < 1 || n > 1e9 || fmt.Sprint(n) != digits {
		return 0, usagef("%q is no count; write 10000, 10k or 1M", text)
	}
	for range unit {
		n *= 1000
	}
	return n, nil
}
