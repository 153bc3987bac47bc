package daybook_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"

	"leyden/daybook"
)

// steady returns a machine on which nothing fails yet.
func steady() *machine { return newMachine(rand.New(rand.NewPCG(1, 1))) }

func on(m *machine, after uint64) daybook.Options {
	return daybook.Options{Disk: m, After: after, SegmentSize: 64 << 10}
}

func always() bool { return true }
func never() bool  { return false }

// fails wants a Write to fail as the disk did.
func fails(t *testing.T, b *daybook.Book, record string) {
	t.Helper()
	if n, err := b.Write([]byte(record)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Write = %d, %v, want EIO", n, err)
	}
}

func wantRecords(t *testing.T, b *daybook.Book, after uint64, want ...string) {
	t.Helper()
	if got := records(t, b, after); !slices.Equal(got, want) {
		t.Errorf("replayed %.20q, want %.20q", got, want)
	}
}

// TestFailedSync has the first sync of a record fail after all of it was written:
// it does not count, at once and after the power was cut.
func TestFailedSync(t *testing.T) {
	m := steady()
	b := open(t, on(m, 0))
	write(t, b, 1, "one")
	syncs := 0
	m.keep, m.fail = always, func(op string) bool {
		if op == "sync" {
			syncs++
		}
		return op == "sync" && syncs == 1
	}
	fails(t, b, "failed")
	if err := b.Settle(); err != nil || b.Last() != 1 {
		t.Errorf("Settle = %v, the last is %d", err, b.Last())
	}
	m.restart(true)
	b = open(t, on(m, 0))
	wantRecords(t, b, 0, "one")
	write(t, b, 2, "two")
	wantRecords(t, b, 0, "one", "two")
}

// TestUnsettled has all syncs fail: no later Write succeeds, and what failed
// counts or does not as the next Open finds it, for good.
func TestUnsettled(t *testing.T) {
	one := string(make([]byte, 1000)) // what comes next has sectors of its own
	for name, c := range map[string]struct {
		power bool // is cut before the next Open
		want  []string
	}{
		"killed": {false, []string{one}},          // the system's memory says that it is void
		"power":  {true, []string{one, "failed"}}, // the disk says that it is there
	} {
		t.Run(name, func(t *testing.T) {
			m := steady()
			b := open(t, on(m, 0))
			write(t, b, 1, one)
			syncs := 0
			m.fail = func(op string) bool {
				if op == "sync" {
					syncs++
				}
				return op == "sync"
			}
			m.keep = func() bool { return syncs == 1 } // the record reaches the disk, and nothing else
			fails(t, b, "failed")
			if err := b.Settle(); !errors.Is(err, syscall.EIO) {
				t.Errorf("Settle = %v", err)
			}
			fails(t, b, "another")
			m.fail, m.keep = nil, never
			m.restart(c.power)
			wantRecords(t, open(t, on(m, 0)), 0, c.want...)
			m.restart(true)
			b = open(t, on(m, 0))
			wantRecords(t, b, 0, c.want...)
			write(t, b, uint64(len(c.want))+1, "next")
		})
	}
}

// TestOnlyInMemory has a record stand in the system's memory alone, after a sync
// that failed, when the process ends. The next one that finds it counts it, and so
// puts it on the disk.
func TestOnlyInMemory(t *testing.T) {
	m := steady()
	b := open(t, on(m, 0))
	write(t, b, 1, "one")
	m.keep = never
	m.fail = func(op string) bool {
		if op == "sync" {
			m.steps = 0 // the process ends right then
		}
		return op == "sync"
	}
	fails(t, b, "two")
	m.fail = nil
	m.restart(false)
	b = open(t, on(m, 0))
	wantRecords(t, b, 0, "one", "two")
	write(t, b, 3, "three")
	m.restart(true)
	wantRecords(t, open(t, on(m, 2)), 0, "one", "two", "three")
}

// TestBadPlace has one file fail for good: the book goes on in another.
func TestBadPlace(t *testing.T) {
	m := steady()
	b := open(t, on(m, 0))
	write(t, b, 1, "one")
	created := false
	m.keep, m.fail = always, func(op string) bool {
		created = created || op == "create"
		return op == "sync" && !created
	}
	fails(t, b, "failed")
	write(t, b, 2, "two")
	m.restart(true)
	wantRecords(t, open(t, on(m, 0)), 0, "one", "two")
}

// TestFullDisk has no room for another file: a Write fails and leaves nothing
// behind, until there is room.
func TestFullDisk(t *testing.T) {
	for _, full := range []string{"create", "write", "sync", "rename"} {
		t.Run(full, func(t *testing.T) {
			m := steady()
			b := open(t, on(m, 0))
			large := string(make([]byte, 40_000))
			write(t, b, 1, large)
			m.fail = func(op string) bool { return op == full }
			for range 3 {
				fails(t, b, large)
			}
			if len(m.names) != 1 {
				t.Errorf("%d files are left, want 1", len(m.names))
			}
			m.fail = nil
			write(t, b, 2, "small enough for the room that is left")
			write(t, b, 3, large)
			m.restart(true)
			wantRecords(t, open(t, on(m, 2)), 2, large)
			if len(m.names) != 2 {
				t.Errorf("%d files, want 2", len(m.names))
			}
		})
	}
}

// TestForgetBesideWrite has both at once, for the race detector, and wants what
// was not forgotten.
func TestForgetBesideWrite(t *testing.T) {
	b := open(t, daybook.Options{Dir: t.TempDir(), SegmentSize: 16 << 10})
	written := make(chan uint64, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range written {
			if err := b.Forget(n); err != nil {
				t.Error(err)
			}
		}
	})
	record := string(make([]byte, 3000))
	for n := uint64(1); n <= 100; n++ {
		write(t, b, n, record)
		written <- n - 1
	}
	close(written)
	wg.Wait()
	wantRecords(t, b, 99, record)
}
