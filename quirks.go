package leyden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A RegisterModel says how the register behaves that a station tells at the start
// and the stop of a charge.
type RegisterModel string

// The models of a register.
const (
	RegisterUnknown    RegisterModel = ""
	RegisterSession    RegisterModel = "session"    // it begins anew at 0 with each charge
	RegisterCumulative RegisterModel = "cumulative" // it counts on over the life of the meter
)

// Quirks are what an operator says of a station that does not do as OCPP says.
// The zero value says nothing.
type Quirks struct {
	Register         RegisterModel `json:"register,omitempty"`
	OfflineIDs       *bool         `json:"offlineIds,omitempty"`       // whether it stops charges that it began offline under −1 and the like
	FractionalMeters *bool         `json:"fractionalMeters,omitempty"` // a fraction in meterStart is no error, but rounded down
	TimeZone         string        `json:"timeZone,omitempty"`         // what timestamps without a zone are in, by its IANA name; "" is UTC
}

// Check returns [ErrInvalid] for a register model or a time zone that there is
// not.
func (q *Quirks) Check() error {
	if !slices.Contains([]RegisterModel{RegisterUnknown, RegisterSession, RegisterCumulative}, q.Register) {
		return fmt.Errorf("there is no register model %.40q: %w", q.Register, ErrInvalid)
	}
	if _, err := time.LoadLocation(q.TimeZone); err != nil || q.TimeZone == "Local" {
		return fmt.Errorf("there is no time zone %.40q: %w", q.TimeZone, ErrInvalid)
	}
	return nil
}

// Habits are what was learnt of a station by what it sent. They decide about no
// record: that is for [Quirks].
type Habits struct {
	Register         RegisterModel `json:"register,omitempty"`        // shown by the last charges
	FromZero         Habit         `json:"fromZero,omitzero"`         // charges in a row that began at 0 where the one before had ended above it
	Continued        Habit         `json:"continued,omitzero"`        // charges in a row that began no lower than the one before had ended
	OfflineIDs       Habit         `json:"offlineIds,omitzero"`       // reports of transactions numbered −1, 0 or so
	FractionalMeters Habit         `json:"fractionalMeters,omitzero"` // registers with a fraction
	MissingZone      Habit         `json:"missingZone,omitzero"`      // messages with timestamps without a zone
}

// A Habit is how often something was seen, and when last.
type Habit struct {
	Count  int       `json:"count"`
	SeenAt time.Time `json:"seenAt"`
}

func (h *Habit) see(now time.Time) { h.Count, h.SeenAt = h.Count+1, now }

// plus returns h after more.
func (h Habit) plus(more Habit) Habit {
	return Habit{h.Count + more.Count, latest(h.SeenAt, more.SeenAt)}
}

// NoticedFraction notes that a station sent a register with a fraction.
func (l *Ledger) NoticedFraction(s StationID) {
	l.notice(s, func(h *Habits) *Habit { return &h.FractionalMeters })
}

// NoticedMissingZone notes that a station sent a time without a zone.
func (l *Ledger) NoticedMissingZone(s StationID) {
	l.notice(s, func(h *Habits) *Habit { return &h.MissingZone })
}

// notice notes that a message of a station showed a habit.
func (l *Ledger) notice(s StationID, which func(*Habits) *Habit) {
	d := l.sit(s)
	defer l.rise(d)
	which(&d.sighting.Habits).see(l.Now())
	d.dirty = true
}

// merged returns what was learnt before, and since.
func (h Habits) merged(since Habits) Habits {
	h.OfflineIDs = h.OfflineIDs.plus(since.OfflineIDs)
	h.FractionalMeters = h.FractionalMeters.plus(since.FractionalMeters)
	h.MissingZone = h.MissingZone.plus(since.MissingZone)
	if since.FromZero.Count+since.Continued.Count > 0 {
		h.FromZero, h.Continued = since.FromZero, since.Continued
	}
	if since.Register != RegisterUnknown {
		h.Register = since.Register
	}
	return h
}

// Quirks returns what an operator says of a station, nothing of one that is not
// there. It asks the registry, so that what an operator sets counts at once;
// only what is odd in a message is a reason to call it.
func (l *Ledger) Quirks(ctx context.Context, s StationID) (Quirks, error) {
	st, err := l.registry.Station(ctx, s)
	if errors.Is(err, ErrNotFound) {
		return Quirks{}, nil
	}
	if err != nil {
		return Quirks{}, fmt.Errorf("quirks of %s: %w", s, err)
	}
	return st.Quirks, nil
}

