package csms_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
)

// Who joins a remote stop that cannot be recorded is told so, like the one who
// asked for it.
func TestJoinedStopThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		s := w.connect("CP-1")
		s.send(`[2,"a","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
		s.expect(t, `[3,"a"`)
		ends := make(chan error, 2)
		stop := func() {
			_, err := w.server.RemoteStop(t.Context(), 1, "key_1")
			ends <- err
		}
		held := w.store.hold()
		go stop()
		<-held.reached
		go stop()
		synctest.Wait() // the second waits for the first
		w.store.mode.Store("down")
		close(held.release)
		for range cap(ends) {
			if err := <-ends; !errors.Is(err, leyden.ErrUnavailable) {
				t.Errorf("got %v; want %v", err, leyden.ErrUnavailable)
			}
		}
		w.store.mode.Store("up")
		s.close()
	})
}

// Who joins a remote stop whose client leaves before it is recorded, or has no more
// time, takes it over.
func TestJoinedStopThatIsLeft(t *testing.T) {
	for name, end := range map[string]error{"left": context.Canceled, "out of time": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) { joinedStopThatEnds(t, end) })
	}
}

// joinedStopThatEnds has the client of a remote stop go that another one joined.
func joinedStopThatEnds(t *testing.T, end error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		s := w.connect("CP-1")
		s.send(`[2,"a","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
		s.expect(t, `[3,"a"`)
		first, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		ends := make(chan error)
		held := w.store.hold()
		go func() {
			_, err := w.server.RemoteStop(first, 1, "key_1")
			ends <- err
		}()
		<-held.reached
		go func() {
			_, err := w.server.RemoteStop(t.Context(), 1, "key_2")
			ends <- err
		}()
		synctest.Wait() // the second waits for the first
		if end == context.Canceled {
			leave()
		}
		if err := <-ends; !errors.Is(err, end) {
			t.Errorf("the first: got %v; want %v", err, end)
		}
		s.accept(t, "RemoteStopTransaction")
		if err := <-ends; err != nil {
			t.Errorf("the second: %v", err)
		}
		s.close()
	})
}
