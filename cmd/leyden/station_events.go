package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"leyden/csms"
	"leyden/device"
)

func stationEventsCommand(data *string) *cobra.Command {
	var kind string
	var limit int
	cmd := &cobra.Command{
		Use:   "events ID",
		Short: "List security events of a station, and how its updates and uploads go",
		Example: `  leyden station events CHARGER-001
  leyden station events CHARGER-001 --kind security`,
		Args: oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			switch device.Kind(kind) {
			case "", device.Security, device.Firmware, device.Diagnostics, device.Log:
			default:
				return usagef("--kind is security, firmware, diagnostics or log, not %q", kind)
			}
			if limit < 1 {
				return usagef("--limit must be at least 1")
			}
			list, total, err := db.Notifications(cmd.Context(), device.NotificationQuery{
				Station: s.ID, Kind: device.Kind(kind), Page: device.Page{Limit: limit},
			})
			if err != nil {
				return err
			}
			err = table(cmd.OutOrStdout(), "RECEIVED\tKIND\tTYPE\tCRITICAL\tNOTICED BY\tREQUEST\tINFO", list, eventRow)
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(list), total)
			return err
		}),
	}
	cmd.Flags().StringVar(&kind, "kind", "", "only of this kind: security, firmware, diagnostics or log")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

func eventRow(n device.Notification) string {
	critical, by, request := "", "station", ""
	if n.Kind == device.Security && csms.CriticalEvent(n.Type) {
		critical = "yes"
	}
	if n.Own {
		by = "server"
	}
	if n.RequestID != nil {
		request = strconv.Itoa(*n.RequestID)
	}
	return join(moment(n.ReceivedAt), string(n.Kind), n.Type, critical, by, request, n.Info)
}
