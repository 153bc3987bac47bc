package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
	"leyden/export"
	"leyden/feed"
)

const (
	// followRetry is how long is waited after a failure, and followRetryMost how
	// long after many.
	followRetry     = 250 * time.Millisecond
	followRetryMost = 10 * time.Second
	// fromOldest and fromLatest say where to begin, instead of a seq.
	fromOldest = "oldest"
	fromLatest = "latest"
)

// A following is `leyden transactions follow`: from where it reads, and what it
// does with it.
type following struct {
	after, state, format, station string
	events                        []string
	url, key                      string

	out, err io.Writer
	last     string // the seq up to which all is written; or where to begin
	failing  bool
}

// A changeSource has changes. It waits a while when there is none.
type changeSource interface {
	// next returns those after a place, and the place up to which all was looked at.
	next(ctx context.Context, after string) (changes []change, last int64, err error)
}

// A change is one event, as JSON and what a person is shown of it.
type change struct {
	raw       json.RawMessage
	Event     string
	Timestamp string
	Seq       int64
	Data      struct {
		TransactionID   int
		ChargeBoxID     string
		ConnectorID     *int
		IDTag           *string
		Status          string
		EnergyDelivered *json.Number
		StopReason      *string
	}
}

// A finalError is one that trying again does not help against.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func followCommand(data *string) *cobra.Command {
	var f following
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Show what happens to transactions, as it happens",
		Long: `Show every change of a transaction as it is committed, a line each, until Ctrl-C:
from the data folder, or with --url from a server, which may end and come back.

With --state the place is kept in a file once a line is written, and the next run
goes on from there: every change is shown once or more, in order, and none is
missed. Repeats have the same seq.`,
		Example: `  leyden transactions follow
  leyden transactions follow --state billing.seq --event transaction.stopped --format json | billing
  LEYDEN_KEY=… leyden transactions follow --url https://csms.example.com --after oldest`,
		Args: noArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		f.out, f.err, f.key = cmd.OutOrStdout(), cmd.ErrOrStderr(), keyGiven(f.key)
		return f.run(cmd.Context(), *data)
	}
	flags := cmd.Flags()
	flags.StringVar(&f.after, "after", fromLatest, "where to begin: latest, oldest, or a seq, after which the first is shown")
	flags.StringVar(&f.state, "state", "", "file that keeps the place; --after counts until it is there")
	flags.StringSliceVar(&f.events, "event", nil, "only these, e.g. transaction.stopped; default all of transactions")
	flags.StringVar(&f.station, "station", "", "only of this station")
	flags.StringVar(&f.format, "format", "text", "text, or json as the REST API has it")
	flags.StringVar(&f.url, "url", "", "ask the server there, instead of reading the data folder")
	keyFlag(flags, &f.key, auth.TransactionsRead)
	return cmd
}

func (f *following) check() error {
	if _, err := strconv.ParseUint(f.after, 10, 63); err != nil && f.after != fromOldest && f.after != fromLatest {
		return usagef("--after is latest, oldest or a seq, not %q", f.after)
	}
	if f.format != "text" && f.format != "json" {
		return usagef("--format is text or json, not %q", f.format)
	}
	if f.station != "" && !leyden.StationID(f.station).Valid() {
		return usagef("%q is no identity of a station", f.station)
	}
	for _, event := range f.events {
		if !slices.Contains(feed.Topics(), event) {
			return usagef("--event: there is no event %q; there are %s", event, strings.Join(feed.Topics(), ", "))
		}
	}
	if len(f.events) == 0 {
		f.events = slices.DeleteFunc(feed.Topics(), func(t string) bool { return !strings.HasPrefix(t, "transaction.") })
	}
	return nil
}

func (f *following) run(ctx context.Context, data string) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := f.resume(); err != nil {
		return err
	}
	source, done, err := f.open(ctx, data)
	if err != nil {
		return err
	}
	err = f.follow(ctx, source)
	if ctx.Err() != nil { // which is how it is meant to end
		err = nil
	}
	return errors.Join(err, done())
}

