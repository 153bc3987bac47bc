package apiv1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/calls"
)

type auditRow struct {
	By, Kind, Operation, Name, Method, Path, RequestID string
	ChargeBoxID                                        *string
	TransactionID                                      *int
	Status                                             int
	Code, Request                                      *string
	Replayed                                           bool
}

// audited returns what the audit log lists.
func (w *world) audited(query string) (rows []auditRow, total int, next string) {
	w.t.Helper()
	var list struct {
		Records    []auditRow
		Pagination struct {
			Total      int
			NextCursor string
		}
	}
	w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET /audit"+query, "")), &list))
	return list.Records, list.Pagination.Total, list.Pagination.NextCursor
}

func (r auditRow) String() string {
	text := fmt.Sprint(r.Method, " ", r.Path, " ", r.Operation, " ", r.Status)
	for _, s := range []*string{r.ChargeBoxID, r.Code, r.Request} {
		if s != nil {
			text += " " + *s
		}
	}
	if r.TransactionID != nil {
		text += fmt.Sprint(" tx", *r.TransactionID)
	}
	return text
}

// Records are counted up to a limit: who asks for a page does not pay for years.
func TestAuditIsCountedToALimit(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now()
		for n := range calls.MaxCounted + 1 {
			status := 200
			if n == 0 {
				status = 201
			}
			r := calls.Record{At: at, By: "key_1", Kind: calls.ByKey, Operation: "v1Reset", Status: status}
			w.must(w.store.Settle(t.Context(), &calls.Settlement{Record: &r}))
		}
		for query, want := range map[string]string{
			"?limit=1":            `"total":100000,"limit":1,"offset":0,"nextCursor":"`,
			"?limit=1&status=200": `"total":100000,"limit":1,"offset":0,"nextCursor":"`,
			"?limit=1&status=201": `"total":1,"limit":1,"offset":0}`,
		} {
			got := w.want(http.StatusOK, "GET /audit"+query, "")
			least := strings.Contains(got, `"totalIsLowerBound":true`)
			if !strings.Contains(got, want) || least != (query == "?limit=1") {
				t.Errorf("%s: got %s", query, got)
			}
		}
	})
}

