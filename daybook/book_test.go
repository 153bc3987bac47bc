package daybook_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"leyden/daybook"
)

// open opens a book, which the test closes.
func open(t testing.TB, o daybook.Options) *daybook.Book {
	t.Helper()
	b, err := daybook.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// write writes a record, and wants it to have a number.
func write(t testing.TB, b *daybook.Book, want uint64, record string) {
	t.Helper()
	if n, err := b.Write([]byte(record)); err != nil || n != want {
		t.Fatalf("Write = %d, %v, want %d", n, err, want)
	}
}

// records returns what the book has after a number, and wants no gap.
func records(t testing.TB, b *daybook.Book, after uint64) []string {
	t.Helper()
	var all []string
	err := b.Replay(after, func(n uint64, record []byte) error {
		if want := after + uint64(len(all)) + 1; n != want {
			return fmt.Errorf("record %d, want %d", n, want)
		}
		all = append(all, string(record))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files returns names and sizes of the files in a folder.
func files(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", e.Name(), info.Mode())
		}
		sizes[e.Name()] = info.Size()
	}
	return sizes
}

func TestWriteAndReplay(t *testing.T) {
	dir := t.TempDir()
	b := open(t, daybook.Options{Dir: dir})
	want := []string{"one", "", "three", string(bytes.Repeat([]byte{0}, 100_000))}
	for i, r := range want {
		write(t, b, uint64(i+1), r)
	}
	if got := records(t, b, 0); !slices.Equal(got, want) {
		t.Errorf("replayed %.20q, want %.20q", got, want)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close = %v", err)
	}
	b = open(t, daybook.Options{Dir: dir})
	if got := records(t, b, 0); !slices.Equal(got, want) || b.Last() != 4 {
		t.Errorf("after a restart: replayed %.20q up to %d, want %.20q", got, b.Last(), want)
	}
	write(t, b, 5, "five")
	if got := records(t, b, 3); !slices.Equal(got, []string{want[3], "five"}) {
		t.Errorf("after 3: replayed %.20q", got)
	}
}

func TestReplayEndsWithTheFirstError(t *testing.T) {
	b := open(t, daybook.Options{Dir: t.TempDir()})
	write(t, b, 1, "one")
	write(t, b, 2, "two")
	stop := errors.New("stop")
	calls := 0
	err := b.Replay(0, func(uint64, []byte) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("Replay = %v after %d calls, want %v after 1", err, calls, stop)
	}
}

// TestFolder follows the files of a folder: nothing before the first record, a
// small file, larger ones, and as many as are needed from then on.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	b := open(t, daybook.Options{Dir: dir, SegmentSize: 2 << 20})
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("an empty book has %v", got)
	}
	write(t, b, 1, "one")
	if got := files(t, dir); len(got) != 1 || got["daybook-0000000000000001"] != 1<<20 {
		t.Errorf("a book of one record has %v", got)
	}
	record := string(make([]byte, 1<<19))
	for n := uint64(2); n < 20; n++ {
		write(t, b, n, record)
		if err := b.Forget(n - 1); err != nil {
			t.Fatal(err)
		}
	}
	got := files(t, dir)
	if len(got) > 4 {
		t.Errorf("a book of which all but a record is forgotten has %v", got)
	}
	for name, size := range got {
		if size != 2<<20 {
			t.Errorf("%s has %d bytes", name, size)
		}
	}
	if got := records(t, b, 18); len(got) != 1 || got[0] != record {
		t.Errorf("%d records are left, want one", len(got))
	}
	if err := b.Replay(0, nil); !errors.Is(err, daybook.ErrMissing) {
		t.Errorf("Replay of what was forgotten = %v", err)
	}
}

// TestLargeRecord wants a file of its own for a record that fits into no other.
func TestLargeRecord(t *testing.T) {
	dir := t.TempDir()
	b := open(t, daybook.Options{Dir: dir, SegmentSize: 64 << 10})
	large := string(bytes.Repeat([]byte("large"), 100_000))
	write(t, b, 1, "one")
	write(t, b, 2, large)
	write(t, b, 3, "three")
	if got := files(t, dir); len(got) != 2 && len(got) != 3 {
		t.Errorf("files: %v", got)
	}
	b = open(t, daybook.Options{Dir: dir, SegmentSize: 64 << 10})
	if got := records(t, b, 0); !slices.Equal(got, []string{"one", large, "three"}) {
		t.Errorf("replayed %.20q", got)
	}
	if _, err := b.Write(make([]byte, daybook.MaxRecord+1)); err == nil {
		t.Error("a record of more than MaxRecord was written")
	}
	write(t, b, 4, "four")
}

// TestAfter opens a book whose caller has more, and less, than it holds.
func TestAfter(t *testing.T) {
	dir := t.TempDir()
	fill := func(after uint64) (uint64, error) {
		b, err := daybook.Open(daybook.Options{Dir: dir, After: after})
		if err != nil {
			return 0, err
		}
		n, err := b.Write([]byte("record"))
		return n, errors.Join(err, b.Close())
	}
	for _, c := range []struct{ after, want uint64 }{{0, 1}, {0, 2}, {1, 3}, {3, 4}, {99, 100}, {99, 101}, {102, 103}} {
		if n, err := fill(c.after); err != nil || n != c.want {
			t.Errorf("after %d: Write = %d, %v, want %d", c.after, n, err, c.want)
		}
	}
	if _, err := fill(98); !errors.Is(err, daybook.ErrMissing) {
		t.Errorf("a ledger older than the daybook: %v, want ErrMissing", err)
	}
}

// TestOtherFiles wants files of others to be left alone, and those that were
// being made to be removed.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"daybook-notes", "daybook-000000000000000A", "leyden.db", "daybook-new-7"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, daybook.Options{Dir: dir})
	write(t, b, 1, "one")
	if got := files(t, dir); len(got) != 4 || got["daybook-new-7"] != 0 {
		t.Errorf("files: %v", got)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{500, 4 << 10, 60_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			book := open(b, daybook.Options{Dir: b.TempDir()})
			record := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				n, err := book.Write(record)
				if err != nil {
					b.Fatal(err)
				}
				if n%100 == 0 {
					if err := book.Forget(n); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
