package leyden

import (
	"cmp"
	"context"
	"iter"
	"time"
)

// A Continuity says how the register at the start of a charge fits the one at the
// stop of the charge before, on the same connector.
type Continuity string

// What may be found between two charges.
const (
	ContinuityUnknown Continuity = "unknown"    // a register is not known, or begins anew with each charge
	Continuous        Continuity = "continuous" // the register had not moved
	ContinuityGap     Continuity = "gap"        // it had moved on: energy that no charge accounts for
	ContinuityReset   Continuity = "reset"      // it had fallen
	ContinuityOverlap Continuity = "overlap"    // the second began before the first had ended
)

// A Joint is where one charge follows another on a connector, in the order of the
// station's clock.
type Joint struct {
	Before, After TransactionID
	Connector     int
	MeterStop     *WattHours // of the first
	MeterStart    *WattHours // of the second
	Gap           *WattHours // energy between them; nil but for continuous and gap
	Continuity    Continuity
	At            time.Time // when the second began
}

// An AuditQuery selects joints.
type AuditQuery struct {
	Station   StationID
	Connector int    // 0: all
	Window    Window // by the start of the second charge
	Model     RegisterModel
}

// RegisterModel returns how the station's register counts: what an operator says
// of it, else what was learnt.
func (s *Station) RegisterModel() RegisterModel { return cmp.Or(s.Quirks.Register, s.Habits.Register) }

// Audit yields the joints of a station's charges in the order in which the later
// one began, in constant memory. Charges whose connector or start is not known
// are passed over.
func Audit(ctx context.Context, s Store, q AuditQuery) iter.Seq2[Joint, error] {
	charges := Query{Station: q.Station, Connector: q.Connector, Charged: true, Started: q.Window, Order: ByStart, Ascending: true}
	return func(yield func(Joint, error) bool) {
		last := make(map[int]*Transaction)
		for t, err := range s.Scan(ctx, charges) {
			if err != nil {
				yield(Joint{}, err)
				return
			}
			if t.Connector == 0 {
				continue
			}
			before, known := last[t.Connector]
			if !known {
				if before, err = lastBefore(ctx, s, q, t.Connector); err != nil {
					yield(Joint{}, err)
					return
				}
			}
			last[t.Connector] = &t
			if before != nil && !yield(joint(before, &t, q.Model), nil) {
				return
			}
		}
	}
}

// lastBefore returns the last charge on a connector before the window of q, or nil.
func lastBefore(ctx context.Context, s Store, q AuditQuery, connector int) (*Transaction, error) {
	if q.Window.From.IsZero() {
		return nil, nil
	}
	earlier := Query{Station: q.Station, Connector: connector, Charged: true, Started: Window{To: q.Window.From}, Order: ByStart}
	for t, err := range s.Scan(ctx, earlier) {
		return &t, err
	}
	return nil, nil
}

// joint compares two charges that follow each other on a connector.
func joint(before, after *Transaction, model RegisterModel) Joint {
	j := Joint{
		Before: before.ID, After: after.ID, Connector: after.Connector,
		MeterStop: before.MeterStop, MeterStart: after.MeterStart, Continuity: ContinuityUnknown, At: after.StartedAt,
	}
	if before.StoppedAt.IsZero() || after.StartedAt.Before(before.StoppedAt) {
		j.Continuity = ContinuityOverlap
		return j
	}
	if model == RegisterSession || !isRegisterValue(j.MeterStop) || !isRegisterValue(j.MeterStart) {
		return j
	}
	gap := *j.MeterStart - *j.MeterStop
	switch {
	case gap < 0:
		j.Continuity = ContinuityReset
		return j
	case gap > 0:
		j.Continuity = ContinuityGap
	default:
		j.Continuity = Continuous
	}
	j.Gap = &gap
	return j
}

// An AuditSummary counts joints.
type AuditSummary struct {
	Joints, Gaps, Resets, Overlaps, Unknown int
	Gap                                     WattHours // of all gaps
}

// Add counts a joint.
func (s *AuditSummary) Add(j *Joint) {
	s.Joints++
	switch j.Continuity {
	case ContinuityGap:
		s.Gaps++
		s.Gap += *j.Gap
	case ContinuityReset:
		s.Resets++
	case ContinuityOverlap:
		s.Overlaps++
	case ContinuityUnknown:
		s.Unknown++
	}
}
