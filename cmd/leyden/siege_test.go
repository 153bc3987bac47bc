package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"leyden/internal/race"
)

// visit is enter for as long as a Heartbeat takes.
func visit(t *testing.T, p *process, station, password string) error {
	t.Helper()
	line := enter(t, p, station, password)
	defer line.Close()
	_, err := beat(line)
	return err
}

// enter connects a station as it should be done.
func enter(t *testing.T, p *process, station, password string) *wire {
	t.Helper()
	line := dialWire(t, p.url, "")
	t.Cleanup(func() { line.Close() })
	res, err := line.request("GET /ocpp/"+station+" HTTP/1.1", upgradeHeader(station, password))
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s cannot connect: %v, %v", station, res, err)
	}
	return line
}

// beat sends a Heartbeat and returns how long the answer took.
func beat(line *wire) (time.Duration, error) {
	began := time.Now()
	if _, err := line.Write(plainFrame(`[2,"beat","Heartbeat",{}]`).bytes()); err != nil {
		return 0, err
	}
	r, err := line.next()
	if err == nil && !strings.HasPrefix(r.payload, `[3,"beat",`) {
		err = fmt.Errorf("a Heartbeat is answered with %v", r)
	}
	return time.Since(began), err
}

// The bombs: each of about 63 KiB that inflate to 64 MiB, and all of them together
// may not grow the server by as much as one of them wants.
const (
	bombs     = 50
	bombSize  = 64 << 20
	bombLimit = 64 // MiB
)

// bombKinds returns what each bomber sends, by what it is.
func bombKinds() map[string][][]byte {
	text := bytes.Repeat([]byte("a"), bombSize)
	inJSON := slices.Concat([]byte(`[2,"bomb","Heartbeat",{"a":"`), text, []byte(`"}]`))
	bomb := func(text []byte) wireFrame {
		f := plainFrame("")
		f.payload, f.Rsv = deflated(text), ws.Rsv(true, false, false)
		return f
	}
	return map[string][][]byte{
		"of one letter":          {bomb(text).bytes()},
		"in JSON":                {bomb(inJSON).bytes()},
		"in fragments":           {bomb(inJSON).split(1 << 10)},
		"behind a sound message": {bomb([]byte(`[2,"beat","Heartbeat",{}]`)).bytes(), bomb(inJSON).bytes()},
	}
}

// TestBombs throws decompression bombs at a server, fifty at once: each socket is
// closed with 1009, the server hardly grows over all of them, another station is
// answered meanwhile, and so are the bombers when they come back.
func TestBombs(t *testing.T) {
	t.Parallel()
	for kind, sent := range bombKinds() {
		t.Run(kind, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			p := startServer(t, "--data", data, "--admission", "open", "--log-level", "error")
			bystander := enter(t, p, "BYSTANDER", "")
			if _, err := beat(bystander); err != nil {
				t.Fatal(err)
			}
			before := p.memory()
			beats, slowest := throw(t, p, bystander, sent)
			now := p.memory()
			t.Logf("%d bombs that inflate to %d MiB: RSS was %d MiB, is %d MiB, was %d MiB at most; meanwhile %d Heartbeats, the slowest in %v",
				bombs, bombSize>>20, before.rss, now.rss, now.peak, beats, slowest.Round(time.Microsecond))
			if grown := now.peak - before.rss; grown >= bombLimit && !race.Enabled {
				t.Errorf("the server grew by %d MiB, want less than %d", grown, bombLimit)
			}
			bystander.Close()
			p.drain()
		})
	}
}

