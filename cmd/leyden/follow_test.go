package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leyden/client"
	"leyden/feed"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/sim"
)

var followKills = flag.Int("follow-kills", race.Fewer(6, 3), "how many times the test of followers kills the server")

// A consumer is one way to follow changes, and what it saw.
type consumer struct {
	name string
	all  bool // not only what happens to transactions

	mu   sync.Mutex
	seen map[int64]string // "topic transaction" by seq
	last int64            // the highest seq that was seen
	bad  []string
}

func newConsumer(name string, all bool) *consumer {
	return &consumer{name: name, all: all, seen: make(map[int64]string)}
}

// sees takes an event as JSON. A consumer may see one again after it came back,
// but never one that it missed before.
func (c *consumer) sees(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := readChange(raw)
	if err != nil {
		c.bad = append(c.bad, fmt.Sprintf("%v: %s", err, raw))
		return
	}
	what := fmt.Sprintf("%s %d", e.Event, e.Data.TransactionID)
	before, again := c.seen[e.Seq]
	if again && before != what {
		c.bad = append(c.bad, fmt.Sprintf("seq %d was %s, and is %s", e.Seq, before, what))
	}
	if !again && e.Seq <= c.last {
		c.bad = append(c.bad, fmt.Sprintf("seq %d came after %d", e.Seq, c.last))
	}
	c.seen[e.Seq], c.last = what, max(c.last, e.Seq)
}

func (c *consumer) reached(seq int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last >= seq
}

// pollChanges follows by GET /changes until ctx is done, whatever becomes of the
// server.
func pollChanges(ctx context.Context, base string, c *consumer) {
	after := "0"
	for ctx.Err() == nil {
		r, err := ask(ctx, http.DefaultClient, http.MethodGet, base+"/api/v1/changes?wait=5&after="+after, adminKey, "")
		if err != nil || r.StatusCode != http.StatusOK {
			time.Sleep(5 * time.Millisecond) // there may be no server
			continue
		}
		var got struct {
			Events  []json.RawMessage
			LastSeq int64
		}
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			continue // it was cut off
		}
		for _, e := range got.Events {
			c.sees(e)
		}
		after = strconv.FormatInt(got.LastSeq, 10)
	}
}

// streamChanges follows the stream until ctx is done.
func streamChanges(ctx context.Context, base string, c *consumer) {
	last := "0"
	for ctx.Err() == nil {
		last = streamOnce(ctx, base, last, c)
		time.Sleep(5 * time.Millisecond) // there may be no server
	}
}

// streamOnce reads a stream to its end, and returns the last id.
func streamOnce(ctx context.Context, base, last string, c *consumer) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/transactions/stream", nil)
	if err != nil {
		return last
	}
	req.Header.Set("X-API-Key", adminKey)
	req.Header.Set("Last-Event-ID", last)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return last
	}
	defer res.Body.Close()
	id, data := last, ""
	for lines := bufio.NewScanner(res.Body); res.StatusCode == http.StatusOK && lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "id":
			id = value
		case field == "data":
			data = value
		case lines.Text() == "": // an event is whole
			last = id
			if data != "" {
				c.sees([]byte(data))
			}
			data = ""
		}
	}
	return last
}

// followByClient follows by the Go client, which goes on by itself over restarts.
func followByClient(ctx context.Context, base string, c *consumer) {
	for e, err := range client.New(base, client.Key(adminKey)).Follow(ctx, 0, client.ListChangesQuery{}) {
		raw, malformed := json.Marshal(e)
		if err = errors.Join(err, malformed); err != nil {
			c.bad = append(c.bad, err.Error())
			return
		}
		c.sees(raw)
	}
}

// commandLine follows by the command, which is killed and started again and again.
func commandLine(ctx context.Context, t *testing.T, c *consumer, args ...string) {
	state := filepath.Join(t.TempDir(), "place")
	args = append([]string{"transactions", "follow", "--format", "json", "--after", "oldest", "--state", state}, args...)
	r := rand.New(rand.NewPCG(*killSeed, uint64(len(args))))
	for ctx.Err() == nil {
		p := launch(t, []string{"LEYDEN_KEY=" + adminKey}, args...)
		select {
		case <-p.exited:
			c.bad = append(c.bad, fmt.Sprintf("it ended with %v: %s", p.err, p.stderr))
			return
		case <-time.After(time.Duration(500+r.IntN(1500)) * time.Millisecond):
		case <-ctx.Done():
		}
		if err := p.kill(); err != nil {
			t.Error(err)
		}
		said := p.stdout.String()
		whole := strings.LastIndexByte(said, '\n') + 1
		for line := range strings.Lines(said[:whole]) {
			c.sees([]byte(line))
		}
	}
}

