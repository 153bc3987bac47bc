package sim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// TestOpenLoad: messages come at their time, and a central system that stalls
// answers late all that was due meanwhile.
func TestOpenLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		var once sync.Once
		begin := time.Now()
		c.handle = func(string, ocpp.Request) (ocpp.Reply, bool) {
			if time.Since(begin) > 5*time.Second {
				once.Do(func() { time.Sleep(time.Second) })
			}
			return ocpp.Reply{}, false
		}
		r, err := sim.Load{Dial: c.Dial, Stations: 1, Rate: 100, Duration: 10 * time.Second}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.wg.Wait()
		if r.Messages < 990 || r.Messages > 1001 || r.Errors != 0 {
			t.Errorf("%d messages in 10 s at 100/s, %d errors", r.Messages, r.Errors)
		}
		// A hundred of a thousand were due while nothing was answered.
		if r.Answers.Max < 990*time.Millisecond || r.Answers.P99 < 850*time.Millisecond || r.Answers.P50 > time.Millisecond {
			t.Errorf("answers took %v", r.Answers)
		}
		if r.Late.Count == 0 || r.Late.Max > time.Millisecond {
			t.Errorf("left late: %v", r.Late)
		}
	})
}

func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newCentral(t)
		crowd, err := sim.Load{Dial: cs.Dial, Stations: 5}.Crowd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cs.conns["LOAD-0003"].CallRaw(t.Context(), "ClearCache", []byte(`{}`)); err == nil {
			t.Error("a station that idles did as it was told")
		}
		crowd.Close()
		cs.wg.Wait()
		if len(cs.boots) != 5 || len(cs.said) != 5 {
			t.Errorf("%d stations said %d things", len(cs.boots), len(cs.said))
		}
		full := errors.New("no more sockets")
		cs.dial = func(sim.Login) error { return full }
		if _, err := (sim.Load{Dial: cs.Dial, Stations: 5}).Crowd(t.Context()); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		if _, err := (sim.Load{}).Crowd(t.Context()); err == nil {
			t.Error("a crowd without a way to connect gathered")
		}
	})
}

// TestStorm: all come back at once, those that were refused too, and each sends the
// stop of what it began.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newCentral(t)
		var mu sync.Mutex
		dials := 0
		cs.dial = func(sim.Login) error {
			mu.Lock()
			defer mu.Unlock()
			dials++
			if dials > 20 && dials <= 25 {
				return errors.New("too busy")
			}
			return nil
		}
		began := 0
		r, err := sim.Load{Dial: cs.Dial, Stations: 20, OnMeasure: func() { began++ }}.Storm(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cs.wg.Wait()
		if r.Stations != 20 || r.Retries != 5 || r.Errors != 0 || r.Booted.Count != 20 || r.Answered.Count != 20 || began != 1 {
			t.Errorf("got %+v, began %d times", r, began)
		}
		if r.Answered.P50 > time.Millisecond || r.Answered.Max < 500*time.Millisecond {
			t.Errorf("answered %v", r.Answered)
		}
		for id, row := range cs.ids {
			if row.stop == nil {
				t.Errorf("transaction %d has no stop", id)
			}
		}
		if len(cs.ids) != 20 || cs.boots["LOAD-0001"] != 2 {
			t.Errorf("%d charges, %d boots", len(cs.ids), cs.boots["LOAD-0001"])
		}
	})
}

func TestStormIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newCentral(t)
		cs.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
			_, stop := m.(*v16.StopTransaction)
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.InternalError, "oops")}, stop
		}
		r, err := sim.Load{Dial: cs.Dial, Stations: 3}.Storm(t.Context())
		if err != nil || r.Errors != 3 || r.FirstError == "" || r.Answered.Count != 0 {
			t.Errorf("got %+v, %v", r, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		cs.dial = func(sim.Login) error {
			if len(cs.ids) > 3 {
				return errors.New("gone for good")
			}
			return nil
		}
		_, err = sim.Load{Dial: cs.Dial, Stations: 3}.Storm(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cs.wg.Wait()
		if _, err := (sim.Load{}).Storm(t.Context()); err == nil {
			t.Error("a storm without a way to connect broke out")
		}
	})
}
