package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/export"
)

func transactionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transactions",
		Short: "Transactions: list, show, export, follow, correct, close, join, revisions, revert",
		Args:  cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(transactionsListCommand(data), transactionsShowCommand(data), exportTransactionsCommand(data, "export", "leyden transactions export"), followCommand(data),
		transactionsCorrectCommand(data), transactionsCloseCommand(data), transactionsJoinCommand(data),
		transactionsRevisionsCommand(data), transactionsRevertCommand(data))
	return cmd
}

// A selection is which transactions a command is about.
type selection struct {
	station, tag, status, from, to string
	connector, limit               int
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.station, "station", "", "only of this station")
	f.IntVar(&s.connector, "connector", 0, "only of this connector")
	f.StringVar(&s.tag, "id-tag", "", "only of this idTag")
	f.StringVar(&s.status, "status", "", "only in these states, with commas: pending, active, stopping, completed, failed, expired, cancelled, void")
	f.StringVar(&s.from, "from", "", "only started at or after this time, e.g. 2026-02-06 or 2026-02-06T12:00:00Z")
	f.StringVar(&s.to, "to", "", "only started before this time")
}

func (s *selection) query() (leyden.Query, error) {
	q := leyden.Query{Station: leyden.StationID(s.station), Connector: s.connector, Token: s.tag, Limit: s.limit}
	for word := range strings.SplitSeq(s.status, ",") {
		if word == "" {
			continue
		}
		status, ok := leyden.ParseStatus(word)
		if !ok {
			return q, usagef("--status: there is no state %q", word)
		}
		q.Statuses = append(q.Statuses, status)
	}
	var err error
	if q.Started.From, err = parseMoment("--from", s.from); err != nil {
		return q, err
	}
	q.Started.To, err = parseMoment("--to", s.to)
	return q, err
}

func parseMoment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s: %q is no time; write 2026-02-06 or 2026-02-06T12:00:00Z", flag, text)
}

func transactionsListCommand(data *string) *cobra.Command {
	var s selection
	var format string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the newest transactions",
		Example: "  leyden transactions list --station CHARGER-001 --status active,completed",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			q, err := s.query()
			if err != nil {
				return err
			}
			if s.limit < 1 {
				return usagef("--limit must be at least 1")
			}
			page, err := db.Transactions(cmd.Context(), q)
			if err != nil {
				return err
			}
			if format != "" {
				f, err := parseFormat(format)
				if err != nil {
					return err
				}
				_, err = export.Copy(cmd.OutOrStdout(), f, presented(pageOf(page.Transactions), time.Now()), nil)
				return err
			}
			err = table(cmd.OutOrStdout(), "ID\tSTATION\tCONN\tIDTAG\tSTATUS\tSTARTED\tSTOPPED\tKWH\tRESULT\tFLAGS", page.Transactions, func(t leyden.Transaction) string {
				return join(strconv.Itoa(int(t.ID)), string(t.Station), strconv.Itoa(t.Connector), t.Token.Value, t.Status.String(),
					moment(t.StartedAt), moment(t.StoppedAt), kWh(t.Energy), t.EndResult(), strings.Join(t.Flags.Names(), ","))
			})
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(page.Transactions), page.Total)
			return err
		}),
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&s.limit, "limit", 50, "how many at most")
	cmd.Flags().StringVar(&format, "format", "", "csv, ndjson, json or parquet instead of a table")
	return cmd
}

// kWh renders Wh as exact kWh; "" when unknown.
func kWh(wh *leyden.WattHours) string {
	if wh == nil {
		return ""
	}
	return fmt.Sprintf("%d.%03d", *wh/1000, *wh%1000)
}

func transactionsShowCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a transaction and its events",
		Example: "  leyden transactions show 10203",
		Args:    oneArg("the transaction's number or txn_ id"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			t, err := find(cmd, db, args[0])
			if err != nil {
				return err
			}
			events, err := db.Events(cmd.Context(), t.ID)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			lines, err := transactionLines(&t, time.Now())
			if err != nil {
				return err
			}
			for _, line := range lines {
				fmt.Fprintln(out, line)
			}
			fmt.Fprintln(out)
			return table(out, "RECEIVED\tEVENT\tAT\tREGISTER\tSAMPLES\tBY\tREASON", events, func(e leyden.Event) string {
				return join(moment(e.ReceivedAt), e.Kind.String(), moment(e.At), whText(e.Register), strconv.Itoa(len(e.Samples)), e.By, e.Reason)
			})
		}),
	}
}

func find(cmd *cobra.Command, db *folder, id string) (leyden.Transaction, error) {
	var t leyden.Transaction
	var err error
	if strings.HasPrefix(id, "txn_") {
		t, err = db.ByPublicID(cmd.Context(), id)
	} else {
		n, perr := strconv.ParseInt(id, 10, 32)
		if perr != nil || n < 1 {
			return t, usagef("%q is no transaction id: give its number or its txn_ id", id)
		}
		t, err = db.Transaction(cmd.Context(), leyden.TransactionID(n))
	}
	if errors.Is(err, leyden.ErrNotFound) {
		return t, fmt.Errorf("there is no transaction %s; `leyden transactions list` shows those that there are", id)
	}
	return t, err
}
