package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/calls"
)

var _ calls.Store = (*DB)(nil)

const (
	claimed = `SELECT credential, key, digest, request_id, at, reply FROM kept_replies WHERE credential = ?1 AND key = ?2`
	// claimSpan is as many claims as there can be: the oldest go first.
	claimSpan = `
SELECT ifnull((SELECT max(seq) FROM kept_replies) - (SELECT min(seq) FROM kept_replies) + 1, 0)`
)

func (r *row) claim() calls.Claim {
	c := calls.Claim{Key: calls.Key{Credential: r.text(), Text: r.text()}}
	r.bytes(c.Digest[:])
	c.RequestID, c.At, c.Reply = r.text(), r.time(), r.blob()
	return c
}

func (b *binder) callKey(k calls.Key) {
	b.whole(k.Credential)
	b.whole(k.Text)
}

// findClaim returns the claim of k that was made at since or later, or ErrNotFound.
func findClaim(c *sqlite.Conn, k calls.Key, since time.Time) (found calls.Claim, err error) {
	err = one(c, claimed, func(b *binder) { b.callKey(k) }, func(r *row) error {
		found = r.claim()
		if found.At.Before(since) {
			return leyden.ErrNotFound
		}
		return nil
	})
	return found, err
}

// Claim implements [calls.Store].
func (db *DB) Claim(ctx context.Context, n calls.Claim, since time.Time) (kept calls.Claim, err error) {
	const save = `
INSERT OR REPLACE INTO kept_replies (credential, key, digest, request_id, at, reply)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)`
	err = db.write(ctx, "claim key", func(t *tx) error {
		found, err := findClaim(t.c, n.Key, since)
		if err == nil {
			kept = found
			return leyden.ErrExists
		}
		if isFailure(err) {
			return err
		}
		span, err := number(t.c, claimSpan, nil)
		if err != nil {
			return err
		}
		if span >= calls.MaxClaims {
			return leyden.ErrLimit
		}
		kept = n
		return exec(t.c, save, func(b *binder) {
			b.callKey(n.Key)
			b.bytes(n.Digest[:])
			b.text(n.RequestID)
			b.time(n.At)
			b.bytes(n.Reply)
		})
	})
	return kept, err
}

// Claimed implements [calls.Store].
func (db *DB) Claimed(ctx context.Context, k calls.Key, since time.Time) (kept calls.Claim, err error) {
	err = db.read(ctx, "key", func(c *sqlite.Conn) (err error) {
		kept, err = findClaim(c, k, since)
		return err
	})
	return kept, err
}

// Settle implements [calls.Store].
func (db *DB) Settle(ctx context.Context, s *calls.Settlement) error {
	if s.Record != nil {
		if err := s.Record.Check(); err != nil {
			return err
		}
	}
	var seq int64
	err := db.write(ctx, "settle call", func(t *tx) (err error) {
		if s.Record != nil {
			if seq, err = insertCall(t.c, s.Record); err != nil {
				return err
			}
		}
		return settleClaim(t.c, s)
	})
	if err == nil && s.Record != nil {
		s.Record.Seq = seq
	}
	return err
}

func insertCall(c *sqlite.Conn, n *calls.Record) (int64, error) {
	const add = `
INSERT INTO calls (at, by, kind, name, source, request_id, method, operation, path, station, transaction_id, status, code, body, replayed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)`
	err := exec(c, add, func(b *binder) {
		b.time(n.At)
		for _, text := range []string{n.By, string(n.Kind), n.Name, n.From, n.RequestID, n.Method, n.Operation, n.Path, string(n.Station)} {
			b.text(text)
		}
		b.id(n.Transaction)
		b.int(int64(n.Status))
		b.text(n.Code)
		b.text(n.Body)
		b.bool(n.Replayed)
	})
	return c.LastInsertRowID(), err
}

