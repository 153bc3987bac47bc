package sim

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits  = 5                        // 32 buckets for each power of two: 3 % wide
	topBits  = 37                       // up to 2^37 µs, more than a day
	nBuckets = (topBits - 4) << subBits // the first 32 are exact
)

// A histogram counts durations in buckets that grow with them. Any number of
// goroutines may add.
type histogram struct {
	buckets [nBuckets]atomic.Uint64
	sum     atomic.Int64 // µs
	longest atomic.Int64 // µs
}

func (h *histogram) add(d time.Duration) {
	us := min(max(d.Microseconds(), 0), 1<<topBits-1)
	h.buckets[bucketOf(us)].Add(1)
	h.sum.Add(us)
	for {
		old := h.longest.Load()
		if us <= old || h.longest.CompareAndSwap(old, us) {
			return
		}
	}
}

func bucketOf(us int64) int {
	if us < 1<<subBits {
		return int(us)
	}
	shift := bits.Len64(uint64(us)) - subBits - 1
	return shift<<subBits + int(us>>shift)
}

// ceiling returns the largest duration that falls into bucket i.
func ceiling(i int) time.Duration {
	if i < 2<<subBits {
		return time.Duration(i) * time.Microsecond
	}
	shift := i>>subBits - 1
	top := int64(i-shift<<subBits+1) << shift
	return time.Duration(top-1) * time.Microsecond
}

// latency returns what h has counted so far.
func (h *histogram) latency() Latency { return together(h) }

// together returns what some histograms have counted so far.
func together(some ...*histogram) Latency {
	var counts [nBuckets]uint64
	var n uint64
	var sum, longest int64
	for _, h := range some {
		for i := range counts {
			c := h.buckets[i].Load()
			counts[i] += c
			n += c
		}
		sum, longest = sum+h.sum.Load(), max(longest, h.longest.Load())
	}
	l := Latency{Count: int(n), Max: time.Duration(longest) * time.Microsecond}
	if n == 0 {
		return l
	}
	l.Mean = time.Duration(sum/int64(n)) * time.Microsecond
	at := func(share float64) time.Duration {
		want := max(1, uint64(share*float64(n)+0.5))
		for i, c := range counts {
			if c >= want {
				return min(ceiling(i), l.Max)
			}
			want -= c
		}
		return l.Max
	}
	l.P50, l.P90, l.P99, l.P999 = at(0.5), at(0.9), at(0.99), at(0.999)
	return l
}

// A Latency says how long answers took, to 3 %.
type Latency struct {
	Count                          int
	Mean, P50, P90, P99, P999, Max time.Duration
}
