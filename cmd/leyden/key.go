package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

const exampleKey = "key_2akzuhfmghx3p3dpxhkbpmo5dw"

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "API keys: create, list, change, rotate, disable, enable, revoke",
		Long: `API keys open both REST APIs: send one as the header X-API-Key. They are kept
hashed; the text of a new key is shown once. Changes count at once, also on a
running server.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(keyCreateCommand(data), keyListCommand(data), keyChangeCommand(data), keyRotateCommand(data),
		keySwitchCommand(data, false), keySwitchCommand(data, true), keyRevokeCommand(data))
	return cmd
}

func keyCreateCommand(data *string) *cobra.Command {
	var flags credentialFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a key and show it, once",
		Example: `  leyden key create billing --scope transactions:read
  leyden key create "Depot 2" --scope chargers:read,chargers:control --site "Depot 2" --expires 8760h`,
		Args: oneArg("the key's name"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			spec, err := flags.spec(args[0])
			if err != nil {
				return err
			}
			key, text, err := db.registrar.CreateKey(cmd.Context(), spec)
			if err != nil {
				return err
			}
			return showKey(cmd, key, text)
		}),
	}
	flags.newFlags(cmd)
	return cmd
}

// showKey prints the text of a key, and nothing else, to standard output.
func showKey(cmd *cobra.Command, key auth.KeyRecord, text auth.Secret) error {
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n", string(text))
	fmt.Fprintf(cmd.ErrOrStderr(), "This is key %s. It is shown only now: keep it.\n", key.ID)
	return nil
}

// scopeFlag adds --scope to a command that makes a credential.
func scopeFlag(cmd *cobra.Command, scopes *[]string) {
	var names []string
	for _, s := range auth.KnownScopes() {
		names = append(names, string(s))
	}
	cmd.Flags().StringSliceVar(scopes, "scope", []string{string(auth.TransactionsRead)},
		"what it may do; several with commas, of "+strings.Join(names, ", "))
}

func keyListCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the keys",
		Example: "  leyden key list --data ./data",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			keys, err := db.registrar.Keys(cmd.Context())
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "ID\tNAME\tPREFIX\tSCOPES\tLIMITED TO\tCREATED\tLAST USED\tSTATE", keys, func(k auth.KeyRecord) string {
				return join(k.ID, k.Name, k.Prefix, k.Scopes.String(), limitText(k.LimitedTo), day(k.CreatedAt), moment(k.LastUsedAt),
					stateOf(k.RevokedAt, k.DisabledAt, k.ExpiresAt))
			})
		}),
	}
}

func keyChangeCommand(data *string) *cobra.Command {
	var flags credentialFlags
	cmd := &cobra.Command{
		Use:     "change ID",
		Short:   "Change what a key is called, may do, reaches, or when it ends",
		Example: "  leyden key change " + exampleKey + " --scope chargers:read --expires never",
		Args:    oneArg("the key's id, as `leyden key list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			edit, err := flags.edit(cmd)
			if err != nil {
				return err
			}
			return editKey(cmd, db, args, edit)
		}),
	}
	flags.changeFlags(cmd)
	return cmd
}

func keySwitchCommand(data *string, enabled bool) *cobra.Command {
	return switchCommand("key", exampleKey, enabled, func(cmd *cobra.Command, args []string, e auth.Edit) error {
		return inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error { return editKey(cmd, db, args, e) })(cmd, args)
	})
}

func editKey(cmd *cobra.Command, db *folder, args []string, e auth.Edit) error {
	key, err := db.registrar.UpdateKey(cmd.Context(), args[0], e)
	if err != nil {
		return noSuchKey(args[0], err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Key %s (%s) is changed: %s.\n", key.ID, key.Name, stateOf(key.RevokedAt, key.DisabledAt, key.ExpiresAt))
	return nil
}

// noSuchKey explains an error about a key.
func noSuchKey(id string, err error) error {
	if _, invalid := errors.AsType[*auth.InvalidError](err); invalid {
		return err
	}
	if errors.Is(err, leyden.ErrNotFound) {
		return fmt.Errorf("there is no key %s; `leyden key list` shows those that there are", id)
	}
	return err
}

func keyRotateCommand(data *string) *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a key a new text and show it, once",
		Long: `The key stays the same one, with its id and its scopes. The old text is good for
a while longer, so that nobody who uses it is interrupted.`,
		Example: "  leyden key rotate " + exampleKey + " --grace 1h",
		Args:    oneArg("the key's id, as `leyden key list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			key, text, err := db.registrar.RotateKey(cmd.Context(), args[0], grace)
			if err != nil {
				return noSuchKey(args[0], err)
			}
			if err := showKey(cmd, key, text); err != nil || key.OldUntil.IsZero() {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "The old one is good until %s.\n", moment(key.OldUntil))
			return nil
		}),
	}
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the old text stays good; 0 ends it at once")
	return cmd
}

func keyRevokeCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key for good",
		Example: "  leyden key revoke " + exampleKey,
		Args:    oneArg("the key's id, as `leyden key list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			key, err := db.registrar.RevokeKey(cmd.Context(), args[0])
			if err != nil {
				return noSuchKey(args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Key %s (%s) is revoked.\n", key.ID, key.Name)
			return nil
		}),
	}
}
