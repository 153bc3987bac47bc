package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"leyden"
)

func stationAuditCommand(data *string) *cobra.Command {
	var connector int
	var from, to string
	var all bool
	cmd := &cobra.Command{
		Use:   "audit [ID]",
		Short: "List what the registers counted between one charge and the next",
		Long: `Audit compares the register at the start of each charge with the one at the stop
of the charge before, on the same connector, by the station's clock: energy that
no charge accounts for, registers that fell, charges that overlap. It lists what
is not continuous, and a sum for each station. Of a station whose register begins
anew with each charge (leyden station quirks) nothing is compared.`,
		Example: `  leyden station audit CHARGER-001
  leyden station audit --from 2026-02-01 --to 2026-03-01`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one argument at most, the station's identity; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			q := leyden.AuditQuery{Connector: connector}
			var err error
			if q.Window.From, err = parseMoment("--from", from); err != nil {
				return err
			}
			if q.Window.To, err = parseMoment("--to", to); err != nil {
				return err
			}
			stations, err := auditedStations(cmd, db, args)
			if err != nil {
				return err
			}
			return auditStations(cmd.Context(), cmd.OutOrStdout(), db, stations, q, all)
		}),
	}
	cmd.Flags().IntVar(&connector, "connector", 0, "only this one")
	cmd.Flags().StringVar(&from, "from", "", "only charges that began at or after this time, e.g. 2026-02-06 or 2026-02-06T12:00:00Z")
	cmd.Flags().StringVar(&to, "to", "", "only charges that began before this time")
	cmd.Flags().BoolVar(&all, "all", false, "list what is continuous too")
	return cmd
}

func auditedStations(cmd *cobra.Command, db *folder, args []string) ([]leyden.Station, error) {
	if len(args) == 0 {
		return allStations(cmd.Context(), db, "")
	}
	s, err := findStation(cmd, db, args[0])
	return []leyden.Station{s}, err
}

// auditStations writes what is odd between the charges of stations, or all of
// it, and what it comes to.
func auditStations(ctx context.Context, out io.Writer, db *folder, stations []leyden.Station, q leyden.AuditQuery, all bool) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "STATION\tCONNECTOR\tBEFORE\tAFTER\tSTART\tMETER STOP\tMETER START\tGAP WH\tVERDICT")
	var sums []string
	for i := range stations {
		s := &stations[i]
		q.Station, q.Model = s.ID, s.RegisterModel()
		var sum leyden.AuditSummary
		for j, err := range leyden.Audit(ctx, db, q) {
			if err != nil {
				return fmt.Errorf("audit of %s: %w", s.ID, err)
			}
			sum.Add(&j)
			if all || j.Continuity != leyden.Continuous {
				fmt.Fprintln(t, join(string(s.ID), strconv.Itoa(j.Connector), strconv.Itoa(int(j.Before)), strconv.Itoa(int(j.After)), moment(j.At),
					whText(j.MeterStop), whText(j.MeterStart), whText(j.Gap), string(j.Continuity)))
			}
		}
		sums = append(sums, fmt.Sprintf("%s: %d Wh in %d gaps, %d resets, %d overlaps, %d unknown, of %d",
			shown(string(s.ID)), sum.Gap, sum.Gaps, sum.Resets, sum.Overlaps, sum.Unknown, sum.Joints))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range sums {
		fmt.Fprintln(out, line)
	}
	return nil
}
