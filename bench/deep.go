package bench

import (
	"context"
	"fmt"
	"time"
)

// Depth is how long the first page of all transactions takes, and one far behind it
// that is reached by cursor.
type Depth struct {
	Page          int     `json:"page"`
	Limit         int     `json:"limit"` // transactions a page has
	First         float64 `json:"firstP50Ms"`
	Deep          float64 `json:"deepP50Ms"`
	DeepOverFirst float64 `json:"deepOverFirst"`
}

// deepRounds is how many pages are timed at either end.
const deepRounds = 200

// Deep goes from page to page of a list, so many pages far.
func (l *Lists) Deep(ctx context.Context, pages, transactions int) (*Depth, error) {
	limit := min(10, transactions/pages)
	if limit < 1 {
		return nil, fmt.Errorf("%d transactions make no %d pages", transactions, pages)
	}
	first := fmt.Sprint("/api/v1/transactions?limit=", limit)
	var begin, end []time.Duration
	for range deepRounds {
		_, took, err := l.get(ctx, first)
		if err != nil {
			return nil, err
		}
		begin = append(begin, took)
	}
	target := first
	for n := 1; n <= pages; n++ {
		reply, took, err := l.get(ctx, target)
		if err != nil {
			return nil, err
		}
		if n > pages-deepRounds {
			end = append(end, took)
		}
		if target = nextOf(reply); target == "" && n < pages {
			return nil, fmt.Errorf("page %d of %d is the last", n, pages)
		}
		if l.OnProgress != nil && n%1000 == 0 {
			l.OnProgress(n, pages)
		}
	}
	d := &Depth{Page: pages, Limit: limit, First: percentile(begin, 50), Deep: percentile(end, 50)}
	d.DeepOverFirst = over(d.Deep, d.First)
	return d, nil
}
