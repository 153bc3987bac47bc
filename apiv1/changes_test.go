package apiv1_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/feed"
	"leyden/rest/barrage"
)

// An event is what a client reads of a change.
type event struct {
	ID, Event, Timestamp string
	Seq                  int64
	Data                 map[string]any
}

type changes struct {
	Events  []event
	LastSeq int64
}

func (w *world) changes(query string) (c changes) {
	w.t.Helper()
	body := w.want(200, "GET /changes"+query, "")
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	return c
}

func topicsOf(events []event) []string {
	var topics []string
	for _, e := range events {
		topics = append(topics, e.Event)
	}
	return topics
}

// charge lets a charger be plugged in, charge, tell a reading and stop.
func (s *station) charge() int {
	s.status("Preparing")
	id := s.start(1000)
	s.meter(id, `{"value":"2000","measurand":"Energy.Active.Import.Register"}`)
	time.Sleep(10 * time.Minute)
	s.stop(id, 15000, "")
	return id
}

// settle lets the ledger write what it writes behind.
func (w *world) settle() {
	w.t.Helper()
	w.must(w.ledger.Flush(w.t.Context()))
}

func TestChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		id := s.charge()
		w.settle()
		s.end()
		w.settle()
		all := w.changes("")
		want := []string{
			"transaction.started", "transaction.updated", "transaction.stopped",
			"charger.connected", "charger.boot", "connector.status_changed", "charger.disconnected",
		}
		if got := topicsOf(all.Events); !slices.Equal(got, want) || all.LastSeq != 7 {
			t.Fatalf("got %v up to %d, want %v", got, all.LastSeq, want)
		}
		for i, e := range all.Events {
			if e.Seq != int64(i)+1 || e.ID != "evt_"+strconv.Itoa(i+1) {
				t.Errorf("event %d is %+v", i, e)
			}
		}
		// Started shows what was then, updated what is now, stopped what the API gives.
		if d := all.Events[0].Data; d["status"] != "active" || d["stopTime"] != nil || d["durationMinutes"] != 0.0 {
			t.Errorf("started: %v", d)
		}
		if d := all.Events[1].Data; d["status"] != "completed" {
			t.Errorf("updated: %v", d)
		}
		body := w.want(200, fmt.Sprintf("GET /transactions/%d", id), "")
		var now map[string]any
		w.must(json.Unmarshal([]byte(body), &now))
		delete(now, "signature")
		for name, value := range now {
			if got := all.Events[2].Data[name]; fmt.Sprint(got) != fmt.Sprint(value) {
				t.Errorf("stopped: %s is %v, want %v", name, got, value)
			}
		}
		w.golden("changes", w.want(200, "GET /changes?after=3", ""))

		page := w.changes("?limit=2")
		if len(page.Events) != 2 || page.LastSeq != 2 {
			t.Errorf("a page is %+v", page)
		}
		if end := w.changes("?after=7&wait=3"); len(end.Events) != 0 || end.LastSeq != 7 {
			t.Errorf("the end is %+v", end)
		}
	})
}

func TestChangesFiltered(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("A"), w.connect("B")
		first, _ := a.charge(), b.charge()
		w.settle()
		a.end()
		b.end()
		for _, c := range []struct {
			query string
			want  int
		}{
			{"?events=transaction.started", 2},
			{"?events=transaction.started,transaction.stopped&chargeBoxId=B", 2},
			{"?chargeBoxId=A", 6},
			{"?chargeBoxId=nobody", 0},
			{fmt.Sprintf("?transactionId=%d", first), 3},
			{"?events=transaction.failed", 0},
			{"?after=latest", 0},
		} {
			got := w.changes(c.query)
			if len(got.Events) != c.want || got.LastSeq != 12 {
				t.Errorf("%s: %v up to %d, want %d of them", c.query, topicsOf(got.Events), got.LastSeq, c.want)
			}
		}
		w.wantError("GET /changes?transactionId=99", "", 404, "NOT_FOUND", "there is no transaction 99")
		w.wantError("GET /changes?after=13", "", 410, "GONE", "there is no change 13: the newest is 12")
		for _, bad := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=1001", "?wait=61", "?events=nothing", "?transactionId=x"} {
			if out := w.do("GET /changes"+bad, ""); out.Code != 400 {
				t.Errorf("%s: got %d", bad, out.Code)
			}
		}
	})
}

