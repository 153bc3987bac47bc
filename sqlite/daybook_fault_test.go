package sqlite

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"leyden"
	"leyden/daybook"
)

// A badDisk is the folder of a daybook as a system shows it whose disk fails. A file
// holds on the disk what was synced; what a sync that failed was to write is lost but
// for every other write, and still shown. A badDisk begins with what is on the disk.
type badDisk struct {
	folder string
	fail   atomic.Pointer[func(op string) error] // nil: nothing fails

	mu    sync.Mutex
	files map[string]*shown
}

// A shown is a file: what the system shows of it, and what no sync has written yet.
type shown struct {
	b     []byte
	dirty []stretch
	odd   bool
}

type stretch struct{ from, to int64 }

func newBadDisk(folder string) *badDisk { return &badDisk{folder: folder, files: map[string]*shown{}} }

// breaks has operations fail from now on; nil: none.
func (d *badDisk) breaks(f func(op string) error) { d.fail.Store(&f) }

func (d *badDisk) step(op string) error {
	if f := d.fail.Load(); f != nil && *f != nil {
		return (*f)(op)
	}
	return nil
}

func (d *badDisk) path(name string) string { return filepath.Join(d.folder, name) }

func (d *badDisk) Names() ([]string, error) {
	found, err := filepath.Glob(d.path("daybook-*"))
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found, err
}

func (d *badDisk) Open(name string) (daybook.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] == nil {
		b, err := os.ReadFile(d.path(name))
		if err != nil {
			return nil, err
		}
		d.files[name] = &shown{b: b}
	}
	return d.open(name)
}

func (d *badDisk) open(name string) (daybook.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	return &badFile{f, d, d.files[name]}, err
}

func (d *badDisk) Create(name string) (daybook.File, error) {
	if err := d.step("create"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = &shown{}
	return d.open(name)
}

func (d *badDisk) Rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
	return os.Rename(d.path(from), d.path(to))
}

func (d *badDisk) Remove(name string) error { return os.Remove(d.path(name)) }
func (d *badDisk) Sync() error              { return d.step("folder") }

type badFile struct {
	*os.File
	d *badDisk
	*shown
}

func (f *badFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.b)), nil
}

func (f *badFile) ReadAt(p []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if at >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(p, f.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *badFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.d.step("write"); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if end := int(at) + len(p); end > len(f.b) {
		f.b = append(f.b, make([]byte, end-len(f.b))...)
	}
	copy(f.b[at:], p)
	f.dirty = append(f.dirty, stretch{at, at + int64(len(p))})
	return len(p), nil
}

func (f *badFile) Sync() error {
	failed := f.d.step("sync")
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for _, s := range f.dirty {
		f.odd = !f.odd
		if failed != nil && f.odd {
			continue
		}
		if _, err := f.File.WriteAt(f.b[s.from:s.to], s.from); err != nil {
			return err
		}
	}
	f.dirty = nil
	return failed
}

// A clerk appends entries, and knows what came of each.
type clerk struct {
	t        *testing.T
	last     leyden.TransactionID
	accepted map[leyden.TransactionID]string
	refused  map[leyden.TransactionID]string
}

func newClerk(t *testing.T) *clerk {
	return &clerk{t: t, accepted: map[leyden.TransactionID]string{}, refused: map[leyden.TransactionID]string{}}
}

// append appends n entries at once; why it cannot is ErrUnavailable and nothing else.
func (c *clerk) append(db *DB, n int) (failed int) {
	c.t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := c.last + 1 + leyden.TransactionID(i)
			e := testEntry(id, fmt.Sprint("k", id))
			e.Fresh = true
			errs[i] = db.Append(c.t.Context(), e)
		})
	}
	wg.Wait()
	for _, err := range errs {
		c.last++
		key := fmt.Sprint("k", c.last)
		if err == nil {
			c.accepted[c.last] = key
			continue
		}
		failed++
		c.refused[c.last] = key
		if !errors.Is(err, leyden.ErrUnavailable) {
			c.t.Errorf("Append: %v; want %v", err, leyden.ErrUnavailable)
		}
	}
	return failed
}

// check compares a database with what came of the entries: what was accepted is
// there once, and of what was refused nothing, or all of what may have been on its way.
func (c *clerk) check(db *DB, mayBe int) {
	c.t.Helper()
	for id, key := range c.accepted {
		events, err := db.Events(c.t.Context(), id)
		if _, rowErr := db.Transaction(c.t.Context(), id); err != nil || rowErr != nil || len(events) != 1 || events[0].Key != key {
			c.t.Fatalf("accepted entry %d: %d events; %v, %v", id, len(events), err, rowErr)
		}
	}
	there := 0
	for id := range c.refused {
		_, err := db.Transaction(c.t.Context(), id)
		events, eventsErr := db.Events(c.t.Context(), id)
		if eventsErr != nil || (err == nil) != (len(events) == 1) {
			c.t.Fatalf("refused entry %d: transaction %v, %d events, %v", id, err, len(events), eventsErr)
		}
		if err == nil {
			there++
		}
	}
	if there > mayBe {
		c.t.Errorf("%d refused entries are there; want at most %d", there, mayBe)
	}
	if err := db.IntegrityCheck(c.t.Context()); err != nil {
		c.t.Error(err)
	}
}

// after returns a fault that begins with an operation and lasts for some of them.
func after(op string, skip, last int, err error) func(string) error {
	var n atomic.Int64
	return func(o string) error {
		if !strings.Contains(op, o) {
			return nil
		}
		if i := n.Add(1); i <= int64(skip) || i > int64(skip+last) {
			return nil
		}
		return err
	}
}

