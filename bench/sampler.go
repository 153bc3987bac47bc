package bench

import (
	"os"
	"sync"
	"time"
)

// A sampler tells what the server used while it was measured.
type sampler struct {
	server *server
	span   time.Duration
	also   func() // to call when the measuring begins; may be nil

	mu   sync.Mutex
	from usage
	end  *time.Timer // nil before begin
	to   chan usage
}

// A usage is what processes have used until a moment.
type usage struct {
	server, load  float64 // processor time, in s
	reads, writes float64 // calls of the server
	counts        map[string]float64
	at            time.Time // of counts
}

// begin is called when the measuring begins.
func (s *sampler) begin() {
	if s.also != nil {
		s.also()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from.count(s.server)
	s.from.take(s.server)
	s.to = make(chan usage, 1)
	s.end = time.AfterFunc(s.span, func() { s.to <- s.now() })
}

// now returns what was used until now.
func (s *sampler) now() (u usage) {
	u.take(s.server)
	u.count(s.server)
	return u
}

// take reads what belongs to the span exactly.
func (u *usage) take(s *server) {
	u.server, u.load = processorTime(s.cmd.Process.Pid), processorTime(os.Getpid())
	u.reads, u.writes = s.calls()
}

// count reads what the server counts itself, which takes it a moment.
func (u *usage) count(s *server) { u.counts, u.at = s.metrics(), time.Now() }

// used returns what was used since begin, until span was over.
func (s *sampler) used() usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		return usage{}
	}
	if s.end.Stop() { // all was over before
		return s.now().since(&s.from)
	}
	to := <-s.to
	return to.since(&s.from)
}

// since returns what was used after another moment. Its at is the zero time plus
// the seconds between.
func (u usage) since(before *usage) usage {
	u.server -= before.server
	u.load -= before.load
	u.reads -= before.reads
	u.writes -= before.writes
	counts := make(map[string]float64, len(u.counts))
	for name, n := range u.counts {
		counts[name] = n - before.counts[name]
	}
	u.counts, u.at = counts, time.Time{}.Add(u.at.Sub(before.at))
	return u
}

// rate returns how much a second something was counted.
func (u *usage) rate(name string) float64 {
	return over(u.counts[name], u.at.Sub(time.Time{}).Seconds())
}

// perFrame returns how much of something was counted for each frame that came in.
func (u *usage) perFrame(name string) float64 { return over(u.counts[name], u.counts[countFrames]) }

// Names of what the server counts.
const (
	countFrames  = "leyden_ocpp_frames_received_total"
	countCommits = "leyden_storage_commit_seconds_count"
	countMallocs = "go_memstats_mallocs_total"
	countBytes   = "go_memstats_alloc_bytes_total"
)
