package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"leyden/ocpp"
)

// A Load drives a central system as hard as it answers, with next to no work of
// its own. Every station has one connection and one goroutine, and does one
// session after the other: Authorize, StartTransaction, 5 × MeterValues of 3
// samples, StopTransaction, each answered before the next leaves. Timestamps
// are the real clock's, to the microsecond and each its own; registers rise.
type Load struct {
	Dial     Dialer
	Stations int                         // [1]
	Name     func(i int) string          // as in Options [LOAD-0001 …]
	Password func(station string) string // [none]
	Tags     []string                    // the i-th station's driver has the i-th, round and round [LOADTAG]

	// Sessions is how many sessions are done in all; 0: as many as Duration
	// allows. One of both is needed.
	Sessions int
	// Duration is how long is measured, after Warmup, in which nothing is
	// counted.
	Duration, Warmup time.Duration
	// OnMeasure, if not nil, is called when the measuring begins.
	OnMeasure func()
	// Stop, if not nil, ends the measuring early when it is closed.
	Stop <-chan struct{}
	// Every is the time between two messages of a station; 0: none passes. It must
	// be short beside the interval of pings: a station that waits hears nothing.
	Every time.Duration
	// Rate, if not 0, is how many messages a second all stations send together, at
	// even intervals, and instead of Every. What was late is made up for, and an
	// answer is timed from when its message was due, not from when it left: a system
	// that stalls answers late all that should have been asked meanwhile.
	Rate float64
	// OnAnswer, if not nil, is told how long each answer took that is counted. Any
	// number of goroutines may call it at once.
	OnAnswer func(took time.Duration)
}

// A LoadResult is what was measured, from when all stations were connected.
type LoadResult struct {
	Elapsed  time.Duration
	Sessions int // that were completed
	Messages int // that were answered
	Errors   int // CALLERRORs, refused drivers, lost connections; the session is broken off
	// FirstError says what the first of them was.
	FirstError string
	// How long the answers took, of each kind of message and of all together.
	Authorizes, Starts, Readings, Stops, Answers Latency
	// Late is, with Rate, how late messages left that waited for their time alone:
	// it is the load's fault, and is in all other figures.
	Late Latency
}

// SessionsPerSecond returns the rate of completed sessions.
func (r *LoadResult) SessionsPerSecond() float64 { return perSecond(r.Sessions, r.Elapsed) }

// MessagesPerSecond returns the rate of answered messages.
func (r *LoadResult) MessagesPerSecond() float64 { return perSecond(r.Messages, r.Elapsed) }

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// A meeting is what the stations of a load share.
type meeting struct {
	Load
	left     atomic.Int64 // sessions to begin, if they are counted
	counting atomic.Bool
	over     atomic.Bool
	ended    chan struct{} // closed when it is over
	end      sync.Once

	sessions, errors atomic.Int64
	answers          [kinds]histogram
	late             histogram

	mu    sync.Mutex
	first error
}

// Run connects all stations, then measures. It returns an error, and no result,
// when the stations could not connect or ctx is done before the end.
func (l Load) Run(ctx context.Context) (*LoadResult, error) {
	l.complete()
	if l.Dial == nil || l.Sessions <= 0 && l.Duration <= 0 {
		return nil, errors.New("load: neither Dial nor an end may be missing")
	}
	m := &meeting{Load: l, ended: make(chan struct{})}
	m.left.Store(int64(l.Sessions))
	workers, err := m.connect(ctx)
	defer hangUp(workers)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	elapsed := m.measure(ctx, workers)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return m.result(elapsed), nil
}

func (l *Load) complete() {
	l.Stations = orDefault(l.Stations, 1)
	if l.Name == nil {
		l.Name = func(i int) string { return fmt.Sprintf("LOAD-%04d", i+1) }
	}
	if l.Password == nil {
		l.Password = func(string) string { return "" }
	}
	if len(l.Tags) == 0 {
		l.Tags = []string{"LOADTAG"}
	}
	if l.Rate > 0 {
		l.Every = time.Duration(float64(l.Stations) / l.Rate * float64(time.Second))
	}
}

