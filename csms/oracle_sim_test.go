package csms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/ocpp"
	"leyden/sim"
)

// simulate sends all messages that a table has, and what /call lets pass of their
// mutants, to a virtual station, and counts what that says by action: answers, and
// calls of its own. All of it must be lawful, and so must be what it is sent.
func simulate(t *testing.T, table []string) (answers, calls map[string]int) {
	o := &onlooker{t: t, asked: make(map[string]string), answers: make(map[string]int), calls: make(map[string]int)}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.begin()
		fleet, err := sim.NewFleet(sim.Options{Passive: true, Connectors: 2, Seed: 3, Dial: func(_ context.Context, who sim.Login) (ocpp.Transport, error) {
			ours, theirs := ocpp.Pipe()
			w.wg.Go(func() { _ = w.server.Serve(context.Background(), leyden.StationID(who.Station), "ocpp1.6", ours) }) // the station sees why it ended
			return overlooked{theirs, o}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() {
			if err := fleet.Run(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		})
		for _, line := range table {
			action, payload, _ := strings.Cut(line, " ")
			for _, p := range append([]string{payload}, mutants(t, payload)...) {
				tell(t, w, action, p)
			}
		}
		time.Sleep(time.Hour) // simulated: what was begun goes on
		fleet.Stop()
		running.Wait()
		w.end()
	})
	return o.answers, o.calls
}

// tell sends a message to the station of simulate, once it is there: a restart
// takes a while. What may not be sent stays here.
func tell(t *testing.T, w *world, action, payload string) {
	t.Helper()
	const station = "SIM-0001"
	for range 1000 {
		_, err := w.server.Call(t.Context(), station, action, []byte(payload))
		switch {
		case errors.Is(err, leyden.ErrOffline), errors.Is(err, leyden.ErrNotFound):
			time.Sleep(time.Second) // simulated
			continue
		case err != nil && !errors.Is(err, leyden.ErrInvalid):
			t.Errorf("%s %.500s: %v", action, payload, err)
		}
		return
	}
	t.Fatalf("%s %.500s: the station does not come back", action, payload)
}

// An onlooker holds what goes to and fro against the schemas.
type onlooker struct {
	t testing.TB

	mu      sync.Mutex
	asked   map[string]string // actions by message id, of both ends: ids differ
	answers map[string]int    // CALLRESULTs of the station by action
	calls   map[string]int    // its CALLs by action
}

// see looks at a frame of the station, or at one that it was sent.
func (o *onlooker) see(msg []byte, sent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if wrong := lawful(string(msg), func(id string) string { return o.asked[fmt.Sprint(!sent, id)] }); wrong != "" {
		o.t.Errorf("%.500s was sent to the station (%v) or by it: %s", msg, sent, wrong)
		return
	}
	f, err := ocpp.ParseFrame(msg)
	if err != nil {
		o.t.Error(err)
		return
	}
	switch action := o.asked[fmt.Sprint(!sent, f.ID)]; {
	case f.Type == ocpp.Call:
		o.asked[fmt.Sprint(sent, f.ID)] = f.Action
		if !sent {
			o.calls[f.Action]++
		}
	case f.Type == ocpp.CallResult && action == "":
		o.t.Errorf("%.500s answers nothing", msg)
	case f.Type == ocpp.CallResult && !sent:
		o.answers[action]++
	}
}

// An overlooked transport is that of a station at which an onlooker looks.
type overlooked struct {
	ocpp.Transport
	by *onlooker
}

func (t overlooked) Send(msg []byte) error {
	t.by.see(msg, false)
	return t.Transport.Send(msg)
}

func (t overlooked) Receive(f func(msg []byte) error) error {
	return t.Transport.Receive(func(msg []byte) error {
		t.by.see(msg, true)
		return f(msg)
	})
}
