package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

const exampleClient = "cli_2akzuhfmghx3p3dpxhkbpmo5dw"

func clientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "OAuth2 clients: create, list, change, secrets, disable, enable, revoke",
		Long: `OAuth2 clients fetch access tokens at /oauth2/token (grant client_credentials)
and send them as Authorization: Bearer. Secrets are kept hashed and shown once.
To rotate a secret add a second one, use it everywhere, and remove the first.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(clientCreateCommand(data), clientListCommand(data), clientChangeCommand(data),
		clientSecretsCommand(data), clientAddSecretCommand(data), clientRemoveSecretCommand(data),
		clientSwitchCommand(data, false), clientSwitchCommand(data, true), clientRevokeCommand(data))
	return cmd
}

func clientCreateCommand(data *string) *cobra.Command {
	var flags credentialFlags
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a client and show its secret, once",
		Example: "  leyden client create billing --scope transactions:read",
		Args:    oneArg("the client's name"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			spec, err := flags.spec(args[0])
			if err != nil {
				return err
			}
			client, secret, err := db.registrar.CreateClient(cmd.Context(), spec)
			if err != nil {
				return err
			}
			return showSecret(cmd, client, secret)
		}),
	}
	flags.newFlags(cmd)
	return cmd
}

func showSecret(cmd *cobra.Command, client auth.ClientRecord, secret auth.Secret) error {
	fmt.Fprintf(cmd.OutOrStdout(), "clientId      %s\nclientSecret  %s\n", client.ID, string(secret))
	fmt.Fprintln(cmd.ErrOrStderr(), "The secret is shown only now: keep it.")
	return nil
}

func clientListCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the clients",
		Example: "  leyden client list --data ./data",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			clients, err := db.registrar.Clients(cmd.Context())
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "CLIENT ID\tNAME\tSCOPES\tLIMITED TO\tCREATED\tLAST USED\tSTATE", clients, func(c auth.ClientRecord) string {
				return join(c.ID, c.Name, c.Scopes.String(), limitText(c.LimitedTo), day(c.CreatedAt), moment(c.LastUsedAt),
					stateOf(c.RevokedAt, c.DisabledAt, c.ExpiresAt))
			})
		}),
	}
}

func clientChangeCommand(data *string) *cobra.Command {
	var flags credentialFlags
	cmd := &cobra.Command{
		Use:     "change CLIENT-ID",
		Short:   "Change what a client is called, may do, reaches, or when it ends",
		Example: "  leyden client change " + exampleClient + " --site \"Depot 2\"",
		Args:    oneArg("the clientId, as `leyden client list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			edit, err := flags.edit(cmd)
			if err != nil {
				return err
			}
			return editClient(cmd, db, args, edit)
		}),
	}
	flags.changeFlags(cmd)
	return cmd
}

func clientSwitchCommand(data *string, enabled bool) *cobra.Command {
	return switchCommand("client", exampleClient, enabled, func(cmd *cobra.Command, args []string, e auth.Edit) error {
		return inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error { return editClient(cmd, db, args, e) })(cmd, args)
	})
}

func editClient(cmd *cobra.Command, db *folder, args []string, e auth.Edit) error {
	client, err := db.registrar.UpdateClient(cmd.Context(), args[0], e)
	if err != nil {
		return noSuchClient(args[0], err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Client %s (%s) is changed: %s.\n", client.ID, client.Name, stateOf(client.RevokedAt, client.DisabledAt, client.ExpiresAt))
	return nil
}

// noSuchClient explains an error about a client.
func noSuchClient(id string, err error) error {
	if _, invalid := errors.AsType[*auth.InvalidError](err); invalid {
		return err
	}
	if errors.Is(err, leyden.ErrNotFound) {
		return fmt.Errorf("there is no client %s; `leyden client list` shows those that there are", id)
	}
	return err
}

func clientSecretsCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "secrets CLIENT-ID",
		Short:   "List the secrets of a client, not their texts",
		Example: "  leyden client secrets " + exampleClient,
		Args:    oneArg("the clientId, as `leyden client list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			client, err := db.registrar.Client(cmd.Context(), args[0])
			if err != nil {
				return noSuchClient(args[0], err)
			}
			return table(cmd.OutOrStdout(), "SECRET ID\tPREFIX\tCREATED\tLAST USED\tSTATE", client.Secrets, func(s auth.ClientSecret) string {
				return join(s.ID, s.Prefix, day(s.CreatedAt), moment(s.LastUsedAt), stateOf(time.Time{}, time.Time{}, s.ExpiresAt))
			})
		}),
	}
}

func clientAddSecretCommand(data *string) *cobra.Command {
	var expires string
	cmd := &cobra.Command{
		Use:     "add-secret CLIENT-ID",
		Short:   "Give a client a second secret and show it, once",
		Example: "  leyden client add-secret " + exampleClient,
		Args:    oneArg("the clientId, as `leyden client list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			end, err := endOf(expires, time.Now())
			if err != nil {
				return err
			}
			client, secret, err := db.registrar.AddClientSecret(cmd.Context(), args[0], end)
			if err != nil {
				return noSuchClient(args[0], err)
			}
			return showSecret(cmd, client, secret)
		}),
	}
	cmd.Flags().StringVar(&expires, "expires", "", "when the secret ends: a date, a time (RFC 3339), or how long from now, as 720h")
	return cmd
}

func clientRemoveSecretCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "remove-secret CLIENT-ID SECRET-ID",
		Short:   "End one of a client's two secrets",
		Example: "  leyden client remove-secret " + exampleClient + " sec_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    cobra.ArbitraryArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			if len(args) != 2 {
				return usagef("%s takes two arguments, the clientId and the id of the secret; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			client, err := db.registrar.RemoveClientSecret(cmd.Context(), args[0], args[1])
			if errors.Is(err, leyden.ErrNotFound) {
				return fmt.Errorf("there is no secret %s of client %s; `leyden client secrets` shows those that there are", args[1], args[0])
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The secret is removed; client %s (%s) has one left.\n", client.ID, client.Name)
			return nil
		}),
	}
}

func clientRevokeCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke CLIENT-ID",
		Short:   "End a client and its access tokens for good",
		Example: "  leyden client revoke " + exampleClient,
		Args:    oneArg("the clientId, as `leyden client list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			client, err := db.registrar.RevokeClient(cmd.Context(), args[0])
			if err != nil {
				return noSuchClient(args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Client %s (%s) is revoked.\n", client.ID, client.Name)
			return nil
		}),
	}
}
