package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"leyden"
)

// table writes rows under a header, in columns.
func table[T any](w io.Writer, header string, rows []T, row func(T) string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, header)
	for _, r := range rows {
		fmt.Fprintln(t, row(r))
	}
	return t.Flush()
}

// join makes a row of cells.
func join(cells ...string) string {
	for i, c := range cells {
		cells[i] = shown(c)
	}
	return strings.Join(cells, "\t")
}

// shown returns a text as a terminal may show it: a dash for none, and nothing
// that would steer the terminal, for some of it came from stations.
func shown(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// exact renders a time with all that the ledger keeps of it; "" when unknown.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func whText(wh *leyden.WattHours) string {
	if wh == nil {
		return ""
	}
	return strconv.FormatInt(int64(*wh), 10)
}
