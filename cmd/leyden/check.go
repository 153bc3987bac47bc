package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"leyden"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove that the ledger is whole",
		Long: `Check reads the whole ledger: that the database file is sound, and that the
events of every transaction fold to just what is stored of it. It changes
nothing, may run beside a server, and exits with 1 if it finds anything.`,
		Args: noArgs,
	}
	data := dataFlag(cmd)
	cmd.RunE = inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
		if err := db.IntegrityCheck(cmd.Context()); err != nil {
			return fmt.Errorf("the database file is damaged; restore a backup: %w", err)
		}
		began := time.Now()
		n, bad, err := checkAll(cmd.Context(), db, cmd.OutOrStdout())
		if err != nil {
			return err
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d transactions differ from their events", bad, n)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d transactions are what their events make them (%v)\n", n, time.Since(began).Round(time.Millisecond))
		return nil
	})
	return cmd
}

// checkAll folds the events of every transaction and writes a line for each
// that comes out differently.
func checkAll(ctx context.Context, store leyden.Store, out io.Writer) (n, bad int, err error) {
	all := leyden.Query{Ascending: true, Statuses: []leyden.Status{
		leyden.Pending, leyden.Active, leyden.Stopping, leyden.Completed, leyden.Failed, leyden.Expired, leyden.Cancelled, leyden.Void,
	}}
	for t, err := range store.Scan(ctx, all) {
		if err != nil {
			return n, bad, fmt.Errorf("after %d transactions: %w", n, err)
		}
		events, err := store.Events(ctx, t.ID)
		if err != nil {
			return n, bad, fmt.Errorf("events of transaction %d: %w", t.ID, err)
		}
		n++
		if len(events) > 0 && events[len(events)-1].ReceivedAt.After(t.UpdatedAt) {
			continue // a running server has changed it since it was read
		}
		if diff := leyden.Differences(leyden.Fold(events), t); len(diff) > 0 {
			bad++
			fmt.Fprintf(out, "transaction %d: %v\n", t.ID, diff)
		}
	}
	return n, bad, nil
}
