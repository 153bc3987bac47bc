package main

import (
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
		Short: "Stations: add, list, password, remove",
		Long: `A station must be registered before it may connect to /ocpp/ID, and proves who
it is with a password (HTTP Basic, user name = ID). Changes count at once, also
on a running server.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(stationAddCommand(data), stationListCommand(data), stationPasswordCommand(data), stationRemoveCommand(data))
	return cmd
}

func stationAddCommand(data *string) *cobra.Command {
	var name, location, password string
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
			if err != nil {
				return err
			}
			now := time.Now()
			err = db.AddStation(cmd.Context(), leyden.Station{
				ID: id, PublicID: leyden.NewPublicID("chg_", now), Name: name, Location: location,
				Registration: leyden.RegistrationAccepted, Listed: true, RegisteredAt: now,
			})
			if errors.Is(err, leyden.ErrExists) {
				return fmt.Errorf("station %s is registered already; `leyden station password %s` gives it a new password", id, id)
			}
			if err != nil {
				return err
			}
			return setPassword(cmd, db, auth.StationSpec{Station: id, Profile: p, Password: auth.Secret(password)})
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	cmd.Flags().StringVar(&location, "location", "", "where it stands")
	cmd.Flags().StringVar(&password, "password", "", "its password, 16 to 40 printable ASCII characters; made if not given")
	cmd.Flags().IntVar(&profile, "security-profile", 1, "OCPP security profile: 0 none, 1 password, 2 password over TLS")
	return cmd
}

func setPassword(cmd *cobra.Command, db *folder, spec auth.StationSpec) error {
	password, err := db.registrar.SetStation(cmd.Context(), spec)
	if err != nil {
		return fmt.Errorf("station %s: %w", spec.Station, err)
	}
	out := cmd.OutOrStdout()
	if password == "" {
		fmt.Fprintf(out, "Station %s needs no password: anybody who knows its identity can pose as it.\n", spec.Station)
		return nil
	}
	fmt.Fprintf(out, "%s\n", string(password))
	fmt.Fprintf(cmd.ErrOrStderr(), "This is the password of %s. It is shown only now: keep it. The station connects to ws://HOST/ocpp/%s.\n", spec.Station, spec.Station)
	return nil
}

func stationListCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the stations",
		Args:  noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			stations, _, err := db.Stations(cmd.Context(), leyden.Slice{Limit: 1 << 20})
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "ID\tNAME\tVENDOR\tMODEL\tPROTOCOL\tREGISTERED\tLAST SEEN", stations, func(s leyden.Station) string {
				return join(string(s.ID), s.Name, s.Vendor, s.Model, s.Protocol, day(s.RegisteredAt), moment(s.SeenAt))
			})
		}),
	}
}

func stationPasswordCommand(data *string) *cobra.Command {
	var password string
	cmd := &cobra.Command{
		Use:   "password ID",
		Short: "Give a station a new password and show it, once",
		Args:  oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := db.Station(cmd.Context(), leyden.StationID(args[0]))
			if err != nil {
				return fmt.Errorf("station %s: %w", args[0], err)
			}
			spec := auth.StationSpec{Station: s.ID, Profile: auth.ProfileBasic, Password: auth.Secret(password)}
			if old, err := db.registrar.Station(cmd.Context(), s.ID); err == nil && old.Profile != auth.ProfileNone {
				spec.Profile = old.Profile
			}
			return setPassword(cmd, db, spec)
		}),
	}
	cmd.Flags().StringVar(&password, "password", "", "its password, 16 to 40 printable ASCII characters; made if not given")
	return cmd
}

func stationRemoveCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Refuse a station from now on; its transactions stay",
		Args:  oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := db.Station(cmd.Context(), leyden.StationID(args[0]))
			if err != nil {
				return fmt.Errorf("station %s: %w", args[0], err)
			}
			open, err := db.Transactions(cmd.Context(), leyden.Query{Station: s.ID, Statuses: []leyden.Status{leyden.Active, leyden.Stopping}, Limit: 1})
			if err != nil {
				return err
			}
			if open.Total > 0 {
				return fmt.Errorf("station %s charges (transaction %d); stop that first", s.ID, open.Transactions[0].ID)
			}
			s.RemovedAt = time.Now()
			if err := db.SaveStation(cmd.Context(), s); err != nil {
				return err
			}
			if err := db.registrar.DeleteStation(cmd.Context(), s.ID); err != nil && !errors.Is(err, leyden.ErrNotFound) {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Station %s is removed.\n", s.ID)
			return nil
		}),
	}
}
