package csms_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"leyden"
)

// A station cannot fill the quarantine with what tells of no transaction; what
// tells of one is always kept.
func TestQuarantineHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		s := w.connect("CP-1")
		defer s.close()
		refused := func(action, payload string) {
			t.Helper()
			s.send(fmt.Sprintf(`[2,"m",%q,%s]`, action, payload))
			if got := s.next(); !strings.HasPrefix(got, `[4,"m",`) {
				t.Fatalf("%s %.80s: got %.80s; want an error", action, payload, got)
			}
		}
		waiting := func(aside bool) int {
			t.Helper()
			n, err := w.store.CountQuarantined(t.Context(), leyden.QuarantineQuery{
				Station: "CP-1", Status: leyden.QuarantineWaiting, Aside: aside,
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		refused("Heartbeat", `{"a":1,"a":"`+strings.Repeat("x", 70_000)+`"}`)
		if n := waiting(true); n != 0 {
			t.Errorf("%d messages aside after a long one; want none", n)
		}
		for i := range 150 {
			refused("Heartbeat", fmt.Sprintf(`{"a":1,"a":%d}`, i))
		}
		if n := waiting(true); n != 100 {
			t.Errorf("%d messages aside; want 100", n)
		}
		for i := range 150 {
			refused("StartTransaction", fmt.Sprintf(`{"a":1,"a":%d}`, i))
		}
		refused("StartTransaction", `{"a":1,"a":"`+strings.Repeat("x", 70_000)+`"}`)
		if n := waiting(false); n != 251 {
			t.Errorf("%d messages wait; want 100 aside and 151 others", n)
		}
		if _, err := w.server.Dismiss(t.Context(), 1, ""); err != nil {
			t.Fatal(err)
		}
		refused("Heartbeat", `{"a":1,"a":150}`)
		if n := waiting(true); n != 100 {
			t.Errorf("%d messages aside after one was dismissed; want 100", n)
		}
	})
}

// What tells of no transaction is kept without the secrets in it; what tells of
// one is kept as it came.
func TestQuarantineKeepsNoSecret(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	s := w.connect("CP-1")
	defer s.close()
	for _, c := range []struct{ sent, kept string }{
		{
			`[2,"1","DataTransfer",{"vendorId":"V","messageId":"SetApiKey","data":"hunter2","data":"hunter2"}]`,
			`[2,"1","DataTransfer",{"vendorId":"V","messageId":"SetApiKey","data":"***","data":"***"}]`,
		},
		{
			`[2,"2","SecurityEventNotification",{"type":"x","type":"y","techInfo":"ftp://u:hunter2@h/"}]`,
			`[2,"2","SecurityEventNotification",{"type":"x","type":"y","techInfo":"ftp://u:***@h/"}]`,
		},
		{
			`[2,"3","Heartbeat",{"password=hunter2":1,"password=hunter2":2}]`,
			`[2,"3","Heartbeat",{"password=***":"***","password=***":"***"}]`,
		},
		{
			`[2,"4","StartTransaction",{"connectorId":1,"connectorId":2,"idTag":"USER123","password":"a","note":"u:p@host.example/"}]`,
			`[2,"4","StartTransaction",{"connectorId":1,"connectorId":2,"idTag":"USER123","password":"a","note":"u:p@host.example/"}]`,
		},
	} {
		s.send(c.sent)
		if got := s.next(); !strings.HasPrefix(got, `[4,`) {
			t.Fatalf("%s: got %s; want an error", c.sent, got)
		}
		kept, err := w.store.Quarantined(t.Context(), leyden.QuarantineQuery{Station: "CP-1", Limit: 1})
		if err != nil || len(kept) != 1 || kept[0].Frame != c.kept || strings.Contains(kept[0].Reason, "hunter2") {
			t.Errorf("%s: kept %+v, %v; want %s", c.sent, kept, err, c.kept)
		}
	}
}
