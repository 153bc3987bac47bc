package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/daybook"
)

const (
	// maxUnposted is how many bytes may stand in the daybook that are not posted. Who
	// is faster than that waits.
	maxUnposted = 64 << 20
	// maxRecord is how many bytes share a write to the daybook, but for the last entry.
	maxRecord = 1 << 20
)

// A bookkeeper makes entries durable in the daybook, in groups: those that arrive
// while one group is written are the next. There is no timer, so a lone entry waits
// for nobody. The writer posts them to the tables later, in the same order.
//
// It takes only entries of which the versions of their transactions are all that
// there is to be checked. Others go directly to the writer, behind all that was
// booked before; while one of a station does, none of that station is booked.
type bookkeeper struct {
	db   *DB
	book *daybook.Book
	read *sqlite.Conn // looks up versions
	gone chan struct{}
	err  atomic.Pointer[error] // why the last write to the daybook failed; nil after a good one

	known versions  // of the goroutine that books
	spare sync.Pool // of *booking

	mu       sync.Mutex // guards all below
	queue    []*booking
	stopped  bool
	work     sync.Cond                   // there is something in the queue, or it is stopped, or less is unposted
	direct   map[leyden.StationID]int    // entries that go directly now
	stations map[leyden.StationID]uint64 // the last record with an entry of a station; maybe posted already
	pending  []record                    // to be posted, oldest first
	unposted int                         // bytes of them
	last     uint64                      // number of the last record that somebody was told of
	posted   uint64                      // number of the last record that stands in the tables
	waiting  []waiter                    // for records to be posted
	trouble  error                       // why posting fails; nil while it does not
	buffers  [][]byte                    // for records
	spared   int                         // bytes of them
}

// A record is what was written to the daybook at once.
type record struct {
	number  uint64
	entries []byte
}

// A waiter waits until a record is posted.
type waiter struct {
	number uint64
	hurry  bool
	done   chan error // with room for one
}

// A booking is an entry on its way to the daybook.
type booking struct {
	job
	values
	station leyden.StationID
	changes []changed
	stamp   int64
	plain   bool // it may be booked
	refer   bool // the answer: it must go directly
}

// A changed is a transaction of a booking, and what was known of it before.
type changed struct {
	id      leyden.TransactionID
	version int
	was     version
	had     bool
}

// booking returns one for e. They are used again within one database: a test's clock
// may stand still for their channels.
func (k *bookkeeper) booking(e *leyden.Entry) *booking {
	b, ok := k.spare.Get().(*booking)
	if !ok {
		b = &booking{job: job{done: make(chan struct{}, 1)}}
	}
	b.station, b.plain = e.Station, e.Fresh && len(e.Quarantine)+len(e.Settle)+len(e.Reservations) == 0
	for i := range e.Transactions {
		t := &e.Transactions[i].Transaction
		b.changes = append(b.changes, changed{id: t.ID, version: t.Version})
		b.plain = b.plain && t.Status != leyden.Pending
	}
	return b
}

// free takes a booking back, unless it is still in the queue.
func (k *bookkeeper) free(b *booking) {
	if b.state.Load() == dropped || cap(b.b) > maxRecord {
		return
	}
	b.state.Store(waiting)
	b.b, b.changes, b.err, b.stamp, b.refer, b.station = b.b[:0], b.changes[:0], nil, 0, false, ""
	k.spare.Put(b)
}

func newBookkeeper(db *DB, book *daybook.Book, read *sqlite.Conn, posted uint64) *bookkeeper {
	k := &bookkeeper{
		db: db, book: book, read: read, gone: make(chan struct{}),
		direct: make(map[leyden.StationID]int), stations: make(map[leyden.StationID]uint64),
		posted: posted, last: posted,
	}
	k.work.L = &k.mu
	return k
}

