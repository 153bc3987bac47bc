package main

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"leyden"
)

// What stations send is data: no formula for a spreadsheet, no orders for a
// terminal, and exactly itself for a program.
func TestRecordIsHarmless(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tag, cell, shown string }{
		{"USER123", "USER123", "USER123"},
		{"=1+1", "'=1+1", "=1+1"},
		{"+49", "'+49", "+49"},
		{"-1", "'-1", "-1"},
		{"@SUM(A1)", "'@SUM(A1)", "@SUM(A1)"},
		{" =1+1", "' =1+1", " =1+1"},
		{"\t=1", "'\t=1", "\uFFFD=1"},
		{"\n=1", "'\n=1", "\uFFFD=1"},
		{"a,b\"c", "a,b\"c", "a,b\"c"},
		{"\x1b[2J", "\x1b[2J", "\uFFFD[2J"},
		{"日本語", "日本語", "日本語"},
		{"", "", "-"},
	} {
		tx := &leyden.Transaction{ID: 7, Token: leyden.IDToken{Value: c.tag}, MeterStart: new(leyden.WattHours(-5))}
		r := newRecord(tx)
		column := slices.Index(recordNames(), "idTag")
		if got := r.cells()[column]; got != c.cell {
			t.Errorf("%q: cell %q, want %q", c.tag, got, c.cell)
		}
		if got := r.lines()[column]; got != "idTag           "+c.shown {
			t.Errorf("%q: shown as %q, want %q", c.tag, got, c.shown)
		}
		if got := r.cells()[slices.Index(recordNames(), "meterStartWh")]; got != "-5" {
			t.Errorf("a number became %q", got)
		}
		if got := inCSV(t, r)[column]; got != c.cell {
			t.Errorf("%q: read back %q", c.tag, got)
		}
		var line strings.Builder
		write, err := newNDJSON(&line)
		if err != nil {
			t.Fatal(err)
		}
		var back record
		if err := write(r); err != nil || json.Unmarshal([]byte(line.String()), &back) != nil || back.IDTag != c.tag || strings.Count(line.String(), "\n") != 1 {
			t.Errorf("%q: in NDJSON %q, %v", c.tag, line.String(), err)
		}
	}
}

// inCSV returns the row that r is in a CSV file.
func inCSV(t *testing.T, r *record) []string {
	t.Helper()
	var file strings.Builder
	write, err := newCSV(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*record{r, nil} {
		if err := write(r); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(file.String())).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0], recordNames()) {
		t.Fatalf("%v in %s", err, file.String())
	}
	return rows[1]
}

func TestKWh(t *testing.T) {
	t.Parallel()
	for wh, want := range map[leyden.WattHours]string{0: "0.000", 7: "0.007", 14000: "14.000", 1234567: "1234.567"} {
		if got := kWh(&wh); got != want {
			t.Errorf("%d Wh: %s kWh, want %s", wh, got, want)
		}
	}
	if got := kWh(nil); got != "" {
		t.Errorf("unknown energy is %q", got)
	}
}
