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
	"leyden/csms"
	"leyden/ocpp"
)

// The tests below bring many stations at once, or one many times.

// expect waits for the next frame, which must begin so.
func (s *station) expect(t testing.TB, prefix string) string {
	t.Helper()
	got := s.next()
	if !strings.HasPrefix(got, prefix) {
		t.Errorf("%s was sent %q, closed with %d; want %s…", s.id, got, s.ending(), prefix)
	}
	return got
}

// accept answers the next CALL with status Accepted.
func (s *station) accept(t *testing.T, action string) {
	t.Helper()
	f, err := ocpp.ParseFrame([]byte(s.next()))
	if err != nil || f.Action != action {
		t.Errorf("%s was sent %v, %v; want %s", s.id, f, err, action)
		return
	}
	s.send(fmt.Sprintf(`[3,%q,{"status":"Accepted"}]`, f.ID))
}

// More than five swaps a minute are delayed, never refused, and the newest
// connection counts.
func TestSwapsAreDelayed(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen() + "CP-1"
	var last *station
	for i := range 7 {
		before, old := time.Now(), last
		last = w.mustDial(url)
		if took := time.Since(before); i == 6 && took < time.Second {
			t.Errorf("the sixth swap took %v; want at least 1s", took)
		}
		last.send(`[2,"h","Heartbeat",{}]`)
		last.expect(t, `[3,"h"`)
		if old != nil && (old.next() != "" || old.ending() != ocpp.ClosePolicy) {
			t.Errorf("the older connection was closed with %d; want %d", old.ending(), ocpp.ClosePolicy)
		}
	}
	if n := w.server.Counters().Swaps.Load(); n != 6 || w.server.OnlineCount() != 1 {
		t.Errorf("%d swaps, %d online; want 6 and 1", n, w.server.OnlineCount())
	}
}

// One identity connects 1,000 times without a pause. It disturbs nobody and ends
// online.
func TestInstantReconnects(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	other := w.connect("OTHER")
	var wg sync.WaitGroup
	for i := range 1000 {
		s := w.connect("CP-1")
		s.send(`[2,"h","Heartbeat",{}]`)
		wg.Go(func() { s.next() }) // its answer, or the end: it was there
		if i%3 == 0 {
			s.close()
		}
		if i%100 == 0 {
			other.send(`[2,"o","Heartbeat",{}]`)
			other.expect(t, `[3,"o"`)
		}
	}
	wg.Wait()
	last := w.connect("CP-1")
	last.send(`[2,"h","Heartbeat",{}]`)
	last.expect(t, `[3,"h"`)
	if !w.server.Online("CP-1") || w.server.OnlineCount() != 2 {
		t.Errorf("online %v, %d in all; want 2", w.server.Online("CP-1"), w.server.OnlineCount())
	}
}

// 100 connections of one identity in the same moment: one stays.
func TestSwapsInTheSameMoment(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen() + "CP-1"
	ended := make(chan struct{})
	for range 100 {
		w.wg.Go(func() {
			for s := w.mustDial(url); s.next() != ""; {
			}
			ended <- struct{}{}
		})
	}
	for range 99 {
		<-ended
	}
	if n := w.server.Counters().Swaps.Load(); n != 99 || w.server.OnlineCount() != 1 {
		t.Errorf("%d swaps, %d online; want 99 and 1", n, w.server.OnlineCount())
	}
	w.server.Disconnect("CP-1", "the test is over")
	<-ended
}

// 20 stations connect in the same moment over WebSockets, boot and tell their
// state.
func TestStationsInTheSameMoment(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			s := w.mustDial(fmt.Sprintf("%sCP-%d", url, i))
			s.send(`[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]`)
			s.expect(t, `[3,"b",{"status":"Accepted"`)
			s.send(`[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]`)
			s.expect(t, `[3,"s",{}]`)
		})
	}
	wg.Wait()
	if n := w.server.OnlineCount(); n != 20 {
		t.Errorf("%d online; want 20", n)
	}
}

// 100 stations tell all their connectors' states at once, and again.
func TestStatusStorm(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	w.begin()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			s := w.connect(leyden.StationID(fmt.Sprintf("CP-%d", i)))
			for n := range 50 {
				s.send(fmt.Sprintf(`[2,"%d","StatusNotification",{"connectorId":%d,"errorCode":"NoError","status":"Available"}]`, n, n%5))
			}
			for n := range 50 {
				s.expect(t, fmt.Sprintf(`[3,"%d",{}]`, n))
			}
			s.close()
		})
	}
	wg.Wait()
}

// A burst of commands to 25 stations froze a well-known library for good: here
// are 1,000 at once, some to stations that never answer.
func TestThousandCommands(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 1000 {
		s := w.connect(leyden.StationID(fmt.Sprintf("CP-%d", i)))
		s.send(`[2,"h","Heartbeat",{}]`)
		s.expect(t, `[3,"h"`)
		leaves := i%10 == 0
		wg.Go(func() {
			defer s.close() // without an answer to its last call
			if !leaves {
				s.accept(t, "RemoteStartTransaction")
			}
			s.expect(t, `[2,`)
		})
		wg.Go(func() {
			<-begin
			w.commandTwice(s.id, leaves)
		})
	}
	close(begin)
	wg.Wait()
}

