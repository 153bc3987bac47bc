package apiv1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/apiv1"
	"leyden/ocpp"
)

const remoteStart = `{"connectorId":1,"idTag":"USER123"}`

// The whole life of a remote start, with every reply to the letter.
func TestRemoteCharge(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.status("Preparing")
		out := w.do("POST /chargers/CHARGER-001/remote-start", remoteStart)
		w.golden("remote_start", out.Body.String())
		wantHeader(t, out, "Location", "/api/v1/transactions/1")
		if out.Code != accepted {
			t.Fatalf("got %d", out.Code)
		}
		w.golden("transaction_pending", w.want(http.StatusOK, "GET /transactions/1", ""))

		if id := s.start(1000); id != 1 {
			t.Fatalf("the charger was told %d", id)
		}
		time.Sleep(15 * time.Minute)
		s.meter(1, `{"value":"4500"},{"value":"11000","measurand":"Power.Active.Import","unit":"W"},{"value":"42","measurand":"SoC","unit":"Percent"}`)
		time.Sleep(15*time.Minute + 59*time.Second)
		w.golden("transaction_active", w.want(http.StatusOK, "GET /transactions/1", ""))

		out = w.do("POST /transactions/1/stop", "")
		w.golden("remote_stop", out.Body.String())
		wantHeader(t, out, "Location", "/api/v1/transactions/1")
		if again := w.want(accepted, "POST /transactions/1/stop", ""); again != out.Body.String() {
			t.Errorf("a second stop: got %s, want %s", again, out.Body)
		}
		time.Sleep(14*time.Minute + time.Second)
		s.stop(1, 15000, `,"reason":"Remote"`)
		w.golden("transaction_completed", w.want(http.StatusOK, "GET /transactions/1?expand=events,meterValues", ""))
		w.golden("transaction_list", w.want(http.StatusOK, "GET /transactions", ""))
		w.golden("meter_values", w.want(http.StatusOK, "GET /transactions/1/meter-values", ""))
		w.golden("events", w.want(http.StatusOK, "GET /transactions/1/events", ""))
		w.wantError("POST /transactions/1/stop", "", 409, "TRANSACTION_NOT_ACTIVE", "transaction 1 is completed: not possible in this state")
	})
}

// The seed's example of a transaction, field by field and in its order.
func TestSeedTransaction(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.want(accepted, "POST /chargers/CHARGER-001/remote-start", remoteStart)
		id := s.start(1000)
		time.Sleep(45 * time.Minute)
		s.stop(id, 15000, "")
		const want = `"transactionId":1,"chargeBoxId":"CHARGER-001","connectorId":1,"idTag":"USER123","status":"completed",` +
			`"meterStart":1000,"meterStop":15000,"energyDelivered":14.0,"durationMinutes":45,` +
			`"startTime":"2026-02-06T12:00:00.000Z","stopTime":"2026-02-06T12:45:00.000Z","stopReason":"Local","remoteStarted":true,`
		body := w.want(http.StatusOK, "GET /transactions/1", "")
		if _, rest, _ := strings.Cut(body, `",`); !strings.HasPrefix(rest, want) || !strings.HasPrefix(body, `{"id":"txn_`) {
			t.Errorf("got  %s\nwant %s…", rest, want)
		}
		public := field(t, body, "id")
		for _, ref := range []string{public, "000001"} {
			if got := w.want(http.StatusOK, "GET /transactions/"+ref, ""); got != body {
				t.Errorf("%s: got %s, want %s", ref, got, body)
			}
		}
	})
}

