package csms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
)

// Options are the settings of a [Server]. Zero fields take the defaults in
// brackets.
type Options struct {
	Gate  Gate                        // who may connect over HTTP [nobody]
	Ready func(context.Context) error // why storage takes no facts now, or nil [always ready]
	Open  bool                        // stations that nobody registered are added as they come
	// Journal keeps the frames of all sessions [they are not kept].
	Journal leyden.Journal
	// Devices keeps what has nothing to do with charging [nothing is kept].
	Devices device.Store
	Signer  Signer       // signs certificates of stations [all requests are rejected]
	Log     *slog.Logger // [nowhere]

	CallTimeout      time.Duration // how long a station may take to answer a call [30 s]
	Heartbeat        time.Duration // how often stations shall send Heartbeat [300 s]
	RequirePreparing bool          // remote starts only where a vehicle is plugged in already
	Strict           bool          // refuse all that the schemas forbid
	Timeouts         ocpp.Timeouts // of WebSockets
}

// Limits of a server.
const (
	// swapLimit is how many new connections within swapWindow may replace a
	// living one before further ones are delayed by swapDelay.
	swapLimit  = 5
	swapWindow = time.Minute
	swapDelay  = time.Second
	// maxEntering is how many stations are let in at once over HTTP; further ones wait.
	// It is enough to keep the processors busy while some wait for the disk.
	maxEntering = 64
	// askDelay is how long after its boot a station is asked for settings: it
	// has enough to do before.
	askDelay = 30 * time.Second
	// askTimeout is how long it may hold up other calls with its answer.
	askTimeout = 10 * time.Second
	// callGrace is how long a drain leaves stations for answers to open calls.
	callGrace = 3 * time.Second
	// backgroundLimit bounds what the server does of its own accord.
	backgroundLimit = 2 * time.Minute
)

// Counters count what a server meets; all of them only ever grow.
type Counters struct {
	ocpp.Counters
	Violations  atomic.Uint64 // what schemas forbid and stations sent
	Extra       atomic.Uint64 // properties that schemas do not know
	Quarantined atomic.Uint64 // messages refused and kept
	Swaps       atomic.Uint64 // living connections replaced by newer ones
	Shed        atomic.Uint64 // connections closed because storage was in trouble
	Panics      atomic.Uint64
	Journaled   atomic.Uint64 // frames that the journal keeps
	Unjournaled atomic.Uint64 // frames that it was to keep and does not
}

// A Server holds the sessions of the stations connected to this node. It is
// safe for concurrent use.
type Server struct {
	ledger *leyden.Ledger
	opt    Options
	log    *slog.Logger
	count  Counters

	door     door     // of ServeHTTP
	sessions sync.Map // *session by leyden.StationID
	orders   atomic.Uint64
	requests atomic.Int64 // the last request number; see nextRequest
	online   atomic.Int64
	stops    sync.Map // *openStop by leyden.TransactionID
	journal  *journal // nil: there is none
	noticed  notices  // security events of ours

	keeping, kept atomic.Uint64 // messages of stations that are not accepted: begun to be kept, and done with

	mu       sync.Mutex // guards draining, and running against it
	draining bool
	running  sync.WaitGroup // sessions and work in the background
	calls    sync.WaitGroup // calls to stations
}

// New returns a server that records into l.
func New(l *leyden.Ledger, o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = 30 * time.Second
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 300 * time.Second
	}
	srv := &Server{ledger: l, opt: o, log: o.Log, door: make(door, maxEntering)}
	srv.journal = newJournal(srv)
	return srv
}

// A door lets so many through at once as it has room for.
type door chan struct{}

