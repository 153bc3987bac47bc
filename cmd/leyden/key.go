package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "API keys: create, list, revoke",
		Long: `API keys open both REST APIs: send one as the header X-API-Key. They are kept
hashed; the text of a new key is shown once. Changes count at once, also on a
running server.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(keyCreateCommand(data), keyListCommand(data), keyRevokeCommand(data))
	return cmd
}

func keyCreateCommand(data *string) *cobra.Command {
	var scopes []string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a key and show it, once",
		Example: "  leyden key create billing --scope transactions:read",
		Args:    oneArg("the key's name"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			key, text, err := db.registrar.CreateKey(cmd.Context(), auth.Spec{Name: args[0], Scopes: scopes})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", string(text))
			fmt.Fprintf(cmd.ErrOrStderr(), "This is key %s. It is shown only now: keep it.\n", key.ID)
			return nil
		}),
	}
	scopeFlag(cmd, &scopes)
	return cmd
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
			return table(cmd.OutOrStdout(), "ID\tNAME\tPREFIX\tSCOPES\tCREATED\tLAST USED\tREVOKED", keys, func(k auth.KeyRecord) string {
				return join(k.ID, k.Name, k.Prefix, k.Scopes.String(), day(k.CreatedAt), moment(k.LastUsedAt), moment(k.RevokedAt))
			})
		}),
	}
}

func keyRevokeCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key for good",
		Example: "  leyden key revoke key_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg("the key's id, as `leyden key list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			key, err := db.registrar.RevokeKey(cmd.Context(), args[0])
			if errors.Is(err, leyden.ErrNotFound) {
				return fmt.Errorf("there is no key %s; `leyden key list` shows those that there are", args[0])
			}
			if err != nil {
				return fmt.Errorf("key %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Key %s (%s) is revoked.\n", key.ID, key.Name)
			return nil
		}),
	}
}
