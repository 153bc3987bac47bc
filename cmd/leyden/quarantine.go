package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/sqlite"
)

// byCommandLine stands for whoever works in the data folder, where others have
// the id of a credential.
const byCommandLine = "cli"

func quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Refused messages: list, show, replay, dismiss",
		Long: `A message about a transaction that had to be refused, or that could not be
attributed, is kept as it was sent. It can be repaired and replayed, which records
it after all, or dismissed.`,
		Args: cobra.ArbitraryArgs, RunE: needCommand,
	}
	data := dataFlag(cmd)
	cmd.AddCommand(quarantineListCommand(data), quarantineShowCommand(data), quarantineReplayCommand(data), quarantineDismissCommand(data))
	return cmd
}

func quarantineListCommand(data *string) *cobra.Command {
	var station, status string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the newest messages",
		Example: "  leyden quarantine list --station CHARGER-001 --status waiting",
		Args:    noArgs,
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, _ []string) error {
			q := leyden.QuarantineQuery{Station: leyden.StationID(station), Status: leyden.QuarantineStatus(status), Limit: limit}
			switch q.Status {
			case "", leyden.QuarantineWaiting, leyden.QuarantineReleased, leyden.QuarantineDismissed:
			default:
				return usagef("--status is waiting, released or dismissed, not %q", status)
			}
			if limit < 1 || limit > leyden.MaxWorking {
				return usagef("--limit takes 1 to %d", leyden.MaxWorking)
			}
			total, err := db.CountQuarantined(cmd.Context(), q)
			if err != nil {
				return err
			}
			list, err := db.Quarantined(cmd.Context(), q)
			if err != nil {
				return err
			}
			err = table(cmd.OutOrStdout(), "ID\tSTATION\tACTION\tSTATUS\tRECEIVED\tREASON", list, func(q leyden.Quarantined) string {
				return join(strconv.FormatInt(q.ID, 10), string(q.Station), q.Action, string(q.Status()), moment(q.ReceivedAt), q.Reason)
			})
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d\n", len(list), total)
			return err
		}),
	}
	cmd.Flags().StringVar(&station, "station", "", "only of this station")
	cmd.Flags().StringVar(&status, "status", "", "only waiting, released or dismissed ones")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return cmd
}

func quarantineShowCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a message, why it is there and what became of it",
		Example: "  leyden quarantine show 17",
		Args:    oneArg("the message's number"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			q, err := findQuarantined(cmd.Context(), db, args[0])
			if err != nil {
				return err
			}
			var transaction string
			if q.Transaction != 0 {
				transaction = strconv.Itoa(int(q.Transaction))
			}
			for _, line := range [][2]string{
				{"id", strconv.FormatInt(q.ID, 10)}, {"station", string(q.Station)}, {"action", q.Action}, {"status", string(q.Status())},
				{"reason", q.Reason}, {"receivedAt", exact(q.ReceivedAt)}, {"releasedAt", exact(q.ReleasedAt)},
				{"dismissedAt", exact(q.DismissedAt)}, {"by", q.By}, {"dismissReason", q.Note}, {"transactionId", transaction}, {"frame", q.Frame},
			} {
				fmt.Fprintf(cmd.OutOrStdout(), "%-16s%s\n", line[0], shown(line[1]))
			}
			return nil
		}),
	}
}

func findQuarantined(ctx context.Context, db *folder, text string) (leyden.Quarantined, error) {
	id, err := quarantineID(text)
	if err != nil {
		return leyden.Quarantined{}, err
	}
	list, err := db.Quarantined(ctx, leyden.QuarantineQuery{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = noQuarantined(id)
	}
	if err != nil {
		return leyden.Quarantined{}, err
	}
	return list[0], nil
}

func quarantineID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("%q is no number of a message; `leyden quarantine list` shows them", text)
	}
	return id, nil
}

func noQuarantined(id int64) error {
	return fmt.Errorf("there is no message %d; `leyden quarantine list` shows those that there are", id)
}

