package simtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"leyden"
	"leyden/auth"
)

// A driver is what keeps all that a server knows.
type driver interface {
	leyden.Store
	leyden.Registry
	auth.Store
}

// A fate is what becomes of a change that the server makes.
type fate int

const (
	fine            fate = iota
	refusedBefore        // the disk fails, and has not written it
	refusedAfter         // the disk fails, and has written it
	crashedBefore        // the server ends before it is written
	crashedAfter         // the server ends when it is written
	crashedAnswered      // the server ends when the station has the answer
)

// fates draws what becomes of changes, for each station by itself, so that it does not
// depend on what others do meanwhile. For what is no station's the moment decides.
type fates struct {
	plan *plan

	mu      sync.Mutex
	healed  bool
	streams map[leyden.StationID]*rand.Rand
	counts  [crashedAnswered + 1]int
}

// draw returns the fate of the next change of a station; "" is none.
func (f *fates) draw(s leyden.StationID) fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.streams[s]
	if s == "" {
		r = rand.New(rand.NewPCG(f.plan.seed, uint64(time.Now().UnixNano())))
	}
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(s)) // a hash takes anything
		r = rand.New(rand.NewPCG(f.plan.seed, h.Sum64()))
		f.streams[s] = r
	}
	x, which, o := r.IntN(100_000), r.IntN(1<<20), f.plan.odds
	drawn := fine
	switch {
	case f.healed:
	case x < o.crash:
		drawn = crashedBefore + fate(which%3)
	case x < o.crash+o.refuse:
		drawn = refusedBefore + fate(which%2)
	}
	f.counts[drawn]++
	return drawn
}

// areHealed reports whether nothing goes wrong any more.
func (f *fates) areHealed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.healed
}

// heal ends all that goes wrong.
func (f *fates) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.healed = true
}

// A handle is a server's access to its storage. It ends with the server: nothing that a
// dead one still does reaches the disk.
type handle struct {
	driver
	fates *fates
	node  *node
}

var (
	errRefused = fmt.Errorf("the disk fails: %w", leyden.ErrUnavailable)
	errDead    = fmt.Errorf("the server has ended: %w", leyden.ErrUnavailable)
)

// Append implements [leyden.Store].
func (h *handle) Append(ctx context.Context, e *leyden.Entry) error {
	return h.change(e.Station, func() error { return h.driver.Append(ctx, e) })
}

// NextID implements [leyden.Store].
func (h *handle) NextID(ctx context.Context) (id leyden.TransactionID, err error) {
	err = h.change("", func() error {
		id, err = h.driver.NextID(ctx)
		return err
	})
	return id, err
}

// SaveSightings implements [leyden.Registry].
func (h *handle) SaveSightings(ctx context.Context, seen map[leyden.StationID]leyden.Sighting, notices []leyden.Notice) error {
	return h.change("", func() error { return h.driver.SaveSightings(ctx, seen, notices) })
}

// SeeTokens implements [leyden.Registry].
func (h *handle) SeeTokens(ctx context.Context, seen []leyden.Token) error {
	return h.change("", func() error { return h.driver.SeeTokens(ctx, seen) })
}

// change makes a change, or what its fate is.
func (h *handle) change(s leyden.StationID, do func() error) error {
	if h.node.dead.Load() {
		return errDead
	}
	f := h.fates.draw(s)
	switch f {
	case refusedBefore:
		return errRefused
	case crashedBefore:
		h.node.crash()
		return errDead
	}
	err := do()
	switch {
	case f == crashedAfter:
		h.node.crash()
		return errDead
	case f == refusedAfter && err == nil:
		return errRefused
	case f == crashedAnswered:
		h.node.doom(s)
	}
	return err
}
