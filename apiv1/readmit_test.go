package apiv1_test

import (
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/auth"
)

// limitedKey makes an API key, makes it that of who asks, and returns its id.
func (w *world) limitedKey(limit *auth.Limit) string {
	w.t.Helper()
	k, text, err := w.registrar.CreateKey(w.t.Context(), auth.Spec{
		Name: "follower", Scopes: []string{"transactions:read", "chargers:read"}, LimitedTo: limit,
	})
	w.must(err)
	w.key = string(text)
	return k.ID
}

// edit changes a key.
func (w *world) edit(id string, e auth.Edit) {
	w.t.Helper()
	_, err := w.registrar.UpdateKey(w.t.Context(), id, e)
	w.must(err)
}

// shutOut are the ways in which a credential comes to its end.
func (w *world) shutOut() map[string]func(id string) {
	return map[string]func(id string){
		"revoked": func(id string) {
			_, err := w.registrar.RevokeKey(w.t.Context(), id)
			w.must(err)
		},
		"disabled": func(id string) { w.edit(id, auth.Edit{Enabled: new(false)}) },
		"expired":  func(id string) { w.edit(id, auth.Edit{ExpiresAt: new(w.now().Add(time.Second))}) },
		"without its scope": func(id string) {
			w.edit(id, auth.Edit{Scopes: []string{"chargers:read"}})
		},
	}
}

// A stream ends with the credential of its client: when something happens, before
// that is sent, and otherwise with the next sign of life.
func TestStreamEndsWithItsCredential(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		for name, end := range w.shutOut() {
			for _, busy := range []bool{true, false} {
				id := w.limitedKey(nil)
				ended := make(chan []event, 1)
				begin := time.Now()
				go func() { ended <- w.streamed("", time.Hour) }()
				synctest.Wait()
				s.charge() // takes ten minutes
				time.Sleep(time.Second)
				end(id)
				time.Sleep(2 * time.Second)
				if busy {
					s.stop(s.start(0), 0, "")
				}
				if got := <-ended; len(got) != 3 || time.Since(begin) > 10*time.Minute+20*time.Second {
					t.Errorf("%s, busy: %v: it was sent %v and ended after %v", name, busy, topicsOf(got), time.Since(begin))
				}
			}
		}
		s.end()
	})
}

// So does a long poll, which is refused then.
func TestChangesEndWithTheCredential(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("A")
		w.settle()
		want := map[string]int{"revoked": 401, "disabled": 401, "expired": 401, "without its scope": 403}
		for name, end := range w.shutOut() {
			for _, busy := range []bool{true, false} {
				id := w.limitedKey(nil)
				ended := make(chan *httptest.ResponseRecorder, 1)
				begin := time.Now()
				go func() { ended <- w.do("GET /changes?after=latest&wait=60", "") }()
				synctest.Wait()
				end(id)
				time.Sleep(2 * time.Second)
				if busy {
					s.stop(s.start(0), 0, "")
				}
				if got := <-ended; got.Code != want[name] || time.Since(begin) > 16*time.Second {
					t.Errorf("%s, busy: %v: it got %d %s after %v", name, busy, got.Code, got.Body, time.Since(begin))
				}
			}
		}
		s.end()
	})
}

// What a client reaches counts as it is now, for what is open too.
func TestStreamWithinReachAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("A"), w.connect("B")
		only := func(id leyden.StationID) *auth.Limit { return &auth.Limit{Chargers: []leyden.StationID{id}} }
		id := w.limitedKey(only("A"))
		var wg sync.WaitGroup
		wg.Go(func() {
			var of []any
			for _, e := range w.streamed("?events=transaction.started", time.Hour) {
				of = append(of, e.Data["chargeBoxId"])
			}
			if !slices.Equal(of, []any{"A", "B"}) {
				t.Errorf("it was told of %v", of)
			}
		})
		synctest.Wait()
		a.charge()
		b.charge()
		w.edit(id, auth.Edit{LimitedTo: only("B")})
		time.Sleep(2 * time.Second)
		a.charge()
		b.charge()
		wg.Wait()
		a.end()
		b.end()
	})
}

// Events that a client asked for by name, and may see no longer, are not left out
// without a word.
func TestChangesByNameEndWithTheScope(t *testing.T) {
	inWorld(t, func(w *world) {
		id := w.limitedKey(nil)
		ended := make(chan *httptest.ResponseRecorder, 1)
		go func() { ended <- w.do("GET /changes?after=latest&wait=60&events=charger.boot", "") }()
		synctest.Wait()
		w.edit(id, auth.Edit{Scopes: []string{"transactions:read"}})
		if got := <-ended; got.Code != 403 {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
	})
}
