package ocpp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"leyden/internal/race"
	"leyden/ocpp"
)

// Messages arrive in any portions and at any moment, also while others are being
// handled. None is lost, and none waits for the next.
func TestReceiveAllUnderLoad(t *testing.T) {
	for scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			l := listen(t, ocpp.UpgradeOptions{Timeouts: ocpp.Timeouts{Pace: -1}}, scheme)
			var wg sync.WaitGroup
			for i := range 20 {
				tr, s := connect(t, l)
				ended := deliver(tr)
				wg.Go(func() {
					chatter(t, s, rand.New(rand.NewPCG(uint64(i), 1)))
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					<-ended
				})
			}
			wg.Wait()
		})
	}
}

// chatter sends a few messages at a time, cut anywhere, and waits until all of them
// have come back.
func chatter(t *testing.T, s *station, random *rand.Rand) {
	for range race.Fewer(400, 50) {
		var out []byte
		var want []string
		for range 1 + random.IntN(4) {
			msg := string(text(random.IntN(300)))
			if random.IntN(50) == 0 {
				msg = string(text(random.IntN(20_000)))
			}
			if random.IntN(20) == 0 {
				out = append(out, masked(fin|pongOp, "")...)
			}
			out = append(out, masked(fin|textOp, msg)...)
			want = append(want, msg)
		}
		if err := trickle(s, out, random); err != nil {
			t.Error(err)
			return
		}
		for _, msg := range want {
			first, got, err := s.frame()
			if err != nil || first != fin|textOp || string(got) != msg {
				t.Errorf("%d bytes came back as frame %#x of %d bytes (error %v)", len(msg), first, len(got), err)
				return
			}
		}
	}
}

// trickle writes p in one piece, or in some.
func trickle(w io.Writer, p []byte, random *rand.Rand) error {
	for len(p) > 0 {
		n := len(p)
		if random.IntN(3) == 0 {
			n = 1 + random.IntN(n)
		}
		if _, err := w.Write(p[:n]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		p = p[n:]
	}
	return nil
}

// Who handles a message may give the connection up, and so may anybody else
// meanwhile: that waits for nobody, and the peer learns of it at once.
func TestCutWhileMessageIsHandled(t *testing.T) {
	for name, aside := range map[string]bool{"by who handles it": false, "by another": true} {
		t.Run(name, func(t *testing.T) {
			overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
				cut := func() error { return tr.Close(ocpp.CloseAbnormal, "") }
				seen, ended := make(chan struct{}), make(chan error, 1)
				go func() {
					ended <- ocpp.ReceiveAll(tr, func([]byte) error {
						err := make(chan error, 1)
						if aside {
							go func() { err <- cut() }()
						} else {
							err <- cut()
						}
						<-seen
						return <-err
					})
				}()
				s.send(masked(fin|textOp, "x"))
				if _, err := s.in.ReadByte(); err == nil {
					t.Error("the peer can still read")
				}
				close(seen)
				wantClose(t, <-ended, ocpp.CloseAbnormal, "")
				if err := tr.Send(text(1)); !errors.Is(err, ocpp.ErrClosed) {
					t.Errorf("Send: %v; want ErrClosed", err)
				}
			})
		})
	}
}

// A peer that sends and is gone is noticed, also when nobody answers it and its end
// comes together with what it sent.
func TestPeerSendsAndIsGone(t *testing.T) {
	for name, n := range map[string]int{"a message": 10, "a buffer full": 4088, "more than that": 10_000} {
		t.Run(name, func(t *testing.T) {
			overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
				_, err := io.WriteString(s, masked(fin|textOp, string(text(n))))
				if err = errors.Join(err, s.Close()); err != nil { // before anybody reads
					t.Fatal(err)
				}
				got := 0
				err = ocpp.ReceiveAll(tr, func(msg []byte) error {
					if !bytes.Equal(msg, text(n)) {
						t.Errorf("%d bytes arrived as %d others", n, len(msg))
					}
					got++
					return nil
				})
				wantClose(t, err, ocpp.CloseAbnormal, "EOF")
				if got != 1 {
					t.Errorf("%d messages arrived, want 1", got)
				}
			})
		})
	}
}

// What f returns ends ReceiveAll, and nothing else: the next message waits.
func TestReceiveAllStops(t *testing.T) {
	overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
		enough := errors.New("enough")
		s.send(masked(fin|textOp, "one") + masked(fin|textOp, "two") + masked(fin|textOp, "three"))
		for _, want := range []string{"one", "two", "three"} {
			err := ocpp.ReceiveAll(tr, func(msg []byte) error {
				if string(msg) != want {
					t.Errorf("got %q, want %q", msg, want)
				}
				return enough
			})
			if err != enough {
				t.Fatalf("ended with %v", err)
			}
		}
		if err := tr.Close(ocpp.CloseAbnormal, ""); err != nil {
			t.Error(err)
		}
	})
}

// A panic of f is one of ReceiveAll, and leaves the connection to who recovers.
func TestReceiveAllPanics(t *testing.T) {
	overNetwork(t, ocpp.UpgradeOptions{}, func(t *testing.T, tr ocpp.Transport, s *station) {
		s.send(masked(fin|textOp, "one"))
		func() {
			defer func() {
				if p := recover(); p != "a bug" {
					t.Errorf("recovered %v, want a bug", p)
				}
			}()
			err := ocpp.ReceiveAll(tr, func([]byte) error { panic("a bug") })
			t.Errorf("returned %v, want a panic", err)
		}()
		if err := tr.Close(ocpp.CloseAbnormal, ""); err != nil {
			t.Error(err)
		}
		if _, err := s.in.ReadByte(); err == nil {
			t.Error("the peer can still read")
		}
	})
}
