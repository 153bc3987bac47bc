package leyden

import "time"

// maxSpan is how long a charge may last before its clocks are taken to be
// wrong and say nothing about its energy.
const maxSpan = 30 * 24 * time.Hour

// derive computes everything that follows from the merged facts.
func (t *Transaction) derive() {
	v := &t.Evidence
	t.deriveOrigin()
	t.Status = t.deriveStatus()
	if !t.HasStop() {
		t.StoppedAt = v.ClosedEnd
	}
	t.Flags = v.Noted | t.deriveFlags()
	t.Energy, t.EnergySource = t.deriveEnergy()
	t.Power, t.InitialSoC, t.EndSoC = gauge(v.Power), gauge(v.FirstSoC), gauge(v.LastSoC)
	if t.Status == Completed {
		t.Power = nil
	}
}

func gauge(g *Gauge) *float64 {
	if g == nil {
		return nil
	}
	return &g.Value
}

func (t *Transaction) deriveOrigin() {
	v := &t.Evidence
	origin := v.Guess
	for _, o := range []Origin{v.Asked, v.Started} {
		if o.Connector != 0 {
			origin.Connector = o.Connector
		}
		if o.Token.Value != "" {
			origin.Token = o.Token
		}
		if o.Vehicle != "" {
			origin.Vehicle = o.Vehicle
		}
	}
	t.Connector, t.Token, t.VehicleID = origin.Connector, origin.Token, origin.Vehicle
	if t.VehicleID == "" && (t.HasStart() || t.HasStop()) {
		t.VehicleID = t.Token.Value
	}
}

func (t *Transaction) deriveStatus() Status {
	v := &t.Evidence
	switch {
	case v.Voided:
		return Void
	case t.HasStop() || !v.ClosedAt.IsZero():
		return Completed
	case t.HasStart() || v.Updated:
		if t.StopRound > 0 && v.StopStep != StopDenied && v.StopStep != StopLapsed {
			return Stopping
		}
		return Active
	case v.Outcome != StatusUnknown:
		return v.Outcome
	}
	return Pending
}

func (t *Transaction) deriveFlags() Flags {
	v := &t.Evidence
	var f Flags
	if t.Orphan() {
		f |= OrphanStop
	}
	if t.Status == Completed && !t.HasStop() {
		f |= Incomplete
	}
	if t.Status.Open() && v.StopStep == StopOverdue {
		f |= StopUnconfirmed
	}
	if t.Status.Open() && !v.StaleAt.IsZero() {
		f |= Stale
	}
	return f | t.meterFlags()
}

func (t *Transaction) meterFlags() Flags {
	d, ok := t.registerDelta()
	span := t.span()
	if last := t.Evidence.Last; !ok && last != nil && t.MeterStart != nil {
		d, ok = max(0, last.Wh-*t.MeterStart), true
		span = max(0, last.At.Sub(t.StartedAt))
	}
	switch {
	case ok && d < 0:
		return MeterRollback
	case ok && !plausible(d, span):
		return MeterJump
	}
	return 0
}

// registerDelta returns meterStop − meterStart, if both are known.
func (t *Transaction) registerDelta() (WattHours, bool) {
	if t.MeterStart == nil || t.MeterStop == nil {
		return 0, false
	}
	return *t.MeterStop - *t.MeterStart, true
}

// span returns how long the charge lasted by the station's clock, or a day
// where that says nothing useful.
func (t *Transaction) span() time.Duration {
	d := t.StoppedAt.Sub(t.StartedAt)
	if t.StartedAt.IsZero() || t.StoppedAt.IsZero() || d < 0 || d > maxSpan {
		return unknownSpan
	}
	return d
}

// deriveEnergy picks the figure with the best evidence (OCPP.md "Transactions,
// 1.6": signed begin and end, stop − start, rising segments, last − first).
func (t *Transaction) deriveEnergy() (*WattHours, EnergySource) {
	v := &t.Evidence
	if !t.HasStart() || !t.Status.Charged() {
		return nil, EnergyUnknown
	}
	if v.SignedBegin != nil && v.SignedEnd != nil && v.SignedEnd.Wh >= v.SignedBegin.Wh {
		return new(v.SignedEnd.Wh - v.SignedBegin.Wh), EnergySigned
	}
	if d, ok := t.registerDelta(); ok && d >= 0 && plausible(d, t.span()) {
		return &d, EnergyRegisters
	}
	if d, ok := t.lastDelta(); ok {
		return &d, EnergyLastSample
	}
	if d, ok := t.rising(); ok {
		return &d, EnergyRising
	}
	if v.Begin != nil && v.Last != nil {
		d := v.Last.Wh - v.Begin.Wh
		if d >= 0 && plausible(d, t.span()) {
			return &d, EnergyReadings
		}
	}
	return nil, EnergyUnknown
}

