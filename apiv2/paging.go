package apiv2

import (
	"context"
	"math"
	"slices"
	"strconv"

	"leyden"
	"leyden/rest"
)

// backwards is the Name of a cursor that leads to the page before its place.
const backwards = "backwards"

// place restricts q to the page that is asked for. It asks for one transaction
// more than a page holds, to tell whether there are more; a page before a place
// is read from there, the other way round.
func (in *listInput) place(ctx context.Context, q *leyden.Query) (back bool, err error) {
	q.Limit, q.Offset = in.Limit+1, in.offset()
	if in.Cursor == "" {
		return false, nil
	}
	if rest.Given(ctx, "page") {
		return false, rest.Invalid("cursor", "does not go with page")
	}
	after, err := rest.ReadCursor(ctx, in.Cursor)
	if err != nil {
		return false, err
	}
	back, after.Name = after.Name == backwards, ""
	q.After, q.Ascending = &after, q.Ascending != back
	return back, nil
}

// cut returns the transactions of a page that was found, in order, and the links
// to its neighbours.
func (in *listInput) cut(ctx context.Context, q *leyden.Query, page leyden.Page, back bool) ([]leyden.Transaction, string) {
	found := page.Transactions
	more := len(found) > in.Limit
	found = found[:min(in.Limit, len(found))]
	before, behind := in.Cursor != "" || in.Page > 1, more
	if back {
		slices.Reverse(found)
		before, behind = more, true
	}
	if len(found) == 0 {
		return found, in.linkBack(ctx, page.Total)
	}
	var next, prev string
	if behind {
		next = link(ctx, "next", q.Order.PlaceOf(&found[len(found)-1]))
	}
	if before {
		first := q.Order.PlaceOf(&found[0])
		first.Name = backwards
		prev = link(ctx, "prev", first)
	}
	return found, rest.JoinLinks(next, prev)
}

// linkBack returns the link from beyond the last page to that; "" when there is none.
func (in *listInput) linkBack(ctx context.Context, total int) string {
	if in.Page == 1 {
		return ""
	}
	last := max(1, min(in.Page-1, (total+in.Limit-1)/in.Limit))
	return rest.PageLink(ctx, "prev", map[string]string{"page": strconv.Itoa(last)})
}

func link(ctx context.Context, rel string, place leyden.Cursor) string {
	return rest.PageLink(ctx, rel, map[string]string{"cursor": rest.WriteCursor(ctx, place), "page": ""})
}

// offset returns how many transactions lie on the pages before. A page beyond
// all that can be counted is beyond the last one.
func (in *listInput) offset() int {
	if in.Page-1 > math.MaxInt32/in.Limit {
		return math.MaxInt32
	}
	return (in.Page - 1) * in.Limit
}
