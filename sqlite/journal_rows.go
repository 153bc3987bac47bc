package sqlite

import (
	"strings"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// framesInRows finds frames in rows of their own, as they were written before
// there were blocks.
func framesInRows(c *sqlite.Conn, q *leyden.FrameQuery) ([]leyden.Frame, error) {
	var found []leyden.Frame
	err := each(c, framesSQL(q), func(b *binder) {
		b.text(string(q.Station))
		b.text(q.Action)
		b.about(q.Transaction)
		b.text(string(q.Type))
		if b.i++; q.Sent != nil {
			b.stmt.BindBool(b.i, *q.Sent)
		}
		b.time(q.At.From)
		b.time(q.At.To)
		b.int(q.After)
		b.int(int64(q.Limit))
	}, func(r *row) error {
		found = append(found, leyden.Frame{
			Seq: r.int(), Station: leyden.StationID(r.text()), At: r.time(), Sent: r.bool(), Type: leyden.FrameType(r.text()),
			MessageID: r.text(), Action: r.text(), Transaction: leyden.TransactionID(r.int()), Text: r.text(),
		})
		return nil
	})
	return found, err
}

// framesSQL returns the statement for q. Which frames it is about is found in
// an index alone as far as can be; only those are then read.
func framesSQL(q *leyden.FrameQuery) string {
	follows, order := `seq < ?8`, `DESC`
	if q.Ascending {
		follows, order = `seq > ?8`, `ASC`
	}
	var which []string
	for _, c := range []struct {
		asked bool
		sql   string
	}{
		{q.Station != "", `station = ?1`},
		{q.Action != "", `action = ?2`},
		{q.Transaction != 0, `transaction_id = ?3`},
		{q.Type != "", `type = ?4`},
		{q.Sent != nil, `sent = ?5`},
		{!q.At.From.IsZero(), `at >= ?6`},
		{!q.At.To.IsZero(), `at < ?7`},
		{q.After != 0, follows},
	} {
		if c.asked {
			which = append(which, c.sql)
		}
	}
	where := ``
	if len(which) > 0 {
		where = ` WHERE ` + strings.Join(which, ` AND `)
	}
	return `
SELECT seq, station, at, sent, type, message_id, action, transaction_id, text FROM frames
WHERE seq IN (SELECT seq FROM frames ` + framesIndex(q) + where + ` ORDER BY seq ` + order + ` LIMIT (?9 + 0))
ORDER BY seq ` + order
}

// framesIndex names the index that leaves the fewest frames to look at.
func framesIndex(q *leyden.FrameQuery) string {
	switch {
	case q.Transaction != 0:
		return `INDEXED BY frames_by_transaction`
	case q.Station != "":
		return `INDEXED BY frames_by_station`
	}
	return ``
}

// about binds the number of a transaction; 0 is NULL.
func (b *binder) about(id leyden.TransactionID) {
	b.i++
	if id != 0 {
		b.stmt.BindInt64(b.i, int64(id))
	}
}