// Who may not read chargers does not see what happens to them.
func TestChangesByScope(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		s.charge()
		w.settle()
		s.end()
		w.key = w.keyWith("transactions:read")
		if got := w.changes(""); len(got.Events) != 3 || got.LastSeq != 6 {
			t.Errorf("got %v up to %d", topicsOf(got.Events), got.LastSeq)
		}
		if got := w.changes("?chargeBoxId=A&events=transaction.started"); len(got.Events) != 1 {
			t.Errorf("got %v", topicsOf(got.Events))
		}
		w.wantError("GET /changes?events=charger.boot", "", 403, "FORBIDDEN", "the credential lacks the scope chargers:read, which charger.boot needs")
		w.key = w.keyWith("transactions:read", "chargers:read")
		if got := w.changes(""); len(got.Events) != 6 {
			t.Errorf("got %v", topicsOf(got.Events))
		}
		w.key = w.keyWith("chargers:read")
		if out := w.do("GET /changes", ""); out.Code != 403 {
			t.Errorf("got %d", out.Code)
		}
	})
}

// A credential that is limited to some chargers is told of those only.
func TestChangesWithinReach(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("A"), w.connect("B")
		a.charge()
		other := b.charge()
		w.settle()
		a.end()
		b.end()
		_, key, err := w.registrar.CreateKey(t.Context(), auth.Spec{
			Name: "limited", Scopes: []string{"transactions:read", "chargers:read"}, LimitedTo: &auth.Limit{Chargers: []leyden.StationID{"A"}},
		})
		w.must(err)
		w.key = string(key)
		for query, want := range map[string]int{"": 6, "?chargeBoxId=A": 6, "?chargeBoxId=B": 0} {
			if got := w.changes(query); len(got.Events) != want || got.LastSeq != 12 {
				t.Errorf("%s: %v up to %d, want %d of them", query, topicsOf(got.Events), got.LastSeq, want)
			}
		}
		w.wantError(fmt.Sprintf("GET /changes?transactionId=%d", other), "", 404, "NOT_FOUND", fmt.Sprintf("there is no transaction %d", other))
		if got := w.streamed("?after=0", time.Second); len(got) != 3 || got[0].Data["chargeBoxId"] != "A" {
			t.Errorf("streamed %v", got)
		}
	})
}

// A long poll is answered as soon as there is something, and when the server ends.
func TestChangesWait(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		w.settle()
		begin := time.Now()
		if got := w.changes("?after=2&wait=20"); len(got.Events) != 0 || time.Since(begin) != 20*time.Second {
			t.Errorf("got %+v after %v", got, time.Since(begin))
		}
		var wg sync.WaitGroup
		begin = time.Now()
		for range 20 {
			wg.Go(func() {
				got := w.changes("?after=2&wait=60&events=transaction.started")
				if len(got.Events) != 1 || time.Since(begin) > 31*time.Second {
					t.Errorf("got %+v after %v", got, time.Since(begin))
				}
			})
		}
		time.Sleep(15 * time.Second)
		s.status("Preparing") // wakes them for nothing
		w.settle()
		time.Sleep(15 * time.Second)
		s.start(0)
		wg.Wait()
		begin = time.Now()
		wg.Go(func() {
			if got := w.changes("?after=latest&wait=60"); len(got.Events) != 0 || time.Since(begin) > time.Second {
				t.Errorf("got %+v after %v", got, time.Since(begin))
			}
		})
		synctest.Wait()
		w.feed.End()
		wg.Wait()
		s.end()
	})
}

// What was forgotten is refused, on both ways, and never passed over.
func TestChangesForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		s.charge()
		w.settle()
		time.Sleep(200 * time.Hour)
		s.charge()
		s.end()
		w.must(w.ledger.Flush(t.Context()))
		n, err := w.feed.Forget(t.Context())
		if n != 6 || err != nil {
			t.Fatalf("%d were forgotten, %v", n, err)
		}
		for _, line := range []string{"GET /changes?after=0", "GET /changes?after=5&wait=9", "GET /transactions/stream?after=5"} {
			details := w.wantError(line, "", 410, "GONE", map[bool]string{
				true: "the changes after 0 are kept no more: the oldest is 7", false: "the changes after 5 are kept no more: the oldest is 7",
			}[strings.HasSuffix(line, "0")])
			if len(details) != 2 || details[0].Field != "oldestSeq" || details[0].Reason != "7" || details[1].Reason != "10" {
				t.Errorf("details are %v", details)
			}
		}
		if out := w.do("GET /transactions/stream", "", "Last-Event-ID: 3"); out.Code != 410 {
			t.Errorf("got %d %s", out.Code, out.Body)
		}
		for _, query := range []string{"", "?after=6"} {
			if got := w.changes(query); len(got.Events) != 4 || got.Events[0].Seq != 7 {
				t.Errorf("%s: got %+v", query, got)
			}
		}
	})
}