// enter waits for its turn, or returns the error of ctx. Whoever has entered leaves.
func (d door) enter(ctx context.Context) error {
	select {
	case d <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d door) leave() { <-d }

// Ledger returns the ledger that the server records into.
func (srv *Server) Ledger() *leyden.Ledger { return srv.ledger }

// Counters returns what the server counts.
func (srv *Server) Counters() *Counters { return &srv.count }

// Online reports whether a station is connected to this node.
func (srv *Server) Online(id leyden.StationID) bool {
	_, ok := srv.sessions.Load(id)
	return ok
}

// OnlineCount returns how many stations are connected to this node.
func (srv *Server) OnlineCount() int { return int(srv.online.Load()) }

// Serve talks to a station over tr until the connection ends, and returns why.
// Nobody asks the station who it is: that is the business of [Server.ServeHTTP].
// It fails with [leyden.ErrNotFound] for a station that is not registered, unless
// stations are added as they come.
func (srv *Server) Serve(ctx context.Context, station leyden.StationID, protocol string, tr ocpp.Transport) error {
	d := dialectOf(protocol)
	if d == nil {
		return errors.Join(fmt.Errorf("no protocol %q: %w", protocol, leyden.ErrInvalid), tr.Close(ocpp.CloseProtocol, "no such protocol"))
	}
	if !srv.begin(&srv.running) {
		return tr.Close(ocpp.CloseRestart, restarting)
	}
	defer srv.running.Done()
	return newSession(srv, station, d, tr, srv.nextOrder()).run(ctx)
}

// Disconnect closes the connection of a station, if it has one: what allowed
// it to connect has changed.
func (srv *Server) Disconnect(id leyden.StationID, reason string) {
	if s, ok := srv.sessions.Load(id); ok {
		_ = s.(*session).conn.Close(ocpp.ClosePolicy, reason) // it ends in any case
	}
}

// Drain lets nobody in any more, begins no more calls, and waits a while for the
// answers to those that are open. Then it closes each connection with 1012 once
// the message that is being handled is answered, and waits for all to end. When
// ctx is done first they are closed at once, whatever they are doing, and its
// error is returned. At last it gives the journal a moment to write what it has.
func (srv *Server) Drain(ctx context.Context) error {
	defer srv.journal.close(ctx)
	srv.mu.Lock()
	srv.draining = true
	srv.mu.Unlock()
	grace, cancel := context.WithTimeout(ctx, callGrace)
	defer cancel()
	_ = waitFor(grace, &srv.calls) // those that are still open fail

	restart := &ocpp.CloseError{Code: ocpp.CloseRestart, Reason: restarting}
	srv.eachSession(func(s *session) { _ = s.conn.Drain(restart.Code, restart.Reason) }) // it ends in any case
	if err := waitFor(ctx, &srv.running); err != nil {
		srv.eachSession(func(s *session) { s.cancel(restart) })
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ocpp.CloseTimeout)
		defer cancel()
		return fmt.Errorf("drain: %w", errors.Join(err, waitFor(last, &srv.running)))
	}
	return nil
}

// restarting is the reason for which a server that drains turns away.
const restarting = "server is restarting"

// waitFor waits until wg is done, or returns the error of ctx.
func waitFor(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eachSession calls f for all sessions at once: to close a dead one takes time.
func (srv *Server) eachSession(f func(*session)) {
	var wg sync.WaitGroup
	srv.sessions.Range(func(_, s any) bool {
		wg.Go(func() { f(s.(*session)) })
		return true
	})
	wg.Wait()
}

// begin takes up work that Drain waits for, or returns false. Whoever got true
// calls Done on wg.
func (srv *Server) begin(wg *sync.WaitGroup) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining {
		return false
	}
	wg.Add(1)
	return true
}

// isDraining reports whether nobody is let in any more.
func (srv *Server) isDraining() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.draining
}

// background runs f on a goroutine of its own, for a limited time.
func (srv *Server) background(f func(context.Context)) {
	if !srv.begin(&srv.running) {
		return
	}
	go func() {
		defer srv.running.Done()
		defer srv.rescue("background", nil)
		ctx, cancel := context.WithTimeout(context.Background(), backgroundLimit)
		defer cancel()
		f(ctx)
	}()
}

// nextOrder returns the place of a new connection among all.
func (srv *Server) nextOrder() uint64 { return srv.orders.Add(1) }

// session returns the session of a station, or why there is none.
func (srv *Server) session(ctx context.Context, id leyden.StationID) (*session, error) {
	if srv.isDraining() {
		return nil, fmt.Errorf("%s: %w", restarting, leyden.ErrUnavailable)
	}
	if s, ok := srv.sessions.Load(id); ok {
		return s.(*session), nil
	}
	if _, err := srv.ledger.Registry().Station(ctx, id); err != nil {
		return nil, fmt.Errorf("station %s: %w", id, err)
	}
	return nil, fmt.Errorf("station %s: %w", id, leyden.ErrOffline)
}
