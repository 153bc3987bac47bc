package apiv1_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"leyden"
	"leyden/ocpp"
)

// A command is one route, what it makes of its body, and how it answers.
type command struct {
	path, body    string
	action, sent  string // what the charger gets
	answer, reply string // what it answers, and what the client gets
}

func commands() []command {
	return []command{
		{"reset", `{"type":"Hard"}`, "Reset", `{"type":"Hard"}`, `{"status":"Accepted"}`, `{"status":"Accepted"}`},
		{"unlock", `{"connectorId":1}`, "UnlockConnector", `{"connectorId":1}`, `{"status":"UnlockFailed"}`, `{"status":"UnlockFailed"}`},
		{"availability", `{"connectorId":0,"type":"Inoperative"}`, "ChangeAvailability", `{"connectorId":0,"type":"Inoperative"}`, `{"status":"Scheduled"}`, `{"status":"Scheduled"}`},
		{"cache/clear", ``, "ClearCache", `{}`, `{"status":"Accepted"}`, `{"status":"Accepted"}`},
		{"trigger", `{"requestedMessage":"Heartbeat"}`, "TriggerMessage", `{"requestedMessage":"Heartbeat"}`, `{"status":"NotImplemented"}`, `{"status":"NotImplemented"}`},
		{"trigger", `{"requestedMessage":"MeterValues","connectorId":2}`, "TriggerMessage", `{"requestedMessage":"MeterValues","connectorId":2}`, `{"status":"Accepted"}`, `{"status":"Accepted"}`},
		{"configuration/change", `{"key":"HeartbeatInterval","value":"300"}`, "ChangeConfiguration", `{"key":"HeartbeatInterval","value":"300"}`, `{"status":"RebootRequired"}`, `{"status":"RebootRequired"}`},
		{
			"configuration/get", `{"keys":["A","B"]}`, "GetConfiguration", `{"key":["A","B"]}`,
			`{"configurationKey":[{"key":"A","readonly":true,"value":"1"},{"key":"S","readonly":false}],"unknownKey":["B"]}`,
			`{"configurationKey":[{"key":"A","readonly":true,"value":"1"},{"key":"S","readonly":false,"value":null}],"unknownKey":["B"]}`,
		},
		{"configuration/get", ``, "GetConfiguration", `{}`, `{}`, `{"configurationKey":[],"unknownKey":[]}`},
		{"configuration/get", `{}`, "GetConfiguration", `{}`, `{}`, `{"configurationKey":[],"unknownKey":[]}`},
		{"data-transfer", `{"vendorId":"com.example"}`, "DataTransfer", `{"vendorId":"com.example"}`, `{"status":"UnknownVendorId"}`, `{"status":"UnknownVendorId","data":null}`},
		{
			"data-transfer", `{"vendorId":"com.example","messageId":"m","data":"{}"}`, "DataTransfer", `{"vendorId":"com.example","messageId":"m","data":"{}"}`,
			`{"status":"Accepted","data":"yes"}`, `{"status":"Accepted","data":"yes"}`,
		},
		{
			"charging-profiles", `{"connectorId":1,"profile":` + profileOf + `}`, "SetChargingProfile",
			`{"connectorId":1,"csChargingProfiles":` + profileOf + `}`, `{"status":"NotSupported"}`, `{"status":"NotSupported"}`,
		},
		{"charging-profiles/clear", ``, "ClearChargingProfile", `{}`, `{"status":"Unknown"}`, `{"status":"Unknown"}`},
		{
			"composite-schedule", `{"connectorId":0,"duration":60}`, "GetCompositeSchedule", `{"connectorId":0,"duration":60}`,
			`{"status":"Accepted"}`, `{"status":"Accepted","connectorId":null,"scheduleStart":null,"chargingSchedule":null}`,
		},
		{
			"trigger", `{"requestedMessage":"LogStatusNotification"}`, "ExtendedTriggerMessage", `{"requestedMessage":"LogStatusNotification"}`,
			`{"status":"NotImplemented"}`, `{"status":"NotImplemented"}`,
		},
		{
			"firmware/update", `{"location":"ftp://files.example/f","retries":2}`, "UpdateFirmware",
			`{"location":"ftp://files.example/f","retries":2,"retrieveDate":"2026-02-06T12:00:00.000Z"}`, `{}`, `{"status":null}`,
		},
		{"diagnostics", `{"location":"ftp://files.example/d"}`, "GetDiagnostics", `{"location":"ftp://files.example/d"}`, `{"fileName":"d.zip"}`, `{"fileName":"d.zip"}`},
		{
			"log", `{"logType":"SecurityLog","remoteLocation":"ftp://files.example/d"}`, "GetLog",
			`{"log":{"remoteLocation":"ftp://files.example/d"},"logType":"SecurityLog","requestId":3153600}`,
			`{"status":"AcceptedCanceled"}`, `{"status":"AcceptedCanceled","requestId":3153600,"filename":null}`,
		},
		{"local-list/version", ``, "GetLocalListVersion", `{}`, `{"listVersion":3}`, `{"listVersion":3,"supported":true}`},
		{
			"local-list", `{"updateType":"Full","listVersion":4}`, "SendLocalList", `{"listVersion":4,"updateType":"Full"}`,
			`{"status":"Failed"}`, `{"status":"Failed","listVersion":3}`,
		},
	}
}

