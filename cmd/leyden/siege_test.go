package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

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

// TestBombs throws decompression bombs at a server, all at once: each socket is
// closed with 1009, the server hardly grows, and another station is answered
// meanwhile.
func TestBombs(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open", "--log-level", "error")
	bystander := enter(t, p, "BYSTANDER", "")
	var lines []*wire
	for i := range bombs {
		lines = append(lines, enter(t, p, fmt.Sprintf("BOMBER-%d", i), ""))
	}
	f := plainFrame("")
	f.payload, f.Rsv = deflated(bytes.Repeat([]byte("a"), bombSize)), ws.Rsv(true, false, false)
	bomb := f.bytes()
	if _, err := beat(bystander); err != nil {
		t.Fatal(err)
	}

	before := p.memory()
	var thrown sync.WaitGroup
	for _, line := range lines {
		thrown.Go(func() {
			_, _ = line.Write(bomb) // the server may have read enough
			if r, err := line.next(); err != nil || r.op != ws.OpClose || r.code != 1009 {
				t.Errorf("a bomb is answered with %v, %v, want a close with 1009", r, err)
			}
		})
	}
	over := make(chan struct{})
	go func() { thrown.Wait(); close(over) }()
	beats, slowest := 0, time.Duration(0)
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
	now := p.memory()
	t.Logf("%d bombs of %d KiB that inflate to %d MiB: RSS was %d MiB, is %d MiB, was %d MiB at most; meanwhile %d Heartbeats, the slowest in %v",
		bombs, len(bomb)>>10, bombSize>>20, before.rss, now.rss, now.peak, beats, slowest.Round(time.Microsecond))
	if grown := now.peak - before.rss; grown >= bombLimit && !raceDetector {
		t.Errorf("the server grew by %d MiB, want less than %d", grown, bombLimit)
	}
	p.drain()
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
		if _, err := beat(enter(t, p, station, stationPassword)); err != nil {
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
	if grown := now.peak - before.rss; grown >= bombLimit && !raceDetector {
		t.Errorf("the server grew by %d MiB, want less than %d", grown, bombLimit)
	}
	p.drain()
}