// stoodBefore returns where the register of a connector stood last, if a start
// tells 0 of one that counts on by the station's quirks.
func (l *Ledger) stoodBefore(ctx context.Context, d *desk, e *Event) (*WattHours, error) {
	q, err := l.Quirks(ctx, d.station)
	if err != nil || q.Register != RegisterCumulative {
		return nil, err
	}
	last, err := l.lastOn(ctx, d, e.Connector)
	if errors.Is(err, ErrNotFound) || err == nil && last.StartedAt.After(e.At) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last transaction on connector %d: %w", e.Connector, err)
	}
	if stood := last.lastRegister(); valueOf(stood) > 0 {
		return stood, nil
	}
	return nil, nil
}

// lastRegister returns where the register was last found, or nil.
func (t *Transaction) lastRegister() *WattHours {
	if isRegisterValue(t.MeterStop) {
		return t.MeterStop
	}
	if last := t.Evidence.Last; last != nil {
		return &last.Wh
	}
	return t.MeterStart
}

// stopModel returns the model of the register by the station's quirks, if the
// energy that a stop tells rests on it: the register is below where it began, or
// the start is not known yet.
func (l *Ledger) stopModel(ctx context.Context, d *desk, e *Event, t *Transaction) (RegisterModel, error) {
	if !isRegisterValue(e.Register) || t.HasStart() && (!isRegisterValue(t.MeterStart) || *e.Register >= *t.MeterStart) {
		return RegisterUnknown, nil
	}
	q, err := l.Quirks(ctx, d.station)
	if err != nil || q.Register != RegisterSession {
		return RegisterUnknown, err
	}
	return RegisterSession, nil
}

// learn takes note of what a report shows of its station, once it is recorded.
func (d *desk) learn(r *Report) {
	e := r.Event
	d.noteClock(r.sent.at, e.ReceivedAt, e.Kind != Updated)
	d.learnNumber(e)
	switch e.Kind {
	case Started:
		d.learnStart(e)
	case Ended:
		d.learnStop(r.state)
	}
}

// modelShown is how many charges in a row must show a register model before it is
// learnt: one may be a new meter, or a charge that nobody told us of.
const modelShown = 3

// An end is where the register of a connector stood when a charge ended there.
type end struct {
	at time.Time
	wh WattHours
}

// learnStart takes note of what a start shows of the station: where its register
// stands after the last charge on the connector. A start that is late, or before
// that charge's stop, shows nothing.
func (d *desk) learnStart(e *Event) {
	last, ok := d.ends[e.Connector]
	if !ok || last.wh <= 0 || !isRegisterValue(e.Register) || e.At.Before(last.at) || e.Flags&(Offline|ClockImplausible) != 0 {
		return
	}
	h := &d.sighting.Habits
	switch wh := *e.Register; {
	case wh == 0:
		h.FromZero.see(e.ReceivedAt)
		h.Continued = Habit{}
	case wh >= last.wh:
		h.Continued.see(e.ReceivedAt)
		h.FromZero = Habit{}
	default: // another meter, or one that was set back
		h.FromZero, h.Continued = Habit{}, Habit{}
	}
	switch {
	case h.FromZero.Count >= modelShown:
		h.Register = RegisterSession
	case h.Continued.Count >= modelShown:
		h.Register = RegisterCumulative
	}
	d.dirty = true
}

// learnStop takes note of where the register stands on a connector.
func (d *desk) learnStop(t *Transaction) {
	if t.Connector == 0 || !isRegisterValue(t.MeterStop) || t.StoppedAt.Before(d.ends[t.Connector].at) {
		return
	}
	if d.ends == nil {
		d.ends = make(map[int]end)
	}
	if _, there := d.ends[t.Connector]; there || len(d.ends) < maxEnds {
		d.ends[t.Connector] = end{t.StoppedAt, *t.MeterStop}
	}
}

// maxEnds is of how many connectors of a station a desk knows the register: a
// station could name any number of them.
const maxEnds = 64

// learnNumber takes note of a transaction's number that is none.
func (d *desk) learnNumber(e *Event) {
	if e.Number == nil || *e.Number > 0 || e.Kind == Updated && *e.Number == 0 {
		return // stations send 0 for readings of no transaction
	}
	d.sighting.Habits.OfflineIDs.see(e.ReceivedAt)
	d.dirty = true
}
