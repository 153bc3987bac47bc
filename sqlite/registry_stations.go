package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// AddStation implements [leyden.Registry].
func (db *DB) AddStation(ctx context.Context, s leyden.Station) error {
	const (
		taken = `
SELECT 1 FROM stations WHERE id = ?1 AND removed_at IS NULL
UNION ALL SELECT 1 FROM stations WHERE public_id = ?2 AND id <> ?1`
		insert = `
INSERT OR REPLACE INTO stations (id, public_id, name, location, registration, listed, registered_at, removed_at, quirks,
  vendor, model, serial, firmware, protocol, booted_at, connected_at, seen_at, heartbeat_at, clock_skew, start_timeout,
  clock_at, habits, reported_keys, disconnected_at, site, last_removed_at, version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
  (SELECT max(removed_at, ifnull(last_removed_at, removed_at)) FROM stations WHERE id = ?1),
  (SELECT ifnull(max(version), 0) + 1 FROM stations WHERE id = ?1))`
	)
	quirks, err := jsonText(s.Quirks)
	if err != nil {
		return err
	}
	heard, err := heardOf(&s.Sighting)
	if err != nil {
		return err
	}
	defer db.stations.forget(s.ID)
	return db.write(ctx, "add station", func(t *tx) error {
		err := each(t.c, taken, func(b *binder) {
			b.text(string(s.ID))
			b.text(s.PublicID)
		}, func(*row) error { return leyden.ErrExists })
		if err != nil {
			return err
		}
		err = exec(t.c, insert, func(b *binder) {
			b.operator(&s, quirks)
			b.sighting(&heard)
			b.text(s.Site)
		})
		if err != nil {
			return err
		}
		return saveConnectors(t.c, s.ID, s.Connectors)
	})
}

// jsonText returns v as it is stored: "" for one that says nothing.
func jsonText(v any) (text string, err error) {
	err = toJSON(&text, v)
	if text == "{}" || text == "null" {
		return "", err
	}
	return text, err
}

// A heard is a sighting as it is stored.
type heard struct {
	*leyden.Sighting
	habits, reportedKeys string
}

func heardOf(s *leyden.Sighting) (heard, error) {
	habits, err := jsonText(s.Habits)
	if err != nil {
		return heard{}, err
	}
	keys, err := jsonText(s.ReportedKeys)
	return heard{s, habits, keys}, err
}

// operator binds what an operator says of a station.
func (b *binder) operator(s *leyden.Station, quirks string) {
	b.text(string(s.ID))
	b.text(s.PublicID)
	b.text(s.Name)
	b.text(s.Location)
	b.text(string(s.Registration))
	b.bool(s.Listed)
	b.time(s.RegisteredAt)
	b.time(s.RemovedAt)
	b.text(quirks)
}

// sighting binds what a station says of itself, without its connectors.
func (b *binder) sighting(s *heard) {
	b.text(s.Vendor)
	b.text(s.Model)
	b.text(s.Serial)
	b.text(s.Firmware)
	b.text(s.Protocol)
	b.time(s.BootedAt)
	b.time(s.ConnectedAt)
	b.time(s.SeenAt)
	b.time(s.HeartbeatAt)
	b.int(s.ClockSkew.Microseconds())
	b.int(s.StartTimeout.Microseconds())
	b.time(s.ClockAt)
	b.text(s.habits)
	b.text(s.reportedKeys)
	b.time(s.DisconnectedAt)
}

