package csms_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"leyden"
)

// A narrowGate keeps stations waiting until it is opened, and counts how many wait
// at once.
type narrowGate struct {
	gate
	arrived chan struct{}
	opened  chan struct{}
	inside  atomic.Int32
	most    atomic.Int32
}

func (g *narrowGate) Admit(ctx context.Context, a leyden.Attempt) error {
	n := g.inside.Add(1)
	defer g.inside.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	g.arrived <- struct{}{}
	select {
	case <-g.opened:
	case <-ctx.Done():
		return ctx.Err()
	}
	return g.gate.Admit(ctx, a)
}

// A crowd is let in one wave after the other, and whole.
func TestCrowdAtTheDoor(t *testing.T) {
	const crowd, wave = 150, 64
	w := newWorld(t)
	g := &narrowGate{arrived: make(chan struct{}, crowd), opened: make(chan struct{})}
	w.options.Gate = g
	url := w.listen()
	entered := make(chan *station, crowd)
	for i := range crowd {
		w.wg.Go(func() {
			s, err := w.dial(fmt.Sprintf("%sCP-%d", url, i))
			if err != nil {
				t.Error(err)
			}
			entered <- s
		})
	}
	for range wave {
		<-g.arrived
	}
	close(g.opened)
	for range crowd {
		if s := <-entered; s != nil {
			s.wantHeartbeat(t)
		}
	}
	if n := g.most.Load(); n != wave {
		t.Errorf("%d stations were let in at once; want %d", n, wave)
	}
}
