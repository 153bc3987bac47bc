package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

func TestSameSeedSameCharges(t *testing.T) {
	charges := func(seed uint64) []sim.Charge {
		c := newCentral(t)
		r := run(t, sim.Options{Stations: 5, Connectors: 2, Sessions: 3, Seed: seed}, c, nil)
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		for i := range r.Charges {
			r.Charges[i].TransactionIDs = nil // the central system draws them in the order of arrival
		}
		return r.Charges
	}
	first, second, other := charges(7), charges(7), charges(8)
	if len(first) != 5*2*3 {
		t.Errorf("got %d charges, want %d", len(first), 5*2*3)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same seed charges differently (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, other) {
		t.Error("another seed charges the same")
	}
}

func TestFaultsChangeNoCharge(t *testing.T) {
	energies := func(f sim.Faults) []string {
		r := run(t, sim.Options{Stations: 4, Sessions: 4, Seed: 3, Faults: f}, newCentral(t), nil)
		var list []string
		for _, ch := range r.Charges {
			list = append(list, fmt.Sprintf("%s %d %s %d-%d %s", ch.Station, ch.Number, ch.IDTag, ch.MeterStart, ch.MeterStop, ch.Reason))
		}
		return list
	}
	calm, stormy := energies(sim.Faults{}), energies(sim.Faults{Cut: 0.3, Lose: 0.1, Repeat: 0.2, Offline: 0.5})
	if diff := cmp.Diff(calm, stormy); diff != "" || len(calm) != 16 {
		t.Errorf("%d charges; faults changed what was charged:\n%s", len(calm), diff)
	}
}

func TestNothingIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := newCentral(t)
			r := run(t, sim.Options{
				Stations: 8, Connectors: 2, Sessions: 3, Seed: seed, RampUp: time.Minute,
				Faults: sim.Faults{Cut: 0.2, Lose: 0.03, Repeat: 0.1, Offline: 0.5},
			}, c, nil)
			if err := r.Err(); err != nil {
				t.Fatal(err)
			}
			if r.Resends == 0 || r.Reconnects == 0 || r.Timeouts == 0 || r.Queued != 0 || r.Completed != len(r.Charges) {
				t.Errorf("counts are odd: %+v", r.Progress)
			}
			if len(c.rows) != len(r.Charges) || len(r.Charges) != 8*2*3 {
				t.Errorf("%d transactions of %d charges, want %d", len(c.rows), len(r.Charges), 8*2*3)
			}
			for _, ch := range r.Charges {
				compare(t, c, ch)
			}
		})
	}
}

// compare holds a charge against the transaction that the central system has.
func compare(t *testing.T, c *central, ch sim.Charge) {
	t.Helper()
	if len(ch.TransactionIDs) != 1 {
		t.Fatalf("%+v has not one number", ch)
	}
	r := c.ids[ch.TransactionIDs[0]]
	got := []any{
		r.station, r.start.ConnectorID, r.start.IDTag, r.start.MeterStart, r.start.Timestamp,
		r.stop.MeterStop, r.stop.Timestamp, string(r.stop.Reason.Or(v16.ReasonLocal)), len(r.values),
	}
	want := []any{
		ch.Station, ch.Connector, ch.IDTag, ch.MeterStart, ch.StartedAt,
		ch.MeterStop, ch.StoppedAt, ch.Reason, len(ch.Answers) - 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s %d.%d (-happened +recorded):\n%s", ch.Station, ch.Connector, ch.Number, diff)
	}
	if !ch.StopAnswered || ch.Deleted || ch.IDTagStatus != "Accepted" || ch.MeterStop <= ch.MeterStart {
		ch.Answers = nil
		t.Errorf("the charge is odd: %+v", ch)
	}
	if !slices.IsSortedFunc(ch.Answers, func(a, b sim.Answer) int { return a.At.Compare(b.At) }) {
		t.Errorf("answers came out of order: %+v", ch.Answers)
	}
}