// lastDelta returns last reading − meterStart for a charge without a stop. The
// register of one that we closed was no higher than where the next one began.
func (t *Transaction) lastDelta() (WattHours, bool) {
	v := &t.Evidence
	if t.HasStop() || t.MeterStart == nil || v.Last == nil {
		return 0, false
	}
	last := v.Last.Wh
	if v.ClosedLimit != nil && *v.ClosedLimit >= *t.MeterStart {
		last = min(last, *v.ClosedLimit)
	}
	d := last - *t.MeterStart
	return d, d >= 0 && plausible(d, max(0, v.Last.At.Sub(t.StartedAt)))
}

// rising returns the sum of the plausible rises from meterStart over all
// readings to meterStop: what is left when the register was reset, replaced or
// swapped for another in between.
func (t *Transaction) rising() (WattHours, bool) {
	v := &t.Evidence
	if v.First == nil {
		return 0, false
	}
	sum, rises := v.Rising, v.Rises
	if t.MeterStart != nil {
		if d := v.First.Wh - *t.MeterStart; rise(d, v.First.At.Sub(t.StartedAt)) {
			sum, rises = sum+d, rises+1
		}
	}
	if t.MeterStop != nil {
		if d := *t.MeterStop - v.Last.Wh; rise(d, t.StoppedAt.Sub(v.Last.At)) {
			sum, rises = sum+d, rises+1
		}
	}
	return sum, rises > 0
}

// rise reports whether d is a rise that the time between two readings allows.
func rise(d WattHours, span time.Duration) bool { return d >= 0 && plausible(d, max(0, span)) }

// observe merges what the samples of one instant say.
func (v *Evidence) observe(b batch, received time.Time) {
	if b.power != nil {
		v.Power = later(v.Power, Gauge{b.at, *b.power})
		if *b.power > 0 {
			v.FlowAt = latest(v.FlowAt, received)
		}
	}
	if b.soc != nil {
		g := Gauge{b.at, *b.soc}
		v.LastSoC = later(v.LastSoC, g)
		if f := v.FirstSoC; f == nil || g.At.Before(f.At) || g.At.Equal(f.At) && g.Value < f.Value {
			v.FirstSoC = &g
		}
	}
	v.observeSigned(b)
	if b.register == nil {
		return
	}
	r := Reading{b.at, *b.register}
	if b.begin {
		if v.Begin == nil || earlier(r, *v.Begin) {
			v.Begin = &r
		}
		return
	}
	v.observeRegister(r, b.place, received)
}

// observeSigned keeps the earliest signed begin and the latest signed end.
func (v *Evidence) observeSigned(b batch) {
	if b.signedBegin != nil {
		if r := (Reading{b.at, *b.signedBegin}); v.SignedBegin == nil || earlier(r, *v.SignedBegin) {
			v.SignedBegin = &r
		}
	}
	if b.signedEnd != nil {
		if r := (Reading{b.at, *b.signedEnd}); v.SignedEnd == nil || earlier(*v.SignedEnd, r) {
			v.SignedEnd = &r
		}
	}
}

// observeRegister merges one register reading. Readings from a better location
// replace those from a worse one.
func (v *Evidence) observeRegister(r Reading, place int, received time.Time) {
	if place < v.Place {
		return
	}
	if place > v.Place {
		v.Place, v.First, v.Last, v.Rising, v.Rises, v.Disordered = place, nil, nil, 0, 0, false
	}
	if v.First == nil || earlier(r, *v.First) {
		v.First = &r
	}
	last := v.Last
	switch {
	case last == nil:
		v.Last = &r
	case r.At.Before(last.At):
		v.Disordered = true
	case r.At.Equal(last.At):
		if r.Wh > last.Wh {
			v.Last, v.Disordered = &r, true
		}
	default:
		if d := r.Wh - last.Wh; rise(d, r.At.Sub(last.At)) {
			v.Rising += d
			v.Rises++
			if d > 0 {
				v.FlowAt = latest(v.FlowAt, received)
			}
		}
		v.Last = &r
	}
}

// earlier orders readings by time; of those of one instant the higher counts.
func earlier(a, b Reading) bool {
	return a.At.Before(b.At) || a.At.Equal(b.At) && a.Wh > b.Wh
}

func later(g *Gauge, n Gauge) *Gauge {
	if g == nil || n.At.After(g.At) || n.At.Equal(g.At) && n.Value > g.Value {
		return &n
	}
	return g
}
