package leyden

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A Fix is what an operator sets of a transaction. What is nil stays as it is.
type Fix struct {
	Vehicle     *string `json:"vehicle,omitempty"`     // "": the idTag stands for it
	Note        *string `json:"note,omitempty"`        // "": none
	NotBillable *string `json:"notBillable,omitempty"` // why it must not be billed; "": it may be

	Clear bool              `json:"clear,omitempty"` // takes all metadata away, before the next two
	Unset []string          `json:"unset,omitempty"` // names of metadata
	Set   map[string]string `json:"set,omitempty"`   // metadata
}

// A correction is what an operator did to a transaction, as that remembers it.
// The facts of the station stay what they are; a correction lies over them, and
// counts until a later one that counts undoes it.
type correction struct {
	Number   int           `json:"number"` // 1, 2, … in the order in which they were made
	Key      string        `json:"key"`
	Kind     EventKind     `json:"kind"`
	Undoes   int           `json:"undoes,omitempty"`
	Fix      Fix           `json:"fix,omitzero"`
	End      time.Time     `json:"end,omitzero"`       // Closed: by the station's clock
	Register *WattHours    `json:"register,omitempty"` // Closed
	Reason   string        `json:"reason,omitempty"`
	Other    TransactionID `json:"other,omitempty"` // Joined, JoinedElsewhere
	Twin     int           `json:"twin,omitempty"`  // and the number of the correction there
	Stop     *lentStop     `json:"stop,omitempty"`  // Joined
}

// A lentStop is the stop of another record, as the station reported it.
type lentStop struct {
	Key        string        `json:"key"`
	At         time.Time     `json:"at,omitzero"`
	ReceivedAt time.Time     `json:"receivedAt,omitzero"`
	Register   *WattHours    `json:"register,omitempty"`
	Token      IDToken       `json:"token,omitzero"`
	Reason     string        `json:"reason,omitempty"`
	ReasonText string        `json:"reasonText,omitempty"`
	Model      RegisterModel `json:"model,omitempty"`
	Flags      Flags         `json:"flags,omitempty"`
}

// A plain is what was said of a transaction where a correction can say
// otherwise. It is kept once there is one.
type plain struct {
	Metadata    map[string]string `json:"metadata,omitempty"`
	CloseReason string            `json:"closeReason,omitempty"`
}

// An overlay is what the corrections that count make of a transaction.
type overlay struct {
	vehicle           *string
	note, notBillable string
	metadata          map[string]string
	closed            *correction
	joined            *correction
	voided            bool
}

// Corrects reports whether an operator did it, by [Ledger.Correct] and its kin.
func (k EventKind) Corrects() bool {
	return k >= JoinedElsewhere && k <= Joined
}

// applyCorrection keeps a correction in its place among the others.
func (t *Transaction) applyCorrection(e *Event) {
	v := &t.Evidence
	if len(v.Corrections) == 0 {
		v.Plain = plain{t.Metadata, t.CloseReason}
	}
	c := correction{
		Number: e.Round, Key: e.Key, Kind: e.Kind, Undoes: e.Undoes, Fix: e.Fix, End: e.At, Register: e.Register,
		Reason: e.Reason, Other: e.Other, Twin: e.Twin, Stop: e.Stop,
	}
	at, known := slices.BinarySearchFunc(v.Corrections, c, func(a, b correction) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Key, b.Key))
	})
	if known {
		return
	}
	v.Corrections = slices.Insert(slices.Clone(v.Corrections), at, c) // others may hold the old list
	t.CorrectedAt = latest(t.CorrectedAt, e.ReceivedAt)
	t.borrowStop()
}

// counting tells which of the corrections count.
func (v *Evidence) counting() []bool {
	counts := make([]bool, len(v.Corrections))
	undone := make(map[int]bool)
	for i := range slices.Backward(v.Corrections) {
		c := &v.Corrections[i]
		counts[i] = !undone[c.Number]
		if counts[i] && c.Kind == Reverted && c.Undoes < c.Number {
			undone[c.Undoes] = true
		}
	}
	return counts
}

// overlay returns what the corrections that count say, the later before the
// earlier.
func (v *Evidence) overlay() overlay {
	o := overlay{metadata: v.Plain.Metadata}
	if len(v.Corrections) == 0 {
		return o
	}
	for i, counts := range v.counting() {
		c := &v.Corrections[i]
		if !counts {
			continue
		}
		switch c.Kind {
		case Corrected:
			o.fix(&c.Fix)
		case Closed:
			o.closed = c
		case Joined:
			o.joined = c
		case JoinedElsewhere:
			o.voided = true
		}
	}
	return o
}

