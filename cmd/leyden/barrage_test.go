package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	zsqlite "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden"
	"leyden/auth"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/rest/barrage"
	"leyden/rest/resttest"
	"leyden/sim"
	"leyden/sqlite"
)

// barrageSize says what the barrage throws: LEYDEN_BARRAGE=SEED:REQUESTS, which
// .ci/run sets to many, and which repeats a run that failed.
func barrageSize(t *testing.T) (seed uint64, requests int) {
	seed, requests = 1, race.Fewer(5_000, 600)
	if given := os.Getenv("LEYDEN_BARRAGE"); given != "" {
		if _, err := fmt.Sscanf(given, "%d:%d", &seed, &requests); err != nil {
			t.Fatalf("LEYDEN_BARRAGE is SEED:REQUESTS, not %q", given)
		}
	}
	return seed, requests
}

// TestBarrage throws random and hostile requests at a whole server, wired as
// `leyden serve` wires it, whose stations obey, refuse, fail, babble and are
// silent. See package barrage for what is wanted.
func TestBarrage(t *testing.T) {
	t.Parallel()
	seed, requests := barrageSize(t)
	barrage.Salvos(seed, requests, func(seed uint64, requests int) {
		synctest.Test(t, func(t *testing.T) {
			r := newRange(t)
			defer r.close()
			r.fire(seed, requests)
		})
	})
}

// hookURL is where webhooks of the barrage lead: nowhere.
const hookURL = "https://203.0.113.1/hook"

// fire throws one salvo.
func (r *firingRange) fire(seed uint64, requests int) {
	report := barrage.Run(r.t, barrage.Options{
		Contract: r.contract, Dial: r.listener.Dial, Seed: seed, Requests: requests,
		Credentials: r.credentials, Known: r.known, Protected: r.protected,
		Canary: "/api/v1/transactions?limit=1",
		Settle: func() { time.Sleep(12 * time.Millisecond); synctest.Wait() }, // the limit of rates is per second
		// No webhook has a name to look up: the resolver is not for a bubble.
		Fixed: map[string]string{"url": hookURL},
		Spare: func(uri, body string) bool {
			return strings.Contains(uri, "/webhooks") && strings.Contains(body, "//") && !strings.Contains(body, `"url":"`+hookURL+`"`)
		},
		Version: r.version, Digest: r.digest, Refresh: r.refresh,
		Again: "LEYDEN_BARRAGE=%d:%d go test ./cmd/leyden -run TestBarrage",
	})
	r.t.Logf("%d requests, %d looked at for a change: %v", report.Thrown, report.Compared, report.Statuses)
	r.t.Logf("never a success:\n%s", strings.Join(report.Never(), "\n"))
}

// A firingRange is a server in memory, but for its data folder, with stations.
type firingRange struct {
	t           *testing.T
	node        *node
	listener    *barrage.Listener
	contract    *resttest.Contract
	credentials [][2]string
	protected   []string
	known       map[string][]string
	look        *zsqlite.Conn
	tables      []string
	odd         map[leyden.StationID]func(context.Context, ocpp.Frame) ocpp.Reply
	running     sync.WaitGroup
	ctx         context.Context // ends what runs
	stop        context.CancelFunc
}

func newRange(t *testing.T) *firingRange {
	t.Helper()
	contract, err := theContract()
	ctx, stop := context.WithCancel(t.Context())
	r := &firingRange{t: t, contract: contract, listener: barrage.NewListener(), ctx: ctx, stop: stop, known: map[string][]string{}}
	r.must(err)
	settings, cmd := new(serveSettings), new(cobra.Command)
	settings.flags(cmd)
	r.must(settings.check())
	data := t.TempDir()
	db, err := open(ctx, data, true)
	r.must(err)
	log := slog.New(&alarm{Handler: slog.NewTextHandler(io.Discard, nil), t: t})
	r.node = &node{settings: settings, log: log, db: db, listener: r.listener, authority: &authority{settings: &settings.tls.authoritySettings, data: data, since: db.certificatesSince}}
	db.journal = settings.journal.open(ctx, data, log)
	r.must(r.node.wire())
	r.node.csms.Recover(ctx)
	r.running.Go(func() { r.node.ledger.Run(ctx, func(err error) { t.Errorf("ledger: %v", err) }) })
	r.running.Go(func() {
		if err := r.node.http.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	r.look, err = zsqlite.OpenConn(filepath.Join(data, sqlite.FileName), zsqlite.OpenReadOnly)
	r.must(err)
	r.tables = r.tablesOf()
	r.admit()
	r.connect()
	return r
}

func (r *firingRange) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// admit makes credentials: all scopes, few, and an access token.
func (r *firingRange) admit() {
	registrar := r.node.db.registrar
	for _, scopes := range [][]string{{"admin"}, {"transactions:read"}, {"chargers:read"}} {
		key, text, err := registrar.CreateKey(r.t.Context(), auth.Spec{Name: "barrage", Scopes: scopes})
		r.must(err)
		r.credentials = append(r.credentials, [2]string{"X-API-Key", string(text)})
		r.protected = append(r.protected, key.ID)
	}
	client, secret, err := registrar.CreateClient(r.t.Context(), auth.Spec{Name: "barrage", Scopes: []string{"admin"}})
	r.must(err)
	r.protected = append(r.protected, client.ID)
	r.known["client_id"], r.known["client_secret"] = []string{client.ID}, []string{string(secret)}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ID}, "client_secret": {string(secret)}}
	ask := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()))
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	out := httptest.NewRecorder()
	r.node.http.Handler.ServeHTTP(out, ask)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	decode(r.t, out.Body.String(), &token)
	r.credentials = append(r.credentials, [2]string{"Authorization", "Bearer " + token.AccessToken})
}

