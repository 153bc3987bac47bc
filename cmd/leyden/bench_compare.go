package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"leyden/bench"
)

func benchCompareCommand() *cobra.Command {
	var failAbove float64
	var asJSON string
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Say what changed between two measurements",
		Long: `Compare reads two files that a scenario of leyden bench wrote with --json, and
shows the medians and by how many per cent they differ. better and worse stand
where every round of one lies beyond every round of the other; what rounds differ
by themselves is left unmarked. A figure that was measured only once shows no
spread: then the mark has a question mark.

With --fail-above it fails if a figure is worse by more per cent than that, and
marked so.`,
		Example: `  leyden bench sessions --rounds 5 --json old.json
  leyden bench sessions --rounds 5 --json new.json
  leyden bench compare old.json new.json --fail-above 5`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("leyden bench compare takes two files; see leyden bench compare --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if failAbove < 0 {
				return usagef("--fail-above must not be below 0")
			}
			if !cmd.Flags().Changed("fail-above") {
				failAbove = math.Inf(1)
			}
			return runCompare(args, failAbove, asJSON, cmd.OutOrStdout())
		},
	}
	cmd.Flags().Float64Var(&failAbove, "fail-above", 0, "fail if something is worse by more per cent; unless given, nothing fails")
	cmd.Flags().StringVar(&asJSON, "json", "", "write the differences to a file as JSON, or to stdout if it is -")
	return cmd
}

func runCompare(files []string, failAbove float64, asJSON string, stdout io.Writer) error {
	var reports [2]*bench.Report
	for i, file := range files {
		r, err := readReport(file)
		if err != nil {
			return err
		}
		reports[i] = r
	}
	all, err := bench.Compare(reports[0], reports[1])
	if err != nil {
		return fmt.Errorf("%s and %s cannot be compared: %w", files[0], files[1], err)
	}
	if asJSON != "" {
		if err := writeJSON(asJSON, stdout, all); err != nil {
			return err
		}
	}
	if asJSON != "-" {
		if err := showDifferences(stdout, all); err != nil {
			return err
		}
	}
	return tooMuchWorse(all, failAbove)
}

func readReport(file string) (*bench.Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(bench.Report)
	if err := json.Unmarshal(text, r); err != nil || r.Scenario == "" {
		return nil, fmt.Errorf("%s was not written by leyden bench --json", file)
	}
	return r, nil
}

func showDifferences(out io.Writer, all []bench.Difference) error {
	return table(out, "\tFIGURE\tOLD\tNEW\tCHANGE\t\t", all, func(d bench.Difference) string {
		change := fmt.Sprintf("%+.1f %%", d.Percent)
		if d.Percent == math.MaxFloat64 {
			change = "from 0"
		}
		mark := string(d.Verdict)
		if mark != "" && !d.Measured {
			mark += "?"
		}
		return strings.Join([]string{d.Series, d.Figure, shownFigure(d.Old), shownFigure(d.New), change, d.Unit, mark}, "\t")
	})
}

// tooMuchWorse returns an error that names what became worse by more per cent.
func tooMuchWorse(all []bench.Difference, most float64) error {
	var bad []string
	for _, d := range all {
		if d.Verdict == bench.Lost && math.Abs(d.Percent) > most {
			bad = append(bad, fmt.Sprintf("%s %s %+.1f %%", d.Series, d.Figure, d.Percent))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	slices.Sort(bad)
	return fmt.Errorf("worse by more than %g %%: %s", most, strings.Join(bad, ", "))
}
