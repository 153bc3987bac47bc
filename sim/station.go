package sim

import (
	"context"
	"crypto/ecdsa"
	"math/rand/v2"
	"sync"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// A station is one charge point. Everything it knows belongs to the goroutine
// of run; other goroutines post what that one is to do.
type station struct {
	id     string
	opt    *Options
	book   *book
	dials  chan struct{}
	stop   <-chan struct{} // nil once it was heard
	ending bool            // nobody comes any more

	traits
	config     configuration
	skew       time.Duration // how far its clock is ahead
	password   string
	chance     *rand.Rand // for faults and jitter, never for what is charged
	remotes    *rand.Rand // for visits that were started remotely
	connectors []*connector
	operative  bool // connector 0 is

	agenda       []task
	profiles     []profile
	reservations []reservation
	list         localList
	certificates
	meterKey         *ecdsa.PrivateKey // nil: the meter does not sign
	pages            int               // signed so far
	firmware         int               // how often it was updated
	update           *update           // of the firmware, that runs
	installing       bool
	diagnostics, log *upload // that run

	link
	outbox
	waiting time.Time // since when it waits for nothing but the central system
	record  []*charge

	mail chan func()
	wg   sync.WaitGroup
}

func newStation(f *Fleet, id string) *station {
	o := &f.opt
	s := &station{
		id: id, opt: o, book: &f.book, dials: f.dialing, stop: f.stop,
		traits:    o.traits(id),
		password:  o.Password(id),
		chance:    stream(o.Seed, id, purposeFaults),
		remotes:   stream(o.Seed, id, purposeRemote),
		operative: true,
		mail:      make(chan func()),
	}
	s.skew = o.skew(id)
	s.config = newConfiguration(o, s.traits, s.delivered())
	if o.Signed {
		var err error
		if s.meterKey, err = o.meterKey(id); err != nil {
			s.book.breach(id, "a key for its meter", "%v", err)
		}
	}
	registers := stream(o.Seed, id, purposeRegister)
	for i := range o.Connectors {
		s.connectors = append(s.connectors, &connector{
			id: i + 1, status: v16.ChargePointStatusAvailable, operative: true,
			register: 10_000 + registers.IntN(5_000_000),
		})
	}
	return s
}

// run is the life of the station, until it is done or ctx is.
func (s *station) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.keep()
	defer s.wg.Wait()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := s.clock()
		s.attend(now)
		s.step(now)
		s.connect(ctx, now)
		s.send(ctx, now)
		if s.done(now) {
			s.goodbye()
			return
		}
		timer.Reset(s.wake(now).Sub(now))
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			s.end(s.clock())
		case f := <-s.mail:
			f()
		case <-timer.C:
		}
	}
}

// clock returns the time as the station tells it: in ms, and by its own clock. All
// times that it handles are of that.
func (s *station) clock() time.Time {
	return time.Now().Add(s.skew).UTC().Truncate(time.Millisecond)
}

// post has the station do f. It returns without when the station has ended.
func (s *station) post(ctx context.Context, f func()) {
	select {
	case s.mail <- f:
	case <-ctx.Done():
	}
}

// scale returns how long d takes at the speed of the run.
func (s *station) scale(d time.Duration) time.Duration {
	return max(time.Millisecond, time.Duration(float64(d)/s.opt.Speed).Truncate(time.Millisecond))
}

// step does what is due at the connectors.
func (s *station) step(now time.Time) {
	for _, c := range s.connectors {
		for !c.due.IsZero() && !c.due.After(now) {
			at := c.due
			c.due = time.Time{}
			s.advance(c, at)
		}
	}
}

// wake returns when there will be something to do that nobody posts.
func (s *station) wake(now time.Time) time.Time {
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, c := range s.connectors {
		sooner(c.due)
	}
	if i := s.earliest(); i >= 0 {
		sooner(s.agenda[i].at)
	}
	if !s.busy {
		sooner(s.dialAt)
	}
	if s.conn != nil && s.open == nil {
		sooner(s.nextSend(now))
	}
	if !s.waiting.IsZero() {
		sooner(s.waiting.Add(s.opt.Patience))
	}
	return next
}

// end makes the station finish what it does and begin nothing new.
func (s *station) end(now time.Time) {
	s.stop, s.ending, s.agenda = nil, true, nil
	s.absent, s.dialAt = time.Time{}, time.Time{}
	for _, c := range s.connectors {
		s.dismiss(c, now)
	}
}

// done reports whether there is nothing left to do, ever.
func (s *station) done(now time.Time) bool {
	if !s.ending && (s.opt.Sessions == 0 || !s.everBooted) {
		return s.outOfPatience(now, s.opt.Sessions > 0)
	}
	for _, c := range s.connectors {
		if c.phase != gone {
			s.waiting = time.Time{}
			return false
		}
	}
	if s.open == nil && len(s.durable) == 0 && (len(s.urgent) == 0 || s.conn == nil) {
		s.wasInVain()
		return true
	}
	return s.outOfPatience(now, true)
}

// wasInVain notes that the station tried and was never accepted, unless it has
// been told why.
func (s *station) wasInVain() {
	if !s.everBooted && s.failures > 0 && len(s.rejections) == 0 {
		s.book.breach(s.id, "to be accepted", "%d attempts in vain", s.failures)
	}
}

// outOfPatience reports whether a station that only waits for the central
// system has done so for too long.
func (s *station) outOfPatience(now time.Time, waits bool) bool {
	if !waits {
		s.waiting = time.Time{}
		return false
	}
	if s.waiting.IsZero() {
		s.waiting = now
	}
	if s.waiting.Before(s.absent) {
		s.waiting = s.absent
	}
	if now.Sub(s.waiting) < s.opt.Patience {
		return false
	}
	s.book.breach(s.id, "an answer within "+s.opt.Patience.String(), "none; %d transaction messages wait", len(s.durable))
	return true
}

// goodbye ends the connection in good order, if there is one.
func (s *station) goodbye() {
	if conn := s.conn; conn != nil {
		s.offline()
		_ = conn.Close(ocpp.CloseNormal, "") // nothing is left to be lost
	}
}

// keep hands in what happened here.
func (s *station) keep() {
	s.offline()
	charges := make([]Charge, len(s.record))
	for i, ch := range s.record {
		charges[i] = ch.Charge
	}
	s.book.keep(charges)
}
