package v16_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// FuzzDecode decodes a payload as every message of one action. No payload makes
// it panic; it is JSON exactly when encoding/json says so, apart from the three
// faults that are ours; and what has no violations is written in a form that
// reads the same again.
func FuzzDecode(f *testing.F) {
	for i, payload := range []string{
		startPayload, stopPayload, meterPayload, `{}`, ` null `, `{"status":"Accepted"}`, `{"idTagInfo":{"status":"Accepted"},"transactionId":1}`,
		`{"key":["a","\ud83d\ude00"]}`, `{"a":[1.5e-3,-0,true,null,{}],"A":1}`, `{"reservationId":1e99,"reservationId":2}`,
		`{"connectorId":1,"idTag":"T","chargingProfile":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute",` +
			`"chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.1}]}}}`,
	} {
		for n := range 4 {
			f.Add(uint8(i*4+n), payload)
		}
	}
	actions := v16.Actions()
	f.Fuzz(func(t *testing.T, n uint8, payload string) {
		action := actions[int(n)%len(actions)]
		fuzzOne(t, func() ocpp.Response { return v16.NewRequest(action) }, payload)
		fuzzOne(t, func() ocpp.Response { return v16.NewResponse(action) }, payload)
	})
}

func fuzzOne(t *testing.T, empty func() ocpp.Response, payload string) {
	t.Helper()
	var v ocpp.Violations
	m := empty()
	err := m.Decode(payload, &v)
	sound := json.Valid([]byte(payload)) && utf8.ValidString(payload) && strings.HasPrefix(strings.TrimLeft(payload, " \t\r\n"), "{")
	if err == nil && !sound && strings.Trim(payload, " \t\r\n") != "null" {
		t.Fatalf("%T: %q was decoded", m, payload)
	}
	if err != nil && sound && !ours(err) {
		t.Fatalf("%T: %q: %v", m, payload, err)
	}
	if err != nil || len(v.List) > 0 {
		return
	}
	out := string(m.AppendJSON(nil))
	again := empty()
	if err := again.Decode(out, &v); err != nil || len(v.List) > 0 {
		t.Fatalf("%T: %q was written as %s: %v, %v", m, payload, out, err, v.List)
	}
	if got := string(again.AppendJSON(nil)); got != out {
		t.Fatalf("%T: %q was written as %s, then as %s", m, payload, out, got)
	}
}

// ours reports whether err is about what JSON itself allows.
func ours(err error) bool {
	e, ok := errors.AsType[*ocpp.Error](err)
	return ok && (strings.Contains(e.Description, "is there twice") || strings.Contains(e.Description, "is not written as") ||
		strings.Contains(e.Description, "nested too deep"))
}
