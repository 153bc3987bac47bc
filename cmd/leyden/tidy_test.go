package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// TestTidy: memory is given back once after many stations came, however often one
// comes or goes, and again after they left and came back.
func TestTidy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		counts := []int{0, 400, 499, 499, 3000, 9000, 9010, 9000, 9009, 20, 20, 8000, 8001, 8001}
		var look int
		var freed []int
		online := func() int {
			look++
			if look == len(counts) {
				cancel()
			}
			return counts[look-1]
		}
		tidy(ctx, online, func() { freed = append(freed, look) })
		if want := []int{7, 13}; !slices.Equal(freed, want) {
			t.Errorf("freed at looks %v, want %v", freed, want)
		}
	})
}