// commandTwice starts a charge at a station, which leaves during the second
// command or during the first.
func (w *world) commandTwice(id leyden.StationID, leaves bool) {
	want := "ok"
	if leaves {
		want = "offline"
	}
	r := leyden.StartRequest{Station: id, Connector: 1, Token: leyden.IDToken{Value: "USER123"}}
	got, err := w.server.RemoteStart(w.t.Context(), r)
	if word(err) != want || got.Status != leyden.Pending {
		w.t.Errorf("%s: %s, %v; want %s and pending", id, word(err), got.Status, want)
	}
	if leaves {
		return
	}
	if _, err := w.server.Reset(w.t.Context(), id, "Soft"); !errors.Is(err, csms.ErrLeft) {
		w.t.Errorf("%s: reset: %v; want %v", id, err, csms.ErrLeft)
	}
}

// 64 calls wait for one station while another is open; more are too many.
func TestCommandQueue(t *testing.T) {
	w := newWorld(t)
	defer w.end()
	s := w.connect("CP-1")
	s.send(`[2,"h","Heartbeat",{}]`)
	s.expect(t, `[3,"h"`)
	words := make(chan string, 1000)
	for range cap(words) {
		w.wg.Go(func() {
			status, err := w.server.ClearCache(t.Context(), "CP-1")
			words <- word(err) + status
		})
	}
	for range cap(words) - ocpp.MaxQueuedCalls - 1 {
		if got := <-words; got != "busy" {
			t.Fatalf("answered %s; want busy", got)
		}
	}
	for range ocpp.MaxQueuedCalls + 1 {
		s.accept(t, "ClearCache")
		if got := <-words; got != "okAccepted" {
			t.Fatalf("answered %s; want Accepted", got)
		}
	}
	s.close()
}

// A drain answers what is being handled, closes all with 1012 and waits for it.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	url := w.listen()
	idle, busy := w.mustDial(url+"IDLE"), w.mustDial(url+"BUSY")
	idle.send(`[2,"h","Heartbeat",{}]`)
	idle.expect(t, `[3,"h"`)
	held := w.store.hold()
	busy.send(`[2,"a","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
	<-held.reached
	drained := make(chan error)
	go func() { drained <- w.server.Drain(context.Background()) }()
	if idle.next() != "" || idle.ending() != ocpp.CloseRestart {
		t.Errorf("closed with %d; want %d", idle.ending(), ocpp.CloseRestart)
	}
	select {
	case err := <-drained:
		t.Fatalf("drained (%v) while a message was being recorded", err)
	default:
	}
	close(held.release)
	busy.expect(t, `[3,"a"`)
	if busy.next() != "" || busy.ending() != ocpp.CloseRestart {
		t.Errorf("closed with %d; want %d", busy.ending(), ocpp.CloseRestart)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// A drain lets stations answer what they were asked, begins no more, and does not
// wait for ever.
func TestDrainOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		quick, mute := w.connectReady("QUICK"), w.connectReady("MUTE")
		words := make(chan string, 2)
		for _, s := range []*station{quick, mute} {
			w.wg.Go(func() {
				_, err := w.server.ClearCache(t.Context(), s.id)
				words <- word(err)
			})
		}
		mute.expect(t, `[2,`)
		synctest.Wait()
		drained := make(chan error)
		w.wg.Go(func() { drained <- w.server.Drain(context.Background()) })
		synctest.Wait()
		if _, err := w.server.Reset(t.Context(), "QUICK", "Soft"); !errors.Is(err, leyden.ErrUnavailable) {
			t.Errorf("a command during the drain: %v; want %v", err, leyden.ErrUnavailable)
		}
		quick.accept(t, "ClearCache")
		if got := <-words; got != "ok" {
			t.Errorf("answered %s; want ok", got)
		}
		if got := <-words; got != "offline" {
			t.Errorf("answered %s; want offline", got)
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// A stop with more bad samples than are listed is still read: none of them hides
// what is wrong with what matters.
func TestStopWithCountlessBadSamples(t *testing.T) {
	bad := `[{"timestamp":1,"sampledValue":[` + strings.Repeat("0,", ocpp.MaxViolations) + `0]}]`
	for meterStop, want := range map[string]string{`1500`: `[3,"b",{}]`, `"1500"`: `[3,"b",{}]`, `"much"`: `[4,"b","TypeConstraintViolation"`} {
		w := newWorld(t)
		s := w.connect(cp)
		s.send(`[2,"a","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
		s.expect(t, `[3,"a"`)
		s.send(`[2,"b","StopTransaction",{"transactionData":` + bad + `,"transactionId":1,"meterStop":` + meterStop + `,"timestamp":"2026-02-06T12:30:00Z"}]`)
		s.expect(t, want)
		s.close()
		w.end()
		got, err := w.store.Transaction(t.Context(), 1)
		if err != nil || (got.Status == leyden.Completed) != strings.HasPrefix(want, "[3") {
			t.Errorf("meterStop %s: %v, %v", meterStop, got.Status, err)
		}
		if got.Status == leyden.Completed && (got.MeterStop == nil || *got.MeterStop != 1500) {
			t.Errorf("meterStop %s was read as %v", meterStop, got.MeterStop)
		}
	}
}

// A drain that takes too long gives up on what is being handled.
func TestDrainGivesUp(t *testing.T) {
	w := newWorld(t)
	w.options.Gate = &gate{}
	s := w.mustDial(w.listen() + "BUSY")
	held := w.store.hold()
	s.send(`[2,"a","StartTransaction",{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}]`)
	<-held.reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.server.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want %v", err, context.Canceled)
	}
	if s.next() != "" || s.ending() != ocpp.CloseRestart {
		t.Errorf("closed with %d; want %d", s.ending(), ocpp.CloseRestart)
	}
}
