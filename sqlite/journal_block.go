package sqlite

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"

	"leyden"
)

// A block is many frames in one text, in their order, compressed: docs/formats/journal.md
// says how. Snappy at 32 KiB needs 0.2 µs a frame and leaves a sixth; at 64 KiB it
// leaves little less and takes twice as long to read; zstd leaves a twelfth and needs
// 0.8 µs.
const (
	// blockBytes is how long the text of a block becomes. A frame that is longer
	// alone has a block of its own.
	blockBytes = 32 << 10
	// blockSpan bounds how far apart in time its frames are, so that a clock that
	// jumps does not blur what is old.
	blockSpan = time.Minute
	// maxFrame is how long a frame may be. Longer ones are not kept.
	maxFrame = 16 << 20
	// idPlace is where the message id of a frame stands as a rule: after [2,".
	idPlace = 4
	// actionGap stands as a rule between message id and action: ",".
	actionGap = `","`
)

// What the first byte of a frame in a block tells, beside the type in its lowest
// two bits.
const (
	frameSent        = 1 << 2
	frameSameStation = 1 << 3 // as the frame before
	frameIDInside    = 1 << 4 // the message id is part of the text, at idPlace
	frameAction      = 1 << 5 // so is the action, after the id and actionGap
)

// frameTypes returns the types in the order of their numbers.
func frameTypes() [4]leyden.FrameType {
	return [4]leyden.FrameType{leyden.FrameBroken, leyden.FrameCall, leyden.FrameResult, leyden.FrameError}
}

// typeNumber returns the number of a type. What is none of ours is broken.
func typeNumber(t leyden.FrameType) byte {
	switch t {
	case leyden.FrameCall:
		return 1
	case leyden.FrameResult:
		return 2
	case leyden.FrameError:
		return 3
	}
	return 0
}

// A blockText is the text of a block that is being written.
type blockText struct {
	text             []byte
	frames           int
	station          leyden.StationID // of the last frame
	at               int64            // of the last frame, in µs
	earliest, latest int64
}

func (b *blockText) reset() { *b = blockText{text: b.text[:0]} }

// takes reports whether a frame belongs into the block too.
func (b *blockText) takes(f *leyden.Frame, at int64) bool {
	if b.frames == 0 {
		return true
	}
	span := max(b.latest, at) - min(b.earliest, at)
	return len(b.text) < blockBytes && len(f.Text) <= blockBytes && span <= blockSpan.Microseconds()
}

// add appends a frame.
func (b *blockText) add(f *leyden.Frame, at int64) {
	first := typeNumber(f.Type)
	if f.Sent {
		first |= frameSent
	}
	if b.frames > 0 && f.Station == b.station {
		first |= frameSameStation
	}
	id, action := f.MessageID, f.Action
	if id != "" && standsAt(f.Text, idPlace, id) {
		first |= frameIDInside
		id = ""
		if after := idPlace + len(f.MessageID); action != "" && standsAt(f.Text, after, actionGap) && standsAt(f.Text, after+len(actionGap), action) {
			first |= frameAction
			action = ""
		}
	}
	t := append(b.text, first)
	t = binary.AppendVarint(t, at-b.at)
	if first&frameSameStation == 0 {
		t = appendShort(t, string(f.Station))
	}
	t = binary.AppendVarint(t, int64(f.Transaction))
	t = appendPart(t, f.MessageID, id)
	t = appendPart(t, f.Action, action)
	b.text = appendShort(t, f.Text)
	b.note(f.Station, at)
}

// note counts a frame.
func (b *blockText) note(station leyden.StationID, at int64) {
	if b.frames == 0 {
		b.earliest, b.latest = at, at
	}
	b.frames++
	b.station, b.at = station, at
	b.earliest, b.latest = min(b.earliest, at), max(b.latest, at)
}

func standsAt(text string, i int, part string) bool {
	return i < len(text) && strings.HasPrefix(text[i:], part)
}

