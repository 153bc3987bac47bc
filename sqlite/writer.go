package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

const (
	// maxBatch is how many jobs share a commit at most.
	maxBatch = 1024
	// busyTimeout is how long we wait for another process that writes.
	busyTimeout = 5 * time.Second
)

const (
	beginImmediate = `BEGIN IMMEDIATE`
	commit         = `COMMIT`
	rollbackAll    = `ROLLBACK`
)

var errClosed = fmt.Errorf("the database is closed: %w", leyden.ErrUnavailable)

// A writer owns the one connection that writes. Jobs that arrive while it
// commits share the next commit (group commit): there is no timer, so a lone job
// waits for nobody.
type writer struct {
	db   *DB
	conn *sqlite.Conn // nil after an error of the disk, until the next batch
	jobs chan *job
	wake chan struct{}         // there may be something to post
	stop chan struct{}         // closed by Close: take no new work
	gone chan struct{}         // closed when the writer has ended
	err  atomic.Pointer[error] // why the last commit failed; nil after a good one
	bulk atomic.Bool           // nothing is tallied, see bulk.go

	posted time.Time     // when something was posted last, or could not be
	took   time.Duration // how long that took
	heads  heads
	links  links
	quiet  bool // nothing is in quarantine that waits
}

// A job is a change that shares a commit with others. Its run must not write
// before it is sure not to refuse: a refusal is an error that is no failure of
// the engine, and the rest of the batch goes on after it.
type job struct {
	run    func(*tx) error
	stamps bool // it may stamp final records
	apart  bool // it has nothing to do with what is booked
	state  atomic.Int32
	err    error
	done   chan struct{}
}

const (
	waiting int32 = iota
	taken         // the writer runs it: the caller waits for the end
	dropped       // the caller has left
)

// A tx is the database transaction of a batch.
type tx struct {
	*writer
	c      *sqlite.Conn
	now    int64 // our clock, in microseconds
	stamp  int64 // InsertedAt of what is stamped in this batch, if anything is
	booked bool  // what is written stands in the daybook

	event   int64 // Seq of the last event in this batch
	noticed int64 // Seq of the last notice in this batch; 0: there is none
	rows    map[int64]scanner
	tallies tallies
}

// submit returns when the job has been committed, or refused.
func (w *writer) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return j.leave(ctx.Err())
	case <-w.gone:
		return j.leave(errClosed)
	}
}

// writeApart is write for what comes often and has nothing to do with transactions:
// it does not wait until all is posted that was booked before.
func (db *DB) writeApart(ctx context.Context, what string, run func(*tx) error) error {
	return outward(ctx, what, db.writer.submit(ctx, &job{run: run, apart: true}))
}

// leave takes the job back, or waits for its end if it has begun.
func (j *job) leave(why error) error {
	if j.state.CompareAndSwap(waiting, dropped) {
		return why
	}
	<-j.done
	return j.err
}

// loop posts and commits batches until stop is closed and nothing is left.
func (w *writer) loop() {
	defer close(w.gone)
	batch := make([]*job, 0, maxBatch)
	for more := true; more; {
		batch, more = w.gather(batch[:0])
		resting := rests(batch)
		err := w.post(resting || !more)
		if len(batch) == 0 {
			continue
		}
		if err != nil && resting {
			fail(batch, err) // what they rest on is not there
		} else {
			w.commit(batch)
		}
		for _, j := range batch {
			close(j.done)
		}
		clear(batch)
	}
}

// rests reports whether any of a batch needs that all is posted which was booked
// before it.
func rests(batch []*job) bool {
	return slices.ContainsFunc(batch, func(j *job) bool { return !j.apart })
}

func fail(batch []*job, err error) {
	for _, j := range batch {
		j.err = err
	}
}

// gather returns when there is something to commit or to post, and whether that is
// not the end.
func (w *writer) gather(batch []*job) (_ []*job, more bool) {
	for {
		now, in := w.due()
		if now {
			return w.drain(batch), true
		}
		var timer *time.Timer
		var late <-chan time.Time
		if in > 0 {
			timer = time.NewTimer(in)
			late = timer.C
		}
		select {
		case j := <-w.jobs:
			batch = w.take(batch, j)
		case <-w.wake:
		case <-late:
		case <-w.stop:
			return w.drain(batch), false
		}
		if timer != nil {
			timer.Stop()
		}
		if len(batch) > 0 {
			return w.drain(batch), true
		}
	}
}

