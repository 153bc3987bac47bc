package sqlite

import (
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/device"
)

// TestDevicePlans: what is kept of stations is found, and the oldest forgotten,
// without looking at all of it, and lists read an index in its order.
func TestDevicePlans(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	commands := func(q device.CommandQuery) string { return commandList(&q).sql() }
	notes := func(q device.NotificationQuery) string { return notificationList(&q).sql() }
	certificates := func(q device.CertificateQuery) string { return certificateList(&q).sql() }
	for _, test := range []struct{ sql, want string }{
		{forgetCommand, "COVERING INDEX commands_by_station (station=?)"},
		{forgetCertificate, "COVERING INDEX certificates_by_station (station=?)"},
		{forgetNotification, "COVERING INDEX notifications_by_station_kind (station=? AND kind=?)"},
		{forgetProfiles, "(station=?)"},
		{forgetLocalList, "(station=?)"},
		{forgetCertificates, "certificates_by_station (station=?)"},
		{leaveCommands, "commands_running"},
		{commands(device.CommandQuery{}), "SCAN commands USING INDEX commands_by_time"},
		{commands(device.CommandQuery{Station: "S"}), "commands_by_station (station=?)"},
		{commands(device.CommandQuery{Action: "Reset"}), "commands_by_action (action=?)"},
		{commands(device.CommandQuery{By: "B"}), "commands_by_caller (by=?)"},
		{commands(device.CommandQuery{Station: "S", Action: "Reset", By: "B"}), "commands_by_station (station=?)"},
		{commands(device.CommandQuery{Action: "Reset", By: "B"}), "commands_by_caller (by=?)"},
		{notes(device.NotificationQuery{}), "SCAN notifications"},
		{notes(device.NotificationQuery{Station: "S"}), "notifications_by_station (station=?)"},
		{notes(device.NotificationQuery{Station: "S", Kind: "K", Type: "T"}), "notifications_by_station_kind (station=? AND kind=?)"},
		{notes(device.NotificationQuery{Kind: "K"}), "notifications_by_kind (kind=?)"},
		{notes(device.NotificationQuery{Type: "T"}), "notifications_by_type (type=?)"},
		{notes(device.NotificationQuery{Station: "S", RequestID: new(1)}), "notifications_by_request (request_id=?)"},
		{certificates(device.CertificateQuery{}), "SCAN certificates USING INDEX certificates_by_time"},
		{certificates(device.CertificateQuery{Station: "S"}), "certificates_by_station (station=?)"},
		{certificates(device.CertificateQuery{Status: device.Requested}), "certificates_by_status (status=?)"},
		{certificates(device.CertificateQuery{Station: "S", Status: device.Requested}), "certificates_by_station (station=?)"},
		{installedProfiles, "charging_profiles_2 (station=?)"},
		{clearProfiles, "(station=?)"},
		{templateList, "SEARCH profile_templates USING INDEX profile_templates_by_time"},
	} {
		plan := explain(t, db, test.sql)
		if !strings.Contains(plan, test.want) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nis done by %s; want %s and no sorting", test.sql, plan, test.want)
		}
	}
	received := notes(device.NotificationQuery{Kind: "K", Received: window})
	if plan := explain(t, db, received); !strings.Contains(plan, "notifications_by_receipt (received_at>? AND received_at<?)") {
		t.Errorf("%s\nis done by %s", received, plan)
	}
}
