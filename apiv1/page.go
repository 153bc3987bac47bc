package apiv1

import (
	"context"
	"slices"

	"leyden"
	"leyden/rest"
)

// A pagination tells which part of a list a page is.
type pagination struct {
	Total             int    `json:"total" doc:"How many the filters select." example:"1"`
	Limit             int    `json:"limit" doc:"How many a page holds at most." example:"50"`
	Offset            int    `json:"offset" doc:"How many come before this page; 0 where it was asked for with a cursor." example:"0"`
	NextCursor        string `json:"nextCursor,omitempty" doc:"Asks for the next page, as cursor; absent on the last."`
	TotalIsLowerBound bool   `json:"totalIsLowerBound,omitempty" doc:"True when there may be more than total."`
}

// paged shows the page that w asks for of what a store had for its Part, which is
// sorted by place, and of how many.
func paged[T, S any](ctx context.Context, w rest.Window, found []T, total int, place func(*T) leyden.Cursor, present func(*T) S) ([]S, pagination) {
	page, next := rest.Cut(ctx, w, found, place)
	shown := make([]S, len(page))
	for i := range page {
		shown[i] = present(&page[i])
	}
	return shown, pagination{Total: total, Limit: w.Limit, Offset: w.Offset, NextCursor: next}
}

// pageOf returns the page that w asks for of a whole list, which ascends by place.
func pageOf[T any](ctx context.Context, w rest.Window, list []T, place func(*T) leyden.Cursor) ([]T, pagination, error) {
	part, err := w.Part(ctx)
	if err != nil {
		return nil, pagination{}, err
	}
	left := list
	if part.After != nil {
		first := slices.IndexFunc(list, func(item T) bool { return place(&item).Compare(*part.After) > 0 })
		left = list[len(list):]
		if first >= 0 {
			left = list[first:]
		}
	}
	left = left[min(part.Offset, len(left)):]
	page, next := rest.Cut(ctx, w, left[:min(part.Limit, len(left))], place)
	return page, pagination{Total: len(list), Limit: w.Limit, Offset: w.Offset, NextCursor: next}, nil
}

// A numbered item is one of a list, or of those in it that share a place.
type numbered[T any] struct {
	n    int64
	item T
}

// pageByNumber is pageOf for a list that only grows, or is replaced whole: its
// items are known by where they stand.
func pageByNumber[T any](ctx context.Context, w rest.Window, list []T) ([]T, pagination, error) {
	all := make([]numbered[T], len(list))
	for i, item := range list {
		all[i] = numbered[T]{int64(i), item}
	}
	some, p, err := pageOf(ctx, w, all, func(n *numbered[T]) leyden.Cursor { return leyden.Cursor{ID: n.n} })
	return items(some), p, err
}

func items[T any](some []numbered[T]) []T {
	list := make([]T, len(some))
	for i := range some {
		list[i] = some[i].item
	}
	return list
}
