package sqlite

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unsafe"

	"leyden"
)

// The tags of values.
const (
	tagNull    = iota
	tagInt     // as a signed varint
	tagFloat   // 8 bytes
	tagText    // 4 bytes of length, and the text
	tagStamp   // when the entry was committed, by the entry's head
	tagMessage // which of the entry's quarantined messages, as a varint
)

// lengthSize is how many bytes the length of a text takes: it is known only when
// the text has been made in its place.
const lengthSize = 4

// Values are what columns get, one after the other, each with a tag. So entries
// stand in the daybook (docs/formats/daybook.md), ready to be bound.
type values struct{ b []byte }

func (v *values) null() { v.b = append(v.b, tagNull) }

func (v *values) int(n int64) { v.b = binary.AppendVarint(append(v.b, tagInt), n) }

func (v *values) bool(is bool) {
	if is {
		v.int(1)
		return
	}
	v.int(0)
}

// optional adds n; 0 is NULL.
func (v *values) optional(n int64) {
	if n == 0 {
		v.null()
		return
	}
	v.int(n)
}

// text adds s; "" is NULL.
func (v *values) text(s string) {
	if s == "" {
		v.null()
		return
	}
	v.b = binary.LittleEndian.AppendUint32(append(v.b, tagText), uint32(len(s)))
	v.b = append(v.b, s...)
}

// made adds the text that f appends.
func (v *values) made(f func([]byte) ([]byte, error)) error {
	from := v.begin()
	b, err := f(v.b)
	if err != nil {
		return err
	}
	v.b = b
	v.end(from)
	return nil
}

// begin begins a text of all that is added until end.
func (v *values) begin() (from int) {
	v.b = append(v.b, tagText, 0, 0, 0, 0)
	return len(v.b)
}

func (v *values) end(from int) {
	binary.LittleEndian.PutUint32(v.b[from-lengthSize:], uint32(len(v.b)-from))
}

// time adds t in microseconds; the zero time is NULL.
func (v *values) time(t time.Time) {
	if t.IsZero() {
		v.null()
		return
	}
	v.int(t.UnixMicro())
}

func (v *values) wattHours(wh *leyden.WattHours) {
	if wh == nil {
		v.null()
		return
	}
	v.int(int64(*wh))
}

func (v *values) optInt(n *int) {
	if n == nil {
		v.null()
		return
	}
	v.int(int64(*n))
}

func (v *values) float(f *float64) {
	if f == nil {
		v.null()
		return
	}
	v.b = binary.LittleEndian.AppendUint64(append(v.b, tagFloat), math.Float64bits(*f))
}

// message adds that it is the number of the entry's n-th quarantined message.
func (v *values) message(n int) { v.b = binary.AppendVarint(append(v.b, tagMessage), int64(n)) }

// errTorn says that an entry is not one of ours: what the daybook has was written
// by another version, or damaged where no checksum looks.
var errTorn = errors.New("broken entry in the daybook")

// A scanner reads values. Beyond their end all are NULL, and broken is set.
type scanner struct {
	b      []byte
	broken bool
	stamp  int64 // what tagStamp stands for
	first  int64 // the number of the entry's first quarantined message
}

// A value is one that was read. The text is part of what was scanned.
type value struct {
	tag  byte
	n    int64
	text string
}

func (s *scanner) next() (v value) {
	if len(s.b) == 0 {
		s.broken = true
		return v
	}
	v.tag, s.b = s.b[0], s.b[1:]
	switch v.tag {
	case tagNull:
	case tagInt:
		v.n = s.varint()
	case tagMessage:
		v.tag, v.n = tagInt, s.first+s.varint()
	case tagStamp:
		v.tag, v.n = tagInt, s.stamp
	case tagFloat:
		if len(s.b) < 8 {
			s.broken, s.b = true, nil
			return value{}
		}
		v.n = int64(binary.LittleEndian.Uint64(s.b))
		s.b = s.b[8:]
	case tagText:
		v.text = s.raw()
	default:
		s.broken, s.b = true, nil
		return value{}
	}
	return v
}

func (s *scanner) varint() int64 {
	n, size := binary.Varint(s.b)
	if size <= 0 {
		s.broken, s.b = true, nil
		return 0
	}
	s.b = s.b[size:]
	return n
}

// raw reads the length of a text and the text.
func (s *scanner) raw() string {
	if len(s.b) < lengthSize {
		s.broken, s.b = true, nil
		return ""
	}
	n := int(binary.LittleEndian.Uint32(s.b))
	if n > len(s.b)-lengthSize {
		s.broken, s.b = true, nil
		return ""
	}
	text := s.b[lengthSize : lengthSize+n]
	s.b = s.b[lengthSize+n:]
	return unsafe.String(unsafe.SliceData(text), n)
}

// within reads values that stand between begin and end.
func (s *scanner) within() scanner {
	text := s.text()
	return scanner{b: unsafe.Slice(unsafe.StringData(text), len(text)), broken: s.broken, stamp: s.stamp, first: s.first}
}

// int reads a number; NULL is 0.
func (s *scanner) int() int64 { return s.next().n }

// text reads a text; NULL is "".
func (s *scanner) text() string { return s.next().text }

// count reads how many of something follow, at least a byte each.
func (s *scanner) count() int {
	n := s.int()
	if n < 0 || n > int64(len(s.b)) {
		s.broken, n = true, 0
	}
	return int(n)
}

// known returns the number that v is, or unknown for NULL.
func (v value) known() int64 {
	if v.tag == tagNull {
		return unknown
	}
	return v.n
}

// take binds the next value that s has.
func (b *binder) take(s *scanner) { b.value(s.next()) }

func (b *binder) value(v value) {
	b.i++
	switch v.tag {
	case tagInt:
		b.stmt.BindInt64(b.i, v.n)
	case tagFloat:
		b.stmt.BindFloat(b.i, math.Float64frombits(uint64(v.n)))
	case tagText:
		b.stmt.BindText(b.i, v.text)
	}
}
