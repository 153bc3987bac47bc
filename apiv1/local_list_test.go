package apiv1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A local list may be long.
func TestLongLocalList(t *testing.T) {
	const n = 20_000
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"idTag":"TAG-%d","idTagInfo":{"status":"Accepted"}}`, i)
	}
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.want(http.StatusOK, "POST /chargers/CHARGER-001/local-list", `{"updateType":"Full","listVersion":1,"localAuthorizationList":[`+strings.Join(entries, ",")+`]}`)
		if sent := s.calls("SendLocalList"); len(sent) != 1 || strings.Count(sent[0], `"Accepted"`) != n {
			t.Errorf("the charger was sent %d messages", len(sent))
		}
		got := w.want(http.StatusOK, fmt.Sprintf("GET /chargers/CHARGER-001/local-list?limit=1&offset=%d", n-1), "")
		if !strings.Contains(got, fmt.Sprintf(`"idTag":"TAG-%d"`, n-1)) || !strings.Contains(got, `"total":20000`) {
			t.Errorf("the last one: %s", got)
		}
	})
}

func TestLocalListInput(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("CHARGER-001")
		for _, c := range []struct{ body, message string }{
			{`{}`, "updateType: is required"},
			{`{"updateType":"Some"}`, `updateType: expected value to be one of "Full, Differential"`},
			{`{"updateType":"Full","listVersion":0}`, "listVersion: expected number >= 1"},
			{`{"updateType":"Full","localAuthorizationList":[{"idTag":"123456789012345678901"}]}`, "localAuthorizationList[0].idTag: expected length <= 20"},
			{`{"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Fine"}}]}`,
				`localAuthorizationList[0].idTagInfo.status: expected value to be one of "Accepted, Blocked, Expired, Invalid, ConcurrentTx"`},
			{`{"updateType":"Full","localAuthorizationList":[{"idTag":"A"}]}`, "localAuthorizationList[0].idTagInfo: is required in a full list"},
		} {
			w.wantError("POST /chargers/CHARGER-001/local-list", c.body, 400, "VALIDATION_ERROR", c.message)
		}
		w.wantError("GET /chargers/NOWHERE/local-list", "", 404, "NOT_FOUND", "charger NOWHERE: not found")
	})
}
