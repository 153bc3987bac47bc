package daybook_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"testing"

	"leyden/daybook"
)

// last is the number of the last record of a book to be damaged.
const last = 14

// damaged returns a machine with a book of three files, and its records.
func damaged(t testing.TB) (*machine, []string) {
	t.Helper()
	m := steady()
	b := open(t, daybook.Options{Disk: m, SegmentSize: 8 << 10})
	var want []string
	for n := uint64(1); n <= last; n++ {
		want = append(want, fmt.Sprintf("%d:%s", n, bytes.Repeat([]byte{byte(n)}, 600)))
		write(t, b, n, want[n-1])
	}
	if len(m.names) != 3 {
		t.Fatalf("%d files, want 3", len(m.names))
	}
	return m, want
}

// replayed opens the book and returns what it holds.
func replayed(m *machine, after uint64) (all []string, err error) {
	b, err := daybook.Open(daybook.Options{Disk: m, After: after, SegmentSize: 8 << 10})
	if err != nil {
		return nil, err
	}
	err = b.Replay(after, func(_ uint64, record []byte) error {
		all = append(all, string(record))
		return nil
	})
	return all, errors.Join(err, b.Close())
}

// TestEveryByte changes each byte of a book. Either Open says what is damaged, or
// the byte is of no matter, or it is of the last record, which is then taken for
// one that was cut off.
func TestEveryByte(t *testing.T) {
	m, want := damaged(t)
	lost, told := 0, 0
	for name, i := range m.names {
		for at, was := range i.cache {
			if at >= 48 && at < 4096 && at%101 > 0 {
				continue // nothing is there
			}
			i.cache[at] ^= 0x41
			got, err := replayed(m, 0)
			switch {
			case err == nil && slices.Equal(got, want):
			case err == nil && slices.Equal(got, want[:last-1]):
				lost++
			case err != nil && strings.Contains(err.Error(), name):
				told++
			default:
				t.Fatalf("%s, byte %d: %d records, %v", name, at, len(got), err)
			}
			i.cache[at] = was
			if lost > 0 && err == nil && len(got) < last {
				restore(m, name, want[last-1])
			}
		}
	}
	if least := (last - 1) * (20 + 600); told < least || lost < 620 || lost > 630 {
		t.Errorf("%d bytes were told to be damaged, want at least %d; for %d bytes the last record was lost, want one for each of its own", told, least, lost)
	}
}

// restore writes the last record again, which Open has made void.
func restore(m *machine, name, record string) {
	i := m.names[name]
	at := bytes.Index(i.cache, []byte(record)) - 20
	salt := binary.LittleEndian.Uint32(i.cache[12:])
	copy(i.cache[at:], head(salt, last, record))
}

// head returns what stands before a record.
func head(salt uint32, n uint64, record string) []byte {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	b := binary.LittleEndian.AppendUint64(nil, n)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(salt, castagnoli, []byte(record)))
	return binary.LittleEndian.AppendUint32(b, crc32.Update(salt, castagnoli, b))
}

// TestDamagedFiles damages whole files of a book whose records are needed from
// one on.
func TestDamagedFiles(t *testing.T) {
	const first, second, third = "daybook-0000000000000001", "daybook-0000000000000002", "daybook-0000000000000003"
	for _, c := range []struct {
		name   string
		damage func(map[string]*inode)
		after  uint64
		want   error
		says   string
	}{
		{"the oldest is gone", func(f map[string]*inode) { delete(f, first) }, 0, daybook.ErrMissing, second},
		{"the oldest is gone and not needed", func(f map[string]*inode) { delete(f, first) }, 6, nil, ""},
		{"one between is gone", func(f map[string]*inode) { delete(f, second) }, 0, daybook.ErrDamaged, first},
		{"one is cut", func(f map[string]*inode) { f[second].cache = f[second].cache[:4500] }, 0, daybook.ErrDamaged, second + " at byte 4500"},
		{"one is empty", func(f map[string]*inode) { f[third].cache = nil }, 0, daybook.ErrDamaged, third},
		{"two have changed places", func(f map[string]*inode) { f[first], f[second] = f[second], f[first] }, 0, daybook.ErrMissing, second},
		{"two have changed places, one the last", func(f map[string]*inode) { f[third], f[second] = f[second], f[third] }, 0, daybook.ErrDamaged, third},
		{"all are of another ledger", func(f map[string]*inode) { delete(f, first); delete(f, second) }, 0, daybook.ErrMissing, third},
		{"a later version", func(f map[string]*inode) { f[third].cache[8] = 9 }, 0, nil, "version 9"},
		{"records of zeros", func(f map[string]*inode) { clear(f[first].cache[4096:]) }, 0, daybook.ErrDamaged, first + " at byte 4096: record 1"},
		{"the last begins with zeros", func(f map[string]*inode) { clear(f[third].cache[4096:4400]) }, 0, daybook.ErrDamaged, third + " at byte 4096"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, want := damaged(t)
			c.damage(m.names)
			before := len(m.names)
			got, err := replayed(m, c.after)
			if c.says == "" {
				if err != nil || !slices.Equal(got, want[c.after:]) {
					t.Errorf("%d records, %v, want all", len(got), err)
				}
				return
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open = %v, want %v that says %q", err, c.want, c.says)
			}
			if len(m.names) != before {
				t.Errorf("Open has removed files although it failed")
			}
		})
	}
}

