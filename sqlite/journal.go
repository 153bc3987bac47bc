package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"leyden"
)

const (
	// JournalName is the name of the journal in a data folder.
	JournalName = "journal.db"
	// journalPause is how long a journal that cannot be opened is left alone.
	journalPause = 10 * time.Second
	// journalRound is how often old frames are forgotten while none are written.
	journalRound = time.Minute
)

// JournalOptions say how a journal is opened.
type JournalOptions struct {
	Folder string // the data folder, which must be there
	Limits leyden.JournalLimits
	// ReadOnly is for programs beside a server: they find nothing as long as there
	// is no journal, and write nothing.
	ReadOnly bool
	Now      func() time.Time // nil: [time.Now]
	Log      *slog.Logger     // nil: [slog.Default]
}

// A Journal implements [leyden.Journal] in a file of its own beside the ledger,
// so that neither its writes nor its faults touch the ledger. MaxBytes bounds
// the file; its write-ahead log may take some 16 MiB more.
//
// The file is in WAL mode with synchronous=NORMAL: a commit waits for no disk,
// and a loss of power costs the last seconds but not the file. OFF would save two
// fsyncs in a thousand pages and could cost all of it, just when somebody wants to
// know what happened before the power went.
//
// A file that is damaged is removed and begins anew. One that cannot be opened or
// written, or that another program or a newer version has written, is left
// alone and tried again later; until then WriteFrames fails.
type Journal struct {
	opt  JournalOptions
	file string
	size atomic.Int64 // bytes of the file that are in use
	odd  atomic.Bool  // a reader met damage

	writing lane
	again   time.Time // not opened before; owned by who is in writing, as all to packer are
	trouble error     // why it could not be opened
	anew    bool      // a damaged one was removed
	rows    bool      // there are frames in rows of their own yet
	packer  packer
	reading lane

	ended chan struct{} // closed when rounds are over
	stop  context.CancelFunc
}

var _ leyden.Journal = (*Journal)(nil)

// A lane lets one caller at a time use a connection.
type lane struct {
	turn   chan struct{}
	conn   *sqlite.Conn // nil while there is none
	closed bool
}

func newLane() lane { return lane{turn: make(chan struct{}, 1)} }

func (l *lane) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.closed {
		l.leave()
		return errClosed
	}
	return nil
}

func (l *lane) leave() { <-l.turn }

// disconnect closes the connection, whoever is inside.
func (l *lane) disconnect() error {
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	return err
}

// close waits for its turn and ends the lane.
func (l *lane) close() error {
	l.turn <- struct{}{}
	defer l.leave()
	l.closed = true
	return l.disconnect()
}

// OpenJournal opens the journal in a data folder, and makes it when there is
// none. It never fails: what is wrong with the file is logged, and tried again
// as frames are written.
func OpenJournal(ctx context.Context, opt JournalOptions) *Journal {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	opt.Limits = opt.Limits.OrDefaults()
	j := &Journal{
		opt: opt, file: filepath.Join(opt.Folder, JournalName), writing: newLane(), reading: newLane(),
		ended: make(chan struct{}), stop: func() {},
	}
	if opt.ReadOnly {
		close(j.ended)
		return j
	}
	if err := j.WriteFrames(ctx, nil); err != nil {
		opt.Log.Error("journal cannot be used", "file", j.file, "err", err)
	}
	rounds, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.stop = stop
	go j.rounds(rounds)
	return j
}

// rounds forgets old frames also while nobody writes.
func (j *Journal) rounds(ctx context.Context) {
	defer close(j.ended)
	ticker := time.NewTicker(journalRound)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if err := j.WriteFrames(ctx, nil); err != nil && ctx.Err() == nil {
			j.opt.Log.Warn("old frames are not forgotten", "file", j.file, "err", err)
		}
	}
}

// Size returns how many bytes of the file are in use, as of the last write.
func (j *Journal) Size() int64 { return j.size.Load() }

// Close closes the file. Later calls of other methods fail.
func (j *Journal) Close() error {
	j.stop()
	<-j.ended
	return errors.Join(j.reading.close(), j.writing.close())
}

// WriteFrames implements [leyden.Journal].
func (j *Journal) WriteFrames(ctx context.Context, frames []leyden.Frame) error {
	if j.opt.ReadOnly {
		return errNotServing
	}
	if err := j.writing.enter(ctx); err != nil {
		return err
	}
	defer j.writing.leave()
	err := errDamaged
	if !j.odd.Swap(false) {
		err = j.write(ctx, frames)
	}
	if isDamage(err) {
		if err = j.renew(ctx, err); err == nil {
			err = j.write(ctx, frames)
		}
	}
	return outward(ctx, "journal", err)
}

