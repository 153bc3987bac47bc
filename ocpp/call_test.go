package ocpp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// stop is a call of ours whose answer is checked.
func stop(ctx context.Context, c *ocpp.Conn) (v16.RemoteStopTransactionResponse, error) {
	var res v16.RemoteStopTransactionResponse
	err := c.Call(ctx, &v16.RemoteStopTransaction{TransactionID: 7}, &res)
	return res, err
}

// inBackground runs a call while the test plays its peer.
func inBackground(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

func TestCall(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		check        func(v16.RemoteStopTransactionResponse, error) bool
	}{
		{"accepted", `[3,"c1",{"status":"Accepted"}]`, func(r v16.RemoteStopTransactionResponse, err error) bool {
			return err == nil && r.Status == "Accepted"
		}},
		{"more than the schema knows", `[3,"c1",{"status":"Accepted","vendor":{"x":[1]}}]`, func(r v16.RemoteStopTransactionResponse, err error) bool {
			return err == nil && r.Status == "Accepted"
		}},
		{"a status of its own", `[3,"c1",{"status":"Perhaps"}]`, func(r v16.RemoteStopTransactionResponse, err error) bool {
			return err == nil && r.Status == "Perhaps"
		}},
		{"refused", `[4,"c1","GenericError","busy",{}]`, func(_ v16.RemoteStopTransactionResponse, err error) bool {
			e, ok := err.(*ocpp.Error)
			return ok && e.Code == ocpp.GenericError && e.Description == "busy"
		}},
		{"a required property missing", `[3,"c1",{}]`, lacks(ocpp.OccurenceConstraint)},
		{"payload null", `[3,"c1",null]`, lacks(ocpp.OccurenceConstraint)},
		{"mistyped", `[3,"c1",{"status":1}]`, lacks(ocpp.TypeConstraint)},
		{"duplicate key", `[3,"c1",{"status":"Accepted","status":"Rejected"}]`, lacks(ocpp.FormationViolation)},
		{"broken, but with its id", `[3,"c1",{"status":"Acc`, lacks(ocpp.FormationViolation)},
		{"too short", `[3,"c1"]`, lacks(ocpp.FormationViolation)},
		{"refusal too short", `[4,"c1"]`, lacks(ocpp.FormationViolation)},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve(t, ocpp.Options{}, central, func(t *testing.T, conn *ocpp.Conn, f far) {
				var res v16.RemoteStopTransactionResponse
				done := inBackground(func() (err error) { res, err = stop(t.Context(), conn); return err })
				f.want(`[2,"c1","RemoteStopTransaction",{"transactionId":7}]`)
				f.send(c.answer)
				if err := <-done; !c.check(res, err) {
					t.Errorf("Call: %+v, %v", res, err)
				}
			})
		})
	}
}

// lacks wants an error about an answer, which is no answer of the peer.
func lacks(code ocpp.ErrorCode) func(v16.RemoteStopTransactionResponse, error) bool {
	return func(_ v16.RemoteStopTransactionResponse, err error) bool {
		e, ok := errors.AsType[*ocpp.Error](err)
		return ok && e.Code == code && strings.HasPrefix(err.Error(), "answer to RemoteStopTransaction: ")
	}
}

func TestCallDoesNotSendWhatBreaksItsSchema(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		err := c.Call(t.Context(), &v16.RemoteStartTransaction{IDTag: strings.Repeat("x", 21)}, &v16.RemoteStartTransactionResponse{})
		if e, ok := errors.AsType[*ocpp.Error](err); !ok || e.Code != ocpp.PropertyConstraint || !errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("Call: %v; want a PropertyConstraintViolation and ErrNotSent", err)
		}
		f.send(`[2,"a","X",{}]`)
		f.want(`[3,"a",{"action":"X","had":{}}]`)
	})
}