func (o *overlay) fix(f *Fix) {
	if f.Vehicle != nil {
		o.vehicle = f.Vehicle
	}
	o.note, o.notBillable = orElse(f.Note, o.note), orElse(f.NotBillable, o.notBillable)
	if !f.Clear && len(f.Unset)+len(f.Set) == 0 {
		return
	}
	metadata := make(map[string]string)
	if !f.Clear {
		maps.Copy(metadata, o.metadata)
	}
	for _, name := range f.Unset {
		delete(metadata, name)
	}
	maps.Copy(metadata, f.Set)
	o.metadata = metadata
}

func orElse(p *string, other string) string {
	if p == nil {
		return other
	}
	return *p
}

// borrowStop gives a transaction without a stop of its own the one that was
// joined into it, and takes that away when it counts no more.
func (t *Transaction) borrowStop() {
	v := &t.Evidence
	t.returnStop()
	if t.HasStop() {
		return
	}
	c := v.overlay().joined
	if c == nil || c.Stop == nil {
		return
	}
	s := c.Stop
	v.Borrowed, v.StopKey, v.Model = s, s.Key, s.Model
	t.StoppedAt, t.StopReceivedAt = s.At, s.ReceivedAt
	t.MeterStop, t.StopToken = s.Register, s.Token
	t.StopReason, t.StopReasonText = s.Reason, s.ReasonText
}

// returnStop takes a stop away that is not the transaction's own.
func (t *Transaction) returnStop() {
	v := &t.Evidence
	if v.Borrowed == nil {
		return
	}
	v.Borrowed, v.StopKey, v.Numbered, v.Model = nil, "", false, RegisterUnknown
	t.StoppedAt, t.StopReceivedAt = time.Time{}, time.Time{}
	t.MeterStop, t.StopToken = nil, IDToken{}
	t.StopReason, t.StopReasonText = "", ""
}

// metadata returns where the metadata of a remote start is kept.
func (t *Transaction) metadata() *map[string]string {
	if len(t.Evidence.Corrections) > 0 {
		return &t.Evidence.Plain.Metadata
	}
	return &t.Metadata
}

// closeReason returns where our own reason for closing it is kept.
func (t *Transaction) closeReason() *string {
	if len(t.Evidence.Corrections) > 0 {
		return &t.Evidence.Plain.CloseReason
	}
	return &t.CloseReason
}

// deriveCorrected puts what operators said over what is derived of the facts.
func (t *Transaction) deriveCorrected(o *overlay) {
	if len(t.Evidence.Corrections) == 0 {
		return
	}
	if o.vehicle != nil {
		t.VehicleID = *o.vehicle
		t.standIn()
	}
	t.Metadata, t.Note, t.NotBillable = o.metadata, o.note, o.notBillable
	t.CloseReason = t.Evidence.Plain.CloseReason
	if o.closed != nil {
		t.CloseReason = o.closed.Reason
	}
}

// lent reports whether readings of another record may be among the evidence:
// then only a fold of all events knows which count.
func (v *Evidence) lent() bool {
	return slices.ContainsFunc(v.Corrections, func(c correction) bool { return c.Kind == Joined })
}

// Corrections returns how often operators corrected the transaction.
func (t *Transaction) Corrections() int {
	if n := len(t.Evidence.Corrections); n > 0 {
		return t.Evidence.Corrections[n-1].Number
	}
	return 0
}

// Counts reports whether the correction with that number is there and in force:
// it may be undone then.
func (t *Transaction) Counts(number int) bool {
	for i, counts := range t.Evidence.counting() {
		if t.Evidence.Corrections[i].Number == number {
			return counts
		}
	}
	return false
}

// lentReadings returns the readings that came with the stop that was joined into
// t, as a report; nil when there are none.
func (t *Transaction) lentReadings(events []Event) *Event {
	c := t.Evidence.overlay().joined
	if c == nil || c.Stop == nil {
		return nil
	}
	for i := range events {
		if events[i].Key == c.Key {
			return &Event{Samples: events[i].Samples, ReceivedAt: c.Stop.ReceivedAt}
		}
	}
	return nil
}
