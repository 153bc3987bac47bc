package sim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

// TestBreaches runs stations against central systems that do one thing wrong.
func TestBreaches(t *testing.T) {
	start := func(id int, status v16.AuthorizationStatus) ocpp.Reply {
		return ocpp.Reply{Message: &v16.StartTransactionResponse{TransactionID: id, IDTagInfo: v16.IDTagInfo{Status: status}}}
	}
	starts := 0
	always := sim.Faults{Repeat: 1}
	for _, c := range []struct {
		name   string
		faults sim.Faults
		action string
		reply  func() ocpp.Reply
		want   string
	}{
		{"number 0", sim.Faults{}, "StartTransaction", func() ocpp.Reply { return start(0, "Accepted") }, "a transactionId above 0"},
		{"one number for all", sim.Faults{}, "StartTransaction", func() ocpp.Reply { return start(7, "Accepted") }, "a transactionId of its own"},
		{"a new number for a resend", always, "StartTransaction", func() ocpp.Reply { starts++; return start(starts, "Accepted") }, "a resent StartTransaction to be answered like before"},
		{"another status for a resend", always, "StartTransaction", func() ocpp.Reply {
			starts++
			return start((starts+1)/2, []v16.AuthorizationStatus{"Accepted", "ConcurrentTx"}[starts%2])
		}, "a resent StartTransaction to be answered like before"},
		{"an answer that was lost counts too", sim.Faults{Lose: 0.5}, "StartTransaction", func() ocpp.Reply { starts++; return start(starts, "Accepted") }, "a resent StartTransaction to be answered like before"},
		{"CALLERROR", sim.Faults{}, "StopTransaction", func() ocpp.Reply {
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.InternalError, "oops")}
		}, "an answer to its StopTransaction, got CALLERROR InternalError"},
		{"a message is deleted", sim.Faults{}, "MeterValues", func() ocpp.Reply {
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.InternalError, "oops")}
		}, "its MeterValues to be kept"},
		{"missing property", sim.Faults{}, "StartTransaction", func() ocpp.Reply {
			return ocpp.Reply{Message: ocpp.Raw(`{"idTagInfo":{"status":"Accepted"}}`)}
		}, "its answer to StartTransaction to conform"},
		{"unknown property", sim.Faults{}, "StopTransaction", func() ocpp.Reply {
			return ocpp.Reply{Message: ocpp.Raw(`{"thanks":true}`)}
		}, "its answer to StopTransaction to conform"},
		{"unknown status", sim.Faults{}, "Authorize", func() ocpp.Reply {
			return ocpp.Reply{Message: ocpp.Raw(`{"idTagInfo":{"status":"Fine"}}`)}
		}, "its answer to Authorize to conform"},
		{"not accepted", sim.Faults{}, "BootNotification", func() ocpp.Reply {
			return ocpp.Reply{Message: &v16.BootNotificationResponse{Status: v16.RegistrationStatusPending, CurrentTime: time.Now(), Interval: 10}}
		}, "its BootNotification to be Accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			starts = 0
			cs := newCentral(t)
			cs.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
				if m.Action() == c.action {
					cs.mu.Lock()
					defer cs.mu.Unlock()
					return c.reply(), true
				}
				switch m.(type) {
				case *v16.MeterValues, *v16.StopTransaction:
					return ocpp.Reply{Message: v16.NewResponse(m.Action())}, true // whatever the number
				}
				return ocpp.Reply{}, false
			}
			r := run(t, sim.Options{Stations: 2, Sessions: 2, Seed: 1, Duration: 5 * time.Hour, Faults: c.faults}, cs, nil)
			for _, b := range r.Broken {
				if strings.Contains(b.String(), c.want) {
					return
				}
			}
			t.Errorf("no breach says %q: %v", c.want, r.Broken)
		})
	}
}

func TestRefusedStartTakesTheChargeAlong(t *testing.T) {
	c := newCentral(t)
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if _, ok := m.(*v16.StartTransaction); ok {
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.GenericError, "no")}, true
		}
		return ocpp.Reply{}, false
	}
	r := run(t, sim.Options{Sessions: 1}, c, nil)
	if r.CallErrors != 3 || len(r.Charges) != 1 || !r.Charges[0].Deleted || len(r.Charges[0].Answers) > 0 || r.Resends != 2 {
		t.Errorf("a refused start left %+v", r)
	}
	for _, m := range c.log(station) {
		if m == "MeterValues" || strings.HasPrefix(m, "Stop") {
			t.Errorf("the station told %s of a charge whose start it gave up", m)
		}
	}
}

func TestSilenceBurnsAttempts(t *testing.T) {
	c := newCentral(t)
	var gate chan struct{}
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if _, ok := m.(*v16.StopTransaction); ok {
			<-gate
		}
		return ocpp.Reply{}, false
	}
	var r *sim.Report
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		f, err := sim.NewFleet(sim.Options{Dial: c.Dial, Sessions: 1, Record: true})
		if err != nil {
			t.Fatal(err)
		}
		r = f.Run(t.Context())
		close(gate)
		c.wg.Wait()
	})
	// The central system hears nothing more, so the last status is in vain too.
	if r.Timeouts != 3+1 || r.Breaches != 1 || !r.Charges[0].Deleted || r.Charges[0].StopAnswered {
		t.Errorf("%d timeouts, %d breaches: %v", r.Timeouts, r.Breaches, r.Broken)
	}
}

func TestRefusedDriversAreNoBreach(t *testing.T) {
	c := newCentral(t)
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if _, ok := m.(*v16.Authorize); ok {
			return ocpp.Reply{Message: &v16.AuthorizeResponse{IDTagInfo: v16.IDTagInfo{Status: "Invalid"}}}, true
		}
		return ocpp.Reply{}, false
	}
	r := run(t, sim.Options{Sessions: 3}, c, nil)
	if r.Err() != nil || r.Refused != 3 || r.Started != 0 {
		t.Errorf("%d refused, %d started, %v", r.Refused, r.Started, r.Err())
	}
}

func TestRefusedAtTheStart(t *testing.T) {
	c := newCentral(t)
	c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
		if m, ok := m.(*v16.StartTransaction); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			res := c.record(station, m).(*v16.StartTransactionResponse)
			res.IDTagInfo.Status = v16.AuthorizationStatusBlocked
			return ocpp.Reply{Message: res}, true
		}
		return ocpp.Reply{}, false
	}
	r := run(t, sim.Options{Sessions: 1}, c, nil)
	if r.Err() != nil || len(r.Charges) != 1 || r.Charges[0].Reason != "DeAuthorized" || r.Charges[0].IDTagStatus != "Blocked" {
		t.Errorf("charged was %+v, %v", r.Charges, r.Err())
	}
}

func TestMessageIDs(t *testing.T) {
	c := newCentral(t)
	r := run(t, sim.Options{Stations: 30, Sessions: 1, Faults: sim.Faults{Cut: 0.3}}, c, nil)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	resent := 0
	for _, f := range c.frames {
		if seen[f]++; strings.Contains(f, ":") && seen[f] == 2 {
			resent++
		}
	}
	if seen["m1 BootNotification"] == 0 || resent == 0 {
		t.Errorf("%d messages kept their id when they were sent again, %d connections count from 1", resent, seen["m1 BootNotification"])
	}
}
