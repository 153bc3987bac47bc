package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

func clientCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "OAuth2 clients: create, list, revoke",
		Long: `OAuth2 clients fetch access tokens at /oauth2/token (grant client_credentials)
and send them as Authorization: Bearer. Secrets are kept hashed and shown once.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(clientCreateCommand(data), clientListCommand(data), clientRevokeCommand(data))
	return cmd
}

func clientCreateCommand(data *string) *cobra.Command {
	var scopes []string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a client and show its secret, once",
		Example: "  leyden client create billing --scope transactions:read",
		Args:    oneArg("the client's name"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			client, secret, err := db.registrar.CreateClient(cmd.Context(), auth.Spec{Name: args[0], Scopes: scopes})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "clientId      %s\nclientSecret  %s\n", client.ID, string(secret))
			fmt.Fprintln(cmd.ErrOrStderr(), "The secret is shown only now: keep it.")
			return nil
		}),
	}
	scopeFlag(cmd, &scopes)
	return cmd
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
			return table(cmd.OutOrStdout(), "CLIENT ID\tNAME\tSCOPES\tCREATED\tLAST USED\tREVOKED", clients, func(c auth.ClientRecord) string {
				return join(c.ID, c.Name, c.Scopes.String(), day(c.CreatedAt), moment(c.LastUsedAt), moment(c.RevokedAt))
			})
		}),
	}
}

func clientRevokeCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke CLIENT-ID",
		Short:   "End a client and its access tokens for good",
		Example: "  leyden client revoke cli_2akzuhfmghx3p3dpxhkbpmo5dw",
		Args:    oneArg("the clientId, as `leyden client list` shows it"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			client, err := db.registrar.RevokeClient(cmd.Context(), args[0])
			if errors.Is(err, leyden.ErrNotFound) {
				return fmt.Errorf("there is no client %s; `leyden client list` shows those that there are", args[0])
			}
			if err != nil {
				return fmt.Errorf("client %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Client %s (%s) is revoked.\n", client.ID, client.Name)
			return nil
		}),
	}
}
