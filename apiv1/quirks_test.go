package apiv1_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestQuirks(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		for range 4 {
			id := s.start(0)
			time.Sleep(time.Minute)
			s.stop(id, 500, "")
		}
		s.call("StopTransaction", `{"transactionId":-1,"meterStop":5.5,"timestamp":"2026-02-06T11:00:00"}`)
		wantQuirks(t, w, "learnt", map[string]string{
			"registerModel":    `{"learnt":"session","set":null,"effective":"session","seen":3,"lastSeen":"2026-02-06T12:03:00.000Z"}`,
			"offlineIds":       `{"learnt":true,"set":null,"effective":true,"seen":1,"lastSeen":"2026-02-06T12:04:00.000Z"}`,
			"fractionalMeters": `{"learnt":true,"set":null,"effective":false,"seen":1,"lastSeen":"2026-02-06T12:04:00.000Z"}`,
			"timeZone":         `{"learnt":null,"set":null,"effective":"UTC","seen":1,"lastSeen":"2026-02-06T12:04:00.000Z"}`,
		})
		w.want(200, "PATCH /chargers/CHARGER-001", `{"quirks":{"registerModel":"cumulative","fractionalMeters":true,"offlineIds":false}}`)
		w.want(200, "PATCH /chargers/CHARGER-001", `{"quirks":{"timeZone":"Europe/Berlin"},"name":"x"}`)
		wantQuirks(t, w, "set", map[string]string{
			"registerModel":    `{"learnt":"session","set":"cumulative","effective":"cumulative","seen":3,`,
			"offlineIds":       `{"learnt":true,"set":false,"effective":false,"seen":1,`,
			"fractionalMeters": `{"learnt":true,"set":true,"effective":true,"seen":1,`,
			"timeZone":         `{"learnt":null,"set":"Europe/Berlin","effective":"Europe/Berlin","seen":1,`,
		})
		w.want(200, "PATCH /chargers/CHARGER-001", `{"quirks":{"registerModel":null,"offlineIds":null,"fractionalMeters":null}}`)
		wantQuirks(t, w, "given back", map[string]string{
			"registerModel": `{"learnt":"session","set":null,"effective":"session"`, "timeZone": `{"learnt":null,"set":"Europe/Berlin"`,
			"fractionalMeters": `{"learnt":true,"set":null,"effective":false`,
		})
	})
}

func wantQuirks(t *testing.T, w *world, when string, want map[string]string) {
	t.Helper()
	body := w.want(200, "GET /chargers/CHARGER-001", "")
	for name, text := range want {
		if !strings.Contains(body, `"`+name+`":`+text) {
			t.Errorf("%s: %s is not %s in %s", when, name, text, body)
		}
	}
}

func TestQuirkInput(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		for _, c := range []struct{ quirks, message string }{
			{`null`, "quirks: must not be null"},
			{`{"timeZone":"Mars/Olympus"}`, "quirks.timeZone: is no time zone of the IANA database"},
			{`{"timeZone":"Local"}`, "quirks.timeZone: is no time zone of the IANA database"},
			{`{"registerModel":"odd"}`, `quirks.registerModel: expected value to be one of "session, cumulative"`},
			{`{"other":1}`, "quirks.other: is unknown"},
		} {
			w.wantError("PATCH /chargers/CHARGER-001", `{"quirks":`+c.quirks+`}`, 400, "VALIDATION_ERROR", c.message)
		}
	})
}

// The clock of a charger is unknown until a message tells of it.
func TestClockSkew(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		time.Sleep(time.Minute)
		if body := w.want(200, "GET /chargers/CHARGER-001", ""); !strings.Contains(body, `"clockSkew":null`) {
			t.Errorf("before: %s", body)
		}
		s.call("StartTransaction", fmt.Sprintf(`{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":%q}`, w.now().Add(90*time.Second).Format(time.RFC3339)))
		if body := w.want(200, "GET /chargers/CHARGER-001", ""); !strings.Contains(body, `"clockSkew":90`) {
			t.Errorf("after: %s", body)
		}
	})
}

func TestContinuity(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		for _, c := range [][2]int{{1000, 2000}, {2000, 3000}, {3250, 4000}, {0, 10}} {
			id := s.start(c[0])
			time.Sleep(10 * time.Minute)
			s.stop(id, c[1], "")
		}
		w.golden("continuity", w.want(200, "GET /chargers/CHARGER-001/continuity", ""))
		const page = `"summary":{"gapWh":250,"gapKWh":0.25,"gaps":1,"resets":1,"overlaps":0,"unknown":0},"pagination":{"total":3,"limit":1,"offset":1,"nextCursor":"`
		if body := w.want(200, "GET /chargers/CHARGER-001/continuity?limit=1&offset=1", ""); !strings.Contains(body, page) || strings.Count(body, `"verdict"`) != 1 || !strings.Contains(body, `"transactionId":3`) {
			t.Errorf("a page: %s", body)
		}
		for query, total := range map[string]int{"?connectorId=2": 0, "?from=2026-02-06T12:15:00Z": 2, "?to=2026-02-06T12:20:00Z": 1, "?from=2026-02-06T12:10:00Z&to=2026-02-06T12:20:00Z": 1} {
			if body := w.want(200, "GET /chargers/CHARGER-001/continuity"+query, ""); !strings.Contains(body, fmt.Sprintf(`"pagination":{"total":%d,`, total)) {
				t.Errorf("%s: %s, want %d", query, body, total)
			}
		}
		w.want(200, "PATCH /chargers/CHARGER-001", `{"quirks":{"registerModel":"session"}}`)
		if body := w.want(200, "GET /chargers/CHARGER-001/continuity", ""); !strings.Contains(body, `"gapWh":0,"gapKWh":0.0,"gaps":0,"resets":0,"overlaps":0,"unknown":3}`) {
			t.Errorf("a session's register: %s", body)
		}
		w.wantError("GET /chargers/NOBODY/continuity", "", 404, "NOT_FOUND", "charger NOBODY: not found")
	})
}
