package sim

import (
	"slices"
	"time"

	"leyden/ocpp/v16"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// A profile is a charging profile that a station has accepted.
type profile struct {
	v16.ChargingProfile
	connector int // 0: the whole station
	since     time.Time
}

// round returns how often a recurring profile comes back; 0 for another.
func (p *profile) round() time.Duration {
	switch {
	case p.ChargingProfileKind != v16.ChargingProfileKindRecurring:
		return 0
	case p.RecurrencyKind.Value == v16.RecurrencyKindDaily:
		return day
	}
	return week
}

// begin returns when the schedule began that counts at t, for a charge that
// began at charged (OCPP 1.6 §3.13.1).
func (p *profile) begin(t, charged time.Time) time.Time {
	if p.ChargingProfilePurpose == v16.ChargingProfilePurposeChargePointMaxProfile {
		charged = p.since // no charge in particular
	}
	start, absolute := p.ChargingSchedule.StartSchedule.Get()
	if p.ChargingProfileKind == v16.ChargingProfileKindRelative || !absolute {
		return charged
	}
	if round := p.round(); round > 0 && !t.Before(start) {
		return start.Add(t.Sub(start) / round * round)
	}
	return start
}

// limit returns what p allows at t, in its unit and per how many phases, or false
// when it has nothing to say then.
func (p *profile) limit(t, charged time.Time) (limit float64, phases int, ok bool) {
	if p.ValidFrom.Set && t.Before(p.ValidFrom.Value) || p.ValidTo.Set && !t.Before(p.ValidTo.Value) {
		return 0, 0, false
	}
	passed := t.Sub(p.begin(t, charged))
	if d := p.ChargingSchedule.Duration; d.Set && passed >= seconds(d.Value) {
		return 0, 0, false
	}
	for _, period := range slices.Backward(p.ChargingSchedule.ChargingSchedulePeriod) {
		if passed >= seconds(period.StartPeriod) {
			return period.Limit, period.NumberPhases.Or(nominals), true
		}
	}
	return 0, 0, false
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// edges returns the moments after from, up to to, at which the limit may change.
func (p *profile) edges(from, to, charged time.Time) []time.Time {
	var list []time.Time
	add := func(t time.Time) {
		if t.After(from) && !t.After(to) {
			list = append(list, t)
		}
	}
	add(p.ValidFrom.Value)
	add(p.ValidTo.Value)
	for begin := p.begin(from, charged); !begin.After(to); begin = begin.Add(p.round()) {
		if d := p.ChargingSchedule.Duration; d.Set {
			add(begin.Add(seconds(d.Value)))
		}
		for _, period := range p.ChargingSchedule.ChargingSchedulePeriod {
			add(begin.Add(seconds(period.StartPeriod)))
		}
		if p.round() == 0 {
			break
		}
	}
	return list
}

// watts converts a limit to W: an ampere is one in each phase.
func (s *station) watts(limit float64, unit v16.ChargingRateUnit, phases int) float64 {
	switch {
	case unit == v16.ChargingRateUnitW:
		return limit
	case s.dc:
		return limit * dcVolts
	}
	return limit * volts * float64(phases)
}

// amperes is the other way round, for three phases.
func (s *station) amperes(w float64) float64 {
	if s.dc {
		return w / dcVolts
	}
	return w / volts / nominals
}

// highest returns the W that the highest profile allows which has something to
// say at t: of two on one level, that of the connector itself counts.
func (s *station) highest(t, charged time.Time, which func(*profile) bool) (w float64, ok bool) {
	var best *profile
	for i := range s.profiles {
		p := &s.profiles[i]
		if !which(p) || best != nil && (p.StackLevel < best.StackLevel || p.StackLevel == best.StackLevel && p.connector == 0) {
			continue
		}
		if limit, phases, says := p.limit(t, charged); says {
			best, w, ok = p, s.watts(limit, p.ChargingSchedule.ChargingRateUnit, phases), true
		}
	}
	return w, ok
}

// allowed returns the W that a connector may draw at t (OCPP 1.6 §3.13.3): by
// its TxProfile, else by the default one, and never more than its share of what
// the whole station may.
func (s *station) allowed(c *connector, t, charged time.Time) float64 {
	w := float64(s.power)
	own, ok := s.highest(t, charged, func(p *profile) bool {
		return c.charge != nil && p.connector == c.id && p.ChargingProfilePurpose == v16.ChargingProfilePurposeTxProfile
	})
	if !ok {
		own, ok = s.highest(t, charged, func(p *profile) bool {
			return (p.connector == c.id || p.connector == 0) && p.ChargingProfilePurpose == v16.ChargingProfilePurposeTxDefaultProfile
		})
	}
	if ok {
		w = min(w, own)
	}
	if all, ok := s.highest(t, charged, ofStation); ok {
		w = min(w, all/float64(s.sharers(c)))
	}
	return max(0, w)
}

func ofStation(p *profile) bool {
	return p.ChargingProfilePurpose == v16.ChargingProfilePurposeChargePointMaxProfile
}

// allowedAll returns the W that the whole station may draw at t.
func (s *station) allowedAll(t, charged time.Time) float64 {
	w := float64(s.power * len(s.connectors))
	if all, ok := s.highest(t, charged, ofStation); ok {
		w = min(w, all)
	}
	return max(0, w)
}

// sharers returns among how many charges the power of the station is shared, if
// one ran at a connector.
func (s *station) sharers(at *connector) int {
	n := 0
	for _, c := range s.connectors {
		if c.charge != nil || c == at {
			n++
		}
	}
	return n
}

// edges returns the moments after from, up to to, at which what is allowed may
// change, in order and each once.
func (s *station) edges(from, to, charged time.Time) []time.Time {
	var list []time.Time
	for i := range s.profiles {
		list = append(list, s.profiles[i].edges(from, to, charged)...)
	}
	slices.SortFunc(list, time.Time.Compare)
	return slices.CompactFunc(list, time.Time.Equal)
}

// regulate gives every charge the power that profiles allow from now on.
func (s *station) regulate(at time.Time) {
	for _, c := range s.connectors {
		if c.charge == nil {
			continue
		}
		s.throttle(c, at)
		s.setStatus(c, c.charge.status(), at)
		s.plan(c)
	}
}

// throttle gives a charge the power that it may draw from at on, and notes when
// to look again.
func (s *station) throttle(c *connector, at time.Time) {
	ch := c.charge
	ch.limitAt = time.Time{}
	if edges := s.edges(at, at.Add(week), ch.StartedAt); len(edges) > 0 {
		ch.limitAt = edges[0]
	}
	power := min(float64(c.visit.Power), s.allowed(c, at, ch.StartedAt))
	if power != ch.battery.power {
		ch.turn(at, power)
	}
}

// turn changes the power of the charge.
func (ch *charge) turn(at time.Time, power float64) {
	d := max(0, at.Sub(ch.since))
	soc, _ := ch.battery.after(d)
	ch.before += ch.battery.delivered(d)
	ch.since = at
	ch.battery.initial, ch.battery.power = soc, power
	ch.fullAt = ch.leaveAt.Add(time.Hour) // with no power, never
	if power > 0 {
		ch.fullAt = at.Add(ch.battery.full()).Truncate(time.Millisecond)
	}
}

// status returns that of a connector with this charge.
func (ch *charge) status() v16.ChargePointStatus {
	switch {
	case ch.full:
		return v16.ChargePointStatusSuspendedEV
	case ch.battery.power <= 0:
		return v16.ChargePointStatusSuspendedEVSE
	}
	return v16.ChargePointStatusCharging
}