func TestRegisterPowerAndClockAgree(t *testing.T) {
	c := newCentral(t)
	var inFuture int
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if start, ok := m.(*v16.StartTransaction); ok && start.Timestamp.After(time.Now()) {
			inFuture++
		}
		return ocpp.Reply{}, false
	}
	o := sim.Demo(4, nil)
	o.Sessions, o.Seed = 3, 1
	r := run(t, o, c, nil)
	if err := r.Err(); err != nil || inFuture > 0 {
		t.Errorf("%d starts in the future, %v", inFuture, err)
	}
	readings := 0
	for _, ch := range r.Charges {
		for i := 1; i < len(ch.Answers); i++ {
			a, b := ch.Answers[i-1], ch.Answers[i]
			rise, most := b.Wh-a.Wh, 350_000*b.At.Sub(a.At).Hours()+1
			if rise < 0 || float64(rise) > most {
				t.Errorf("%s rises by %d Wh in %v, at most %.0f are plausible", ch.Station, rise, b.At.Sub(a.At), most)
			}
			readings++
		}
		if d := ch.StoppedAt.Sub(ch.StartedAt); d > 9*time.Minute || ch.MeterStop-ch.MeterStart < 1000 {
			t.Errorf("a demo shows little: %d Wh in %v", ch.MeterStop-ch.MeterStart, d)
		}
	}
	if len(r.Charges) != 24 || readings < 24*20 {
		t.Errorf("only %d charges and %d readings", len(r.Charges), readings)
	}
}

func TestDemoBeginsSoon(t *testing.T) {
	c := newCentral(t)
	run(t, sim.Demo(3, nil), c, func(f *sim.Fleet) {
		sleep(10 * time.Second)
		if n := f.Report().Started; n < 6 {
			t.Errorf("%d charges after 10 s, want 6", n)
		}
		f.Stop()
	})
}

func TestOutageIsOutlived(t *testing.T) {
	c := newCentral(t)
	var down atomic.Bool
	var attempts atomic.Int64
	c.dial = func(sim.Login) error {
		if !down.Load() {
			return nil
		}
		if attempts.Add(1)%2 == 0 {
			return errors.New("connection refused")
		}
		return &ocpp.HandshakeError{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}
	}
	r := run(t, sim.Options{Seed: 5, Sessions: 4}, c, func(*sim.Fleet) {
		sleep(10 * time.Minute)
		down.Store(true)
		c.mu.Lock()
		conn := c.conns["SIM-0001"]
		c.mu.Unlock()
		if err := conn.Close(ocpp.CloseRestart, "restart"); err != nil {
			t.Error(err)
		}
		sleep(2 * time.Hour)
		down.Store(false)
	})
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if r.Completed != 4 || len(c.rows) != 4 || r.Reconnects != 1 {
		t.Errorf("%d charges completed, %d transactions, %d reconnects; want 4, 4, 1", r.Completed, len(c.rows), r.Reconnects)
	}
	if n := attempts.Load(); n < 100 || n > 180 {
		t.Errorf("%d attempts in 2 h; every second one was to wait a minute", n)
	}
	for _, ch := range r.Charges {
		compare(t, c, ch)
	}
}

func TestUnreachable(t *testing.T) {
	c := newCentral(t)
	c.dial = func(sim.Login) error { return errors.New("no route to host") }
	r := run(t, sim.Options{Sessions: 1}, c, nil)
	if r.Err() == nil || !strings.Contains(r.Err().Error(), "an answer within 2m0s") {
		t.Errorf("the run ended with %v", r.Err())
	}
}

func TestNotAdmitted(t *testing.T) {
	c := newCentral(t)
	c.dial = func(sim.Login) error { return &ocpp.HandshakeError{Status: http.StatusUnauthorized} }
	r := run(t, sim.Options{Duration: time.Hour}, c, nil)
	if r.Breaches != 1 || r.Broken[0].Expected != "to be admitted" {
		t.Errorf("got %v, want one refusal", r.Broken)
	}
}

// A run that is over after a while fails too when a station was in vain.
func TestNeverAccepted(t *testing.T) {
	for _, c := range []struct {
		name   string
		dial   func(sim.Login) error
		handle func(string, ocpp.Request) (ocpp.Reply, bool)
	}{
		{name: "unreachable", dial: func(sim.Login) error { return errors.New("connection refused") }},
		{name: "overloaded", dial: func(sim.Login) error { return &ocpp.HandshakeError{Status: http.StatusServiceUnavailable} }},
		{name: "turned off", handle: func(string, ocpp.Request) (ocpp.Reply, bool) {
			return ocpp.Reply{Err: &ocpp.CloseError{Code: ocpp.CloseTryLater}}, true
		}},
		{name: "unheard", handle: func(string, ocpp.Request) (ocpp.Reply, bool) {
			time.Sleep(time.Minute)
			return ocpp.Reply{}, false
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cs := newCentral(t)
			cs.dial = func(who sim.Login) error {
				if c.dial == nil || who.Station == "SIM-0001" {
					return nil
				}
				return c.dial(who)
			}
			cs.handle = func(station string, m ocpp.Request) (ocpp.Reply, bool) {
				if c.handle == nil || station == "SIM-0001" {
					return ocpp.Reply{}, false
				}
				return c.handle(station, m)
			}
			r := run(t, sim.Options{Stations: 2, Duration: time.Hour}, cs, nil)
			if r.Breaches != 1 || r.Broken[0].Station != "SIM-0002" || r.Broken[0].Expected != "to be accepted" || r.Started == 0 {
				t.Errorf("got %v, want one station that was never accepted", r.Broken)
			}
		})
	}
}

