package apiv1_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"leyden"
)

func TestIDTags(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want(http.StatusCreated, "POST /vehicles", `{"vehicleId":"VAN-12"}`)
		out := w.do("POST /id-tags", `{"idTag":"Card 7","status":"Blocked","expiryDate":"2030-01-01T01:00:00+01:00","parentIdTag":"FLEET","maxActiveTransactions":2,"vehicleId":"VAN-12","note":"spare"}`)
		w.golden("id_tag", out.Body.String())
		wantHeader(t, out, "Location", "/api/v1/id-tags/Card%207")
		if out.Code != http.StatusCreated {
			t.Errorf("got %d", out.Code)
		}
		if got := w.want(http.StatusOK, "GET /id-tags/cARD%207", ""); got != out.Body.String() {
			t.Errorf("in another case: got %s", got)
		}
		w.wantError("POST /id-tags", `{"idTag":"CARD 7"}`, 409, "CONFLICT", "idTag Card 7: already exists")
		w.golden("id_tag_plain", w.want(http.StatusCreated, "POST /id-tags", `{"idTag":"A/B"}`))
		w.want(http.StatusOK, "GET /id-tags/A%2FB", "")
		w.golden("id_tag_list", w.want(http.StatusOK, "GET /id-tags?limit=2&offset=1", ""))
	})
}

func TestChangeIDTag(t *testing.T) {
	cases := []struct{ body, want string }{
		{`{}`, `"status":"Blocked","expiryDate":"2030-01-01T00:00:00.000Z","parentIdTag":"FLEET","maxActiveTransactions":2,"vehicleId":"VAN-12","note":"spare"`},
		{`{"status":"Accepted"}`, `"status":"Accepted","expiryDate":"2030-01-01T00:00:00.000Z","parentIdTag":"FLEET","maxActiveTransactions":2,"vehicleId":"VAN-12","note":"spare"`},
		{`{"expiryDate":null,"maxActiveTransactions":null}`, `"status":"Accepted","expiryDate":null,"parentIdTag":"FLEET","maxActiveTransactions":null,"vehicleId":"VAN-12","note":"spare"`},
		{`{"parentIdTag":null,"vehicleId":null,"note":null}`, `"status":"Accepted","expiryDate":null,"parentIdTag":null,"maxActiveTransactions":null,"vehicleId":null,"note":null`},
		{`{"maxActiveTransactions":1,"note":"x","expiryDate":"2031-01-01T00:00:00Z"}`, `"status":"Accepted","expiryDate":"2031-01-01T00:00:00.000Z","parentIdTag":null,"maxActiveTransactions":1,"vehicleId":null,"note":"x"`},
	}
	inWorld(t, func(w *world) {
		w.want(http.StatusCreated, "POST /vehicles", `{"vehicleId":"VAN-12"}`)
		w.want(http.StatusCreated, "POST /id-tags", `{"idTag":"C1","status":"Blocked","expiryDate":"2030-01-01T00:00:00Z","parentIdTag":"FLEET","maxActiveTransactions":2,"vehicleId":"VAN-12","note":"spare"}`)
		for _, c := range cases {
			got := w.want(http.StatusOK, "PATCH /id-tags/c1", c.body)
			if !strings.HasPrefix(got, `{"idTag":"C1",`+c.want+`,`) || got != w.want(http.StatusOK, "GET /id-tags/C1", "") {
				t.Errorf("%s: got %s, want %s", c.body, got, c.want)
			}
		}
		gone := w.want(http.StatusOK, "GET /id-tags/C1", "")
		if got := w.want(http.StatusOK, "DELETE /id-tags/c1", ""); got != gone {
			t.Errorf("removed: got %s, want %s", got, gone)
		}
		w.wantError("GET /id-tags/C1", "", 404, "NOT_FOUND", "idTag C1: not found")
	})
}

// An idTag that was merely seen is shown, and admitted by adding or changing
// it.
func TestAdmitSeenIDTags(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		for _, c := range []struct{ tag, line, body string }{
			{"SEEN1", "POST /id-tags", `{"idTag":"seen1"}`},
			{"SEEN2", "PATCH /id-tags/SEEN2", `{"note":"welcome"}`},
		} {
			if got := s.call("Authorize", `{"idTag":"`+c.tag+`"}`); !strings.Contains(got, "Invalid") {
				t.Errorf("an unknown idTag: got %s", got)
			}
			w.must(w.ledger.Flush(w.t.Context()))
			if got := w.want(http.StatusOK, "GET /id-tags/"+c.tag, ""); !strings.Contains(got, `"listed":false`) || !strings.Contains(got, `"lastSeen":"2026`) {
				t.Errorf("one that was seen: got %s", got)
			}
			if out := w.do(c.line, c.body); out.Code >= 300 || !strings.Contains(out.Body.String(), `{"idTag":"`+c.tag+`"`) || !strings.Contains(out.Body.String(), `"listed":true`) {
				t.Errorf("%s: got %d %s", c.line, out.Code, out.Body)
			}
			if got := s.call("Authorize", `{"idTag":"`+c.tag+`"}`); !strings.Contains(got, "Accepted") {
				t.Errorf("one that was admitted: got %s", got)
			}
		}
	})
}

