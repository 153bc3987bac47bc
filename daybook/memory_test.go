package daybook_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"

	"leyden/daybook"
)

// sector is what a disk writes as a whole.
const sector = 512

var errOff = errors.New("the machine is off")

// A machine is a Disk in memory that fails, and loses power. It does what Linux
// does, at its worst: after a sync that failed, what was to be written counts as
// written, although any part of it may not be.
type machine struct {
	rnd    *rand.Rand
	faults float64 // how probable it is that an operation fails
	steps  int     // operations until it goes off; negative: it does not
	failed int     // operations that failed

	fail func(op string) bool // which ones fail besides; nil: none
	keep func() bool          // whether a sector is written when a sync fails or the power is cut; nil: any may

	names  map[string]*inode // as the system sees them
	synced map[string]*inode // as they are on the disk
	after  []map[string]*inode
}

var _ daybook.Disk = (*machine)(nil)

// An inode is a file, whatever its names.
type inode struct {
	cache []byte       // as the system sees it
	disk  []byte       // as it is on the disk
	dirty map[int]bool // sectors that the next sync is to write
}

func newMachine(rnd *rand.Rand) *machine {
	return &machine{rnd: rnd, steps: -1, names: map[string]*inode{}, synced: map[string]*inode{}}
}

// step is an operation; its error says that it fails.
func (m *machine) step(op string) error {
	if m.off() {
		return errOff
	}
	if m.steps > 0 {
		m.steps--
	}
	if m.off() || m.rnd.Float64() < m.faults || m.fail != nil && m.fail(op) {
		m.failed++
		return syscall.EIO
	}
	return nil
}

func (m *machine) off() bool { return m.steps == 0 }

// restart is the process that starts anew, after it was killed or the power was
// cut.
func (m *machine) restart(power bool) {
	m.steps = -1
	if !power {
		return
	}
	// Names change on the disk in the order in which they were changed.
	if n := m.rnd.IntN(len(m.after) + 1); n > 0 {
		m.synced = m.after[n-1]
	}
	m.names, m.after = maps.Clone(m.synced), nil
	for _, i := range m.names {
		m.some(i)
		i.cache = slices.Clone(i.disk)
	}
}

// named notes that names have changed.
func (m *machine) named() { m.after = append(m.after, maps.Clone(m.names)) }

func (m *machine) Names() ([]string, error) {
	if err := m.step("names"); err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(m.names)), func(n string) bool { return !strings.HasPrefix(n, "daybook-") })
	m.rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names, nil
}

func (m *machine) Open(name string) (daybook.File, error) {
	if err := m.step("open"); err != nil {
		return nil, err
	}
	if m.names[name] == nil {
		return nil, fs.ErrNotExist
	}
	return &handle{m, m.names[name]}, nil
}

func (m *machine) Create(name string) (daybook.File, error) {
	if err := m.step("create"); err != nil {
		return nil, err
	}
	m.names[name] = &inode{dirty: map[int]bool{}}
	m.named()
	return &handle{m, m.names[name]}, nil
}

func (m *machine) Rename(from, to string) error {
	if err := m.step("rename"); err != nil {
		return err
	}
	if m.names[from] == nil {
		return fs.ErrNotExist
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	m.named()
	return nil
}

func (m *machine) Remove(name string) error {
	if err := m.step("remove"); err != nil {
		return err
	}
	if m.names[name] == nil {
		return fs.ErrNotExist
	}
	delete(m.names, name)
	m.named()
	return nil
}

func (m *machine) Sync() error {
	if err := m.step("sync folder"); err != nil {
		return err
	}
	m.synced, m.after = maps.Clone(m.names), nil
	return nil
}

// write writes a sector to the disk.
func (i *inode) write(s int) {
	from, to := s*sector, min((s+1)*sector, len(i.cache))
	if len(i.disk) < to {
		i.disk = append(i.disk, make([]byte, to-len(i.disk))...)
	}
	copy(i.disk[from:to], i.cache[from:to])
}

// some writes any sectors of those that are to be written; no others will be.
func (m *machine) some(i *inode) {
	for _, s := range slices.Sorted(maps.Keys(i.dirty)) {
		if m.keep != nil && m.keep() || m.keep == nil && m.rnd.IntN(2) == 0 {
			i.write(s)
		}
	}
	clear(i.dirty)
}

// A handle is a file that is open.
type handle struct {
	m *machine
	*inode
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	if err := h.m.step("read"); err != nil {
		return 0, err
	}
	if at >= int64(len(h.cache)) {
		return 0, io.EOF
	}
	n := copy(b, h.cache[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	if h.m.off() {
		return 0, errOff
	}
	err := h.m.step("write")
	if err != nil {
		b = b[:h.m.rnd.IntN(len(b)+1)]
	}
	end := int(at) + len(b)
	if len(h.cache) < end {
		h.cache = append(h.cache, make([]byte, end-len(h.cache))...)
	}
	copy(h.cache[at:], b)
	for s := int(at) / sector; s*sector < end; s++ {
		h.dirty[s] = true
	}
	return len(b), err
}

func (h *handle) Size() (int64, error) {
	if err := h.m.step("size"); err != nil {
		return 0, err
	}
	return int64(len(h.cache)), nil
}

func (h *handle) Sync() error {
	if h.m.off() {
		return errOff
	}
	if err := h.m.step("sync"); err != nil {
		h.m.some(h.inode)
		return err
	}
	for s := range h.dirty {
		h.write(s)
	}
	clear(h.dirty)
	return nil
}

func (h *handle) Close() error { return h.m.step("close") }
