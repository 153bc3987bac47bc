package sqlite

import (
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	// forgetRounds is how often something is deleted in one transaction: a write
	// must not take long for it. The next write goes on.
	forgetRounds = 512
	// forgetBlocks is how many blocks are deleted at once, and forgetRows how many
	// rows.
	forgetBlocks = 4
	forgetRows   = 512
)

// forgetOld deletes the blocks that are older than allowed. Those that are as far
// ahead were written before the clock was set back.
func (j *Journal) forgetOld(c *sqlite.Conn) error {
	const (
		oldest = `SELECT latest < ?1 OR earliest >= ?2 FROM blocks ORDER BY seq LIMIT 1`
		forget = `DELETE FROM blocks WHERE seq IN (SELECT seq FROM blocks ORDER BY seq LIMIT (?3 + 0)) AND (latest < ?1 OR earliest >= ?2)`
	)
	now := j.opt.Now()
	from, to := now.Add(-j.opt.Limits.MaxAge), now.Add(j.opt.Limits.MaxAge)
	if j.rows {
		if err := j.forgetOldRows(c, from, to); err != nil {
			return err
		}
	}
	window := func(b *binder) { b.time(from); b.time(to) }
	return j.forget(c, func() (bool, error) {
		old := false
		err := each(c, oldest, window, func(r *row) error { old = r.bool(); return nil })
		if err != nil || !old {
			return false, err
		}
		return true, exec(c, forget, func(b *binder) { window(b); b.int(forgetBlocks) })
	})
}

// forgetOldRows deletes frames in rows of their own that are older than allowed.
func (j *Journal) forgetOldRows(c *sqlite.Conn, from, to time.Time) error {
	const (
		oldest = `SELECT at < ?1 OR at >= ?2 FROM frames ORDER BY seq LIMIT 1`
		forget = `DELETE FROM frames WHERE seq IN (SELECT seq FROM frames ORDER BY seq LIMIT (?3 + 0)) AND (at < ?1 OR at >= ?2)`
	)
	window := func(b *binder) { b.time(from); b.time(to) }
	for range forgetRounds {
		old, any := false, false
		err := each(c, oldest, window, func(r *row) error { old, any = r.bool(), true; return nil })
		if j.rows = any; err != nil || !old {
			return err
		}
		if err := exec(c, forget, func(b *binder) { window(b); b.int(forgetRows) }); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom deletes the oldest frames until need bytes fit.
func (j *Journal) makeRoom(c *sqlite.Conn, need int64) error {
	const forget = `DELETE FROM blocks WHERE seq IN (SELECT seq FROM blocks ORDER BY seq LIMIT (?1 + 0))`
	return j.forget(c, func() (bool, error) {
		used, err := j.used(c)
		if err != nil || used+need <= j.opt.Limits.MaxBytes {
			return false, err
		}
		if j.rows {
			return true, j.forgetRows(c)
		}
		err = exec(c, forget, func(b *binder) { b.int(forgetBlocks) })
		return c.Changes() > 0, err
	})
}

// forgetRows deletes the oldest frames that have rows of their own.
func (j *Journal) forgetRows(c *sqlite.Conn) error {
	const forget = `DELETE FROM frames WHERE seq IN (SELECT seq FROM frames ORDER BY seq LIMIT (?1 + 0))`
	err := exec(c, forget, func(b *binder) { b.int(forgetRows) })
	if err == nil {
		j.rows, err = hasRows(c)
	}
	return err
}

// hasRows reports whether there are frames in rows of their own, as they were
// written before there were blocks.
func hasRows(c *sqlite.Conn) (bool, error) {
	n, err := number(c, `SELECT EXISTS (SELECT 1 FROM frames)`, nil)
	return n != 0, err
}

const forgetPlaces = `DELETE FROM places WHERE seq < (SELECT ifnull(min(seq), 9223372036854775807) FROM blocks)`

// forget calls some, which deletes blocks or reports that there is nothing to
// delete, and then deletes the places of blocks that are gone.
func (j *Journal) forget(c *sqlite.Conn, some func() (bool, error)) error {
	for round := range forgetRounds {
		more, err := some()
		if err != nil {
			return err
		}
		if !more && round > 0 {
			return exec(c, forgetPlaces, nil)
		}
		if !more {
			return nil
		}
	}
	return exec(c, forgetPlaces, nil)
}

// used returns how many bytes of the file are in use: pages that are free are
// taken before it grows.
func (j *Journal) used(c *sqlite.Conn) (int64, error) {
	const pages, free = `PRAGMA page_count`, `PRAGMA freelist_count`
	all, err := number(c, pages, nil)
	if err != nil {
		return 0, err
	}
	unused, err := number(c, free, nil)
	return (all - unused) * pageSize, err
}

// shrink gives pages back to the file system that a lower limit than before
// leaves unused, 10 MiB at a time.
func (j *Journal) shrink(c *sqlite.Conn) error {
	const pages, vacuum = `PRAGMA page_count`, `PRAGMA incremental_vacuum(2560)`
	all, err := number(c, pages, nil)
	if err != nil || all*pageSize <= j.opt.Limits.MaxBytes {
		return err
	}
	return exec(c, vacuum, nil)
}
