package daybook

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// recordHeader is how many bytes stand before a record: its number (8), its
// length (4), the sum of the record (4), the sum of the header so far (4). Both
// sums begin with the salt of the segment, so that what a recycled file held
// before, or what somebody has put into a record, is never taken for one.
const recordHeader = 20

// alignment is what places of records are multiples of.
const alignment = 8

// errEnd says that no record is where the next one would be.
var errEnd = errors.New("no record")

// spaceOf returns how many bytes a record takes.
func spaceOf(length int) int64 {
	return (recordHeader + int64(length) + alignment - 1) &^ (alignment - 1)
}

// appendRecord appends what is written for a record.
func appendRecord(b []byte, salt uint32, n uint64, record []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, n)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, sum(salt, record))
	b = binary.LittleEndian.AppendUint32(b, sum(salt, b[start:]))
	b = append(b, record...)
	return append(b, make([]byte, spaceOf(len(record))-int64(len(b)-start))...)
}

// sum returns the CRC-32C of bytes, begun with the salt.
func sum(salt uint32, b []byte) uint32 {
	return crc32.Update(salt, crc32.MakeTable(crc32.Castagnoli), b)
}

// A head is what stands before a record.
type head struct {
	n      uint64
	length int64
	sum    uint32
}

// parseHead reads the header of a record; ok: it is whole, of this life of the
// segment, and its record fits into the room that is left behind it.
func parseHead(b []byte, salt uint32, room int64) (h head, ok bool) {
	h = head{
		n:      binary.LittleEndian.Uint64(b),
		length: int64(binary.LittleEndian.Uint32(b[8:])),
		sum:    binary.LittleEndian.Uint32(b[12:]),
	}
	ok = h.n > 0 && h.length <= min(room, MaxRecord) && sum(salt, b[:16]) == binary.LittleEndian.Uint32(b[16:])
	return h, ok
}

// A reader reads the records of a segment, one after the other.
type reader struct {
	in   *bufio.Reader
	seg  segment
	head [recordHeader]byte
	buf  []byte
	next uint64 // number of the record that is read next
	at   int64  // its place
	last int64  // place of the one before; 0: there is none
}

func newReader(f File, s segment) *reader {
	in := io.NewSectionReader(f, headerSize, s.size-headerSize)
	return &reader{in: bufio.NewReaderSize(in, int(min(s.size, 256<<10))), seg: s, next: s.first, at: headerSize}
}

// record returns the next record, which is good until the next call, or errEnd
// when what stands there does not check out.
func (r *reader) record() ([]byte, error) {
	if err := r.full(r.head[:]); err != nil {
		return nil, err
	}
	h, ok := parseHead(r.head[:], r.seg.salt, r.seg.size-r.at-recordHeader)
	if !ok || h.n != r.next {
		return nil, errEnd
	}
	space := spaceOf(int(h.length)) - recordHeader
	if int64(cap(r.buf)) < space {
		r.buf = make([]byte, space)
	}
	r.buf = r.buf[:space]
	if err := r.full(r.buf); err != nil {
		return nil, err
	}
	record := r.buf[:h.length]
	if sum(r.seg.salt, record) != h.sum {
		return nil, errEnd
	}
	r.last, r.at, r.next = r.at, r.at+recordHeader+space, r.next+1
	return record, nil
}

// full fills b.
func (r *reader) full(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errEnd
	}
	return err
}

// later looks, behind the place where the book seems to end with a number, for
// the header of a record with a higher one, and returns its place; 0: there is
// none. There cannot be one unless that number had been written, and synced.
func later(f File, s segment, at int64, n uint64) (int64, error) {
	const most = 64 << 10
	chunk := min(most, s.size)
	buf := make([]byte, chunk+recordHeader)
	for at += alignment; at+recordHeader <= s.size; at += chunk {
		b := buf[:min(int64(len(buf)), s.size-at)]
		if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
			return 0, err
		}
		for i := 0; i < int(chunk) && i+recordHeader <= len(b); i += alignment {
			number := binary.LittleEndian.Uint64(b[i:])
			if number <= n || number-n > uint64(s.size) {
				continue
			}
			if _, ok := parseHead(b[i:], s.salt, s.size-at-int64(i)-recordHeader); ok {
				return at + int64(i), nil
			}
		}
	}
	return 0, nil
}
