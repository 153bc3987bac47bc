package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		l := sim.Load{Dial: c.Dial, Stations: 7, Sessions: 100, Tags: []string{"A", `B"`}}
		r, err := l.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.wg.Wait()
		if r.Sessions != 100 || r.Messages != 800 || r.Errors != 0 || r.Starts.Count != 100 || r.Answers.Count != 800 {
			t.Errorf("got %+v", r)
		}
		if len(c.ids) != 100 || len(c.dials) != 7 {
			t.Errorf("%d transactions of %d stations", len(c.ids), len(c.dials))
		}
		last := map[string]v16.StopTransaction{}
		for id := 1; id <= len(c.ids); id++ {
			row := c.ids[id]
			before := last[row.station]
			if row.stop == nil || len(row.values) != 5 || row.start.MeterStart < before.MeterStop || row.stop.MeterStop != row.start.MeterStart+240 {
				t.Fatalf("transaction %d is %+v", id, row)
			}
			if !row.start.Timestamp.After(before.Timestamp) || !row.stop.Timestamp.After(row.start.Timestamp) {
				t.Errorf("transaction %d runs from %v to %v, the last one to %v", id, row.start.Timestamp, row.stop.Timestamp, before.Timestamp)
			}
			for _, v := range row.values {
				if n := len(v.MeterValue[0].SampledValue); n != 3 {
					t.Errorf("%d samples, want 3", n)
				}
			}
			last[row.station] = *row.stop
		}
	})
}

func TestLoadMeasuresForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		c.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
			if _, ok := m.(*v16.StartTransaction); ok {
				time.Sleep(10 * time.Millisecond)
			}
			return ocpp.Reply{}, false
		}
		began := time.Now()
		var measured []time.Duration
		r, err := sim.Load{
			Dial: c.Dial, Stations: 4, Duration: 10 * time.Second, Warmup: 5 * time.Second,
			OnMeasure: func() { measured = append(measured, time.Since(began)) },
		}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.wg.Wait()
		if len(measured) != 1 || measured[0] != 5*time.Second {
			t.Errorf("measuring began after %v, want once after 5s", measured)
		}
		if r.Elapsed != 10*time.Second || r.Sessions < 3990 || r.Sessions > 4010 || r.SessionsPerSecond() < 399 || r.MessagesPerSecond() < 3190 {
			t.Errorf("got %+v", r)
		}
		if p := r.Starts.P50; p < 10*time.Millisecond || p > 11*time.Millisecond || r.Answers.P50 > time.Millisecond {
			t.Errorf("starts took %v, all answers %v", r.Starts, r.Answers)
		}
	})
}

func TestLoadSeesErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply ocpp.Reply
		want  string
	}{
		{"CALLERROR", ocpp.Reply{Err: ocpp.Errorf(ocpp.InternalError, "oops")}, "StartTransaction: InternalError: oops"},
		{"refused", ocpp.Reply{Message: &v16.StartTransactionResponse{TransactionID: 1, IDTagInfo: v16.IDTagInfo{Status: "Invalid"}}}, "not Accepted"},
		{"no number", ocpp.Reply{Message: ocpp.Raw(`{}`)}, "no transactionId"},
		{"closed", ocpp.Reply{Err: &ocpp.CloseError{Code: ocpp.CloseTryLater}}, "closed with 1013"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newCentral(t)
				cs.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
					_, ok := m.(*v16.StartTransaction)
					return c.reply, ok
				}
				r, err := sim.Load{Dial: cs.Dial, Sessions: 3}.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				cs.wg.Wait()
				if r.Errors == 0 || r.Sessions != 0 || !strings.Contains(r.FirstError, c.want) {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

func TestLoadReadsAnyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := ocpp.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			answerOddly(far)
		}()
		dial := func(context.Context, sim.Login) (ocpp.Transport, error) { return near, nil }
		r, err := sim.Load{Dial: dial, Sessions: 2}.Run(t.Context())
		if err != nil || r.Sessions != 2 || r.Errors != 0 {
			t.Errorf("got %+v, %v", r, err)
		}
		<-done
	})
}

// answerOddly answers with spaces, and asks something itself before.
func answerOddly(tr ocpp.Transport) {
	for {
		err := tr.Receive(func(msg []byte) error {
			f, err := ocpp.ParseFrame(msg)
			if err != nil || f.Type != ocpp.Call {
				return err
			}
			if err := tr.Send([]byte(`[2,"q","GetConfiguration",{}]`)); err != nil {
				return err
			}
			return tr.Send([]byte(`[ 3, "` + f.ID + `", {"transactionId": 12, "idTagInfo": {"status": "Accepted"}} ]`))
		})
		if err != nil {
			return
		}
	}
}

func TestLoadCannotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		if _, err := (sim.Load{Dial: c.Dial}).Run(t.Context()); err == nil {
			t.Error("a load without an end began")
		}
		full := errors.New("no more sockets")
		c.dial = func(who sim.Login) error {
			if who.Station == "LOAD-0003" {
				return full
			}
			return nil
		}
		if _, err := (sim.Load{Dial: c.Dial, Stations: 4, Sessions: 1}).Run(t.Context()); !errors.Is(err, full) {
			t.Errorf("got %v, want %v", err, full)
		}
		c.wg.Wait()
	})
}

func TestLoadIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		c.handle = func(string, ocpp.Request) (ocpp.Reply, bool) {
			time.Sleep(time.Second)
			return ocpp.Reply{}, false
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := (sim.Load{Dial: c.Dial, Stations: 3, Duration: time.Hour}).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		c.wg.Wait()
	})
}