// errDamaged says that a reader met damage.
var errDamaged = errors.New("parts of the file cannot be read")

func isDamage(err error) bool {
	code := sqlite.ErrCode(err).ToPrimary()
	return err == errDamaged || isFailure(err) && (code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB)
}

// write keeps frames in one transaction, and forgets what is beyond the limits.
func (j *Journal) write(ctx context.Context, frames []leyden.Frame) error {
	if err := j.connect(); err != nil {
		return err
	}
	c := j.writing.conn
	c.SetInterrupt(ctx.Done())
	err := exec(c, beginImmediate, nil)
	if err == nil {
		err = j.change(c, frames)
	}
	if err == nil {
		err = exec(c, commit, nil)
	}
	if err == nil {
		err = j.shrink(c)
	}
	c.SetInterrupt(nil)
	if err == nil {
		return nil
	}
	err = rollback(c, err)
	j.rows = true // maybe again
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultBusy, sqlite.ResultInterrupt:
		return err
	}
	return errors.Join(err, j.writing.disconnect()) // the connection itself is in doubt
}

// change makes room for frames and inserts them.
func (j *Journal) change(c *sqlite.Conn, frames []leyden.Frame) error {
	if err := j.forgetOld(c); err != nil {
		return err
	}
	if len(frames) > 0 {
		if err := j.insert(c, frames); err != nil {
			return err
		}
	}
	used, err := j.used(c)
	j.size.Store(used)
	return err
}

func (j *Journal) insert(c *sqlite.Conn, frames []leyden.Frame) error {
	last, err := lastFrame(c)
	if err != nil {
		return err
	}
	p := &j.packer
	p.conn, p.last, p.limit = c, last, j.opt.Limits.MaxBytes
	p.room = func(need int64) error { return j.makeRoom(c, need) }
	return p.pack(frames)
}

// connect opens the file for writing, unless it is open.
func (j *Journal) connect() error {
	if j.writing.conn != nil {
		return nil
	}
	if now := j.opt.Now(); now.Before(j.again) && j.again.Sub(now) <= journalPause {
		return j.trouble
	}
	c, err := j.openFile()
	if err != nil {
		j.again, j.trouble = j.opt.Now().Add(journalPause), err
		return err
	}
	j.writing.conn, j.again = c, time.Time{}
	return nil
}

func (j *Journal) openFile() (*sqlite.Conn, error) {
	f, err := os.OpenFile(j.file, os.O_RDWR|os.O_CREATE, 0o600) // what stations say is not for everybody
	if err != nil {
		return nil, failed(err)
	}
	if err := f.Close(); err != nil {
		return nil, failed(err)
	}
	c, err := openConn(j.file, sqlite.OpenReadWrite, []setting{
		{`PRAGMA auto_vacuum = INCREMENTAL`, ""}, // counts only before anything else is written
		{`PRAGMA journal_mode = WAL`, "wal"},
		{`PRAGMA synchronous = NORMAL`, ""},
		{`PRAGMA wal_autocheckpoint = 3000`, "3000"},
		{`PRAGMA journal_size_limit = 16777216`, "16777216"},
		{`PRAGMA cache_size = -16384`, ""}, // 16 MiB
		{`PRAGMA temp_store = MEMORY`, ""},
	})
	if err != nil {
		return nil, err
	}
	_, scripts, err := journalSchema().pending(c, j.file)
	if err == nil && len(scripts) > 0 {
		err = journalSchema().migrate(c, j.file, nil)
	}
	if err == nil && j.anew {
		err = goOn(c, j.opt.Now())
	}
	if err == nil {
		j.rows, err = hasRows(c)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	j.anew = false
	return c, nil
}

// goOn numbers the frames of a journal that begins anew above those of the one
// before, of which no more is known than that it had less than a thousand a
// second since 1970.
func goOn(c *sqlite.Conn, now time.Time) error {
	const seed = `INSERT INTO sqlite_sequence (name, seq) VALUES ('blocks', ?1)`
	return exec(c, seed, func(b *binder) { b.int(now.UnixMilli()) })
}

// renew removes a file that is damaged.
func (j *Journal) renew(ctx context.Context, damage error) error {
	j.opt.Log.ErrorContext(ctx, "journal is damaged and begins anew", "file", j.file, "err", damage)
	if err := j.reading.enter(ctx); err != nil {
		return err
	}
	defer j.reading.leave()
	err := errors.Join(j.writing.disconnect(), j.reading.disconnect())
	if err != nil {
		j.opt.Log.WarnContext(ctx, "damaged journal did not close", "file", j.file, "err", err)
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(j.file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failed(fmt.Errorf("damaged journal: %w", err))
		}
	}
	j.anew, j.again = true, time.Time{}
	return nil
}
