package sqlite

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
)

// What a tool changes beside the server is known there a second later, and what it
// adds at once.
func TestRecentStationBesideATool(t *testing.T) {
	clock := time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	server := mustOpen(t, Options{Path: folder, Serve: true, Now: func() time.Time { return clock }})
	tool := mustOpen(t, Options{Path: folder})
	name := func() string {
		s, err := server.RecentStation(t.Context(), "S")
		if err != nil && !errors.Is(err, leyden.ErrNotFound) {
			t.Fatal(err)
		}
		return s.Name
	}
	saved := leyden.Station{ID: "S", PublicID: "chg_S", Name: "first", RegisteredAt: clock}
	if got := name(); got != "" {
		t.Errorf("before it was added: %q", got)
	}
	if err := tool.AddStation(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "first" {
		t.Errorf("once it was added: %q", got)
	}
	saved.Name = "second"
	if err := tool.SaveStation(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(recentSpan)
	if got := name(); got != "second" {
		t.Errorf("a second after it was changed: %q", got)
	}
	saved.Name = "third"
	if err := server.SaveStation(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "third" {
		t.Errorf("once the server changed it: %q", got)
	}
}

// What was read before a change must not be kept after it, what is asked for is
// bounded, and nothing stays.
func TestStationCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c stationCache
		keep := func(id leyden.StationID) {
			_, room := c.look(id, time.Now())
			c.put(room, leyden.Station{ID: id, Sighting: leyden.Sighting{Connectors: make([]leyden.Connector, 1)}}, time.Now())
		}
		knows := func(id leyden.StationID) bool {
			_, room := c.look(id, time.Now())
			return room == nil
		}
		kept := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.known)
		}
		_, room := c.look("a", time.Now())
		c.forget("a")
		if c.put(room, leyden.Station{ID: "a"}, time.Now()); knows("a") {
			t.Error("what was read before a change is kept")
		}
		if keep("a"); !knows("a") {
			t.Error("what was read is not kept")
		}
		s, _ := c.look("a", time.Now())
		s.Connectors[0].Status = "changed"
		if again, _ := c.look("a", time.Now()); again.Connectors[0].Status != "" {
			t.Error("who changes a copy changes what is kept")
		}
		for i := range maxRecentStations + 10 {
			keep(leyden.StationID(fmt.Sprint(i)))
		}
		if n := kept(); n > maxRecentStations {
			t.Errorf("%d stations are kept", n)
		}
		time.Sleep(recentSpan)
		synctest.Wait()
		if n := kept(); n > 0 {
			t.Errorf("%d stations stay", n)
		}
	})
}
