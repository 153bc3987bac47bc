package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"zombiezen.com/go/sqlite"
)

// recount makes all tallies anew from the transactions, unless that is done.
func recount(c *sqlite.Conn, log *slog.Logger) error {
	const (
		tallied = `SELECT value FROM meta WHERE name = 'tallied'`
		forget  = `DELETE FROM tallies`
		disown  = `DELETE FROM owner_tallies`
		done    = `UPDATE meta SET value = 1 WHERE name = 'tallied'`
	)
	n, err := number(c, tallied, nil)
	if err != nil || n > 0 {
		return err
	}
	t, err := tallyAll(c, log)
	if err != nil {
		return err
	}
	for _, sql := range []string{forget, disown} {
		if err := exec(c, sql, nil); err != nil {
			return err
		}
	}
	if err := t.write(c); err != nil {
		return err
	}
	return exec(c, done, nil)
}

// tallyAll counts all transactions, from indexes alone.
func tallyAll(c *sqlite.Conn, log *slog.Logger) (*tallies, error) {
	const (
		all   = `SELECT id, class, started_order, stopped_order, inserted_order FROM transactions INDEXED BY transactions_in_order`
		owned = `SELECT %[2]s, class FROM transactions INDEXED BY %[1]s WHERE %[2]s IS NOT NULL`
	)
	t, n, told := new(tallies), 0, time.Now()
	tell := func() {
		if n++; n%100_000 == 0 && time.Since(told) > 5*time.Second {
			told = time.Now()
			log.Info("counting what the ledger has", "rows", n)
		}
	}
	err := each(c, all, nil, func(r *row) error {
		l := listing{id: r.int(), class: class(r.int()), times: [3]int64{r.int(), r.int(), r.int()}}
		for _, at := range l.cells() {
			t.count(at, 1, l.id)
		}
		tell()
		return nil
	})
	if err != nil {
		return nil, err
	}
	for kind, from := range map[int64][2]string{
		ownerStation: {`transactions_by_station`, `station`}, ownerToken: {`transactions_by_token`, `token_fold`},
		ownerVehicle: {`transactions_by_vehicle`, `vehicle_id`},
	} {
		err := eachOnce(c, fmt.Sprintf(owned, from[0], from[1]), nil, func(r *row) error {
			name := r.text()
			l := listing{class: class(r.int())}
			t.own(owner{kind, name}, l.ownerGain())
			tell()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// errTallies says that totals are not what the transactions make them.
var errTallies = errors.New("the totals of lists are wrong: the transactions are unharmed, but a row was changed by something else than leyden")

// checkTallies compares the tallies with the transactions.
func (db *DB) checkTallies(ctx context.Context) error {
	const (
		counted = `SELECT axis, class, bucket, n, low, high FROM tallies`
		owned   = `SELECT kind, owner, listed, charged FROM owner_tallies`
	)
	if err := db.settled(ctx); err != nil {
		return outward(ctx, "check totals", err)
	}
	return db.readLong(ctx, "check totals", func(c *sqlite.Conn) error {
		t, err := tallyAll(c, db.opt.Log)
		if err != nil {
			return err
		}
		err = each(c, counted, nil, func(r *row) error {
			axis, of, bucket := r.int(), class(r.int()), r.int()
			at := cellOf(axis, of, bucket)
			n, low, high := r.int(), r.int(), r.int()
			var want gain
			if g := t.cells[at]; g != nil {
				want = *g
			}
			delete(t.cells, at)
			if n != want.n || n > 0 && (low > want.low || high < want.high) {
				return &failure{fmt.Errorf("tally %d of class %d at %d: %d transactions, should be %d: %w", axis, of, bucket, n, want.n, errTallies)}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = each(c, owned, nil, func(r *row) error {
			of := owner{kind: r.int(), name: r.text()}
			has := ownerGain{r.int(), r.int()}
			want := t.owners[of]
			delete(t.owners, of)
			if has != want {
				return &failure{fmt.Errorf("tally of %q: %v, should be %v: %w", of.name, has, want, errTallies)}
			}
			return nil
		})
		if err == nil && len(t.cells)+len(t.owners) > 0 {
			err = &failure{fmt.Errorf("%d tallies are missing: %w", len(t.cells)+len(t.owners), errTallies)}
		}
		return err
	})
}
