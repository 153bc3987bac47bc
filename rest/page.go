package rest

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"leyden"
)

// A Window is the part of a list of v1 that is asked for. Embed it in the input.
type Window struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many at most."`
	Offset int    `query:"offset" default:"0" minimum:"0" maximum:"2147483647" doc:"How many to leave out at the begin."`
	Format string `query:"format" enum:"csv,ndjson,json,parquet" doc:"All that the filters select, as a file in this form, whatever limit and offset are. Accept can ask for it too."`
	Cursor string `query:"cursor" maxLength:"1000" doc:"Goes on where an earlier page ended: its nextCursor. All other parameters but limit stay as they were; offset does not go with it."`

	ofFile bool // the cursor is ours: what the client gave does not apply
}

// PartOfFile makes w a part of a file: so many rows behind a cursor, or with ""
// from the begin.
func (w *Window) PartOfFile(rows int, cursor string) {
	w.Limit, w.Offset, w.Cursor, w.ofFile = rows, 0, cursor, true
}

// Part returns what to ask a store for: one more than a page holds, so that [Cut]
// can tell whether there are more.
func (w Window) Part(ctx context.Context) (leyden.Slice, error) {
	s := leyden.Slice{Limit: w.Limit + 1, Offset: w.Offset}
	if w.Cursor == "" {
		return s, nil
	}
	if !w.ofFile && Given(ctx, "offset") {
		return s, Invalid("cursor", "does not go with offset")
	}
	after, err := ReadCursor(ctx, w.Cursor)
	s.After = &after
	return s, err
}

// Cut returns the page that w asks for, of what a store had for its Part, and the
// cursor of the next one; "" on the last. The store sorts by place.
func Cut[T any](ctx context.Context, w Window, found []T, place func(*T) leyden.Cursor) (page []T, next string) {
	if len(found) <= w.Limit {
		return found, ""
	}
	return found[:w.Limit], WriteCursor(ctx, place(&found[w.Limit-1]))
}

// PageLink returns a link of RFC 8288 to the request's own path and query with
// some parameters set anew; those set to "" are left out. It is relative to the
// host that was asked.
func PageLink(ctx context.Context, rel string, set map[string]string) string {
	r := replyOf(ctx).request
	if r.URL == nil {
		return ""
	}
	query := url.Values{}
	maps.Copy(query, r.URL.Query())
	for name, value := range set {
		query.Set(name, value)
		if value == "" {
			query.Del(name)
		}
	}
	return fmt.Sprintf("<%s?%s>; rel=%q", r.URL.EscapedPath(), query.Encode(), rel)
}

// JoinLinks makes one Link header of several links; empty ones are left out.
func JoinLinks(links ...string) string {
	var some []string
	for _, link := range links {
		if link != "" {
			some = append(some, link)
		}
	}
	return strings.Join(some, ", ")
}