func TestCallRaw(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		var got []byte
		done := inBackground(func() (err error) {
			got, err = c.CallRaw(t.Context(), "DataTransfer", []byte(`{"vendorId":"x"}`))
			return err
		})
		f.want(`[2,"c1","DataTransfer",{"vendorId":"x"}]`)
		f.send(`[3,"c1",{"status": "Accepted"}]`)
		if err := <-done; err != nil || string(got) != `{"status": "Accepted"}` {
			t.Errorf("CallRaw: %s, %v", got, err)
		}
	})
}

// The caller learns when the call left, and has its answer to itself before the
// next one leaves. An answer that is an error is no payload.
func TestExchangeTellsHowItGoes(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		var told []string
		release := make(chan struct{})
		exchange := func() error {
			_, err := c.Exchange(t.Context(), ocpp.Outgoing{
				Action: "A", Message: ocpp.Raw(`{"n":1}`),
				Sent: func() { told = append(told, "sent") },
				Answered: func(payload string) {
					<-release
					told = append(told, payload)
				},
			})
			return err
		}
		first := inBackground(exchange)
		f.want(`[2,"c1","A",{"n":1}]`)
		synctest.Wait()
		second := inBackground(exchange)
		f.send(`[3,"c1",{"x":1}]`)
		synctest.Wait() // the second one has not left
		if got := strings.Join(told, " "); got != "sent" {
			t.Errorf("while the first is looked at: told %s; want sent", got)
		}
		close(release)
		f.want(`[2,"c2","A",{"n":1}]`)
		f.send(`[4,"c2","GenericError","no",{"why":"so"}]`)
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if e, ok := errors.AsType[*ocpp.Error](<-second); !ok || e.Details != `{"why":"so"}` {
			t.Errorf("the second: %+v; want the station's details", e)
		}
		if got := strings.Join(told, " "); got != `sent {"x":1} sent` {
			t.Errorf("told %s", got)
		}
	})
}

// A call of the peer is answered while ours is open, and ours go out one at a
// time in the order in which they were made.
func TestCallDirectionsAreIndependent(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		var calls []<-chan error
		for i := range 3 {
			calls = append(calls, inBackground(func() error {
				_, err := c.CallRaw(t.Context(), fmt.Sprint("Call", i), nil)
				return err
			}))
			synctest.Wait()
		}
		f.want(`[2,"c1","Call0",{}]`)
		f.send(`[2,"c1","X",{}]`) // their ids are theirs
		f.want(`[3,"c1",{"action":"X","had":{}}]`)
		for i, done := range calls {
			if i > 0 {
				f.want(fmt.Sprintf(`[2,"c%d","Call%d",{}]`, i+1, i))
			}
			f.send(fmt.Sprintf(`[3,"c%d",{}]`, i+1))
			if err := <-done; err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

func TestCallTimesOut(t *testing.T) {
	var n ocpp.Counters
	serve(t, ocpp.Options{Counters: &n}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		silent := inBackground(func() error { _, err := stop(ctx, c); return err })
		synctest.Wait()
		queued := inBackground(func() error { _, err := stop(ctx, c); return err })
		patient := inBackground(func() error { _, err := stop(t.Context(), c); return err })
		f.want(`[2,"c1","RemoteStopTransaction",{"transactionId":7}]`)
		if err := <-silent; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("the call that was sent: %v; want DeadlineExceeded", err)
		}
		if err := <-queued; !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("the call that waited: %v; want DeadlineExceeded and ErrNotSent", err)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("timed out after %v; want 30s", got)
		}
		next := f.receive() // its turn is free now
		id := strings.Split(next, `"`)[1]
		f.send(`[3,"c1",{"status":"Rejected"}]`, `[3,"`+id+`",{"status":"Accepted"}]`, `[3,"`+id+`",{"status":"Rejected"}]`)
		if err := <-patient; err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
	if n.TimedOut.Load() != 1 || n.Ignored.Load() != 2 {
		t.Errorf("%d timed out, %d ignored; want 1 call, and its answer and a second one", n.TimedOut.Load(), n.Ignored.Load())
	}
}

func TestCallOnClosedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, tr := ocpp.Pipe()
		c := ocpp.NewConn(near, ocpp.Options{})
		ended := inBackground(func() error { return c.Serve(t.Context(), central) })
		open := inBackground(func() error { _, err := stop(t.Context(), c); return err })
		synctest.Wait()
		queued := inBackground(func() error { _, err := stop(t.Context(), c); return err })
		synctest.Wait()
		if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
			t.Error(err)
		}
		if err := <-open; !errors.Is(err, ocpp.ErrClosed) || errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("the open call: %v; want ErrClosed", err)
		}
		if err := <-queued; !errors.Is(err, ocpp.ErrClosed) || !errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("the call that waited: %v; want ErrClosed and ErrNotSent", err)
		}
		wantClose(t, <-ended, ocpp.CloseNormal, "")
		if _, err := stop(t.Context(), c); !errors.Is(err, ocpp.ErrClosed) || !errors.Is(err, ocpp.ErrNotSent) {
			t.Errorf("a call after the end: %v; want ErrClosed and ErrNotSent", err)
		}
	})
}

