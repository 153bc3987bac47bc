package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"leyden/device"
)

func stationCertificatesCommand(data *string) *cobra.Command {
	var show string
	cmd := &cobra.Command{
		Use:   "certificates ID",
		Short: "List what a station asked to sign, and what became of it",
		Example: "  leyden station certificates CHARGER-001\n" +
			"  leyden station certificates CHARGER-001 --request crt_2pjwm5cyuf4l7rzdzgd3vyzs2a > request.pem",
		Args: oneArg("the station's identity"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			s, err := findStation(cmd, db, args[0])
			if err != nil {
				return err
			}
			list, _, err := db.Certificates(cmd.Context(), device.CertificateQuery{Station: s.ID, Page: device.Page{Limit: device.MaxCertificates}})
			if err != nil {
				return err
			}
			if show != "" {
				return showRequest(cmd, list, show)
			}
			return table(cmd.OutOrStdout(), "ID\tSTATUS\tREQUESTED\tGOOD UNTIL\tSERIAL\tREASON", list, func(c device.Certificate) string {
				return join(c.ID, string(c.Status), moment(c.RequestedAt), moment(c.NotAfter), c.Serial, c.Reason)
			})
		}),
	}
	cmd.Flags().StringVar(&show, "request", "", "print the request with this id instead, for an authority to sign")
	return cmd
}

func showRequest(cmd *cobra.Command, list []device.Certificate, id string) error {
	for _, c := range list {
		if c.ID == id {
			fmt.Fprintln(cmd.OutOrStdout(), c.Request)
			return nil
		}
	}
	return fmt.Errorf("the station has no request %s; `leyden station certificates ID` shows those that it has", id)
}