// appendShort appends a text after its length.
func appendShort(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendPart appends the length of a text, and what of it does not stand elsewhere.
func appendPart(b []byte, text, left string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), left...)
}

// compressed appends what is kept of the text.
func (b *blockText) compressed(dst []byte) []byte {
	room := s2.MaxEncodedLen(len(b.text))
	dst = slices.Grow(dst, room)
	return dst[:len(dst)+len(s2.EncodeSnappy(dst[len(dst):len(dst)+room], b.text))]
}

// decompressed returns the text of a block, in the memory of spare if it fits.
func decompressed(spare, data []byte) ([]byte, error) {
	n, err := s2.DecodedLen(data)
	if err != nil || n > blockBytes+2*maxFrame {
		return nil, errDamaged
	}
	text, err := s2.Decode(slices.Grow(spare[:0], n)[:n], data)
	if err != nil {
		return nil, errDamaged
	}
	return text, nil
}

// A blockReader reads the frames in the text of a block, one after the other.
// What it finds lies in the text.
type blockReader struct {
	text []byte // what is left of it
	bad  bool   // it does not look as we write it

	first                     byte
	at                        int64
	transaction               int64
	station, id, action, body []byte
}

// next reads a frame, and reports whether there was one.
func (r *blockReader) next() bool {
	if len(r.text) == 0 || r.bad {
		return false
	}
	r.first, r.text = r.text[0], r.text[1:]
	r.at += r.number()
	if r.first&frameSameStation == 0 {
		r.station = r.part(r.length())
	}
	r.transaction = r.number()
	id := r.length()
	r.id = r.part(unless(r.first&frameIDInside, id))
	action := r.length()
	r.action = r.part(unless(r.first&frameAction, action))
	r.body = r.part(r.length())
	if r.first&frameIDInside != 0 {
		r.id = r.inside(idPlace, id)
	}
	if r.first&frameAction != 0 {
		r.action = r.inside(idPlace+id+len(actionGap), action)
	}
	return !r.bad
}

// unless returns n unless a flag is set.
func unless(flag byte, n int) int {
	if flag != 0 {
		return 0
	}
	return n
}

func (r *blockReader) number() int64 {
	v, n := binary.Varint(r.text)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.text = r.text[n:]
	return v
}

func (r *blockReader) length() int {
	v, n := binary.Uvarint(r.text)
	if n <= 0 || v > maxFrame {
		r.bad = true
		return 0
	}
	r.text = r.text[n:]
	return int(v)
}

func (r *blockReader) part(n int) []byte {
	if n > len(r.text) {
		r.bad = true
		return nil
	}
	part := r.text[:n]
	r.text = r.text[n:]
	return part
}

func (r *blockReader) inside(from, n int) []byte {
	if from+n > len(r.body) {
		r.bad = true
		return nil
	}
	return r.body[from : from+n]
}

// frame returns the present frame.
func (r *blockReader) frame(seq int64) leyden.Frame {
	return leyden.Frame{
		Seq: seq, Station: leyden.StationID(r.station), At: time.UnixMicro(r.at).UTC(), Sent: r.first&frameSent != 0,
		Type: frameTypes()[r.first&3], MessageID: string(r.id), Action: string(r.action),
		Transaction: leyden.TransactionID(r.transaction), Text: string(r.body),
	}
}

// chosen reports whether the present frame is one of those that are asked for.
func (r *blockReader) chosen(seq int64, q *leyden.FrameQuery) bool {
	return (q.Station == "" || string(r.station) == string(q.Station)) &&
		(q.Transaction == 0 || r.transaction == int64(q.Transaction)) &&
		(q.Action == "" || string(r.action) == q.Action) &&
		(q.Type == "" || frameTypes()[r.first&3] == q.Type) &&
		(q.Sent == nil || (r.first&frameSent != 0) == *q.Sent) &&
		(q.At.IsZero() || q.At.Contains(time.UnixMicro(r.at))) &&
		(q.After == 0 || q.Ascending && seq > q.After || !q.Ascending && seq < q.After)
}
