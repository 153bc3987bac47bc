package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/apiv1"
	"leyden/auth"
	"leyden/rest"
	"leyden/sqlite"
)

const correctLong = `

It is a correction with author, time and reason: ` + "`leyden transactions revisions`" + ` lists
it and ` + "`leyden transactions revert`" + ` undoes it. What the station reported stays.

When no server serves from the data folder this is done there directly. When one
does, it is asked over its REST API, with a key of the scope transactions:control.`

// An amending is how a command that corrects a transaction was called.
type amending struct {
	data, url, key string
	urlGiven       bool
	reason         string
}

// command completes a command that corrects the transaction that its first
// argument names: by a request to a path below it, with a body that what returns.
func (a *amending) command(data *string, cmd *cobra.Command, method string, what func(cmd *cobra.Command, args []string) (path string, body map[string]any, err error)) *cobra.Command {
	cmd.Long = cmd.Short + "." + correctLong
	f := cmd.Flags()
	f.StringVar(&a.reason, "reason", "", "why, for whoever wonders later")
	serverFlags(f, &a.url, &a.key, auth.TransactionsControl)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		a.data, a.urlGiven, a.key = *data, f.Changed("url"), keyGiven(a.key)
		path, body, err := what(cmd, args)
		if err != nil {
			return err
		}
		if a.reason != "" {
			body["reason"] = a.reason
		}
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		return a.amend(cmd, args, method, "transactions/"+args[0]+path, string(text))
	}
	return cmd
}

// amend corrects the transaction, in the folder unless a server works there, and
// shows it.
func (a *amending) amend(cmd *cobra.Command, args []string, method, path, body string) error {
	if err := transactionName(args[0]); err != nil {
		return err
	}
	status, text, err := a.ask(cmd, args, method, path, body)
	if err != nil {
		return err
	}
	if status >= 300 {
		return errors.New(refusalIn(text))
	}
	var t struct {
		TransactionID, Corrections int
		Status                     string
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Transaction %d is %s, with %d corrections.\n", t.TransactionID, t.Status, t.Corrections)
	return nil
}

// transactionName refuses what is no id of a transaction.
func transactionName(id string) error {
	if n, err := strconv.ParseInt(id, 10, 32); err == nil && n > 0 || strings.HasPrefix(id, "txn_") && !strings.ContainsAny(id, "/?#%") {
		return nil
	}
	return usagef("%q is no transaction id: give its number or its txn_ id", id)
}

func (a *amending) ask(cmd *cobra.Command, args []string, method, path, body string) (int, []byte, error) {
	ctx := cmd.Context()
	e := errand{url: a.url, key: a.key, what: "correct the transaction", scope: auth.TransactionsControl}
	if a.urlGiven {
		return e.send(ctx, method, path, body)
	}
	if err := findLedger(a.data); err != nil {
		return 0, nil, err
	}
	db, err := open(ctx, a.data, true)
	if _, served := errors.AsType[*sqlite.ServedError](err); served {
		return e.send(ctx, method, path, body)
	}
	if err != nil {
		return 0, nil, err
	}
	status, text, err := db.answer(ctx, method, path, body)
	var ended error
	if status >= 300 {
		ended = errors.New(refusalIn(text))
	}
	if recorded := db.recorded(cmd, args, cmp.Or(err, ended)); recorded != nil {
		err = errors.Join(err, ended, recorded)
	}
	return status, text, closing(err, db)
}

// answer answers a request to /api/v1 out of the folder, without a server, for
// whoever may write to it.
func (f *folder) answer(ctx context.Context, method, path, body string) (int, []byte, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})) // nobody wants to read of the request
	api := rest.New(rest.Config{Version: version, Auth: insider{}, Now: time.Now, Log: log})
	apiv1.Register(api, apiv1.Config{Ledger: leyden.NewLedger(f, f, leyden.Options{}), Registrar: f.registrar, Devices: f})
	req, err := http.NewRequestWithContext(ctx, method, "http://folder/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-API-Key", byCommandLine)
	w := &answered{header: http.Header{}, status: http.StatusOK}
	api.ServeHTTP(w, req)
	return w.status, w.body.Bytes(), nil
}

// An insider may do everything: the data folder is his.
type insider struct{}

// Authenticate implements [rest.Authenticator].
func (insider) Authenticate(context.Context, auth.Credentials) (auth.Principal, error) {
	return auth.Principal{ID: byCommandLine, Name: osUser(), Scopes: auth.Scopes{auth.Admin}}, nil
}

// An answered request is kept in memory.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answered) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answered) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }

func transactionsCorrectCommand(data *string) *cobra.Command {
	var a amending
	var vehicle, note string
	var metadata []string
	var billable bool
	cmd := &cobra.Command{
		Use:   "correct ID",
		Short: "Set vehicle, note or metadata of a transaction, or whether it is billed",
		Example: `  leyden transactions correct 10203 --vehicle VAN-12 --note "the driver used the wrong card"
  leyden transactions correct 10203 --metadata costCentre=4711 --metadata trip=
  leyden transactions correct 10203 --billable=false --reason "test of the charger"`,
		Args: oneArg("the transaction's number or txn_ id"),
	}
	f := cmd.Flags()
	f.StringVar(&vehicle, "vehicle", "", "the vehicle that charged; \"\" lets the idTag stand for it")
	f.StringVar(&note, "note", "", "a note; \"\" takes it away")
	f.StringArrayVar(&metadata, "metadata", nil, "NAME=TEXT to set, NAME= to take away; may be repeated")
	f.BoolVar(&billable, "billable", true, "whether it may be billed; false takes a --reason")
	return a.command(data, cmd, http.MethodPatch, func(cmd *cobra.Command, _ []string) (string, map[string]any, error) {
		body := map[string]any{}
		for flag, field := range map[string]string{"vehicle": "vehicleId", "note": "note"} {
			if cmd.Flags().Changed(flag) {
				body[field] = orNothing(map[string]string{"vehicle": vehicle, "note": note}[flag])
			}
		}
		entries := map[string]any{}
		for _, entry := range metadata {
			name, text, ok := strings.Cut(entry, "=")
			if !ok || name == "" {
				return "", nil, usagef("--metadata takes NAME=TEXT, not %q", entry)
			}
			entries[name] = orNothing(text)
		}
		if len(entries) > 0 {
			body["metadata"] = entries
		}
		if cmd.Flags().Changed("billable") {
			body["billable"] = billable
		}
		if len(body) == 0 {
			return "", nil, usagef("say what to correct: --vehicle, --note, --metadata or --billable; see %s --help", cmd.CommandPath())
		}
		return "", body, nil
	})
}

