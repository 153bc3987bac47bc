package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

var _ device.Store = (*DB)(nil)

// A share is the part that a station has of a table which forgets.
type share struct {
	what   string // name in device_counts
	max    int
	forget string // deletes the oldest of station ?1; ?2 is the kind, where there are kinds
}

// add counts a record of a station that was just added, and forgets the oldest
// if that is one too many.
func (s share) add(c *sqlite.Conn, station leyden.StationID, kind string) error {
	const (
		add = `
INSERT INTO device_counts (what, station, number) VALUES (?1, ?2, 1)
ON CONFLICT (what, station) DO UPDATE SET number = number + 1 RETURNING number`
		take = `UPDATE device_counts SET number = number - 1 WHERE what = ?1 AND station = ?2`
	)
	here := func(b *binder) {
		b.text(s.what + kind)
		b.text(string(station))
	}
	n, err := number(c, add, here)
	if err != nil || n <= int64(s.max) {
		return err
	}
	err = exec(c, s.forget, func(b *binder) {
		b.text(string(station))
		if kind != "" {
			b.text(kind)
		}
	})
	if err != nil {
		return err
	}
	return exec(c, take, here)
}

const (
	forgetProfiles     = `DELETE FROM charging_profiles WHERE station = ?1`
	forgetLocalList    = `DELETE FROM local_lists WHERE station = ?1`
	forgetCertificates = `DELETE FROM certificates WHERE station = ?1`
)

// ForgetStation implements [device.Store].
func (db *DB) ForgetStation(ctx context.Context, s leyden.StationID) error {
	const forgetCount = `DELETE FROM device_counts WHERE what = 'certificates' AND station = ?1`
	return db.write(ctx, "forget what a station has", func(t *tx) error {
		for _, sql := range []string{forgetProfiles, forgetLocalList, forgetCertificates, forgetCount} {
			if err := exec(t.c, sql, func(b *binder) { b.text(string(s)) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// ownedBy reports whether the record that sql finds by id is there, and fails if
// it is of another station.
func ownedBy(c *sqlite.Conn, sql, id string, station leyden.StationID) (there bool, err error) {
	err = each(c, sql, func(b *binder) { b.text(id) }, func(r *row) error {
		there = true
		if leyden.StationID(r.text()) != station {
			return fmt.Errorf("%s is of another station: %w", id, leyden.ErrInvalid)
		}
		return nil
	})
	return there, err
}

// A deviceList is the question for a part of a table, newest first.
type deviceList struct {
	selection
	columns string // with SELECT
	order   string
	countTo int                             // how far to count, and one more; 0 counts all
	behind  func(*selection, leyden.Cursor) // leaves out what does not come after a place
}

func (l *deviceList) sql() string {
	return l.columns + l.from() + ` ORDER BY ` + l.order + ` LIMIT (? + 0) OFFSET ?`
}

// count counts what l selects, as far as it is to be counted.
func (l *deviceList) count(c *sqlite.Conn) (int64, error) {
	if l.countTo == 0 {
		return countFrom(c, &l.selection)
	}
	return countSome(c, &l.selection, l.countTo+1)
}

// read counts what l selects, and calls f for every row of a part of it.
func (l *deviceList) read(c *sqlite.Conn, part leyden.Slice, f func(*row)) (total int, err error) {
	n, err := l.count(c)
	if err != nil || n == 0 {
		return 0, err
	}
	if part.After != nil {
		l.behind(&l.selection, *part.After)
	}
	return int(n), eachOnce(c, l.sql(), func(b *binder) {
		l.bind(b)
		b.part(part)
	}, func(r *row) error {
		f(r)
		return nil
	})
}