// connect connects stations that obey, and others.
func (r *firingRange) connect() {
	fleet, err := sim.NewFleet(sim.Options{
		Stations: 3, Connectors: 2, Passive: true, Speed: 60, Seed: 1,
		Dial: func(_ context.Context, who sim.Login) (ocpp.Transport, error) {
			return r.plug(leyden.StationID(who.Station)), nil
		},
	})
	r.must(err)
	answer := func(payload string) func(context.Context, ocpp.Frame) ocpp.Reply {
		return func(context.Context, ocpp.Frame) ocpp.Reply { return ocpp.Reply{Message: ocpp.Raw(payload)} }
	}
	r.odd = map[leyden.StationID]func(context.Context, ocpp.Frame) ocpp.Reply{
		"REJECTS": answer(`{"status":"Rejected"}`),
		"BABBLES": answer(`{"status":7,"x":[null]}`),
		"FAILS": func(context.Context, ocpp.Frame) ocpp.Reply {
			return ocpp.Reply{Err: ocpp.Errorf("GenericError", "%s", "no")}
		},
		"SILENT": func(ctx context.Context, _ ocpp.Frame) ocpp.Reply {
			<-ctx.Done()
			return ocpp.Reply{}
		},
	}
	tags := []string{"SIMTAG0001", "SIMTAG0002"}
	r.must(listTags(r.ctx, r.node.db, tags))
	r.known["idTag"] = tags
	for i := range 3 {
		r.known["chargeBoxId"] = append(r.known["chargeBoxId"], fmt.Sprintf("SIM-%04d", i+1))
	}
	r.refresh()
	for _, id := range slices.Sorted(maps.Keys(r.odd)) {
		r.known["chargeBoxId"] = append(r.known["chargeBoxId"], string(id))
	}
	r.running.Go(func() { fleet.Run(r.ctx) })
	synctest.Wait()
	r.charge()
}

// charge makes the ledger hold something: charges that run, some that ended, and
// a message that was refused.
func (r *firingRange) charge() {
	for _, id := range r.known["chargeBoxId"][:3] {
		ask := httptest.NewRequest(http.MethodPost, "/api/v1/chargers/"+id+"/remote-start", strings.NewReader(`{"connectorId":1,"idTag":"SIMTAG0001"}`))
		ask.Header.Set(r.credentials[0][0], r.credentials[0][1])
		out := httptest.NewRecorder()
		r.node.http.Handler.ServeHTTP(out, ask)
		if out.Code != http.StatusAccepted {
			r.t.Fatalf("remote start: %d %s", out.Code, out.Body)
		}
	}
	conn := ocpp.NewConn(r.plug("REJECTS"), ocpp.Options{IDPrefix: "c"})
	r.running.Go(func() { _ = conn.Serve(r.ctx, r.odd["REJECTS"]) }) // likewise
	for i := range 3 {
		start := fmt.Sprintf(`{"connectorId":%d,"idTag":"SIMTAG0001","meterStart":%d,"timestamp":"2026-01-0%dT10:00:00Z"}`, i+1, i*1000, i+1)
		answer, err := conn.CallRaw(r.ctx, "StartTransaction", []byte(start))
		r.must(err)
		var begun struct{ TransactionID int }
		decode(r.t, string(answer), &begun)
		r.call(conn, "MeterValues", `{"connectorId":%d,"transactionId":%d,"meterValue":[{"timestamp":"2026-01-01T10:30:00Z","sampledValue":[{"value":"%d"}]}]}`, i+1, begun.TransactionID, i*1000+500)
		r.call(conn, "StopTransaction", `{"transactionId":%d,"meterStop":%d,"timestamp":"2026-01-0%dT11:00:00Z"}`, begun.TransactionID, i*1000+900, i+1)
	}
	_, err := conn.CallRaw(r.ctx, "StartTransaction", []byte(`{"connectorId":1,"idTag":"","meterStart":1,"timestamp":"2026-01-01T10:00:00Z"}`))
	if err == nil {
		r.t.Fatal("an empty idTag was taken")
	}
}