// A quarantined message is announced without its text.
func TestChangesOfQuarantine(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		_, err := s.conn.CallRaw(w.t.Context(), "StartTransaction", []byte(`{"connectorId":1,"idTag":"USER123","meterStart":"secret"}`))
		if err == nil {
			t.Error("it was taken")
		}
		s.end()
		body := w.want(200, "GET /changes?events=frame.quarantined", "")
		if !strings.Contains(body, `"action":"StartTransaction"`) || !strings.Contains(body, `"status":"waiting"`) || strings.Contains(body, "USER123") {
			t.Errorf("got %s", body)
		}
		w.must(w.store.Append(t.Context(), &leyden.Entry{Station: "A", Notices: []leyden.Notice{{Topic: leyden.TopicQuarantined, Station: "A", At: noon}}}))
		if got := w.changes("?events=frame.quarantined"); len(got.Events) != 2 || got.Events[1].Data["chargeBoxId"] != "A" {
			t.Errorf("got %+v", got)
		}
	})
}

// events reads server-sent events until r ends. What is no event is kept as one
// without a topic.
func events(r io.Reader) (found []event, last string) {
	var e event
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.ID, last = value, value
		case "event":
			e.Event = value
		case "data":
			var inner event
			if err := json.Unmarshal([]byte(value), &inner); err != nil || inner.Event != e.Event || strconv.FormatInt(inner.Seq, 10) != e.ID {
				inner.Event = "broken: " + value
			}
			found = append(found, inner)
		}
	}
	return found, last
}

// streamed follows the stream for a while and returns what came.
func (w *world) streamed(query string, d time.Duration, headers ...string) []event {
	w.t.Helper()
	got, _ := w.stream(query, d, headers...)
	return got
}

func (w *world) stream(query string, d time.Duration, headers ...string) (found []event, last string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/transactions/stream"+query, nil).WithContext(ctx)
	r.Header.Set("X-API-Key", w.key)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	w.api.ServeHTTP(out, r)
	if out.Code != http.StatusOK || !out.Flushed {
		w.t.Fatalf("stream%s: got %d %s", query, out.Code, out.Body)
	}
	wantHeader(w.t, out, "Content-Type", "text/event-stream")
	wantHeader(w.t, out, "X-Accel-Buffering", "no")
	return events(out.Body)
}

func TestStream(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		s.charge()
		w.settle()
		before := w.streamed("", time.Minute)
		if len(before) != 0 {
			t.Errorf("a stream begins with %v", before)
		}
		var live []event
		var last string
		var wg sync.WaitGroup
		wg.Go(func() { live, last = w.stream("", 20*time.Minute) })
		synctest.Wait()
		s.charge()
		w.settle()
		wg.Wait()
		if got := topicsOf(live); !slices.Equal(got, []string{"transaction.started", "transaction.updated", "transaction.stopped"}) {
			t.Errorf("streamed %v", got)
		}
		if end := w.changes("?after=latest").LastSeq; last != strconv.FormatInt(end, 10) {
			t.Errorf("the last id is %s, where %d is the end", last, end)
		}
		// Every way to say where to begin, and which goes before which.
		second := live[1].ID[len("evt_"):]
		for _, c := range []struct {
			query, header string
			want          int
		}{
			{"?after=" + second, "X-None: ", 1},
			{"?lastEventId=" + second, "X-None: ", 1},
			{"", "Last-Event-ID: " + second, 1},
			{"?after=0&lastEventId=3", "Last-Event-ID: " + second, 1},
			{"?after=0", "X-None: ", 6},
			{"?after=latest", "X-None: ", 0},
		} {
			if got := w.streamed(c.query, time.Second, c.header); len(got) != c.want {
				t.Errorf("%+v: streamed %v", c, topicsOf(got))
			}
		}
		for _, id := range []string{"latest or so", "latest", "-5", "9223372036854775808"} {
			out := w.do("GET /transactions/stream", "", "Last-Event-ID: "+id)
			if out.Code != 400 || !strings.Contains(out.Body.String(), `"field":"Last-Event-ID"`) {
				t.Errorf("%s: got %d %s", id, out.Code, out.Body)
			}
		}
		s.end()
	})
}

