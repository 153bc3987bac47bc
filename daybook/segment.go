package daybook

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

const (
	prefix    = "daybook-"
	newPrefix = prefix + "new-" // of files that are being made, and of no use after a restart
	magic     = "leydaybk"
	version   = 1
	// headerSize is how many bytes come before the first record. It is a page, so
	// that the header is never written again with a record.
	headerSize   = page
	headerLength = 48      // of which are used
	firstSize    = 1 << 20 // of the first segment of a book
	growth       = 4       // how much larger the next one is, up to the size of all
	maxSpare     = 3       // segments that are kept for later use
)

// A segment is a file of the book.
type segment struct {
	name   string
	serial uint64 // 1, 2, 3 and so on, as in the name
	first  uint64 // number of its first record; those of the segment before end here
	last   uint64 // number of its last record, once it is not the last segment
	size   int64
	salt   uint32
}

func nameOf(serial uint64) string { return fmt.Sprintf("%s%016x", prefix, serial) }

// serialOf returns the serial that a file's name tells.
func serialOf(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	serial, err := strconv.ParseUint(digits, 16, 64)
	return serial, err == nil && nameOf(serial) == name
}

// header returns what stands at the beginning of a segment.
func (s segment) header() []byte {
	b := make([]byte, 0, headerLength)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, s.salt)
	b = binary.LittleEndian.AppendUint64(b, s.serial)
	b = binary.LittleEndian.AppendUint64(b, s.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.size))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, sum(0, b))
}

// readSegment reads the header of a file. The serial it tells is not the name's
// when the file was about to become another segment.
func readSegment(f File, name string) (segment, error) {
	size, err := f.Size()
	if err != nil {
		return segment{}, err
	}
	b := make([]byte, headerLength)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return segment{}, err
	}
	if !bytes.Equal(b[:8], []byte(magic)) {
		return segment{}, damage(name, 0, "its header is not that of a daybook")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return segment{}, fmt.Errorf("%s is of version %d, of which this program knows nothing", name, v)
	}
	s := segment{
		name: name, salt: binary.LittleEndian.Uint32(b[12:]), serial: binary.LittleEndian.Uint64(b[16:]),
		first: binary.LittleEndian.Uint64(b[24:]), size: int64(binary.LittleEndian.Uint64(b[32:])),
	}
	if sum(0, b[:headerLength-4]) != binary.LittleEndian.Uint32(b[headerLength-4:]) || s.first == 0 || s.size < headerSize {
		return segment{}, damage(name, 0, "its header does not check out")
	}
	if s.size != size {
		return segment{}, damage(name, min(size, s.size), fmt.Sprintf("it has %d bytes, and had %d", size, s.size))
	}
	return s, nil
}

func damage(name string, at int64, what string) error {
	return fmt.Errorf("%s at byte %d: %s: %w", name, at, what, ErrDamaged)
}

// turn begins another segment, with room for need bytes. Its header is on the
// disk before it has its name, and its name before it has a record. Once it has
// its name it must be the last segment, whatever fails then: the next turn goes on.
func (b *Book) turn(need int64) error {
	if b.pending == nil {
		s, err := b.begin(need)
		if err != nil {
			return err
		}
		b.pending = &s
	}
	if err := b.disk.Sync(); err != nil {
		return err
	}
	file, err := b.disk.Open(b.pending.name)
	if err != nil {
		return err
	}
	if b.file != nil {
		b.closing = errors.Join(b.closing, b.file.Close())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		b.active.last = b.next - 1
		b.old = append(b.old, b.active)
	}
	b.file, b.active, b.end = file, *b.pending, headerSize
	b.pending, b.doubt = nil, false
	return nil
}

// begin makes a spare file the next segment, or removes it.
func (b *Book) begin(need int64) (segment, error) {
	spare, file, err := b.take(need)
	if err != nil {
		return segment{}, err
	}
	s := segment{name: nameOf(b.serial + 1), serial: b.serial + 1, first: b.next, size: spare.size, salt: rand.Uint32()}
	err = errors.Join(store(file, s.header(), 0), file.Close())
	if err == nil {
		err = b.disk.Rename(spare.name, s.name) // which Windows does to closed files alone
	}
	if err != nil {
		return segment{}, errors.Join(err, b.disk.Remove(spare.name))
	}
	b.serial++
	return s, nil
}

// take returns a spare file, or one that it makes.
func (b *Book) take(need int64) (segment, File, error) {
	b.makes.Lock()
	defer b.makes.Unlock()
	b.mu.Lock()
	i := slices.IndexFunc(b.spare, func(s segment) bool { return s.size-headerSize >= need })
	var s segment
	if i >= 0 {
		s = b.spare[i]
		b.spare = slices.Delete(b.spare, i, i+1)
	}
	b.mu.Unlock()
	if i < 0 {
		return b.create(b.sizeFor(need))
	}
	f, err := b.disk.Open(s.name)
	return s, f, err
}

// sizeFor returns how large a new segment is.
func (b *Book) sizeFor(need int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := min(b.size, max(firstSize, growth*b.active.size))
	return max(size, headerSize+(need+page-1)&^(page-1))
}

// create makes a file of zeros. All of it is on the disk then: writing a record
// changes nothing else of the file, and so there is less to sync.
func (b *Book) create(size int64) (segment, File, error) {
	b.made++
	s := segment{name: fmt.Sprintf("%s%d", newPrefix, b.made), size: size}
	f, err := b.disk.Create(s.name)
	if err != nil {
		return segment{}, nil, err
	}
	zeros := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size && err == nil; at += int64(len(zeros)) {
		err = store(f, zeros[:min(int64(len(zeros)), size-at)], at) // little at a time: others sync too
	}
	if err != nil {
		return segment{}, nil, errors.Join(err, f.Close(), b.disk.Remove(s.name))
	}
	return s, f, nil
}

// Forget gives up the records up to a number, which stand elsewhere for good:
// the caller opens the book again with that number or a higher one as
// Options.After. It may take as long as a Write, makes a file ready for the
// Writes to come, and may be called beside everything but Close. An error tells
// of files that could not be removed or made; it may be called again.
func (b *Book) Forget(upTo uint64) error {
	b.makes.Lock()
	defer b.makes.Unlock()
	b.mu.Lock()
	for len(b.old) > 0 && b.old[0].last <= upTo {
		b.spare = append(b.spare, b.old[0])
		b.old = b.old[1:]
	}
	surplus := b.surplus()
	lacking := b.file != nil && len(b.spare) == 0 && b.end > b.active.size/2
	b.mu.Unlock()
	err := b.remove(surplus)
	if lacking {
		err = errors.Join(err, b.prepare())
	}
	return wrap("forget", err)
}

// surplus takes from the spare segments those that are too many or not of the
// usual size.
func (b *Book) surplus() []segment {
	var gone []segment
	kept := 0
	b.spare = slices.DeleteFunc(b.spare, func(s segment) bool {
		fresh := strings.HasPrefix(s.name, newPrefix)
		if kept < maxSpare && (s.size == b.size || fresh) {
			kept++
			return false
		}
		gone = append(gone, s)
		return true
	})
	return gone
}

func (b *Book) remove(segments []segment) error {
	var errs error
	for _, s := range segments {
		if err := b.disk.Remove(s.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// prepare makes a spare segment.
func (b *Book) prepare() error {
	s, f, err := b.create(b.sizeFor(0))
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.spare = append(b.spare, s)
	b.mu.Unlock()
	return f.Close()
}
