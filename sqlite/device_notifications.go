package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

const notificationColumns = `SELECT seq, station, kind, type, info, request_id, own, at, received_at `

func (r *row) notification() device.Notification {
	return device.Notification{
		Seq: r.int(), Station: leyden.StationID(r.text()), Kind: device.Kind(r.text()), Type: r.text(), Info: r.text(),
		RequestID: r.optInt(), Own: r.bool(), At: r.time(), ReceivedAt: r.time(),
	}
}

const forgetNotification = `
DELETE FROM notifications WHERE seq = (SELECT min(seq) FROM notifications WHERE station = ?1 AND kind = ?2)`

// AddNotification implements [device.NotificationStore].
func (db *DB) AddNotification(ctx context.Context, n *device.Notification) error {
	const add = `
INSERT INTO notifications (station, kind, type, info, request_id, own, at, received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	if err := n.Check(); err != nil {
		return err
	}
	var seq int64
	err := db.write(ctx, "add notification", func(t *tx) error {
		err := exec(t.c, add, func(b *binder) {
			b.text(string(n.Station))
			b.text(string(n.Kind))
			b.text(n.Type)
			b.text(n.Info)
			b.optInt(n.RequestID)
			b.bool(n.Own)
			b.time(n.At)
			b.time(n.ReceivedAt)
		})
		if err != nil {
			return err
		}
		seq = t.c.LastInsertRowID()
		return share{what: `notifications of `, max: device.MaxNotifications, forget: forgetNotification}.add(t.c, n.Station, string(n.Kind))
	})
	if err == nil {
		n.Seq = seq
	}
	return err
}

// Notifications implements [device.NotificationStore].
func (db *DB) Notifications(ctx context.Context, q device.NotificationQuery) (list []device.Notification, total int, err error) {
	err = db.readLong(ctx, "notifications", func(c *sqlite.Conn) (err error) {
		total, err = notificationList(&q).read(c, q.Page, func(r *row) { list = append(list, r.notification()) })
		return err
	})
	return list, total, err
}

func behindNumber(s *selection, after leyden.Cursor) { s.add(`seq < ?`, integer(after.ID)) }

// notificationList returns the question for what q selects. A station has few
// enough to look at all of them; numbers of requests are nearly unique.
func notificationList(q *device.NotificationQuery) *deviceList {
	l := &deviceList{columns: notificationColumns, order: `seq DESC`}
	l.table, l.behind = `notifications`, behindNumber
	switch {
	case q.RequestID != nil:
		l.hint = `INDEXED BY notifications_by_request`
	case q.Station != "" && q.Kind != "":
		l.hint = `INDEXED BY notifications_by_station_kind`
	case q.Station != "":
		l.hint = `INDEXED BY notifications_by_station`
	}
	l.ofStation(q.Station, q.Within)
	l.equal(`kind`, string(q.Kind))
	l.equal(`type`, q.Type)
	if q.RequestID != nil {
		l.add(`request_id = ?`, integer(int64(*q.RequestID)))
	}
	l.window(`received_at`, q.Received)
	return l
}