// What lets somebody in here is masked wherever it is put by mistake: in a free
// text, in a field that nobody knows, in the name of one, in the path.
func TestOwnSecretsAreNotRecorded(t *testing.T) {
	inWorld(t, func(w *world) {
		key := field(t, w.want(http.StatusCreated, "POST /auth/api-keys", `{"name":"x","scopes":["transactions:read"]}`), "key")
		secret := field(t, w.want(http.StatusCreated, "POST /auth/clients", `{"name":"x","scopes":["transactions:read"]}`), "clientSecret")
		signing := field(t, w.want(http.StatusCreated, "POST /webhooks", `{"url":"https://hooks.example/x","events":["transaction.stopped"]}`), "secret")
		for _, text := range []string{key, secret, signing} {
			quoted := strings.ReplaceAll(text, "/", `\/`)
			w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"C`+text[3:9]+`","name":"ask with `+quoted+`"}`)
			w.want(http.StatusBadRequest, "POST /chargers", `{"chargeBoxId":"D","`+quoted+`":{"unknown":["`+quoted+`"]}}`)
			w.want(http.StatusBadRequest, "POST /id-tags", `{"idTag":"`+quoted+`"}`)
			w.want(http.StatusNotFound, "DELETE /auth/api-keys/"+url.PathEscape(text), "")
		}
		kept := w.want(http.StatusOK, "GET /audit?limit=500", "")
		for _, text := range []string{key, secret, signing} {
			_, hidden, _ := strings.Cut(text[3:], "_")
			if strings.Contains(kept, hidden) || strings.Contains(kept, strings.ReplaceAll(hidden, "/", `\\/`)) {
				t.Errorf("the audit log has %s: %s", text, kept)
			}
		}
		if rows, _, _ := w.audited("?limit=500"); len(rows) != 15 || !strings.Contains(kept, key[:11]+"_***") {
			t.Errorf("there are %d records, and not how the key begins: %s", len(rows), kept)
		}
	})
}

func TestAudit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want(http.StatusCreated, "POST /chargers", `{"chargeBoxId":"S1","password":"0123456789abcdef"}`)
		w.want(http.StatusServiceUnavailable, "POST /chargers/S1/reset", `{"type":"Soft"}`)
		w.want(http.StatusOK, "GET /chargers/S1", "")
		w.want(http.StatusNotFound, "POST /transactions/77/stop", "")
		time.Sleep(time.Hour) // simulated
		public := field(t, w.want(http.StatusOK, "PATCH /chargers/S1", `{"name":"Gate"}`), "id")
		w.want(http.StatusServiceUnavailable, "POST /chargers/"+public+"/configuration/change", `{"key":"AuthorizationKey","value":"0123456789abcdef"}`)
		w.want(http.StatusOK, "DELETE /chargers/S1", "")

		rows, total, _ := w.audited("")
		want := []string{
			`DELETE /api/v1/chargers/S1 v1RemoveCharger 200 S1`,
			`POST /api/v1/chargers/` + public + `/configuration/change v1ChangeConfiguration 503 S1 SERVICE_UNAVAILABLE {"key":"AuthorizationKey","value":"***"}`,
			`PATCH /api/v1/chargers/S1 v1ChangeCharger 200 S1 {"name":"Gate"}`,
			`POST /api/v1/transactions/77/stop v1RemoteStop 404 NOT_FOUND`,
			`POST /api/v1/chargers/S1/reset v1Reset 503 S1 SERVICE_UNAVAILABLE {"type":"Soft"}`,
			`POST /api/v1/chargers v1RegisterCharger 201 S1 {"chargeBoxId":"S1","password":"***"}`,
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.String())
			if !strings.HasPrefix(r.By, "key_") || r.Kind != "key" || r.Name != "test" || r.RequestID != "req-1" {
				t.Errorf("%s is by %s (%s %q), request %s", r, r.By, r.Kind, r.Name, r.RequestID)
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || total != len(want) {
			t.Errorf("%d records:\n%s\nwant\n%s", total, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for query, n := range map[string]int{
			"?chargeBoxId=S1": 5, "?chargeBoxId=" + public: 0, "?status=503": 2, "?operation=v1Reset": 1, "?by=" + rows[0].By: 6, "?by=nobody": 0,
			"?from=2026-02-06T12:30:00Z": 3, "?to=2026-02-06T12:30:00Z": 3, "?transactionId=77": 0, "?status=503&from=2026-02-06T12:30:00Z": 1,
		} {
			if _, total, _ := w.audited(query); total != n {
				t.Errorf("%s: %d records, want %d", query, total, n)
			}
		}
		first, _, next := w.audited("?limit=4")
		second, _, end := w.audited("?limit=4&cursor=" + next)
		if len(first) != 4 || len(second) != 2 || end != "" || second[1].String() != want[5] {
			t.Errorf("by cursor: %v, then %v", first, second)
		}
		w.key = w.keyWith("chargers:control", "chargers:read", "transactions:read")
		w.want(http.StatusForbidden, "GET /audit", "")
	})
}

// A remote start is found by its charger and by its transaction.
func TestAuditOfRemoteStart(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("S1")
		defer s.end()
		out := w.do("POST /chargers/S1/remote-start", `{"connectorId":1,"idTag":"USER123"}`, "Idempotency-Key: start-1")
		again := w.do("POST /chargers/S1/remote-start", `{"connectorId":1,"idTag":"USER123"}`, "Idempotency-Key: start-1")
		if out.Code != accepted || again.Code != accepted || again.Body.String() != out.Body.String() || again.Header().Get("Location") != out.Header().Get("Location") {
			t.Fatalf("got %d %s, again %d %s", out.Code, out.Body, again.Code, again.Body)
		}
		wantHeader(t, again, "Idempotent-Replayed", "true")
		var started struct{ TransactionID int }
		w.must(json.Unmarshal(out.Body.Bytes(), &started))
		rows, total, _ := w.audited(fmt.Sprintf("?transactionId=%d&chargeBoxId=S1", started.TransactionID))
		if total != 2 || rows[1].Operation != "v1RemoteStart" || rows[1].Status != accepted || rows[1].Replayed || !rows[0].Replayed {
			t.Errorf("%d records: %v", total, rows)
		}
		rows, total, _ = w.audited("")
		if total != 2 || !rows[0].Replayed {
			t.Errorf("%d records: %v", total, rows)
		}
	})
}

// What is done to a transaction is found by it, and by its charger.
func TestAuditOfTransaction(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		s.charged()
		w.want(http.StatusConflict, "POST /transactions/1/stop", "")
		w.want(http.StatusNotFound, "POST /transactions/1/revisions/1/revert", "")
		w.want(http.StatusOK, "PATCH /transactions/1", `{"note":"x"}`)
		w.want(http.StatusConflict, "POST /transactions/1/close", `{"reason":"x"}`)
		w.want(http.StatusBadRequest, "POST /transactions/1/join", `{"orphan":7}`)
		if rows, total, _ := w.audited("?transactionId=1&chargeBoxId=CHARGER-001"); total != 5 {
			t.Errorf("%d records: %v", total, rows)
		}
	})
}

// A reply of then is not for a credential that has lost the charger since. Its
// refusals tell no more of a charger out of reach than of none.
func TestKeptReplyOutOfReach(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		defer s.end()
		s.charged()
		w.register("B")
		admin := w.key
		k, text, err := w.registrar.CreateKey(t.Context(), auth.Spec{
			Name: "test", Scopes: []string{"transactions:control", "chargers:control", "webhooks:write", "chargers:read"},
			LimitedTo: &auth.Limit{Chargers: []leyden.StationID{"A", "B"}},
		})
		w.must(err)
		ask := func(line, body, key string) int {
			w.key = string(text)
			defer func() { w.key = admin }()
			return w.do(line, body, "Idempotency-Key: "+key).Code
		}
		twice := func(line, body, key string, then, now int) {
			t.Helper()
			if got := ask(line, body, key); got != then {
				t.Errorf("%s: %d, want %d", line, got, then)
			}
			w.want(http.StatusOK, "PATCH /auth/api-keys/"+k.ID, `{"limitedTo":{"chargers":["B"]}}`)
			if got := ask(line, body, key); got != now {
				t.Errorf("%s, with less in reach: %d, want %d", line, got, now)
			}
			w.want(http.StatusOK, "PATCH /auth/api-keys/"+k.ID, `{"limitedTo":{"chargers":["A","B"]}}`)
			if got := ask(line, body, key); got != then {
				t.Errorf("%s, with all of it again: %d, want %d", line, got, then)
			}
		}
		twice("POST /transactions/1/stop", "", "k1", http.StatusConflict, http.StatusForbidden)
		twice("POST /chargers", `{"chargeBoxId":"A"}`, "k2", http.StatusConflict, http.StatusForbidden)
		twice("POST /webhooks", `{"url":"https://example.com/","events":["charger.boot"]}`, "k3", http.StatusCreated, http.StatusForbidden)
		w.want(http.StatusOK, "PATCH /auth/api-keys/"+k.ID, `{"limitedTo":{"chargers":["B"]}}`)
		for _, line := range []string{"POST /transactions/1/stop", "POST /transactions/2/stop"} {
			for range 2 {
				if got := ask(line, "", "k4"+line[19:20]); got != http.StatusNotFound {
					t.Errorf("%s: %d, as if it were there", line, got)
				}
			}
		}
	})
}