// open returns what the changes come from, and what to do with it at the end.
func (f *following) open(ctx context.Context, data string) (changeSource, func() error, error) {
	if f.url != "" {
		source, err := newRemoteChanges(f)
		return source, func() error { return nil }, err
	}
	db, err := openFolder(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	return newLocalChanges(f, db), db.Close, nil
}

// resume finds the place to begin.
func (f *following) resume() error {
	f.last = f.after
	if f.state == "" {
		return nil
	}
	text, err := os.ReadFile(f.state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	f.last = strings.TrimSpace(string(text))
	if _, err := strconv.ParseUint(f.last, 10, 63); err != nil {
		return fmt.Errorf("%s holds no seq; name another file with --state, or remove it to begin as --after says", f.state)
	}
	return nil
}

// follow shows changes until ctx is done or going on makes no sense.
func (f *following) follow(ctx context.Context, source changeSource) error {
	for wait := followRetry; ; {
		list, last, err := source.next(ctx, f.last)
		if err == nil {
			f.recovered()
			if err = f.take(list, last); err != nil {
				return err
			}
			wait = followRetry
			continue
		}
		if _, final := errors.AsType[finalError](err); final || ctx.Err() != nil {
			return f.explain(err)
		}
		f.failed(err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, followRetryMost)
	}
}

// failed says once that something is wrong, and recovered that it is over.
func (f *following) failed(err error) {
	if !f.failing {
		fmt.Fprintf(f.err, "%v; trying again\n", err)
	}
	f.failing = true
}

func (f *following) recovered() {
	if f.failing {
		fmt.Fprintln(f.err, "going on")
	}
	f.failing = false
}

// take shows changes and then notes the place.
func (f *following) take(list []change, last int64) error {
	for i := range list {
		if err := f.show(&list[i]); err != nil {
			return err
		}
	}
	place := strconv.FormatInt(last, 10)
	if place == f.last {
		return nil
	}
	f.last = place
	if f.state == "" {
		return nil
	}
	err := export.WriteFile(f.state, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, place)
		return err
	})
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}

func (f *following) show(c *change) error {
	if f.format == "json" {
		_, err := fmt.Fprintf(f.out, "%s\n", c.raw)
		return err
	}
	_, err := fmt.Fprintln(f.out, c.line())
	return err
}

// line shows a change to a person, in columns that stay the same.
func (c *change) line() string {
	at, _ := time.Parse(time.RFC3339, c.Timestamp)
	d := &c.Data
	connector := ""
	if d.ConnectorID != nil {
		connector = strconv.Itoa(*d.ConnectorID)
	}
	number := ""
	if d.TransactionID != 0 {
		number = strconv.Itoa(d.TransactionID)
	}
	line := fmt.Sprintf("%s %-24s %8s %-16s %2s %-20s %s", at.UTC().Format("2006-01-02 15:04:05.000"), shown(c.Event), shown(number),
		shown(d.ChargeBoxID), shown(connector), shown(valueOf(d.IDTag)), shown(d.Status))
	if d.EnergyDelivered != nil {
		line += " " + d.EnergyDelivered.String() + " kWh"
	}
	return line + strings.TrimRight(" "+valueOf(d.StopReason), " ")
}

func valueOf(s *string) string { return *cmp.Or(s, new(string)) }

// readChange reads an event.
func readChange(raw []byte) (change, error) {
	c := change{raw: raw}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("change cannot be read: %w", err)
	}
	return c, nil
}

// explain says what to do about changes that are kept no more.
func (f *following) explain(err error) error {
	behind, ok := errors.AsType[*feed.ForgottenError](err)
	if !ok {
		return err
	}
	again := "--after oldest"
	if f.state != "" {
		again += " and without " + f.state
	}
	return fmt.Errorf("%w; go on with %s, and know that what lies between is missing", behind, again)
}
