package apiv1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden"
)

// put writes a transaction as it stands, with number and public id.
func (w *world) put(t leyden.Transaction) {
	w.t.Helper()
	id, err := w.store.NextID(w.t.Context())
	w.must(err)
	t.ID, t.PublicID, t.Version, t.UpdatedAt = id, fmt.Sprintf("txn_%d", id), 1, noon
	final := t.Status == leyden.Completed
	if final {
		t.Revision = 1
	}
	w.must(w.store.Append(w.t.Context(), &leyden.Entry{
		Station: t.Station, Transactions: []leyden.Change{{Transaction: t, Stamp: final}},
	}))
}

// later returns noon and some minutes.
func later(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// putMany writes one transaction of every kind; those that are final are
// written one minute after the other.
func (w *world) putMany() {
	token := func(value string) leyden.IDToken { return leyden.IDToken{Value: value} }
	for _, t := range []leyden.Transaction{
		{Station: "S1", Connector: 1, Token: token("USER123"), VehicleID: "VAN", Status: leyden.Completed, StartedAt: later(-60), StoppedAt: later(-15)},
		{Station: "S1", Connector: 2, Token: token("user123"), VehicleID: "VAN", Status: leyden.Completed, StartedAt: later(-50), StoppedAt: later(-5), Remote: true},
		{Station: "S2", Connector: 1, Token: token("OTHER"), VehicleID: "OTHER", Status: leyden.Active, StartedAt: later(-40)},
		{Station: "S2", Connector: 2, Token: token("OTHER"), VehicleID: "CAR", Status: leyden.Stopping, StartedAt: later(-30), Remote: true},
		{Station: "S3", Connector: 1, Token: token("USER123"), Status: leyden.Pending, Remote: true},
		{Station: "S3", Connector: 2, Token: token("USER123"), Status: leyden.Failed, Remote: true},
		{Station: "S3", Connector: 3, Token: token("USER123"), Status: leyden.Expired, Remote: true},
		{Station: "S3", Connector: 4, Token: token("USER123"), Status: leyden.Cancelled, Remote: true},
		{Station: "S3", Connector: 5, Token: token("USER123"), Status: leyden.Void},
	} {
		w.put(t)
		if t.Status == leyden.Completed {
			time.Sleep(time.Minute)
		}
	}
}

type page struct {
	Transactions []struct{ TransactionID int }
	Pagination   struct{ Total, Limit, Offset int }
}

func (p page) ids() string {
	ids := []string{}
	for _, t := range p.Transactions {
		ids = append(ids, fmt.Sprint(t.TransactionID))
	}
	return strings.Join(ids, " ")
}

func (w *world) list(query string) page {
	w.t.Helper()
	var p page
	if err := json.Unmarshal([]byte(w.want(http.StatusOK, "GET /transactions"+query, "")), &p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestListTransactions(t *testing.T) {
	cases := []struct {
		query, ids string
		total      int
	}{
		{"", "8 7 6 5 4 3 2 1", 8},
		{"?chargeBoxId=S1", "2 1", 2},
		{"?chargeBoxId=s1", "", 0},
		{"?chargeBoxId=NOWHERE", "", 0},
		{"?chargeBoxId=chg_nowhere", "", 0},
		{"?status=completed", "2 1", 2},
		{"?status=active", "3", 1},
		{"?status=stopping", "4", 1},
		{"?status=in_progress", "4 3", 2},
		{"?status=in_progress,active,pending", "5 4 3", 3},
		{"?status=failed,expired,cancelled", "8 7 6", 3},
		{"?status=void", "9", 1},
		{"?status=void,pending", "9 5", 2},
		{"?connectorId=2", "6 4 2", 3},
		{"?idTag=User123", "8 7 6 5 2 1", 6},
		{"?vehicleId=VAN", "2 1", 2},
		{"?vehicleId=van", "", 0},
		{"?startedFrom=2026-02-06T11:10:00Z", "4 3 2", 3},
		{"?startedTo=2026-02-06T11:10:00Z", "1", 1},
		{"?startedFrom=2026-02-06T11:10:00Z&startedTo=2026-02-06T11:20:00Z", "2", 1},
		{"?startedFrom=2026-02-06T12:10:00%2B01:00&startedTo=2026-02-06T12:20:00+01:00", "2", 1},
		{"?stoppedFrom=2026-02-06T11:45:00Z", "2 1", 2},
		{"?stoppedTo=2026-02-06T11:55:00Z", "1", 1},
		{"?insertedFrom=2026-02-06T12:00:00Z", "2 1", 2},
		{"?insertedFrom=2026-02-06T12:01:00Z", "2", 1},
		{"?insertedTo=2026-02-06T12:01:00Z", "1", 1},
		{"?remoteStarted=true", "8 7 6 5 4 2", 6},
		{"?remoteStarted=false", "3 1", 2},
		{"?chargeBoxId=S1&connectorId=2&idTag=USER123&remoteStarted=true&status=completed", "2", 1},
		{"?sort=transactionId", "1 2 3 4 5 6 7 8", 8},
		{"?sort=-transactionId", "8 7 6 5 4 3 2 1", 8},
		{"?sort=startTime&status=completed,in_progress", "1 2 3 4", 4},
		{"?sort=-startTime&status=completed,in_progress", "4 3 2 1", 4},
		{"?sort=stopTime&status=completed,active", "1 2 3", 3},
		{"?sort=-stopTime&status=completed,active", "3 2 1", 3},
		{"?sort=insertedAt&status=completed", "1 2", 2},
		{"?sort=-insertedAt&status=completed", "2 1", 2},
		{"?limit=3", "8 7 6", 8},
		{"?limit=3&offset=6", "2 1", 8},
		{"?offset=100", "", 8},
	}
	inWorld(t, func(w *world) {
		w.putMany()
		for _, c := range cases {
			p := w.list(c.query)
			if p.ids() != c.ids || p.Pagination.Total != c.total {
				t.Errorf("%s: got %q of %d, want %q of %d", c.query, p.ids(), p.Pagination.Total, c.ids, c.total)
			}
		}
		if p := w.list("?limit=3&offset=6"); p.Pagination.Limit != 3 || p.Pagination.Offset != 6 {
			t.Errorf("got %+v", p.Pagination)
		}
		w.register("S1")
		id := field(t, w.want(http.StatusOK, "GET /chargers/S1", ""), "id")
		if p := w.list("?chargeBoxId=" + id); p.ids() != "2 1" {
			t.Errorf("by the charger's id: got %q", p.ids())
		}
	})
}

func TestListInput(t *testing.T) {
	const statuses = `"pending, active, stopping, completed, failed, expired, cancelled, void, in_progress"`
	cases := []struct{ query, message string }{
		{"?limit=0", "limit: expected number >= 1"},
		{"?limit=501", "limit: expected number <= 500"},
		{"?limit=ten", "limit: invalid integer"},
		{"?offset=-1", "offset: expected number >= 0"},
		{"?page=2", "page: is no query parameter of this operation"},
		{"?cursor=x", "cursor: is none that a list returned"},
		{"?status=running", "status[0]: expected value to be one of " + statuses},
		{"?status=active,", "status[1]: expected value to be one of " + statuses},
		{"?status=", "status: is empty"},
		{"?status=active&status=pending", "status: is given more than once"},
		{"?chargeBoxId=a%20b", "chargeBoxId: expected string to be the identity of a charger"},
		{"?connectorId=0", "connectorId: expected number >= 1"},
		{"?connectorId=one", "connectorId: invalid integer"},
		{"?remoteStarted=1", `remoteStarted: expected value to be one of "true, false"`},
		{"?startedFrom=today", `startedFrom: "today" is no RFC 3339 time`},
		{"?stoppedTo=2026-02-06", `stoppedTo: "2026-02-06" is no RFC 3339 time`},
		{"?sort=energy", `sort: expected value to be one of "transactionId, -transactionId, startTime, -startTime, stopTime, -stopTime, insertedAt, -insertedAt"`},
		{"?format=xml", `format: expected value to be one of "csv, ndjson, json, parquet"`},
		{"/1?expand=all", `expand[0]: expected value to be one of "meterValues, events"`},
		{"/abc", "transactionId: expected string to be a number, or an id that begins with txn_"},
		{"/-1", "transactionId: expected string to be a number, or an id that begins with txn_"},
		{"/txn_", "transactionId: expected string to be a number, or an id that begins with txn_"},
		{"/1/meter-values?from=x", `from: "x" is no RFC 3339 time`},
		{"/1/events?kind=started", "kind: is no query parameter of this operation"},
	}
	inWorld(t, func(w *world) {
		for _, c := range cases {
			details := w.wantError("GET /transactions"+c.query, "", 400, "VALIDATION_ERROR", c.message)
			if field, reason, _ := strings.Cut(c.message, ": "); len(details) != 1 || details[0].Field != field || details[0].Reason != reason {
				t.Errorf("%s: details are %v", c.query, details)
			}
		}
		for _, ref := range []string{"1", "0", "0000", "2147483647", "2147483648", "99999999999999999999", "txn_123"} {
			for _, part := range []string{"", "/meter-values", "/events"} {
				w.wantError("GET /transactions/"+ref+part, "", 404, "NOT_FOUND", "there is no transaction "+ref)
			}
		}
	})
}

func TestExport(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put(leyden.Transaction{
			Station: "+S1", Connector: 1, Token: leyden.IDToken{Value: `=HYPERLINK("http://example.org")`}, VehicleID: "@VAN",
			Status: leyden.Completed, StartedAt: later(-60), StoppedAt: later(-15), MeterStart: new(leyden.WattHours(1000)),
			MeterStop: new(leyden.WattHours(-1)), Energy: new(leyden.WattHours(14250)), StopReasonText: " -1", CloseReason: "a,b\nc",
			Flags: leyden.MeterRollback | leyden.Offline, Metadata: map[string]string{"order": "=1+1", "ä": "<&>"},
		})
		w.put(leyden.Transaction{Station: "S2", Connector: 2, Status: leyden.Pending, Remote: true})
		for format, contentType := range map[string]string{
			"csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson", "json": "application/json",
		} {
			out := w.do("GET /transactions?sort=transactionId&format="+format, "")
			wantHeader(t, out, "Content-Type", contentType)
			if format != "json" {
				wantHeader(t, out, "Content-Disposition", `attachment; filename="transactions.`+format+`"`)
			}
			w.compare("export."+format, out.Body.String())
		}
		if got := w.want(http.StatusOK, "GET /transactions?format=json&status=void", ""); got != `{"transactions":[],"pagination":{"total":0,"limit":0,"offset":0}}` {
			t.Errorf("nothing as JSON: got %s", got)
		}
		if got := w.want(http.StatusOK, "GET /transactions?format=ndjson&status=void", ""); got != "" {
			t.Errorf("nothing as NDJSON: got %s", got)
		}
	})
}

// An export holds all, not just a page, and filters like the list.
func TestExportOfMany(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 1000 {
			w.put(leyden.Transaction{Station: "S1", Connector: 1, Status: leyden.Failed, Remote: true})
		}
		w.putMany()
		body := w.want(http.StatusOK, "GET /transactions?chargeBoxId=S1&format=ndjson&limit=10&sort=transactionId", "")
		lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
		if len(lines) != 1002 || !strings.Contains(lines[0], `"transactionId":1,`) || !strings.Contains(lines[1001], `"transactionId":1002,`) {
			t.Errorf("got %d lines, the last is %s", len(lines), lines[len(lines)-1])
		}
	})
}

