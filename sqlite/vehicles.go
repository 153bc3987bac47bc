package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// AddVehicle implements [leyden.Registry].
func (db *DB) AddVehicle(ctx context.Context, v leyden.Vehicle) error {
	return db.saveVehicle(ctx, "add vehicle", v, func(old *leyden.Vehicle) error {
		if old.ID != "" {
			return leyden.ErrExists
		}
		return nil
	})
}

// SaveVehicle implements [leyden.Registry].
func (db *DB) SaveVehicle(ctx context.Context, v leyden.Vehicle) error {
	return db.saveVehicle(ctx, "save vehicle", v, func(old *leyden.Vehicle) error {
		if v.Version != 0 && v.Version != old.Version {
			return leyden.ErrStale
		}
		return nil
	})
}

// saveVehicle writes a vehicle with its tokens, unless refuse fails for the one
// that is there, or the zero one.
func (db *DB) saveVehicle(ctx context.Context, what string, v leyden.Vehicle, refuse func(*leyden.Vehicle) error) error {
	const save = `
INSERT INTO vehicles (id, name, created_at) VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET name = ?2, created_at = ?3, version = version + 1`
	if v.ID == "" || slices.Contains(v.Tokens, "") {
		return fmt.Errorf("a vehicle or an idTag without a name: %w", leyden.ErrInvalid)
	}
	return db.writeTokens(ctx, what, func(t *tx) error {
		old, err := vehicle(t.c, v.ID)
		if isFailure(err) {
			return err
		}
		if err := refuse(&old); err != nil {
			return err
		}
		err = exec(t.c, save, func(b *binder) {
			b.text(v.ID)
			b.text(v.Name)
			b.time(v.CreatedAt)
		})
		if err != nil {
			return err
		}
		if err := freeTokens(t.c, v.ID); err != nil {
			return err
		}
		for _, value := range v.Tokens {
			if err := giveToken(t, v.ID, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// freeTokens takes all tokens from a vehicle.
func freeTokens(c *sqlite.Conn, id string) error {
	const update = `UPDATE tokens SET vehicle_id = NULL, version = version + 1 WHERE vehicle_id = ?1`
	return exec(c, update, func(b *binder) { b.text(id) })
}

// giveToken lists a token, if it is not, and moves it to a vehicle.
func giveToken(t *tx, id, value string) error {
	n, err := token(t.c, value)
	if errors.Is(err, leyden.ErrNotFound) {
		n, err = leyden.Token{Value: value, CreatedAt: time.UnixMicro(t.now)}, nil
	}
	if err != nil {
		return err
	}
	if !n.Listed {
		n.Listed, n.Status = true, leyden.TokenAccepted
	}
	n.VehicleID = id
	return saveToken(t.c, &n)
}

// RemoveVehicle implements [leyden.Registry].
func (db *DB) RemoveVehicle(ctx context.Context, id string, version int) error {
	const remove = `DELETE FROM vehicles WHERE id = ?1`
	return db.writeTokens(ctx, "remove vehicle", func(t *tx) error {
		old, err := vehicle(t.c, id)
		if err != nil {
			return err
		}
		if version != 0 && version != old.Version {
			return leyden.ErrStale
		}
		if err := exec(t.c, remove, func(b *binder) { b.text(id) }); err != nil {
			return err
		}
		return freeTokens(t.c, id)
	})
}

const selectVehicle = `SELECT id, name, created_at, version FROM vehicles `

func (r *row) vehicle() leyden.Vehicle {
	return leyden.Vehicle{ID: r.text(), Name: r.text(), CreatedAt: r.time(), Version: int(r.int())}
}

// Vehicle implements [leyden.Registry].
func (db *DB) Vehicle(ctx context.Context, id string) (v leyden.Vehicle, err error) {
	err = db.readLong(ctx, "vehicle", func(c *sqlite.Conn) error {
		found, err := vehicle(c, id)
		if err != nil {
			return err
		}
		v = found
		v.Tokens, err = tokensOf(c, id)
		return err
	})
	return v, err
}

// vehicle reads one without its tokens.
func vehicle(c *sqlite.Conn, id string) (v leyden.Vehicle, err error) {
	const query = selectVehicle + `WHERE id = ?1`
	err = one(c, query, func(b *binder) { b.text(id) }, func(r *row) error {
		v = r.vehicle()
		return nil
	})
	return v, err
}

func tokensOf(c *sqlite.Conn, id string) (values []string, err error) {
	const query = `SELECT value FROM tokens WHERE vehicle_id = ?1 ORDER BY fold`
	err = each(c, query, func(b *binder) { b.text(id) }, func(r *row) error {
		values = append(values, r.text())
		return nil
	})
	return values, err
}

// Vehicles implements [leyden.Registry].
func (db *DB) Vehicles(ctx context.Context, part leyden.Slice) (list []leyden.Vehicle, total int, err error) {
	const (
		query = selectVehicle + `WHERE id > ?3 ORDER BY id LIMIT (?1 + 0) OFFSET ?2`
		all   = `SELECT count(*) FROM vehicles`
	)
	after := valueOr(part.After)
	err = db.readLong(ctx, "vehicles", func(c *sqlite.Conn) error {
		n, err := number(c, all, nil)
		if err != nil {
			return err
		}
		total = int(n)
		err = each(c, query, func(b *binder) {
			b.part(part)
			b.whole(after.Name)
		}, func(r *row) error {
			list = append(list, r.vehicle())
			return nil
		})
		for i := 0; err == nil && i < len(list); i++ {
			list[i].Tokens, err = tokensOf(c, list[i].ID)
		}
		return err
	})
	return list, total, err
}
