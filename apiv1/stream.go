package apiv1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	contentEvents = "text/event-stream"
	// heartbeat is how often a stream on which nothing happens says so.
	heartbeat = 15 * time.Second
	// streamPage is how many events are written at a time: what a slow reader takes
	// of our memory.
	streamPage = 100
	// streamRetry is after how many milliseconds a client shall come back.
	streamRetry = 2000
)

type streamInput struct {
	TransactionFilter
	Events      []string `query:"events" enum:"transaction.pending,transaction.started,transaction.updated,transaction.stopping,transaction.stopped,transaction.failed,transaction.expired,transaction.cancelled,transaction.corrected" doc:"Only these, with commas between them."`
	LastEventID string   `header:"Last-Event-ID" doc:"The id of the last event that was received: what comes after it is sent."`
	LastEvent   string   `query:"lastEventId" pattern:"^[0-9]{1,18}$" patternDescription:"a seq" doc:"The same, for clients that cannot send the header, which goes before it."`
	After       string   `query:"after" pattern:"^([0-9]{1,18}|latest)$" patternDescription:"a seq, or latest" doc:"Where to begin at first. Without any of the three, with what comes next."`
}

type streamOutput struct {
	rest.Stream
	Buffering string `header:"X-Accel-Buffering" enum:"no" doc:"Tells proxies not to gather the stream before they pass it on."`
}

func (a *api) serveStream() {
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/transactions/stream", ID: "v1StreamTransactions", Tag: tagChanges,
		Summary: "Stream transactions as they change",
		Description: "Server-sent events: `id` is the seq of the change, `event` what happened, `data` the same JSON object as in `GET /changes`. " +
			"A client that comes back with `Last-Event-ID` misses nothing; 410 `GONE` says that not all that follow it are there any more.\n\n" +
			"The filters are those of the list of transactions, and look at the transaction as `data` shows it; void ones are shown unless `status` says otherwise. " +
			"A comment comes every 15 seconds when nothing happens. A client that takes nothing for half a minute is given up, and can come back. " +
			"The stream ends when the credential does.",
		Scope: auth.TransactionsRead, Limited: true, Errors: []int{http.StatusGone}, Streams: []string{contentEvents}, Timeout: -1, Lasting: true,
	}, a.streamTransactions)
}

func (a *api) streamTransactions(ctx context.Context, in *streamInput) (*streamOutput, error) {
	f, err := a.transactionFollower(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &streamOutput{Buffering: "no"}
	out.Send(contentEvents, func(w rest.StreamWriter) error { return f.stream(ctx, w) })
	return out, nil
}

// transactionFollower returns what reads the changes of transactions that a
// client asks for.
func (a *api) transactionFollower(ctx context.Context, in *streamInput) (*follower, error) {
	q, err := a.query(ctx, &listTransactionsInput{TransactionFilter: in.TransactionFilter})
	if err != nil {
		return nil, err
	}
	if len(q.Statuses) == 0 {
		for s := leyden.Pending; s <= leyden.Void; s++ {
			q.Statuses = append(q.Statuses, s)
		}
	}
	f := &follower{api: a, station: q.Station, asked: in.Events}
	q.Within = nil // what the credential reaches is looked at again and again
	f.wanted, f.query.Limit = q.Selects, streamPage
	if len(f.asked) == 0 {
		f.asked = slices.DeleteFunc(feed.Topics(), func(topic string) bool { return !strings.HasPrefix(topic, "transaction.") })
	}
	if err := f.restrict(ctx); err != nil {
		return nil, err
	}
	if _, err := strconv.ParseUint(in.LastEventID, 10, 63); in.LastEventID != "" && err != nil {
		return nil, rest.Invalid("Last-Event-ID", "is no seq")
	}
	after := latest
	for _, given := range []string{in.LastEventID, in.LastEvent, in.After} {
		if given != "" {
			after = given
			break
		}
	}
	return f, f.begin(ctx, after)
}

// stream writes events until the client leaves, the server ends, or the client is
// to be told why when it comes back: it has fallen too far behind, or its
// credential ended.
func (f *follower) stream(ctx context.Context, w rest.StreamWriter) error {
	// An id alone is no event, but a client that comes back names it.
	text := fmt.Appendf(nil, "retry: %d\nid: %d\n\n", streamRetry, f.query.After)
	for {
		if err := send(w, text); err != nil {
			return nil // the client left, or takes nothing
		}
		var err error
		if text, err = f.pending(ctx); err != nil {
			return ended(ctx, err)
		}
	}
}

func send(w rest.StreamWriter, text []byte) error {
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Flush()
}

// ended returns what went wrong when a stream ends with err; nil for what must be.
func ended(ctx context.Context, err error) error {
	_, behind := errors.AsType[*feed.ForgottenError](err)
	refused, ok := errors.AsType[*rest.Error](err)
	if ctx.Err() != nil || behind || ok && refused.Status < http.StatusInternalServerError || errors.Is(err, feed.ErrEnded) {
		return nil
	}
	return err
}

// pending returns the next events as they are written, or a sign of life when
// there is none for a while.
func (f *follower) pending(ctx context.Context) ([]byte, error) {
	beat, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	var text bytes.Buffer
	for {
		part, more, err := f.next(ctx)
		if err != nil {
			return nil, err
		}
		for i := range part {
			fmt.Fprintf(&text, "id: %d\nevent: %s\ndata: %s\n\n", part[i].seq, part[i].topic, part[i].body)
		}
		if text.Len() > 0 {
			return text.Bytes(), nil
		}
		if err = beat.Err(); err == nil && !more {
			err = f.api.Feed.Wait(beat, f.query.After)
		}
		if errors.Is(err, feed.ErrEnded) && !f.ending {
			f.ending, err = true, nil // what came meanwhile is written still
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return fmt.Appendf(nil, ": nothing new\nid: %d\n\n", f.query.After), nil
		}
		if err != nil {
			return nil, err
		}
	}
}