func saveConnectors(c *sqlite.Conn, id leyden.StationID, connectors []leyden.Connector) error {
	const (
		forget = `DELETE FROM connectors WHERE station = ?1`
		insert = `
INSERT INTO connectors (station, number, status, error_code, info, at, updated_at, plugged_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	)
	err := exec(c, forget, func(b *binder) { b.text(string(id)) })
	for i := 0; err == nil && i < len(connectors); i++ {
		n := &connectors[i]
		err = exec(c, insert, func(b *binder) {
			b.text(string(id))
			b.int(int64(n.Number))
			b.text(n.Status)
			b.text(n.ErrorCode)
			b.text(n.Info)
			b.time(n.At)
			b.time(n.UpdatedAt)
			b.time(n.PluggedAt)
		})
	}
	return err
}

// SaveStation implements [leyden.Registry].
func (db *DB) SaveStation(ctx context.Context, s leyden.Station) error {
	const (
		there  = `SELECT version FROM stations WHERE id = ?1 AND removed_at IS NULL`
		taken  = `SELECT 1 FROM stations WHERE public_id = ?2 AND id <> ?1`
		update = `
UPDATE stations SET public_id = ?2, name = ?3, location = ?4, registration = ?5, listed = ?6,
  registered_at = ?7, removed_at = ?8, quirks = ?9, site = ?10, version = version + 1
WHERE id = ?1`
	)
	quirks, err := jsonText(s.Quirks)
	if err != nil {
		return err
	}
	names := func(b *binder) {
		b.text(string(s.ID))
		b.text(s.PublicID)
	}
	defer db.stations.forget(s.ID)
	return db.write(ctx, "save station", func(t *tx) error {
		version, err := number(t.c, there, func(b *binder) { b.text(string(s.ID)) })
		if err != nil {
			return err
		}
		if s.Version != 0 && int64(s.Version) != version {
			return leyden.ErrStale
		}
		if err := each(t.c, taken, names, func(*row) error { return leyden.ErrExists }); err != nil {
			return err
		}
		return exec(t.c, update, func(b *binder) {
			b.operator(&s, quirks)
			b.text(s.Site)
		})
	})
}

// SaveSightings implements [leyden.Registry].
func (db *DB) SaveSightings(ctx context.Context, seen map[leyden.StationID]leyden.Sighting, notices []leyden.Notice) error {
	const update = `
UPDATE stations SET vendor = ?1, model = ?2, serial = ?3, firmware = ?4, protocol = ?5, booted_at = ?6,
  connected_at = ?7, seen_at = ?8, heartbeat_at = ?9, clock_skew = ?10, start_timeout = ?11, clock_at = ?12,
  habits = ?13, reported_keys = ?14, disconnected_at = ?15
WHERE id = ?16 AND removed_at IS NULL`
	var told values
	if err := told.notices(notices, func(int) bool { return false }, 0); err != nil {
		return err
	}
	defer func() {
		for id := range seen {
			db.stations.forget(id)
		}
	}()
	return db.writeApart(ctx, "save sightings", func(t *tx) error {
		if err := t.announce(&scanner{b: told.b}); err != nil {
			return err
		}
		for id, s := range seen {
			heard, err := heardOf(&s)
			if err != nil {
				return err
			}
			err = exec(t.c, update, func(b *binder) {
				b.sighting(&heard)
				b.text(string(id))
			})
			if err == nil && t.c.Changes() > 0 {
				err = saveConnectors(t.c, id, s.Connectors)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// LastRemoved implements [leyden.Registry] and [auth.Store].
func (db *DB) LastRemoved(ctx context.Context, id leyden.StationID) (at time.Time, err error) {
	const query = `
SELECT max(ifnull(removed_at, last_removed_at), ifnull(last_removed_at, removed_at)) FROM stations WHERE id = ?1`
	err = db.read(ctx, "removal of a station", func(c *sqlite.Conn) error {
		return each(c, query, func(b *binder) { b.text(string(id)) }, func(r *row) error {
			at = r.time()
			return nil
		})
	})
	return at, err
}

const selectStations = `
SELECT id, public_id, name, location, registration, listed, registered_at, removed_at,
  vendor, model, serial, firmware, protocol, booted_at, connected_at, seen_at, heartbeat_at, clock_skew, start_timeout,
  clock_at, disconnected_at, quirks, habits, reported_keys, site, version `

const selectStation = selectStations + `FROM stations `

func (r *row) station() (leyden.Station, error) {
	s := leyden.Station{
		ID: leyden.StationID(r.text()), PublicID: r.text(), Name: r.text(), Location: r.text(),
		Registration: leyden.Registration(r.text()), Listed: r.bool(), RegisteredAt: r.time(), RemovedAt: r.time(),
		Sighting: leyden.Sighting{
			Vendor: r.text(), Model: r.text(), Serial: r.text(), Firmware: r.text(), Protocol: r.text(),
			BootedAt: r.time(), ConnectedAt: r.time(), SeenAt: r.time(), HeartbeatAt: r.time(),
			ClockSkew: r.duration(), StartTimeout: r.duration(), ClockAt: r.time(),
			DisconnectedAt: r.time(),
		},
	}
	for _, to := range []any{&s.Quirks, &s.Habits, &s.ReportedKeys} {
		if err := fromJSON(r.text(), to); err != nil {
			return s, fmt.Errorf("station %s: %w", s.ID, err)
		}
	}
	s.Site, s.Version = r.text(), int(r.int())
	return s, nil
}

func (r *row) duration() time.Duration { return time.Duration(r.int()) * time.Microsecond }

// Station implements [leyden.Registry].
func (db *DB) Station(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	return db.station(ctx, selectStation+`WHERE id = ?1 AND removed_at IS NULL`, string(id))
}

// StationByPublicID implements [leyden.Registry].
func (db *DB) StationByPublicID(ctx context.Context, id string) (leyden.Station, error) {
	return db.station(ctx, selectStation+`WHERE public_id = ?1 AND removed_at IS NULL`, id)
}

func (db *DB) station(ctx context.Context, sql, id string) (s leyden.Station, err error) {
	err = db.read(ctx, "station", func(c *sqlite.Conn) error { // connectors may be a moment younger
		err := one(c, sql, func(b *binder) { b.text(id) }, func(r *row) (err error) {
			s, err = r.station()
			return err
		})
		if err != nil {
			return err
		}
		s.Connectors, err = connectors(c, s.ID)
		return err
	})
	return s, err
}

func connectors(c *sqlite.Conn, id leyden.StationID) (list []leyden.Connector, err error) {
	const query = `
SELECT number, status, error_code, info, at, updated_at, plugged_at FROM connectors
WHERE station = ?1 ORDER BY number`
	err = each(c, query, func(b *binder) { b.text(string(id)) }, func(r *row) error {
		list = append(list, leyden.Connector{
			Number: int(r.int()), Status: r.text(), ErrorCode: r.text(), Info: r.text(),
			At: r.time(), UpdatedAt: r.time(), PluggedAt: r.time(),
		})
		return nil
	})
	return list, err
}

// Stations implements [leyden.Registry].
func (db *DB) Stations(ctx context.Context, q leyden.StationQuery) (list []leyden.Station, total int, err error) {
	s := stationsOf(&q)
	err = db.readLong(ctx, "stations", func(c *sqlite.Conn) error {
		n, err := countFrom(c, s)
		if err != nil {
			return err
		}
		total = int(n)
		if q.After != nil {
			s.add(`id > ?`, wholeText(q.After.Name))
		}
		err = eachOnce(c, stationList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, func(r *row) error {
			s, err := r.station()
			list = append(list, s)
			return err
		})
		for i := 0; err == nil && i < len(list); i++ {
			list[i].Connectors, err = connectors(c, list[i].ID)
		}
		return err
	})
	return list, total, err
}

// stationsOf returns all that q selects.
func stationsOf(q *leyden.StationQuery) *selection {
	s := &selection{table: `stations`, terms: []string{`removed_at IS NULL`}}
	if q.Site != "" {
		s.hint = `INDEXED BY stations_by_site`
		s.equal(`site`, q.Site)
	}
	if q.Connected { // in so many words, for the index
		s.hint = `INDEXED BY stations_connected`
		s.add(`connected_at > ifnull(disconnected_at, 0)`)
	}
	if q.Within != nil {
		s.add(`id IN (SELECT value FROM json_each(?))`, idList(q.Within))
	}
	return s
}

func stationList(s *selection) string {
	return selectStations + s.from() + ` ORDER BY id LIMIT (? + 0) OFFSET ?`
}

const stationsAt = `SELECT id FROM stations WHERE site IN (SELECT value FROM json_each(?1)) ORDER BY id`

// StationsAt implements [auth.Store].
func (db *DB) StationsAt(ctx context.Context, sites []string) (list []leyden.StationID, err error) {
	err = db.read(ctx, "stations of sites", func(c *sqlite.Conn) error {
		return each(c, stationsAt, idList(sites), func(r *row) error {
			list = append(list, leyden.StationID(r.text()))
			return nil
		})
	})
	return list, err
}
