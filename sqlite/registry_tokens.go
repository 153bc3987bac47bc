package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"leyden"
)

func fold(value string) string { return leyden.IDToken{Value: value}.Fold() }

// AddToken implements [leyden.Registry].
func (db *DB) AddToken(ctx context.Context, n leyden.Token) (leyden.Token, error) {
	kept := n
	err := db.writeTokens(ctx, "add idTag", func(t *tx) error {
		kept = n
		kept.Version = 0
		if err := refuseToken(t.c, &kept); err != nil {
			return err
		}
		old, err := token(t.c, n.Value)
		switch {
		case err == nil && old.Listed:
			kept = old
			return leyden.ErrExists
		case err == nil:
			kept.Value, kept.CreatedAt, kept.SeenAt = old.Value, old.CreatedAt, old.SeenAt
		case isFailure(err):
			return err
		}
		kept.Version = old.Version + 1
		return saveToken(t.c, &kept)
	})
	if err != nil && !errors.Is(err, leyden.ErrExists) {
		return leyden.Token{}, err
	}
	return kept, err
}

// SaveToken implements [leyden.Registry].
func (db *DB) SaveToken(ctx context.Context, n leyden.Token) error {
	return db.SaveTokens(ctx, []leyden.Token{n})
}

// SaveTokens implements [leyden.Registry].
func (db *DB) SaveTokens(ctx context.Context, list []leyden.Token) error {
	return db.writeTokens(ctx, "save idTags", func(t *tx) error {
		for i := range list {
			if err := refuseToken(t.c, &list[i]); err != nil {
				return err
			}
		}
		for i := range list {
			if err := saveToken(t.c, &list[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// refuseToken returns why a token may not be written, or nil.
func refuseToken(c *sqlite.Conn, n *leyden.Token) error {
	if n.Value == "" {
		return fmt.Errorf("an idTag without a value: %w", leyden.ErrInvalid)
	}
	if n.VehicleID != "" {
		if _, err := vehicle(c, n.VehicleID); err != nil {
			return noVehicle(n.VehicleID, err)
		}
	}
	if n.Version == 0 {
		return nil
	}
	old, err := token(c, n.Value)
	if isFailure(err) {
		return err
	}
	if old.Version != n.Version {
		return leyden.ErrStale
	}
	return nil
}

func noVehicle(id string, err error) error {
	if isFailure(err) {
		return err
	}
	return fmt.Errorf("there is no vehicle %q: %w", id, leyden.ErrInvalid)
}

// saveToken adds n, or replaces all but the value as it was first given. For the
// vehicles between which it moves that is a change, too.
func saveToken(c *sqlite.Conn, n *leyden.Token) error {
	const (
		moves = `
UPDATE vehicles SET version = version + 1
WHERE id IN (?2, (SELECT vehicle_id FROM tokens WHERE fold = ?1)) AND (SELECT vehicle_id FROM tokens WHERE fold = ?1) IS NOT ?2`
		save = `
INSERT INTO tokens (fold, value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at, parent_fold)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (fold) DO UPDATE SET status = ?3, expiry = ?4, parent = ?5, max_active = ?6, vehicle_id = ?7,
  note = ?8, listed = ?9, created_at = ?10, seen_at = ?11, parent_fold = ?12, version = version + 1`
	)
	err := exec(c, moves, func(b *binder) {
		b.text(fold(n.Value))
		b.text(n.VehicleID)
	})
	if err != nil {
		return err
	}
	return exec(c, save, func(b *binder) { b.idToken(n) })
}

func (b *binder) idToken(n *leyden.Token) {
	b.text(fold(n.Value))
	b.text(n.Value)
	b.text(n.Status)
	b.time(n.Expiry)
	b.text(n.Parent)
	b.int(int64(n.MaxActive))
	b.text(n.VehicleID)
	b.text(n.Note)
	b.bool(n.Listed)
	b.time(n.CreatedAt)
	b.time(n.SeenAt)
	b.text(fold(n.Parent))
}

// SeeTokens implements [leyden.Registry].
func (db *DB) SeeTokens(ctx context.Context, seen []leyden.Token) error {
	const see = `
INSERT INTO tokens (fold, value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at, parent_fold)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (fold) DO UPDATE SET seen_at = ?11 WHERE ifnull(seen_at, ?11) <= ?11`
	return db.writeTokens(ctx, "see idTags", func(t *tx) error {
		for _, n := range seen {
			if n.Value == "" {
				continue
			}
			n.Listed, n.VehicleID = false, ""
			if err := exec(t.c, see, func(b *binder) { b.idToken(&n) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveToken implements [leyden.Registry].
func (db *DB) RemoveToken(ctx context.Context, value string, version int) error {
	const (
		remove = `DELETE FROM tokens WHERE fold = ?1`
		count  = `UPDATE vehicles SET version = version + 1 WHERE id = ?1`
	)
	return db.writeTokens(ctx, "remove idTag", func(t *tx) error {
		old, err := token(t.c, value)
		if err != nil {
			return err
		}
		if version != 0 && version != old.Version {
			return leyden.ErrStale
		}
		if err := exec(t.c, count, func(b *binder) { b.text(old.VehicleID) }); err != nil {
			return err
		}
		return exec(t.c, remove, func(b *binder) { b.text(fold(value)) })
	})
}

const selectToken = `
SELECT value, status, expiry, parent, max_active, vehicle_id, note, listed, created_at, seen_at, version `

func (r *row) listedToken() leyden.Token {
	return leyden.Token{
		Value: r.text(), Status: r.text(), Expiry: r.time(), Parent: r.text(), MaxActive: int(r.int()),
		VehicleID: r.text(), Note: r.text(), Listed: r.bool(), CreatedAt: r.time(), SeenAt: r.time(),
		Version: int(r.int()),
	}
}

// Token implements [leyden.Registry].
func (db *DB) Token(ctx context.Context, value string) (n leyden.Token, err error) {
	err = db.read(ctx, "idTag", func(c *sqlite.Conn) (err error) {
		n, err = token(c, value)
		return err
	})
	return n, err
}

func token(c *sqlite.Conn, value string) (n leyden.Token, err error) {
	const query = selectToken + `FROM tokens WHERE fold = ?1`
	err = one(c, query, func(b *binder) { b.text(fold(value)) }, func(r *row) error {
		n = r.listedToken()
		return nil
	})
	return n, err
}

// Tokens implements [leyden.Registry].
func (db *DB) Tokens(ctx context.Context, q leyden.TokenQuery) (list []leyden.Token, total int, err error) {
	s := tokensWhere(&q)
	err = db.readLong(ctx, "idTags", func(c *sqlite.Conn) error {
		n, err := countFrom(c, s)
		total = int(n)
		if err != nil {
			return err
		}
		if q.After != nil {
			s.add(`fold > ?`, wholeText(q.After.Name))
		}
		return eachOnce(c, tokenList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: q.Limit, Offset: q.Offset})
		}, func(r *row) error {
			list = append(list, r.listedToken())
			return nil
		})
	})
	return list, total, err
}

func tokenList(s *selection) string {
	return selectToken + s.from() + ` ORDER BY fold LIMIT (? + 0) OFFSET ?`
}

// tokensWhere returns all that q selects.
func tokensWhere(q *leyden.TokenQuery) *selection {
	s := &selection{table: `tokens`}
	if q.Listed != nil {
		s.add(map[bool]string{true: `listed <> 0`, false: `listed = 0`}[*q.Listed])
	}
	switch q.Status {
	case "":
	case leyden.TokenBlocked:
		s.add(`status = 'Blocked'`)
	default:
		s.add(`status = ?`, text(q.Status))
	}
	s.equal(`parent_fold`, fold(q.Parent))
	if q.Text != "" {
		s.add(`(instr(fold, ?) OR instr(lower(note), lower(?)))`, text(fold(q.Text)), text(q.Text))
	}
	return s
}

// ScanTokens implements [leyden.Registry].
func (db *DB) ScanTokens(ctx context.Context, q leyden.TokenQuery) iter.Seq2[leyden.Token, error] {
	return func(yield func(leyden.Token, error) bool) {
		last := ""
		for {
			part, err := db.tokensAfter(ctx, &q, last)
			for _, n := range part {
				if !yield(n, nil) {
					return
				}
			}
			if err != nil {
				yield(leyden.Token{}, err)
				return
			}
			if len(part) < scanPart {
				return
			}
			last = fold(part[len(part)-1].Value)
		}
	}
}

// tokensAfter returns the part of what q selects that follows last.
func (db *DB) tokensAfter(ctx context.Context, q *leyden.TokenQuery, last string) (part []leyden.Token, err error) {
	s := tokensWhere(q)
	s.add(`fold > ?`, wholeText(last))
	err = db.readLong(ctx, "scan idTags", func(c *sqlite.Conn) error {
		return eachOnce(c, tokenList(s), func(b *binder) {
			s.bind(b)
			b.part(leyden.Slice{Limit: scanPart})
		}, func(r *row) error {
			part = append(part, r.listedToken())
			return nil
		})
	})
	return part, err
}