// submit returns when b is durable, or refused, or with direct when it must be
// written directly: done must be called then.
func (k *bookkeeper) submit(ctx context.Context, b *booking) (direct bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	k.mu.Lock()
	if k.stopped {
		k.mu.Unlock()
		return false, errClosed
	}
	k.queue = append(k.queue, b)
	if len(k.queue) == 1 {
		k.work.Signal()
	}
	k.mu.Unlock()
	select {
	case <-b.done:
	case <-ctx.Done():
		if b.state.CompareAndSwap(waiting, dropped) {
			return false, ctx.Err()
		}
		<-b.done
	}
	return b.refer, b.err
}

// done ends that an entry of a station goes directly.
func (k *bookkeeper) done(s leyden.StationID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.direct[s]--; k.direct[s] == 0 {
		delete(k.direct, s)
	}
}

// loop books until it is stopped and the queue is empty.
func (k *bookkeeper) loop() {
	defer close(k.gone)
	var batch []*booking
	for {
		batch = k.gather(batch[:0])
		if len(batch) == 0 {
			return
		}
		k.commit(batch)
		clear(batch)
	}
}

// gather waits for bookings, and until not too much is unposted. It returns none
// when it is time to end. Whoever could book right now comes along: a crowd that the
// last group has just let go would otherwise be served in many small ones, and each
// costs a write, a sync and the wake-ups.
func (k *bookkeeper) gather(spare []*booking) []*booking {
	k.mu.Lock()
	defer k.mu.Unlock()
	for !k.stopped && (len(k.queue) == 0 || k.unposted > maxUnposted && k.trouble == nil) {
		k.work.Wait()
	}
	if len(k.queue) > 0 {
		k.mu.Unlock()
		runtime.Gosched()
		k.mu.Lock()
	}
	batch := k.queue
	k.queue = spare
	return batch
}

// commit books a batch and tells everybody what became of it.
func (k *bookkeeper) commit(batch []*booking) {
	for len(batch) > 0 {
		n := k.commitSome(batch)
		batch = batch[n:]
	}
}

// commitSome books the first of a batch, as many as share a record, and returns how
// many they were.
func (k *bookkeeper) commitSome(batch []*booking) (n int) {
	begun := time.Now()
	stamp := k.db.gate.enter(k.db.now().UnixMicro())
	entries := k.buffer(batch)
	booked := 0
	doubt := k.doubt()
	for n < len(batch) && len(entries) < maxRecord {
		b := batch[n]
		n++
		if !b.state.CompareAndSwap(waiting, taken) {
			batch[n-1] = nil // its caller has left
			continue
		}
		if b.err = doubt; doubt != nil {
			continue
		}
		if b.refer = k.refers(b); b.refer {
			continue
		}
		if b.err = k.admit(b); b.err == nil {
			stamped(b.b, stamp)
			b.stamp = stamp
			entries = append(entries, b.b...)
			booked++
		}
	}
	err := k.write(entries, batch[:n])
	k.db.gate.leave()
	if booked > 0 && err == nil {
		k.db.stats.committed(booked, time.Since(begun))
	}
	for _, b := range batch[:n] {
		if b == nil {
			continue
		}
		if err != nil && b.stamp != 0 {
			b.err = err
		}
		b.done <- struct{}{}
	}
	return n
}

// refers reports whether b goes directly, and notes it.
func (k *bookkeeper) refers(b *booking) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b.plain && k.direct[b.station] == 0 && !k.unsure(b) {
		return false
	}
	k.direct[b.station]++
	for _, c := range b.changes {
		k.known.forget(c.id)
	}
	return true
}

// unsure reports whether the tables may not have the version of a transaction yet that
// is not known: an entry of its station waits to be posted. It is called with mu held.
func (k *bookkeeper) unsure(b *booking) bool {
	return k.stations[b.station] > k.posted && slices.ContainsFunc(b.changes, func(c changed) bool {
		_, known := k.known.get(c.id)
		return !known && c.version > 1
	})
}

// admit returns why b may not be booked, or nil; then its changes are known.
func (k *bookkeeper) admit(b *booking) error {
	if err := k.failing(); err != nil {
		return failed(err)
	}
	for _, c := range b.changes {
		known, err := k.version(c, b.station)
		if err != nil {
			return err
		}
		if known.version != c.version-1 {
			return leyden.ErrStale
		}
	}
	next, posted := k.book.Last()+1, k.postedUpTo()
	for i := range b.changes {
		c := &b.changes[i]
		c.was, c.had = k.known.get(c.id)
		k.known.put(c.id, version{b.station, c.version, next}, posted)
	}
	return nil
}

