package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leyden"
)

const (
	// MaxPage is how many notices a page holds at most, and what it holds without
	// a Limit.
	MaxPage = 1000
	// MaxLook is how many notices are looked at for a page at most: with a Query
	// that selects few of them a page may be empty although more follow.
	MaxLook = 4 * MaxPage
	// Oldest as the After of a Query begins with the oldest notice that is kept.
	Oldest int64 = -1
)

// Topics returns all topics of notices.
func Topics() []string {
	return []string{
		leyden.TopicPending, leyden.TopicStarted, leyden.TopicUpdated, leyden.TopicStopping, leyden.TopicStopped,
		leyden.TopicFailed, leyden.TopicExpired, leyden.TopicCancelled, leyden.TopicCorrected, leyden.TopicQuarantined,
		leyden.TopicConnected, leyden.TopicDisconnected, leyden.TopicBoot, leyden.TopicStatus,
	}
}

// A Query selects notices. Zero fields do not restrict.
type Query struct {
	After       int64 // only those with a higher Seq; [Oldest]: all that are kept
	Limit       int   // 0, and more: MaxPage
	Topics      []string
	Stations    []leyden.StationID // only of these; nil: of all. An empty list selects nothing
	Transaction leyden.TransactionID
}

// Selects reports whether q selects n, whatever its After and Limit.
func (q *Query) Selects(n *leyden.Notice) bool {
	return (len(q.Topics) == 0 || slices.Contains(q.Topics, n.Topic)) &&
		(q.Stations == nil || slices.Contains(q.Stations, n.Station)) &&
		(q.Transaction == 0 || n.Transaction == q.Transaction)
}

// limit returns how many notices a page of q holds at most.
func (q *Query) limit() int {
	if q.Limit <= 0 || q.Limit > MaxPage {
		return MaxPage
	}
	return q.Limit
}

// A Page is a part of the notices that a Query selects.
type Page struct {
	Notices []leyden.Notice // by Seq
	Last    int64           // all up to this Seq were looked at: the After of the next page
	More    bool            // there is more to look at already
}

// A Collector puts a Page together from notices in the order of their Seq. It is
// for drivers.
type Collector struct {
	query Query
	page  Page
	seen  int
}

// NewCollector returns a Collector for q, whose After is a Seq.
func NewCollector(q Query) *Collector {
	return &Collector{query: q, page: Page{Last: q.After}}
}

// Full reports whether no further notice may be looked at.
func (c *Collector) Full() bool {
	return c.seen == MaxLook || len(c.page.Notices) == c.query.limit()
}

// Look takes up the next notice, of which state and detail may still be missing,
// and reports whether it was selected: [Collector.Newest] is its place then.
func (c *Collector) Look(n leyden.Notice) bool {
	c.seen++
	c.page.Last = n.Seq
	if !c.query.Selects(&n) {
		return false
	}
	c.page.Notices = append(c.page.Notices, n)
	return true
}

// Newest returns where the notice is kept that was selected last.
func (c *Collector) Newest() *leyden.Notice { return &c.page.Notices[len(c.page.Notices)-1] }

// Page returns what was collected; last is the newest Seq that there is.
func (c *Collector) Page(last int64) Page {
	c.page.More = c.page.Last < last
	return c.page
}

// A ForgottenError says that what follows a Seq cannot be told without a gap:
// it was forgotten, or the Seq was never given out by this ledger.
type ForgottenError struct {
	After        int64
	Oldest, Last int64 // what there is; Oldest is above Last when there is nothing
}

// Error implements error.
func (e *ForgottenError) Error() string {
	if e.After > e.Last {
		return fmt.Sprintf("there is no change %d: the newest is %d", e.After, e.Last)
	}
	return fmt.Sprintf("the changes after %d are kept no more: the oldest is %d", e.After, e.Oldest)
}

// Begin returns where a Query begins in notices from oldest to last: the Seq that
// its After stands for, or a [*ForgottenError]. It is for drivers.
func Begin(after, oldest, last int64) (int64, error) {
	if after == Oldest {
		return oldest - 1, nil
	}
	if after < oldest-1 || after > last {
		return 0, &ForgottenError{After: after, Oldest: oldest, Last: last}
	}
	return after, nil
}

// ErrEnded means that the process ends and nobody waits any more.
var ErrEnded = errors.New("the feed has ended")

// A Store keeps notices. The drivers memory and sqlite implement it; package
// storetest says what an implementation must do. Notices are written with
// [leyden.Store] and [leyden.Registry]. All errors but those named and the
// context's own mean that storage failed.
type Store interface {
	// Notices returns notices by Seq that q selects. It fails with a
	// *ForgottenError if not all that follow q.After are there. A notice never
	// appears at or below a Last that was returned.
	Notices(ctx context.Context, q Query) (Page, error)

	// NoticeBounds returns the Seq of the oldest notice that is kept and of the
	// newest that ever was. Without any that is kept the oldest is last + 1.
	NoticeBounds(ctx context.Context) (oldest, last int64, err error)

	// ForgetNotices deletes up to limit notices, the oldest first, up to the first
	// that was made at before or later or whose Seq is above keepAfter. It returns
	// how many.
	ForgetNotices(ctx context.Context, before time.Time, keepAfter int64, limit int) (int, error)

	// OnNotices makes the store call f with the newest Seq after every commit of
	// notices by this process, once they can be read; a later call replaces f. It
	// must return at once and not call the store.
	OnNotices(f func(last int64))
}
