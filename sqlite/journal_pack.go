package sqlite

import (
	"zombiezen.com/go/sqlite"

	"leyden"
)

// A packer writes frames as blocks. Its memory is used again by the next write.
type packer struct {
	conn  *sqlite.Conn
	room  func(need int64) error // is asked before a group is written
	limit int64                  // how many bytes the file may have
	last  int64                  // the Seq of the last frame
	open  blockText
	// The station of the last frame of the open block, and what transaction its
	// frames are about: where these are is noted.
	station     leyden.StationID
	transaction leyden.TransactionID
	group       group
}

const (
	// groupBytes is how many bytes of blocks a group has at most, unless one block
	// has more.
	groupBytes = 1 << 20
	// keepMemory is how much memory of each kind a packer keeps for the next write.
	keepMemory = 4 << 20
)

// pack writes frames and fills in their Seq. Those that are too long for any
// journal get none.
func (p *packer) pack(frames []leyden.Frame) error {
	if p.group.keys == nil {
		p.group.keys = map[placeKey]uint64{}
	}
	p.clear()
	p.open.reset()
	for i := range frames {
		f := &frames[i]
		if len(f.Station)+len(f.MessageID)+len(f.Action)+len(f.Text) > maxFrame {
			f.Seq = 0
			continue
		}
		at := f.At.UnixMicro()
		if !p.open.takes(f, at) {
			if err := p.seal(); err != nil {
				return err
			}
		}
		p.place(f)
		p.open.add(f, at)
		p.last++
		f.Seq = p.last
	}
	if err := p.seal(); err != nil {
		return err
	}
	return p.flush()
}

// place notes that the open block has a frame of a station, about a transaction.
func (p *packer) place(f *leyden.Frame) {
	bit := uint64(1) << len(p.group.blocks)
	if p.open.frames == 0 || f.Station != p.station {
		p.station, p.transaction = f.Station, 0
		p.group.keys[stationKey(f.Station)] |= bit
	}
	if f.Transaction != 0 && f.Transaction != p.transaction {
		p.transaction = f.Transaction
		p.group.keys[transactionKey(f.Transaction)] |= bit
	}
}

// seal ends the open block, and the group if it is full.
func (p *packer) seal() error {
	if p.open.frames == 0 {
		return nil
	}
	g := &p.group
	from := len(g.data)
	g.data = p.open.compressed(g.data)
	g.blocks = append(g.blocks, sealed{
		seq: p.last, frames: p.open.frames, earliest: p.open.earliest, latest: p.open.latest, from: from, to: len(g.data),
	})
	p.open.reset()
	p.station, p.transaction = "", 0
	if len(g.blocks) == groupBlocks || int64(len(g.data)) >= min(groupBytes, p.limit/8) {
		return p.flush()
	}
	return nil
}

// flush writes the group.
func (p *packer) flush() error {
	defer p.clear()
	g := &p.group
	need := g.need()
	if len(g.blocks) == 0 || need > p.limit/2 { // there is no room, whatever else is forgotten
		return nil
	}
	if err := p.room(need); err != nil {
		return err
	}
	const insert = `INSERT INTO blocks (seq, frames, earliest, latest, data) VALUES (?1, ?2, ?3, ?4, ?5)`
	for i := range g.blocks {
		s := &g.blocks[i]
		err := exec(p.conn, insert, func(b *binder) {
			b.int(s.seq)
			b.int(int64(s.frames))
			b.int(s.earliest)
			b.int(s.latest)
			b.bytes(g.data[s.from:s.to])
		})
		if err != nil {
			return err
		}
	}
	return g.insertPlaces(p.conn)
}

// clear begins a group.
func (p *packer) clear() {
	g := &p.group
	clear(g.keys)
	g.blocks, g.data = g.blocks[:0], g.data[:0]
	if cap(g.data) > keepMemory {
		g.data = nil
	}
	if cap(p.open.text) > keepMemory {
		p.open.text = nil
	}
}

// need returns about how many bytes of the file a group takes, rather more than less.
func (g *group) need() int64 {
	const (
		row   = 100 // beside its data
		place = 120 // with its entry in the second index, in pages that are half full
	)
	n := 2 * pageSize
	for i := range g.blocks {
		size := g.blocks[i].to - g.blocks[i].from + row
		if size > pageSize/8 { // it fills pages of its own, the last of them in part
			size += pageSize
		}
		n += size
	}
	if few := g.places(); few <= fewPlaces {
		return int64(n + few*place)
	}
	return int64(n + shelves*2*(place+groupBlocks) + 2*len(g.keys)*(2+groupBlocks/7))
}

// lastFrame returns the last Seq that was given.
func lastFrame(c *sqlite.Conn) (int64, error) {
	const query = `SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name IN ('blocks', 'frames')`
	return number(c, query, nil)
}
