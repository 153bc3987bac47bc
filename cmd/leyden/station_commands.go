package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"leyden/device"
)

func stationCommandsCommand(data *string) *cobra.Command {
	var action string
	var limit int
	cmd := &cobra.Command{
		Use:   "commands ID",
		Short: "List what a station was asked, by whom, and what it said",
		Long: `List what a station was asked, the last first: by whom (a dash is the server
itself), and what became of it. Of one that is silent or left, nobody knows
whether the station acted.`,
		Example: `  leyden station commands CHARGER-001
  leyden station commands CHARGER-001 --action RemoteStartTransaction`,
		Args: oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			if limit < 1 {
				return usagef("--limit must be at least 1")
			}
			list, total, err := db.Commands(cmd.Context(), device.CommandQuery{
				Station: s.ID, Action: action, Page: device.Page{Limit: limit},
			})
			if err != nil {
				return err
			}
			err = table(cmd.OutOrStdout(), "ASKED\tACTION\tOUTCOME\tANSWER\tASKED BY\tREQUEST\tID", list, commandRow)
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(list), total)
			return err
		}),
	}
	cmd.Flags().StringVar(&action, "action", "", "only of this action of OCPP, e.g. Reset")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

// maxRequestShown is how much of a request a row shows, in bytes.
const maxRequestShown = 100

func commandRow(c device.Command) string {
	request := c.Request
	if len(request) > maxRequestShown {
		request = strings.ToValidUTF8(request[:maxRequestShown], "") + "…"
	}
	return join(moment(c.AskedAt), c.Action, string(c.Outcome), cmp.Or(c.Status, c.Error), c.By, request, c.ID)
}
