package bench

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"leyden/sim"
)

// TestSoakBook: each way in which a ledger can differ from what happened is found.
func TestSoakBook(t *testing.T) {
	began := time.Date(2026, 2, 6, 12, 0, 0, 7_000_000, time.UTC)
	charge := sim.Charge{
		Station: "SIM-0001", Connector: 1, IDTag: "TAG", StartedAt: began, StoppedAt: began.Add(time.Hour),
		Energy: 1234, Reason: "Local", TransactionIDs: []int{7}, StopAnswered: true,
	}
	right := soakRow{
		TransactionID: 7, ChargeBoxID: "SIM-0001", ConnectorID: 1, IDTag: "TAG", Status: "completed", EnergyDelivered: 1.234,
		StartTime: began, StopTime: began.Add(time.Hour), StopReason: "Local", Flags: []string{"OFFLINE"},
	}
	but := func(change func(*soakRow)) []soakRow {
		r := right
		change(&r)
		return []soakRow{r}
	}
	for name, c := range map[string]struct {
		rows []soakRow
		want string
	}{
		"right":           {[]soakRow{right}, ""},
		"missing":         {nil, "is not there"},
		"twice":           {[]soakRow{right, right}, "is there twice"},
		"another station": {append(but(func(r *soakRow) { r.ChargeBoxID = "SIM-0002" }), right), "did not happen"},
		"a Wh less":       {but(func(r *soakRow) { r.EnergyDelivered = 1.233 }), "should be"},
		"still active":    {but(func(r *soakRow) { r.Status = "active" }), "should be"},
		"another number":  {but(func(r *soakRow) { r.TransactionID = 8 }), "should be"},
		"another driver":  {but(func(r *soakRow) { r.IDTag = "TAG2" }), "should be"},
		"another stop":    {but(func(r *soakRow) { r.StopTime = began }), "should be"},
		"another reason":  {but(func(r *soakRow) { r.StopReason = "Other" }), "should be"},
		"flagged":         {but(func(r *soakRow) { r.Flags = []string{"CONTENT_CONFLICT"} }), "should be"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSoakBook()
			begin := charge
			begin.StopAnswered = false
			b.note(begin)
			b.note(charge)
			b.round++
			for _, r := range c.rows {
				b.hold(&r)
			}
			b.wantAll()
			got := strings.Join(b.list, "\n")
			if (c.want == "") != (b.different == 0) || !strings.Contains(got, c.want) {
				t.Errorf("got %d differences: %s; want %q", b.different, got, c.want)
			}
		})
	}
}

// TestSoakBookWaits: what goes on need not be there, and need not be right.
func TestSoakBookWaits(t *testing.T) {
	b := newSoakBook()
	b.note(sim.Charge{Station: "SIM-0001", Connector: 1})
	b.round++
	if settled := b.wantAll(); settled != 0 || b.different != 0 {
		t.Errorf("%d settled, differences %v", settled, b.list)
	}
	b.round++
	b.hold(&soakRow{ChargeBoxID: "SIM-0001", ConnectorID: 1, StartTime: time.Time{}, Status: "active"})
	if b.wantAll(); b.different != 0 {
		t.Errorf("differences %v", b.list)
	}
}

func TestTrend(t *testing.T) {
	var tr trend
	for i := range 10 {
		tr.add(float64(i), 3+2*float64(i))
	}
	if got := tr.slope(); math.Abs(got-2) > 1e-9 {
		t.Errorf("slope %v, want 2", got)
	}
}

// TestSoakErr: each thing that a soak looks for is an error.
func TestSoakErr(t *testing.T) {
	good := SoakResult{Settled: true, Slope: 5}
	if err := good.Err(0); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*SoakResult){
		"differences":  func(r *SoakResult) { r.Different, r.Differences = 1, []string{"x"} },
		"expectations": func(r *SoakResult) { r.Breaches = 1 },
		"are left":     func(r *SoakResult) { r.Settled = false },
		"memory grows": func(r *SoakResult) { r.Slope = 6 },
	} {
		r := good
		change(&r)
		if got := fmt.Sprint(r.Err(5)); !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
}
