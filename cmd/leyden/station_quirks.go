package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	_ "time/tzdata" // a station's time zone must be known wherever the binary runs

	"github.com/spf13/cobra"
	"leyden"
)

// The quirks by the names that the REST API has for them.
const (
	quirkRegister  = "registerModel"
	quirkOffline   = "offlineIds"
	quirkFractions = "fractionalMeters"
	quirkZone      = "timeZone"
)

func stationQuirksCommand(data *string) *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "quirks ID",
		Short: "Show in which ways a station does not do as OCPP says, or set them",
		Long: `Quirks shows what was learnt of a station and what is set. What was learnt changes
no record; what is set does, from the next message on:

  registerModel     session: the register begins anew at 0 with each charge.
                    cumulative: it counts on; a start of 0 is marked, and not billed
                    as if the meter had begun there
  fractionalMeters  true: a fraction in meterStart is rounded down, not refused
  timeZone          what timestamps without a zone are in, e.g. Europe/Berlin
  offlineIds        true: it stops charges that it began offline under -1: of several that
                    such a stop fits it ends that one. false: it ends none

A name without a value is given back to what is learnt.`,
		Example: `  leyden station quirks CHARGER-001
  leyden station quirks CHARGER-001 --set registerModel=session --set timeZone=Europe/Berlin
  leyden station quirks CHARGER-001 --set timeZone=`,
		Args: oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			for _, text := range set {
				if err := setQuirk(&s.Quirks, text); err != nil {
					return err
				}
			}
			if len(set) > 0 {
				if err := db.SaveStation(cmd.Context(), s); err != nil {
					return fmt.Errorf("station %s: %w", s.ID, err)
				}
			}
			return table(cmd.OutOrStdout(), "QUIRK\tLEARNT\tSET\tSEEN\tLAST SEEN", quirkRows(&s), func(r []string) string { return join(r...) })
		}),
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "name=value; several times for several")
	return cmd
}

// setQuirk changes a quirk as name=value says.
func setQuirk(q *leyden.Quirks, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return usagef("--set takes name=value, not %q", text)
	}
	changed := *q
	var err error
	switch name {
	case quirkRegister:
		changed.Register = leyden.RegisterModel(value)
	case quirkZone:
		changed.TimeZone = value
	case quirkOffline:
		changed.OfflineIDs, err = optionalBool(value)
	case quirkFractions:
		changed.FractionalMeters, err = optionalBool(value)
	default:
		return usagef("there is no quirk %q; there are %s, %s, %s and %s", name, quirkRegister, quirkFractions, quirkZone, quirkOffline)
	}
	if err = cmp.Or(err, changed.Check()); err != nil {
		return usagef("--set %s: %q is not %s", name, value, map[string]string{
			quirkRegister: "session or cumulative", quirkZone: "a time zone of the IANA database, such as Europe/Berlin",
			quirkOffline: "true or false", quirkFractions: "true or false",
		}[name])
	}
	*q = changed
	return nil
}

// optionalBool reads true or false, or nothing.
func optionalBool(text string) (*bool, error) {
	if text == "" {
		return nil, nil
	}
	b, err := strconv.ParseBool(text)
	return &b, err
}

func quirkRows(s *leyden.Station) [][]string {
	row := func(name, learnt, set string, h leyden.Habit) []string {
		return []string{name, learnt, set, strconv.Itoa(h.Count), moment(h.SeenAt)}
	}
	h, q := &s.Habits, &s.Quirks
	shown := h.FromZero
	if h.Continued.Count > shown.Count {
		shown = h.Continued
	}
	return [][]string{
		row(quirkRegister, string(h.Register), string(q.Register), shown),
		row(quirkFractions, strconv.FormatBool(h.FractionalMeters.Count > 0), boolText(q.FractionalMeters), h.FractionalMeters),
		row(quirkZone, "", q.TimeZone, h.MissingZone),
		row(quirkOffline, strconv.FormatBool(h.OfflineIDs.Count > 0), boolText(q.OfflineIDs), h.OfflineIDs),
	}
}

func boolText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
