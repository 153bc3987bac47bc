package sqlite

import (
	"zombiezen.com/go/sqlite"

	"leyden"
)

const (
	// forgetChunk is how many frames are deleted at once, and forgetChunks how
	// often in one transaction: a write must not take long for it. The next write
	// goes on.
	forgetChunk  = 512
	forgetChunks = 128
	// frameBytes is what a frame takes beside its text: the other columns and its
	// place in the indexes.
	frameBytes = 400
)

// forgetOld deletes the frames that are older than allowed. Those that are as
// far ahead were written before the clock was set back.
func (j *Journal) forgetOld(c *sqlite.Conn) error {
	const (
		oldest = `SELECT at < ?1 OR at >= ?2 FROM frames ORDER BY seq LIMIT 1`
		forget = `DELETE FROM frames WHERE seq IN (SELECT seq FROM frames ORDER BY seq LIMIT (?3 + 0)) AND (at < ?1 OR at >= ?2)`
	)
	now := j.opt.Now()
	from, to := now.Add(-j.opt.Limits.MaxAge), now.Add(j.opt.Limits.MaxAge)
	window := func(b *binder) { b.time(from); b.time(to) }
	for range forgetChunks {
		old := false
		err := each(c, oldest, window, func(r *row) error { old = r.bool(); return nil })
		if err != nil || !old {
			return err
		}
		if err := exec(c, forget, func(b *binder) { window(b); b.int(forgetChunk) }); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom deletes the oldest frames until need bytes fit.
func (j *Journal) makeRoom(c *sqlite.Conn, need int64) error {
	const forget = `DELETE FROM frames WHERE seq IN (SELECT seq FROM frames ORDER BY seq LIMIT (?1 + 0))`
	for range forgetChunks {
		used, err := j.used(c)
		if err != nil || used+need <= j.opt.Limits.MaxBytes {
			return err
		}
		if err := exec(c, forget, func(b *binder) { b.int(forgetChunk) }); err != nil || c.Changes() == 0 {
			return err
		}
	}
	return nil
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

// fitting returns the newest of frames that a limit leaves room for, and about
// how many bytes they need.
func fitting(frames []leyden.Frame, limit int64) (some []leyden.Frame, need int64) {
	for i := len(frames) - 1; i >= 0; i-- {
		size := frameSize(&frames[i])
		if need+size > limit {
			return frames[i+1:], need
		}
		need += size
	}
	return frames, need
}

// frameSize returns about how many bytes of the file a frame needs. A long text
// fills pages of its own, the last of them in part.
func frameSize(f *leyden.Frame) int64 {
	n := len(f.Text)
	if n >= pageSize-frameBytes {
		n += pageSize
	}
	return int64(n + frameBytes)
}
