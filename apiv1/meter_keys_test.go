package apiv1_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leyden"
)

func TestMeterKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		const path = "/chargers/CHARGER-001/meter-keys"
		body := w.want(200, "PUT "+path, `{"publicKey":"`+meterPoint+`","connectorId":1,"meterSerial":"1EMH01","note":"label"}`)
		id := field(t, body, "id")
		if !strings.Contains(body, `"connectorId":1,"meterSerial":"1EMH01","curve":"secp256r1","publicKey":"3059`) || !strings.Contains(body, `"note":"label","addedAt":"2026-02-06T12:00:00.000Z","addedBy":"key_`) {
			t.Errorf("registered: %s", body)
		}
		if got := w.want(200, "GET "+path+"/"+id, ""); got != body {
			t.Errorf("got %s, want %s", got, body)
		}
		// The same key of the same meter in another form is the same one.
		again := w.want(200, "PUT "+path, `{"publicKey":"oca:base16:asn1:`+field(t, body, "publicKey")+`","connectorId":1,"meterSerial":"1EMH01"}`)
		if field(t, again, "id") != id || !strings.Contains(again, `"note":null`) {
			t.Errorf("again: %s", again)
		}
		any := w.want(200, "PUT "+path, `{"publicKey":"`+meterPoint+`","curve":"P-256"}`)
		if field(t, any, "id") == id || !strings.Contains(any, `"connectorId":null,"meterSerial":null`) {
			t.Errorf("of any meter: %s", any)
		}
		var list struct {
			MeterKeys  []struct{ ID string }
			Reported   []struct{}
			Pagination struct{ Total int }
		}
		w.must(json.Unmarshal([]byte(w.want(200, "GET "+path+"?limit=1", "")), &list))
		if len(list.MeterKeys) != 1 || list.MeterKeys[0].ID != field(t, any, "id") || list.Pagination.Total != 2 || list.Reported == nil {
			t.Errorf("list: %+v", list)
		}
		if got := w.want(200, "DELETE "+path+"/"+id, ""); got != again {
			t.Errorf("removed: %s, want %s", got, again)
		}
		w.wantError("GET "+path+"/"+id, "", 404, "NOT_FOUND", "meter key "+id+": not found")
		w.wantError("DELETE "+path+"/"+id, "", 404, "NOT_FOUND", "meter key "+id+": not found")
	})
}

func TestMeterKeyInput(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		const put = "PUT /chargers/CHARGER-001/meter-keys"
		for _, c := range []struct{ body, message string }{
			{`{}`, "publicKey: is required"},
			{`{"publicKey":"???"}`, "publicKey: it is neither hex nor base64 nor PEM"},
			{`{"publicKey":"` + meterPoint + `","curve":"secp256k1"}`, "publicKey: it is no point on secp256k1"},
			{`{"publicKey":"` + meterPoint + `","curve":"x"}`, `publicKey: no curve "x" is known`},
			{`{"publicKey":"` + meterPoint + `","connectorId":-1}`, "connectorId: expected number >= 0"},
		} {
			w.wantError(put, c.body, 400, "VALIDATION_ERROR", c.message)
		}
		w.wantError("PUT /chargers/NOBODY/meter-keys", `{"publicKey":"`+meterPoint+`"}`, 404, "NOT_FOUND", "charger NOBODY: not found")
		for i := range leyden.MaxMeterKeys {
			w.want(200, put, fmt.Sprintf(`{"publicKey":%q,"meterSerial":"%d"}`, meterPoint, i))
		}
		w.wantError(put, `{"publicKey":"`+meterPoint+`"}`, 409, "CONFLICT", "charger CHARGER-001 has 100 meter keys: remove one first")
		w.want(200, put, `{"publicKey":"`+meterPoint+`","meterSerial":"7","note":"one of them"}`)
	})
}

// Keys that a charger tells in its settings are shown, and prove nothing.
func TestReportedMeterKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		defer s.end()
		s.says("GetConfiguration", answering(`{"configurationKey":[{"key":"MeterPublicKey[2]","readonly":true,"value":"`+meterPoint+`"},`+
			`{"key":"meterpublickey1","readonly":true,"value":"no key"},{"key":"MeterPublicKey","readonly":true,"value":""},{"key":"MeterPublicKeyOther","readonly":true,"value":"x"}]}`))
		w.want(200, "POST /chargers/CHARGER-001/configuration/get", `{}`)
		body := w.want(200, "GET /chargers/CHARGER-001/meter-keys", "")
		want := `"reported":[{"connectorId":2,"publicKey":"` + meterPoint + `","curve":"secp256r1","source":"MeterPublicKey[2]","seenAt":"2026-02-06T12:00:00.000Z","registered":false},` +
			`{"connectorId":1,"publicKey":"no key","curve":null,"source":"meterpublickey1","seenAt":"2026-02-06T12:00:00.000Z","registered":false}]`
		if !strings.Contains(body, want) || !strings.Contains(body, `"meterKeys":[]`) {
			t.Errorf("got %s\nwant %s", body, want)
		}
	})
}
