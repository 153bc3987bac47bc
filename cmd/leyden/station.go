package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
)

func stationCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "station",
		Short: "Stations: add, list, site, password, certificates, commands, events, quirks, audit, remove",
		Long: `A station must be registered before it may connect to /ocpp/ID, and proves who
it is with a password (HTTP Basic, user name = ID) or, over TLS, with a client
certificate (CN = ID). Changes count at once, also on a running server.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(stationAddCommand(data), stationListCommand(data), stationSiteCommand(data), stationPasswordCommand(data), stationCertificatesCommand(data),
		stationCommandsCommand(data), stationEventsCommand(data), stationQuirksCommand(data), stationAuditCommand(data), stationRemoveCommand(data))
	return cmd
}

func stationAddCommand(data *string) *cobra.Command {
	var name, location, site, password string
	var profile int
	cmd := &cobra.Command{
		Use:     "add ID",
		Short:   "Register a station and show its password, once",
		Example: "  leyden station add CHARGER-001 --name \"Car park, bay 4\"",
		Args:    oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			id := leyden.StationID(args[0])
			if !id.Valid() {
				return usagef("%q is no identity of a station: 1 to 48 of A-Z a-z 0-9 . _ : @ | = * + -, not beginning with chg_", args[0])
			}
			p, err := auth.ProfileOf(profile)
			if err == nil {
				err = checkSite(site)
			}
			if err != nil {
				return err
			}
			station := leyden.Station{ID: id, Name: name, Location: location, Site: site}
			spec := auth.StationSpec{Station: id, Profile: p, Password: auth.Secret(password), KeepPassword: p == auth.ProfileMutualTLS}
			made, err := registerStation(cmd.Context(), db, station, spec)
			if errors.Is(err, leyden.ErrExists) {
				return fmt.Errorf("station %s is registered already; `leyden station password %s` gives it a new password", id, id)
			}
			if err != nil {
				return err
			}
			if made == "" {
				return hint(cmd, *data, id, p)
			}
			return showPassword(cmd, *data, id, p, made)
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	cmd.Flags().StringVar(&location, "location", "", "where it stands")
	cmd.Flags().StringVar(&site, "site", "", "where it belongs, for credentials that are limited to sites")
	cmd.Flags().StringVar(&password, "password", "", "its password, 16 to 40 printable ASCII characters; made if not given")
	cmd.Flags().IntVar(&profile, "security-profile", 1, "OCPP security profile, the least that lets it in: 0 none, 1 password, 2 password over TLS, 3 client certificate")
	return cmd
}

// registerStation makes a station known, also one that was admitted as it came,
// and says how it proves who it is. It fails with [leyden.ErrExists] for one that
// is registered.
func registerStation(ctx context.Context, db *folder, s leyden.Station, spec auth.StationSpec) (auth.Secret, error) {
	if err := spec.Check(); err != nil { // before it is there: one that was there has ended its certificates
		return "", err
	}
	now := time.Now()
	s.PublicID, s.Registration, s.Listed, s.RegisteredAt = leyden.NewPublicID("chg_", now), leyden.RegistrationAccepted, true, now
	err := db.AddStation(ctx, s)
	if err == nil {
		err = db.ForgetStation(ctx, s.ID) // what one before it left
	}
	if errors.Is(err, leyden.ErrExists) {
		known, lookup := db.Station(ctx, s.ID)
		if lookup != nil || known.Listed {
			return "", fmt.Errorf("station %s: %w", s.ID, cmp.Or(lookup, err))
		}
		s.PublicID, s.Quirks, s.Sighting = known.PublicID, known.Quirks, known.Sighting
		err = db.SaveStation(ctx, s)
	}
	if err != nil {
		return "", fmt.Errorf("station %s: %w", s.ID, err)
	}
	password, err := db.registrar.SetStation(ctx, spec)
	if err != nil { // as if it had never been there
		s.RemovedAt = now
		return "", errors.Join(err, db.SaveStation(ctx, s))
	}
	return password, nil
}

// hint says what a station without a password comes with.
func hint(cmd *cobra.Command, data string, id leyden.StationID, p auth.Profile) error {
	url, err := stationURL(data, id, p)
	if err != nil {
		return err
	}
	if p == auth.ProfileMutualTLS {
		fmt.Fprintf(cmd.ErrOrStderr(), "Station %s connects to %s with a client certificate whose CN is %s; `leyden ca issue-station %s` makes one.\n", id, url, id, id)
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Station %s needs no password: anybody who knows its identity can pose as it. It connects to %s.\n", id, url)
	return nil
}

// showPassword prints a password, and nothing else, to standard output.
func showPassword(cmd *cobra.Command, data string, id leyden.StationID, p auth.Profile, password auth.Secret) error {
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n", string(password))
	url, err := stationURL(data, id, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This is the password of %s. It is shown only now: keep it. The station connects to %s.\n", id, url)
	return nil
}

func stationListCommand(data *string) *cobra.Command {
	var site string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the stations",
		Example: "  leyden station list --data ./data --site \"Depot 2\"",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			stations, err := allStations(cmd.Context(), db, site)
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "ID\tNAME\tSITE\tVENDOR\tMODEL\tPROTOCOL\tREGISTERED\tLAST SEEN\tCLOCK", stations, func(s leyden.Station) string {
				return join(string(s.ID), s.Name, s.Site, s.Vendor, s.Model, s.Protocol, day(s.RegisteredAt), moment(s.SeenAt), skewText(&s))
			})
		}),
	}
	cmd.Flags().StringVar(&site, "site", "", "only those of this site")
	return cmd
}

func stationSiteCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "site ID SITE",
		Short: "Say where a station belongs",
		Long: `Credentials that are limited to the site reach the station from their next
