package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/chain"
	"leyden/sqlite"
)

func checkCommand() *cobra.Command {
	var against []string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove that the ledger is whole",
		Long: `Check reads the whole ledger: that the database file is sound, that every event is
the one that was recorded, by the chain of their hashes, and that the events of every
transaction fold to just what is stored of it. It names the first event that is not.
With a head that "leyden head" printed earlier, it also proves that no event up to that
one was changed since. It changes nothing, but that it brings the schema of an older
version up to date first, may run beside a server, and exits with 1 if it finds anything.`,
		Example: `  leyden check --data ./data
  leyden check --data ./data --against head-2026-02-06.txt
  leyden check --data /backup/leyden-2026-02-06`,
		Args: noArgs,
	}
	data := dataFlag(cmd)
	cmd.Flags().StringSliceVar(&against, "against", nil, "file with a signed head of this ledger; may be given again")
	cmd.RunE = inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
		var heads []chain.Head
		for _, file := range against {
			h, err := readHead(db, file)
			if err != nil {
				return err
			}
			heads = append(heads, h)
		}
		began := time.Now()
		found, err := verifyAll(cmd, db)
		took := time.Since(began)
		if err == nil {
			err = db.disk.IntegrityCheck(cmd.Context())
		}
		if err != nil {
			return fmt.Errorf("the ledger is damaged; restore a backup: %w", err)
		}
		if err := verdict(&found); err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		fmt.Fprintf(out, "%d transactions are what their events make them (%v)\n", found.Transactions, took.Round(time.Millisecond))
		fmt.Fprintf(out, "%d events are what was recorded%s\n", found.Events, unchained(&found))
		return compareHeads(cmd, db, heads)
	})
	return cmd
}

// checkGC is how much garbage, in percent of what is in use, is let lie: little is in
// use, and much is read.
const checkGC = 400

// verifyAll writes a line for each transaction that is not what its events make it.
func verifyAll(cmd *cobra.Command, db *folder) (sqlite.Verified, error) {
	var progress *bar
	defer func() { progress.finish() }()
	defer debug.SetGCPercent(debug.SetGCPercent(checkGC))
	return db.disk.Verify(cmd.Context(), sqlite.Verification{
		Progress: func(done, total int64) {
			if progress == nil {
				progress = newBar(cmd.ErrOrStderr(), int(total), "events")
			}
			progress.count(done)
		},
		Differs: func(id leyden.TransactionID, differences []string) {
			tellDifference(cmd.OutOrStdout(), id, differences)
		},
	})
}

func tellDifference(out io.Writer, id leyden.TransactionID, differences []string) {
	fmt.Fprintf(out, "transaction %d differs from its events in %s\n", id, strings.Join(differences, ", "))
}

// verdict returns what was found to be wrong.
func verdict(found *sqlite.Verified) error {
	var wrong []error
	if found.Broken != nil {
		wrong = append(wrong, fmt.Errorf("events were tampered with; compare with a backup: %w", found.Broken))
	}
	if found.Differing > 0 {
		wrong = append(wrong, fmt.Errorf("%d of %d transactions differ from their events; compare with a backup", found.Differing, found.Transactions))
	}
	return errors.Join(wrong...)
}

// unchained says which events have no hash.
func unchained(found *sqlite.Verified) string {
	if found.Chain.Began == 1 {
		return ""
	}
	return fmt.Sprintf(", as far as can be told: those before event %d are older than the chain of hashes", found.Chain.Began)
}

// compareHeads wants all events of heads to be there still.
func compareHeads(cmd *cobra.Command, db *folder, heads []chain.Head) error {
	for i := range heads {
		h := &heads[i]
		err := db.disk.CompareHead(cmd.Context(), h)
		if broken, ok := errors.AsType[*chain.BrokenError](err); ok {
			return fmt.Errorf("the ledger is not the one of %s any more: %w", h.At.Format(time.RFC3339), broken)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "it has the %d events of %s\n", h.End.Number, h.At.Format(time.RFC3339))
	}
	return nil
}
