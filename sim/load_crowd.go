package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"leyden/ocpp"
)

// A Crowd is stations that are connected and have booted, and do nothing but answer.
type Crowd struct {
	Took time.Duration // until all were there

	workers []*worker
	reading sync.WaitGroup
}

// Crowd connects and boots the stations of a load, and no more.
func (l Load) Crowd(ctx context.Context) (*Crowd, error) {
	l.complete()
	if l.Dial == nil {
		return nil, errors.New("crowd: Dial may not be missing")
	}
	began := time.Now()
	workers, err := (&meeting{Load: l}).connect(ctx)
	if err != nil {
		hangUp(workers)
		return nil, fmt.Errorf("crowd: %w", err)
	}
	c := &Crowd{Took: time.Since(began), workers: workers}
	for _, w := range workers {
		c.reading.Go(w.listen)
	}
	return c, nil
}

// Close ends all connections and returns when they are gone.
func (c *Crowd) Close() {
	for _, w := range c.workers {
		_ = w.tr.Close(ocpp.CloseNormal, "") // it is over
	}
	c.reading.Wait()
}

// listen answers what is asked until the connection ends.
func (w *worker) listen() {
	for w.tr.Receive(w.answerCall) == nil {
	}
}