// TestDaybookFails has the disk of the daybook fail: from then on nothing is taken,
// and another process has all that was accepted, once.
func TestDaybookFails(t *testing.T) {
	const forever = 1 << 30
	for _, op := range []string{"write", "sync", "write sync", "sync folder create rename"} {
		for _, last := range []int{1, 2, forever} {
			for skip := range 4 {
				t.Run(fmt.Sprintf("%s/%d/%d", op, last, skip), func(t *testing.T) { testDaybookFails(t, after(op, skip, last, syscall.EIO), last) })
			}
		}
	}
}

func testDaybookFails(t *testing.T, fault func(string) error, last int) {
	folder := t.TempDir()
	disk := newBadDisk(folder)
	db := mustOpen(t, Options{Path: folder, Serve: true, disk: disk})
	c := newClerk(t)
	if failed := c.append(db, 20); failed > 0 {
		t.Fatalf("%d of 20 entries were refused by a disk that is well", failed)
	}
	disk.breaks(fault)
	for range 20 {
		c.append(db, 5)
	}
	if len(c.refused) == 0 {
		t.Fatal("no entry was refused: nothing failed")
	}
	select {
	case <-db.Broken():
	default:
		t.Fatal("an entry was refused for a fault of the disk, and the database goes on")
	}
	disk.breaks(nil)
	if failed := c.append(db, 5); failed != 5 {
		t.Errorf("%d of 5 entries were taken after the disk had failed", 5-failed)
	}
	if err := db.Ready(t.Context()); !errors.Is(err, leyden.ErrUnavailable) || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("Ready: %v; want %v and why", err, leyden.ErrUnavailable)
	}
	if _, err := db.NextID(t.Context()); !errors.Is(err, leyden.ErrUnavailable) {
		t.Errorf("NextID: %v; want %v", err, leyden.ErrUnavailable)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	wantMark(t, folder, "")
	mayBe := 0
	if last > 1 { // nor could what had failed be voided: it may turn up, all that shared a write
		mayBe = 5
	}
	again := mustOpen(t, Options{Path: folder, Serve: true, disk: newBadDisk(folder)})
	c.check(again, mayBe)
	if failed := c.append(again, 20); failed > 0 {
		t.Errorf("%d entries were refused by another process", failed)
	}
	c.check(again, mayBe)
}

// TestDaybookFull has no room for the daybook, and then there is: it goes on by
// itself, nothing that was refused is there, and nothing that was accepted is missing.
func TestDaybookFull(t *testing.T) {
	for _, op := range []string{"write", "sync", "write sync create"} {
		t.Run(op, func(t *testing.T) {
			folder := t.TempDir()
			disk := newBadDisk(folder)
			db := mustOpen(t, Options{Path: folder, Serve: true, disk: disk})
			c := newClerk(t)
			for range 3 {
				c.append(db, 20)
				disk.breaks(after(op, 1, 1<<30, syscall.ENOSPC))
				for range 5 {
					c.append(db, 5)
				}
				disk.breaks(nil)
				if failed := c.append(db, 20); failed > 0 {
					t.Errorf("%d entries were refused when there was room again", failed)
				}
				c.check(db, 0)
			}
			if len(c.refused) == 0 {
				t.Error("no entry was refused: nothing failed")
			}
			if err := errors.Join(db.Ready(t.Context()), db.Close()); err != nil {
				t.Error(err)
			}
			c.check(mustOpen(t, Options{Path: folder, Serve: true, disk: newBadDisk(folder)}), 0)
		})
	}
}

// TestDaybookSlow: while the disk takes its time nobody is answered, and everybody in
// the end.
func TestDaybookSlow(t *testing.T) {
	folder := t.TempDir()
	disk := newBadDisk(folder)
	db := mustOpen(t, Options{Path: folder, Serve: true, disk: disk})
	c := newClerk(t)
	c.append(db, 1)
	syncing, release := make(chan struct{}, 1), make(chan struct{})
	disk.breaks(func(op string) error {
		if op == "sync" {
			select {
			case syncing <- struct{}{}:
			default:
			}
			<-release
		}
		return nil
	})
	answered := make(chan int, 1)
	go func() { answered <- c.append(db, 50) }()
	<-syncing
	select {
	case <-answered:
		t.Error("entries were answered before they were on the disk")
	default:
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("a slow disk: %v", err)
	}
	close(release)
	if failed := <-answered; failed > 0 {
		t.Errorf("%d entries were refused by a slow disk", failed)
	}
	c.check(db, 0)
}

// TestEndedWell: what the system remembers of the files is trusted after a good end
// alone, and what other processes do beside does not change that.
func TestEndedWell(t *testing.T) {
	folder := t.TempDir()
	trusts := func(serve bool) (db *DB, trusted bool) {
		var said strings.Builder
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		db = mustOpen(t, Options{Path: folder, Serve: serve, Log: log})
		return db, !strings.Contains(said.String(), "is not trusted")
	}
	db, _ := trusts(true)
	newClerk(t).append(db, 10)
	wantMark(t, folder, "")
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantMark(t, folder, endedWell)
	for _, serve := range []bool{false, true} {
		db, trusted := trusts(serve)
		if !trusted {
			t.Errorf("serve = %v: a good end is not trusted", serve)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantMark(t, folder, endedWell)
	}
	folder = crashed
	for _, serve := range []bool{false, true} {
		db, trusted := trusts(serve)
		if trusted {
			t.Errorf("serve = %v: an end that was none is trusted", serve)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantMark(t, folder, endedWell)
}

func wantMark(t *testing.T, folder, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(folder, lockName)); err != nil || string(got) != want {
		t.Errorf("the lock says %q, %v; want %q", got, err, want)
	}
}
