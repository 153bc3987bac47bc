package csms

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"leyden"
)

// Limits of what waits for the journal. It may be slow or broken: frames are
// then lost, and nobody waits for it.
const (
	// journalDelay is how long a frame waits for others to be written with.
	journalDelay = 250 * time.Millisecond
	// journalBatch is how many frames do not wait any longer.
	journalBatch = 4096
	// journalQueue and journalBytes bound the frames that wait, and their texts.
	journalQueue = 32768
	journalBytes = 16 << 20
	// journalChunk is how much memory is taken at once for texts.
	journalChunk = 64 << 10
	// journalTimeout is how long a write may take, and journalFlush how long the
	// last one may when the server ends.
	journalTimeout = 10 * time.Second
	journalFlush   = 2 * time.Second
	// journalWarning is how often the loss of frames is logged.
	journalWarning = time.Minute
)

// errJournalFull says why frames are lost that were not tried to be written.
var errJournalFull = errors.New("too many frames wait to be written")

// A journal takes frames from sessions, without ever making them wait, and
// writes them to a [leyden.Journal] in batches, in their order. The goroutine
// that writes lives as long as there is something to write.
type journal struct {
	srv     *Server
	hurry   chan struct{} // asks the writer not to wait for more
	closing chan struct{} // closed: it need not wait at all
	writing sync.WaitGroup

	mu     sync.Mutex // guards all below
	queue  []note
	bytes  int
	texts  strings.Builder // takes the texts of frames until it is full; then there is another one
	busy   bool            // somebody writes, or waits to
	closed bool
	warned time.Time
}

// A note is a frame that is to be written, as yet with its secrets.
type note struct {
	by          *recorder
	at          int64 // in µs
	transaction leyden.TransactionID
	kind        leyden.FrameType
	id          string
	action      string
	text        string // "": it is not kept yet, and id is valid only for now
	sent        bool
}

// frame returns what is kept of the frame.
func (n *note) frame() leyden.Frame {
	return leyden.Frame{
		Station: n.by.station, At: time.UnixMicro(n.at), Sent: n.sent, Type: n.kind,
		MessageID: n.id, Action: n.action, Transaction: n.transaction, Text: n.masked(),
	}
}

// newJournal returns what writes to the journal of a server; nil if it has none.
func newJournal(srv *Server) *journal {
	if srv.opt.Journal == nil {
		return nil
	}
	return &journal{srv: srv, hurry: make(chan struct{}, 1), closing: make(chan struct{})}
}

// add takes a frame, or drops it. data is its text, unless that is kept already.
func (j *journal) add(n *note, data []byte) {
	if !j.put(n, data) {
		j.lost(1, errJournalFull)
	}
}

// put reports whether there was room.
func (j *journal) put(n *note, data []byte) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	size := len(n.text) + len(data)
	if j.closed || len(j.queue) == journalQueue || j.bytes+size > journalBytes {
		return false
	}
	if len(data) > 0 {
		j.copy(n, data)
	}
	j.queue = append(j.queue, *n)
	j.bytes += size
	if !j.busy {
		j.busy = true
		j.writing.Go(j.write)
	}
	if len(j.queue) >= journalBatch || j.bytes > journalBytes/2 {
		select {
		case j.hurry <- struct{}{}:
		default:
		}
	}
	return true
}

// keep gives a frame its text before it is added.
func (j *journal) keep(n *note, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.copy(n, data)
}

// copy copies the text of a frame, which as a rule holds its id, behind those of
// others. j.mu is held.
func (j *journal) copy(n *note, data []byte) {
	if b := &j.texts; b.Cap()-b.Len() < len(data) {
		b.Reset() // what was in it is kept by those that need it
		b.Grow(max(journalChunk, len(data)))
	}
	from := j.texts.Len()
	j.texts.Write(data)
	n.text = j.texts.String()[from:]
	const place = len(`[2,"`)
	if id := n.id; len(n.text) >= place && strings.HasPrefix(n.text[place:], id) {
		n.id = n.text[place : place+len(id)]
		return
	}
	n.id = strings.Clone(n.id)
}

// write writes what is in the queue until nothing is left.
func (j *journal) write() {
	var batch []note
	var frames []leyden.Frame
	for {
		j.pause()
		if batch = j.take(batch); len(batch) == 0 {
			return
		}
		frames = j.writeOut(batch, frames[:0])
		clear(batch)
		clear(frames)
	}
}

// pause gives frames time to become a batch.
func (j *journal) pause() {
	delay := time.NewTimer(journalDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-j.hurry:
	case <-j.closing:
	}
}

// take empties the queue. spare becomes the next one.
func (j *journal) take(spare []note) []note {
	j.mu.Lock()
	defer j.mu.Unlock()
	batch := j.queue
	if j.queue, j.bytes = spare[:0], 0; len(batch) == 0 {
		j.busy = false
	}
	return batch
}

// writeOut masks frames and writes them. It returns the slice that it used.
func (j *journal) writeOut(batch []note, frames []leyden.Frame) []leyden.Frame {
	defer j.srv.rescue("journal", func() { j.lost(len(batch), errPanic) })
	for i := range batch {
		frames = append(frames, batch[i].frame())
	}
	ctx, cancel := context.WithTimeout(context.Background(), journalTimeout)
	defer cancel()
	if err := j.srv.opt.Journal.WriteFrames(ctx, frames); err != nil {
		j.lost(len(frames), err)
		return frames
	}
	j.srv.count.Journaled.Add(uint64(len(frames)))
	return frames
}

// lost counts frames that are not written, and says so from time to time.
func (j *journal) lost(n int, err error) {
	total := j.srv.count.Unjournaled.Add(uint64(n))
	now := j.srv.ledger.Now()
	j.mu.Lock()
	warn := now.Sub(j.warned) >= journalWarning
	if warn {
		j.warned = now
	}
	j.mu.Unlock()
	if warn {
		j.srv.log.Warn("frames are missing in the journal", "total", total, "error", err)
	}
}

// close takes no more frames and waits a while until the last are written.
func (j *journal) close(ctx context.Context) {
	if j == nil {
		return
	}
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	j.mu.Unlock()
	if first {
		close(j.closing)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalFlush)
	defer cancel()
	if err := waitFor(ctx, &j.writing); err != nil {
		j.srv.log.Warn("the last frames are missing in the journal", "error", err)
	}
}