func TestSecondSpellingOfRemoteStart(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		out := w.do("POST /transactions/start", `{"chargeBoxId":"CHARGER-001","connectorId":1,"idTag":"user123","vehicleId":"VAN-12","metadata":{"order":"A-17"}}`)
		w.golden("remote_start", out.Body.String())
		wantHeader(t, out, "Location", "/api/v1/transactions/1")
		if got := s.calls("RemoteStartTransaction"); len(got) != 1 || got[0] != `{"connectorId":1,"idTag":"user123"}` {
			t.Errorf("the charger was sent %s", got)
		}
		body := w.want(http.StatusOK, "GET /transactions/1", "")
		if !strings.Contains(body, `"vehicleId":"VAN-12"`) || !strings.Contains(body, `"metadata":{"order":"A-17"}`) {
			t.Errorf("what was noted is lost: %s", body)
		}
		w.wantError("POST /transactions/start", `{"chargeBoxId":"CHARGER-001","connectorId":1}`,
			400, "VALIDATION_ERROR", "idTag: is required: the server has no default")
	})
}

func TestDefaultIDTag(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.want(accepted, "POST /transactions/start", `{"chargeBoxId":"CHARGER-001","connectorId":1}`)
		if got := s.calls("RemoteStartTransaction"); len(got) != 1 || got[0] != `{"connectorId":1,"idTag":"USER123"}` {
			t.Errorf("the charger was sent %s", got)
		}
	}, func(c *apiv1.Config) { c.DefaultIDTag = "USER123" })
}

func TestCancelledRemoteStart(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.want(accepted, "POST /chargers/CHARGER-001/remote-start", remoteStart)
		w.golden("remote_stop_pending", w.want(accepted, "POST /transactions/1/stop", ""))
		if got := s.calls("RemoteStopTransaction"); len(got) != 0 {
			t.Errorf("the charger was sent %s", got)
		}
		w.wantError("POST /transactions/1/stop", "", 409, "TRANSACTION_NOT_ACTIVE", "transaction 1 is cancelled: not possible in this state")
		s.start(1000)
		synctest.Wait()
		if got := s.calls("RemoteStopTransaction"); len(got) != 1 {
			t.Errorf("a late start is to be stopped; the charger was sent %s", got)
		}
	})
}

