package rest

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// A Window is the limit and offset of a list of v1. Embed it in the input.
type Window struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"How many at most."`
	Offset int    `query:"offset" default:"0" minimum:"0" maximum:"2147483647" doc:"How many to leave out at the begin."`
	Format string `query:"format" enum:"csv,ndjson,json,parquet" doc:"All that the filters select, as a file in this form, whatever limit and offset are. Accept can ask for it too."`
}

// PageLink returns a link of RFC 8288 to the request's own path and query with
// some parameters set anew. It is relative to the host that was asked.
func PageLink(ctx context.Context, rel string, set map[string]string) string {
	r := replyOf(ctx).request
	if r.URL == nil {
		return ""
	}
	query := url.Values{}
	maps.Copy(query, r.URL.Query())
	for name, value := range set {
		query.Set(name, value)
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
