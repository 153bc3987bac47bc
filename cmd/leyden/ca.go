package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/pki"
	"leyden/sqlite"
)

func caCommand() *cobra.Command {
	var s authoritySettings
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The certificate authority: show, issue-server, issue-station",
		Long: `Leyden can be the certificate authority of a small operator. It signs what
stations ask for (OCPP SignCertificate, security profile 3), and it can make the
certificate of the server, so that no other tool is needed: stations and clients
then trust the one certificate that "leyden ca show" prints.

It is made when it is first needed: ca.pem and ca.key in the data folder. Keep a
copy of both with the backup.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	s.shared(cmd.PersistentFlags())
	cmd.AddCommand(caShowCommand(&s, data), caServerCommand(&s, data), caStationCommand(&s, data))
	return cmd
}

// withAuthority makes the action of a subcommand that works with the authority of
// a data folder, which need not be there before.
func withAuthority(s *authoritySettings, data *string, f func(*cobra.Command, *pki.Authority, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return err
		}
		if _, _, err := dataFolder(&serveSettings{data: *data}); err != nil {
			return err
		}
		a, err := s.open(*data, since(cmd.Context(), *data))
		if err != nil {
			return err
		}
		return recordedIn(*data, cmd, args, f(cmd, a, args))
	}
}

// recordedIn is recorded of a data folder that may have no ledger yet, nor an audit
// log.
func recordedIn(data string, cmd *cobra.Command, args []string, ended error) (err error) {
	there, err := exists(filepath.Join(data, sqlite.FileName))
	if err != nil || !there || onlyReads(cmd) {
		return errors.Join(ended, err)
	}
	db, err := openFolder(cmd.Context(), data)
	if err != nil {
		return errors.Join(ended, err)
	}
	defer func() { err = closing(err, db) }()
	return db.recorded(cmd, args, ended)
}

func caShowCommand(s *authoritySettings, data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Print the authority's certificate, for stations and clients to trust",
		Example: "  leyden ca show --data ./data > leyden-ca.pem",
		Args:    noArgs,
		RunE: withAuthority(s, data, func(cmd *cobra.Command, a *pki.Authority, _ []string) error {
			own := a.Certificates()[0]
			fmt.Fprint(cmd.OutOrStdout(), pki.Encode(a.Certificates()[:1]))
			fmt.Fprintf(cmd.ErrOrStderr(), "This is %s, good until %s.\n", shown(own.Subject.String()), day(own.NotAfter))
			return nil
		}),
	}
}

func caServerCommand(s *authoritySettings, data *string) *cobra.Command {
	spec := pki.ServerSpec{}
	var out pairFiles
	cmd := &cobra.Command{
		Use:   "issue-server HOST...",
		Short: "Make a key and a certificate for a server",
		Example: "  leyden ca issue-server csms.example.com\n" +
			"  leyden ca issue-server localhost 127.0.0.1 --cert server.pem --key server.key\n" +
			"  leyden ca issue-server csms.example.com --rsa --cert rsa.pem --key rsa.key",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes the names and addresses at which the server is reached; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: withAuthority(s, data, func(cmd *cobra.Command, a *pki.Authority, hosts []string) error {
			if spec.Validity < time.Hour {
				return usagef("--validity must be at least 1h")
			}
			spec.Hosts = hosts
			pair, err := a.IssueServer(spec)
			if err != nil {
				return unwanted(err)
			}
			if err := out.write(pair); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is a certificate for %s, good until %s; its key is %s.\n", out.cert, shown(fmt.Sprint(hosts)), day(pair.NotAfter), out.key)
			fmt.Fprintf(cmd.ErrOrStderr(), "Serve with it: leyden serve --data %s --tls-cert %s --tls-key %s\n", *data, out.cert, out.key)
			return nil
		}),
	}
	out.flags(cmd, "server.pem", "server.key")
	cmd.Flags().BoolVar(&spec.RSA, "rsa", false, "an RSA key instead of one on P-256, for stations that know no ECDSA")
	cmd.Flags().DurationVar(&spec.Validity, "validity", 365*24*time.Hour, "how long it is good")
	return cmd
}

func caStationCommand(s *authoritySettings, data *string) *cobra.Command {
	var out pairFiles
	cmd := &cobra.Command{
		Use:     "issue-station ID",
		Short:   "Make a key and a certificate for a station that cannot ask for one itself",
		Example: "  leyden ca issue-station CHARGER-001 --cert CHARGER-001.pem --key CHARGER-001.key",
		Args:    oneArg("the station's identity"),
		RunE: withAuthority(s, data, func(cmd *cobra.Command, a *pki.Authority, args []string) error {
			pair, err := a.IssueStation(leyden.StationID(args[0]))
			if err != nil {
				return unwanted(err)
			}
			out.cert, out.key = cmp.Or(out.cert, args[0]+".pem"), cmp.Or(out.key, args[0]+".key")
			if err := out.write(pair); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is a certificate of station %s, good until %s; its key is %s.\n", out.cert, args[0], day(pair.NotAfter), out.key)
			return nil
		}),
	}
	out.flags(cmd, "", "")
	return cmd
}

// unwanted makes what was asked wrongly an error of usage.
func unwanted(err error) error {
	if errors.Is(err, leyden.ErrInvalid) {
		return usagef("%v", err)
	}
	return err
}

// pairFiles are where a certificate and its key go.
type pairFiles struct{ cert, key string }

func (p *pairFiles) flags(cmd *cobra.Command, cert, key string) {
	named := func(what, file string) string {
		if file != "" {
			return what
		}
		return what + "; named for the station if not given"
	}
	cmd.Flags().StringVar(&p.cert, "cert", cert, named("file for the certificate", cert))
	cmd.Flags().StringVar(&p.key, "key", key, named("file for its key", key))
}

// write writes both files, of which none may be there.
func (p *pairFiles) write(pair pki.Pair) error {
	if err := writeNew(p.key, pair.Key, 0o600); err != nil {
		return err
	}
	if err := writeNew(p.cert, pair.Chain, 0o644); err != nil {
		return errors.Join(err, os.Remove(p.key))
	}
	return nil
}

func writeNew(file, text string, mode os.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; name another with --cert and --key", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Sync(), f.Close())
}
