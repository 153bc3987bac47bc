package ocpp_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
)

// TestPeerIsReadAtItsPace: who sends faster than he may is read no faster, loses
// nothing, and is not sent away.
func TestPeerIsReadAtItsPace(t *testing.T) {
	const pace = time.Millisecond
	message := masked(fin|textOp, "x")
	for _, c := range []struct {
		name  string
		frame string
		n     int           // how often it is sent
		min   time.Duration // how long that takes at least, and not much longer
	}{
		{"a burst", message, 200, 0},
		{"messages", message, 5000, 4800 * time.Millisecond},
		{"pings", masked(fin|pingOp, ""), 5000, 4800 * time.Millisecond},
		{"fragments", masked(textOp, "") + strings.Repeat(masked(0, ""), 8) + masked(fin, ""), 500, 4800 * time.Millisecond},
		{"50 KiB each", masked(fin|textOp, strings.Repeat("x", 50<<10)), 50, 4850 * time.Millisecond},
		{"50 KiB each that were 100 bytes", masked(fin|deflated|textOp, compressed(strings.Repeat("x", 50<<10))), 50, 4850 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{Compression: true, Timeouts: ocpp.Timeouts{Pace: pace}})
				start, got := time.Now(), 0
				ended := make(chan error, 1)
				go func() {
					for {
						if err := tr.Receive(func([]byte) error { got++; return nil }); err != nil {
							ended <- err
							return
						}
					}
				}()
				go func() { _, _ = io.Copy(io.Discard, s.in) }()
				s.send(strings.Repeat(c.frame, c.n) + masked(fin|closeOp, "\x03\xe8"))
				wantClose(t, <-ended, ocpp.CloseNormal, "")
				took := time.Since(start)
				if took < c.min || took > c.min+paceSlack {
					t.Errorf("%d took %v, want %v to %v", c.n, took, c.min, c.min+paceSlack)
				}
				if got != c.n && c.name != "pings" {
					t.Errorf("%d of %d messages came", got, c.n)
				}
			})
		})
	}
}

// paceSlack is how much longer than its pace all of it may take.
const paceSlack = 250 * time.Millisecond

// TestPaceIsNoMatterOfWaiting: who waits for answers is not slowed, and nor is who
// may be as fast as he can.
func TestPaceIsNoMatterOfWaiting(t *testing.T) {
	for name, pace := range map[string]time.Duration{"default": 0, "off": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Pace: pace}})
				ended := deliver(tr)
				start := time.Now()
				const trips = 5000
				for range trips {
					s.send(masked(fin|textOp, "x"))
					s.wantFrame(fin|textOp, "x")
					if pace == 0 {
						pass(time.Millisecond / 2)
					}
				}
				want := trips * time.Millisecond / 2
				if pace < 0 {
					want = 0
				}
				if took := time.Since(start); took != want {
					t.Errorf("%d round trips took %v, want %v", trips, took, want)
				}
				s.send(masked(fin|closeOp, "\x03\xe8"))
				s.wantFrame(fin|closeOp, "\x03\xe8")
				wantClose(t, <-ended, ocpp.CloseNormal, "")
			})
		})
	}
}

// TestCloseWhilePeerWaits: a peer that has to wait holds up no end, not even for a
// moment.
func TestCloseWhilePeerWaits(t *testing.T) {
	for _, c := range []struct {
		name string
		last string // what the peer sends in the end
		code ocpp.CloseCode
		took time.Duration
	}{
		{"it agrees", masked(fin|closeOp, "\x03\xf4"), ocpp.CloseRestart, 0},
		{"it never agrees", "", ocpp.CloseRestart, ocpp.CloseTimeout},
		{"it is given up", "", ocpp.CloseAbnormal, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s := attach(t, ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Pace: time.Second}})
				ended, got := make(chan error, 1), 0
				go func() {
					for {
						if err := tr.Receive(func([]byte) error { got++; return nil }); err != nil {
							ended <- err
							return
						}
					}
				}()
				go func() { _, _ = io.Copy(io.Discard, s.in) }()
				s.send(strings.Repeat(masked(fin|textOp, strings.Repeat("x", 5000)), 50) + c.last)
				pass(time.Minute)
				start := time.Now()
				if err := tr.Close(c.code, ""); err != nil {
					t.Error(err)
				}
				wantClose(t, <-ended, c.code, "")
				if took := time.Since(start); took != c.took {
					t.Errorf("the close took %v, want %v", took, c.took)
				}
				if got != 7 { // a message in 10 s, the first at once
					t.Errorf("%d messages came in a minute, want 7", got)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
