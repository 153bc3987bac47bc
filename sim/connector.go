package sim

import (
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// A phase is where a visit at a connector stands.
type phase int

const (
	idle        phase = iota // nobody is there, somebody will come
	gone                     // nobody will come
	arriving                 // a car is about to be plugged in, for a remote start
	plugged                  // the driver looks for the card
	authorizing              // the card was read
	charging                 // energy flows, or could
	leaving                  // the charge is over, the cable still plugged in
)

// How long people take, at speed 1.
const (
	cardDelay   = 10 * time.Second // from the plug to the card
	plugDelay   = 8 * time.Second  // from a remote start to the plug
	unplugDelay = 45 * time.Second
)

// A connector is one plug of a station, with its meter.
type connector struct {
	id        int
	phase     phase
	due       time.Time // when the phase goes on by itself; zero: never
	operative bool      // nobody has made it inoperative

	status   v16.ChargePointStatus
	reported v16.ChargePointStatus // that the central system has confirmed

	register int // Wh, between charges
	visits   int // how many began
	visit    Visit
	number   int                           // of the visit; −1 when it was started remotely
	parent   string                        // group of the visit's idTag; "" while it is unknown
	profile  ocpp.Opt[v16.ChargingProfile] // that a remote start brought
	charge   *charge
}

// leastReset is how high a register must stand, in Wh, to be reset during a charge:
// higher than it can rise in one, so that it ends below where it began.
const leastReset = 300_000

// A charge is a transaction of the station's.
type charge struct {
	Charge
	battery   battery
	id        int  // its number, as soon as it is known
	forgotten bool // its start could not be delivered
	offline   bool // it began without a connection
	full      bool

	since  time.Time // when the battery's power changed last
	before float64   // Wh until then

	dropped int // Wh that the register fell when it was reset
	counted int // Wh that it had shown by then, since the begin
	segment int // Wh where it began to count: MeterStart, or 0 after a reset

	leaveAt, fullAt, sampleAt, offlineAt, limitAt, rebootAt, resetAt time.Time

	kept []v16.MeterValue // for transactionData
}

// expectVisit waits for the next driver.
func (s *station) expectVisit(c *connector, now time.Time) {
	c.phase, c.due = gone, time.Time{}
	if s.ending {
		return
	}
	v, ok := s.opt.visit(s.id, c.id, c.visits)
	if !ok {
		return
	}
	c.visit, c.number, c.parent, c.profile = v, c.visits, "", ocpp.Opt[v16.ChargingProfile]{}
	c.phase, c.due = idle, now.Add(s.scale(v.After))
}

// advance is what happens at a connector at the moment that was due.
func (s *station) advance(c *connector, at time.Time) {
	switch c.phase {
	case idle:
		c.visits++
		if !s.free(c, c.visit.IDTag) {
			s.expectVisit(c, at) // out of order, or not for this driver, who goes elsewhere
			return
		}
		s.plug(c, at, cardDelay)
	case arriving:
		c.phase, c.due = authorizing, time.Time{}
		if _, barred := s.claim(c, c.visit.IDTag, ""); barred || s.config.on(keyAuthorizeRemote) {
			s.authorize(c, at)
			return
		}
		s.begin(c, at)
	case plugged:
		s.authorize(c, at)
	case charging:
		s.flow(c, at)
	case leaving:
		s.unplug(c, at)
	}
}

// plug puts the cable in; the driver goes on after a while.
func (s *station) plug(c *connector, at time.Time, wait time.Duration) {
	c.phase, c.due = plugged, at.Add(s.scale(wait))
	s.setStatus(c, v16.ChargePointStatusPreparing, at)
}

// authorize reads the card. Without an answer the station decides by itself
// (OCPP 1.6 §3.5).
func (s *station) authorize(c *connector, at time.Time) {
	c.phase, c.due = authorizing, time.Time{}
	visit, number := c.visits, c.number
	still := func() bool { return c.phase == authorizing && c.visits == visit && c.number == number }
	tag := c.visit.IDTag
	if info, ok := s.known(tag, at); ok && info.Status == v16.AuthorizationStatusAccepted && s.config.on(keyPreAuthorize) {
		s.authorized(c, true, info, at)
		return
	}
	s.tell(&message{
		action: "Authorize",
		build:  func() ocpp.Request { return &v16.Authorize{IDTag: tag} },
		answered: func(res ocpp.Response, now time.Time) {
			s.authorized(c, still(), res.(*v16.AuthorizeResponse).IDTagInfo, now)
		},
		dropped: func(now time.Time, cutOff bool) {
			s.authorized(c, still(), s.decide(tag, cutOff, now), now)
		},
	}, at)
}

// authorized goes on with what is known of the driver, who may be one that a
// reservation keeps away.
func (s *station) authorized(c *connector, still bool, info v16.IDTagInfo, now time.Time) {
	if !still {
		return
	}
	c.parent = info.ParentIDTag.Or("")
	_, barred := s.claim(c, c.visit.IDTag, c.parent)
	if info.Status == v16.AuthorizationStatusAccepted && !barred {
		s.begin(c, now)
		return
	}
	s.book.refused.Add(1)
	c.phase, c.due = leaving, now.Add(s.scale(unplugDelay))
}

// begin starts a charge.
func (s *station) begin(c *connector, at time.Time) {
	v := c.visit
	if s.opt.has(SessionRegister) {
		c.register = 0
	}
	ch := &charge{
		Charge: Charge{
			Station: s.id, Connector: c.id, Number: c.number, IDTag: v.IDTag, Remote: c.number < 0,
			StartedAt: at, MeterStart: c.register,
		},
		battery: battery{
			capacity: float64(v.Capacity) / s.opt.Speed,
			initial:  float64(v.SoC) / 100,
			power:    float64(min(v.Power, s.power)),
		},
		since: at, leaveAt: at.Add(s.scale(v.Stay)), segment: c.register,
	}
	ch.fullAt = at.Add(ch.battery.full()).Truncate(time.Millisecond)
	if d := s.sampleEvery(); d > 0 {
		ch.sampleAt = at.Add(d)
	}
	if v.Offline > 0 {
		ch.offlineAt = at.Add(s.scale(v.OfflineAfter))
	}
	if v.RebootAfter > 0 {
		ch.rebootAt = at.Add(s.scale(v.RebootAfter))
	}
	if v.ResetAfter > 0 && c.register > leastReset {
		ch.resetAt = at.Add(s.scale(v.ResetAfter))
	}
	ch.offline = !s.booted
	c.charge, c.phase = ch, charging
	if p, ok := c.profile.Get(); ok {
		s.install(c.id, &p, at)
	}
	s.throttle(c, at)
	s.book.started.Add(1)
	s.book.charging.Add(1)
	if s.opt.Record {
		s.record = append(s.record, ch)
	}
	s.announce(ch)
	s.putStart(c, ch, s.use(c))
	s.setStatus(c, ch.status(), at)
	if s.begins {
		s.putReading(c, at, v16.ReadingContextTransactionBegin)
	}
	s.plan(c)
	s.regulate(at) // the others' share is less
}

// announce tells whoever wants to know of a charge how it stands.
func (s *station) announce(ch *charge) {
	if s.opt.OnCharge != nil {
		s.opt.OnCharge(ch.Charge)
	}
}

// sampleEvery returns the time between readings, 0 for none.
func (s *station) sampleEvery() time.Duration {
	d := s.config.seconds(keySampleInterval)
	if d == 0 {
		return 0
	}
	return s.scale(d)
}

// plan sets when the charge goes on.
func (s *station) plan(c *connector) {
	ch := c.charge
	c.due = ch.leaveAt
	for _, t := range []time.Time{ch.sampleAt, ch.offlineAt, ch.limitAt, ch.rebootAt, ch.resetAt} {
		if !t.IsZero() && t.Before(c.due) {
			c.due = t
		}
	}
	if !ch.full && ch.fullAt.Before(c.due) {
		c.due = ch.fullAt
	}
}

// flow is what is due in the course of a charge.
func (s *station) flow(c *connector, at time.Time) {
	ch := c.charge
	if !at.Before(ch.leaveAt) {
		s.depart(c, at)
		return
	}
	if !ch.full && !at.Before(ch.fullAt) {
		ch.full = true
		s.setStatus(c, v16.ChargePointStatusSuspendedEV, at)
	}
	if !ch.resetAt.IsZero() && !at.Before(ch.resetAt) {
		s.resetMeter(c, at)
	}
	if !ch.sampleAt.IsZero() && !at.Before(ch.sampleAt) {
		s.putReading(c, at, v16.ReadingContextSamplePeriodic)
		ch.sampleAt = time.Time{}
		if d := s.sampleEvery(); d > 0 {
			ch.sampleAt = at.Add(d)
		}
	}
	if !ch.offlineAt.IsZero() && !at.Before(ch.offlineAt) {
		ch.offlineAt = time.Time{}
		s.leave(at.Add(s.scale(c.visit.Offline)))
	}
	if !ch.limitAt.IsZero() && !at.Before(ch.limitAt) {
		s.regulate(at)
	}
	if !ch.rebootAt.IsZero() && !at.Before(ch.rebootAt) {
		ch.rebootAt = time.Time{}
		s.losePower(at)
	}
	if c.charge == ch {
		s.plan(c)
	}
}

// depart is when the driver is back.
func (s *station) depart(c *connector, at time.Time) {
	if c.visit.Ending != v16.ReasonEVDisconnected || !s.config.on(keyStopOnUnplug) {
		s.finish(c, at, v16.ReasonLocal)
		return
	}
	s.finish(c, at, v16.ReasonEVDisconnected)
	s.unplug(c, at)
}

// finish ends the charge; the cable stays in.
func (s *station) finish(c *connector, at time.Time, reason v16.Reason) {
	ch := c.charge
	c.charge = nil
	s.endProfiles(c)
	c.register = ch.wh(at)
	ch.StoppedAt, ch.MeterStop, ch.Reason = at, c.register, string(reason)
	ch.Energy = ch.counted + ch.MeterStop - ch.segment
	s.book.charging.Add(-1)
	s.putStop(c, ch)
	c.phase, c.due = leaving, at.Add(s.scale(unplugDelay))
	s.setStatus(c, v16.ChargePointStatusFinishing, at)
	s.regulate(at) // the others' share is more
}

// unplug is when the cable is out. The next local driver comes, unless one is
// waited for already.
func (s *station) unplug(c *connector, at time.Time) {
	s.setStatus(c, s.resting(c), at)
	s.expectVisit(c, at)
}

// resting returns the status of the connector when no cable is plugged in.
func (s *station) resting(c *connector) v16.ChargePointStatus {
	switch {
	case !c.operative || !s.operative || s.installing:
		return v16.ChargePointStatusUnavailable
	case s.reservationAt(c.id) != nil:
		return v16.ChargePointStatusReserved
	}
	return v16.ChargePointStatusAvailable
}

// interrupt ends what happens at a connector because of something else than
// its driver.
func (s *station) interrupt(c *connector, at time.Time, reason v16.Reason) {
	switch c.phase {
	case charging:
		s.finish(c, at, reason)
	case arriving, plugged, authorizing:
		c.phase, c.due = leaving, at.Add(s.scale(unplugDelay))
	}
}

// dismiss sends the driver home.
func (s *station) dismiss(c *connector, at time.Time) {
	switch c.phase {
	case idle:
		c.phase, c.due = gone, time.Time{}
	case charging:
		s.finish(c, at, v16.ReasonLocal)
		s.unplug(c, at)
	case arriving, plugged, authorizing, leaving:
		s.unplug(c, at)
	}
}

// setStatus changes a connector's status and tells so (OCPP 1.6 §4.9).
func (s *station) setStatus(c *connector, status v16.ChargePointStatus, at time.Time) {
	if c.status == status {
		return
	}
	c.status = status
	s.report(c, at)
}

func (s *station) report(c *connector, at time.Time) {
	status := c.status
	s.notify(c.id, status, at, func() { c.reported = status })
}

// notify tells a status. Without a connection it is told when there is one, if
// it still differs from the last one that was told.
func (s *station) notify(id int, status v16.ChargePointStatus, at time.Time, told func()) {
	req := &v16.StatusNotification{
		ConnectorID: id, ErrorCode: v16.ChargePointErrorCodeNoError, Status: status,
		Timestamp: ocpp.Opt[time.Time]{Value: at, Set: !s.terse},
	}
	s.tell(&message{
		action: "StatusNotification",
		build:  func() ocpp.Request { return req },
		answered: func(ocpp.Response, time.Time) {
			if told != nil {
				told()
			}
		},
	}, at)
}

// mainStatus returns the status of connector 0 (OCPP 1.6 §4.9).
func (s *station) mainStatus() v16.ChargePointStatus {
	if s.operative {
		return v16.ChargePointStatusAvailable
	}
	return v16.ChargePointStatusUnavailable
}
