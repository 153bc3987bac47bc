package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/device"
)

const commandColumns = `
SELECT id, station, action, request, by, outcome, status, answer, error, asked_at, sent_at, answered_at `

func (r *row) command() device.Command {
	return device.Command{
		ID: r.text(), Station: leyden.StationID(r.text()), Action: r.text(), Request: r.text(), By: r.text(),
		Outcome: device.Outcome(r.text()), Status: r.text(), Answer: r.text(), Error: r.text(),
		AskedAt: r.time(), SentAt: r.time(), AnsweredAt: r.time(),
	}
}

const forgetCommand = `
DELETE FROM commands WHERE seq = (SELECT seq FROM commands WHERE station = ?1 ORDER BY asked_at, seq LIMIT 1)`

// SaveCommand implements [device.CommandStore].
func (db *DB) SaveCommand(ctx context.Context, n device.Command) error {
	const (
		owner = `SELECT station FROM commands WHERE id = ?1`
		save  = `
INSERT INTO commands (id, station, action, request, by, outcome, status, answer, error, asked_at, sent_at, answered_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (id) DO UPDATE SET action = ?3, request = ?4, by = ?5, outcome = ?6, status = ?7, answer = ?8, error = ?9,
  asked_at = ?10, sent_at = ?11, answered_at = ?12`
	)
	if err := n.Check(); err != nil {
		return err
	}
	return db.write(ctx, "save command", func(t *tx) error {
		there, err := ownedBy(t.c, owner, n.ID, n.Station)
		if err != nil {
			return err
		}
		err = exec(t.c, save, func(b *binder) {
			for _, text := range []string{n.ID, string(n.Station), n.Action, n.Request, n.By, string(n.Outcome), n.Status, n.Answer, n.Error} {
				b.text(text)
			}
			b.time(n.AskedAt)
			b.time(n.SentAt)
			b.time(n.AnsweredAt)
		})
		if err != nil || there {
			return err
		}
		return share{what: `commands`, max: device.MaxCommands, forget: forgetCommand}.add(t.c, n.Station, "")
	})
}

const leaveCommands = `
UPDATE commands SET outcome = 'left', error = ?1 WHERE outcome IN ('asked', 'sent')`

// LeaveCommands implements [device.CommandStore].
func (db *DB) LeaveCommands(ctx context.Context, reason string) (n int, err error) {
	err = db.write(ctx, "leave commands", func(t *tx) error {
		err := exec(t.c, leaveCommands, func(b *binder) { b.text(reason) })
		n = t.c.Changes()
		return err
	})
	return n, err
}

// Command implements [device.CommandStore].
func (db *DB) Command(ctx context.Context, id string) (n device.Command, err error) {
	const query = commandColumns + `FROM commands WHERE id = ?1`
	err = db.read(ctx, "command", func(c *sqlite.Conn) error {
		return one(c, query, func(b *binder) { b.text(id) }, func(r *row) error {
			n = r.command()
			return nil
		})
	})
	return n, err
}

// Commands implements [device.CommandStore].
func (db *DB) Commands(ctx context.Context, q device.CommandQuery) (list []device.Command, total int, err error) {
	err = db.readLong(ctx, "commands", func(c *sqlite.Conn) (err error) {
		total, err = commandList(&q).read(c, q.Page, func(r *row) { list = append(list, r.command()) })
		return err
	})
	return list, total, err
}

// behindCommand goes by the time alone when the command of the place is forgotten.
func behindCommand(s *selection, after leyden.Cursor) {
	s.add(`(asked_at, seq) < (?, ifnull((SELECT seq FROM commands WHERE id = ?), 0))`, at(after.At), text(after.Name))
}

// commandList returns the question for what q selects. A station has few enough
// to look at all of them.
func commandList(q *device.CommandQuery) *deviceList {
	l := &deviceList{columns: commandColumns, order: `asked_at DESC, seq DESC`}
	l.table, l.behind = `commands`, behindCommand
	switch {
	case q.Station != "":
		l.hint = `INDEXED BY commands_by_station`
	case q.By != "":
		l.hint = `INDEXED BY commands_by_caller`
	}
	l.equal(`station`, string(q.Station))
	l.equal(`action`, q.Action)
	l.equal(`by`, q.By)
	return l
}
