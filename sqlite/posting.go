package sqlite

import (
	"slices"
	"time"

	"leyden"
)

const (
	// postEvery is how often the daybook is posted at least, and postShare which part
	// of the time that may take: while little is booked it is posted at once, while
	// much is, what happens to a transaction in between is written once. Who reads
	// does not wait for it.
	postEvery = time.Second
	postShare = 8
	// postSoon is how long those who follow the ledger wait at most.
	postSoon = 200 * time.Millisecond
	// postBytes is how much is posted in one commit.
	postBytes = 24 << 20
	// postAgain is how long after a failure posting is tried again.
	postAgain = 500 * time.Millisecond
)

// wakeUp has the writer look whether there is something to post.
func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// due reports whether it is time to post, or when it will be; 0: there is nothing.
func (w *writer) due() (now bool, in time.Duration) {
	k := w.db.book
	if k == nil {
		return false, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	every := min(postEvery, postShare*w.took)
	if len(k.waiting) > 0 {
		every = min(every, postSoon)
	}
	switch {
	case len(k.pending) == 0:
		return false, 0
	case k.trouble != nil:
		every = postAgain
	case k.unposted >= postBytes || slices.ContainsFunc(k.waiting, func(w waiter) bool { return w.hurry }):
		return true, 0
	}
	if in = every - time.Since(w.posted); in > 0 {
		return false, in
	}
	return true, 0
}

// post posts what is due: all that is booked by now if that is wanted, else as much
// as one commit takes.
func (w *writer) post(all bool) error {
	if now, _ := w.due(); !now && !all {
		return nil
	}
	upTo := w.booked()
	for w.db.book != nil && w.db.book.postedUpTo() < upTo {
		if err := w.postSome(); err != nil {
			w.failed(err)
			w.db.book.cannotPost(err)
			return err
		}
		if !all {
			break
		}
	}
	return nil
}

// booked returns the number of the last record.
func (w *writer) booked() uint64 {
	if w.db.book == nil {
		return 0
	}
	w.db.book.mu.Lock()
	defer w.db.book.mu.Unlock()
	return w.db.book.last
}

// postSome posts records in a commit of their own.
func (w *writer) postSome() error {
	begun := time.Now()
	records := w.toPost(postBytes)
	if len(records) == 0 {
		return nil
	}
	defer func() { w.posted, w.took = time.Now(), time.Since(begun) }()
	t, err := w.begin()
	if err != nil {
		return err
	}
	if err := t.postAll(records); err != nil {
		return unavailable(w.abandon(err))
	}
	if err := w.finish(t); err != nil {
		return unavailable(err)
	}
	w.err.Store(nil)
	w.havePosted(records)
	w.db.stats.hasPosted(time.Since(begun))
	w.db.checkpointer.notice(w.conn)
	return nil
}

func (w *writer) toPost(bytes int) []record {
	if w.db.book == nil {
		return nil
	}
	return w.db.book.toPost(bytes)
}

// havePosted notes that records stand in the tables: the daybook need not keep them.
func (w *writer) havePosted(records []record) {
	if len(records) == 0 {
		return
	}
	k := w.db.book
	k.havePosted(records)
	if w.db.refusal() != nil {
		return
	}
	if err := k.book.Forget(k.postedUpTo()); err != nil {
		w.db.noteFault(err)
		w.db.opt.Log.Warn("old files of the daybook are in the way", "err", err)
	}
}

// postAll writes what records hold.
func (t *tx) postAll(records []record) error {
	if len(records) == 0 {
		return nil
	}
	const posted = `UPDATE meta SET value = ?1 WHERE name = 'posted'`
	t.booked = true
	var told []scanner
	for _, r := range records {
		for rest := r.entries; len(rest) > 0; {
			var entry scanner
			var err error
			if entry, rest, err = nextEntry(rest); err != nil {
				return failed(err)
			}
			if err := t.facts(&entry); err != nil {
				return err
			}
			told = append(told, entry)
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.announceAll(told); err != nil {
		return err
	}
	t.booked = false
	return exec(t.c, posted, func(b *binder) { b.int(int64(records[len(records)-1].number)) })
}

// announceAll writes the notices of entries. Of those that a transaction was updated
// the last is enough: whoever reads them finds it as it is by then.
func (t *tx) announceAll(entries []scanner) error {
	last := make(map[int64]int64)
	for _, s := range entries {
		for range s.count() {
			if n := s.notice(); n.topic == leyden.TopicUpdated {
				last[n.transaction] = n.version
			}
		}
	}
	for _, s := range entries {
		for range s.count() {
			ahead := s
			if n := ahead.notice(); n.topic == leyden.TopicUpdated && last[n.transaction] != n.version {
				s = ahead
				continue
			}
			if err := t.insertNotice(&s); err != nil {
				return err
			}
		}
	}
	return nil
}