request on, and those that are limited to the site before it do not any more.
An empty SITE takes it from all sites.`,
		Example: "  leyden station site CHARGER-001 \"Depot 2\"",
		Args:    cobra.ArbitraryArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			if len(args) != 2 {
				return usagef("%s takes two arguments, the station's identity and the site; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			if err := checkSite(args[1]); err != nil {
				return err
			}
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			s.Site = args[1]
			if err := db.SaveStation(cmd.Context(), s); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Station %s is of site %s.\n", s.ID, shown(s.Site))
			return nil
		}),
	}
}

// checkSite refuses what cannot name a site; "" is none.
func checkSite(site string) error {
	if site != "" && !leyden.ValidSite(site) {
		return usagef("%q is no name of a site: up to %d readable characters, without spaces around them", site, leyden.MaxSite)
	}
	return nil
}

// skewText says how far ahead of ours a station's clock is; "" while that is not
// known.
func skewText(s *leyden.Station) string {
	switch {
	case s.ClockAt.IsZero():
		return ""
	case s.ClockSkew < 0:
		return s.ClockSkew.String()
	}
	return "+" + s.ClockSkew.String()
}

func stationPasswordCommand(data *string) *cobra.Command {
	var password string
	cmd := &cobra.Command{
		Use:     "password ID",
		Short:   "Give a station a new password and show it, once",
		Example: "  leyden station password CHARGER-001",
		Args:    oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			spec := auth.StationSpec{Station: s.ID, Password: auth.Secret(password)}
			old, err := db.registrar.Station(cmd.Context(), s.ID)
			if err != nil && !errors.Is(err, leyden.ErrNotFound) {
				return err
			}
			if old.Profile == auth.ProfileNone {
				spec.Profile = auth.ProfileBasic
			}
			made, err := db.registrar.SetStation(cmd.Context(), spec)
			if err != nil {
				return err
			}
			least := cmp.Or(spec.Profile, old.Profile)
			if old.Proven.Number() > least.Number() {
				least = old.Proven
			}
			return showPassword(cmd, *data, s.ID, least, made)
		}),
	}
	cmd.Flags().StringVar(&password, "password", "", "its password, 16 to 40 printable ASCII characters; made if not given")
	return cmd
}

func stationRemoveCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Short:   "Refuse a station from now on; its transactions stay",
		Example: "  leyden station remove CHARGER-001",
		Args:    oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			open, err := db.Transactions(cmd.Context(), leyden.Query{Station: s.ID, Statuses: []leyden.Status{leyden.Active, leyden.Stopping}, Limit: 1})
			if err != nil {
				return err
			}
			if open.Total > 0 {
				return fmt.Errorf("station %s charges (transaction %d); stop that first", s.ID, open.Transactions[0].ID)
			}
			if err := db.registrar.DeleteStation(cmd.Context(), s.ID); err != nil && !errors.Is(err, leyden.ErrNotFound) {
				return err
			}
			s.RemovedAt = time.Now()
			if err := db.SaveStation(cmd.Context(), s); err != nil {
				return err
			}
			if err := db.ForgetStation(cmd.Context(), s.ID); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Station %s is removed.\n", s.ID)
			fmt.Fprintln(cmd.ErrOrStderr(), "A connection that it has just now lives until it ends; DELETE /api/v1/chargers/ID ends it too.")
			return nil
		}),
	}
}

func findStation(cmd *cobra.Command, db *folder, id string) (leyden.Station, error) {
	s, err := db.Station(cmd.Context(), leyden.StationID(id))
	if errors.Is(err, leyden.ErrNotFound) {
		return s, fmt.Errorf("there is no station %s; `leyden station list` shows those that there are", id)
	}
	return s, err
}
