package apiv1_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden/apiv1"
	"leyden/device"
)

func TestNotifications(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		s.call("FirmwareStatusNotification", `{"status":"Installing"}`)
		s.call("LogStatusNotification", `{"status":"Uploaded","requestId":7}`)
		time.Sleep(time.Second) // simulated
		s.call("SecurityEventNotification", `{"type":"TamperDetectionActivated","timestamp":"2026-02-06T11:59:00Z","techInfo":"lid"}`)
		w.must(w.store.AddNotification(t.Context(), &device.Notification{Station: "C2", Kind: device.Security, Type: "Odd", Own: true, ReceivedAt: w.now()}))
		w.golden("security_events", w.want(http.StatusOK, "GET /security-events", ""))
		w.golden("notifications", w.want(http.StatusOK, "GET /chargers/CHARGER-001/notifications", ""))
		const notifications = "/chargers/CHARGER-001/notifications"
		for _, c := range []struct {
			query, types string
			total        int
		}{
			{"/security-events?chargeBoxId=CHARGER-001", "TamperDetectionActivated", 1},
			{"/security-events?chargeBoxId=" + field(t, w.want(http.StatusOK, "GET /chargers/CHARGER-001", ""), "id"), "TamperDetectionActivated", 1},
			{"/security-events?chargeBoxId=NOBODY", "", 0},
			{"/security-events?type=Odd", "Odd", 1},
			{"/security-events?from=2026-02-06T12:00:01Z", "Odd TamperDetectionActivated", 2},
			{"/security-events?to=2026-02-06T12:00:01Z", "", 0},
			{"/security-events?limit=1&offset=1", "TamperDetectionActivated", 2},
			{notifications + "?kind=log", "Uploaded", 1},
			{notifications + "?kind=diagnostics", "", 0},
			{notifications + "?requestId=7", "Uploaded", 1},
			{notifications + "?requestId=8", "", 0},
			{notifications + "?to=2026-02-06T12:00:01Z", "Uploaded Installing", 2},
		} {
			type list []struct{ Type string }
			var got struct {
				SecurityEvents, Notifications list
				Pagination                    struct{ Total int }
			}
			w.must(json.Unmarshal([]byte(w.want(http.StatusOK, "GET "+c.query, "")), &got))
			var types []string
			for _, n := range append(got.SecurityEvents, got.Notifications...) {
				types = append(types, n.Type)
			}
			if strings.Join(types, " ") != c.types || got.Pagination.Total != c.total {
				t.Errorf("%s: got %v of %d, want %s of %d", c.query, types, got.Pagination.Total, c.types, c.total)
			}
		}
		w.wantError("GET /chargers/NOWHERE/notifications", "", 404, "NOT_FOUND", "charger NOWHERE: not found")
		w.wantError("GET "+notifications+"?requestId=0", "", 400, "VALIDATION_ERROR", "requestId: expected number >= 1")
		w.wantError("GET "+notifications+"?kind=all", "", 400, "VALIDATION_ERROR", `kind: expected value to be one of "security, firmware, diagnostics, log"`)
	})
}

// Where nothing is kept of chargers there are no notifications, and what is known
// of a charger is shown all the same.
func TestNotificationsOfWhichNothingIsKept(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		w.want(http.StatusOK, "GET /security-events", "")
		w.want(http.StatusOK, "GET /chargers/CHARGER-001/notifications", "")
		if got := w.want(http.StatusOK, "GET /chargers/CHARGER-001", ""); !strings.Contains(got, `"firmwareStatus":null`) {
			t.Errorf("got %s", got)
		}
	}, func(c *apiv1.Config) { c.Devices = nil })
}