func TestVehicles(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want(http.StatusCreated, "POST /id-tags", `{"idTag":"CARD1","status":"Blocked"}`)
		out := w.do("POST /vehicles", `{"vehicleId":"VAN 12","name":"White van","idTags":["card1","CARD2"]}`)
		w.golden("vehicle", out.Body.String())
		wantHeader(t, out, "Location", "/api/v1/vehicles/VAN%2012")
		w.wantError("POST /vehicles", `{"vehicleId":"VAN 12"}`, 409, "CONFLICT", "vehicle VAN 12: already exists")
		if got := w.want(http.StatusOK, "GET /vehicles/VAN%2012", ""); got != out.Body.String() {
			t.Errorf("got %s", got)
		}
		if got := w.want(http.StatusOK, "GET /id-tags/CARD1", ""); !strings.Contains(got, `"status":"Blocked"`) || !strings.Contains(got, `"vehicleId":"VAN 12"`) {
			t.Errorf("a listed tag of it: got %s", got)
		}
		if got := w.want(http.StatusOK, "GET /id-tags/CARD2", ""); !strings.Contains(got, `"status":"Accepted"`) || !strings.Contains(got, `"listed":true`) {
			t.Errorf("a new tag of it: got %s", got)
		}
		w.golden("vehicle_plain", w.want(http.StatusCreated, "POST /vehicles", `{"vehicleId":"CAR"}`))
		for line, body := range map[string]string{"PATCH /vehicles/CAR": `{"idTags":["CARD3","card2"]}`, "POST /vehicles": `{"vehicleId":"BUS","idTags":["CARD3","card2"]}`} {
			details := w.wantError(line, body, 409, "CONFLICT", "idTags: CARD2 belongs to vehicle VAN 12")
			if len(details) != 1 || details[0].Field != "idTags" || details[0].Reason != "CARD2 belongs to vehicle VAN 12" {
				t.Errorf("%s: details are %v", line, details)
			}
		}
		w.wantError("GET /vehicles/BUS", "", 404, "NOT_FOUND", "vehicle BUS: not found")
		w.wantError("GET /id-tags/CARD3", "", 404, "NOT_FOUND", "idTag CARD3: not found")
		w.want(http.StatusOK, "PATCH /vehicles/VAN%2012", `{"idTags":["CARD1"]}`)
		if got := w.want(http.StatusOK, "PATCH /vehicles/CAR", `{"idTags":["CARD2"],"name":"Blue"}`); !strings.Contains(got, `"name":"Blue","idTags":["CARD2"]`) {
			t.Errorf("a tag that nobody has any more: got %s", got)
		}
		if got := w.want(http.StatusOK, "PATCH /vehicles/CAR", `{"name":null}`); !strings.Contains(got, `"name":null,"idTags":["CARD2"]`) {
			t.Errorf("without a name: got %s", got)
		}
		w.golden("vehicle_list", w.want(http.StatusOK, "GET /vehicles", ""))
		if got := w.want(http.StatusOK, "PATCH /vehicles/CAR", `{"idTags":[]}`); !strings.Contains(got, `"idTags":[]`) {
			t.Errorf("without tags: got %s", got)
		}
		w.want(http.StatusOK, "DELETE /vehicles/VAN%2012", "")
		w.wantError("GET /vehicles/VAN%2012", "", 404, "NOT_FOUND", "vehicle VAN 12: not found")
		if got := w.want(http.StatusOK, "GET /id-tags/CARD1", ""); !strings.Contains(got, `"vehicleId":null`) {
			t.Errorf("its tag stays: got %s", got)
		}
	})
}

