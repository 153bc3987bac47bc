package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/feed"
)

const (
	// followPoll is how often the data folder is looked at.
	followPoll = 250 * time.Millisecond
	// followWait is how long a server is asked to wait for a change, in seconds, and
	// followTimeout how long its answer may take.
	followWait    = 30
	followTimeout = 45 * time.Second
	// maxChanges bounds an answer of a server, in bytes.
	maxChanges = 64 << 20
)

// localChanges are those of a data folder.
type localChanges struct {
	db     *folder
	query  feed.Query
	events *apiv1.Renderer
	idle   bool // there was nothing when it last looked
}

func newLocalChanges(f *following, db *folder) *localChanges {
	l := &localChanges{db: db, query: feed.Query{Topics: f.events}, events: apiv1.NewRenderer(db, time.Now)}
	if f.station != "" {
		l.query.Stations = []leyden.StationID{leyden.StationID(f.station)}
	}
	return l
}

func (l *localChanges) next(ctx context.Context, after string) ([]change, int64, error) {
	if l.idle {
		select {
		case <-time.After(followPoll):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	q := l.query
	if err := l.begin(ctx, &q, after); err != nil {
		return nil, 0, err
	}
	page, err := l.db.Notices(ctx, q)
	if _, behind := errors.AsType[*feed.ForgottenError](err); behind {
		return nil, 0, finalError{err}
	}
	if err != nil {
		return nil, 0, err
	}
	l.idle = !page.More
	list := make([]change, len(page.Notices))
	for i := range page.Notices {
		raw, err := l.events.Render(ctx, &page.Notices[i])
		if err == nil {
			list[i], err = readChange(raw)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return list, page.Last, nil
}

func (l *localChanges) begin(ctx context.Context, q *feed.Query, after string) (err error) {
	switch after {
	case fromOldest:
		q.After = feed.Oldest
	case fromLatest:
		_, q.After, err = l.db.NoticeBounds(ctx)
	default:
		q.After, err = strconv.ParseInt(after, 10, 64)
	}
	return err
}

// remoteChanges are those of a server.
type remoteChanges struct {
	base   *url.URL
	key    string
	query  url.Values
	client *http.Client
}

func newRemoteChanges(f *following) (*remoteChanges, error) {
	base, err := serverAddress(f.url)
	if err != nil {
		return nil, err
	}
	if f.key == "" {
		return nil, usagef("--url needs an API key with the scope transactions:read: give it with --key or LEYDEN_KEY")
	}
	r := &remoteChanges{base: base, key: f.key, query: url.Values{"events": {strings.Join(f.events, ",")}}, client: serverClient()}
	if f.station != "" {
		r.query.Set("chargeBoxId", f.station)
	}
	return r, nil
}

func (r *remoteChanges) next(ctx context.Context, after string) ([]change, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	target := r.base.JoinPath("api", "v1", "changes")
	query := url.Values{"wait": {strconv.Itoa(followWait)}}
	if after == fromLatest { // where that is must be known before anything is waited for
		query.Set("wait", "0")
	}
	if after != fromOldest {
		query.Set("after", after)
	}
	target.RawQuery = query.Encode() + "&" + r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, 0, finalError{fmt.Errorf("--url: %w", err)}
	}
	req.Header.Set("X-API-Key", r.key)
	res, err := r.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it quotes the address
		}
		return nil, 0, fmt.Errorf("the server at %s does not answer: %w", r.base.Redacted(), err)
	}
	defer res.Body.Close()
	return r.answered(res)
}

// answered reads what a server answered.
func (r *remoteChanges) answered(res *http.Response) ([]change, int64, error) {
	var said struct {
		Events  []json.RawMessage
		LastSeq int64
		Error   struct{ Message string }
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxChanges))
	if err != nil {
		return nil, 0, fmt.Errorf("answer of the server: %w", err)
	}
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError {
		return nil, 0, fmt.Errorf("the server at %s answers %s", r.base.Redacted(), res.Status)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return nil, 0, finalError{fmt.Errorf("what answers at %s is no leyden (HTTP %d); name its address with --url", r.base.Redacted(), res.StatusCode)}
	}
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusGone:
		return nil, 0, finalError{fmt.Errorf("%s; go on with --after oldest and without the file of --state, and know that what lies between is missing", said.Error.Message)}
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, 0, finalError{fmt.Errorf("the server does not take the key: %s; give one with the scope transactions:read, with --key or LEYDEN_KEY", said.Error.Message)}
	default:
		return nil, 0, finalError{fmt.Errorf("the server answered: %s (HTTP %d)", said.Error.Message, res.StatusCode)}
	}
	list := make([]change, len(said.Events))
	for i := range said.Events {
		if list[i], err = readChange(said.Events[i]); err != nil {
			return nil, 0, finalError{err}
		}
	}
	return list, said.LastSeq, nil
}
