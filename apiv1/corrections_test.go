package apiv1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leyden/rest"
)

// shown is what tests look at of a transaction.
type shown struct {
	Status            string
	VehicleID         *string
	Note              *string
	Metadata          map[string]string
	Billable          bool
	NotBillableReason *string
	EnergyDelivered   *float64
	EnergySource      *string
	StopReason        *string
	CloseReason       *string
	InsertedAt        *string
	Revision          int
	Corrections       int
	Flags             []string
}

func (w *world) shown(line, body string) shown {
	w.t.Helper()
	var s shown
	w.must(json.Unmarshal([]byte(w.want(http.StatusOK, line, body)), &s))
	return s
}

// charged records a charge of 4 kWh that ended.
func (s *station) charged() int {
	s.w.t.Helper()
	id := s.start(1000)
	time.Sleep(30 * time.Minute)
	s.stop(id, 5000, "")
	time.Sleep(time.Second)
	return id
}

func TestCorrectTransaction(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.charged()
		first := w.want(200, "GET /transactions/1", "")
		corrected := w.want(200, "PATCH /transactions/1", `{"vehicleId":"VAN-12","note":"wrong card","metadata":{"trip":"7","cost":"K1"},"reason":"the driver called"}`)
		w.golden("transaction_corrected", corrected)
		time.Sleep(time.Second)
		got := w.shown("PATCH /transactions/1", `{"billable":false,"reason":"a test","metadata":{"trip":null,"x":"y"}}`)
		if got.Billable || *got.NotBillableReason != "a test" || len(got.Metadata) != 2 || got.Metadata["x"] != "y" || *got.VehicleID != "VAN-12" || got.Revision != 3 {
			t.Errorf("second correction: %+v", got)
		}
		if again := w.shown("PATCH /transactions/1", `{"metadata":{"x":"y"},"note":"wrong card"}`); again.Corrections != 2 || again.Revision != 3 {
			t.Errorf("what was so already: %+v", again)
		}
		time.Sleep(time.Second)
		w.shown("POST /transactions/1/revisions/1/revert", `{"reason":"right card after all"}`)
		w.golden("revisions", w.want(200, "GET /transactions/1/revisions", ""))
		got = w.shown("PATCH /transactions/1", `{"billable":true,"metadata":null,"note":null,"vehicleId":null}`)
		if !got.Billable || got.NotBillableReason != nil || len(got.Metadata) != 0 || *got.VehicleID != "USER123" {
			t.Errorf("all taken away: %+v", got)
		}
		w.shown("POST /transactions/1/revisions/4/revert", "")
		w.shown("POST /transactions/1/revisions/2/revert", "{}")
		if got, want := w.shown("GET /transactions/1", ""), reading(t, first); got.Note != nil || *got.VehicleID != *want.VehicleID || *got.EnergyDelivered != *want.EnergyDelivered || len(got.Metadata) != 0 || *got.InsertedAt <= *want.InsertedAt {
			t.Errorf("all undone: %+v, at first %+v", got, want)
		}
		steps := w.want(200, "GET /transactions/1/events", "")
		if n := strings.Count(steps, `"cause":"client"`); n != 6 {
			t.Errorf("%d steps of clients in %s", n, steps)
		}
	})
}

