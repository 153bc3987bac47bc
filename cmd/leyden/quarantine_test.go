package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
)

// A rawStation says what it is told to, and hears what it is answered.
type rawStation struct {
	t     *testing.T
	tr    ocpp.Transport
	heard chan string // closed at the end of the connection
}

func newRawStation(t *testing.T, p *process, id string) *rawStation {
	t.Helper()
	tr, err := dial(t.Context(), p.url, id, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawStation{t, tr, make(chan string, 1)}
	go func() {
		defer close(s.heard)
		for err == nil {
			err = tr.Receive(func(msg []byte) error {
				select {
				case s.heard <- string(msg):
					return nil
				case <-t.Context().Done():
					return t.Context().Err() // nobody listens any more
				}
			})
		}
	}()
	return s
}

// says sends a frame and wants an answer that begins so.
func (s *rawStation) says(frame, want string) {
	s.t.Helper()
	if err := s.tr.Send([]byte(frame)); err != nil {
		s.t.Fatal(err)
	}
	select {
	case got := <-s.heard: // "" if the connection ended
		if !strings.HasPrefix(got, want) {
			s.t.Fatalf("%s: answered %q; want %s…", frame, got, want)
		}
	case <-time.After(limit):
		s.t.Fatalf("%s: not answered within %v", frame, limit)
	}
}

// withInput runs a leyden that reads text, with or without the admin key, and
// returns what it said and how it ended.
func withInput(t *testing.T, text, key string, args ...string) (said string, err error) {
	t.Helper()
	cmd := exec.Command("leyden", args...)
	cmd.Stdin = strings.NewReader(text)
	p := startProcess(t, cmd, "LEYDEN_ADMIN_KEY="+key)
	err = p.wait()
	return p.stdout.String() + p.stderr.String(), err
}

// A start that a station got wrong is refused and kept. An operator repairs it
// beside the running server, and another one without a server; both are charges
// then.
func TestQuarantineIsReplayed(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open")
	s := newRawStation(t, p, "CP-1")
	for i := 1; i <= 3; i++ {
		s.says(fmt.Sprintf(`[2,"a%d","StartTransaction",{"connectorId":0,"idTag":"TAG","meterStart":%d,"timestamp":"2026-02-06T11:0%d:00Z"}]`, i, i, i),
			fmt.Sprintf(`[4,"a%d","PropertyConstraintViolation"`, i))
	}
	s.says(`[2,"h","Heartbeat",{}]`, `[3,"h",`)
	listed := must(t, "quarantine", "list", "--data", data)
	if strings.Count(listed, "waiting") != 3 || !strings.Contains(listed, "3   CP-1     StartTransaction  waiting") {
		t.Errorf("list: %s", listed)
	}
	if shown := must(t, "quarantine", "show", "1", "--data", data); !strings.Contains(shown, `frame           [2,"a1","StartTransaction",{"connectorId":0`) {
		t.Errorf("show: %s", shown)
	}

	repaired := func(i int) string {
		return fmt.Sprintf(`{"connectorId":%d,"idTag":"TAG","meterStart":%d,"timestamp":"2026-02-06T11:0%d:00Z"}`, i, i, i)
	}
	replay := func(key, text, want string, ok bool, args ...string) {
		t.Helper()
		args = append([]string{"quarantine", "replay", "--data", data, "--payload", "-"}, args...)
		if said, err := withInput(t, text, key, args...); (err == nil) != ok || !strings.Contains(said, want) {
			t.Errorf("leyden %s: %v\n%s\nwant %q", strings.Join(args, " "), err, said, want)
		}
	}
	replay("", repaired(1), "a server serves from the data folder and has to replay the message: give its admin key with --key or LEYDEN_ADMIN_KEY", false, "1")
	replay(adminKey, repaired(1), "the server at http://127.0.0.1:1 cannot be asked to replay the message", false, "1", "--url", "http://127.0.0.1:1")
	replay("wrong", repaired(1), "the server does not take the key", false, "1", "--url", p.url)
	replay(adminKey, repaired(0), "leyden: message 1 still cannot be recorded: PropertyConstraintViolation: connectorId is below 1; give a repaired payload", false, "1", "--url", p.url)
	replay(adminKey, `[]`, "--payload: the standard input holds no JSON object", false, "1", "--url", p.url)
	replay(adminKey, repaired(1), "Message 1 is recorded in transaction 1.", true, "1", "--url", p.url)
	replay(adminKey, repaired(1), "quarantined message 1 was released already", false, "1", "--url", p.url)
	replay(adminKey, repaired(1), "there is no message 9", false, "9", "--url", p.url)
	var charge struct{ ChargeBoxID, IDTag, Status string }
	p.get("/api/v1/transactions/1", &charge)
	if charge.ChargeBoxID != "CP-1" || charge.IDTag != "TAG" || charge.Status != "active" {
		t.Errorf("the charge of the replayed start: %+v", charge)
	}
	must(t, "quarantine", "dismiss", "2", "--reason", "twice", "--data", data)
	if r := p.call(http.MethodGet, "/api/v1/quarantine/2", adminKey, ""); !strings.Contains(r.body, `"by":"cli","dismissReason":"twice"`) {
		t.Errorf("dismissed beside the server: %s", r.body)
	}
	p.drain()

	replay("", repaired(0), "leyden: message 3 still cannot be recorded: PropertyConstraintViolation: connectorId is below 1; give a repaired payload", false, "3")
	replay("", repaired(3), "Message 3 is recorded in transaction", true, "3", "--id-tags", "open")
	replay("", repaired(3), "quarantined message 3 was released already", false, "3")
	replay("", repaired(3), "quarantined message 2 was dismissed already", false, "2")
	replay("", repaired(3), "there is no message 9", false, "9")
	if list := must(t, "transactions", "list", "--data", data, "--connector", "3"); strings.Count(list, "CP-1") != 1 || !strings.Contains(list, "active") {
		t.Errorf("transactions: %s", list)
	}
	if shown := must(t, "quarantine", "show", "3", "--data", data); !strings.Contains(shown, "by              cli\n") || !strings.Contains(shown, "status          released\n") {
		t.Errorf("show: %s", shown)
	}
	if log := must(t, "audit", "--operation", "leyden quarantine replay", "--data", data); strings.Count(log, "leyden quarantine replay") != 5 || strings.Count(log, " 200") != 1 {
		t.Errorf("audit log of replays in the folder: %s", log)
	}
	must(t, "check", "--data", data)
}