// A thousand calls at once: the first and those that may wait are answered, the
// others are told at once, and nothing stands still.
func TestCallThousandAtOnce(t *testing.T) {
	serve(t, ocpp.Options{}, central, func(t *testing.T, c *ocpp.Conn, f far) {
		results := make(chan error, 1000)
		for range 1000 {
			go func() { _, err := stop(t.Context(), c); results <- err }()
		}
		synctest.Wait()
		if got, want := len(results), 1000-1-ocpp.MaxQueuedCalls; got != want {
			t.Errorf("%d calls refused; want %d", got, want)
		}
		for range len(results) {
			if err := <-results; !errors.Is(err, ocpp.ErrQueueFull) || !errors.Is(err, ocpp.ErrNotSent) {
				t.Errorf("refused with %v; want ErrQueueFull and ErrNotSent", err)
			}
		}
		seen := map[string]bool{}
		for range 1 + ocpp.MaxQueuedCalls {
			id := strings.Split(f.receive(), `"`)[1]
			if seen[id] {
				t.Errorf("id %s was used twice", id)
			}
			seen[id] = true
			f.send(`[2,"x","X",{}]`)
			f.want(`[3,"x",{"action":"X","had":{}}]`)
			f.send(`[3,"` + id + `",{"status":"Accepted"}]`)
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// A command to each of 1,000 stations at once, over connections that share
// nothing: none waits for another, though half of them never answer.
func TestCallThousandStations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var answered, silent sync.WaitGroup
		for i := range 1000 {
			near, tr := ocpp.Pipe()
			c := ocpp.NewConn(near, ocpp.Options{})
			go func() { _ = c.Serve(ctx, central) }()
			if i%2 == 0 {
				answered.Go(func() {
					if _, err := stop(ctx, c); err != nil {
						t.Error(err)
					}
				})
				f := far{t, tr}
				f.send(`[3,"` + strings.Split(f.receive(), `"`)[1] + `",{"status":"Accepted"}]`)
				continue
			}
			silent.Go(func() {
				if _, err := stop(ctx, c); err == nil {
					t.Error("a station that never answered accepted")
				}
			})
		}
		answered.Wait()
		if ctx.Err() != nil {
			t.Error("the stations that answer had to wait for the others")
		}
		silent.Wait()
	})
}

// The ids of one connection do not fit the next, whose answers may be late.
func TestCallIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			near, tr := ocpp.Pipe()
			c := ocpp.NewConn(near, ocpp.Options{})
			ended := inBackground(func() error { return c.Serve(t.Context(), central) })
			for range 3 {
				done := inBackground(func() error { _, err := stop(t.Context(), c); return err })
				f := far{t, tr}
				id := strings.Split(f.receive(), `"`)[1]
				if seen[id] || len(id) > 36 {
					t.Errorf("id %q: want one of at most 36 characters that is new", id)
				}
				seen[id] = true
				f.send(`[3,"` + id + `",{"status":"Accepted"}]`)
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if err := tr.Close(ocpp.CloseNormal, ""); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
}