func TestMeterValues(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		id := s.start(0)
		s.meter(id, `{"value":"1","phase":"L1","measurand":"Voltage","unit":"V"},{"value":"2","phase":"L2","measurand":"Voltage","unit":"V"}`)
		time.Sleep(time.Minute)
		s.meter(id, `{"value":"broken"},{"value":"1.5","unit":"kWh","context":"Sample.Clock","location":"Inlet"}`)
		same := fmt.Sprintf(`{"timestamp":%q,"sampledValue":[{"value":"broken","context":"Sample.Periodic"}]}`, s.clock())
		other := strings.Replace(same, "broken", "1400", 1) + "," + strings.Replace(same, `"broken"`, `"1400","unit":"Wh"`, 1)
		time.Sleep(time.Minute)
		s.stop(id, 1500, `,"transactionData":[`+same+`,`+other+`,{"timestamp":"`+s.clock()+`","sampledValue":[{"value":"1500","context":"Transaction.End"}]}]`)
		cases := []struct{ query, values string }{
			{"", "1 2 broken 1.5 1400 1500"},
			{"?measurand=Voltage", "1 2"},
			{"?measurand=voltage", ""},
			{"?measurand=Energy.Active.Import.Register", "broken 1.5 1400 1500"},
			{"?phase=L2", "2"},
			{"?from=2026-02-06T12:01:00Z", "broken 1.5 1400 1500"},
			{"?to=2026-02-06T12:01:00Z", "1 2"},
			{"?from=2026-02-06T12:01:00Z&to=2026-02-06T12:02:00Z&measurand=Energy.Active.Import.Register", "broken 1.5 1400"},
			{"?limit=2&offset=1", "2 broken"},
		}
		for _, c := range cases {
			var got struct{ Items []struct{ Value string } }
			w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET /transactions/1/meter-values"+c.query, "")), &got))
			values := []string{}
			for _, item := range got.Items {
				values = append(values, item.Value)
			}
			if strings.Join(values, " ") != c.values {
				t.Errorf("%s: got %q, want %q", c.query, values, c.values)
			}
		}
	})
}

// A charge that another one replaces shows by which, and why.
func TestTimelineOfASupersededCharge(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.start(1000)
		time.Sleep(time.Minute)
		s.status("Available")
		time.Sleep(time.Minute)
		s.start(1500)
		w.golden("events_superseded", w.want(http.StatusOK, "GET /transactions/1/events?offset=1", ""))
		w.golden("transaction_incomplete", w.want(http.StatusOK, "GET /transactions/1", ""))
	})
}

func TestProblem(t *testing.T) {
	inWorld(t, func(w *world) {
		out := w.do("GET /transactions/1", "", "Accept: application/problem+json")
		w.golden("problem", out.Body.String())
		wantHeader(t, out, "Content-Type", "application/problem+json")
		w.golden("error", w.want(http.StatusNotFound, "GET /transactions/1", ""))
	})
}
