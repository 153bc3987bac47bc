package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/calls"
)

func auditCommand() *cobra.Command {
	var by, operation, station, from, to string
	var transaction, status, limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who changed what, over REST and by the command line",
		Long: `Audit lists the calls that may have changed something, the last first: requests to
the REST APIs with any method but GET, refused ones too, and commands that wrote to
the data folder. Of what a request said, secrets are masked.`,
		Example: `  leyden audit --limit 20
  leyden audit --by key_2akzuhfmghx3p3dpxhkbpmo5dw --from 2026-02-01
  leyden audit --station CHARGER-001 --status 403`,
		Args: noArgs,
	}
	data := dataFlag(cmd)
	cmd.RunE = inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
		if limit < 1 || limit > leyden.MaxWorking {
			return usagef("--limit takes 1 to %d", leyden.MaxWorking)
		}
		q := calls.RecordQuery{
			By: by, Operation: operation, Station: leyden.StationID(station), Transaction: leyden.TransactionID(transaction), Status: status,
		}
		q.Limit = limit
		var err error
		if q.At.From, err = parseMoment("--from", from); err != nil {
			return err
		}
		if q.At.To, err = parseMoment("--to", to); err != nil {
			return err
		}
		list, total, err := db.Records(cmd.Context(), q)
		if err != nil {
			return err
		}
		err = table(cmd.OutOrStdout(), "AT\tBY\tNAME\tFROM\tOPERATION\tSTATION\tTRANSACTION\tSTATUS\tCODE\tREQUEST ID\tBODY", list, auditRow)
		if total > calls.MaxCounted {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of more than %d\n", len(list), calls.MaxCounted)
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(list), total)
		return err
	})
	f := cmd.Flags()
	f.StringVar(&by, "by", "", "only by this credential, or this user of the command line")
	f.StringVar(&operation, "operation", "", "only this operationId, or command: v1Reset, \"leyden key revoke\"")
	f.StringVar(&station, "station", "", "only about this station")
	f.IntVar(&transaction, "transaction", 0, "only about the transaction with this number")
	f.IntVar(&status, "status", 0, "only with this status")
	f.StringVar(&from, "from", "", "only at or after this time, e.g. 2026-02-06 or 2026-02-06T12:00:00Z")
	f.StringVar(&to, "to", "", "only before this time")
	f.IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

func auditRow(r calls.Record) string {
	transaction := ""
	if r.Transaction != 0 {
		transaction = strconv.Itoa(int(r.Transaction))
	}
	return join(moment(r.At), r.By, r.Name, r.From, r.Operation, string(r.Station), transaction, strconv.Itoa(r.Status), r.Code, r.RequestID, r.Body)
}
