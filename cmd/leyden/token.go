package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"leyden/auth"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Access tokens: rotate the key that signs them",
		Long: `Access tokens of OAuth2 clients are signed with a key in the data folder.
Others verify them by the public key at /.well-known/jwks.json.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	cmd.AddCommand(tokenRotateCommand(dataFlag(cmd)))
	return cmd
}

func tokenRotateCommand(data *string) *cobra.Command {
	var forget bool
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Sign access tokens with a new key from now on",
		Long: `A running server signs with the new key from its next access token on. The old
key verifies the tokens that it signed until they have expired, an hour later;
with --forget it verifies nothing any more, and all clients must fetch new ones.`,
		Example: "  leyden token rotate-key --data ./data",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, _ *folder, _ []string) error {
			kid, err := auth.Rotation{Dir: *data, Now: time.Now(), Forget: forget}.Rotate()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Access tokens are signed with key %s from now on.\n", kid)
			if forget {
				fmt.Fprintln(cmd.ErrOrStderr(), "All access tokens from before have ended.")
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "end all access tokens that the old key signed, for one that was stolen")
	return cmd
}
