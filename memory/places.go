package memory

import (
	"slices"

	"leyden"
)

// behind returns the part of a sorted list that comes after a place; all of it
// for nil.
func behind[T any](list []T, after *leyden.Cursor, ascending bool, place func(T) leyden.Cursor) []T {
	if after == nil {
		return list
	}
	first := slices.IndexFunc(list, func(item T) bool {
		order := place(item).Compare(*after)
		return order > 0 && ascending || order < 0 && !ascending
	})
	if first < 0 {
		return nil
	}
	return list[first:]
}
