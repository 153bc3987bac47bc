package simtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/memory"
	"leyden/ocpp"
	"leyden/sim"
)

// theBegin is when simulations begin: a bubble's clock stands in the year 2000, which
// no station of OCPP 1.6 can have seen.
var theBegin = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

// A world is what a simulation happens in: the storage, the life of the server that runs
// now, and those who ask it.
type world struct {
	t     testing.TB
	plan  plan
	fates *fates
	disk  disk
	tags  []string

	mu     sync.Mutex
	node   *node // nil while there is none
	lives  int
	wrongs []string // what is not as it must be, the first of it

	over    chan struct{} // closed when all is told
	running sync.WaitGroup
}

// newWorld returns one with all stations and idTags known, and a server.
func newWorld(t testing.TB, p plan) *world {
	w := &world{
		t: t, plan: p, disk: memoryDisk{memory.New(time.Now)}, over: make(chan struct{}),
		fates: &fates{plan: &p, streams: make(map[leyden.StationID]*rand.Rand)},
	}
	if p.files {
		w.disk = &fileDisk{parent: t.TempDir()}
	}
	w.begin()
	w.register()
	w.running.Go(w.supervise)
	return w
}

// register makes stations and idTags known, some of which may not charge.
func (w *world) register() {
	ctx := w.t.Context()
	for _, id := range w.plan.fleet.StationIDs() {
		now := time.Now()
		err := w.disk.driver().AddStation(ctx, leyden.Station{
			ID: leyden.StationID(id), PublicID: leyden.NewPublicID("chg_", now), Registration: leyden.RegistrationAccepted, RegisteredAt: now,
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.tags = w.plan.fleet.IDTags()
	for i, tag := range w.tags {
		token := leyden.Token{Value: tag, Status: leyden.TokenAccepted, Listed: true}
		switch {
		case i%11 == 3:
			token.Status = leyden.TokenBlocked
		case i%11 == 5:
			token.MaxActive = 1
		}
		if err := w.disk.driver().SaveToken(ctx, token); err != nil {
			w.t.Fatal(err)
		}
	}
}

// maxWrongs is how much of what is wrong is told: the rest mostly follows from it.
const maxWrongs = 10

// wrong notes that something is not as it must be.
func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wrongs) < maxWrongs {
		w.wrongs = append(w.wrongs, fmt.Sprintf(format, args...))
	}
}

// begin starts a server.
func (w *world) begin() {
	if err := w.disk.open(); err != nil {
		w.t.Fatalf("after %d lives: %v", w.lives, err) // there is nothing left to simulate
	}
	n := newNode(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.node = n
	w.lives++
}

// current returns the server that runs now, or nil.
func (w *world) current() *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.node == nil || w.node.dead.Load() {
		return nil
	}
	return w.node
}

// supervise starts a server whenever one has ended, after a while, and ends one in good
// order now and then.
func (w *world) supervise() {
	r := rand.New(rand.NewPCG(w.plan.seed, 2))
	for {
		w.mu.Lock()
		n := w.node
		w.mu.Unlock()
		var restart <-chan time.Time
		if w.plan.restart > 0 {
			restart = time.After(time.Duration(r.Int64N(int64(2 * w.plan.restart))))
		}
		select {
		case <-n.ended:
		case <-restart:
			if w.fates.areHealed() {
				continue
			}
		case <-w.over:
			return
		}
		if err := n.bury(); err != nil {
			w.wrong("an ended server: %v", err)
		}
		time.Sleep(pick(r, 100*time.Millisecond, 3*time.Second, time.Minute) + time.Duration(r.IntN(int(time.Second))))
		w.begin()
	}
}

// dial is how stations reach the server.
func (w *world) dial(_ context.Context, who sim.Login) (ocpp.Transport, error) {
	n := w.current()
	if n == nil {
		return nil, errRefusedConnection
	}
	return n.connect(leyden.StationID(who.Station))
}

// settling is how long the world is left alone when nothing goes wrong any more: longer
// than a server is away, and than all that the ledger waits for.
const settling = 10 * time.Minute

// heal ends what goes wrong and lets everything come to rest.
func (w *world) heal() {
	w.fates.heal()
	time.Sleep(settling)
}

// end stops everything in good order.
func (w *world) end() {
	close(w.over)
	w.running.Wait()
	n := w.current()
	if n == nil {
		w.wrong("there is no server at the end")
		return
	}
	if err := errors.Join(n.bury(), w.disk.close()); err != nil {
		w.wrong("the last server: %v", err)
	}
}
