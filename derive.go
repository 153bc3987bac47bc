package leyden

import "time"

// maxSpan is how long a charge may last before its clocks are taken to be
// wrong and say nothing about its energy.
const maxSpan = 30 * 24 * time.Hour

// derive computes everything that follows from the merged facts.
func (t *Transaction) derive() {
	v := &t.Evidence
	o := v.overlay()
	t.deriveOrigin()
	t.deriveCorrected(&o)
	t.Status = t.deriveStatus(&o)
	if !t.HasStop() {
		t.StoppedAt, t.MeterStop = v.ClosedEnd, nil
		if o.closed != nil {
			t.StoppedAt, t.MeterStop = o.closed.End, o.closed.Register
		}
	}
	t.SessionEnd = time.Time{}
	if t.Status == Completed && t.mayLeave(v.LeftAt) {
		t.SessionEnd = v.LeftAt
	}
	t.Flags = v.Noted | t.deriveFlags()
	t.deriveEnergy()
	t.Power, t.InitialSoC, t.EndSoC = gauge(v.Power), gauge(v.FirstSoC), gauge(v.LastSoC)
	if t.Status == Completed {
		t.Power = nil
	}
}

// plugSlack is how long before the end of its charge a vehicle may be told to
// have left: stations stamp the two in either order.
const plugSlack = time.Minute

