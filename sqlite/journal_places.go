package sqlite

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"

	"zombiezen.com/go/sqlite"

	"leyden"
)

// In which blocks there are frames of a station, or about a transaction, is
// told by the table places, for a group of blocks that were written at once.
// Stations and transactions have keys of 32 bits; who reads a block looks whether
// it was meant.
//
// A group with few keys has a row for each key and block. One with many has a row
// for each of 64 shelves, to which the keys are dealt: an insert costs as much as ten
// frames do otherwise.
const (
	// groupBlocks is how many blocks a group has at most: the bits of a word.
	groupBlocks = 64
	// fewPlaces is how many rows a group may have.
	fewPlaces = 256
	// shelfBits is how many bits of a key tell its shelf, and shelves how many there are.
	shelfBits = 6
	shelves   = 1 << shelfBits
)

// A placeKey is that of a station or a transaction.
type placeKey uint32

// The constants of FNV-1a.
const (
	fnvBasis = 2166136261
	fnvPrime = 16777619
)

func stationKey(s leyden.StationID) placeKey {
	h := uint32(fnvBasis)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * fnvPrime
	}
	return scrambled(h)
}

func transactionKey(id leyden.TransactionID) placeKey {
	return scrambled(uint32(id) ^ uint32(uint64(id)>>32)*fnvPrime ^ 'T'<<24)
}

// scrambled mixes bits, so that each depends on all (the finalizer of MurmurHash3).
func scrambled(h uint32) placeKey {
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return placeKey(h ^ h>>16)
}

// shelf returns the shelf of a key as a number that no key has, and name what tells
// it from others there, but for one in 65,536.
func (k placeKey) shelf() int64 { return -1 - int64(k%shelves) }
func (k placeKey) name() uint16 { return uint16(k >> shelfBits) }

// A group is some blocks, one after the other, and where the keys are in them.
type group struct {
	blocks []sealed
	data   []byte              // of all blocks
	keys   map[placeKey]uint64 // in which blocks, the first the lowest bit
}

// A sealed block is ready to be written.
type sealed struct {
	seq              int64 // of its last frame
	frames           int
	earliest, latest int64
	from, to         int // of the group's data
}

// places returns how many pairs of a key and a block there are, if there are few.
func (g *group) places() int {
	n := len(g.keys)
	if n > fewPlaces {
		return n
	}
	n = 0
	for _, in := range g.keys {
		n += bits.OnesCount64(in)
	}
	return n
}

const insertPlace = `INSERT INTO places (key, seq, blocks) VALUES (?1, ?2, ?3)`

// insertPlaces writes where the keys are.
func (g *group) insertPlaces(c *sqlite.Conn) error {
	if g.places() > fewPlaces {
		return g.insertShelves(c)
	}
	for _, k := range slices.Sorted(maps.Keys(g.keys)) {
		for in := g.keys[k]; in != 0; in &= in - 1 {
			b := &g.blocks[bits.TrailingZeros64(in)]
			if err := exec(c, insertPlace, func(bind *binder) { bind.int(int64(k)); bind.int(b.seq) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// insertShelves writes a row for each shelf: how many frames each block has, and
// then each key with its blocks.
func (g *group) insertShelves(c *sqlite.Conn) error {
	last := g.blocks[len(g.blocks)-1].seq
	for i, row := range g.shelves() {
		if row == nil {
			continue
		}
		err := exec(c, insertPlace, func(b *binder) { b.int(placeKey(i).shelf()); b.int(last); b.bytes(row) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *group) shelves() (rows [shelves][]byte) {
	head := binary.AppendUvarint(nil, uint64(len(g.blocks)))
	for i := range g.blocks {
		head = binary.AppendUvarint(head, uint64(g.blocks[i].frames))
	}
	for k, in := range g.keys {
		row := &rows[k%shelves]
		if *row == nil {
			*row = append(make([]byte, 0, len(head)+8*(len(g.keys)/shelves+4)), head...)
		}
		*row = binary.BigEndian.AppendUint16(*row, k.name())
		*row = binary.AppendUvarint(*row, in)
	}
	return rows
}

// A shelfReader reads a row of a shelf.
type shelfReader struct {
	row []byte
	bad bool
}

func (r *shelfReader) number() uint64 {
	v, n := binary.Uvarint(r.row)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.row = r.row[n:]
	return v
}

// blocksOnShelf returns the last Seq of each block that a row of a shelf, of the
// group that ends with last, names under a key.
func blocksOnShelf(row []byte, last int64, key placeKey) ([]int64, error) {
	r := shelfReader{row: row}
	count := r.number()
	if count > groupBlocks {
		return nil, errDamaged
	}
	var seqs [groupBlocks]int64
	for i := range count {
		seqs[i] = int64(r.number())
	}
	for i := int(count) - 1; i >= 0; i-- { // from numbers of frames to their ends
		last, seqs[i] = last-seqs[i], last
	}
	in := r.find(key)
	if r.bad || in>>count != 0 {
		return nil, errDamaged
	}
	var found []int64
	for ; in != 0; in &= in - 1 {
		found = append(found, seqs[bits.TrailingZeros64(in)])
	}
	return found, nil
}

// find returns the blocks of all keys with that name.
func (r *shelfReader) find(key placeKey) (in uint64) {
	for len(r.row) > 0 && !r.bad {
		if len(r.row) < 2 {
			r.bad = true
			return 0
		}
		name := binary.BigEndian.Uint16(r.row)
		r.row = r.row[2:]
		if blocks := r.number(); name == key.name() {
			in |= blocks
		}
	}
	return in
}
