// Command leyden keeps the ledger of electric-vehicle charging: it serves
// stations over OCPP and clients over REST, simulates stations, and reads and
// checks a ledger. `leyden --help` lists the subcommands; one file here is one
// of them.
//
// It exits with 0 when it did what it was asked, 1 when it could not, and 2
// when it was asked wrongly. An error is one line that says what is wrong and
// what to do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"leyden/auth"
)

// version is set by the release build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// errUsage marks what the caller asked wrongly.
var errUsage = errors.New("")

// usagef returns an error about how the command was called.
func usagef(format string, args ...any) error {
	return fmt.Errorf(format+"%w", append(args, errUsage)...)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "leyden: %s\n", explain(ctx, err))
	if _, invalid := errors.AsType[*auth.InvalidError](err); invalid || errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// explain says in one line what went wrong.
func explain(ctx context.Context, err error) string {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if e, ok := errors.AsType[*auth.InvalidError](err); ok {
		return fmt.Sprintf("%s: %s; see --help", spelling(e.Field), e.Reason)
	}
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

// spelling returns how the command line calls a field of the REST API.
func spelling(field string) string {
	switch field {
	case "securityProfile":
		return "--security-profile"
	case "scopes":
		return "--scope"
	case "limitedTo", "limitedTo.chargers":
		return "--charger"
	case "limitedTo.sites", "site":
		return "--site"
	case "expiresAt":
		return "--expires"
	case "graceSeconds":
		return "--grace"
	case "password":
		return "--password"
	}
	return field
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "leyden",
		Short: "The ledger of electric-vehicle charging",
		Long: `Leyden keeps the ledger of electric-vehicle charging. Stations connect over
OCPP; every charge they report becomes one transaction that is never lost and
never doubled; operators and billing systems read and steer it over REST.

Begin with a server and five simulated stations that charge:

  leyden serve --demo 5`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; see leyden --help", args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			return usagef("--%s: %q is not %s", e.GetFlag().Name, e.GetValue(), wanted(e.GetFlag()))
		}
		return usagef("%v; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(
		serveCommand(), simulateCommand(), stationCommand(), idTagCommand(), keyCommand(), clientCommand(), tokenCommand(),
		transactionsCommand(), exportCommand(), framesCommand(), quarantineCommand(), webhookCommand(), auditCommand(), checkCommand(), headCommand(), caCommand(), benchCommand(), versionCommand(),
	)
	return root
}

// noArgs refuses arguments with a line that names the first.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// oneArg wants just one argument and says what it is.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s takes one argument, %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

// needCommand is the action of a command that only groups others.
func needCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("there is no command %q; see %s --help", args[0], cmd.CommandPath())
	}
	return cmd.Help()
}
