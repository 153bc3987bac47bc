package sqlite

import (
	"cmp"
	"maps"
	"slices"

	"zombiezen.com/go/sqlite"
)

// The axes of tallies. Times have two each, of narrow and of wide buckets: a
// bucket is the time in microseconds without its lowest bits.
const (
	axisAll     = 0 // one bucket
	axisStarted = 1 // and one above it the wide one
	axisStopped = 3
	axisStamped = 5
	narrow      = 34 // bits: nearly five hours
	wide        = 41 // bits: 25 days
)

// axisOf returns the narrow axis of the i-th time of an entry of a list.
func axisOf(i int) int64 { return int64(axisStarted + 2*i) }

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

// A cell is one count.
type cell struct {
	axis, bucket int64
	class        class
}

// A gain is what a cell gains or loses, and between which numbers.
type gain struct{ n, low, high int64 }

type owner struct {
	kind int64
	name string
}

type ownerGain struct{ listed, charged int64 }

// tallies are what a batch changes of the tallies.
type tallies struct {
	cells  map[cell]gain
	owners map[owner]ownerGain
}

// cells returns where a listing counts.
func (l *listing) cells() [7]cell {
	cells := [7]cell{{axisAll, 0, l.class}}
	for i, at := range l.times {
		if at != unknown {
			cells[1+2*i] = cell{axisOf(i), at >> narrow, l.class}
			cells[2+2*i] = cell{axisOf(i) + 1, at >> wide, l.class}
		}
	}
	return cells
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
	var had [7]cell
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
	if c == (cell{}) {
		return
	}
	if t.cells == nil {
		t.cells = make(map[cell]gain)
	}
	g, ok := t.cells[c]
	if !ok {
		g.low, g.high = id, id
	}
	t.cells[c] = gain{g.n + n, min(g.low, id), max(g.high, id)}
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
INSERT INTO tallies (axis, class, bucket, n, low, high) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (axis, class, bucket) DO UPDATE SET n = n + ?4, low = min(low, ?5), high = max(high, ?6)`
		own = `
INSERT INTO owner_tallies (kind, owner, listed, charged) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (kind, owner) DO UPDATE SET listed = listed + ?3, charged = charged + ?4`
	)
	for _, at := range slices.SortedFunc(maps.Keys(t.cells), compareCells) {
		g := t.cells[at]
		err := exec(c, count, func(b *binder) {
			for _, v := range []int64{at.axis, int64(at.class), at.bucket, g.n, g.low, g.high} {
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

func compareCells(a, b cell) int {
	return cmp.Or(cmp.Compare(a.axis, b.axis), cmp.Compare(a.class, b.class), cmp.Compare(a.bucket, b.bucket))
}

func compareOwners(a, b owner) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}