// connect opens and boots all stations. It returns those that it opened, also
// beside an error.
func (m *meeting) connect(ctx context.Context) ([]*worker, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	gate := make(chan struct{}, maxDialing)
	slots := make([]*worker, m.Stations)
	var wg sync.WaitGroup
	for i := range slots {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			w, err := m.open(ctx, i)
			slots[i] = w
			if err != nil {
				cancel(fmt.Errorf("connect %s: %w", m.Name(i), err))
			}
		})
	}
	wg.Wait()
	var workers []*worker
	for _, w := range slots {
		if w != nil {
			workers = append(workers, w)
		}
	}
	return workers, context.Cause(ctx)
}

func (m *meeting) open(ctx context.Context, i int) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	id := m.Name(i)
	tr, err := m.Dial(ctx, Login{Station: id, Password: m.Password(id)})
	if err != nil {
		return nil, err
	}
	w := newWorker(m, tr, m.Tags[i%len(m.Tags)], i)
	stop := context.AfterFunc(ctx, w.abort)
	defer stop()
	return w, w.boot()
}

// measure lets all stations work and returns how long that took.
func (m *meeting) measure(ctx context.Context, workers []*worker) time.Duration {
	stop := context.AfterFunc(ctx, func() {
		m.finish()
		for _, w := range workers {
			w.abort()
		}
	})
	defer stop()
	began := make(chan time.Time, 1)
	begin := func() {
		if m.OnMeasure != nil {
			m.OnMeasure()
		}
		began <- time.Now()
		m.counting.Store(true)
	}
	if m.Duration == 0 || m.Warmup == 0 {
		begin()
	} else {
		defer time.AfterFunc(m.Warmup, begin).Stop()
	}
	ended := make(chan time.Time, 1)
	if m.Duration > 0 {
		defer time.AfterFunc(m.Warmup+m.Duration, func() { m.finish(); ended <- time.Now() }).Stop()
	}
	go m.await()
	var wg sync.WaitGroup
	now := time.Now()
	for i, w := range workers {
		w.due = now.Add(m.Every * time.Duration(i) / time.Duration(len(workers))) // not all at once
		wg.Go(w.work)
	}
	wg.Wait()
	m.finish()
	return span(began, ended)
}

// await finishes when it is told to.
func (m *meeting) await() {
	select {
	case <-m.Stop:
		m.finish()
	case <-m.ended:
	}
}

// finish lets no station do any more.
func (m *meeting) finish() {
	m.over.Store(true)
	m.end.Do(func() { close(m.ended) })
}

// span returns the time between two moments, of which the second is now unless
// it has passed.
func span(began, ended <-chan time.Time) time.Duration {
	select {
	case from := <-began:
		select {
		case to := <-ended:
			return to.Sub(from)
		default:
			return time.Since(from)
		}
	default:
		return 0
	}
}

func (m *meeting) result(elapsed time.Duration) *LoadResult {
	h := &m.answers
	r := &LoadResult{
		Elapsed: elapsed, Sessions: int(m.sessions.Load()), Errors: int(m.errors.Load()),
		Authorizes: h[authorizeCall].latency(), Starts: h[startCall].latency(), Readings: h[meterCall].latency(), Stops: h[stopCall].latency(),
		Answers: together(&h[authorizeCall], &h[startCall], &h[meterCall], &h[stopCall]),
	}
	r.Messages, r.Late = r.Answers.Count, m.late.latency()
	if m.first != nil {
		r.FirstError = m.first.Error()
	}
	return r
}

// fault counts an error.
func (m *meeting) fault(err error) {
	m.errors.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		m.first = err
	}
}

// another reports whether one more session is to begin.
func (m *meeting) another() bool {
	if m.over.Load() {
		return false
	}
	return m.Sessions == 0 || m.left.Add(-1) >= 0
}

// A kind of message, as a load counts them.
type kind int

const (
	authorizeCall kind = iota
	startCall
	meterCall
	stopCall
	kinds
)

// count adds an answered message to what is measured.
func (m *meeting) count(took time.Duration, k kind) {
	if !m.counting.Load() || m.over.Load() {
		return
	}
	m.answers[k].add(took)
	if m.OnAnswer != nil {
		m.OnAnswer(took)
	}
}

// hangUp ends the connections of all workers and waits until the other end
// agrees.
func hangUp(workers []*worker) {
	for _, w := range workers {
		_ = w.tr.Close(ocpp.CloseNormal, "") // the measuring is over
	}
	for _, w := range workers {
		for w.tr.Receive(w.answerCall) == nil {
		}
	}
}

// abort ends the worker's connection, from any goroutine.
func (w *worker) abort() { _ = w.tr.Close(ocpp.CloseGoingAway, "") }