func (r *firingRange) call(conn *ocpp.Conn, action, payload string, args ...any) {
	r.t.Helper()
	_, err := conn.CallRaw(r.ctx, action, fmt.Appendf(nil, payload, args...))
	r.must(err)
}

// plug connects a station, and returns its end of the line.
func (r *firingRange) plug(id leyden.StationID) ocpp.Transport {
	ours, theirs := ocpp.Pipe()
	r.running.Go(func() { _ = r.node.csms.Serve(r.ctx, id, "ocpp1.6", ours) }) // it ends with the line
	return theirs
}

// refresh brings back the stations that the barrage removed.
func (r *firingRange) refresh() {
	ctx := r.ctx
	for i := range 3 {
		_, err := admitStation(ctx, r.node.db, leyden.StationID(fmt.Sprintf("SIM-%04d", i+1)), "")
		r.must(err)
	}
	for _, id := range slices.Sorted(maps.Keys(r.odd)) {
		answer := r.odd[id]
		if r.node.csms.Online(id) {
			continue
		}
		_, err := admitStation(ctx, r.node.db, id, "")
		r.must(err)
		conn := ocpp.NewConn(r.plug(id), ocpp.Options{IDPrefix: "m"})
		r.running.Go(func() { _ = conn.Serve(ctx, answer) }) // likewise
		_, err = conn.CallRaw(ctx, "BootNotification", []byte(`{"chargePointVendor":"V","chargePointModel":"M"}`))
		r.must(err)
	}
	synctest.Wait()
}

// version changes with every commit of the server.
func (r *firingRange) version() (v int64) {
	err := sqlitex.Execute(r.look, "PRAGMA data_version", &sqlitex.ExecOptions{ResultFunc: func(s *zsqlite.Stmt) error {
		v = s.ColumnInt64(0)
		return nil
	}})
	r.must(err)
	return v
}

// digest returns a digest of every table, but for those that tell who asked, which
// any request changes, as it changes when something was last seen.
func (r *firingRange) digest() map[string]uint64 {
	digests := map[string]uint64{}
	for _, name := range r.tables {
		sum, columns := fnv.New64a(), []int(nil)
		err := sqlitex.Execute(r.look, "SELECT * FROM "+name, &sqlitex.ExecOptions{ResultFunc: func(s *zsqlite.Stmt) error {
			if columns == nil {
				columns = steady(s)
			}
			for _, i := range columns {
				_, err := io.WriteString(sum, s.ColumnText(i)+";")
				r.must(err)
			}
			return nil
		}})
		r.must(err)
		digests[name] = sum.Sum64()
	}
	return digests
}

// steady returns the columns that do not say when something was last seen.
func steady(s *zsqlite.Stmt) (columns []int) {
	for i := range s.ColumnCount() {
		if !strings.HasPrefix(s.ColumnName(i), "last_") {
			columns = append(columns, i)
		}
	}
	return columns
}

// tablesOf returns the tables that digest looks at.
func (r *firingRange) tablesOf() (names []string) {
	err := sqlitex.ExecuteTransient(r.look, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('calls', 'kept_replies', 'sqlite_sequence')", &sqlitex.ExecOptions{
		ResultFunc: func(s *zsqlite.Stmt) error {
			names = append(names, s.ColumnText(0))
			return nil
		},
	})
	r.must(err)
	return names
}

func (r *firingRange) close() {
	r.must(r.node.http.Close()) // and the listener: alone it would end with an error that is none
	r.must(r.node.csms.Drain(r.t.Context()))
	r.stop()
	r.running.Wait()
	time.Sleep(time.Minute) // simulated: net/http lingers after some replies
	r.must(errors.Join(r.look.Close(), r.node.db.Close()))
}

// An alarm fails the test when the log tells of an error that no reply tells of.
type alarm struct {
	slog.Handler
	t *testing.T
}

// Handle looks at a record.
func (a *alarm) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError && record.Message != "request failed" {
		var text bytes.Buffer
		err := slog.NewTextHandler(&text, nil).Handle(ctx, record)
		a.t.Errorf("the log tells of an error: %s, %v", &text, err)
	}
	return nil
}
