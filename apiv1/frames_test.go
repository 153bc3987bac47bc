package apiv1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/memory"
)

// withJournal gives the façade a journal.
func withJournal(j leyden.Journal) func(*apiv1.Config) {
	return func(c *apiv1.Config) { c.Journal = j }
}

// conversation writes the frames of a short charge, one a minute from noon on.
func conversation(t *testing.T, j leyden.Journal) {
	t.Helper()
	frames := []leyden.Frame{
		{Sent: true, Type: leyden.FrameCall, MessageID: "a1", Action: "RemoteStartTransaction", Transaction: 1, Text: `[2,"a1","RemoteStartTransaction",{"connectorId":1,"idTag":"USER123"}]`},
		{Type: leyden.FrameResult, MessageID: "a1", Action: "RemoteStartTransaction", Transaction: 1, Text: `[3,"a1",{"status":"Accepted"}]`},
		{Type: leyden.FrameCall, MessageID: "1", Action: "Heartbeat", Text: `[2,"1","Heartbeat",{}]`},
		{Sent: true, Type: leyden.FrameResult, MessageID: "1", Action: "Heartbeat", Text: `[3,"1",{"currentTime":"2026-02-06T12:03:00.000Z"}]`},
		{Type: leyden.FrameBroken, Text: `[2,`},
		{Sent: true, Type: leyden.FrameError, MessageID: "-1", Text: `[4,"-1","FormationViolation","not JSON at byte 3",{}]`},
	}
	for i := range frames {
		frames[i].Station, frames[i].At = "CHARGER-001", noon.Add(time.Duration(i)*time.Minute)
	}
	other := frames[0]
	other.Station = "CHARGER-002"
	if err := j.WriteFrames(t.Context(), append(frames, other)); err != nil {
		t.Fatal(err)
	}
}

func TestFrames(t *testing.T) {
	j := memory.NewJournal(leyden.JournalLimits{}, func() time.Time { return noon })
	conversation(t, j)
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		file := w.do("GET /chargers/CHARGER-001/frames?format=ndjson", "")
		if total, counted := file.Header()["X-Total-Count"]; counted || file.Result().Trailer.Get("X-Row-Count") != "6" {
			t.Errorf("of a list that is not counted %v rows are expected, and %v come", total, file.Result().Trailer)
		}
		w.golden("frames", w.want(200, "GET /chargers/CHARGER-001/frames?limit=500", ""))
		for _, c := range []struct{ query, want string }{
			{"", "6 5 4 3 2 1 -"},
			{"order=asc", "1 2 3 4 5 6 6"},
			{"limit=2", "6 5 5"},
			{"limit=2&after=5", "4 3 3"},
			{"limit=2&after=2", "1 -"},
			{"limit=4&order=asc", "1 2 3 4 4"},
			{"order=asc&after=4", "5 6 6"},
			{"order=asc&after=6", "6"},
			{"order=asc&transactionId=2", "-"},
			{"action=Heartbeat", "4 3 -"},
			{"transactionId=1", "2 1 -"},
			{"direction=in", "5 3 2 -"},
			{"direction=out&type=error", "6 -"},
			{"from=2026-02-06T12:02:00Z&to=2026-02-06T12:04:00Z", "4 3 -"},
			{"action=Heartbeat&transactionId=1", "-"},
		} {
			if got := seqs(t, w.want(200, "GET /chargers/CHARGER-001/frames?"+c.query, "")); got != c.want {
				t.Errorf("%s: got %s, want %s", c.query, got, c.want)
			}
		}
		for _, query := range []string{"order=up", "direction=both", "type=x", "limit=0", "limit=501", "after=-1", "transactionId=0", "from=yesterday", "sort=seq"} {
			w.want(400, "GET /chargers/CHARGER-001/frames?"+query, "")
		}
		w.want(404, "GET /chargers/CHARGER-009/frames", "")
		w.key = w.keyWith("chargers:read")
		w.want(200, "GET /chargers/CHARGER-001/frames", "")
		w.key = w.keyWith("transactions:read", "chargers:control")
		w.want(403, "GET /chargers/CHARGER-001/frames", "")
	}, withJournal(j))
}

// seqs returns the numbers of the frames in a body, and nextAfter.
func seqs(t *testing.T, body string) string {
	t.Helper()
	var list struct {
		Frames    []struct{ Seq int64 }
		NextAfter *int64
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range list.Frames {
		text += fmt.Sprint(f.Seq, " ")
	}
	if list.NextAfter == nil {
		return text + "-"
	}
	return text + fmt.Sprint(*list.NextAfter)
}

func TestTransactionFrames(t *testing.T) {
	j := memory.NewJournal(leyden.JournalLimits{}, func() time.Time { return noon })
	conversation(t, j)
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		started, err := w.ledger.Record(t.Context(), leyden.Event{
			Kind: leyden.Started, Station: "CHARGER-001", At: noon, Connector: 1, Token: leyden.IDToken{Value: "USER123"},
		}, "")
		w.must(err)
		for _, id := range []string{"1", started.Transaction.PublicID} {
			if got := seqs(t, w.want(200, "GET /transactions/"+id+"/frames?order=asc", "")); got != "1 2 2" {
				t.Errorf("transaction %s: got %s", id, got)
			}
		}
		if got := seqs(t, w.want(200, "GET /transactions/1/frames?direction=in", "")); got != "2 -" {
			t.Errorf("of the charger: got %s", got)
		}
		w.want(404, "GET /transactions/2/frames", "")
		w.key = w.keyWith("chargers:read")
		w.want(403, "GET /transactions/1/frames", "")
	}, withJournal(j))
}

// deadJournal has lost its disk.
type deadJournal struct{ leyden.Journal }

func (deadJournal) Frames(context.Context, leyden.FrameQuery) ([]leyden.Frame, error) {
	return nil, errors.New("the disk is gone")
}

func TestFramesWithoutJournal(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		w.wantError("GET /chargers/CHARGER-001/frames", "", 409, "CONFLICT", "this server keeps no journal of messages")
	})
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		w.wantError("GET /chargers/CHARGER-001/frames", "", 503, "SERVICE_UNAVAILABLE", "storage is unavailable; try again later")
	}, withJournal(deadJournal{}))
}