func reading(t *testing.T, body string) shown {
	t.Helper()
	var s shown
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRefusedCorrections(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.charged()
		for _, c := range []struct {
			line, body, message string
			status              int
		}{
			{"PATCH /transactions/1", `{"billable":false}`, "reason: is required to say that it must not be billed", 400},
			{"PATCH /transactions/1", `{"billable":null}`, "billable: must not be null", 400},
			{"PATCH /transactions/1", `{"vehicleId":""}`, "vehicleId: expected length >= 1", 400},
			{"PATCH /transactions/1", `{"status":"active"}`, "status: is unknown", 400},
			{"PATCH /transactions/1", `{"metadata":{"` + strings.Repeat("n", 41) + `":"x"}}`, "metadata: a name must have 1 to 40 characters", 400},
			{"PATCH /transactions/1", `{"vehicleId":" "}`, "vehicleId: must be readable text without spaces around it", 400},
			{"PATCH /transactions/1", `{"vehicleId":"VAN\u0000"}`, "vehicleId: must be readable text without spaces around it", 400},
			{"PATCH /transactions/1", `{"vehicleId":"VAN-12\n"}`, "vehicleId: must be readable text without spaces around it", 400},
			{"PATCH /transactions/1", `{"note":"a\u0000b"}`, "note: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"PATCH /transactions/1", `{"note":"x","reason":"\u001b[2J"}`, "reason: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"PATCH /transactions/1", `{"metadata":{"a\u0000":"x"}}`, "metadata: a name must be readable text without spaces around it", 400},
			{"PATCH /transactions/1", `{"metadata":{" ":"x"}}`, "metadata: a name must be readable text without spaces around it", 400},
			{"PATCH /transactions/1", `{"metadata":{"a":"\u0007"}}`, "metadata.a: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"POST /transactions/1/close", `{"reason":"a\u0000"}`, "reason: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"POST /transactions/1/join", `{"orphan":1,"reason":"a\u0000"}`, "reason: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"POST /transactions/1/revisions/1/revert", `{"reason":"a\u0000"}`, "reason: must be readable text: of control characters it may have line breaks and tabs", 400},
			{"PATCH /transactions/1", `{"metadata":{"a":1}}`, "metadata.a: expected string", 400},
			{"PATCH /transactions/2", `{"note":"x"}`, "there is no transaction 2", 404},
			{"POST /transactions/1/close", `{"reason":"x"}`, "transaction 1 is completed: not possible in this state", 409},
			{"POST /transactions/1/close", `{}`, "reason: is required", 400},
			{"POST /transactions/1/join", `{"orphan":7}`, "orphan: there is no transaction 7 of the charger", 400},
			{"POST /transactions/1/join", `{"orphan":"1"}`, "transaction 1 is not one that has a start and no stop: not possible in this state", 409},
			{"POST /transactions/1/join", `{"orphan":"x"}`, "orphan: expected value to match exactly one schema but matched none", 400},
			{"POST /transactions/1/revisions/1/revert", ``, "correction 1 of transaction 1: not found", 404},
			{"POST /transactions/1/revisions/0/revert", ``, "number: expected number >= 1", 400},
		} {
			var got struct{ Error struct{ Message string } }
			out := w.do(c.line, c.body)
			w.must(json.Unmarshal(out.Body.Bytes(), &got))
			if out.Code != c.status || got.Error.Message != c.message {
				t.Errorf("%s %s: got %d %s, want %d %q", c.line, c.body, out.Code, out.Body, c.status, c.message)
			}
		}
		got := w.shown("PATCH /transactions/1", `{"vehicleId":"Élan 12","note":"two\r\n\tlines","metadata":{"a b":"1\n2","é":""}}`)
		if got.VehicleID == nil || *got.VehicleID != "Élan 12" || got.Note == nil || *got.Note != "two\r\n\tlines" || got.Metadata["a b"] != "1\n2" {
			t.Errorf("what is readable: got %+v", got)
		}
		w.key = w.keyWith("transactions:read")
		if out := w.do("PATCH /transactions/1", `{"note":"x"}`); out.Code != http.StatusForbidden {
			t.Errorf("a reader corrects: %d", out.Code)
		}
		w.want(200, "GET /transactions/1/revisions", "")
	})
}

func TestCloseTransaction(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		id := s.start(1000)
		time.Sleep(15 * time.Minute)
		s.meter(id, `{"value":"4500"}`)
		w.wantError("POST /transactions/1/close", `{"reason":"lost"}`, 409, "TRANSACTION_ACTIVE", "transaction 1: a transaction is active on this connector")
		for _, c := range []struct{ given, field, reason string }{
			{`"meterStop":10`, "meterStop", "is below the register at the start"},
			{`"endTime":"2020-01-01T00:00:00Z"`, "endTime", "lies before the start"},
			{`"endTime":"2999-01-01T00:00:00Z"`, "endTime", "is still to come"},
		} {
			details := w.wantError("POST /transactions/1/close", `{"reason":"lost","force":true,`+c.given+`}`, 400, "VALIDATION_ERROR", c.field+": "+c.reason)
			if want := []rest.Detail{{Field: c.field, Reason: c.reason}}; !slices.Equal(details, want) {
				t.Errorf("%s: got details %v, want %v", c.given, details, want)
			}
		}
		got := w.shown("POST /transactions/1/close", `{"reason":"the charger burnt","force":true,"endTime":"2026-02-06T12:20:00+00:00","meterStop":5000}`)
		if got.Status != "completed" || *got.EnergyDelivered != 4 || *got.EnergySource != "operator" || *got.CloseReason != "the charger burnt" || *got.StopReason != "Incomplete" {
			t.Errorf("closed: %+v", got)
		}
		if got = w.shown("POST /transactions/1/revisions/1/revert", ""); got.Status != "active" || got.CloseReason != nil || got.Revision != 2 {
			t.Errorf("open again: %+v", got)
		}
		w.shown("POST /transactions/1/close", `{"reason":"the charger burnt","force":true}`)
		w.shown("PATCH /transactions/1", `{"vehicleId":"VAN-12"}`)
		s.stop(id, 6000, "")
		if got = w.shown("GET /transactions/1", ""); *got.EnergyDelivered != 5 || *got.VehicleID != "VAN-12" || *got.StopReason != "Local" || len(got.Flags) != 0 {
			t.Errorf("after its stop: %+v", got)
		}
	})
}

// orphaned records a charge without a stop, as 1, and an orphan stop, as 3.
func (s *station) orphaned() {
	s.w.t.Helper()
	s.start(1000)
	s.call("StartTransaction", fmt.Sprintf(`{"connectorId":2,"idTag":"USER123","meterStart":1000,"timestamp":%q}`, s.clock()))
	time.Sleep(30 * time.Minute)
	s.stop(-1, 9000, `,"idTag":"USER123"`)
}