// A reply tells what the charger accepted, also when it acted before it answered;
// what somebody else did meanwhile it tells with a note that fits.
func TestQuickCharger(t *testing.T) {
	const (
		start  = "POST /chargers/CHARGER-001/remote-start"
		stop   = "POST /transactions/1/stop"
		accept = "Remote start accepted by charger"
		obey   = "Remote stop accepted by charger"
	)
	cases := []struct {
		name    string
		action  string
		first   func(w *world, s *station) // before the charger answers
		line    string
		body    string
		status  string
		message string
		note    string
	}{
		{
			"started", "RemoteStartTransaction", func(_ *world, s *station) { s.start(1000) },
			start, remoteStart, "pending", accept, "Transaction will start when vehicle is connected and ready",
		},
		{
			"cancelled", "RemoteStartTransaction", func(w *world, _ *station) { w.want(accepted, stop, "") },
			start, remoteStart, "cancelled", accept, "The remote start was cancelled meanwhile. Should the charger begin all the same, it will be stopped at once.",
		},
		{
			"stopped", "RemoteStopTransaction", func(_ *world, s *station) { s.stop(1, 15000, "") },
			stop, "", "stopping", obey, "Transaction will stop shortly. Final details available after StopTransaction is received.",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := w.connect("CHARGER-001")
				if c.line == stop {
					s.start(1000)
				}
				s.hurries(c.action, func() { c.first(w, s) })
				out := w.want(accepted, c.line, c.body)
				for name, want := range map[string]string{"status": c.status, "message": c.message, "note": c.note} {
					if got := field(t, out, name); got != want {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

// A startRefusal is a way in which a remote start fails.
type startRefusal struct {
	name    string
	prepare func(w *world, s *station)
	body    string
	status  int
	code    string
	message string
	details string
	row     bool // whether a transaction is left behind
}

func startRefusals() []startRefusal {
	return []startRefusal{
		{
			"rejected", func(_ *world, s *station) { s.says("RemoteStartTransaction", answering(`{"status":"Rejected"}`)) },
			remoteStart, 409, "REJECTED_BY_CHARGER", "the charger rejected the command", `[{transactionId 1}]`, true,
		},
		{
			"CALLERROR", func(_ *world, s *station) {
				s.says("RemoteStartTransaction", failing(ocpp.InternalError, "no relay"))
			},
			remoteStart, 502, "CHARGER_ERROR", "the charger answered with an error",
			`[{ocppErrorCode InternalError} {ocppErrorDescription no relay} {transactionId 1}]`, true,
		},
		{
			"silent", func(_ *world, s *station) { s.ignores("RemoteStartTransaction") },
			remoteStart, 504, "CHARGER_TIMEOUT", "the charger did not answer in time; it may still act", `[{transactionId 1}]`, true,
		},
		{
			"offline", func(w *world, s *station) { s.end() },
			remoteStart, 503, "SERVICE_UNAVAILABLE", "the charger is not connected", `[]`, false,
		},
		{
			"pending", func(w *world, _ *station) { w.want(accepted, "POST /chargers/CHARGER-001/remote-start", remoteStart) },
			remoteStart, 409, "TRANSACTION_PENDING",
			"remote start at CHARGER-001 connector 1: transaction 1: a remote start is pending on this connector", `[{transactionId 1}]`, true,
		},
		{
			"active", func(_ *world, s *station) { s.start(1000) },
			remoteStart, 409, "TRANSACTION_ACTIVE",
			"remote start at CHARGER-001 connector 1: transaction 1: a transaction is active on this connector", `[]`, true,
		},
		{
			"faulted", func(_ *world, s *station) { s.status("Faulted") },
			remoteStart, 409, "CONNECTOR_NOT_READY",
			"remote start at CHARGER-001 connector 1: connector is not ready: it is Faulted", `[]`, false,
		},
		{
			"unknown idTag", func(*world, *station) {},
			`{"connectorId":1,"idTag":"NOBODY"}`, 409, "ID_TAG_NOT_ACCEPTED",
			"remote start at CHARGER-001 connector 1: idTag NOBODY is Invalid: idTag is not accepted", `[]`, false,
		},
	}
}

func TestRefusedRemoteStart(t *testing.T) {
	for _, c := range startRefusals() {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := w.connect("CHARGER-001")
				c.prepare(w, s)
				synctest.Wait()
				details := w.wantError("POST /chargers/CHARGER-001/remote-start", c.body, c.status, c.code, c.message)
				if got := fmt.Sprint(details); got != c.details {
					t.Errorf("details: got %s, want %s", got, c.details)
				}
				want := http.StatusNotFound
				if c.row {
					want = http.StatusOK
				}
				w.want(want, "GET /transactions/1", "")
				s.end()
			})
		})
	}
}

func TestRefusedRemoteStop(t *testing.T) {
	cases := []struct {
		name    string
		prepare func(s *station)
		status  int
		code    string
		message string
		after   string // the transaction's state
	}{
		{
			"rejected", func(s *station) { s.says("RemoteStopTransaction", answering(`{"status":"Rejected"}`)) },
			409, "REJECTED_BY_CHARGER", "the charger rejected the command", "active",
		},
		{
			"CALLERROR", func(s *station) { s.says("RemoteStopTransaction", failing(ocpp.NotSupported, "")) },
			502, "CHARGER_ERROR", "the charger answered with an error", "active",
		},
		{
			"silent", func(s *station) { s.ignores("RemoteStopTransaction") },
			504, "CHARGER_TIMEOUT", "the charger did not answer in time; it may still act", "stopping",
		},
		{"offline", func(s *station) { s.end() }, 503, "SERVICE_UNAVAILABLE", "the charger is not connected", "active"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				s := w.connect("CHARGER-001")
				s.start(1000)
				c.prepare(s)
				synctest.Wait()
				w.wantError("POST /transactions/1/stop", "", c.status, c.code, c.message)
				if got := field(t, w.want(http.StatusOK, "GET /transactions/1", ""), "status"); got != c.after {
					t.Errorf("then it is %s, want %s", got, c.after)
				}
				s.end()
			})
		})
	}
}

