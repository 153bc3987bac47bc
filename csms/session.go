package csms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"leyden"
	"leyden/ocpp"
)

// A session is one connection of a station.
type session struct {
	srv     *Server
	station leyden.StationID
	known   string // public id of the station that it was let in as
	dialect *dialect
	conn    *ocpp.Conn
	frames  *recorder               // nil: they are not recorded
	order   uint64                  // a younger connection has a higher one
	cancel  context.CancelCauseFunc // ends it, whatever it is doing
	led     leyden.TransactionID    // the transaction of the last report; owned by the goroutine that serves
	told    bool                    // that the station came, and it is announced; of the same goroutine
	clean   uint64                  // Server.kept when the station was found to have told nothing before it was accepted, plus 1

	accepted atomic.Bool    // the station may work here
	swaps    []time.Time    // when connections replaced living ones, the last swapLimit
	asking   atomic.Bool    // a question about settings waits for its time
	question *time.Timer    // asks it; owned by the goroutine that serves
	heldAt   time.Time      // when the message was received that is recorded now, if it waited with us; of the same goroutine
	where    *time.Location // what timestamps without a zone were last in; of the same goroutine
	listing  chan struct{}  // holds one token while somebody updates the station's local list
}

func newSession(srv *Server, station leyden.StationID, d *dialect, tr ocpp.Transport, order uint64) *session {
	s := &session{srv: srv, station: station, dialect: d, order: order, listing: make(chan struct{}, 1)}
	o := ocpp.Options{Counters: &srv.count.Counters, OnBroken: s.broken, Borrows: d.borrows}
	if s.frames = newRecorder(srv.journal, station, d); s.frames != nil {
		o.OnFrame = s.frames.see
	}
	s.conn = ocpp.NewConn(tr, o)
	return s
}

// run serves a session until it ends.
func (s *session) run(ctx context.Context) error {
	ctx, s.cancel = context.WithCancelCause(ctx)
	if entered, err := s.enter(ctx); !entered {
		return err
	}
	return s.stay(ctx)
}

// enter registers the session, which stay is to serve then. If it returns false the
// connection is closed, and nothing is left of the session.
func (s *session) enter(ctx context.Context) (entered bool, err error) {
	registered := false
	defer func() {
		if !entered && registered {
			s.leave(err)
		}
		if !entered {
			s.cancel(nil)
		}
	}()
	defer s.srv.rescue("session", func() { err = s.turnAway(errPanic) })
	if err := s.enrol(ctx); err != nil {
		return false, s.turnAway(err)
	}
	if registered = s.replaceOlder(); !registered {
		s.srv.log.InfoContext(ctx, "station not connected", "station", s.station, "cause", replaced)
		return false, s.conn.Close(ocpp.ClosePolicy, replaced)
	}
	if s.srv.isDraining() { // and may have looked for sessions before this one was there
		return false, s.conn.Close(ocpp.CloseRestart, restarting)
	}
	// Again: who changed it before this session was there found none to close.
	if err := s.enrol(ctx); err != nil {
		return false, s.turnAway(err)
	}
	if err := s.srv.ledger.Connected(ctx, s.station, s.dialect.protocol); err != nil {
		return false, s.turnAway(err)
	}
	s.told = true
	if s.accepted.Load() { // maybe only since it was last here, and it need not boot again
		if err := s.recordHeld(ctx); err != nil {
			return false, s.turnAway(err)
		}
	}
	s.srv.log.InfoContext(ctx, "station connected", "station", s.station, "protocol", s.dialect.protocol)
	return true, nil
}

// stay serves the session until it ends and takes it away. Nearly all sessions
// are here, waiting: it takes as little of a stack as it can.
func (s *session) stay(ctx context.Context) (err error) {
	defer s.exit(ctx, &err)
	defer s.frames.settle()
	return s.conn.Serve(ctx, s.handle)
}

// exit is what stay leaves with. It is deferred, and so may recover.
func (s *session) exit(ctx context.Context, err *error) {
	s.srv.endPanic(recover(), "session", func() { *err = s.turnAway(errPanic) })
	s.srv.log.InfoContext(ctx, "station disconnected", "station", s.station, "cause", *err)
	s.leave(*err)
	s.cancel(nil)
}

// enrol looks up whether the station may work here. One that nobody registered
// is added as it comes under open admission.
func (s *session) enrol(ctx context.Context) error {
	known, err := s.srv.known(ctx, s.station)
	s.known = known.PublicID
	s.accepted.Store(known.Registration == leyden.RegistrationAccepted)
	return err
}

// stillKnown reports whether the station that the session was let in as is
// registered: it may have been removed since, and another one added under its
// identity.
func (s *session) stillKnown(ctx context.Context) bool {
	known, err := s.srv.ledger.Registry().Station(ctx, s.station)
	if err != nil && !errors.Is(err, leyden.ErrNotFound) {
		s.srv.log.WarnContext(ctx, "station not looked up", "station", s.station, "error", err)
	}
	return err == nil && known.PublicID == s.known
}