func TestJoinTransaction(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.orphaned()
		orphan := w.shown("GET /transactions/3", "")
		if len(orphan.Flags) != 1 || orphan.Flags[0] != "ORPHAN" {
			t.Fatalf("orphan: %+v", orphan)
		}
		joined := w.shown("POST /transactions/1/join", `{"orphan":3,"reason":"same card"}`)
		void := w.shown("GET /transactions/3", "")
		if joined.Status != "completed" || *joined.EnergyDelivered != 8 || void.EnergyDelivered != nil || void.Status != "void" || *void.InsertedAt < *orphan.InsertedAt {
			t.Errorf("joined: %+v\nvoid: %+v", joined, void)
		}
		var p page
		w.must(json.Unmarshal([]byte(w.want(200, "GET /transactions", "")), &p))
		if got := p.ids(); got != "2 1" {
			t.Errorf("listed: %s", got)
		}
		w.must(json.Unmarshal([]byte(w.want(200, "GET /transactions?status=void", "")), &p))
		if got := p.ids(); got != "3" {
			t.Errorf("void: %s", got)
		}
		// Who mirrors by InsertedAt has the orphan, and learns that it is void.
		mirror := "GET /transactions?sort=insertedAt&insertedFrom="
		w.must(json.Unmarshal([]byte(w.want(200, mirror+*joined.InsertedAt, "")), &p))
		if got := p.ids(); got != "1 3" {
			t.Errorf("revised: %s", got)
		}
		file := w.want(200, mirror+*joined.InsertedAt+"&format=ndjson", "")
		if !strings.Contains(file, `"status":"void"`) || strings.Count(file, "\n") != 2 {
			t.Errorf("revised: %s", file)
		}
		w.golden("revisions_joined", w.want(200, "GET /transactions/1/revisions", ""))
		w.wantError("PATCH /transactions/3", `{"note":"x"}`, 409, "CONFLICT", "transaction 3 was joined into another: not possible in this state")
		w.shown("POST /transactions/3/revisions/1/revert", "")
		if got := w.shown("GET /transactions/1", ""); got.Status != "active" || got.Corrections != 2 {
			t.Errorf("apart again: %+v", got)
		}
	})
}

// Of many who change what they all saw, one does; the others are told.
func TestOneOfManyCorrects(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.charged()
		tag := w.do("GET /transactions/1", "").Header().Get("ETag")
		if out := w.do("GET /transactions/1", "", "If-None-Match: "+tag); out.Code != http.StatusNotModified {
			t.Errorf("nothing changed, but %d", out.Code)
		}
		codes := make([]int, 16)
		var all sync.WaitGroup
		for i := range codes {
			all.Go(func() {
				codes[i] = w.do("PATCH /transactions/1", fmt.Sprintf(`{"note":"note %d"}`, i), "If-Match: "+tag).Code
			})
		}
		all.Wait()
		count := map[int]int{}
		for _, code := range codes {
			count[code]++
		}
		if count[200] != 1 || count[412] != len(codes)-1 {
			t.Errorf("codes: %v", count)
		}
		if got := w.shown("GET /transactions/1", ""); got.Corrections != 1 || got.Revision != 2 {
			t.Errorf("corrected: %+v", got)
		}
		if out := w.do("GET /transactions/1", "", "If-None-Match: "+tag); out.Code != http.StatusOK {
			t.Errorf("it changed, but %d", out.Code)
		}
		// Without If-Match the last one wins, and each is a correction.
		for i := range codes {
			all.Go(func() { codes[i] = w.do("PATCH /transactions/1", fmt.Sprintf(`{"note":"last %d"}`, i)).Code })
		}
		all.Wait()
		if got := w.shown("GET /transactions/1", ""); got.Corrections != 17 || got.Revision != 18 {
			t.Errorf("corrected by all: %+v", got)
		}
	})
}

// The readings of a charge that runs are no change that a client must know of.
func TestCorrectsWhatRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		id := s.start(1000)
		tag := w.do("GET /transactions/1", "").Header().Get("ETag")
		time.Sleep(time.Minute)
		s.meter(id, `{"value":"1500"}`)
		out := w.do("PATCH /transactions/1", `{"vehicleId":"VAN-12"}`, "If-Match: "+tag)
		if out.Code != http.StatusOK {
			t.Errorf("after a reading: %d %s", out.Code, out.Body)
		}
		if again := w.do("PATCH /transactions/1", `{"note":"x"}`, "If-Match: "+tag); again.Code != http.StatusPreconditionFailed {
			t.Errorf("after a correction: %d %s", again.Code, again.Body)
		}
		s.stop(id, 2000, "")
		if again := w.do("PATCH /transactions/1", `{"note":"x"}`, "If-Match: "+out.Header().Get("ETag")); again.Code != http.StatusPreconditionFailed {
			t.Errorf("after the stop: %d %s", again.Code, again.Body)
		}
	})
}
