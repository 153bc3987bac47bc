package sqlite

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// Frames implements [leyden.Journal].
func (j *Journal) Frames(ctx context.Context, q leyden.FrameQuery) ([]leyden.Frame, error) {
	if err := j.reading.enter(ctx); err != nil {
		return nil, err
	}
	defer j.reading.leave()
	var found []leyden.Frame
	there, err := j.reader()
	if err == nil && there {
		found, err = readFrames(ctx, j.reading.conn, q)
	}
	if isDamage(err) {
		j.odd.Store(true) // the next write begins anew
	}
	if j.opt.ReadOnly || err != nil { // the file may be another one by the next question
		err = errors.Join(err, j.reading.disconnect())
	}
	return found, outward(ctx, "journal", err)
}

// reader opens the file for reading, unless it is open, and reports whether
// there is something to read.
func (j *Journal) reader() (there bool, err error) {
	if j.reading.conn != nil {
		return true, nil
	}
	if info, err := os.Stat(j.file); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return false, nil
	}
	c, err := openConn(j.file, sqlite.OpenReadOnly, []setting{{`PRAGMA temp_store = MEMORY`, ""}})
	if err != nil {
		return false, err
	}
	j.reading.conn = c
	have, _, err := journalSchema().pending(c, j.file)
	if err == nil && have == 0 { // nothing but an empty file yet
		err = j.reading.disconnect()
	}
	return have > 0, err
}

// readFrames finds frames in blocks, and in rows of their own, which are all
// older.
func readFrames(ctx context.Context, c *sqlite.Conn, q leyden.FrameQuery) ([]leyden.Frame, error) {
	c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(nil)
	q.Limit = cmp.Or(q.Limit, leyden.MaxWorking)
	s := blockSearch{conn: c, q: &q}
	var err error
	if q.Ascending {
		s.found, err = framesInRows(c, &q)
	}
	if err == nil && !s.full() {
		err = s.run()
	}
	if err != nil || q.Ascending || s.full() {
		return s.found, err
	}
	q.Limit -= len(s.found)
	older, err := framesInRows(c, &q)
	return append(s.found, older...), err
}

// A blockSearch looks for frames in blocks.
type blockSearch struct {
	conn  *sqlite.Conn
	q     *leyden.FrameQuery
	found []leyden.Frame
	data  []byte // of the last block
	text  []byte // the same, decompressed
}

func (s *blockSearch) full() bool { return len(s.found) >= s.q.Limit }

func (s *blockSearch) run() error {
	var err error
	switch {
	case s.q.Transaction != 0:
		err = s.byKey(transactionKey(s.q.Transaction))
	case s.q.Station != "":
		err = s.byKey(stationKey(s.q.Station))
	default:
		err = s.all()
	}
	if err == errEnough {
		return nil
	}
	return err
}

// In descending order a search begins with the block, or the group, that ends
// at or above q.After: what comes before it may be in there.
const (
	allBlocksUp = `
SELECT seq, frames, earliest, latest, data FROM blocks WHERE seq > ?1 ORDER BY seq`
	allBlocksDown = `
SELECT seq, frames, earliest, latest, data FROM blocks
WHERE seq <= ifnull((SELECT min(seq) FROM blocks WHERE seq >= ?1 AND ?1 > 0), 9223372036854775807) ORDER BY seq DESC`
	blocksOfKeyUp = `
SELECT key, seq, blocks FROM places WHERE key = ?2 AND seq > ?1
UNION ALL
SELECT key, seq, blocks FROM places WHERE key = ?3 AND seq > ?1
ORDER BY seq`
	blocksOfKeyDown = `
SELECT key, seq, blocks FROM places
WHERE key = ?2 AND seq <= ifnull((SELECT min(seq) FROM places WHERE key = ?2 AND seq >= ?1 AND ?1 > 0), 9223372036854775807)
UNION ALL
SELECT key, seq, blocks FROM places
WHERE key = ?3 AND seq <= ifnull((SELECT min(seq) FROM places WHERE key = ?3 AND seq >= ?1 AND ?1 > 0), 9223372036854775807)
ORDER BY seq DESC`
	blockAt = `
SELECT seq, frames, earliest, latest, data FROM blocks WHERE seq = ?1`
)

// all looks at all blocks.
func (s *blockSearch) all() error {
	query := allBlocksDown
	if s.q.Ascending {
		query = allBlocksUp
	}
	return each(s.conn, query, func(b *binder) { b.int(s.q.After) }, s.block)
}

// byKey looks at the blocks that a key is in.
func (s *blockSearch) byKey(key placeKey) error {
	query := blocksOfKeyDown
	if s.q.Ascending {
		query = blocksOfKeyUp
	}
	return each(s.conn, query, func(b *binder) {
		b.int(s.q.After)
		b.int(int64(key))
		b.int(key.shelf())
	}, func(r *row) error {
		onShelf, last := r.int() < 0, r.int()
		seqs := []int64{last}
		if onShelf {
			var err error
			if seqs, err = blocksOnShelf(r.blob(), last, key); err != nil {
				return err
			}
		}
		return s.blocks(seqs)
	})
}

// blocks looks at some blocks, in the order of the question.
func (s *blockSearch) blocks(seqs []int64) error {
	if !s.q.Ascending {
		slices.Reverse(seqs)
	}
	for _, seq := range seqs {
		if s.q.Ascending && seq <= s.q.After {
			continue
		}
		if err := each(s.conn, blockAt, func(b *binder) { b.int(seq) }, s.block); err != nil {
			return err
		}
	}
	return nil
}

// block adds the frames of a block that are asked for.
func (s *blockSearch) block(r *row) error {
	last, count := r.int(), r.int()
	earliest, latest := r.time(), r.time()
	from, to := s.q.At.From, s.q.At.To
	first := last - count + 1
	if latest.Before(from) || !to.IsZero() && !earliest.Before(to) || !s.q.Ascending && s.q.After != 0 && first >= s.q.After {
		return nil
	}
	var err error
	s.data = r.blobInto(s.data)
	if s.text, err = decompressed(s.text, s.data); err != nil {
		return err
	}
	begin, seq := len(s.found), first
	blk := blockReader{text: s.text}
	for ; blk.next(); seq++ {
		if blk.chosen(seq, s.q) && !(s.q.Ascending && s.full()) {
			s.found = append(s.found, blk.frame(seq))
		}
	}
	if blk.bad || seq != last+1 {
		return errDamaged
	}
	if !s.q.Ascending {
		slices.Reverse(s.found[begin:])
		s.found = s.found[:min(len(s.found), s.q.Limit)]
	}
	if s.full() {
		return errEnough
	}
	return nil
}

// blobInto is blob into the memory of spare, if it fits.
func (r *row) blobInto(spare []byte) []byte {
	n := r.stmt.ColumnLen(r.i)
	b := slices.Grow(spare[:0], n)[:n]
	r.bytes(b)
	return b
}
