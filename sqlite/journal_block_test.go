package sqlite

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"leyden"
)

// oddFrame returns a frame that is as odd as may be.
func oddFrame(r *rand.Rand) leyden.Frame {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	f := leyden.Frame{
		Station: leyden.StationID(pick("", "S", "s", "CP-1", strings.Repeat("x", 300))), At: time.UnixMicro(r.Int64N(1 << 50)).UTC(), Sent: r.IntN(2) == 0,
		Type: frameTypes()[r.IntN(4)], MessageID: pick("", "7", "19223201", "\xff\x00", strings.Repeat("i", 200)), Action: pick("", "Heartbeat", "Ünïcode", "A"),
		Transaction: leyden.TransactionID(r.Int64() >> r.IntN(64)),
	}
	switch r.IntN(5) {
	case 0:
		f.Transaction = -f.Transaction
	case 1:
		f.Text = `[2,"` + f.MessageID + `","` + f.Action + `",{}]`
	case 2:
		f.Text = `[2,"` + f.MessageID + `", "` + f.Action + `",{}]`
	case 3:
		f.Text = `[3,"` + f.MessageID
	case 4:
		f.Text = pick("", "[2", "\xff\xfe", strings.Repeat("text ", r.IntN(20_000)))
	}
	return f
}

// TestBlockReadsBack: what is put into a block comes out of it.
func TestBlockReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var b blockText
		b.reset()
		frames := make([]leyden.Frame, 1+r.IntN(20))
		for i := range frames {
			frames[i] = oddFrame(r)
			frames[i].Seq = int64(i)
			b.add(&frames[i], frames[i].At.UnixMicro())
		}
		text, err := decompressed(nil, b.compressed(nil))
		if err != nil {
			t.Fatal(err)
		}
		var got []leyden.Frame
		blk := blockReader{text: text}
		for blk.next() {
			got = append(got, blk.frame(int64(len(got))))
		}
		if diff := cmp.Diff(frames, got); diff != "" || blk.bad {
			t.Fatalf("bad: %v; want - got +:\n%s", blk.bad, diff)
		}
		oldest := slices.MinFunc(frames, func(a, b leyden.Frame) int { return a.At.Compare(b.At) })
		if b.earliest != oldest.At.UnixMicro() || b.frames != len(frames) {
			t.Fatalf("%d frames from %d on; want %d from %v", b.frames, b.earliest, len(frames), oldest.At)
		}
	}
}

// FuzzBlock: a block that is damaged is read to an end, and takes no more memory
// than a block may.
func FuzzBlock(f *testing.F) {
	var b blockText
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		o := oddFrame(r)
		b.add(&o, o.At.UnixMicro())
	}
	f.Add(b.compressed(nil), true)
	f.Add(b.text, false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1}, true)
	f.Fuzz(func(t *testing.T, data []byte, compressed bool) {
		if !compressed {
			data = s2.EncodeSnappy(nil, data)
		}
		text, err := decompressed(nil, data)
		if err != nil {
			return
		}
		blk := blockReader{text: text}
		for n := 0; blk.next(); n++ {
			if blk.frame(int64(n)); n > len(text) {
				t.Fatalf("%d frames in %d bytes", n, len(text))
			}
		}
	})
}

// TestShelf: each key is found in its blocks, and in hardly any other; a row that
// is cut short is none.
func TestShelf(t *testing.T) {
	g := group{keys: map[placeKey]uint64{}}
	last := int64(1000)
	for i := range groupBlocks {
		last += int64(i * 100)
		g.blocks = append(g.blocks, sealed{seq: last, frames: i * 100})
	}
	for i := range 5000 {
		g.keys[stationKey(leyden.StationID(fmt.Sprint("CP-", i)))] |= 1<<(i%64) | 1<<(i%7)
	}
	rows, odd := g.shelves(), 0
	for k, in := range g.keys {
		found, err := blocksOnShelf(rows[k%shelves], last, k)
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.blocks {
			want, got := in>>i&1 == 1, slices.Contains(found, g.blocks[i].seq)
			if want && !got {
				t.Fatalf("key %x is not found in block %d", k, i)
			}
			if got && !want {
				odd++
			}
		}
	}
	if odd > 50 {
		t.Errorf("keys are found in %d blocks that they are not in", odd)
	}
	for k := range g.keys {
		row := rows[k%shelves]
		for n := range 200 {
			if _, err := blocksOnShelf(row[:n], last, k); err == nil && n <= groupBlocks {
				t.Fatalf("%d bytes of a row are taken for a row", n)
			}
		}
		break
	}
}

