package faultdisk

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

const (
	// Sector is what a disk writes as a whole.
	Sector   = 512
	pageSize = 4096
)

// Faults are what is wrong with a disk, for as long as they are set.
type Faults struct {
	SlowSync  time.Duration // how long a flush takes
	FailSync  bool          // flushes fail; what they should have kept may be lost
	FailWrite bool          // writes fail, and nothing is written
}

// Counts say what a disk was asked for.
type Counts struct{ Reads, Writes, Syncs int }

// A Disk is a disk in memory, with a cache that forgets when its power is cut.
type Disk struct {
	size int64

	mu      sync.Mutex
	eased   *sync.Cond // something that requests wait for is over
	now     pages      // what a read gives
	kept    pages      // what a power cut leaves in any case
	cached  []write    // what is in now and not in kept, in order
	written uint64     // the number of the last write
	faults  Faults
	counts  Counts
	cut     bool // requests wait for ever, or for gone
	gone    bool // requests fail
}

// A write is one that no flush has covered.
type write struct {
	number uint64
	offset int64
	data   []byte
}

// New returns a disk of so many bytes, all of them 0.
func New(size int64) *Disk { return newDisk(size, make(pages)) }

func newDisk(size int64, content pages) *Disk {
	d := &Disk{size: size, now: content, kept: content.clone()}
	d.eased = sync.NewCond(&d.mu)
	return d
}

// Set sets what is wrong from now on; with the zero Faults the disk is well.
func (d *Disk) Set(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// Counts returns what the disk was asked for so far.
func (d *Disk) Counts() Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts
}

// Cut cuts the power: from now on no request is answered, and the disk that is
// returned holds what is left, which r draws. What waits for an answer waits until
// [Disk.Remove]: whoever is to be dead by then can be killed before.
func (d *Disk) Cut(r *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
	left := d.kept.clone()
	survives := survivors(r, len(d.cached))
	for i, w := range d.cached {
		for at := 0; at < len(w.data); at += Sector {
			if survives(i) {
				left.writeAt(w.data[at:min(at+Sector, len(w.data))], w.offset+int64(at))
			}
		}
	}
	return newDisk(d.size, left)
}

// survivors draws how a power cut is: what is asked is whether a sector of the
// i-th of n writes made it to the disk.
func survivors(r *rand.Rand, n int) func(i int) bool {
	share := r.Float64()
	switch r.IntN(4) {
	case 0: // nothing
		return func(int) bool { return false }
	case 1: // in order, up to one that is torn
		last := r.IntN(n + 1)
		return func(i int) bool { return i < last || i == last && r.Float64() < share }
	case 2: // whole writes, in any order
		whole := make([]bool, n)
		for i := range whole {
			whole[i] = r.Float64() < share
		}
		return func(i int) bool { return whole[i] }
	}
	return func(int) bool { return r.Float64() < share }
}

// Remove takes the disk away: all requests fail, those that wait too.
func (d *Disk) Remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	d.eased.Broadcast()
}

// powered waits while the power is cut. The lock is held.
func (d *Disk) powered() error {
	for d.cut && !d.gone {
		d.eased.Wait()
	}
	if d.gone {
		return syscall.EIO
	}
	return nil
}

func (d *Disk) read(p []byte, offset int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Reads++
	if err := d.powered(); err != nil {
		return err
	}
	d.now.readAt(p, offset)
	return nil
}

func (d *Disk) write(p []byte, offset int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Writes++
	if err := d.powered(); err != nil {
		return err
	}
	if d.faults.FailWrite || offset < 0 || offset+int64(len(p)) > d.size {
		return syscall.EIO
	}
	d.written++
	d.cached = append(d.cached, write{d.written, offset, append([]byte(nil), p...)})
	d.now.writeAt(p, offset)
	return nil
}

// sync keeps what was written before it was asked for.
func (d *Disk) sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Syncs++
	covers := d.written
	if slow := d.faults.SlowSync; slow > 0 {
		d.mu.Unlock()
		time.Sleep(slow) // what the fault is
		d.mu.Lock()
	}
	if err := d.powered(); err != nil {
		return err
	}
	if d.faults.FailSync {
		return syscall.EIO
	}
	n := 0
	for n < len(d.cached) && d.cached[n].number <= covers {
		d.kept.writeAt(d.cached[n].data, d.cached[n].offset)
		n++
	}
	d.cached = append([]write(nil), d.cached[n:]...)
	return nil
}

// pages are the parts of a disk that are not all 0.
type pages map[int64]*[pageSize]byte

func (p pages) clone() pages {
	c := make(pages, len(p))
	for i, page := range p {
		c[i] = new(*page)
	}
	return c
}

func (p pages) readAt(b []byte, offset int64) {
	for len(b) > 0 {
		at := offset % pageSize
		n := min(len(b), int(pageSize-at))
		if page := p[offset/pageSize]; page != nil {
			copy(b[:n], page[at:])
		} else {
			clear(b[:n])
		}
		b, offset = b[n:], offset+int64(n)
	}
}

func (p pages) writeAt(b []byte, offset int64) {
	for len(b) > 0 {
		at := offset % pageSize
		n := min(len(b), int(pageSize-at))
		page := p[offset/pageSize]
		if page == nil {
			page = new([pageSize]byte)
			p[offset/pageSize] = page
		}
		copy(page[at:], b[:n])
		b, offset = b[n:], offset+int64(n)
	}
}