// throw lets bombers send what they do, all at once, and returns how often a
// bystander was answered meanwhile and how long that took at most.
func throw(t *testing.T, p *process, bystander *wire, sent [][]byte) (beats int, slowest time.Duration) {
	t.Helper()
	var lines []*wire
	for i := range race.Fewer(bombs, 10) {
		lines = append(lines, enter(t, p, fmt.Sprintf("BOMBER-%d", i), ""))
	}
	var thrown sync.WaitGroup
	for _, line := range lines {
		thrown.Go(func() {
			defer line.Close()
			for _, b := range sent {
				_, _ = line.Write(b) // the server may have read enough
			}
			r, err := line.next()
			for range len(sent) - 1 { // what was sound is answered
				if err == nil && r.op != ws.OpClose {
					r, err = line.next()
				}
			}
			if err != nil || r.op != ws.OpClose || r.code != 1009 {
				t.Errorf("a bomb is answered with %v, %v, want a close with 1009", r, err)
			}
		})
	}
	over := make(chan struct{})
	go func() { thrown.Wait(); close(over) }()
	for done := false; !done; {
		took, err := beat(bystander)
		if err != nil {
			t.Fatalf("the bystander is not answered: %v", err)
		}
		beats, slowest = beats+1, max(slowest, took)
		select {
		case <-over:
			done = true
		default:
		}
	}
	if err := visit(t, p, "BOMBER-0", ""); err != nil {
		t.Errorf("a bomber is not answered any more: %v", err)
	}
	return beats, slowest
}

// The guesses, and who guesses.
const (
	guesses      = 10_000
	guessers     = 32
	trueStations = 10
	entersWithin = 2 * time.Second
)

// A guessing counts the answers to wrong guesses.
type guessing struct {
	*process
	stations []string // that are true

	next, denied, throttled, other atomic.Int64
	rude                           atomic.Int64 // 429 without Retry-After
}

// guess makes wrong guesses until there were enough: at stations that are, and at
// thousands that are not. Each tenth comes on a connection of its own.
func (g *guessing) guess(t *testing.T) {
	var line *wire
	for {
		n := g.next.Add(1)
		if n > guesses {
			return
		}
		station := fmt.Sprintf("GUESSED-%d", n)
		if n%2 == 0 {
			station = g.stations[n/2%int64(len(g.stations))]
		}
		if line == nil || n%10 == 0 {
			line = dialWire(t, g.url, "")
			defer line.Close()
		}
		res, err := line.request("GET /ocpp/"+station+" HTTP/1.1", upgradeHeader(station, "wrong "+strconv.FormatInt(n, 10)))
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if err != nil {
			t.Errorf("guess %d: %v", n, err)
			return
		}
		g.count(res)
	}
}

func (g *guessing) count(res *http.Response) {
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		g.denied.Add(1)
	case res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "":
		g.rude.Add(1)
	case res.StatusCode == http.StatusTooManyRequests:
		g.throttled.Add(1)
	default:
		g.other.Add(1)
	}
}

// TestTenThousandGuesses: they are put off, all but a few, and the true stations
// enter all the while from the same address, with their own passwords and soon.
func TestTenThousandGuesses(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--log-level", "error")
	g := &guessing{process: p}
	for i := range trueStations {
		station := fmt.Sprintf("TRUE-%d", i)
		r := p.call(http.MethodPost, "/api/v1/chargers", adminKey, fmt.Sprintf(`{"chargeBoxId":%q,"password":%q}`, station, stationPassword))
		if r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", r.Status, r.body)
		}
		g.stations = append(g.stations, station)
	}
	before, began := p.memory(), time.Now()
	var all sync.WaitGroup
	for range guessers {
		all.Go(func() { g.guess(t) })
	}
	slowest := time.Duration(0)
	for i, station := range g.stations {
		eventually(t, limit, "guesses are made", func() bool { return g.next.Load() > int64(i*guesses/trueStations) })
		from := time.Now()
		if err := visit(t, p, station, stationPassword); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(from))
	}
	all.Wait()
	took, now := time.Since(began), p.memory()
	t.Logf("%d wrong guesses in %v: %d times 401, %d times 429; the true stations entered meanwhile, the slowest in %v; RSS was %d MiB, was %d MiB at most",
		guesses, took.Round(time.Millisecond), g.denied.Load(), g.throttled.Load(), slowest.Round(time.Millisecond), before.rss, now.peak)
	if most := 10 * int64(1+took/time.Minute); g.denied.Load() > most || g.throttled.Load()+g.denied.Load() != guesses {
		t.Errorf("%d guesses were answered with 401, want at most %d; %d with neither that nor 429, %d with no Retry-After",
			g.denied.Load(), most, g.other.Load(), g.rude.Load())
	}
	if slowest > entersWithin {
		t.Errorf("a true station needs %v to enter, want at most %v", slowest, entersWithin)
	}
	if grown := now.peak - before.rss; grown >= bombLimit && !race.Enabled {
		t.Errorf("the server grew by %d MiB, want less than %d", grown, bombLimit)
	}
	p.drain()
}

