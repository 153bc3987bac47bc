package apiv1_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"leyden/ocpp"
)

// Replies to commands, refusals too, name the record of the command, which says
// who asked and what came of it.
func TestCommandLife(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.register("CHARGER-002")
		reply := w.do("POST /chargers/CHARGER-001/reset", `{"type":"Soft"}`)
		id := reply.Header().Get("X-Command-ID")
		if !regexp.MustCompile(`^cmd_[a-z2-7]{26}$`).MatchString(id) {
			t.Fatalf("X-Command-ID: %q", id)
		}
		w.golden("command", regexp.MustCompile(`"by":"key_[a-z2-7]{26}"`).ReplaceAllString(
			w.want(http.StatusOK, "GET /chargers/CHARGER-001/commands/"+id, ""), `"by":"key_…"`))
		w.wantError("GET /chargers/CHARGER-002/commands/"+id, "", 404, "NOT_FOUND", "command "+id+": not found")
		w.wantError("GET /chargers/CHARGER-001/commands/cmd_x", "", 404, "NOT_FOUND", "command cmd_x: not found")

		for answer, status := range map[string]ocpp.Reply{"Rejected": answering(`{"status":"Rejected"}`), "NotSupported": failing(ocpp.NotSupported, "no")} {
			s.says("ClearCache", status)
			id := w.do("POST /chargers/CHARGER-001/cache/clear", "").Header().Get("X-Command-ID")
			if got := w.want(http.StatusOK, "GET /chargers/CHARGER-001/commands/"+id, ""); !strings.Contains(got, answer) {
				t.Errorf("%s is on record as %s", answer, got)
			}
		}
		if got := w.want(http.StatusOK, "GET /chargers/CHARGER-001/commands?action=ClearCache&limit=1", ""); !strings.Contains(got, `"total":2,"limit":1`) {
			t.Errorf("of one action: %s", got)
		}
		if got := w.want(http.StatusOK, "GET /chargers/CHARGER-002/commands", ""); got != `{"commands":[],"pagination":{"total":0,"limit":50,"offset":0}}` {
			t.Errorf("of a charger that was asked nothing: %s", got)
		}
		wantHeader(t, w.do("POST /chargers/CHARGER-002/reset", `{"type":"Soft"}`), "X-Command-ID", "")
		w.want(http.StatusAccepted, "POST /chargers/CHARGER-001/remote-start", remoteStart)
		if got := w.want(http.StatusOK, "GET /chargers/CHARGER-001/commands?action=RemoteStartTransaction", ""); !strings.Contains(got, `"by":"key_`) {
			t.Errorf("of a remote start: %s", got)
		}
	})
}

// What a message may be, and what comes of it, is the business of csms: here it
// matters how it reads.
func TestCall(t *testing.T) {
	const line = "POST /chargers/CHARGER-001/call"
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		s.says("GetLocalListVersion", answering(`{"listVersion":3}`))
		if got := w.want(http.StatusOK, line, `{"action":"GetLocalListVersion"}`); got != `{"status":"answered","result":{"listVersion":3}}` {
			t.Errorf("answered: %s", got)
		}
		s.says("GetLocalListVersion", failing(ocpp.NotSupported, "no"))
		if got := w.want(http.StatusOK, line, `{"action":"GetLocalListVersion","payload":{}}`); got != `{"status":"error","result":null,"error":{"code":"NotSupported","description":"no","details":null}}` {
			t.Errorf("an error: %s", got)
		}
		w.wantError(line, `{}`, 400, "VALIDATION_ERROR", "action: is required")
		w.wantError(line, `{"action":"Reset","payload":{"type":"Now"}}`, 400, "VALIDATION_ERROR", "payload.type: is not one of the listed values")
		w.wantError(line, `{"action":"Reset","payload":{"type":"Soft","TYPE":"Soft"}}`, 400, "VALIDATION_ERROR", "payload.TYPE: is given more than once")
		w.wantError(line, `{"action":"Reset","payload":"Soft"}`, 400, "VALIDATION_ERROR", "payload: is not an object")
		large := `{"action":"DataTransfer","payload":{"vendorId":"v","data":"` + strings.Repeat("x", 3<<20) + `"}}`
		w.want(http.StatusOK, line, large)
		if got := s.calls("DataTransfer"); len(got) != 1 || len(got[0]) < 3<<20 {
			t.Errorf("the charger was sent %d messages", len(got))
		}
		w.wantError(line, large[:len(large)-3]+strings.Repeat("x", 1<<20)+`"}}`, 413, "PAYLOAD_TOO_LARGE", "the body is larger than 4194304 bytes")
	})
}