// cannotReject tells the actions whose answers have no Rejected.
func cannotReject(action string) bool {
	switch action {
	case "GetConfiguration", "UnlockConnector", "GetLocalListVersion", "SendLocalList", "UpdateFirmware", "GetDiagnostics":
		return true
	}
	return false
}

func TestCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		for _, c := range commands() {
			line := "POST /chargers/CHARGER-001/" + c.path
			s.says(c.action, answering(c.answer))
			if got := w.want(http.StatusOK, line, c.body); got != c.reply {
				t.Errorf("%s %s: got %s, want %s", line, c.body, got, c.reply)
			}
			if sent := s.calls(c.action); sent[len(sent)-1] != c.sent {
				t.Errorf("%s %s: the charger was sent %s, want %s", line, c.body, sent[len(sent)-1], c.sent)
			}
			s.says(c.action, failing(ocpp.NotSupported, "not here"))
			details := w.wantError(line, c.body, 502, "CHARGER_ERROR", "the charger answered with an error")
			if got := fmt.Sprint(details); got != "[{ocppErrorCode NotSupported} {ocppErrorDescription not here}]" {
				t.Errorf("%s: details %s", line, got)
			}
			if cannotReject(c.action) {
				continue
			}
			s.says(c.action, answering(`{"status":"Rejected"}`))
			w.wantError(line, c.body, 409, "REJECTED_BY_CHARGER", "the charger rejected the command")
		}
		s.says("DataTransfer", answering(`{"status":"Rejected","data":"no tariff"}`))
		details := w.wantError("POST /chargers/CHARGER-001/data-transfer", `{"vendorId":"v"}`, 409, "REJECTED_BY_CHARGER", "the charger rejected the command")
		if fmt.Sprint(details) != "[{data no tariff}]" {
			t.Errorf("details: %v", details)
		}
	})
}

func TestCommandsToAnOfflineCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		for _, c := range commands() {
			w.wantError("POST /chargers/CHARGER-001/"+c.path, c.body, 503, "SERVICE_UNAVAILABLE", "the charger is not connected")
			w.wantError("POST /chargers/NOWHERE/"+c.path, c.body, 404, "NOT_FOUND", "charger NOWHERE: not found")
		}
	})
}

func TestCommandsToASilentCharger(t *testing.T) {
	inWorld(t, func(w *world) {
		for i, c := range commands() {
			id := fmt.Sprintf("C%d", i)
			s := w.connect(leyden.StationID(id))
			s.ignores(c.action)
			w.wantError("POST /chargers/"+id+"/"+c.path, c.body, 504, "CHARGER_TIMEOUT", "the charger did not answer in time; it may still act")
			s.end()
		}
	})
}

// A charger that is slow gets one command at a time; too many of them are
// refused at once.
func TestTooManyCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.ignores("ClearCache")
		const line = "POST /chargers/CHARGER-001/cache/clear"
		var waiting sync.WaitGroup
		for range ocpp.MaxQueuedCalls + 1 {
			waiting.Go(func() { w.do(line, "") })
		}
		synctest.Wait()
		w.wantError(line, "", 429, "RATE_LIMIT_ERROR", "too many commands wait for the charger")
		wantHeader(t, w.do(line, ""), "Retry-After", "5")
		s.end()
		waiting.Wait()
	})
}

func TestCommandInput(t *testing.T) {
	cases := []struct{ path, body, message string }{
		{"reset", ``, "body: is required"},
		{"reset", `{}`, "type: is required"},
		{"reset", `{"type":"soft"}`, `type: expected value to be one of "Hard, Soft"`},
		{"unlock", `{"connectorId":0}`, "connectorId: expected number >= 1"},
		{"availability", `{"connectorId":-1,"type":"Operative"}`, "connectorId: expected number >= 0"},
		{"availability", `{"connectorId":1,"type":"On"}`, `type: expected value to be one of "Operative, Inoperative"`},
		{"trigger", `{"requestedMessage":"Reset"}`, `requestedMessage: expected value to be one of "BootNotification, DiagnosticsStatusNotification, FirmwareStatusNotification, Heartbeat, LogStatusNotification, MeterValues, SignChargePointCertificate, StatusNotification"`},
		{"trigger", `{"requestedMessage":"Heartbeat","connectorId":0}`, "connectorId: expected number >= 1"},
		{"configuration/get", `{"keys":[""]}`, "keys[0]: expected length >= 1"},
		{"configuration/change", `{"key":"","value":"1"}`, "key: expected length >= 1"},
		{"configuration/change", `{"key":"A"}`, "value: is required"},
		{"data-transfer", `{"data":"x"}`, "vendorId: is required"},
		{"data-transfer", `{"vendorId":"v","messageId":""}`, "messageId: expected length >= 1"},
	}
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		for _, c := range cases {
			w.wantError("POST /chargers/CHARGER-001/"+c.path, c.body, 400, "VALIDATION_ERROR", c.message)
		}
		if heard := len(s.calls("Reset")) + len(s.calls("UnlockConnector")); heard != 0 {
			t.Errorf("the charger heard of %d", heard)
		}
	})
}