// known returns what is registered of a station, and adds one that nobody
// registered under open admission.
func (srv *Server) known(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	reg := srv.ledger.Registry()
	known, err := reg.RecentStation(ctx, id)
	if errors.Is(err, leyden.ErrNotFound) && srv.opt.Open {
		now := srv.ledger.Now()
		known = leyden.Station{
			ID: id, PublicID: leyden.NewPublicID("chg_", now), Registration: leyden.RegistrationAccepted, RegisteredAt: now,
		}
		if err = reg.AddStation(ctx, known); errors.Is(err, leyden.ErrExists) {
			known, err = reg.Station(ctx, id)
		}
	}
	if err != nil {
		return leyden.Station{}, fmt.Errorf("station %s: %w", id, err)
	}
	return known, nil
}

// turnAway closes a connection that cannot be served.
func (s *session) turnAway(err error) error {
	code, reason := ocpp.CloseTryLater, tryLater
	if errors.Is(err, leyden.ErrNotFound) {
		code, reason = ocpp.ClosePolicy, "station is not registered"
	}
	return errors.Join(err, s.conn.Close(code, reason))
}

// replaced is the reason of a connection that is closed for a younger one.
const replaced = "replaced by a newer connection"

// replaceOlder makes s the session of its station, unless a younger connection
// has overtaken it: then it returns false. The connection that it replaces is
// closed aside: a dead one may take its time.
func (s *session) replaceOlder() bool {
	for {
		v, there := s.srv.sessions.LoadOrStore(s.station, s)
		if !there {
			s.srv.online.Add(1)
			return true
		}
		other := v.(*session)
		if other.order > s.order {
			s.srv.count.Swaps.Add(1)
			return false
		}
		s.swaps = swapped(other.swaps, s.srv.ledger.Now())
		if s.srv.sessions.CompareAndSwap(s.station, v, s) {
			s.srv.count.Swaps.Add(1)
			s.srv.running.Go(func() { _ = other.conn.Close(ocpp.ClosePolicy, replaced) }) // it ends in any case
			return true
		}
	}
}

// swapped returns the times of the last swaps, with one more.
func swapped(before []time.Time, now time.Time) []time.Time {
	last := before[max(0, len(before)-swapLimit+1):]
	return append(slices.Clip(last), now)
}

// leave takes the session away unless a newer one has its place.
// That the station left is announced if that it came was.
func (s *session) leave(why error) {
	if s.question != nil {
		s.question.Stop()
	}
	if s.srv.sessions.CompareAndDelete(s.station, s) {
		s.srv.online.Add(-1)
	}
	if s.told {
		s.srv.ledger.Disconnected(s.station, clip(causeOf(why)), func() bool { return s.srv.Online(s.station) })
	}
}

// causeOf says for people why a connection ended.
func causeOf(why error) string {
	if closed, ok := errors.AsType[*ocpp.CloseError](why); ok {
		return cmp.Or(closed.Reason, fmt.Sprintf("closed with %d", closed.Code))
	}
	return "connection lost"
}

// handle answers one CALL of the station.
func (s *session) handle(ctx context.Context, f ocpp.Frame) (r ocpp.Reply) {
	defer s.frames.settle()
	defer s.srv.rescue(f.Action, func() {
		r = ocpp.Reply{Err: s.fault(ctx, f.Action, errPanic)}
	})
	may := s.accepted.Load() || f.Action == bootNotification
	if !may || !s.dialect.reports(f.Action) { // what is recorded is noted by that
		s.srv.ledger.Seen(s.station, f.Action == heartbeat)
	}
	if !may {
		return s.notAccepted(ctx, f)
	}
	return s.dialect.answer(ctx, s, f)
}

var errPanic = errors.New("panic")

// tryLater is the reason of a connection that is shed.
const tryLater = "try again later"

// rescue logs a panic, which is a bug of ours and no reason to stop serving
// others, and calls then.
func (srv *Server) rescue(what string, then func()) {
	srv.endPanic(recover(), what, then)
}

func (srv *Server) endPanic(p any, what string, then func()) {
	if p == nil {
		return
	}
	srv.count.Panics.Add(1)
	srv.log.Error("panic", "in", what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if then != nil {
		then()
	}
}

// fault turns an error of our own into how a message is answered: not at all,
// when the station would take an error for the end of the matter or storage is
// in trouble.
func (s *session) fault(ctx context.Context, action string, err error) error {
	if ended, ok := errors.AsType[*ocpp.CloseError](context.Cause(ctx)); ok {
		return ended // the connection was given up meanwhile
	}
	if !s.dialect.reports(action) && !errors.Is(err, leyden.ErrUnavailable) {
		s.srv.log.Error("message not handled", "station", s.station, "action", action, "error", err)
		return err
	}
	s.srv.count.Shed.Add(1)
	s.srv.log.Error("message not recorded", "station", s.station, "action", action, "error", err)
	return errors.Join(&ocpp.CloseError{Code: ocpp.CloseTryLater, Reason: tryLater}, err)
}

// askLater asks the station for the settings that matter to the ledger, once it
// has had time to settle. It asks once, however often it boots meanwhile.
func (s *session) askLater() {
	if !s.asking.CompareAndSwap(false, true) {
		return
	}
	s.question = time.AfterFunc(askDelay, func() {
		s.srv.background(func(ctx context.Context) {
			defer s.asking.Store(false)
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			_, err := s.dialect.configuration(ctx, s, []string{connectionTimeOut})
			if err != nil {
				s.srv.log.Debug("station told no settings", "station", s.station, "error", err)
			}
		})
	})
}