// takeBack ends that the changes of bookings are known, which were not written.
func (k *bookkeeper) takeBack(batch []*booking) {
	for _, b := range slices.Backward(batch) {
		if b == nil || b.stamp == 0 {
			continue
		}
		for _, c := range b.changes {
			k.known.forget(c.id)
			if c.had {
				k.known.put(c.id, c.was, 0)
			}
		}
	}
}

// failing returns why nothing is booked: what is not posted may not be for long.
func (k *bookkeeper) failing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.trouble
}

// version returns what is stored of the transaction of a change. A new one of an
// entry that is fresh has nothing.
func (k *bookkeeper) version(c changed, s leyden.StationID) (version, error) {
	const lookUp = `SELECT version, station FROM transactions WHERE id = ?1`
	known, ok := k.known.get(c.id)
	if !ok && c.version > 1 {
		err := each(k.read, lookUp, func(b *binder) { b.int(int64(c.id)) }, func(r *row) error {
			known.version, known.station = int(r.int()), leyden.StationID(r.text())
			return nil
		})
		if err != nil {
			return known, err
		}
	}
	if known.version > 0 && known.station != s {
		return known, fmt.Errorf("transaction %d is not of station %s: %w", c.id, s, leyden.ErrInvalid)
	}
	return known, nil
}

// write makes entries durable. After an error none of them counts.
func (k *bookkeeper) write(entries []byte, batch []*booking) error {
	if len(entries) == 0 {
		return nil
	}
	number, err := k.book.Write(entries)
	if err != nil {
		k.takeBack(batch)
		k.db.stats.failures.Add(1)
		k.err.Store(&err)
		k.db.noteFault(err)
		return unavailable(err)
	}
	k.err.Store(nil)
	k.mu.Lock()
	wake := len(k.pending) == 0 || k.unposted < postBytes && k.unposted+len(entries) >= postBytes
	k.pending = append(k.pending, record{number, entries})
	k.unposted += len(entries)
	k.last = number
	for _, b := range batch {
		if b != nil && b.stamp != 0 {
			k.stations[b.station] = number
		}
	}
	k.mu.Unlock()
	if wake { // otherwise it knows when to post
		k.db.writer.wakeUp()
	}
	return nil
}

// doubt returns why it is not known whether entries that failed may turn up after a
// crash, or nil: until it is, nothing that they would contradict may be written.
func (k *bookkeeper) doubt() error {
	if err := k.db.refusal(); err != nil || k.err.Load() == nil {
		return err
	}
	err := k.book.Settle()
	k.db.noteFault(err)
	return unavailable(err)
}

// buffer returns one for the entries of a batch, as many as share a record.
func (k *bookkeeper) buffer(batch []*booking) (b []byte) {
	k.mu.Lock()
	if last := len(k.buffers) - 1; last >= 0 {
		b, k.buffers = k.buffers[last][:0], k.buffers[:last]
		k.spared -= cap(b)
	}
	k.mu.Unlock()
	size := 0
	for _, b := range batch {
		if b != nil && size < maxRecord {
			size += len(b.b)
		}
	}
	return slices.Grow(b, size)
}

// spareBuffer takes the buffer of a record back that nobody reads any more. It is
// called with mu held. A pool would lose them with every garbage collection, of which
// there are several while a record waits to be posted.
func (k *bookkeeper) spareBuffer(b []byte) {
	if cap(b) > 0 && cap(b) <= 2*maxRecord && k.spared+cap(b) <= postBytes {
		k.buffers = append(k.buffers, b)
		k.spared += cap(b)
	}
}

// stop ends the bookkeeper once everything in its queue is booked.
func (k *bookkeeper) stop() {
	k.mu.Lock()
	k.stopped = true
	k.work.Signal()
	k.mu.Unlock()
	<-k.gone
}
