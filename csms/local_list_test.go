package csms_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// list asks for an update and fails the test unless it is accepted.
func (w *world) list(u csms.LocalListUpdate) csms.LocalListAnswer {
	w.t.Helper()
	answer, err := w.server.SendLocalList(w.t.Context(), cp, u)
	if err != nil || answer.Status != "Accepted" {
		w.t.Errorf("%+v: %+v, %v", u, answer, err)
	}
	return answer
}

// accepting makes the station accept n lists, each with the version after the
// one before.
func (s *station) accepting(t testing.TB, n int) {
	last := 0
	for range n {
		f := s.answer(t, `{"status":"Accepted"}`)
		var m v16.SendLocalList
		var v ocpp.Violations
		if err := m.Decode(string(f.Payload), &v); err != nil || f.Action != m.Action() || last > 0 && m.ListVersion != last+1 {
			t.Errorf("%s %s after version %d: %v", f.Action, f.Payload, last, err)
		}
		last = m.ListVersion
	}
}

// Updates that are asked for at once follow each other, each with its version.
func TestLocalListUpdatesAtOnce(t *testing.T) {
	const n = 10
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	info := &leyden.TokenInfo{Status: leyden.TokenAccepted}
	w.wg.Go(func() { s.accepting(t, n+1) })
	w.list(csms.LocalListUpdate{Full: true, Version: 1})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			w.list(csms.LocalListUpdate{Items: []csms.LocalListItem{{IDTag: string(rune('A' + i)), Info: info}}})
		})
	}
	all.Wait()
	kept, err := w.store.LocalList(t.Context(), cp)
	if err != nil || kept.Version != n+1 || len(kept.Entries) != n || !kept.Known {
		t.Errorf("kept: %+v, %v; want version %d with %d idTags", kept, err, n+1, n)
	}
	s.close()
}

// After the highest version comes the first again: 0 and below have a meaning.
func TestLocalListVersionsEnd(t *testing.T) {
	w := newWorld(t)
	if err := w.store.SaveLocalList(t.Context(), device.LocalList{Station: cp, Version: math.MaxInt32, Known: true, UpdatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	s := w.connectReady(cp)
	defer w.end()
	w.wg.Go(func() { s.accepting(t, 1) })
	if got := w.list(csms.LocalListUpdate{Full: true}); got.Version != 1 {
		t.Errorf("version %d after the highest; want 1", got.Version)
	}
	s.close()
}

// Where nothing is kept every list is sent whole.
func TestLocalListOfWhichNothingIsKept(t *testing.T) {
	w := newWorld(t)
	w.options.Devices = nil
	s := w.connectReady(cp)
	defer w.end()
	for range 2 {
		var played sync.WaitGroup
		played.Go(func() {
			s.answer(t, `{"listVersion":7}`)
			s.answer(t, `{}`) // which settings it has
			s.accepting(t, 1)
		})
		got, err := w.server.SyncLocalList(t.Context(), cp)
		if err != nil || !got.Full || got.Version != 8 || got.Set != 1 {
			t.Errorf("%+v, %v; want the one idTag in full", got, err)
		}
		played.Wait()
	}
	s.close()
}

// Whoever waits for his turn at a list waits no longer than he has time.
func TestLocalListThatIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.connectReady(cp)
		defer w.end()
		w.wg.Go(func() {
			if _, err := w.server.SendLocalList(t.Context(), cp, csms.LocalListUpdate{Full: true, Version: 1}); !errors.Is(err, leyden.ErrSilent) {
				t.Errorf("the first: %v; want %v", err, leyden.ErrSilent)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.server.SyncLocalList(ctx, cp); !errors.Is(err, leyden.ErrBusy) {
			t.Errorf("the second: %v; want %v", err, leyden.ErrBusy)
		}
		time.Sleep(time.Minute) // simulated
		s.close()
	})
}