// drain adds the jobs that wait now.
func (w *writer) drain(batch []*job) []*job {
	for len(batch) < maxBatch {
		select {
		case j := <-w.jobs:
			batch = w.take(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// take adds a job, unless its caller has left.
func (w *writer) take(batch []*job, j *job) []*job {
	if j.state.CompareAndSwap(waiting, taken) {
		return append(batch, j)
	}
	return batch
}

// commit makes a batch durable and gives every job its result.
func (w *writer) commit(batch []*job) {
	begun := time.Now()
	err := w.attempt(batch)
	if isConstraint(err) && len(batch) > 1 {
		// One of them broke a rule of the schema after it had begun to write.
		// Alone, it can harm nobody else.
		for _, j := range batch {
			w.commit([]*job{j})
		}
		return
	}
	if err != nil {
		w.failed(err)
		for _, j := range batch {
			j.err = err
		}
		return
	}
	w.err.Store(nil)
	w.db.stats.committed(len(batch), time.Since(begun))
	w.db.checkpointer.notice(w.conn)
}

// failed remembers that storage refused a commit, until one succeeds.
func (w *writer) failed(err error) {
	if isConstraint(err) {
		return // the storage is well
	}
	w.db.stats.failures.Add(1)
	w.err.Store(&err)
	w.db.noteFault(err)
}

// attempt runs a batch in one transaction, behind what was booked meanwhile. What
// it returns concerns all of it: nothing was written then.
func (w *writer) attempt(batch []*job) error {
	t, err := w.begin()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(batch, func(j *job) bool { return j.stamps }) {
		// Until the commit can be seen nothing is booked, or a question by InsertedAt
		// could miss it.
		t.stamp = w.db.gate.enter(t.now)
		defer w.db.gate.leave()
	}
	var rest []record
	if rests(batch) {
		rest = w.toPost(math.MaxInt)
	}
	if err := t.postAll(rest); err != nil {
		return unavailable(w.abandon(err))
	}
	for _, j := range batch {
		j.err = j.run(t)
		if isFailure(j.err) {
			return w.abandon(j.err)
		}
	}
	if err := w.finish(t); err != nil {
		return err
	}
	w.havePosted(rest)
	return nil
}

// begin begins a transaction.
func (w *writer) begin() (*tx, error) {
	if err := w.db.refusal(); err != nil {
		return nil, err
	}
	if err := w.connect(); err != nil {
		return nil, err
	}
	t := &tx{writer: w, c: w.conn, now: w.db.now().UnixMicro(), rows: make(map[int64]scanner)}
	if err := exec(w.conn, beginImmediate, nil); err != nil {
		return nil, w.abandon(err)
	}
	return t, nil
}

// finish commits.
func (w *writer) finish(t *tx) error {
	if err := errors.Join(t.seal(), w.tally(t)); err != nil {
		return w.abandon(err)
	}
	if err := exec(w.conn, commit, nil); err != nil {
		return w.abandon(err)
	}
	w.db.tellNotices(t.noticed)
	return nil
}

// tally writes what the batch changes of the tallies.
func (w *writer) tally(t *tx) error {
	if w.bulk.Load() {
		return nil
	}
	return t.tallies.write(t.c)
}

func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	c, err := w.db.openWriter()
	if err != nil {
		return unavailable(err)
	}
	w.conn = c
	return nil
}

// abandon rolls back. After anything but a full disk or a broken rule the
// connection itself is in doubt, and the next batch opens another.
func (w *writer) abandon(err error) error {
	w.heads, w.links, w.quiet = heads{}, links{}, false
	err = rollback(w.conn, err)
	code := sqlite.ErrCode(err).ToPrimary()
	if isConstraint(err) || code == sqlite.ResultFull || code == sqlite.ResultBusy {
		return err
	}
	if closeErr := w.conn.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	w.conn = nil
	return err
}

// rollback ends a transaction that failed with err, and returns err. The engine
// may have rolled back by itself.
func rollback(c *sqlite.Conn, err error) error {
	if c.AutocommitEnabled() {
		return err
	}
	if backErr := exec(c, rollbackAll, nil); backErr != nil {
		return errors.Join(err, backErr)
	}
	return err
}

// end ends the writer once everything in its queue is committed.
func (w *writer) end() {
	close(w.stop)
	<-w.gone
}

// close closes the connection of a writer that has ended.
func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	return w.conn.Close()
}
