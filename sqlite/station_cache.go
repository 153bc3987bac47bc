package sqlite

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"leyden"
)

// maxRecentStations is how many stations a stationCache keeps.
const maxRecentStations = 1 << 14

// A stationCache has stations as they were read less than recentSpan ago: one that
// connects is looked up several times, by several who decide about it. What this
// process changes of one it does not have any more. It is emptied every recentSpan,
// so that it takes no memory when nobody comes.
type stationCache struct {
	mu    sync.Mutex // guards all below
	known map[leyden.StationID]*recentStation
}

// A recentStation is filled in by put.
type recentStation struct {
	leyden.Station
	readAt time.Time // zero: it is being read
}

// look returns a station as it is known, or else what put must be told.
func (c *stationCache) look(id leyden.StationID, now time.Time) (leyden.Station, *recentStation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.known[id]
	if n != nil && !n.readAt.IsZero() {
		if age := now.Sub(n.readAt); age >= 0 && age < recentSpan {
			return apart(n.Station), nil
		}
	}
	if c.known == nil {
		c.known = make(map[leyden.StationID]*recentStation)
		time.AfterFunc(recentSpan, c.empty)
	}
	if len(c.known) >= maxRecentStations {
		clear(c.known)
	}
	n = new(recentStation)
	delete(c.known, id) // its key may be a part of something larger
	c.known[leyden.StationID(strings.Clone(string(id)))] = n
	return leyden.Station{}, n
}

// put keeps a station that was read after look. Nobody finds it if it was changed
// since.
func (c *stationCache) put(n *recentStation, s leyden.Station, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.Station, n.readAt = apart(s), now
}

// apart returns a copy of which nothing is shared.
func apart(s leyden.Station) leyden.Station {
	s.Connectors, s.ReportedKeys = slices.Clone(s.Connectors), slices.Clone(s.ReportedKeys)
	for _, p := range []**bool{&s.Quirks.OfflineIDs, &s.Quirks.FractionalMeters} {
		if *p != nil {
			*p = new(**p)
		}
	}
	return s
}

// forget forgets a station that was changed.
func (c *stationCache) forget(id leyden.StationID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

func (c *stationCache) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

// RecentStation implements [leyden.Registry]. One that is not there is looked up each
// time: it may be added any moment.
func (db *DB) RecentStation(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	if err := ctx.Err(); err != nil {
		return leyden.Station{}, err
	}
	now := db.now()
	s, room := db.stations.look(id, now)
	if room == nil {
		return s, nil
	}
	s, err := db.Station(ctx, id)
	if err == nil {
		db.stations.put(room, s, now)
	}
	return s, err
}