// TestJournalOfRows: frames that were written before there were blocks are read,
// before those in blocks, and forgotten first.
func TestJournalOfRows(t *testing.T) {
	folder := t.TempDir()
	j := openJournal(t, JournalOptions{Folder: folder})
	old := testFrames(3000, 300)
	writeRows(t, j.file, old)
	closeJournal(t, j)

	j = openJournal(t, JournalOptions{Folder: folder})
	young := testFrames(1000, 300)
	mustWrite(t, j, young)
	all := append(slices.Clone(old), young...)
	for n := range all {
		all[n].Seq, all[n].At = int64(n+1), all[n].At.UTC().Truncate(time.Microsecond)
	}
	check := func(q leyden.FrameQuery, want []leyden.Frame) {
		t.Helper()
		if diff := cmp.Diff(want, mustFrames(t, j, q)); diff != "" {
			t.Errorf("%+v: want - got +:\n%s", q, diff)
		}
	}
	ofOne := slices.DeleteFunc(slices.Clone(all), func(f leyden.Frame) bool { return f.Station != "CP-7" })
	check(leyden.FrameQuery{Ascending: true, Limit: 5000}, all)
	check(leyden.FrameQuery{Ascending: true, After: 2990, Limit: 20}, all[2990:3010])
	check(leyden.FrameQuery{Ascending: true, Station: "CP-7"}, ofOne)
	slices.Reverse(all)
	slices.Reverse(ofOne)
	check(leyden.FrameQuery{Limit: 1500}, all[:1500])
	check(leyden.FrameQuery{After: 3011, Limit: 20}, all[990:1010])
	check(leyden.FrameQuery{Station: "CP-7", Limit: 50}, ofOne[:50])
	closeJournal(t, j)

	j = openJournal(t, JournalOptions{Folder: folder, Limits: leyden.JournalLimits{MaxBytes: 1 << 20}})
	mustWrite(t, j, testFrames(1, 10))
	left := mustFrames(t, j, leyden.FrameQuery{Ascending: true, Limit: 5000})
	if len(left) == 0 || left[0].Seq <= 1 || left[len(left)-1].Seq != 4001 || int(left[0].Seq) != 4001-len(left)+1 {
		t.Errorf("%d frames are left, from %d on", len(left), left[0].Seq)
	}
	now := time.Now().Add(30 * 24 * time.Hour)
	closeJournal(t, j)
	j = openJournal(t, JournalOptions{Folder: folder, Now: func() time.Time { return now }})
	if left := mustFrames(t, j, leyden.FrameQuery{}); len(left) > 0 {
		t.Errorf("%d frames are left a month later", len(left))
	}
}

// writeRows writes frames as they were written before there were blocks.
func writeRows(t *testing.T, file string, frames []leyden.Frame) {
	t.Helper()
	c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(c, `DROP TABLE blocks; DROP TABLE places; PRAGMA user_version = 1`, nil)
	const insert = `
INSERT INTO frames (station, at, sent, type, message_id, action, transaction_id, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	for i := range frames {
		if err != nil {
			break
		}
		f := &frames[i]
		err = exec(c, insert, func(b *binder) {
			b.text(string(f.Station))
			b.int(f.At.UnixMicro())
			b.bool(f.Sent)
			b.text(string(f.Type))
			b.text(f.MessageID)
			b.text(f.Action)
			b.about(f.Transaction)
			b.text(f.Text)
		})
	}
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
