package apiv1

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/feed"
	"leyden/rest"
)

const (
	tagChanges = "Changes"

	// latest as the place to begin is where the next change will be.
	latest = "latest"
	// maxWait is how long GET /changes waits at most, and changesTimeout how long
	// it takes at most.
	maxWait        = 60 * time.Second
	changesTimeout = maxWait + rest.RequestTimeout
	// readmitAfter is for how long one who follows is known to be allowed to.
	readmitAfter = time.Second
	// maxReads is how many pages are read for a reply: filters may drop all that
	// is in them.
	maxReads = 25
)

type changesInput struct {
	After         string   `query:"after" pattern:"^([0-9]{1,18}|latest)$" patternDescription:"a seq, or latest" doc:"Only changes after this seq: the lastSeq of the reply before. latest begins with what comes next. Without it, with the oldest change that is kept."`
	Limit         int      `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many at most."`
	Wait          int      `query:"wait" default:"0" minimum:"0" maximum:"60" doc:"For how many seconds to wait when there is none yet."`
	Events        []string `query:"events" enum:"transaction.pending,transaction.started,transaction.updated,transaction.stopping,transaction.stopped,transaction.failed,transaction.expired,transaction.cancelled,transaction.corrected,frame.quarantined,charger.connected,charger.disconnected,charger.boot,connector.status_changed" doc:"Only these, with commas between them."`
	ChargeBoxID   string   `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	TransactionID string   `query:"transactionId" pattern:"^([0-9]+|txn_[A-Za-z0-9_-]{1,64})$" patternDescription:"a number, or an id that begins with txn_" doc:"Only those of this transaction."`
}

type changeList struct {
	Events  []rawEvent `json:"events" doc:"By seq. Whoever asks twice may get the same twice, and never misses one."`
	LastSeq int64      `json:"lastSeq" doc:"What to give as after next, also when events is empty: up to it all was looked at." example:"1017"`
}

// A follower reads what one client wants to know, and may.
type follower struct {
	api     *api
	query   feed.Query
	asked   []string         // topics; none: all
	station leyden.StationID // that was asked for; "" for all
	path    TransactionPath  // that was asked for
	owner   leyden.StationID // of that transaction; "" for none
	seenAt  time.Time        // when it was last looked at whether the client may
	// wanted reports whether a transaction is among those that are followed; nil
	// for all, and changes that are of none.
	wanted func(*leyden.Transaction) bool
	ending bool // the feed has ended
}

func (a *api) serveChanges() {
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/changes", ID: "v1ListChanges", Tag: tagChanges,
		Summary: "Follow changes",
		Description: "All that happens to transactions and chargers, in the order in which it was committed. Give the `lastSeq` of each reply " +
			"as `after` of the next, also over restarts of either side: no change is missed. With `wait` the reply comes as soon as there is a " +
			"change (long poll).\n\n" +
			"Changes are kept for a week unless the operator says otherwise. 410 `GONE` says that not all that follow `after` are there any more, " +
			"with `oldestSeq` in its details.\n\n" +
			"Events of chargers need the scope chargers:read too; without it they are left out. " +
			"`data` of a transaction is the transaction as the change left it; of `transaction.updated`, as it is now.",
		Scope: auth.TransactionsRead, Limited: true, Errors: []int{http.StatusNotFound, http.StatusGone}, Timeout: changesTimeout, Lasting: true,
	}, a.listChanges)
	a.serveStream()
}

func (a *api) listChanges(ctx context.Context, in *changesInput) (*bodied[changeList], error) {
	f, err := a.follower(ctx, in)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
	defer cancel()
	out := &bodied[changeList]{changeList{Events: []rawEvent{}}}
	for reads := 1; ; reads++ {
		f.query.Limit = in.Limit - len(out.Body.Events)
		part, more, err := f.next(ctx)
		if err != nil {
			return nil, err
		}
		for i := range part {
			out.Body.Events = append(out.Body.Events, rawEvent{part[i].body})
		}
		out.Body.LastSeq = f.query.After
		if len(out.Body.Events) == in.Limit || reads >= maxReads {
			return out, nil
		}
		if more {
			continue
		}
		if len(out.Body.Events) > 0 || f.wait(waiting) != nil {
			return out, ctx.Err()
		}
		reads = 0
	}
}

// wait waits until there may be something new; not for long, for the client may
// be shut out meanwhile.
func (f *follower) wait(ctx context.Context) error {
	beat, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	err := f.api.Feed.Wait(beat, f.query.After)
	if errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err()
	}
	return err
}

// follower returns what reads what a client asks for, from where it asks for it.
func (a *api) follower(ctx context.Context, in *changesInput) (*follower, error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	f := &follower{api: a, asked: in.Events, station: station}
	if in.TransactionID != "" {
		f.path = TransactionPath{in.TransactionID}
		t, err := a.transaction(ctx, f.path)
		if err != nil {
			return nil, err
		}
		f.query.Transaction, f.owner = t.ID, t.Station
	}
	if err := f.restrict(ctx); err != nil {
		return nil, err
	}
	return f, f.begin(ctx, in.After)
}

// restrict restricts a follower to what the client may see now.
func (f *follower) restrict(ctx context.Context) error {
	topics, err := visibleTopics(ctx, f.asked)
	if err != nil {
		return err
	}
	if f.owner != "" && !rest.PrincipalOf(ctx).Reach.Covers(f.owner) {
		return f.path.notThere()
	}
	f.query.Topics, f.query.Stations, f.seenAt = topics, reachedOf(ctx, f.station), f.api.Ledger.Now()
	return nil
}

// recheck refuses a client that may follow no longer, and restricts the follower
// to what the client may see now. That is looked at once a second at most.
func (f *follower) recheck(ctx context.Context) error {
	if f.api.Ledger.Now().Sub(f.seenAt).Abs() < readmitAfter {
		return nil
	}
	if err := rest.Readmit(ctx); err != nil {
		return err
	}
	return f.restrict(ctx)
}

// reachedOf returns of which chargers a client is told that asks for one, or with
// "" for all: nil for all.
func reachedOf(ctx context.Context, asked leyden.StationID) []leyden.StationID {
	switch {
	case asked == "":
		return reached(ctx)
	case rest.PrincipalOf(ctx).Reach.Covers(asked):
		return []leyden.StationID{asked}
	}
	return []leyden.StationID{}
}

// begin finds the place where a client wants to begin: behind a seq, with what
// comes next, or with "" at the oldest change.
func (f *follower) begin(ctx context.Context, after string) error {
	oldest, last, err := f.api.Feed.Bounds(ctx)
	if err != nil {
		return err
	}
	f.query.After = feed.Oldest
	switch after {
	case "":
	case latest:
		f.query.After = last
	default:
		if f.query.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return rest.Invalid("after", "is no seq")
		}
	}
	f.query.After, err = feed.Begin(f.query.After, oldest, last)
	return err
}

// visibleTopics returns the topics among those that are asked for, or all, that a
// client may see. What it may not see and asks for by name is refused.
func visibleTopics(ctx context.Context, asked []string) ([]string, error) {
	principal := rest.PrincipalOf(ctx)
	var topics []string
	for _, topic := range feed.Topics() {
		named := slices.Contains(asked, topic)
		if len(asked) > 0 && !named {
			continue
		}
		scope := scopeOf(topic)
		if principal.Allow(scope) {
			topics = append(topics, topic)
			continue
		}
		if named {
			return nil, rest.Errorf(http.StatusForbidden, "the credential lacks the scope %s, which %s needs", scope, topic)
		}
	}
	return topics, nil
}

// scopeOf returns what a client must be allowed that shall see a topic.
func scopeOf(topic string) auth.Scope {
	if strings.HasPrefix(topic, "charger.") || strings.HasPrefix(topic, "connector.") {
		return auth.ChargersRead
	}
	return auth.TransactionsRead
}

// A found is a change that a follower wants.
type found struct {
	seq   int64
	topic string
	body  json.RawMessage
}

// next returns the changes of the next page, moves on behind it, and reports
// whether there is more already. It fails if the client may follow no longer.
func (f *follower) next(ctx context.Context) (part []found, more bool, err error) {
	if err := f.recheck(ctx); err != nil {
		return nil, false, err
	}
	page, err := f.api.Feed.Read(ctx, f.query)
	if err != nil {
		return nil, false, err
	}
	for i := range page.Notices {
		n := &page.Notices[i]
		shown, err := f.api.Events.render(ctx, n)
		if err != nil {
			return nil, false, err
		}
		if f.wanted == nil || shown.state != nil && f.wanted(shown.state) {
			part = append(part, found{n.Seq, n.Topic, shown.body})
		}
	}
	f.query.After = page.Last
	return part, page.More, nil
}

// forgotten explains that changes are kept no more.
func forgotten(e *feed.ForgottenError) *rest.Error {
	gone := rest.Errorf(http.StatusGone, "%v", e)
	gone.Details = []rest.Detail{
		{Field: "oldestSeq", Reason: strconv.FormatInt(e.Oldest, 10)}, {Field: "lastSeq", Reason: strconv.FormatInt(e.Last, 10)},
	}
	return gone
}

// asForgotten returns the refusal that err is, if it is about changes that are
// kept no more; nil otherwise.
func asForgotten(err error) *rest.Error {
	if e, ok := errors.AsType[*feed.ForgottenError](err); ok {
		return forgotten(e)
	}
	return nil
}
