package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"leyden/chain"
)

func headCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "head",
		Short: "Print the signed head of the ledger",
		Long: `Head prints how the chain of events ends now, signed with a key of the data folder:
seven lines and a signature. Keep it where whoever can write the data folder cannot:
"leyden check --against FILE" proves later that no event up to that one was changed,
taken away or added since.`,
		Example: `  leyden head --data ./data > head-2026-02-06.txt
  leyden check --data ./data --against head-2026-02-06.txt`,
		Args: noArgs,
	}
	data := dataFlag(cmd)
	cmd.RunE = inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
		key, err := headKey(db)
		if err != nil {
			return err
		}
		s, err := db.disk.ChainEnd(cmd.Context())
		if err != nil {
			return err
		}
		h := chain.Head{ID: s.ID, Began: s.Began, End: s.End, At: time.Now().Truncate(time.Second)}
		_, err = fmt.Fprint(cmd.OutOrStdout(), h.Sign(key))
		return err
	})
	return cmd
}

// headKey returns the key of a data folder that signs heads.
func headKey(db *folder) (ed25519.PrivateKey, error) {
	seed, err := db.config.Secrets.Derive("head of the chain")
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// readHead reads a signed head from a file. It must be of this data folder.
func readHead(db *folder, file string) (h chain.Head, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return h, fmt.Errorf("--against: %w", err)
	}
	h, public, err := chain.ReadHead(string(text))
	if err != nil {
		return h, fmt.Errorf("--against %s: %w", file, err)
	}
	key, err := headKey(db)
	if err == nil && !public.Equal(key.Public()) {
		err = fmt.Errorf("--against %s: it was signed with the key of another data folder", file)
	}
	return h, err
}
