package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"leyden/daily"
)

// exportRunCommand writes the file of a day by hand. It reads the settings of
// serve, and so its config file; of its flags it shows those that matter here.
func exportRunCommand() *cobra.Command {
	var s serveSettings
	var day string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Write the file of a day by hand",
		Long: `Write the file of a day, and its manifest, as leyden serve does by itself: in
place of those that are there. The settings are those of leyden serve. The file
is in leyden export list; a day that the server still owes it writes as well.`,
		Example: "  leyden export run --day 2026-11-20 --export-folder /var/lib/leyden/exports\n" +
			"  leyden export run --day 2026-11-20 --config /etc/leyden.toml",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			if err := s.export.check(); err != nil {
				return err
			}
			begin, err := parseDay("--day", day)
			switch {
			case err != nil:
				return err
			case begin.IsZero():
				return usagef("name a day with --day, e.g. --day %s", daily.DayOf(time.Now()).Add(-daily.Length).Format(time.DateOnly))
			case !s.export.on():
				return usagef("say where to: --export-folder or --export-s3-bucket")
			case time.Now().Before(begin.Add(daily.Length)):
				return usagef("%s is not over yet, in UTC", day)
			}
			db, err := openFolder(cmd.Context(), s.data)
			if err != nil {
				return err
			}
			defer func() { err = closing(err, db) }()
			return db.recorded(cmd, nil, runExport(cmd, db, &s, begin))
		},
	}
	s.flags(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Hidden = !exporting(f.Name) })
	cmd.Flags().StringVar(&day, "day", "", "the day, in UTC, e.g. 2026-11-20")
	return cmd
}

// exporting reports whether a flag of serve matters to the file of a day.
func exporting(flag string) bool {
	switch flag {
	case "data", "config", "export-folder", "export-format", "export-s3-bucket", "export-s3-endpoint", "export-s3-prefix",
		"export-s3-region", "export-s3-credentials":
		return true
	}
	return false
}

func runExport(cmd *cobra.Command, db *folder, s *serveSettings, day time.Time) error {
	target, err := s.export.target(s.data)
	if err != nil {
		return err
	}
	run, err := daily.ByHand(cmd.Context(), db, target, db.dayOf, s.export.parsedFormat, day, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n", run.File)
	fmt.Fprintf(cmd.ErrOrStderr(), "%d transactions, %d bytes\n", run.Rows, run.Bytes)
	return nil
}

func exportListCommand(data *string) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the files of days",
		Example: "  leyden export list --data /var/lib/leyden",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			if limit < 1 {
				return usagef("--limit must be at least 1")
			}
			runs, err := db.DailyRuns(cmd.Context(), false, limit)
			if err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "DAY\tWRITTEN\tROWS\tBYTES\tFILE\tATTEMPTS\tERROR", runs, func(r daily.Run) string {
				attempts := strconv.Itoa(r.Attempts)
				if r.ByHand() {
					attempts = "by hand"
				}
				return join(day(r.Day), moment(r.FinishedAt), strconv.FormatInt(r.Rows, 10), strconv.FormatInt(r.Bytes, 10), r.File, attempts, r.Error)
			})
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most, the newest")
	return cmd
}
