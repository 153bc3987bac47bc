package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
)

// checkTries is how often a transaction is looked at again that a running
// server changed meanwhile.
const checkTries = 5

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove that the ledger is whole",
		Long: `Check reads the whole ledger: that the database file is sound, and that the
events of every transaction fold to just what is stored of it. It changes
nothing, but that it brings the schema of an older version up to date first, may
run beside a server, and exits with 1 if it finds anything.`,
		Example: `  leyden check --data ./data
  leyden check --data /backup/leyden-2026-02-06`,
		Args: noArgs,
	}
	data := dataFlag(cmd)
	cmd.RunE = inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
		if err := db.disk.IntegrityCheck(cmd.Context()); err != nil {
			return fmt.Errorf("the ledger is damaged; restore a backup: %w", err)
		}
		began := time.Now()
		n, bad, err := checkAll(cmd.Context(), db, cmd.OutOrStdout())
		if err != nil {
			return err
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d transactions differ from their events; compare with a backup", bad, n)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d transactions are what their events make them (%v)\n", n, time.Since(began).Round(time.Millisecond))
		return nil
	})
	return cmd
}

// checkAll folds the events of every transaction and writes a line for each
// that comes out differently.
func checkAll(ctx context.Context, db *folder, out io.Writer) (n, bad int, err error) {
	for t, err := range db.disk.EachTransaction(ctx) {
		if err != nil {
			return n, bad, fmt.Errorf("after %d transactions: %w", n, err)
		}
		n++
		diff, err := refold(ctx, db, t)
		if err != nil {
			return n, bad, fmt.Errorf("transaction %d: %w", t.ID, err)
		}
		if len(diff) > 0 {
			bad++
			fmt.Fprintf(out, "transaction %d differs from its events in %s\n", t.ID, strings.Join(diff, ", "))
		}
	}
	return n, bad, nil
}

// refold names what differs between a transaction and its events. Transaction
// and events are two readings, between which a running server may append: only
// what is the same version before and after is judged.
func refold(ctx context.Context, store leyden.Store, t leyden.Transaction) ([]string, error) {
	for range checkTries {
		events, err := store.Events(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		diff := leyden.Differences(leyden.Fold(events), t)
		if len(diff) == 0 {
			return nil, nil
		}
		again, err := store.Transaction(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		if again.Version == t.Version {
			return diff, nil
		}
		t = again
	}
	return nil, errors.New("it changes all the time; try again when its station is quiet")
}
