package leyden_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"leyden"
)

// told reports a charge by its minutes and registers; a stop of −2 is none.
func (b *bench) told(connector, from, to int, start, stop leyden.WattHours) {
	b.t.Helper()
	e := b.startEvent(connector, "A", start)
	e.At = at(from)
	number := int64(b.record(e).Transaction.ID)
	if stop == -2 {
		return
	}
	s := b.stopEvent(number, stop)
	s.At = at(to)
	b.record(s)
}

// audit returns the joints as text: connector, the two charges, gap, what it is.
func (b *bench) audit(q leyden.AuditQuery) (joints []string, sum leyden.AuditSummary) {
	b.t.Helper()
	q.Station = "S"
	for j, err := range leyden.Audit(b.t.Context(), b.Store(), q) {
		if err != nil {
			b.t.Fatal(err)
		}
		sum.Add(&j)
		joints = append(joints, fmt.Sprintf("%d: %d-%d %d %s %s", j.Connector, j.Before, j.After, deref(j.Gap), j.Continuity, j.At.Format("15:04")))
	}
	return joints, sum
}

func TestAudit(t *testing.T) {
	b := newBench(t, leyden.Options{StartConflict: leyden.ConflictAccept})
	b.clock = at(0).Add(24 * time.Hour)
	b.told(1, 0, 10, 1000, 2000)   // 1
	b.told(2, 1, 10, 50, 60)       // 2
	b.told(1, 30, 40, 2500, 3000)  // 3: a gap of 500
	b.told(1, 20, 25, 2000, 2400)  // 4: told late; continuous with 1, and a gap of 100 to 3
	b.told(2, 20, 30, 0, 10)       // 5: reset
	b.told(1, 50, 60, 3000, -1)    // 6: continuous
	b.told(1, 70, 80, 3100, 3200)  // 7: its register before is not known
	b.told(1, 75, 85, 3300, 3400)  // 8: overlaps 7
	b.told(1, 90, 100, 3400, -2)   // 9: continuous, has no stop
	b.told(1, 110, 120, 3500, 990) // 10: closes it; where its register stood is not known
	b.told(3, 1, 2, 5, 6)
	b.record(b.stopEvent(-1, 100)) // an orphan is no charge that we know the start of

	all := []string{
		"1: 1-4 0 continuous 12:20", "2: 2-5 -1 reset 12:20", "1: 4-3 100 gap 12:30", "1: 3-6 0 continuous 12:50", "1: 6-7 -1 unknown 13:10",
		"1: 7-8 -1 overlap 13:15", "1: 8-9 0 continuous 13:30", "1: 9-10 -1 unknown 13:50",
	}
	got, sum := b.audit(leyden.AuditQuery{})
	if !slices.Equal(got, all) {
		t.Errorf("\n got %q\nwant %q", got, all)
	}
	if want := (leyden.AuditSummary{Joints: 8, Gaps: 1, Resets: 1, Overlaps: 1, Unknown: 2, Gap: 100}); sum != want {
		t.Errorf("summary %+v, want %+v", sum, want)
	}
	if got, _ = b.audit(leyden.AuditQuery{Connector: 2}); !slices.Equal(got, all[1:2]) {
		t.Errorf("connector 2: %q", got)
	}
	// The first of a window is compared with the last before it.
	if got, _ = b.audit(leyden.AuditQuery{Window: leyden.Window{From: at(20), To: at(70)}}); !slices.Equal(got, all[:4]) {
		t.Errorf("a window: %q", got)
	}
	got, sum = b.audit(leyden.AuditQuery{Model: leyden.RegisterSession, Connector: 1})
	if want := (leyden.AuditSummary{Joints: 7, Overlaps: 1, Unknown: 6}); sum != want {
		t.Errorf("a session's register: %+v, want %+v, of %q", sum, want, got)
	}
}

// An audit that cannot read says so, and ends when nobody listens.
func TestAuditOfABrokenStore(t *testing.T) {
	b := newBench(t, leyden.Options{})
	b.told(1, 0, 1, 0, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range leyden.Audit(ctx, b.Store(), leyden.AuditQuery{Station: "S"}) {
		if n++; !errors.Is(err, ctx.Err()) {
			t.Errorf("%v; want %v", err, ctx.Err())
		}
	}
	if n != 1 {
		t.Errorf("%d errors, want 1", n)
	}
}