// orNothing returns a text, or nil for "": what takes something away.
func orNothing(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func transactionsCloseCommand(data *string) *cobra.Command {
	var a amending
	var end string
	var meter int64
	var force bool
	cmd := &cobra.Command{
		Use:     "close ID --reason TEXT",
		Short:   "End a charge whose stop will not come, as Incomplete",
		Example: `  leyden transactions close 10203 --reason "the charger burnt" --end 2026-02-06T12:45:00Z --meter-stop 15000`,
		Args:    oneArg("the transaction's number or txn_ id"),
	}
	f := cmd.Flags()
	f.StringVar(&end, "end", "", "when it ended, by the station's clock; else when it was last known to run")
	f.Int64Var(&meter, "meter-stop", 0, "the register at the end in Wh, if somebody read it; else the energy goes up to the last reading")
	f.BoolVar(&force, "force", false, "although nothing shows that it does not charge right now")
	return a.command(data, cmd, http.MethodPost, func(cmd *cobra.Command, _ []string) (string, map[string]any, error) {
		if a.reason == "" {
			return "", nil, usagef("--reason is required: say why it is closed")
		}
		at, err := parseMoment("--end", end)
		if err != nil {
			return "", nil, err
		}
		body := map[string]any{"force": force}
		if !at.IsZero() {
			body["endTime"] = at.Format(time.RFC3339Nano)
		}
		if cmd.Flags().Changed("meter-stop") {
			body["meterStop"] = meter
		}
		return "/close", body, nil
	})
}

func transactionsJoinCommand(data *string) *cobra.Command {
	var a amending
	cmd := &cobra.Command{
		Use:     "join ID ORPHAN",
		Short:   "Give a charge without a stop the stop that was recorded on its own",
		Example: `  leyden transactions join 10203 10207 --reason "same card, same register"`,
		Args:    twoArgs("the transaction and the orphan stop"),
	}
	return a.command(data, cmd, http.MethodPost, func(_ *cobra.Command, args []string) (string, map[string]any, error) {
		return "/join", map[string]any{"orphan": args[1]}, transactionName(args[1])
	})
}

func transactionsRevertCommand(data *string) *cobra.Command {
	var a amending
	cmd := &cobra.Command{
		Use:     "revert ID NUMBER",
		Short:   "Undo a correction of a transaction",
		Example: `  leyden transactions revert 10203 1 --reason "it was the right card after all"`,
		Args:    twoArgs("the transaction and the number of the correction"),
	}
	return a.command(data, cmd, http.MethodPost, func(_ *cobra.Command, args []string) (string, map[string]any, error) {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return "", nil, usagef("%q is no number of a correction; `leyden transactions revisions %s` shows them", args[1], args[0])
		}
		return "/revisions/" + strconv.Itoa(n) + "/revert", map[string]any{}, nil
	})
}

// twoArgs refuses more and fewer.
func twoArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usagef("%s takes two arguments, %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

func transactionsRevisionsCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revisions ID",
		Short:   "List the corrections of a transaction: who, when, why, and what changed",
		Example: "  leyden transactions revisions 10203",
		Args:    oneArg("the transaction's number or txn_ id"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			t, err := find(cmd, db, args[0])
			if err != nil {
				return err
			}
			status, text, err := db.answer(cmd.Context(), http.MethodGet, fmt.Sprintf("transactions/%d/revisions?limit=500", t.ID), "")
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return errors.New(refusalIn(text))
			}
			var list struct{ Revisions []shownRevision }
			if err := json.Unmarshal(text, &list); err != nil {
				return err
			}
			return table(cmd.OutOrStdout(), "NUMBER\tAT\tKIND\tBY\tSTANDS\tCHANGED\tREASON", list.Revisions, shownRevision.row)
		}),
	}
}

// A shownRevision is a revision as v1 tells it.
type shownRevision struct {
	Number     int
	At         time.Time
	Kind, By   string
	Reason     string
	Reverts    int
	Revertable bool
	Changes    []struct {
		Field    string
		From, To json.RawMessage
	}
}

func (r shownRevision) row() string {
	stands := map[bool]string{true: "yes", false: "undone"}[r.Revertable]
	kind := r.Kind
	if r.Reverts > 0 {
		kind += " " + strconv.Itoa(r.Reverts)
	}
	var changes []string
	for _, c := range r.Changes {
		changes = append(changes, fmt.Sprintf("%s: %s → %s", c.Field, c.From, c.To))
	}
	return join(strconv.Itoa(r.Number), moment(r.At), kind, r.By, stands, strings.Join(changes, ", "), r.Reason)
}
