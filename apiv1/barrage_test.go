package apiv1_test

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/rest/barrage"
)

// TestBarrage throws random and hostile requests at the façade over the ledger in
// memory; that of cmd/leyden does so at a whole server. LEYDEN_BARRAGE=SEED:REQUESTS
// says how much, as there.
func TestBarrage(t *testing.T) {
	t.Parallel()
	seed, requests := uint64(1), race.Fewer(1_500, 300)
	if given := os.Getenv("LEYDEN_BARRAGE"); given != "" {
		if _, err := fmt.Sscanf(given, "%d:%d", &seed, &requests); err != nil {
			t.Fatalf("LEYDEN_BARRAGE is SEED:REQUESTS, not %q", given)
		}
	}
	barrage.Salvos(seed, requests, func(seed uint64, requests int) {
		inWorld(t, func(w *world) { w.fire(t, seed, requests) })
	})
}

// fire throws one salvo.
func (w *world) fire(t *testing.T, seed uint64, requests int) {
	listener := barrage.NewListener()
	server := &http.Server{Handler: w.api.API, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	var stations []*station
	refresh := func() { stations = w.strangeStations(stations) }
	refresh()
	w.chargeSome(stations[0])
	report := barrage.Run(t, barrage.Options{
		Contract: w.contract, Dial: listener.Dial, Seed: seed, Requests: requests,
		Credentials: [][2]string{{"X-API-Key", w.key}, {"X-API-Key", w.keyWith("transactions:read")}, {"X-API-Key", w.keyWith("chargers:read")}},
		Known:       map[string][]string{"chargeBoxId": {"OBEYS", "REJECTS", "FAILS"}, "idTag": {"USER123"}, "connectorId": {"1", "2"}},
		Protected:   w.keyIDs(),
		Canary:      "/api/v1/transactions?limit=1",
		Settle:      func() { time.Sleep(12 * time.Millisecond); synctest.Wait() }, // the limit of rates is per second
		Digest:      func() map[string]uint64 { return digestOf(w.store) },
		Refresh:     refresh,
		Lacks:       "this server sends nothing to webhooks",
		Again:       "LEYDEN_BARRAGE=%d:%d go test ./apiv1 -run TestBarrage",
	})
	t.Logf("%d requests, %d looked at for a change: %v", report.Thrown, report.Compared, report.Statuses)
	t.Logf("never a success:\n%s", strings.Join(report.Never(), "\n"))
	w.must(server.Close()) // and the listener
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	for _, s := range stations {
		s.end()
	}
	time.Sleep(time.Minute) // simulated: net/http lingers after some replies
}

// strangeStations connects chargers that do what they are told, or do not, as
// far as they are not there.
func (w *world) strangeStations(there []*station) (all []*station) {
	for i, id := range []leyden.StationID{"OBEYS", "REJECTS", "FAILS"} {
		if len(there) > i && w.stations.Online(id) {
			all = append(all, there[i])
			continue
		}
		if len(there) > i {
			there[i].end()
		}
		if _, err := w.store.Station(w.t.Context(), id); errors.Is(err, leyden.ErrNotFound) {
			w.register(id)
		}
		s := w.reconnect(id)
		if reply, ok := (map[leyden.StationID]ocpp.Reply{
			"REJECTS": answering(`{"status":"Rejected"}`), "FAILS": failing("GenericError", "no"),
		})[id]; ok {
			s.mu.Lock()
			s.otherwise = reply
			s.mu.Unlock()
		}
		all = append(all, s)
	}
	return all
}

// chargeSome lets a charger charge, once to the end.
func (w *world) chargeSome(s *station) {
	s.status("Available")
	id := s.start(1000)
	s.meter(id, `{"value":"1500"}`)
	s.stop(id, 2000, "")
	s.start(2000)
}

// keyIDs returns the ids of the API keys.
func (w *world) keyIDs() []string {
	keys, err := w.store.Keys(w.t.Context())
	w.must(err)
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

// digestOf returns a digest of each field of a store.
func digestOf(store any) map[string]uint64 {
	digests := map[string]uint64{}
	v := reflect.ValueOf(store).Elem()
	for i := range v.NumField() {
		sum := fnv.New64a()
		digestValue(sum, v.Field(i), 0)
		digests[v.Type().Field(i).Name] = sum.Sum64()
	}
	delete(digests, "asked") // the audit log, and replies for Idempotency-Key
	delete(digests, "stamp") // the clock
	return digests
}

// digestValue adds what a value holds, whatever of it is exported. What says when
// something was last seen changes with any request.
func digestValue(sum hash.Hash64, v reflect.Value, depth int) {
	if depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			digestValue(sum, v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; !strings.HasPrefix(strings.ToLower(name), "last") {
				digestValue(sum, v.Field(i), depth+1)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			digestValue(sum, v.Index(i), depth+1)
		}
	case reflect.Map:
		digestMap(sum, v, depth)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
	default:
		fmt.Fprint(sum, v, ";")
	}
}

// digestMap adds the entries of a map, in whatever order they come.
func digestMap(sum hash.Hash64, v reflect.Value, depth int) {
	var entries []uint64
	for it := v.MapRange(); it.Next(); {
		one := fnv.New64a()
		digestValue(one, it.Key(), depth+1)
		digestValue(one, it.Value(), depth+1)
		entries = append(entries, one.Sum64())
	}
	slices.Sort(entries)
	fmt.Fprint(sum, entries)
}
