package main

import (
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"leyden"
	"leyden/apiv1"
	"leyden/export"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the ledger to files",
		Args:  cobra.ArbitraryArgs, RunE: needCommand,
	}
	var data string
	for _, sub := range []*cobra.Command{
		exportTransactionsCommand(&data, "transactions", "leyden export transactions"), exportListCommand(&data),
	} {
		sub.Flags().StringVar(&data, "data", "./data", "data folder of the server")
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(exportRunCommand())
	return cmd
}

// exportTransactionsCommand returns the command that writes transactions, which
// stands in two places.
func exportTransactionsCommand(data *string, use, full string) *cobra.Command {
	var s selection
	var format, out, by string
	cmd := &cobra.Command{
		Use:   use,
		Short: "Write transactions as CSV, NDJSON, JSON or Parquet",
		Long: `Write all transactions that are selected, in the fields of GET
/api/v1/transactions, to standard output or to a file, which is there only when
it is whole. How many there are is told on standard error.

--by insertedAt selects by when the final record was stored: windows that follow
each other then show every final record once, also those reported late, and what
was joined into another (status void), for whoever has it.`,
		Example: "  " + full + " --from 2026-02-01 --to 2026-03-01 > february.csv\n" +
			"  " + full + " --by insertedAt --from 2026-02-01 --to 2026-03-01 --format parquet -o february.parquet",
		Args: noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			q, err := s.query()
			if err != nil {
				return err
			}
			q.Ascending = true
			if err := selectBy(&q, by); err != nil {
				return err
			}
			f, err := parseFormat(format)
			if err != nil {
				return err
			}
			return exportTransactions(cmd, db, q, f, out)
		}),
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "csv", "csv, ndjson, json or parquet")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write; standard output if none")
	cmd.Flags().StringVar(&by, "by", byStart, "which time --from and --to are about: startTime, stopTime or insertedAt")
	return cmd
}

// What --from and --to can be about, as v1 calls it.
const (
	byStart    = "startTime"
	byStop     = "stopTime"
	byInserted = "insertedAt"
)

// selectBy makes the window of a query, which is by the start, one by another time.
func selectBy(q *leyden.Query, by string) error {
	window := q.Started
	switch by {
	case byStart:
		return nil
	case byStop:
		q.Stopped, q.Order = window, leyden.ByStop
	case byInserted:
		q.Inserted, q.Order = window, leyden.ByInserted
		q.Mirror()
	default:
		return usagef("--by is startTime, stopTime or insertedAt, not %q", by)
	}
	q.Started = leyden.Window{}
	return nil
}

func parseFormat(name string) (export.Format, error) {
	f, ok := export.ParseFormat(name)
	if !ok {
		return f, usagef("--format is csv, ndjson, json or parquet, not %q", name)
	}
	return f, nil
}

// exportTransactions writes all that q selects to a file, or with "" to standard
// output.
func exportTransactions(cmd *cobra.Command, db *folder, q leyden.Query, f export.Format, path string) error {
	if file, ok := cmd.OutOrStdout().(*os.File); ok && path == "" && f == export.Parquet && term.IsTerminal(int(file.Fd())) {
		return usagef("Parquet is nothing for a terminal: name a file with --output")
	}
	one := q
	one.Limit = 1
	page, err := db.Transactions(cmd.Context(), one)
	if err != nil {
		return err
	}
	progress := newBar(cmd.ErrOrStderr(), max(page.Total, 1), "transactions")
	var n int64
	write := func(w io.Writer) (err error) {
		n, err = export.Copy(w, f, presented(db.Scan(cmd.Context(), q), time.Now()), progress.count)
		return err
	}
	if path == "" {
		err = write(cmd.OutOrStdout())
	} else {
		err = export.WriteFile(path, write)
	}
	if err != nil {
		return fmt.Errorf("after %d transactions: %w", n, err)
	}
	progress.finish()
	fmt.Fprintf(cmd.ErrOrStderr(), "%d transactions\n", n)
	return nil
}

// presented shows transactions as v1 does.
func presented(all iter.Seq2[leyden.Transaction, error], now time.Time) iter.Seq2[apiv1.Transaction, error] {
	return func(yield func(apiv1.Transaction, error) bool) {
		for t, err := range all {
			if !yield(apiv1.Present(&t, now), err) {
				return
			}
		}
	}
}

// pageOf yields a page as Scan would.
func pageOf(transactions []leyden.Transaction) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) {
		for _, t := range transactions {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// transactionLines returns a transaction for a person to read.
func transactionLines(t *leyden.Transaction, now time.Time) ([]string, error) {
	row := apiv1.Present(t, now)
	texts, err := export.Texts(&row)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(texts))
	for i, c := range export.Columns[apiv1.Transaction]() {
		lines[i] = c.Name + strings.Repeat(" ", max(1, 19-len(c.Name))) + shown(texts[i])
	}
	return lines, nil
}
