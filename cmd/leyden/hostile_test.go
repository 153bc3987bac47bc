package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"leyden/internal/race"
)

var (
	hostileFor = flag.Duration("hostile-for", 2*time.Second, "how long hostile peers go on")
	mostWait   = flag.Duration("bystander-p99", 2*time.Second, "how long a Heartbeat of others may take meanwhile, 99 in 100; the aim is 200ms on a machine that does nothing else")
)

const (
	bystanders = 20
	beatEvery  = 50 * time.Millisecond
	// hostileGrowth is by how much peers of one kind, all together, may grow the
	// server, in MiB (docs/operating.md).
	hostileGrowth = 128
	burst         = 1000 // frames in one write
)

// A menace is a way to be a burden.
type menace struct {
	name    string
	peers   int
	strange bool // they never become stations
	// behave goes on until the connection ends, and counts what it did.
	behave func(w *wire, done *atomic.Int64) error
}

func menaces() []menace {
	heartbeat, ping := plainFrame(`[2,"beat","Heartbeat",{}]`).bytes(), plainFrame("ping")
	ping.OpCode = ws.OpPing
	return []menace{
		{"stop reading", 50, false, func(w *wire, done *atomic.Int64) error { return repeat(w, bytes.Repeat(heartbeat, 64), 64, done) }},
		{"trickle", 300, false, func(w *wire, done *atomic.Int64) error { return trickle(w, heartbeat, done) }},
		{"flood", 10, false, func(w *wire, done *atomic.Int64) error { return flood(w, heartbeat, done) }},
		{"flood with pings", 10, false, func(w *wire, done *atomic.Int64) error { return flood(w, ping.bytes(), done) }},
		{"send 1,000 frames in one write", 10, false, func(w *wire, done *atomic.Int64) error { return inBursts(w, heartbeat, done) }},
		{"say nothing", 5000, true, func(w *wire, done *atomic.Int64) error {
			done.Add(1)
			_, err := io.Copy(io.Discard, w.Conn)
			return errors.Join(err, io.EOF)
		}},
	}
}

// repeat writes the same n frames again and again.
func repeat(w *wire, frames []byte, n int64, done *atomic.Int64) error {
	for {
		if _, err := w.Write(frames); err != nil {
			return err
		}
		done.Add(n)
	}
}

// trickle writes byte by byte.
func trickle(w *wire, frame []byte, done *atomic.Int64) error {
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		for _, b := range frame {
			if _, err := w.Write([]byte{b}); err != nil {
				return err
			}
			<-pause.C
		}
		done.Add(1)
	}
}

// flood writes as fast as it can, and reads what comes.
func flood(w *wire, frame []byte, done *atomic.Int64) error {
	var reading sync.WaitGroup
	defer reading.Wait()
	defer w.Close()
	reading.Go(func() { _, _ = io.Copy(io.Discard, w.Conn) })
	return repeat(w, bytes.Repeat(frame, 64), 64, done)
}

// inBursts writes many frames at once, and wants as many answers.
func inBursts(w *wire, frame []byte, done *atomic.Int64) error {
	frames := bytes.Repeat(frame, burst)
	for {
		if _, err := w.Write(frames); err != nil {
			return err
		}
		for range burst {
			r, err := w.next()
			if err != nil || !strings.HasPrefix(r.payload, `[3,"beat",`) {
				return fmt.Errorf("a frame of a burst is answered with %v, %w", r, errors.Join(err, net.ErrClosed))
			}
		}
		done.Add(burst)
	}
}

// board connects a station, or a stranger who says nothing; ctx ends the
// connection.
func board(ctx context.Context, url, station string) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // nobody listens any more
	w := &wire{Conn: conn, in: bufio.NewReader(conn)}
	if station == "" {
		return w, nil
	}
	res, err := w.request("GET /ocpp/"+station+" HTTP/1.1", upgradeHeader(station, ""))
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(res.Status)
	}
	return w, err
}

// TestHostile has peers be a burden, each kind in turn, while stations that have
// nothing to do with them send Heartbeats: those are answered soon, and the server
// hardly grows.
//
//	go test ./cmd/leyden -run TestHostile -v -args -hostile-for 30s -bystander-p99 200ms
func TestHostile(t *testing.T) {
	for _, m := range menaces() {
		t.Run(m.name, func(t *testing.T) {
			p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--admission", "open", "--log-level", "error")
			var lines []*wire
			for i := range bystanders {
				lines = append(lines, enter(t, p, fmt.Sprintf("BYSTANDER-%d", i), ""))
				if _, err := beat(lines[i]); err != nil {
					t.Fatal(err)
				}
			}
			before := p.memory()
			ctx, end := context.WithTimeout(t.Context(), *hostileFor)
			defer end()
			var done, comings atomic.Int64
			var hostile sync.WaitGroup
			for i := range m.peers {
				hostile.Go(func() { m.haunt(ctx, p.url, i, &done, &comings) })
			}
			beats := beatAll(ctx, t, lines)
			hostile.Wait()
			now := p.memory()
			t.Logf("%d peers %s for %v: %d times, in %d connections; %d Heartbeats of others: %v; RSS was %d MiB, is %d MiB, was %d MiB at most",
				m.peers, m.name, *hostileFor, done.Load(), comings.Load(), len(beats), beats, before.rss, now.rss, now.peak)
			if done.Load() == 0 {
				t.Error("nothing was done")
			}
			if p99 := beats.percentile(99); p99 > *mostWait && !race.Enabled {
				t.Errorf("a Heartbeat of others takes %v, want at most %v", p99, *mostWait)
			}
			if grown := now.peak - before.rss; grown > hostileGrowth && !race.Enabled {
				t.Errorf("the server grew by %d MiB, want at most %d MiB", grown, hostileGrowth)
			}
			for _, line := range lines {
				line.Close()
			}
			p.drain()
		})
	}
}

// haunt behaves until ctx is done, and comes back when it is thrown out.
func (m menace) haunt(ctx context.Context, url string, i int, done, comings *atomic.Int64) {
	station := fmt.Sprintf("HOSTILE-%d", i)
	if m.strange {
		station = ""
	}
	for ctx.Err() == nil {
		w, err := board(ctx, url, station)
		if err == nil {
			comings.Add(1)
			_ = m.behave(w, done) // however it ended, it begins anew
		}
		if w != nil {
			_ = w.Close()
		}
	}
}

// beatAll has all stations send Heartbeats until ctx is done, and returns how long
// the answers took.
func beatAll(ctx context.Context, t *testing.T, lines []*wire) sample {
	t.Helper()
	var all sync.Mutex
	var beats sample
	var beating sync.WaitGroup
	for _, line := range lines {
		beating.Go(func() {
			tick := time.NewTicker(beatEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				took, err := beat(line)
				if err != nil {
					t.Errorf("a bystander is not answered: %v", err)
					return
				}
				all.Lock()
				beats.add(took)
				all.Unlock()
				<-tick.C
			}
		})
	}
	beating.Wait()
	return beats
}
