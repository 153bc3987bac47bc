package sqlite

import (
	"context"
	"fmt"
	"math"

	"leyden"
)

// numberBlock is how many transaction numbers are reserved at once. Those of a
// block that were not used when the process ended are skipped: gaps are legal,
// a number that is given twice is not.
const numberBlock = 2000

// errNotServing: appending beside a running server would draw its numbers twice.
var errNotServing = fmt.Errorf("only a database opened to serve appends to the ledger: %w", leyden.ErrInvalid)

// numbers are the rest of the reserved block. Whoever holds the slot draws. The next
// block is reserved when half of this one is used: nobody waits for it.
type numbers struct {
	slot  chan block
	ahead chan block // an empty one if it could not be reserved
}

type block struct {
	last, end int64
	asked     bool // the next one is on its way
}

func newNumbers() numbers {
	n := numbers{make(chan block, 1), make(chan block, 1)}
	n.slot <- block{}
	return n
}

// NextID implements [leyden.Store].
func (db *DB) NextID(ctx context.Context) (id leyden.TransactionID, err error) {
	if err := db.serving(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var b block
	select {
	case b = <-db.numbers.slot:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { db.numbers.slot <- b }()
	if b.last == b.end {
		if b, err = db.nextBlock(ctx, b); err != nil {
			return 0, err
		}
	}
	b.last++
	if !b.asked && b.end-b.last <= numberBlock/2 {
		b.asked = true
		go db.reserveAhead(context.WithoutCancel(ctx))
	}
	return leyden.TransactionID(b.last), nil
}

// reserveAhead reserves the block after this one. It ends with the database at the
// latest.
func (db *DB) reserveAhead(ctx context.Context) {
	next, err := db.reserve(ctx)
	if err != nil {
		next = block{} // who needs it tries again, and hears why
	}
	db.numbers.ahead <- next
}

// nextBlock returns the block after b, or what is left of b beside an error.
func (db *DB) nextBlock(ctx context.Context, b block) (block, error) {
	if b.asked {
		select {
		case next := <-db.numbers.ahead:
			if next.end > 0 {
				return next, nil
			}
			b.asked = false
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
	next, err := db.reserve(ctx)
	if err != nil {
		return b, err
	}
	return next, nil
}

// reserve makes durable that the numbers of the next block are taken. It begins
// behind every number that is reserved or in use by a transaction. Reservations
// have theirs from here as well, or from elsewhere and then only at their station.
func (db *DB) reserve(ctx context.Context) (block, error) {
	const (
		reserved = `SELECT max(value, (SELECT ifnull(max(id), 0) FROM transactions)) FROM meta WHERE name = 'last_id'`
		reserve  = `UPDATE meta SET value = ?1 WHERE name = 'last_id'`
	)
	var next block
	err := db.writeApart(ctx, "reserve transaction numbers", func(t *tx) error {
		last, err := number(t.c, reserved, nil)
		if err != nil {
			return err
		}
		next = block{last: last, end: min(last+numberBlock, math.MaxInt32)}
		if next.last == next.end {
			return fmt.Errorf("all transaction numbers up to %d are used", math.MaxInt32)
		}
		return exec(t.c, reserve, func(b *binder) { b.int(next.end) })
	})
	return next, err
}