// What is begun has to be finished so soon.
const (
	handshakeWithin = 10 * time.Second
	messageWithin   = 30 * time.Second
	drop            = 4 * time.Second // from one byte to the next, of one who drips
)

// A half is something that comes to no end.
type half struct {
	name  string
	sent  []byte // at once
	drips []byte // after that, byte by byte
	line  *wire
}

// begin sends it, and returns what was the answer and after what time.
func (h *half) begin() (r received, took time.Duration, err error) {
	began, answered := time.Now(), make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		_, _ = h.line.Write(h.sent) // what becomes of it the answer tells
		for _, b := range h.drips {
			select {
			case <-time.After(drop):
				_, _ = h.line.Write([]byte{b})
			case <-answered:
				return
			}
		}
	})
	r, err = h.line.next()
	took = time.Since(began)
	close(answered)
	dripping.Wait()
	return r, took, err
}

// halfMessages returns beginnings of messages that are good so far.
func halfMessages() []*half {
	whole := plainFrame(`[2,"half","MeterValues",{"connectorId":1,"meterValue":[]}]`)
	first, pong, packed := whole, plainFrame(""), whole
	first.Fin, pong.OpCode = false, ws.OpPong
	packed.payload, packed.Rsv = deflated(whole.payload), ws.Rsv(true, false, false)
	return []*half{
		{name: "a byte", sent: whole.bytes()[:1]},
		{name: "a header", sent: whole.bytes()[:6]},
		{name: "half a message", sent: whole.bytes()[:30]},
		{name: "half a message in JSON and UTF-8", sent: plainFrame("[2,\"\xc3").bytes()[:10]},
		{name: "half a compressed message", sent: packed.bytes()[:20]},
		{name: "one fragment", sent: first.bytes()},
		{name: "one fragment, and pongs", sent: first.bytes(), drips: bytes.Repeat(pong.bytes(), 10)},
		{name: "a message that drips", sent: whole.bytes()[:7], drips: whole.bytes()[7:]},
		{name: "a header that drips", sent: whole.bytes()[:1], drips: whole.bytes()[1:]},
	}
}

// TestHalfSent: who begins a message and does not finish it is cut off after 30
// seconds, however he drips, and welcome again; who begins a handshake after 10.
func TestHalfSent(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; leave out -short")
	}
	t.Parallel()
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--admission", "open", "--log-level", "error")
	messages := halfMessages()
	var begun sync.WaitGroup
	for i, h := range messages {
		h.line = enter(t, p, fmt.Sprintf("HALF-%d", i), "")
		begun.Go(func() {
			defer h.line.Close()
			r, took, err := h.begin()
			if err != nil || r.op != ws.OpClose || r.code != 1008 || took < messageWithin {
				t.Errorf("%s is answered with %v, %v after %v, want a close with 1008 after %v", h.name, r, err, took, messageWithin)
			}
		})
	}
	const request = "GET /ocpp/HALF HTTP/1.1\r\nHost: localhost\r\n"
	for _, h := range []*half{
		{name: "nothing"},
		{name: "half a handshake", sent: []byte(request)},
		{name: "a handshake that drips", sent: []byte(request[:9]), drips: []byte(request[9:])},
	} {
		h.line = dialWire(t, p.url, "")
		begun.Go(func() {
			defer h.line.Close()
			if r, took, err := h.begin(); took < handshakeWithin-time.Second || took > messageWithin { // it is counted from the accept
				t.Errorf("%s is answered with %v, %v after %v, want an end after %v", h.name, r, err, took, handshakeWithin)
			}
		})
	}
	begun.Wait()
	for i, h := range messages {
		if err := visit(t, p, fmt.Sprintf("HALF-%d", i), ""); err != nil {
			t.Errorf("after %s: the next Heartbeat: %v", h.name, err)
		}
	}
	p.drain()
}