// TestFollow kills a real server again and again while stations charge and others
// follow, each in its way, some of them killed too: all see every change once or
// more, in order, and the same as the ledger has at the end.
//
//	go test ./cmd/leyden -run TestFollow$ -v -args -follow-kills 50
func TestFollow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while; leave out -short")
	}
	data, address := t.TempDir(), stableAddress(t)
	fleet, err := sim.NewFleet(sim.Options{
		Dial: sim.WebSocket("ws://"+address+"/ocpp", ocpp.DialOptions{}), Stations: 20, Connectors: 2, Seed: *killSeed, Speed: 1000,
		RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, CallTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve := func() *process {
		return startServer(t, "--listen", address, "--data", data, "--admission", "open", "--log-level", "error")
	}
	p := serve()
	base := p.url
	following, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var consumers sync.WaitGroup
	defer consumers.Wait()
	defer stop()
	polled, streamed := newConsumer("GET /changes", true), newConsumer("the stream", false)
	called := newConsumer("client.Follow", true)
	local, remote := newConsumer("follow --data", false), newConsumer("follow --url", false)
	consumers.Go(func() { pollChanges(following, base, polled) })
	consumers.Go(func() { streamChanges(following, base, streamed) })
	consumers.Go(func() { followByClient(following, base, called) })
	consumers.Go(func() { commandLine(following, t, local, "--data", data) })
	consumers.Go(func() { commandLine(following, t, remote, "--url", base) })

	reports := make(chan *sim.Report, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() { reports <- fleet.Run(ctx) }()
	r := rand.New(rand.NewPCG(*killSeed, 1))
	for range *followKills {
		awaitStations(t, p)
		select { // not a wait for anything: the moment of the kill is what is random
		case <-time.After(time.Duration(r.IntN(1000)) * time.Millisecond):
		case <-p.exited:
			t.Fatalf("the server ended by itself with %v; it said\n%s", p.err, p.stderr)
		}
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the server ended well although it was killed")
		}
		p = serve()
	}
	fleet.Stop()
	within(t, "the stations end their charges", reports)
	var end struct{ LastSeq int64 }
	eventually(t, limit, "the changes end", func() bool {
		before := end.LastSeq
		p.get("/api/v1/changes?after=latest&wait=2", &end)
		return end.LastSeq == before
	})
	all := outbox(t, data)
	eventually(t, limit, "everybody has seen what there is", func() bool {
		return polled.reached(end.LastSeq) && called.reached(end.LastSeq) && streamed.reached(lastOf(all, false))
	})
	eventually(t, limit, "the command line has seen what there is", func() bool {
		return local.reached(lastOf(all, false)) && remote.reached(lastOf(all, false))
	})
	stop()
	consumers.Wait()
	for _, c := range []*consumer{polled, streamed, called, local, remote} {
		c.compare(t, all)
	}
	p.drain()
	t.Logf("%d kills, %d changes", *followKills, len(all))
}

// outbox returns what is announced in a data folder, "topic transaction" by seq.
func outbox(t *testing.T, data string) map[int64]string {
	t.Helper()
	db, err := openFolder(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := make(map[int64]string)
	for q := (feed.Query{}); ; {
		page, err := db.Notices(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page.Notices {
			all[n.Seq] = fmt.Sprintf("%s %d", n.Topic, n.Transaction)
		}
		if q.After = page.Last; !page.More {
			return all
		}
	}
}

func lastOf(all map[int64]string, every bool) (last int64) {
	for seq, what := range all {
		if every || strings.HasPrefix(what, "transaction.") {
			last = max(last, seq)
		}
	}
	return last
}

// compare wants a consumer to have seen all that it shall.
func (c *consumer) compare(t *testing.T, all map[int64]string) {
	t.Helper()
	for _, bad := range c.bad[:min(len(c.bad), 5)] {
		t.Errorf("%s: %s", c.name, bad)
	}
	missed := 0
	for seq, what := range all {
		if !c.all && !strings.HasPrefix(what, "transaction.") {
			continue
		}
		if got := c.seen[seq]; got != what {
			if missed++; missed < 5 {
				t.Errorf("%s: seq %d is %q, and %q was seen", c.name, seq, what, got)
			}
		}
	}
	if missed > 0 || len(c.seen) == 0 {
		t.Errorf("%s: %d of %d changes were missed, %d seen", c.name, missed, len(all), len(c.seen))
	}
}

// What a person sees, and what the command does when something is wrong.
func TestFollowCommand(t *testing.T) {
	t.Parallel()
	data, state := t.TempDir(), filepath.Join(t.TempDir(), "place")
	p := startServer(t, "--data", data, "--admission", "open")
	f := launch(t, nil, "transactions", "follow", "--data", data, "--state", state, "--event", "transaction.started,transaction.stopped")
	eventually(t, limit, "the place is known", func() bool { _, err := os.Stat(state); return err == nil })
	remote := launch(t, []string{"LEYDEN_ADMIN_KEY=" + adminKey}, "transactions", "follow", "--url", p.url, "--after", "oldest", "--station", "SIM-0002", "--format", "json")
	charge := func(seed string) {
		must(t, "simulate", "--url", "ws"+strings.TrimPrefix(p.url, "http")+"/ocpp", "--data", data, "--stations", "2", "--sessions", "1", "--speed", "10000", "--seed", seed)
	}
	charge("5")
	line := `(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} %s +\d+ SIM-000\d +1 SIMTAG\d+ +%s`
	f.await(f.stdout, fmt.Sprintf(line, `transaction\.started`, "active"))
	f.await(f.stdout, fmt.Sprintf(line, `transaction\.stopped`, "completed"))
	f.await(f.stdout, `(?s)(.*\n){4}`)
	remote.await(remote.stdout, `\{"id":"evt_\d+","event":"transaction.stopped","timestamp":"[^"]+","seq":\d+,"data":\{"id":"txn_`)
	if err := f.end(syscall.SIGINT); err != nil {
		t.Errorf("Ctrl-C: %v, %s", err, f.stderr)
	}
	before := strings.Count(f.stdout.String(), "\n")
	if before != 4 || strings.Contains(remote.stdout.String(), "SIM-0001") {
		t.Errorf("got\n%s\n%s", f.stdout, remote.stdout)
	}
	charge("6")
	f = launch(t, nil, "transactions", "follow", "--data", data, "--state", state, "--event", "transaction.started,transaction.stopped")
	f.await(f.stdout, `(?s)(.*\n){4}`)
	if got := strings.Count(f.stdout.String(), "\n"); got != 4 {
		t.Errorf("it went on with\n%s", f.stdout)
	}
	p.drain()
	remote.await(remote.stderr, `does not answer: .*; trying again\n`)
	p = startServer(t, "--data", data, "--listen", strings.TrimPrefix(p.url, "http://"), "--admission", "open")
	remote.await(remote.stderr, `going on\n`)
	if err := remote.end(syscall.SIGINT); err != nil {
		t.Errorf("Ctrl-C: %v, %s", err, remote.stderr)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"there is no change 99999", []string{"--data", data, "--after", "99999"}},
		{"there is no change 99999", []string{"--url", p.url, "--key", adminKey, "--after", "99999"}},
		{"does not take the key", []string{"--url", p.url, "--key", "wrong"}},
		{"needs an API key", []string{"--url", p.url}},
		{"--after is latest, oldest or a seq", []string{"--data", data, "--after", "soon"}},
		{"there is no event", []string{"--data", data, "--event", "soon"}},
		{"--format is text or json", []string{"--data", data, "--format", "csv"}},
		{"is no address of a server", []string{"--url", "soon", "--key", "k"}},
		{"holds no seq", []string{"--data", data, "--state", filepath.Join(data, "secrets.json")}},
	} {
		_, stderr, err := runLeyden(t, append([]string{"transactions", "follow"}, c.args...)...)
		if err == nil || !strings.Contains(stderr, c.want) {
			t.Errorf("follow %v: %v, %q; want %q", c.args, err, stderr, c.want)
		}
	}
}