func TestStopEndsInGoodOrder(t *testing.T) {
	c := newCentral(t)
	var seen []sim.Progress
	o := sim.Options{
		Stations: 3, Seed: 2, Duration: 30 * time.Minute,
		ProgressEvery: time.Minute, OnProgress: func(p sim.Progress) { seen = append(seen, p) },
	}
	r := run(t, o, c, nil)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if r.Elapsed != 30*time.Minute || r.Completed != r.Started || r.Started < 3 || r.Queued != 0 {
		t.Errorf("after %v: %+v", r.Elapsed, r.Progress)
	}
	if !slices.Equal(c.closed, []ocpp.CloseCode{ocpp.CloseNormal, ocpp.CloseNormal, ocpp.CloseNormal}) {
		t.Errorf("the stations closed with %d, want 1000", c.closed)
	}
	if last := seen[len(seen)-1]; len(seen) < 30 || last != r.Progress {
		t.Errorf("progress was shown %d times, at last %+v; want %+v", len(seen), last, r.Progress)
	}
	for _, s := range []string{"SIM-0001", "SIM-0002", "SIM-0003"} {
		log := slices.DeleteFunc(c.log(s), func(m string) bool { return !strings.HasPrefix(m, "1 ") })
		if log[len(log)-1] != "1 Available" {
			t.Errorf("the statuses of %s end with %v", s, log)
		}
	}
	if text := r.String(); !strings.Contains(text, "broken       0 expectations") {
		t.Errorf("the summary is\n%s", text)
	}
}

func TestCancelBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		f, err := sim.NewFleet(sim.Options{Dial: c.Dial, Stations: 3, Record: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(20*time.Minute, cancel)
		r := f.Run(ctx)
		c.wg.Wait()
		if r.Elapsed != 20*time.Minute || r.Breaches > 0 || len(r.Charges) == 0 || r.Online != 0 {
			t.Errorf("after the end: %+v", r)
		}
	})
}

func TestScriptedVisits(t *testing.T) {
	c := newCentral(t)
	visits := []sim.Visit{
		{IDTag: "USER123", Capacity: 60_000, SoC: 20, Power: 11_000, Stay: time.Hour, Ending: v16.ReasonLocal, OfflineAfter: 10 * time.Minute, Offline: 3 * time.Hour},
		{After: time.Hour, IDTag: "user456", Capacity: 60_000, SoC: 20, Power: 11_000, Stay: time.Hour, Ending: v16.ReasonEVDisconnected},
	}
	r := run(t, sim.Options{Sessions: 2, Visits: func(_ string, _, n int) (sim.Visit, bool) { return visits[n], true }}, c, nil)
	if err := r.Err(); err != nil || len(r.Charges) != 2 {
		t.Fatalf("%d charges, %v", len(r.Charges), err)
	}
	for i, ch := range r.Charges {
		if ch.IDTag != visits[i].IDTag || ch.MeterStop-ch.MeterStart != 11_000 || ch.Reason != string(visits[i].Ending) {
			t.Errorf("visit %d charged %d Wh for %s, %s", i, ch.MeterStop-ch.MeterStart, ch.IDTag, ch.Reason)
		}
		compare(t, c, ch)
	}
	if r.Reconnects != 1 {
		t.Errorf("%d reconnects, want 1", r.Reconnects)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dial := newCentral(t).Dial
	for _, o := range []sim.Options{
		{}, {Dial: dial, Stations: -1}, {Dial: dial, Speed: -2}, {Dial: dial, Faults: sim.Faults{Cut: 2}},
		{Dial: dial, Tags: []string{""}}, {Dial: dial, Tags: []string{"a tag of 21 characters"}},
		{Dial: dial, RetryMin: time.Hour},
	} {
		if _, err := sim.NewFleet(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	o := sim.Options{Stations: 2, Tags: []string{"A", "B"}}
	if ids := o.StationIDs(); !slices.Equal(ids, []string{"SIM-0001", "SIM-0002"}) {
		t.Errorf("stations are %v", ids)
	}
	if tags := o.IDTags(); !slices.Equal(tags, o.Tags) {
		t.Errorf("idTags are %v", tags)
	}
}
