package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"leyden/bench"
)

func benchRateCommand() *cobra.Command {
	var s benchSettings
	var rate string
	cmd := &cobra.Command{
		Use:   "rate",
		Short: "Measure answer times at a constant rate",
		Long: `Rate sends messages of sessions at even intervals, whatever the server does
meanwhile, and counts each answer from when its message was due: a stall of the
server shows in all messages that fall into it. With --rate auto that is half of
what the server does at most, which is measured just before, for as long.

sent late is how late messages left for which only the clock was waited: that is
the load's fault, and in all other figures.`,
		Example: `  leyden bench rate --stations 1000 --rate auto
  leyden bench rate --rate 5000 --store memory,sqlite --rounds 5`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
				return err
			}
			perSecond, err := parseRate(rate)
			if err != nil {
				return err
			}
			if err := s.checkLoad(); err != nil {
				return err
			}
			r := bench.NewReport("rate", map[string]string{"stations": fmt.Sprint(s.stations), "duration": s.duration.String(), "rate": rate})
			once := func(ctx context.Context, o bench.Options) (*bench.Sample, error) {
				return bench.Rate(ctx, o, perSecond)
			}
			return s.measure(cmd.Context(), r, "any answer p99", once, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	s.flags(cmd)
	s.loadFlags(cmd)
	cmd.Flags().StringVar(&rate, "rate", "auto", "messages a second of all stations, or auto: half of what the server does at most")
	return cmd
}

// parseRate reads a rate; auto is 0.
func parseRate(text string) (float64, error) {
	if text == "auto" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= 1e6) {
		return 0, usagef("--rate takes messages a second, or auto, not %q", text)
	}
	return rate, nil
}
