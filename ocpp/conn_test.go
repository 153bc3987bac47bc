package ocpp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
)

// A far is the other end of a Conn, frame by frame.
type far struct {
	t  testing.TB
	tr ocpp.Transport
}

func (f far) send(frames ...string) {
	f.t.Helper()
	for _, frame := range frames {
		if err := f.tr.Send([]byte(frame)); err != nil {
			f.t.Fatalf("sending %s: %v", frame, err)
		}
	}
}

func (f far) receive() string {
	f.t.Helper()
	var got string
	err := f.tr.Receive(func(msg []byte) error { got = string(msg); return nil })
	if err != nil {
		f.t.Fatalf("receiving: %v", err)
	}
	return got
}

func (f far) want(frames ...string) {
	f.t.Helper()
	for _, frame := range frames {
		if got := f.receive(); got != frame {
			f.t.Errorf("received %s\n    want %s", got, frame)
		}
	}
}

func (f far) wantClose(code ocpp.CloseCode) {
	f.t.Helper()
	err := f.tr.Receive(func(msg []byte) error { return fmt.Errorf("received %s", msg) })
	wantClose(f.t, err, code, "")
}

// serve starts a Conn and runs test in a bubble. The calls that it makes have
// the ids c1, c2 and so on.
func serve(t *testing.T, o ocpp.Options, h ocpp.Handler, test func(t *testing.T, c *ocpp.Conn, f far)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, tr := ocpp.Pipe()
		if o.IDPrefix == "" {
			o.IDPrefix = "c"
		}
		c := ocpp.NewConn(near, o)
		ended := make(chan error, 1)
		go func() { ended <- c.Serve(t.Context(), h) }()
		test(t, c, far{t, tr})
		if err := tr.Close(ocpp.CloseNormal, "done"); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ocpp.ErrClosed) {
			t.Errorf("Serve: %v; want ErrClosed", err)
		}
	})
}

// central answers every call with its action, but for those that name what
// goes wrong.
func central(_ context.Context, f ocpp.Frame) ocpp.Reply {
	switch f.Action {
	case "Refuse":
		return ocpp.Reply{Err: fmt.Errorf("deep down: %w", ocpp.Errorf(ocpp.PropertyConstraint, "connectorId is below 1"))}
	case "Fail":
		return ocpp.Reply{Err: errors.New("disk /dev/sda is full")}
	case "Shed":
		return ocpp.Reply{Err: fmt.Errorf("storage: %w", &ocpp.CloseError{Code: ocpp.CloseTryLater, Reason: "storage"})}
	case "Nothing":
		return ocpp.Reply{}
	}
	return ocpp.Reply{Message: ocpp.Raw(`{"action":"` + f.Action + `","had":` + f.Payload + `}`)}
}