func settleClaim(c *sqlite.Conn, s *calls.Settlement) error {
	const (
		keep   = `UPDATE kept_replies SET reply = ?3 WHERE credential = ?1 AND key = ?2`
		giveUp = `DELETE FROM kept_replies WHERE credential = ?1 AND key = ?2`
	)
	if s.Claim == (calls.Key{}) {
		return nil
	}
	if len(s.Reply) == 0 {
		return exec(c, giveUp, func(b *binder) { b.callKey(s.Claim) })
	}
	return exec(c, keep, func(b *binder) {
		b.callKey(s.Claim)
		b.bytes(s.Reply)
	})
}

const callColumns = `
SELECT seq, at, by, kind, name, source, request_id, method, operation, path, station, transaction_id, status, code, body, replayed `

func (r *row) call() calls.Record {
	return calls.Record{
		Seq: r.int(), At: r.time(), By: r.text(), Kind: calls.Kind(r.text()), Name: r.text(), From: r.text(), RequestID: r.text(),
		Method: r.text(), Operation: r.text(), Path: r.text(), Station: leyden.StationID(r.text()),
		Transaction: leyden.TransactionID(r.int()), Status: int(r.int()), Code: r.text(), Body: r.text(), Replayed: r.bool(),
	}
}

// Records implements [calls.Store].
func (db *DB) Records(ctx context.Context, q calls.RecordQuery) (list []calls.Record, total int, err error) {
	err = db.readLong(ctx, "calls", func(c *sqlite.Conn) (err error) {
		total, err = callList(&q).read(c, q.Slice, func(r *row) { list = append(list, r.call()) })
		return err
	})
	return list, total, err
}

func behindCall(s *selection, after leyden.Cursor) {
	s.add(`(at, seq) < (?, ?)`, at(after.At), integer(after.ID))
}

// callList returns the question for what q selects, by the index that leaves the
// least to look at.
func callList(q *calls.RecordQuery) *deviceList {
	l := &deviceList{columns: callColumns, order: `at DESC, seq DESC`, countTo: q.Counted()}
	l.table, l.behind = `calls`, behindCall
	for _, index := range []struct {
		chosen bool
		name   string
	}{
		{q.Transaction != 0, `calls_by_transaction`}, {q.Station != "", `calls_by_station`}, {q.Operation != "", `calls_by_operation`},
		{q.By != "", `calls_by_caller`}, {q.Status != 0, `calls_by_status`}, {true, `calls_by_time`},
	} {
		if index.chosen {
			l.hint = `INDEXED BY ` + index.name
			break
		}
	}
	l.equal(`by`, q.By)
	l.equal(`operation`, q.Operation)
	l.equal(`station`, string(q.Station))
	if q.Transaction != 0 {
		l.add(`transaction_id = ?`, integer(int64(q.Transaction)))
	}
	if q.Status != 0 {
		l.add(`status = ?`, integer(int64(q.Status)))
	}
	l.window(`at`, q.At)
	return l
}

const (
	forgetCalls = `
DELETE FROM calls WHERE seq IN (SELECT seq FROM calls WHERE at < ?1 ORDER BY at LIMIT (?2 + 0))`
	forgetClaims = `
DELETE FROM kept_replies WHERE seq IN (SELECT seq FROM kept_replies WHERE at < ?1 ORDER BY at LIMIT (?2 + 0))`
)

// Forget implements [calls.Store].
func (db *DB) Forget(ctx context.Context, f calls.Forgetting) (n int, err error) {
	err = db.write(ctx, "forget calls", func(t *tx) error {
		n = 0
		for sql, before := range map[string]time.Time{forgetCalls: f.Records, forgetClaims: f.Claims} {
			if before.IsZero() {
				continue
			}
			err := exec(t.c, sql, func(b *binder) {
				b.time(before)
				b.int(int64(f.Limit))
			})
			if err != nil {
				return err
			}
			n += t.c.Changes()
		}
		return nil
	})
	return n, err
}
