// Package daybook keeps records durable in the order in which they came, for
// somebody who posts them to a slower place soon after: as in book-keeping,
// where an entry stands in the daybook first and is then posted to the ledger.
//
// A [Book] is a folder's files named daybook-*, described in
// docs/formats/daybook.md. Records are bytes of the caller's; they are numbered
// 1, 2, 3 and so on for ever. [Book.Write] returns when its record is on the
// disk. [Book.Forget] gives up records that stand elsewhere, and so their space.
// After a restart [Open] finds all records that were written and not forgotten,
// and [Book.Replay] reads them.
//
// What it promises, whatever fails and whenever the process or the machine dies:
//
//   - A record whose Write returned without an error is replayed, in its place,
//     until it is forgotten.
//   - A record whose Write returned an error does not count, now and after a
//     restart, as soon as [Book.Settle] or the next Write succeeds. Until then,
//     and for a Write that was cut off, it may turn up after a restart, as the
//     last record.
//   - What Open found stays so: a record that it counted is on the disk, and one
//     that it did not count never turns up.
//   - Damage is an error that names the file and the place, [ErrDamaged], and
//     never a shorter book. Only the last record cannot be told from one that was
//     cut off while it was written.
//
// The disk is trusted in two ways: what it says is synced stays, and writing a
// sector of 512 bytes does not harm another.
//
// One process at a time may have a folder open; the caller holds its lock. One
// goroutine at a time writes, replays, settles and closes. Forget may be called
// beside them, by one goroutine at a time.
package daybook

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// MaxRecord is how many bytes a record has at most.
const MaxRecord = 64 << 20

var (
	// ErrDamaged is what is wrong with a file that lacks, or no longer has as it
	// was written, what is not the end of the book. The error names it.
	ErrDamaged = errors.New("the daybook is damaged")
	// ErrMissing is what is wrong when the book begins later than the caller left
	// off: the files are not those of the ledger that they lie beside, or older
	// ones are gone.
	ErrMissing = errors.New("the daybook lacks records")
)

// Options say where a book is.
type Options struct {
	// Dir is the folder. It exists.
	Dir string
	// After is the number up to which records stand elsewhere: they may have been
	// forgotten. The next record has a higher one.
	After uint64
	// SegmentSize is how many bytes a file has, but for those of the first few
	// minutes, which are smaller, and of a large record; 0: 16 MiB.
	SegmentSize int64
	// Disk is where the folder is; nil: in the file system.
	Disk Disk
}

// A Book is an open daybook.
type Book struct {
	disk Disk
	size int64 // of a segment when nothing says otherwise

	file    File     // of the last segment; nil: the next Write begins one
	active  segment  // the last one
	serial  uint64   // of the last file that got a name
	pending *segment // one that has its name and is to be the last one, once that is on the disk
	doubt   bool     // what stands at the end of the last segment may be a record that failed
	closing error    // of files that are no longer needed

	buf []byte // of the record that is being written

	makes sync.Mutex // held while a segment is made, and before mu
	made  int        // how many were made
	mu    sync.Mutex // guards what Forget and Write share:
	end   int64      // of the last record in the last segment
	next  uint64     // number
	old   []segment  // before the last one, not forgotten, oldest first
	spare []segment  // forgotten, or never used
}

// Open opens the book in a folder, or begins one. It reads all records that are
// later than Options.After. Files that are not needed it keeps for later use, or
// removes them. It is ErrDamaged or ErrMissing when the records after
// Options.After are not all there.
func Open(o Options) (*Book, error) {
	b := &Book{disk: o.Disk, size: cmp.Or(o.SegmentSize, 16<<20), next: o.After + 1, end: headerSize}
	if b.disk == nil {
		b.disk = folder(o.Dir)
	}
	names, err := b.disk.Names()
	if err != nil {
		return nil, fmt.Errorf("daybook: %w", err)
	}
	if err := b.find(names, o.After); err != nil {
		return nil, fmt.Errorf("daybook: %w", errors.Join(err, b.Close()))
	}
	return b, nil
}

// Last returns the number of the last record, or Options.After when that is more.
func (b *Book) Last() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next - 1
}

