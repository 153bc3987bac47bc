package main

import (
	"fmt"
	"slices"
	"time"
)

// A sample is how long something took, each time.
type sample []time.Duration

func (s *sample) add(d time.Duration) { *s = append(*s, d) }

// percentile returns what p in 100 did not exceed.
func (s sample) percentile(p int) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)-1)*p/100]
}

func (s sample) String() string {
	round := func(p int) time.Duration { return s.percentile(p).Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v", round(50), round(99), round(100))
}
