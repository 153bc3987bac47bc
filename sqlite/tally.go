package sqlite

import (
	"cmp"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
)

// axisAll is the axis of tallies that has one bucket for all.
const axisAll = 0

// narrow is how many of the lowest bits of a time in microseconds a narrow bucket
// leaves out: nearly five hours.
const narrow = 34

// A grain is how wide the buckets of an axis are. Each time has an axis of each
// grain.
type grain struct {
	bits int   // that a bucket leaves out of a time
	axis int64 // of the first time
	step int64 // from the axis of a time to that of the next
}

// grains are narrow, middle (38 hours) and wide (25 days).
var grains = [...]grain{{narrow, 1, 2}, {37, 7, 1}, {41, 2, 2}}

// of returns the axis of the i-th time of a listing.
func (g grain) of(i int) int64 { return g.axis + g.step*int64(i) }

// The kinds of owners.
const (
	ownerStation int64 = 1
	ownerToken   int64 = 2
	ownerVehicle int64 = 3
)

// The times of an entry, in this order.
const (
	timeStarted = 0
	timeStopped = 1
	timeStamped = 2
)

// A listing is what lists know of a transaction without its row.
type listing struct {
	id                      int64
	class                   class
	times                   [3]int64 // started, stopped, inserted
	station, token, vehicle string
}

// A cell is one count: an axis, a bucket and a class in one number, in that order;
// 0 is none.
type cell uint64

const (
	bucketBits = 64 - narrow
	classBits  = 13
)

func cellOf(axis int64, c class, bucket int64) cell {
	return cell(axis<<(bucketBits+classBits) | (bucket+1<<(bucketBits-1))<<classBits | int64(c))
}

func (c cell) axis() int64   { return int64(c >> (bucketBits + classBits)) }
func (c cell) bucket() int64 { return int64(c>>classBits&(1<<bucketBits-1)) - 1<<(bucketBits-1) }
func (c cell) class() class  { return class(c & (1<<classBits - 1)) }

// A gain is what a cell gains or loses, and between which numbers.
type gain struct{ n, low, high int64 }

type owner struct {
	kind int64
	name string
}

type ownerGain struct{ listed, charged int64 }

// tallies are what a batch changes of the tallies.
type tallies struct {
	cells  map[cell]*gain
	owners map[owner]ownerGain
}

// Cells are where a listing counts.
type cells [1 + 3*len(grains)]cell

func (l *listing) cells() cells {
	all := cells{cellOf(axisAll, l.class, 0)}
	for i, at := range l.times {
		if at == unknown {
			continue
		}
		for j, g := range grains {
			all[1+i*len(grains)+j] = cellOf(g.of(i), l.class, at>>g.bits)
		}
	}
	return all
}

func (l *listing) owners() [3]owner {
	return [3]owner{{ownerStation, l.station}, {ownerToken, l.token}, {ownerVehicle, l.vehicle}}
}

func (l *listing) ownerGain() (g ownerGain) {
	if l.class.listed() {
		g.listed = 1
	}
	if l.class.charged() {
		g.charged = 1
	}
	return g
}

// change counts that a transaction was as old and is as now; a nil old was none.
func (t *tallies) change(old, now *listing) {
	var had cells
	var owned [3]owner
	var share ownerGain
	if old != nil {
		had, owned, share = old.cells(), old.owners(), old.ownerGain()
	}
	for i, to := range now.cells() {
		if had[i] == to {
			continue
		}
		t.count(had[i], -1, now.id)
		t.count(to, 1, now.id)
	}
	for i, to := range now.owners() {
		if gained := now.ownerGain(); owned[i] != to || share != gained {
			t.own(owned[i], ownerGain{-share.listed, -share.charged})
			t.own(to, gained)
		}
	}
}

func (t *tallies) count(c cell, n, id int64) {
	if c == 0 {
		return
	}
	if t.cells == nil {
		t.cells = make(map[cell]*gain)
	}
	g := t.cells[c]
	if g == nil {
		g = &gain{0, id, id}
		t.cells[c] = g
	}
	g.n, g.low, g.high = g.n+n, min(g.low, id), max(g.high, id)
}

func (t *tallies) own(o owner, g ownerGain) {
	if o.name == "" || g == (ownerGain{}) {
		return
	}
	if t.owners == nil {
		t.owners = make(map[owner]ownerGain)
	}
	sum := t.owners[o]
	t.owners[o] = ownerGain{sum.listed + g.listed, sum.charged + g.charged}
}

// write adds all to what is stored.
func (t *tallies) write(c *sqlite.Conn) error {
	const (
		count = `
INSERT INTO tallies (axis, bucket, class, n, low, high) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (axis, bucket, class) DO UPDATE SET n = n + ?4, low = min(low, ?5), high = max(high, ?6)`
		own = `
INSERT INTO owner_tallies (kind, owner, listed, charged) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (kind, owner) DO UPDATE SET listed = listed + ?3, charged = charged + ?4`
	)
	for _, at := range slices.Sorted(maps.Keys(t.cells)) {
		g := t.cells[at]
		err := exec(c, count, func(b *binder) {
			for _, v := range []int64{at.axis(), at.bucket(), int64(at.class()), g.n, g.low, g.high} {
				b.int(v)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, of := range slices.SortedFunc(maps.Keys(t.owners), compareOwners) {
		g := t.owners[of]
		err := exec(c, own, func(b *binder) {
			b.int(of.kind)
			b.whole(of.name)
			b.int(g.listed)
			b.int(g.charged)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func compareOwners(a, b owner) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}
