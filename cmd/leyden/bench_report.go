package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"leyden/bench"
)

// writeJSON writes v to a file, or to stdout if that is named -.
func writeJSON(file string, stdout io.Writer, v any) (err error) {
	out := stdout
	if file != "-" {
		f, err := os.Create(file)
		if err != nil {
			return fmt.Errorf("--json: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// shownFigure returns a number with as many digits as say something.
func shownFigure(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(digits, 0), 4), 64)
}

// A reportRow is one figure of all series.
type reportRow struct {
	name, unit string
	of         []*bench.Figure // nil where a series does not have it
}

// reportRows returns the figures of a report in the order of its series.
func reportRows(r *bench.Report) (rows []reportRow) {
	seen := make(map[string]bool)
	for i := range r.Series {
		for _, f := range r.Series[i].Figures {
			if seen[f.Name] {
				continue
			}
			seen[f.Name] = true
			row := reportRow{name: f.Name, unit: f.Unit}
			for k := range r.Series {
				row.of = append(row.of, r.Series[k].Figure(f.Name))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// showReport writes a report as a table: a column for each series, and if there are
// two, what the first is of the second.
func showReport(out io.Writer, r *bench.Report) error {
	header := []string{strings.ToUpper(r.Scenario)}
	for _, s := range r.Series {
		header = append(header, s.Name)
	}
	shares := len(r.Series) == 2
	if shares {
		header = append(header, r.Series[1].Name+"/"+r.Series[0].Name)
	}
	err := table(out, strings.Join(append(header, ""), "\t"), reportRows(r), func(row reportRow) string {
		cells := []string{row.name}
		for _, f := range row.of {
			cells = append(cells, figureCell(f))
		}
		if shares {
			cells = append(cells, shareCell(row.of[1], row.of[0]))
		}
		return strings.Join(append(cells, row.unit), "\t")
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d rounds on %d processors, errors: %d\n", r.Rounds, r.Machine.Processors, r.Errors)
	return err
}

// figureCell shows a median, and from where to where the rounds lie.
func figureCell(f *bench.Figure) string {
	if f == nil {
		return "-"
	}
	if len(f.Values) < 2 {
		return shownFigure(f.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", shownFigure(f.Median), shownFigure(f.Low), shownFigure(f.High))
}

func shareCell(f, of *bench.Figure) string {
	if f == nil || of == nil || of.Median == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*f.Share(of))
}