func TestConnAnswers(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"call", `[2,"a","Heartbeat",{}]`, `[3,"a",{"action":"Heartbeat","had":{}}]`},
		{"payload null", `[2,"a","Heartbeat",null]`, `[3,"a",{"action":"Heartbeat","had":{}}]`},
		{"long id", `[2,"` + strings.Repeat("i", 255) + `","X",{}]`, `[3,"` + strings.Repeat("i", 255) + `",{"action":"X","had":{}}]`},
		{"id with an escape", `[2,"\u0022\\","X",{}]`, `[3,"\"\\",{"action":"X","had":{}}]`},
		{"refusal", `[2,"a","Refuse",{}]`, `[4,"a","PropertyConstraintViolation","connectorId is below 1",{}]`},
		{"failure tells nothing", `[2,"a","Fail",{}]`, `[4,"a","InternalError","internal error",{}]`},
		{"no reply is a failure", `[2,"a","Nothing",{}]`, `[4,"a","InternalError","internal error",{}]`},
		{"truncated", `[2,"a","Heartb`, `[4,"a","FormationViolation","not JSON at byte 14",{}]`},
		{"no id", `[2,7,"X",{}]`, `[4,"-1","FormationViolation","the message id is not a text",{}]`},
		{"too long an id", `[2,"` + strings.Repeat("i", 256) + `","X",{}]`, `[4,"-1","FormationViolation","the message id is longer than 255 characters",{}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve(t, ocpp.Options{}, central, func(_ *testing.T, _ *ocpp.Conn, f far) {
				f.send(c.in)
				f.want(c.out)
			})
		})
	}
}

// A bad frame hurts only itself.
func TestConnGoesOnAfterBadFrames(t *testing.T) {
	for _, c := range badFrames {
		t.Run(c.name, func(t *testing.T) {
			serve(t, ocpp.Options{}, central, func(t *testing.T, _ *ocpp.Conn, f far) {
				f.send(c.in, `[2,"next","Heartbeat",{}]`)
				if got, want := f.receive(), `[4,"`+c.id+`","FormationViolation",`; !strings.HasPrefix(got, want) {
					t.Errorf("received %s; want %s…", got, want)
				}
				f.want(`[3,"next",{"action":"Heartbeat","had":{}}]`)
			})
		})
	}
}

func TestConnIgnores(t *testing.T) {
	var n ocpp.Counters
	in := append(slices.Clone(unknownTypes), `[3,"stranger",{}]`, `[4,"stranger","GenericError","",{}]`, `[3,"c1",{}]`)
	serve(t, ocpp.Options{Counters: &n}, central, func(_ *testing.T, _ *ocpp.Conn, f far) {
		f.send(in...)
		f.send(`[2,"a","X",{}]`)
		f.want(`[3,"a",{"action":"X","had":{}}]`)
	})
	if got, want := n.Ignored.Load(), uint64(len(in)); got != want {
		t.Errorf("%d frames ignored; want %d", got, want)
	}
	if n.FramesIn.Load() != uint64(len(in)+1) || n.FramesOut.Load() != 1 || n.Broken.Load() != 0 {
		t.Errorf("%d in, %d out, %d broken; want %d, 1, 0", n.FramesIn.Load(), n.FramesOut.Load(), n.Broken.Load(), len(in)+1)
	}
}

func TestConnShedsLoad(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(_ *testing.T, _ *ocpp.Conn, f far) {
		f.send(`[2,"a","Shed",{}]`)
		f.wantClose(ocpp.CloseTryLater) // and no answer before it
	})
}

func TestConnClosesAfterTwentyBrokenFrames(t *testing.T) {
	var n ocpp.Counters
	var seen []string
	o := ocpp.Options{Counters: &n, OnBroken: func(_ ocpp.Frame, data []byte, err error) {
		seen = append(seen, fmt.Sprintf("%s %v", data, err))
	}}
	serve(t, o, central, func(_ *testing.T, _ *ocpp.Conn, f far) {
		for range 19 {
			f.send(`{`)
			f.want(`[4,"-1","FormationViolation","not JSON at byte 1",{}]`)
		}
		f.send(`[2,"a","X",{}]`) // begins the count anew
		f.want(`[3,"a",{"action":"X","had":{}}]`)
		for range 19 {
			f.send(`{`)
			f.want(`[4,"-1","FormationViolation","not JSON at byte 1",{}]`)
		}
		f.send(`{`)
		f.wantClose(ocpp.ClosePolicy)
	})
	if n.Broken.Load() != 39 || len(seen) != 39 || seen[38] != "{ FormationViolation: not JSON at byte 1" {
		t.Errorf("%d broken frames counted, %d seen %q; want 39", n.Broken.Load(), len(seen), seen)
	}
}

// Calls are handled one at a time and in order, and Then runs between an
// answer and the next call.
func TestConnOrder(t *testing.T) {
	var order []string
	handler := func(_ context.Context, f ocpp.Frame) ocpp.Reply {
		order = append(order, "handle "+f.ID)
		return ocpp.Reply{Message: ocpp.Raw(nil), Then: func() { order = append(order, "then "+f.ID) }}
	}
	o := ocpp.Options{OnFrame: func(_ context.Context, s ocpp.Sight) { order = append(order, fmt.Sprint(s.Sent, " ", string(s.Data))) }}
	serve(t, o, handler, func(_ *testing.T, _ *ocpp.Conn, f far) {
		f.send(`[2,"1","X",{}]`, `[2,"2","X",{}]`)
		f.want(`[3,"1",{}]`, `[3,"2",{}]`)
	})
	want := []string{
		`false [2,"1","X",{}]`, "handle 1", `true [3,"1",{}]`, "then 1",
		`false [2,"2","X",{}]`, "handle 2", `true [3,"2",{}]`, "then 2",
	}
	if !slices.Equal(order, want) {
		t.Errorf("order %q\n want %q", order, want)
	}
}

// Every frame is seen in the order of the conversation, with what could be read
// of it and the context it belongs to.
func TestConnSights(t *testing.T) {
	type caller struct{}
	var mu sync.Mutex
	var seen []string
	o := ocpp.Options{OnFrame: func(ctx context.Context, s ocpp.Sight) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(s.Sent, s.Frame.Type, " ", s.Frame.ID, " ", s.Frame.Action, " ", string(s.Data), " ", s.Err != nil, ctx.Value(caller{}) != nil))
	}}
	serve(t, o, central, func(t *testing.T, c *ocpp.Conn, f far) {
		f.send(`[2,"1","Refuse",{}]`, `[2,"2","X",`, `[9]`)
		f.want(`[4,"1","PropertyConstraintViolation","connectorId is below 1",{}]`, `[4,"2","FormationViolation","not JSON at byte 11",{}]`)
		synctest.Wait()
		go func() {
			f.receive()
			f.send(`[3,"c1",{}]`)
		}()
		if _, err := c.CallRaw(context.WithValue(t.Context(), caller{}, "me"), "ClearCache", nil); err != nil {
			t.Error(err)
		}
	})
	want := []string{
		`false 2 1 Refuse [2,"1","Refuse",{}] false false`,
		`true 4 1  [4,"1","PropertyConstraintViolation","connectorId is below 1",{}] false false`,
		`false 2 2 X [2,"2","X", true false`,
		`true 4 2  [4,"2","FormationViolation","not JSON at byte 11",{}] false false`,
		`false 9   [9] true false`,
		`true 2 c1 ClearCache [2,"c1","ClearCache",{}] false true`,
		`false 3 c1  [3,"c1",{}] false false`,
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q\nwant %q", seen, want)
	}
}

func TestConnThenNeedsTheAnswerWritten(t *testing.T) {
	then := false
	near, tr := ocpp.Pipe()
	handler := func(context.Context, ocpp.Frame) ocpp.Reply {
		if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
			t.Error(err)
		}
		return ocpp.Reply{Message: ocpp.Raw(nil), Then: func() { then = true }}
	}
	far{t, tr}.send(`[2,"1","X",{}]`)
	wantClose(t, ocpp.NewConn(near, ocpp.Options{}).Serve(t.Context(), handler), ocpp.CloseNormal, "")
	if then {
		t.Error("Then ran although the answer was not written")
	}
}

func TestConnContext(t *testing.T) {
	for _, c := range []struct {
		cause error
		code  ocpp.CloseCode
	}{
		{nil, ocpp.CloseGoingAway},
		{fmt.Errorf("drain: %w", &ocpp.CloseError{Code: ocpp.CloseRestart, Reason: "update"}), ocpp.CloseRestart},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, tr := ocpp.Pipe()
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- ocpp.NewConn(near, ocpp.Options{}).Serve(ctx, central) }()
			synctest.Wait()
			cancel(c.cause)
			wantClose(t, <-ended, c.code, "")
			far{t, tr}.wantClose(c.code)
		})
	}
}

func TestConnDrain(t *testing.T) {
	handling, finish := make(chan bool), make(chan bool)
	slow := func(context.Context, ocpp.Frame) ocpp.Reply {
		handling <- true
		<-finish
		return ocpp.Reply{Message: ocpp.Raw(nil)}
	}
	near, tr := ocpp.Pipe()
	c, f := ocpp.NewConn(near, ocpp.Options{}), far{t, tr}
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(t.Context(), slow) }()
	f.send(`[2,"1","X",{}]`, `[2,"2","X",{}]`)
	<-handling
	if err := c.Drain(ocpp.CloseRestart, "update"); err != nil {
		t.Error(err)
	}
	finish <- true
	f.want(`[3,"1",{}]`)           // what was begun is finished
	f.wantClose(ocpp.CloseRestart) // and nothing else is begun
	wantClose(t, <-ended, ocpp.CloseRestart, "update")

	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		if err := c.Drain(ocpp.CloseRestart, "update"); err != nil {
			t.Error(err)
		}
		f.wantClose(ocpp.CloseRestart) // at once when nothing is being handled
	})
}

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ocpp.Pipe()
		sent := make(chan int, 1)
		go func() {
			n := 0
			for a.Send([]byte("x")) == nil {
				n++
			}
			sent <- n
		}()
		synctest.Wait() // the pipe is full, and the sender waits
		far{t, b}.want("x", "x")
		synctest.Wait()
		if err := a.Close(ocpp.CloseRestart, "update"); err != nil {
			t.Error(err)
		}
		if err := a.Close(ocpp.CloseNormal, "again"); err != nil {
			t.Error(err)
		}
		for range <-sent - 2 {
			far{t, b}.want("x") // what was sent before the close arrives
		}
		far{t, b}.wantClose(ocpp.CloseRestart)
		far{t, a}.wantClose(ocpp.CloseRestart)
		wantClose(t, b.Send(nil), ocpp.CloseRestart, "update")
	})
}

func TestConnCountersAreShared(t *testing.T) {
	var n ocpp.Counters
	var wg sync.WaitGroup
	for range 10 {
		near, tr := ocpp.Pipe()
		wg.Go(func() { _ = ocpp.NewConn(near, ocpp.Options{Counters: &n}).Serve(context.Background(), central) })
		f := far{t, tr}
		f.send(`[2,"a","X",{}]`)
		f.want(`[3,"a",{"action":"X","had":{}}]`)
		if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if n.FramesIn.Load() != 10 || n.FramesOut.Load() != 10 {
		t.Errorf("%d in, %d out; want 10 each", n.FramesIn.Load(), n.FramesOut.Load())
	}
}

func FuzzConn(f *testing.F) {
	for _, c := range badFrames {
		f.Add([]byte(c.in))
	}
	for _, in := range unknownTypes {
		f.Add([]byte(in))
	}
	f.Add([]byte("[2,\"a\",\"Refuse\",{}]\n[3,\"c1\",{}]\n[4,\"c1\",\"x\",\"\",{}]"))
	f.Add([]byte(strings.Repeat("{\n", 25)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte("\n")) > 500 {
			t.Skip("more than a pipe holds")
		}
		serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() { _, _ = c.CallRaw(ctx, "ClearCache", nil) }) // may be answered by chance
			f.want(`[2,"c1","ClearCache",{}]`)
			for frame := range strings.SplitSeq(string(data), "\n") {
				if f.tr.Send([]byte(frame)) != nil {
					return // too many broken frames in a row, or a call of Shed
				}
			}
			if f.tr.Send([]byte(`[2,"last","Heartbeat",{}]`)) != nil {
				return
			}
			wantAnswered(t, f)
		})
	})
}

// wantAnswered expects sound frames until the last one, unless the connection
// had to close.
func wantAnswered(t *testing.T, f far) {
	for done := false; !done; {
		err := f.tr.Receive(func(msg []byte) error {
			checkAnswer(t, msg)
			done = strings.HasPrefix(string(msg), `[3,"last",`)
			return nil
		})
		ce, ok := errors.AsType[*ocpp.CloseError](err)
		if ok && (ce.Code == ocpp.ClosePolicy || ce.Code == ocpp.CloseTryLater) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