func TestRegistryInput(t *testing.T) {
	cases := []struct {
		line, body string
		status     int
		message    string
	}{
		{"POST /id-tags", `{}`, 400, "idTag: is required"},
		{"POST /id-tags", `{"idTag":""}`, 400, "idTag: expected length >= 1"},
		{"POST /id-tags", `{"idTag":"123456789012345678901"}`, 400, "idTag: expected length <= 20"},
		{"POST /id-tags", `{"idTag":"T","status":"Expired"}`, 400, `status: expected value to be one of "Accepted, Blocked"`},
		{"POST /id-tags", `{"idTag":"T","expiryDate":"2030"}`, 400, "expiryDate: expected string to be RFC 3339 date-time"},
		{"POST /id-tags", `{"idTag":"T","maxActiveTransactions":0}`, 400, "maxActiveTransactions: expected number >= 1"},
		{"POST /id-tags", `{"idTag":"T","vehicleId":"NONE"}`, 400, "vehicleId: there is no such vehicle"},
		{"POST /id-tags", `{"idTag":"T","note":"a\u0000"}`, 400, "note: must be readable text: of control characters it may have line breaks and tabs"},
		{"PATCH /id-tags/USER123", `{"note":"\u001b[2J"}`, 400, "note: must be readable text: of control characters it may have line breaks and tabs"},
		{"PATCH /id-tags/USER123", `{"vehicleId":"NONE"}`, 400, "vehicleId: there is no such vehicle"},
		{"PATCH /id-tags/USER123", `{"status":null}`, 400, "status: must not be null"},
		{"PATCH /id-tags/USER123", `{"idTag":"X"}`, 400, "idTag: is unknown"},
		{"PATCH /id-tags/NONE", `{}`, 404, "idTag NONE: not found"},
		{"DELETE /id-tags/NONE", ``, 404, "idTag NONE: not found"},
		{"GET /id-tags?limit=501", ``, 400, "limit: expected number <= 500"},
		{"POST /vehicles", `{}`, 400, "vehicleId: is required"},
		{"POST /vehicles", `{"vehicleId":" "}`, 400, "vehicleId: must be readable text without spaces around it"},
		{"POST /vehicles", `{"vehicleId":"V\u0000"}`, 400, "vehicleId: must be readable text without spaces around it"},
		{"POST /vehicles", `{"vehicleId":"V","name":" "}`, 400, "name: must be readable text without spaces around it"},
		{"PATCH /vehicles/NONE", `{"name":"a\u0000"}`, 400, "name: must be readable text without spaces around it"},
		{"POST /vehicles", `{"vehicleId":"V","idTags":[""]}`, 400, "idTags[0]: expected length >= 1"},
		{"POST /vehicles", `{"vehicleId":"V","idTags":["123456789012345678901"]}`, 400, "idTags[0]: expected length <= 20"},
		{"PATCH /vehicles/NONE", `{"idTags":null}`, 400, "idTags: must not be null"},
		{"PATCH /vehicles/NONE", `{}`, 404, "vehicle NONE: not found"},
		{"GET /vehicles/NONE", ``, 404, "vehicle NONE: not found"},
		{"DELETE /vehicles/NONE", ``, 404, "vehicle NONE: not found"},
	}
	inWorld(t, func(w *world) {
		for _, c := range cases {
			code := map[int]string{400: "VALIDATION_ERROR", 404: "NOT_FOUND"}[c.status]
			w.wantError(c.line, c.body, c.status, code, c.message)
		}
	})
}

func TestQuarantine(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.start(1000)
		const frame = `{"connectorId":1,"idTag":"USER123","meterStart":1500,"timestamp":"2026-02-06T12:00:00Z"}`
		if _, err := s.conn.CallRaw(w.t.Context(), "StartTransaction", []byte(frame)); err == nil {
			t.Fatal("a start on a busy connector was accepted")
		}
		w.must(w.ledger.Quarantine(w.t.Context(), leyden.Quarantined{Station: "C2", Frame: `[2,"1"`, Reason: "not JSON"}))
		w.golden("quarantined", w.want(http.StatusOK, "GET /quarantine/1", ""))
		w.golden("quarantine_list", w.want(http.StatusOK, "GET /quarantine", ""))
		s.call("StartTransaction", frame) // it insists
		cases := []struct {
			query      string
			ids        string
			total      int
			lowerBound bool
		}{
			{"", "2 1", 2, false},
			{"?chargeBoxId=C2", "2", 1, false},
			{"?chargeBoxId=chg_nowhere", "", 0, false},
			{"?waiting=true", "2", 1, false},
			{"?waiting=false", "2 1", 2, false},
			{"?status=waiting&chargeBoxId=C2", "2", 1, false},
			{"?status=released", "1", 1, false},
			{"?status=dismissed", "", 0, false},
			{"?limit=1", "2", 2, false},
			{"?limit=1&offset=1", "1", 2, false},
			{"?offset=2", "", 2, false},
		}
		for _, c := range cases {
			var got struct {
				Quarantine []struct{ ID json.Number }
				Pagination struct {
					Total             int
					TotalIsLowerBound bool
				}
			}
			w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET /quarantine"+c.query, "")), &got))
			ids := []string{}
			for _, q := range got.Quarantine {
				ids = append(ids, q.ID.String())
			}
			if strings.Join(ids, " ") != c.ids || got.Pagination.Total != c.total || got.Pagination.TotalIsLowerBound != c.lowerBound {
				t.Errorf("%s: got %v %+v, want %s of %d", c.query, ids, got.Pagination, c.ids, c.total)
			}
		}
		if got := w.want(http.StatusOK, "GET /quarantine/1", ""); !strings.Contains(got, `"status":"released","releasedAt":"2026`) {
			t.Errorf("one that was made good: got %s", got)
		}
		w.wantError("GET /quarantine/9", "", 404, "NOT_FOUND", "quarantined message 9: not found")
		w.wantError("GET /quarantine/x", "", 400, "VALIDATION_ERROR", "quarantineId: invalid integer")
		w.wantError("GET /quarantine?waiting=true&status=released", "", 400, "VALIDATION_ERROR", "waiting: contradicts status")
	})
}