// Write adds a record and returns its number once it is on the disk. After an
// error it does not count, if Settle says so; the next Write is another attempt
// with a number of its own, which may be the same.
func (b *Book) Write(record []byte) (uint64, error) {
	if len(record) > MaxRecord {
		return 0, fmt.Errorf("daybook: a record of %d bytes: at most %d", len(record), MaxRecord)
	}
	if err := b.Settle(); err != nil {
		return 0, err
	}
	need := spaceOf(len(record))
	for b.file == nil || b.end+need > b.active.size {
		if err := b.turn(need); err != nil {
			return 0, fmt.Errorf("daybook: begin a file: %w", err)
		}
	}
	n, end := b.next, b.end
	b.buf = appendRecord(b.buf[:0], b.active.salt, n, record)
	// Whole pages are written, or the system would have to read first what a
	// recycled file held there.
	b.buf = append(b.buf, make([]byte, min((end+need+page-1)&^(page-1), b.active.size)-end-need)...)
	err := store(b.file, b.buf, end)
	if cap(b.buf) > maxBuffer {
		b.buf = nil
	}
	if err != nil {
		b.doubt = true
		err = fmt.Errorf("daybook: write record %d at byte %d of %s: %w", n, end, b.active.name, err)
		return 0, errors.Join(err, b.Settle())
	}
	b.mu.Lock()
	b.end, b.next = end+need, n+1
	b.mu.Unlock()
	return n, nil
}

const (
	page      = 4096
	maxBuffer = 4 << 20 // how much memory is kept for the next record
)

// Settle returns nil once it is on the disk that the record whose Write failed
// last does not count; at once, when no such record is left. Writing does it by
// itself: it is for those who must know before they do something else.
func (b *Book) Settle() error {
	if b.pending != nil {
		// Its header says what counts of the segment before: there is no way back.
		return wrap("settle what failed", b.turn(0))
	}
	if !b.doubt {
		return nil
	}
	err := store(b.file, make([]byte, recordHeader), b.end)
	if err == nil {
		b.doubt = false
		return nil
	}
	// The place may be bad for good. A new segment says that it does not count.
	if other := b.turn(0); other != nil {
		return wrap("settle what failed", errors.Join(err, other))
	}
	return nil
}

// Replay calls f with each record after a number, in order. A record is f's to
// read until it returns. It ends with the first error of f, which it returns.
func (b *Book) Replay(after uint64, f func(n uint64, record []byte) error) error {
	b.mu.Lock()
	last := b.next - 1
	segments := slices.Clone(b.old)
	b.mu.Unlock()
	if b.file != nil {
		a := b.active
		a.last = last
		segments = append(segments, a)
	}
	if after >= last {
		return nil
	}
	if len(segments) == 0 || segments[0].first > after+1 {
		return fmt.Errorf("daybook: %w: the first after %d was forgotten", ErrMissing, after)
	}
	for _, s := range segments {
		if s.last <= after {
			continue
		}
		if err := b.replay(s, after, f); err != nil {
			return err
		}
	}
	return nil
}

// replay reads one segment.
func (b *Book) replay(s segment, after uint64, f func(n uint64, record []byte) error) (err error) {
	file, err := b.disk.Open(s.name)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, file.Close()) }()
	for r := newReader(file, s); r.next <= s.last; {
		n := r.next
		record, err := r.record()
		if errors.Is(err, errEnd) {
			err = damage(s.name, r.at, fmt.Sprintf("record %d does not check out, and is not the last", n))
		}
		if err != nil {
			return err
		}
		if n <= after {
			continue
		}
		if err := f(n, record); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the files. It writes nothing: what was written is on the disk.
func (b *Book) Close() error {
	err := b.closing
	if b.file != nil {
		err = errors.Join(err, b.file.Close())
	}
	b.file, b.pending, b.disk = nil, nil, closed{}
	return wrap("close", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("daybook: %s: %w", what, err)
}

// store writes to a file and waits until it is on the disk.
func store(f File, b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}

// closed is the disk of a book that was closed.
type closed struct{}

func (closed) Names() ([]string, error)    { return nil, fs.ErrClosed }
func (closed) Open(string) (File, error)   { return nil, fs.ErrClosed }
func (closed) Create(string) (File, error) { return nil, fs.ErrClosed }
func (closed) Rename(string, string) error { return fs.ErrClosed }
func (closed) Remove(string) error         { return fs.ErrClosed }
func (closed) Sync() error                 { return fs.ErrClosed }
