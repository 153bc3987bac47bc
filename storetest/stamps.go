package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"leyden"
)

// stamped returns an entry that completes a new transaction.
func stamped(id leyden.TransactionID) *leyden.Entry {
	tx := transaction(id)
	tx.Status, tx.Revision = leyden.Completed, 1
	e := with(entry(tx), fmt.Sprint("end ", id))
	e.Transactions[0].Stamp = true
	return e
}

func stamps(t *testing.T, s leyden.Store) {
	before := time.Now().Truncate(time.Microsecond)
	var last time.Time
	for id := range leyden.TransactionID(20) {
		e := stamped(id + 1)
		mustAppend(t, s, e)
		at := e.Transactions[0].Transaction.InsertedAt
		if at.Before(before) || at.After(time.Now()) || at.Before(last) || !at.Equal(at.Truncate(time.Microsecond)) {
			t.Fatalf("InsertedAt %v; want microseconds, between %v and now, not before %v", at, before, last)
		}
		same(t, "stored stamp", must[leyden.Transaction](t)(s.Transaction(t.Context(), id+1)).InsertedAt, at)
		last = at
	}
	e := entry(must[leyden.Transaction](t)(s.Transaction(t.Context(), 1)))
	e.Transactions[0].Stamp = true
	e.Transactions[0].Transaction.Version, e.Transactions[0].Transaction.Revision = 2, 2
	mustAppend(t, s, e)
	kept := e.Transactions[0].Transaction
	if kept.InsertedAt.Before(last) {
		t.Errorf("InsertedAt of a revision is %v, before %v", kept.InsertedAt, last)
	}
	same(t, "stored revision", must[leyden.Transaction](t)(s.Transaction(t.Context(), 1)), kept)
	kept.Version = 3
	mustAppend(t, s, entry(kept))
	same(t, "stamp of an unstamped change", must[leyden.Transaction](t)(s.Transaction(t.Context(), 1)).InsertedAt, kept.InsertedAt)
}

// windowsWithoutGaps walks [t0,t1), [t1,t2) … by InsertedAt while others append:
// it sees every record exactly once.
func windowsWithoutGaps(t *testing.T, s leyden.Store) { pollWhileAppending(t, s, time.Now) }

// RunClock tests stores whose clock is now, with a clock that is set back.
func RunClock(t *testing.T, open func(t *testing.T, now func() time.Time) leyden.Store) {
	t.Run("StampsNeverDecrease", func(t *testing.T) {
		c := &clock{step: time.Second}
		s := open(t, c.now)
		var last time.Time
		for id := range leyden.TransactionID(50) {
			c.back(time.Duration(id%7) * time.Second)
			e := stamped(id + 1)
			mustAppend(t, s, e)
			at := e.Transactions[0].Transaction.InsertedAt
			if at.Before(last) {
				t.Fatalf("InsertedAt %v after %v", at, last)
			}
			last = at
		}
	})
	t.Run("AnsweredWindowsStayClosed", func(t *testing.T) {
		c := &clock{step: time.Second}
		s := open(t, c.now)
		for id := range leyden.TransactionID(10) {
			to := c.now()
			must[leyden.Page](t)(s.Transactions(t.Context(), leyden.Query{Inserted: leyden.Window{To: to}}))
			c.back(time.Minute)
			e := stamped(id + 1)
			mustAppend(t, s, e)
			if at := e.Transactions[0].Transaction.InsertedAt; at.Before(to) {
				t.Fatalf("InsertedAt %v lies in a window that was answered up to %v", at, to)
			}
		}
	})
	t.Run("WindowsWithoutGaps", func(t *testing.T) {
		c := &clock{step: time.Microsecond, jumpy: true}
		// Who asks has a clock of his own, and it may be behind the store's but
		// never ahead: nobody can answer for what is still to come.
		pollWhileAppending(t, open(t, c.now), func() time.Time { return c.now().Add(-jump * c.step) })
	})
}

// jump is by how many steps a jumpy clock is set back.
const jump = 20

// A clock goes on by step at each reading, and when it is jumpy sometimes back.
type clock struct {
	mu    sync.Mutex
	step  time.Duration
	jumpy bool
	n     int
	t     time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t.IsZero() {
		c.t = base
	}
	c.n++
	c.t = c.t.Add(c.step)
	if c.jumpy && c.n%50 == 0 {
		c.t = c.t.Add(-jump * c.step)
	}
	return c.t
}

func (c *clock) back(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(-d)
}

func pollWhileAppending(t *testing.T, s leyden.Store, now func() time.Time) {
	const routines, each = 8, 60
	var wg sync.WaitGroup
	for r := range routines {
		wg.Go(func() {
			for i := range each {
				if err := s.Append(t.Context(), stamped(leyden.TransactionID(r*each+i+1))); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	stopped := make(chan struct{})
	go func() { wg.Wait(); close(stopped) }()

	seen := make(map[leyden.TransactionID]int)
	poll := func(w leyden.Window) {
		page, err := s.Transactions(t.Context(), leyden.Query{Inserted: w, Order: leyden.ByInserted})
		if err != nil {
			t.Errorf("Transactions: %v", err)
		}
		for _, tx := range page.Transactions {
			seen[tx.ID]++
		}
	}
	var from time.Time
	for running := true; running; {
		select {
		case <-stopped:
			running = false
		default:
		}
		to := now()
		if !to.After(from) {
			continue // the clock was set back: nothing new to ask for
		}
		poll(leyden.Window{From: from, To: to})
		from = to
	}
	poll(leyden.Window{From: from})
	if len(seen) != routines*each {
		t.Errorf("%d of %d records were seen", len(seen), routines*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("record %d was seen %d times", id, n)
		}
	}
}