// FuzzOpen opens a book of any last file: there is no panic, no more memory than
// the file is large, and what it holds can be written on.
func FuzzOpen(f *testing.F) {
	m, _ := damaged(f)
	for _, i := range m.names {
		f.Add(i.cache, uint64(0))
		f.Add(i.cache[:4500], uint64(7))
	}
	f.Add([]byte("leydaybk"), uint64(1))
	f.Fuzz(func(t *testing.T, file []byte, after uint64) {
		after %= 1 << 62
		if len(file) >= 48 { // or hardly any header would check out
			binary.LittleEndian.PutUint64(file[32:], uint64(len(file)))
			binary.LittleEndian.PutUint64(file[16:], 3)
			sum := crc32.Checksum(file[:44], crc32.MakeTable(crc32.Castagnoli))
			binary.LittleEndian.PutUint32(file[44:], sum)
		}
		m := steady()
		m.names["daybook-0000000000000003"] = &inode{cache: file, dirty: map[int]bool{}}
		var before, behind runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := daybook.Open(daybook.Options{Disk: m, After: after, SegmentSize: 8 << 10})
		runtime.ReadMemStats(&behind)
		if more := behind.TotalAlloc - before.TotalAlloc; more > uint64(4*len(file)+1<<20) {
			t.Errorf("Open took %d bytes for a file of %d", more, len(file))
		}
		if err != nil {
			return
		}
		held := records(t, b, after)
		write(t, b, b.Last()+1, "another")
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		b = open(t, daybook.Options{Disk: m, After: after, SegmentSize: 8 << 10})
		wantRecords(t, b, after, append(held, "another")...)
	})
}

// TestFormat reads a book as docs/formats/daybook.md says it is written.
func TestFormat(t *testing.T) {
	m := steady()
	b := open(t, daybook.Options{Disk: m, After: 41})
	write(t, b, 42, "first")
	write(t, b, 43, "second record")
	got := m.names["daybook-0000000000000001"].disk
	salt := binary.LittleEndian.Uint32(got[12:])

	want := append([]byte("leydaybk"), 1, 0, 0, 0)
	want = binary.LittleEndian.AppendUint32(want, salt)
	for _, n := range []uint64{1, 42, 1 << 20} {
		want = binary.LittleEndian.AppendUint64(want, n)
	}
	want = append(want, 0, 0, 0, 0)
	want = binary.LittleEndian.AppendUint32(want, crc32.Checksum(want, crc32.MakeTable(crc32.Castagnoli)))
	want = append(want, make([]byte, 4096-len(want))...)
	want = append(append(want, head(salt, 42, "first")...), "first\x00\x00\x00\x00\x00\x00\x00"...)
	want = append(append(want, head(salt, 43, "second record")...), "second record"...)
	want = append(want, make([]byte, 1<<20-len(want))...)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got[:4200], want[:4200])
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	book := open(b, daybook.Options{Dir: dir})
	for range 20 << 20 / 60_000 {
		if _, err := book.Write(make([]byte, 60_000)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(20 << 20)
	for b.Loop() {
		open(b, daybook.Options{Dir: dir})
	}
}
