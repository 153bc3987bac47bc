package sim_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
	"leyden/sim"
)

// TestDisturbers lets each misbehave for ten seconds, on a central system that
// takes a millisecond for an answer.
func TestDisturbers(t *testing.T) {
	for _, c := range []struct {
		how         sim.Disturbance
		action      string
		dials       int
		least, most int64 // answers
	}{
		{sim.Slow, "MeterValues", 1, 9900, 10000},
		{sim.Silent, "BootNotification", 25, 25, 25},
		{sim.Flood, "Heartbeat", 1, 9900, 10000},
		{sim.FloodReadings, "MeterValues", 1, 9900, 10000},
	} {
		t.Run(string(c.how), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newCentral(t)
				cs.handle = func(_ string, m ocpp.Request) (ocpp.Reply, bool) {
					if m.Action() != c.action {
						t.Errorf("it sends %s", m.Action())
					}
					time.Sleep(time.Millisecond)
					return ocpp.Reply{}, false
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				d := sim.Disturber{Dial: cs.Dial, Station: "D", How: c.how}
				if err := d.Run(ctx); err != nil {
					t.Error(err)
				}
				cs.wg.Wait()
				if n := d.Answers.Load(); n < c.least || n > c.most || cs.dials["D"] != c.dials {
					t.Errorf("%d answers on %d connections, want %d to %d on %d", n, cs.dials["D"], c.least, c.most, c.dials)
				}
			})
		})
	}
	if err := (&sim.Disturber{How: "rude"}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "rude") {
		t.Errorf("got %v", err)
	}
}

// TestSlowWebSocket: a byte takes its time in either direction.
func TestSlowWebSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	request := make(chan int, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			close(request)
			return
		}
		text, _ := io.ReadAll(io.LimitReader(conn, 100)) // as much as comes
		request <- len(text)
		_, _ = io.WriteString(conn, "HTTP/1.1 418 I am a teapot\r\n\r\n")
		conn.Close()
	}()
	began := time.Now()
	_, err = sim.SlowWebSocket("ws://"+listener.Addr().String()+"/ocpp", ocpp.DialOptions{})(t.Context(), sim.Login{Station: "S"})
	if took := time.Since(began); err == nil || <-request != 100 || took < 100*time.Millisecond {
		t.Errorf("%v after %v, want a refusal after more than 100 ms", err, took)
	}
}

// TestLoadAtARate: messages leave at a steady rate until the load is stopped.
func TestLoadAtARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCentral(t)
		stop := make(chan struct{})
		time.AfterFunc(10*time.Second, func() { close(stop) })
		var answers atomic.Int64
		r, err := sim.Load{
			Dial: c.Dial, Stations: 4, Duration: time.Hour, Stop: stop, Every: 100 * time.Millisecond,
			OnAnswer: func(time.Duration) { answers.Add(1) },
		}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.wg.Wait()
		if r.Elapsed != 10*time.Second || r.Errors != 0 || r.Messages < 390 || r.Messages > 404 || answers.Load() != int64(r.Messages) {
			t.Errorf("%d answers were told of; got %+v", answers.Load(), r)
		}
	})
}
