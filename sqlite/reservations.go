package sqlite

import (
	"context"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// refuseReservations returns ErrStale if a reservation changed since the entry
// was decided on.
func (a *appending) refuseReservations(c *sqlite.Conn) error {
	const lookUp = `SELECT version FROM reservations WHERE station = ?1 AND id = ?2`
	for i := range a.Reservations {
		n := &a.Reservations[i]
		var version int64
		err := each(c, lookUp, func(b *binder) {
			b.text(string(n.Station))
			b.int(int64(n.ID))
		}, func(r *row) error {
			version = r.int()
			return nil
		})
		if err != nil {
			return err
		}
		if version != int64(n.Version)-1 {
			return leyden.ErrStale
		}
	}
	return nil
}

func saveReservation(c *sqlite.Conn, n *leyden.Reservation) error {
	const save = `
INSERT INTO reservations (station, id, connector, token, token_type, parent, expires_at, status, answer, by,
  transaction_id, created_at, ended_at, version)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
ON CONFLICT (station, id) DO UPDATE SET connector = ?3, token = ?4, token_type = ?5, parent = ?6, expires_at = ?7,
  status = ?8, answer = ?9, by = ?10, transaction_id = ?11, created_at = ?12, ended_at = ?13, version = ?14`
	return exec(c, save, func(b *binder) {
		b.text(string(n.Station))
		b.int(int64(n.ID))
		b.int(int64(n.Connector))
		b.text(n.Token.Value)
		b.text(n.Token.Type)
		b.text(n.Parent)
		b.time(n.ExpiresAt)
		b.text(string(n.Status))
		b.text(n.Answer)
		b.text(n.By)
		b.id(n.Transaction)
		b.time(n.CreatedAt)
		b.time(n.EndedAt)
		b.int(int64(n.Version))
	})
}

const selectReservation = `
SELECT station, id, connector, token, token_type, parent, expires_at, status, answer, by, transaction_id,
  created_at, ended_at, version `

// reservation reads one that keeps the rules of its record.
func (r *row) reservation(n *leyden.Reservation) error {
	*n = leyden.Reservation{
		Station: leyden.StationID(r.text()), ID: int(r.int()), Connector: int(r.int()),
		Token: leyden.IDToken{Value: r.text(), Type: r.text()}, Parent: r.text(), ExpiresAt: r.time(),
		Status: leyden.ReservationStatus(r.text()), Answer: r.text(), By: r.text(),
		Transaction: leyden.TransactionID(r.int()), CreatedAt: r.time(), EndedAt: r.time(), Version: int(r.int()),
	}
	if err := n.Check(); err != nil {
		return &failure{fmt.Errorf("broken row: %v", err)}
	}
	return nil
}

// Reservation implements [leyden.Store].
func (db *DB) Reservation(ctx context.Context, s leyden.StationID, id int) (n leyden.Reservation, err error) {
	const query = selectReservation + `FROM reservations WHERE station = ?1 AND id = ?2`
	err = db.read(ctx, "reservation", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) {
			b.text(string(s))
			b.int(int64(id))
		}, func(r *row) error { return r.reservation(&n) })
	})
	return n, err
}

// Reservations implements [leyden.Store].
func (db *DB) Reservations(ctx context.Context, q leyden.ReservationQuery) (list []leyden.Reservation, total int, err error) {
	s := reservationsOf(&q)
	err = db.readLong(ctx, "reservations", func(c *sqlite.Conn) error {
		n, err := countFrom(c, s)
		total = int(n)
		if err != nil || n == 0 {
			return err
		}
		if after := q.After; after != nil {
			s.add(`(created_at, id, station) < (?, ?, ?)`, at(after.At), integer(after.ID), text(after.Name))
		}
		return eachOnce(c, reservationList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, func(r *row) error {
			var next leyden.Reservation
			err := r.reservation(&next)
			list = append(list, next)
			return err
		})
	})
	return list, total, err
}

func reservationList(s *selection) string {
	return selectReservation + s.from() + ` ORDER BY created_at DESC, id DESC, station DESC LIMIT (? + 0) OFFSET ?`
}

// reservationsOf returns all that q selects.
func reservationsOf(q *leyden.ReservationQuery) *selection {
	s := &selection{table: `reservations`}
	s.equal(`station`, string(q.Station))
	if q.Connector != nil {
		s.add(`connector = ?`, integer(int64(*q.Connector)))
	}
	if len(q.Statuses) > 0 {
		var words []func(*binder)
		for _, status := range q.Statuses {
			words = append(words, text(string(status)))
		}
		s.add(`status IN (?`+strings.Repeat(`, ?`, len(words)-1)+`)`, words...)
	}
	if !q.Due.IsZero() {
		s.add(`expires_at <= ?`, at(q.Due))
	}
	switch {
	case q.Station != "" && len(q.Statuses) == 0:
		s.hint = `INDEXED BY reservations_by_station`
	case q.Station != "":
		s.hint = `INDEXED BY reservations_by_station_status`
	}
	return s
}
