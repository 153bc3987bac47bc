package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"leyden/ocpp"
)

// A StormResult is how it went when all stations of a load came back at once.
type StormResult struct {
	Stations int
	Booted   Latency // from the begin until the BootNotification was answered
	Answered Latency // … and until the StopTransaction was
	Retries  int     // connections that failed, and were tried again
	// Errors counts stations that were refused something; FirstError says what the
	// first was.
	Errors     int
	FirstError string
}

const (
	// stormAway is how long the stations are away.
	stormAway = time.Second
	// stormRetry is how long a station waits after a connection that failed.
	stormRetry = 500 * time.Millisecond
)

// A storm is what the stations share when they come back.
type storm struct {
	*meeting
	began            time.Time
	booted, answered histogram
	mu               sync.Mutex
	retries          int
}

// Storm connects the stations, lets each begin a charge, cuts all connections
// without a word, and lets all come back at the same moment: each boots, and sends
// the stop that it has queued. OnMeasure is called at that moment.
func (l Load) Storm(ctx context.Context) (*StormResult, error) {
	l.complete()
	if l.Dial == nil {
		return nil, errors.New("storm: Dial may not be missing")
	}
	s := &storm{meeting: &meeting{Load: l}}
	workers, err := s.connect(ctx)
	if err == nil {
		err = s.charge(ctx, workers)
	}
	if err != nil {
		hangUp(workers)
		return nil, fmt.Errorf("storm: %w", err)
	}
	for _, w := range workers {
		_ = w.tr.Close(ocpp.CloseAbnormal, "") // that is the storm
	}
	if err := sleepUntil(ctx, time.Now().Add(stormAway)); err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	if l.OnMeasure != nil {
		l.OnMeasure()
	}
	s.began = time.Now()
	s.each(ctx, workers, s.comeBack)
	hangUp(workers)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	r := &StormResult{
		Stations: len(workers), Booted: s.booted.latency(), Answered: s.answered.latency(),
		Retries: s.retries, Errors: int(s.errors.Load()),
	}
	if s.first != nil {
		r.FirstError = s.first.Error()
	}
	return r, nil
}

// each lets every station do something, all at once.
func (s *storm) each(ctx context.Context, workers []*worker, do func(context.Context, *worker) error) {
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			if err := do(ctx, w); err != nil {
				s.fault(err)
			}
		})
	}
	wg.Wait()
}

// charge lets every station begin a charge.
func (s *storm) charge(ctx context.Context, workers []*worker) error {
	s.each(ctx, workers, func(ctx context.Context, w *worker) error {
		stop := context.AfterFunc(ctx, w.abort)
		defer stop()
		return w.start()
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.first
}

// comeBack connects a station until that succeeds, boots it, and sends its stop.
func (s *storm) comeBack(ctx context.Context, w *worker) error {
	for {
		err := s.visit(ctx, w)
		if !errors.Is(err, errUnconnected) {
			return err
		}
		s.mu.Lock()
		s.retries++
		s.mu.Unlock()
		if err := sleepUntil(ctx, time.Now().Add(stormRetry)); err != nil {
			return err
		}
	}
}

// errUnconnected says that there is no connection, or none any more.
var errUnconnected = errors.New("no connection")

// visit is one attempt to come back.
func (s *storm) visit(ctx context.Context, w *worker) error {
	id := s.Name(w.index)
	tr, err := s.Dial(ctx, Login{Station: id, Password: s.Password(id)})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnconnected, err)
	}
	w.tr = tr
	stop := context.AfterFunc(ctx, w.abort)
	defer stop()
	err = w.boot()
	if err == nil {
		s.booted.add(time.Since(s.began))
		err = w.stop()
	}
	if errors.Is(err, ocpp.ErrClosed) {
		return fmt.Errorf("%w: %w", errUnconnected, err)
	}
	if err == nil {
		s.answered.add(time.Since(s.began))
	}
	return err
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