func TestRemoteInput(t *testing.T) {
	const (
		start   = "POST /chargers/CHARGER-001/remote-start"
		invalid = "VALIDATION_ERROR"
	)
	long := strings.Repeat("x", 501)
	cases := []struct {
		line, body string
		status     int
		code       string
		message    string
	}{
		{start, ``, 400, invalid, "body: is required"},
		{start, `{}`, 400, invalid, "connectorId: is required"},
		{start, `{"connectorId":1}`, 400, invalid, "idTag: is required"},
		{start, `{"connectorId":0,"idTag":"U"}`, 400, invalid, "connectorId: expected number >= 1"},
		{start, `{"connectorId":"1","idTag":"U"}`, 400, invalid, "connectorId: expected integer"},
		{start, `{"connectorId":65536,"idTag":"U"}`, 400, invalid, "connectorId: expected number <= 65535"},
		{start, `{"connectorId":1,"idTag":""}`, 400, invalid, "idTag: expected length >= 1"},
		{start, `{"connectorId":1,"idTag":"123456789012345678901"}`, 400, invalid, "idTag: expected length <= 20"},
		{start, `{"connectorId":1,"idTag":"U","tag":1}`, 400, invalid, "tag: is unknown"},
		{start, `{"connectorId":1,"idTag":"U","vehicleId":""}`, 400, invalid, "vehicleId: expected length >= 1"},
		{start, `{"connectorId":1,"idTag":"U","vehicleId":" "}`, 400, invalid, "vehicleId: must be readable text without spaces around it"},
		{start, `{"connectorId":1,"idTag":"U","metadata":{"a":"\u0000"}}`, 400, invalid, "metadata.a: must be readable text: of control characters it may have line breaks and tabs"},
		{start, `{"connectorId":1,"idTag":"U","metadata":{"a":1}}`, 400, invalid, "metadata.a: expected string"},
		{start, `{"connectorId":1,"idTag":"U","metadata":{"":"x"}}`, 400, invalid, "metadata: a name must have 1 to 40 characters"},
		{start, `{"connectorId":1,"idTag":"U","metadata":{"a":"` + long + `"}}`, 400, invalid, "metadata.a: has more than 500 characters"},
		{start + "?force=true", remoteStart, 400, invalid, "force: is no query parameter of this operation"},
		{"POST /chargers/NOWHERE/remote-start", remoteStart, 404, "NOT_FOUND", "charger NOWHERE: not found"},
		{"POST /chargers/chg_nowhere/remote-start", remoteStart, 404, "NOT_FOUND", "charger chg_nowhere: not found"},
		{"POST /chargers/no%20where/remote-start", remoteStart, 400, invalid, "chargeBoxId: expected string to be the identity of a charger"},
		{"POST /transactions/start", `{"connectorId":1,"idTag":"U"}`, 400, invalid, "chargeBoxId: is required"},
		{"POST /transactions/start", `{"chargeBoxId":"a b","connectorId":1,"idTag":"U"}`, 400, invalid, "chargeBoxId: expected string to be the identity of a charger"},
		{"POST /transactions/start", `{"chargeBoxId":"NOWHERE","connectorId":1,"idTag":"U"}`, 404, "NOT_FOUND", "charger NOWHERE: not found"},
		{"POST /transactions/7/stop", ``, 404, "NOT_FOUND", "there is no transaction 7"},
		{"POST /transactions/x/stop", ``, 400, invalid, "transactionId: expected string to be a number, or an id that begins with txn_"},
	}
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		for _, c := range cases {
			w.wantError(c.line, c.body, c.status, c.code, c.message)
		}
	})
}

func TestChargerByItsID(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("CHARGER-001")
		id := field(t, w.want(http.StatusOK, "GET /chargers/CHARGER-001", ""), "id")
		w.golden("remote_start", w.want(accepted, "POST /chargers/"+id+"/remote-start", remoteStart))
		w.want(http.StatusOK, "GET /chargers/"+id, "")
		w.want(http.StatusOK, "POST /chargers/"+id+"/reset", `{"type":"Soft"}`)
	})
}