// mayLeave reports whether the vehicle may have left for good at that time: not
// before its charge ended. Stations tell of a free connector in the midst of a
// charge, too.
func (t *Transaction) mayLeave(at time.Time) bool {
	return t.HasStart() && !at.IsZero() && !at.Before(t.StartedAt) && !at.Before(t.StoppedAt.Add(-plugSlack))
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
	for _, o := range [...]*Origin{&v.Asked, &v.Started} {
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
	t.standIn()
}

// standIn lets the idTag of a charge stand for a vehicle that is not known.
func (t *Transaction) standIn() {
	if t.VehicleID == "" && (t.HasStart() || t.HasStop()) {
		t.VehicleID = t.Token.Value
	}
}

func (t *Transaction) deriveStatus(o *overlay) Status {
	v := &t.Evidence
	switch {
	case o.voided:
		return Void
	case t.HasStop() || v.ClosedKey != "" || o.closed != nil:
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
	if v.Borrowed != nil {
		f |= v.Borrowed.Flags
	}
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
	if t.HasStart() && t.HasStop() && t.StoppedAt.Before(t.StartedAt) {
		f |= ClockImplausible
	}
	return f | t.meterFlags() | flagIf(ContentConflict, t.signedConflict())
}

func (t *Transaction) meterFlags() Flags {
	d, known := t.registerDelta()
	rollback := t.Evidence.Before != nil || t.MeterStart != nil && t.MeterStop != nil && (!known || d < 0 || t.fell())
	signed, plausibly := t.signedDelta()
	f := flagIf(MeterRollback, rollback) | flagIf(MeterJump, signed >= 0 && !plausibly)
	if known || rollback {
		return f | flagIf(MeterJump, known && d >= 0 && t.jumped(d, *t.MeterStop, t.StoppedAt))
	}
	last, begin := t.Evidence.Last, t.begin()
	if last == nil || begin == nil {
		return f
	}
	return f | flagIf(MeterJump, t.jumped(last.Wh-*begin, last.Wh, last.At))
}

// fell reports whether the register stood higher during the charge than at its
// stop: it was reset, or the stop is wrong. A reading that no charge can have
// reached proves nothing.
func (t *Transaction) fell() bool {
	p := t.Evidence.Peak
	return p != nil && p.Wh > *t.MeterStop && rose(*t.begin(), p.Wh, gap(t.StartedAt, p.At))
}

func flagIf(f Flags, is bool) Flags {
	if is {
		return f
	}
	return 0
}

// isRegisterValue reports whether a meter can show wh: stations send −1 for a
// register that they could not read.
func isRegisterValue(wh *WattHours) bool { return wh != nil && *wh >= 0 }

// begin returns where the register stood when the charge began, as its energy is
// counted; nil when that is unknown. It is meterStart, unless the station's quirks
// say otherwise: a session's register that stops below it had begun at 0, and one
// that counts on was not at 0 when it is later found no lower than before.
func (t *Transaction) begin() *WattHours {
	v := &t.Evidence
	if !isRegisterValue(t.MeterStart) {
		return nil
	}
	if v.Model == RegisterSession && isRegisterValue(t.MeterStop) && *t.MeterStop < *t.MeterStart {
		return new(WattHours)
	}
	if v.Before != nil && t.reached(*v.Before) {
		return nil
	}
	return t.MeterStart
}

// reached reports whether the register was found at wh or above, at the end or by
// the last reading.
func (t *Transaction) reached(wh WattHours) bool {
	if isRegisterValue(t.MeterStop) {
		return *t.MeterStop >= wh
	}
	return t.Evidence.Last != nil && t.Evidence.Last.Wh >= wh
}

// registerDelta returns meterStop − meterStart, if both are known.
func (t *Transaction) registerDelta() (WattHours, bool) {
	begin := t.begin()
	if begin == nil || !isRegisterValue(t.MeterStop) {
		return 0, false
	}
	return *t.MeterStop - *begin, true
}

// jumped reports whether d, the energy from meterStart to a register read at
// the end, is more than the connector can have delivered: over all the time, or
// before the first or after the last reading. The two ends are looked at because
// hours of charging leave room for a lifetime register that follows a session's.
// A reading that strays from both ends proves nothing.
func (t *Transaction) jumped(d, end WattHours, at time.Time) bool {
	if !plausible(d, between(t.StartedAt, at)) {
		return true
	}
	first, last, from := t.Evidence.First, t.Evidence.Last, *t.begin()
	if first == nil || first.Wh > last.Wh || first.Wh > end || last.Wh < from {
		return false
	}
	begin := !first.At.Before(t.StartedAt) && !plausible(first.Wh-from, between(t.StartedAt, first.At))
	return begin || !last.At.After(at) && !plausible(end-last.Wh, between(last.At, at))
}

// between returns how long it was from one time of the station's clock to
// another, or a day where they say nothing useful.
func between(from, to time.Time) time.Duration {
	d := to.Sub(from)
	if from.IsZero() || to.IsZero() || d < 0 || d > maxSpan {
		return unknownSpan
	}
	return d
}

// gap returns how long it was from one reading to the next. What came out of
// order left no time for energy to flow.
func gap(from, to time.Time) time.Duration {
	d := to.Sub(from)
	if d < 0 && d > -maxSpan {
		return 0
	}
	return between(from, to)
}

// deriveEnergy derives the energy and its source.
func (t *Transaction) deriveEnergy() {
	d, source := t.bestEnergy()
	t.EnergySource = source
	switch {
	case source == EnergyUnknown:
		t.Energy = nil
	case t.Energy == nil || *t.Energy != d:
		t.Energy = new(d)
	}
}

// bestEnergy picks the figure with the best evidence (docs/ocpp.md "Energy").
func (t *Transaction) bestEnergy() (WattHours, EnergySource) {
	if !t.HasStart() || !t.Status.Charged() {
		return 0, EnergyUnknown
	}
	if d, ok := t.signedDelta(); ok {
		return d, EnergySigned
	}
	if d, ok := t.plainDelta(); ok {
		if !t.HasStop() {
			return d, EnergyOperator
		}
		return d, EnergyRegisters
	}
	if d, ok := t.lastDelta(); ok {
		return d, EnergyLastSample
	}
	if d, ok := t.rising(); ok {
		return d, EnergyRising
	}
	if v := &t.Evidence; v.Begin != nil && v.Last != nil && v.BeginPlace == v.Place {
		if d := v.Last.Wh - v.Begin.Wh; d >= 0 && plausible(d, between(t.StartedAt, v.Last.At)) {
			return d, EnergyReadings
		}
	}
	return 0, EnergyUnknown
}

// plainDelta returns meterStop − meterStart, if that is possible.
func (t *Transaction) plainDelta() (WattHours, bool) {
	d, known := t.registerDelta()
	return d, known && d >= 0 && !t.jumped(d, *t.MeterStop, t.StoppedAt)
}

// lastDelta returns last reading − meterStart for a charge without a stop. The
// register of one that we closed was no higher than where the next one began.
func (t *Transaction) lastDelta() (WattHours, bool) {
	v, begin := &t.Evidence, t.begin()
	if t.HasStop() || begin == nil || v.Last == nil {
		return 0, false
	}
	last := v.Last.Wh
	if v.ClosedLimit != nil && *v.ClosedLimit >= *begin {
		last = min(last, *v.ClosedLimit)
	}
	d := last - *begin
	return d, d >= 0 && !t.jumped(d, last, v.Last.At)
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
	if begin := t.begin(); begin != nil && rose(*begin, v.First.Wh, gap(t.StartedAt, v.First.At)) {
		sum, rises = sum+v.First.Wh-*begin, rises+1
	}
	if isRegisterValue(t.MeterStop) && rose(v.Last.Wh, *t.MeterStop, gap(v.Last.At, t.StoppedAt)) {
		sum, rises = sum+*t.MeterStop-v.Last.Wh, rises+1
	}
	return sum, rises > 0
}

// rose reports whether a register can have risen from one value to another
// within d.
func rose(from, to WattHours, d time.Duration) bool { return to >= from && plausible(to-from, d) }

// seen are the readings of one instant, kept together: most of them are replaced
// together.
type seen struct {
	register Reading
	power    Gauge
	soc      Gauge
}

// observe merges what the samples of one instant say about a charge at that time.
func (v *Evidence) observe(b batch, received time.Time, in span) {
	s := &seen{Reading{b.at, b.register}, Gauge{b.at, b.power}, Gauge{b.at, b.soc}}
	if b.powered {
		v.Power = later(v.Power, &s.power)
		if b.power > 0 {
			v.FlowAt = latest(v.FlowAt, received)
		}
	}
	if b.charged {
		v.LastSoC = later(v.LastSoC, &s.soc)
		if f, g := v.FirstSoC, &s.soc; f == nil || g.At.Before(f.At) || g.At.Equal(f.At) && g.Value < f.Value {
			v.FirstSoC = g
		}
	}
	v.observeSigned(b.signed, in)
	switch {
	case b.place == 0:
	case b.begin:
		v.observeBegin(&s.register, b.place)
	default:
		v.observeRegister(&s.register, b.place, received)
	}
}

// observeBegin keeps the earliest reading of the begin, from the best location.
func (v *Evidence) observeBegin(r *Reading, place int) {
	if place > v.BeginPlace || place == v.BeginPlace && earlier(r, v.Begin) {
		v.Begin, v.BeginPlace = r, place
	}
}

// observeRegister merges one register reading. Readings from a better location
// replace those from a worse one.
func (v *Evidence) observeRegister(r *Reading, place int, received time.Time) {
	if place < v.Place {
		return
	}
	if place > v.Place {
		v.Place, v.First, v.Last, v.Peak, v.Rising, v.Rises, v.Disordered = place, nil, nil, nil, 0, 0, false
	}
	if p := v.Peak; p == nil || r.Wh > p.Wh || r.Wh == p.Wh && r.At.Before(p.At) {
		v.Peak = r
	}
	if v.First == nil || earlier(r, v.First) {
		v.First = r
	}
	last := v.Last
	switch {
	case last == nil:
		v.Last = r
	case r.At.Before(last.At):
		v.Disordered = true
	case r.At.Equal(last.At):
		if r.Wh > last.Wh {
			v.Last, v.Disordered = r, true
		}
	default:
		if rose(last.Wh, r.Wh, gap(last.At, r.At)) {
			v.Rising += r.Wh - last.Wh
			v.Rises++
			if r.Wh > last.Wh {
				v.FlowAt = latest(v.FlowAt, received)
			}
		}
		v.Last = r
	}
}

// earlier orders readings by time; of those of one instant the higher counts.
func earlier(a, b *Reading) bool {
	return a.At.Before(b.At) || a.At.Equal(b.At) && a.Wh > b.Wh
}

func later(g, n *Gauge) *Gauge {
	if g == nil || n.At.After(g.At) || n.At.Equal(g.At) && n.Value > g.Value {
		return n
	}
	return g
}