func TestStreamFiltered(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("A"), w.connect("B")
		a.charge()
		b.charge()
		a.end()
		b.end()
		for query, want := range map[string]int{
			"": 6, "&chargeBoxId=A": 3, "&status=completed": 4, "&status=in_progress": 2, "&idTag=user123": 6, "&idTag=other": 0,
			"&events=transaction.stopped": 2, "&events=transaction.stopped&status=active": 0, "&connectorId=2": 0, "&remoteStarted=true": 0,
			"&stoppedFrom=2026-02-06T12:15:00Z": 2, "&startedFrom=2026-02-06T12:05:00Z&status=completed": 2,
		} {
			if got := w.streamed("?after=0"+query, time.Second); len(got) != want {
				t.Errorf("%s: %v, want %d of them", query, topicsOf(got), want)
			}
		}
	})
}

// A stream that nothing happens on says so, moves on over what it does not show,
// and ends well with the server.
func TestStreamHeartbeat(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		w.settle()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/transactions/stream", nil).WithContext(w.t.Context())
		r.Header.Set("X-API-Key", w.key)
		out := httptest.NewRecorder()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.api.ServeHTTP(out, r)
		}()
		time.Sleep(10 * time.Second)
		s.status("Preparing")
		w.settle()
		time.Sleep(36 * time.Second)
		w.feed.End()
		<-ended
		want := "retry: 2000\nid: 2\n\n" + strings.Repeat(": nothing new\nid: 3\n\n", 3)
		if out.Body.String() != want {
			t.Errorf("got %q, want %q", out.Body, want)
		}
		s.end()
	})
}

// A client that takes nothing is given up, and misses nothing when it comes back:
// also behind a server whose replies must be written within a minute.
func TestStreamSlowReader(t *testing.T) {
	inWorld(t, func(w *world) {
		listener := barrage.NewListener()
		server := &http.Server{Handler: w.api, WriteTimeout: time.Minute}
		stopped := make(chan error, 1)
		go func() { stopped <- server.Serve(listener) }()
		client, err := listener.Dial()
		w.must(err)
		fmt.Fprintf(client, "GET /api/v1/transactions/stream HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", w.key)
		replies := bufio.NewReader(client)
		res, err := http.ReadResponse(replies, nil)
		w.must(err)
		defer res.Body.Close()
		s := w.connect("A")
		time.Sleep(5 * time.Minute) // heartbeats are read by nobody
		first := s.charge()
		before, last := events(res.Body)
		if len(before) != 0 {
			t.Errorf("it was streamed %v", before)
		}
		got := w.streamed("", time.Second, "Last-Event-ID: "+last)
		if len(got) != 3 || got[2].Data["transactionId"] != float64(first) {
			t.Errorf("then it was streamed %v", got)
		}
		s.end()
		client.Close()
		w.must(server.Close())
		if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// A stream outlives the time in which a reply must be written.
func TestStreamLasts(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		listener := barrage.NewListener()
		server := &http.Server{Handler: w.api, WriteTimeout: time.Minute}
		server.RegisterOnShutdown(w.feed.End)
		go func() { _ = server.Serve(listener) }() // it ends with the test
		client, err := listener.Dial()
		w.must(err)
		fmt.Fprintf(client, "GET /api/v1/transactions/stream HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", w.key)
		res, err := http.ReadResponse(bufio.NewReader(client), nil)
		w.must(err)
		defer res.Body.Close()
		read := make(chan []event, 1)
		go func() {
			found, _ := events(res.Body)
			read <- found
		}()
		for range 30 {
			s.charge()
		}
		w.must(server.Shutdown(w.t.Context()))
		if got := <-read; len(got) != 90 {
			t.Errorf("%d were streamed", len(got))
		}
		s.end()
		client.Close()
	})
}

// The document names just the events that there are.
func TestEventsOfTheDocument(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, topic := range feed.Topics() {
			if out := w.do("GET /changes?events="+topic, ""); out.Code != 200 {
				t.Errorf("%s: got %d %s", topic, out.Code, out.Body)
			}
			want := 400
			if strings.HasPrefix(topic, "transaction.") {
				want = 410 // nothing has happened, so there is no change 1
			}
			if out := w.do("GET /transactions/stream?after=1&events="+topic, ""); out.Code != want {
				t.Errorf("%s: got %d %s", topic, out.Code, out.Body)
			}
		}
	})
}
