package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leyden"
	"leyden/feed"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/sim"
)

// A mailbox receives what a server sends, checks it, and refuses some by chance.
type mailbox struct {
	t      *testing.T
	secret feed.SigningSecret

	mu      sync.Mutex
	chance  *rand.Rand
	refuse  int           // of 100
	first   map[int64]int // by Seq: as which it was taken for the first time
	repeats int
	newest  map[float64]int64 // by transaction: the newest Seq that was taken
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed as it sent
	}
	if err := m.verify(r.Header, body); err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chance.IntN(100) < m.refuse {
		w.WriteHeader([]int{500, 503, 404, 302}[m.chance.IntN(4)])
		return
	}
	if m.chance.IntN(100) < m.refuse/4 {
		panic(http.ErrAbortHandler) // no answer at all, though it may have been taken
	}
	if !strings.Contains(string(body), `"event":"webhook.test"`) {
		m.take(r.Header.Get(feed.HeaderID), body)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *mailbox) verify(h http.Header, body []byte) error {
	seconds, err := strconv.ParseInt(h.Get(feed.HeaderTimestamp), 10, 64)
	if err != nil {
		return err
	}
	want, err := m.secret.Sign(h.Get(feed.HeaderID), time.Unix(seconds, 0), body)
	if got := h.Get(feed.HeaderSignature); err != nil || got != want {
		return fmt.Errorf("signature %q, want %q, %v", got, want, err)
	}
	return nil
}

func (m *mailbox) take(id string, body []byte) {
	var e struct {
		ID   string
		Seq  int64
		Data map[string]any
	}
	if err := json.Unmarshal(body, &e); err != nil || e.ID != id || id != feed.MessageID(e.Seq) {
		m.t.Errorf("webhook-id %s, %v: %s", id, err, body)
	}
	if m.first[e.Seq] > 0 {
		m.repeats++
		return
	}
	m.first[e.Seq] = len(m.first) + 1
	transaction, of := e.Data["transactionId"].(float64)
	if of && m.newest[transaction] > e.Seq {
		m.t.Errorf("change %d came after %d of the same transaction", e.Seq, m.newest[transaction])
	}
	m.newest[transaction] = max(m.newest[transaction], e.Seq)
}

// TestWebhooksOverKills kills a real server several times while stations charge and
// a receiver fails at random: every event arrives, those of a transaction in order.
func TestWebhooksOverKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; leave out -short")
	}
	t.Parallel()
	const webhook = "/api/v1/webhooks"
	box := &mailbox{t: t, secret: feed.NewSigningSecret(), chance: rand.New(rand.NewPCG(3, 0)), refuse: 30, first: map[int64]int{}, newest: map[float64]int64{}}
	receiver := httptest.NewServer(box)
	defer receiver.Close()
	data, address := t.TempDir(), stableAddress(t)
	serve := func() *process {
		return startServer(t, "--listen", address, "--data", data, "--admission", "open", "--log-level", "error", "--webhooks-allow", "127.0.0.1")
	}
	p := serve()
	topics := []string{
		leyden.TopicStarted, leyden.TopicStopping, leyden.TopicStopped, leyden.TopicCorrected, leyden.TopicConnected, leyden.TopicDisconnected,
		leyden.TopicBoot, leyden.TopicStatus,
	}
	spec, err := json.Marshal(map[string]any{"url": receiver.URL, "events": topics, "secret": string(box.secret)})
	if err != nil {
		t.Fatal(err)
	}
	made := p.call(http.MethodPost, webhook, adminKey, string(spec))
	var hook struct{ ID string }
	if err := json.Unmarshal([]byte(made.body), &hook); err != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s, %v", made.Status, made.body, err)
	}
	fleet, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket("ws://"+address+"/ocpp", ocpp.DialOptions{}), Stations: 8, Connectors: 1, Seed: 5, Speed: 1000,
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, CallTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan *sim.Report, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() { ended <- fleet.Run(ctx) }()
	for range race.Fewer(5, 3) {
		awaitStations(t, p)
		before := box.taken()
		eventually(t, limit, "events arrive", func() bool { return box.taken() > before })
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the server ended well although it was killed")
		}
		p = serve()
	}
	fleet.Stop()
	within(t, "the stations end their charges", ended)
	box.heal()
	p.drain() // what is announced as it ends comes with the next one
	p = serve()
	eventually(t, limit, "nothing waits any more", func() bool {
		p.call(http.MethodPost, webhook+"/"+hook.ID+"/test", adminKey, "")
		shown := p.call(http.MethodGet, webhook+"/"+hook.ID, adminKey, "")
		return strings.Contains(shown.body, `"pending":0,`) && box.taken() >= len(announced(t, data, topics))
	})
	p.drain()
	box.compare(announced(t, data, topics))
}

func (m *mailbox) taken() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.first)
}

func (m *mailbox) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = 0
}

// compare fails unless all that was announced was taken.
func (m *mailbox) compare(all []int64) {
	m.t.Helper()
	missing := 0
	for _, seq := range all {
		if m.first[seq] == 0 {
			missing++
			m.t.Logf("change %d did not come", seq)
		}
	}
	if len(all) < 20 || missing > 0 {
		m.t.Errorf("%d of %d changes are missing", missing, len(all))
	}
	m.t.Logf("%d changes, %d repeats", len(all), m.repeats)
}

// announced returns the Seqs of the outbox of a data folder.
func announced(t *testing.T, data string, topics []string) (seqs []int64) {
	t.Helper()
	db, err := openFolder(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for q, more := (feed.Query{After: feed.Oldest, Topics: topics}), true; more; {
		page, err := db.Notices(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Notices {
			seqs = append(seqs, page.Notices[i].Seq)
		}
		q.After, more = page.Last, page.More
	}
	return seqs
}