func quarantineDismissCommand(data *string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "dismiss ID",
		Short:   "Decide that nothing shall come of a message; it stays readable",
		Example: "  leyden quarantine dismiss 17 --reason \"sent by a test bench\"",
		Args:    oneArg("the message's number"),
		RunE: inFolder(data, func(cmd *cobra.Command, db *folder, args []string) error {
			q, err := findQuarantined(cmd.Context(), db, args[0])
			if err != nil {
				return err
			}
			ledger := leyden.NewLedger(db, db, leyden.Options{})
			err = ledger.Settle(cmd.Context(), q.Station, leyden.Settlement{ID: q.ID, Dismissed: true, By: byCommandLine, Note: reason})
			if errors.Is(err, leyden.ErrState) {
				return settledAlready(&q)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Message %d is dismissed.\n", q.ID)
			return nil
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders later")
	return cmd
}

func settledAlready(q *leyden.Quarantined) error {
	return fmt.Errorf("message %d does not wait: it is %s; `leyden quarantine show %d` says more", q.ID, q.Status(), q.ID)
}

// A replay is how `leyden quarantine replay` was called.
type replay struct {
	id            int64
	payload       string // file, or - for the standard input
	url, key      string
	urlGiven      bool
	data          string
	conflict, tag string // policies of the server
}

func quarantineReplayCommand(data *string) *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "replay ID",
		Short: "Record a message after all, with a repaired payload if there is one",
		Long: `Record a message after all, as if the station had sent it now, with a repaired
payload if there is one.

Only one process may draw numbers of transactions. When no server serves from the
data folder the message is recorded there directly. When one does, it is asked
over its REST API, with the key of an administrator.`,
		Example: `  leyden quarantine show 17
  leyden quarantine replay 17 --payload repaired.json
  echo '{"connectorId":1,"meterValue":[]}' | leyden quarantine replay 18 --payload -
  LEYDEN_ADMIN_KEY=… leyden quarantine replay 19 --url https://csms.example.com`,
		Args: oneArg("the message's number"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if err := loadSettings(cmd.Flags(), lookupEnv); err != nil {
			return err
		}
		if r.id, err = quarantineID(args[0]); err != nil {
			return err
		}
		r.data, r.urlGiven, r.key = *data, cmd.Flags().Changed("url"), keyGiven(r.key)
		return r.run(cmd)
	}
	f := cmd.Flags()
	f.StringVar(&r.payload, "payload", "", "file with the repaired payload, a JSON object; - is the standard input")
	serverFlags(f, &r.url, &r.key, auth.Admin)
	f.StringVar(&r.conflict, "start-conflict", string(leyden.ConflictEvidence), "without a server: as it is told, evidence, accept or reject")
	f.StringVar(&r.tag, "id-tags", string(leyden.TokensListed), "without a server: as it is told, listed or open")
	return cmd
}

func (r *replay) run(cmd *cobra.Command) error {
	switch leyden.StartConflict(r.conflict) {
	case leyden.ConflictEvidence, leyden.ConflictAccept, leyden.ConflictReject:
	default:
		return usagef("--start-conflict is evidence, accept or reject, not %q", r.conflict)
	}
	if r.tag != string(leyden.TokensListed) && r.tag != string(leyden.TokensOpen) {
		return usagef("--id-tags is listed or open, not %q", r.tag)
	}
	payload, err := r.read(cmd.InOrStdin())
	if err != nil {
		return err
	}
	transaction, err := r.replay(cmd, payload)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if transaction == 0 {
		fmt.Fprintf(out, "Message %d is recorded.\n", r.id)
		return nil
	}
	fmt.Fprintf(out, "Message %d is recorded in transaction %d.\n", r.id, transaction)
	return nil
}

// read returns the repaired payload, or "".
func (r *replay) read(stdin io.Reader) (string, error) {
	if r.payload == "" {
		return "", nil
	}
	if r.payload != "-" {
		f, err := os.Open(r.payload)
		if err != nil {
			return "", fmt.Errorf("--payload: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	const most = 1 << 20 // as much as a station may send
	text, err := io.ReadAll(io.LimitReader(stdin, most+1))
	if err != nil {
		return "", fmt.Errorf("--payload: %w", err)
	}
	text = bytes.TrimSpace(text)
	if len(text) > most || !json.Valid(text) || !bytes.HasPrefix(text, []byte("{")) {
		return "", fmt.Errorf("--payload: %s holds no JSON object of at most 1 MiB", cmp.Or(strings.TrimPrefix(r.payload, "-"), "the standard input"))
	}
	return string(text), nil
}

// replay records the message, in the folder unless a server works there.
func (r *replay) replay(cmd *cobra.Command, payload string) (leyden.TransactionID, error) {
	ctx := cmd.Context()
	if r.urlGiven {
		return r.remotely(ctx, payload)
	}
	if err := findLedger(r.data); err != nil {
		return 0, err
	}
	db, err := open(ctx, r.data, true)
	if _, served := errors.AsType[*sqlite.ServedError](err); served {
		return r.remotely(ctx, payload)
	}
	if err != nil {
		return 0, err
	}
	id, err := r.directly(ctx, db, payload)
	return id, closing(db.recorded(cmd, cmd.Flags().Args(), err), db)
}

// directly records the message in a folder that nobody else serves from.
func (r *replay) directly(ctx context.Context, db *folder, payload string) (leyden.TransactionID, error) {
	ledger := leyden.NewLedger(db, db, leyden.Options{
		StartConflict: leyden.StartConflict(r.conflict), Tokens: leyden.TokenPolicy(r.tag),
	})
	server := csms.New(ledger, csms.Options{Devices: db})
	q, err := server.Replay(csms.As(ctx, byCommandLine), r.id, payload)
	refusal, refused := errors.AsType[*device.FieldError](err)
	switch {
	case errors.Is(err, leyden.ErrNotFound):
		return 0, noQuarantined(r.id)
	case errors.Is(err, leyden.ErrState):
		return 0, fmt.Errorf("%w; `leyden quarantine show %d` says more", err, r.id)
	case refused:
		return 0, stillRefused(r.id, refusal.Reason)
	case err != nil:
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	return q.Transaction, errors.Join(server.Drain(ctx), ledger.Flush(ctx))
}

func stillRefused(id int64, reason string) error {
	return fmt.Errorf("message %d %s; give a repaired payload with --payload", id, reason)
}

// remotely asks the server to record the message.
func (r *replay) remotely(ctx context.Context, payload string) (leyden.TransactionID, error) {
	body := "{}"
	if payload != "" {
		body = `{"payload":` + payload + `}`
	}
	e := errand{url: r.url, key: r.key, what: "replay the message", scope: auth.Admin}
	status, text, err := e.send(ctx, http.MethodPost, "quarantine/"+strconv.FormatInt(r.id, 10)+"/replay", body)
	if err != nil {
		return 0, err
	}
	return r.answered(status, text)
}

// answered reads what a server answered.
func (r *replay) answered(status int, text []byte) (leyden.TransactionID, error) {
	switch status {
	case http.StatusOK:
		var said struct{ TransactionID int }
		err := json.Unmarshal(text, &said)
		return leyden.TransactionID(said.TransactionID), err
	case http.StatusNotFound:
		return 0, noQuarantined(r.id)
	case http.StatusBadRequest:
		return 0, stillRefused(r.id, strings.TrimPrefix(refusalIn(text), "payload: "))
	}
	return 0, fmt.Errorf("the server answered: %s (HTTP %d)", refusalIn(text), status)
}
