package sqlite

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Histogram counts values, as Prometheus does: Counts[i] of them were at most
// Bounds[i].
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Count  uint64
	Sum    float64
}

func newHistogram(bounds ...float64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds))}
}

func (h *Histogram) add(v float64) {
	h.Count++
	h.Sum += v
	for i, bound := range h.Bounds {
		if v <= bound {
			h.Counts[i]++
		}
	}
}

func (h Histogram) clone() Histogram {
	h.Counts = append([]uint64(nil), h.Counts...)
	return h
}

// Stats are the counters of a database since it was opened.
type Stats struct {
	Commits     Histogram // seconds a commit took, with all it wrote
	Batches     Histogram // changes that shared a commit
	Postings    Histogram // seconds it took to post what was committed to the daybook
	Unposted    int       // bytes that stand in the daybook and are not posted
	Failures    uint64    // commits that storage refused
	Waiting     int       // changes in the queue now
	Checkpoints uint64    // how often the write-ahead log was copied into the database
	LogBytes    int64     // length of the write-ahead log at the last commit
}

// counters are where Stats come from.
type counters struct {
	mu          sync.Mutex
	commits     Histogram
	batches     Histogram
	postings    Histogram
	failures    atomic.Uint64
	checkpoints atomic.Uint64
	logBytes    atomic.Int64
}

func newCounters() *counters {
	return &counters{
		commits: newHistogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
		batches: newHistogram(1, 4, 16, 64, 256, maxBatch),

		postings: newHistogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
	}
}

func (c *counters) committed(jobs int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits.add(took.Seconds())
	c.batches.add(float64(jobs))
}

func (c *counters) hasPosted(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postings.add(took.Seconds())
}

// Stats returns the counters as they are now.
func (db *DB) Stats() Stats {
	db.stats.mu.Lock()
	defer db.stats.mu.Unlock()
	return Stats{
		Commits: db.stats.commits.clone(), Batches: db.stats.batches.clone(), Failures: db.stats.failures.Load(),
		Postings: db.stats.postings.clone(), Unposted: db.unposted(),
		Waiting: len(db.writer.jobs), Checkpoints: db.stats.checkpoints.Load(), LogBytes: db.stats.logBytes.Load(),
	}
}
