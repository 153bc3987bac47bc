package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/bench"
	"leyden/csms"
	"leyden/memory"
	"leyden/rest"
	"leyden/sqlite"
)

type benchQuerySettings struct {
	data   string
	fill   string // how many transactions the folder is to have; empty: it is filled
	deep   bool
	lists  bench.Lists
	maxP95 time.Duration
	only   string // filters and orders to measure; empty: all
	json   string
}

func benchQueryCommand() *cobra.Command {
	s := benchQuerySettings{lists: bench.Lists{Stations: fillStations, Tokens: fillTokens}}
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Measure lists on a ledger that was filled",
		Long: `Query asks for lists as clients do, through both façades in this process: every
filter and many pairs, in every order, both ways, the first page, a page that
begins up to 10,000 later, and the page behind that by cursor; with other values
each time. It shows the slowest order of each; --json has them all. It fails if a
95th percentile is above --max-p95. With --deep it goes from page to page of all
transactions by cursor, and compares page 100,000 with the first.

The folder is one that leyden bench fill made, or --transactions fills it first.`,
		Example: `  leyden bench query --transactions 1M --data /tmp/fill --max-p95 10ms
  leyden bench query --data /tmp/fill --deep --json lists.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if s.data == "" || s.lists.Rounds < 1 || s.maxP95 < 0 {
				return usagef("--data must name a folder, and --rounds be above 0")
			}
			if s.only != "" {
				only, err := regexp.Compile(s.only)
				if err != nil {
					return usagef("--only: %v", err)
				}
				s.lists.Only = only
			}
			if err := s.fillFirst(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			return runBenchQuery(cmd.Context(), &s, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&s.data, "data", "", "folder that leyden bench fill made")
	cmd.Flags().StringVar(&s.fill, "transactions", "", "fill the folder with so many first, unless it is; 1M and 10M are understood")
	cmd.Flags().BoolVar(&s.deep, "deep", false, "compare page 100,000 by cursor with the first")
	cmd.Flags().StringVar(&s.only, "only", "", "leave out what this regular expression does not match of a filter and an order, such as \"v1 everything, -startTime\"")
	cmd.Flags().IntVar(&s.lists.Rounds, "rounds", 20, "how often each is asked")
	cmd.Flags().IntVar(&s.lists.Stations, "stations", s.lists.Stations, "as it was filled")
	cmd.Flags().IntVar(&s.lists.Tokens, "tokens", s.lists.Tokens, "as it was filled")
	cmd.Flags().DurationVar(&s.maxP95, "max-p95", 0, "fail if a 95th percentile is above; 0 is any")
	cmd.Flags().StringVar(&s.json, "json", "", "write all that was measured to a file as JSON, or to stdout if it is -")
	return cmd
}

func runBenchQuery(ctx context.Context, s *benchQuerySettings, stdout, stderr io.Writer) (err error) {
	if err := findLedger(s.data); err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: s.data})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, db) }()
	if s.lists.Handler, s.lists.Header, err = listsOf(ctx, db); err != nil {
		return err
	}
	s.lists.Begin, s.lists.End = fillBegin(), fillEnd()
	bar := newBar(stderr, -1, "measuring")
	s.lists.OnProgress = func(done, all int) {
		if bar != nil {
			bar.set(done, fmt.Sprintf("measuring %d of %d", done, all))
		}
	}
	figures, err := s.lists.Measure(ctx)
	if bar != nil {
		bar.finish()
	}
	if err != nil {
		return err
	}
	var depth *bench.Depth
	if s.deep {
		if depth, err = s.goDeep(ctx, db); err != nil {
			return err
		}
	}
	if err := showLists(stdout, figures, depth, s.json); err != nil {
		return err
	}
	limit := float64(s.maxP95.Microseconds()) / 1000
	for _, f := range bench.Worst(figures) {
		if limit > 0 && f.P95 > limit {
			return fmt.Errorf("%s, %s, page by %s: 95th percentile of %.1f ms", f.Filter, f.Order, f.Page, f.P95)
		}
	}
	return nil
}

// listsOf returns both façades over a ledger, and what lets a request in.
func listsOf(ctx context.Context, db *sqlite.DB) (http.Handler, http.Header, error) {
	log := slog.New(slog.DiscardHandler)
	credentials := auth.Config{Store: memory.New(time.Now), Secrets: auth.NewSecrets(), Issuer: "leyden", Now: time.Now, Log: log}
	authenticator, err := auth.NewAuthenticator(credentials)
	if err != nil {
		return nil, nil, err
	}
	registrar := auth.NewRegistrar(credentials)
	_, key, err := registrar.CreateKey(ctx, auth.Spec{Name: "bench", Scopes: []string{string(auth.TransactionsRead)}})
	if err != nil {
		return nil, nil, err
	}
	ledger := leyden.NewLedger(db, db, leyden.Options{Now: time.Now})
	api := rest.New(rest.Config{Version: version, Auth: authenticator, Now: time.Now, Log: log})
	apiv1.Register(api, apiv1.Config{Ledger: ledger, Stations: csms.New(ledger, csms.Options{}), Registrar: registrar, Devices: db})
	apiv2.Register(api, db, authenticator)
	return api, http.Header{"X-Api-Key": {string(key)}}, nil
}

// fillFirst fills the folder if that was asked for.
func (s *benchQuerySettings) fillFirst(ctx context.Context, stderr io.Writer) error {
	if s.fill == "" {
		return nil
	}
	n, err := parseCount(s.fill)
	if err != nil {
		return err
	}
	f := &bench.Filling{Transactions: n, Stations: s.lists.Stations, Tokens: s.lists.Tokens, Seed: 1}
	return runFill(ctx, f, s.data, stderr, stderr)
}

// deepPage is how far --deep goes.
const deepPage = 100_000

// goDeep compares pages far behind the first with it.
func (s *benchQuerySettings) goDeep(ctx context.Context, db *sqlite.DB) (*bench.Depth, error) {
	page, err := db.Transactions(ctx, leyden.Query{Limit: 1})
	if err != nil {
		return nil, err
	}
	return s.lists.Deep(ctx, deepPage, page.Total)
}

// listReport makes a report of lists, which can be compared with another.
func listReport(figures []bench.ListFigure, depth *bench.Depth) *bench.Report {
	r := bench.NewReport("query", nil)
	all := new(bench.Sample)
	for _, f := range bench.Worst(figures) {
		name := fmt.Sprintf("%s, page by %s", f.Filter, f.Page)
		all.Values = append(all.Values,
			bench.Value{Name: name + ", p50", Unit: "ms", Better: bench.Less, Value: f.P50},
			bench.Value{Name: name + ", p95", Unit: "ms", Better: bench.Less, Value: f.P95})
	}
	if depth != nil {
		all.Values = append(all.Values, bench.Value{
			Name: fmt.Sprintf("page %d over page 1", depth.Page), Better: bench.Less, Value: depth.DeepOverFirst,
		})
	}
	r.Add(bench.SQLite, all)
	r.Lists, r.Depth = figures, depth
	return r
}

func showLists(out io.Writer, figures []bench.ListFigure, depth *bench.Depth, asJSON string) error {
	if asJSON != "" {
		if err := writeJSON(asJSON, out, listReport(figures, depth)); err != nil || asJSON == "-" {
			return err
		}
	}
	if depth != nil {
		defer fmt.Fprintf(out, "page 1 takes %.2f ms, page %d by cursor %.2f ms: %.1f times as long\n", depth.First, depth.Page, depth.Deep, depth.DeepOverFirst)
	}
	ms := func(v float64) string { return fmt.Sprintf("%.1f", v) }
	return table(out, "LIST\tPAGE\tSLOWEST ORDER\tP50 MS\tP95 MS\tP99 MS", bench.Worst(figures), func(f bench.ListFigure) string {
		return join(f.Filter, f.Page, f.Order, ms(f.P50), ms(f.P95), ms(f.P99))
	})
}
