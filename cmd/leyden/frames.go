package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/rest"
	"leyden/sqlite"
)

const (
	// framesPoll is how often --follow looks for new frames.
	framesPoll = 250 * time.Millisecond
	// framesTries is how often in a row it may fail to.
	framesTries = 20
)

// framesSettings are what `leyden frames` can be told.
type framesSettings struct {
	station, action    string
	transaction, limit int
	since              time.Duration
	follow, json       bool
}

func framesCommand() *cobra.Command {
	var s framesSettings
	cmd := &cobra.Command{
		Use:   "frames STATION",
		Short: "Show the OCPP messages of a station, also live",
		Long: `Show the OCPP messages of a station that the journal still has, both ways, the
newest at the end: <- came from the station, -> went to it. Passwords and keys
are masked. With --follow new ones are shown as they come, until Ctrl-C; the
server need not run yet, and the station need not be known.`,
		Example: `  leyden frames --follow CHARGER-001
  leyden frames CHARGER-001 --action StartTransaction --since 24h
  leyden frames CHARGER-001 --transaction 10203 --json`,
		Args: oneArg("the station's identity"),
	}
	data := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		s.station = args[0]
		return s.run(cmd, *data)
	}
	f := cmd.Flags()
	f.BoolVarP(&s.follow, "follow", "f", false, "show new messages as they come")
	f.StringVar(&s.action, "action", "", "only requests of this action and answers to them, e.g. MeterValues")
	f.IntVar(&s.transaction, "transaction", 0, "only those about the transaction with this number")
	f.DurationVar(&s.since, "since", 0, "only those of the last time, e.g. 1h")
	f.IntVar(&s.limit, "limit", 50, "how many at most; with --follow how many of those that there are")
	f.BoolVar(&s.json, "json", false, "one JSON object a line, as the REST API shows it")
	return cmd
}

func (s *framesSettings) check() error {
	switch {
	case !leyden.StationID(s.station).Valid():
		return usagef("%q is no identity of a station", s.station)
	case s.limit < 0 || s.limit == 0 && !s.follow:
		return usagef("--limit must be at least 1")
	case s.transaction < 0 || s.transaction > math.MaxInt32:
		return usagef("--transaction: %d is no number of a transaction", s.transaction)
	case s.since < 0:
		return usagef("--since must not be negative")
	}
	return nil
}

func (s *framesSettings) run(cmd *cobra.Command, data string) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	if err := findLedger(data); err != nil {
		return err
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	j := sqlite.OpenJournal(ctx, sqlite.JournalOptions{Folder: data, ReadOnly: true})
	defer func() { err = closing(err, j) }()
	last, shown, err := s.past(ctx, j, out)
	if err == nil && s.follow {
		err = s.live(ctx, j, last, out)
	}
	if s.follow && ctx.Err() != nil { // which is how it is meant to end
		return nil
	}
	if err == nil && shown == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "The journal has no such messages.")
	}
	return err
}

func (s *framesSettings) query() leyden.FrameQuery {
	q := leyden.FrameQuery{
		Station: leyden.StationID(s.station), Action: s.action, Transaction: leyden.TransactionID(s.transaction), Limit: s.limit,
	}
	if s.since > 0 {
		q.At.From = time.Now().Add(-s.since)
	}
	return q
}

// past shows the newest of the frames that there are, and returns the Seq after
// which all are new.
func (s *framesSettings) past(ctx context.Context, j *sqlite.Journal, out io.Writer) (last int64, shown int, err error) {
	newest, err := j.Frames(ctx, leyden.FrameQuery{Station: leyden.StationID(s.station), Limit: 1})
	if err != nil {
		return 0, 0, err
	}
	for _, f := range newest {
		last = f.Seq
	}
	if s.limit == 0 {
		return last, 0, nil
	}
	frames, err := j.Frames(ctx, s.query())
	if err != nil || len(frames) == 0 {
		return last, 0, err
	}
	slices.Reverse(frames)
	return max(last, frames[len(frames)-1].Seq), len(frames), s.show(out, frames)
}

// live shows frames as they come, until ctx is done. For a moment there may be
// no journal to read: the server may just make it anew.
func (s *framesSettings) live(ctx context.Context, j *sqlite.Journal, last int64, out io.Writer) error {
	q := s.query()
	q.At, q.Ascending, q.Limit = leyden.Window{}, true, 0
	tick := time.NewTicker(framesPoll)
	defer tick.Stop()
	for failed := 0; ; {
		q.After = last
		frames, err := j.Frames(ctx, q)
		if failed++; err == nil {
			failed, err = 0, s.show(out, frames)
		}
		if err != nil && (failed == 0 || failed == framesTries) {
			return err
		}
		if len(frames) > 0 {
			last = frames[len(frames)-1].Seq
			continue // there may be more
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *framesSettings) show(out io.Writer, frames []leyden.Frame) error {
	write := writeFrame
	if s.json {
		write = writeFrameJSON
	}
	for i := range frames {
		if err := write(out, &frames[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeFrame writes a line for a person, in columns that stay the same.
func writeFrame(w io.Writer, f *leyden.Frame) error {
	arrow := "<-"
	if f.Sent {
		arrow = "->"
	}
	action := cmp.Or(f.Action, string(f.Type))
	_, err := fmt.Fprintf(w, "%s %s %-22s %s\n", f.At.UTC().Format("2006-01-02 15:04:05.000"), arrow, shown(action), shown(f.Text))
	return err
}

// A frameRecord is a frame with the names and the words of the REST API.
type frameRecord struct {
	Seq           int64                 `json:"seq"`
	ChargeBoxID   leyden.StationID      `json:"chargeBoxId"`
	Timestamp     rest.Time             `json:"timestamp"`
	Direction     string                `json:"direction"`
	Type          leyden.FrameType      `json:"type"`
	Action        *string               `json:"action"`
	MessageID     *string               `json:"messageId"`
	TransactionID *leyden.TransactionID `json:"transactionId"`
	Frame         string                `json:"frame"`
}

func writeFrameJSON(w io.Writer, f *leyden.Frame) error {
	r := frameRecord{
		Seq: f.Seq, ChargeBoxID: f.Station, Timestamp: rest.Time{Time: f.At}, Direction: "in", Type: f.Type,
		Action: known(f.Action), MessageID: known(f.MessageID), TransactionID: known(f.Transaction), Frame: f.Text,
	}
	if f.Sent {
		r.Direction = "out"
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// known returns a pointer to v, or nil when it is zero.
func known[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}
