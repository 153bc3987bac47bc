package apiv1_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden/rest"
	"leyden/rest/resttest"
)

// Every operation says what it does, and which refusals it has.
func TestOperationsAreDescribed(t *testing.T) {
	inWorld(t, func(w *world) {
		for id, line := range w.operations() {
			method, path, _ := strings.Cut(line, " ")
			op := resttest.At(w.contract.Document, "paths", "/api/v1"+path, strings.ToLower(method))
			for _, key := range []string{"summary", "description"} {
				if text, _ := resttest.At(op, key).(string); text == "" || strings.HasSuffix(text, " ") {
					t.Errorf("%s has no %s", id, key)
				}
			}
			if tags, _ := resttest.At(op, "tags").([]any); len(tags) != 1 {
				t.Errorf("%s is in the groups %v", id, tags)
			}
			statuses := []string{"400", "401", "403", "429", "500", "503"}
			if strings.Contains(path, "{") {
				statuses = append(statuses, "404")
			}
			if strings.Contains(path, "remote-start") || strings.HasSuffix(path, "/stop") || resttest.At(op, "tags").([]any)[0] == "Commands" {
				statuses = append(statuses, "409", "502", "504")
			}
			if resttest.At(op, "requestBody") != nil {
				statuses = append(statuses, "413", "415")
			}
			for _, status := range statuses {
				if resttest.At(op, "responses", status) == nil {
					t.Errorf("%s does not tell of %s", id, status)
				}
			}
		}
	})
}

// Every POST can be sent again, every operation tells its limits, and both are in
// the document.
func TestEveryOperationCanBeRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		for id, line := range w.operations() {
			method, path, _ := strings.Cut(line, " ")
			op := resttest.At(w.contract.Document, "paths", "/api/v1"+path, strings.ToLower(method))
			keyed := false
			parameters, _ := resttest.At(op, "parameters").([]any)
			for _, p := range parameters {
				keyed = keyed || resttest.At(w.contract.Follow(p), "name") == "Idempotency-Key"
			}
			if want := method == "POST"; keyed != want || want && resttest.At(op, "responses", "422") == nil {
				t.Errorf("%s: takes a key: %v", id, keyed)
			}
			responses, _ := resttest.At(op, "responses").(map[string]any)
			for status, r := range responses {
				r = w.contract.Follow(r)
				if resttest.At(r, "headers", "RateLimit-Remaining") == nil {
					t.Errorf("%s: %s does not tell the limits", id, status)
				}
				if replayed := resttest.At(r, "headers", "Idempotent-Replayed") != nil; replayed != keyed {
					t.Errorf("%s: %s may be one from before: %v", id, status, replayed)
				}
			}
		}
	})
}

// The examples of the fields make up the seed's examples.
func TestExamplesAreTheSeeds(t *testing.T) {
	cases := []struct{ schema, want string }{
		{"V1RemoteStart", `{"connectorId":1,"idTag":"USER123"}`},
		{"V1StartAccepted", `{"message":"Remote start accepted by charger","transactionId":12345,"chargeBoxId":"CHARGER-001","connectorId":1,"status":"pending","note":"Transaction will start when vehicle is connected and ready"}`},
		{"V1StopAccepted", `{"message":"Remote stop accepted by charger","transactionId":12345,"chargeBoxId":"CHARGER-001","status":"stopping","note":"Transaction will stop shortly. Final details available after StopTransaction is received."}`},
		{"V1Transaction", `{"id":"txn_123","transactionId":12345,"chargeBoxId":"CHARGER-001","connectorId":1,"idTag":"USER123","status":"completed","meterStart":1000,"meterStop":15000,"energyDelivered":14.0,"durationMinutes":45,"startTime":"2026-02-06T12:00:00.000Z","stopTime":"2026-02-06T12:45:00.000Z","stopReason":"Local","remoteStarted":true}`},
		{"V1Pagination", `{"total":1,"limit":50,"offset":0}`},
	}
	inWorld(t, func(w *world) {
		for _, c := range cases {
			var seed map[string]any
			w.must(json.Unmarshal([]byte(c.want), &seed))
			for name, want := range seed {
				examples, _ := resttest.At(w.contract.Document, "components", "schemas", c.schema, "properties", name, "examples").([]any)
				got, err := json.Marshal(examples)
				w.must(err)
				text, err := json.Marshal([]any{want})
				w.must(err)
				if string(got) != string(text) {
					t.Errorf("%s.%s: got %s, want %s", c.schema, name, got, text)
				}
			}
		}
	})
}

// What is read is limited in the document, too.
func TestConstraintsAreDocumented(t *testing.T) {
	cases := []struct {
		path []string
		want string
	}{
		{[]string{"V1RemoteStart", "properties", "connectorId", "minimum"}, `1`},
		{[]string{"V1RemoteStart", "properties", "idTag", "minLength"}, `1`},
		{[]string{"V1RemoteStart", "properties", "idTag", "maxLength"}, `20`},
		{[]string{"V1RemoteStart", "required"}, `["connectorId","idTag"]`},
		{[]string{"V1RemoteStart", "additionalProperties"}, `false`},
		{[]string{"V1Start", "required"}, `["chargeBoxId","connectorId"]`},
		{[]string{"V1Registration", "required"}, `["chargeBoxId"]`},
		{[]string{"V1Registration", "properties", "password", "minLength"}, `16`},
		{[]string{"V1Transaction", "properties", "connectorId", "type"}, `["integer","null"]`},
		{[]string{"V1Transaction", "properties", "energyDelivered", "type"}, `["number","null"]`},
		{[]string{"V1Transaction", "properties", "transactionId", "type"}, `"integer"`},
		{[]string{"V1Reset", "properties", "type", "enum"}, `["Hard","Soft"]`},
	}
	inWorld(t, func(w *world) {
		for _, c := range cases {
			got, err := json.Marshal(resttest.At(w.contract.Document, append([]string{"components", "schemas"}, c.path...)...))
			if err != nil || string(got) != c.want {
				t.Errorf("%s: got %s, %v, want %s", strings.Join(c.path, " "), got, err, c.want)
			}
		}
	})
}

// Scripts of other origins may read whatever header the document tells of, but for
// the trailer, which browsers give to nobody, and what is said to proxies.
func TestHeadersAreExposed(t *testing.T) {
	open := resttest.NewServer(t, rest.Config{CORS: []string{"*"}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
	r.Header.Set("Origin", "https://console.example")
	out := httptest.NewRecorder()
	open.ServeHTTP(out, r)
	exposed := strings.Split(out.Header().Get("Access-Control-Expose-Headers"), ", ")
	inWorld(t, func(w *world) {
		seen := map[string]bool{"X-Row-Count": true, "Cache-Control": true, "X-Accel-Buffering": true}
		for id, line := range w.operations() {
			method, path, _ := strings.Cut(line, " ")
			responses, _ := resttest.At(w.contract.Document, "paths", "/api/v1"+path, strings.ToLower(method), "responses").(map[string]any)
			for _, response := range responses {
				headers, _ := resttest.At(w.contract.Follow(response), "headers").(map[string]any)
				for name := range headers {
					if !seen[name] && !slices.Contains(exposed, name) {
						t.Errorf("%s: scripts may not read %s; they may read %v", id, name, exposed)
					}
					seen[name] = true
				}
			}
		}
		if !seen["ETag"] || !seen["X-Total-Count"] {
			t.Errorf("the document tells of %v alone", seen)
		}
	})
}
