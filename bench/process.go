package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clockTick is the unit of processor time in /proc/PID/stat: a hundredth of a
// second on every Linux that Go runs on.
const clockTick = 0.01

// A sampler tells how much processor time the server used while it was
// measured.
type sampler struct {
	server *server
	span   time.Duration
	also   func() // to call when the measuring begins; may be nil

	mu   sync.Mutex
	from float64
	end  *time.Timer // nil before begin
	to   chan float64
}

// begin is called when the measuring begins.
func (s *sampler) begin() {
	if s.also != nil {
		s.also()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.to = s.server.cpu(), make(chan float64, 1)
	s.end = time.AfterFunc(s.span, func() { s.to <- s.server.cpu() })
}

// used returns how many seconds of processor time the server used since begin,
// until span was over.
func (s *sampler) used() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		return 0
	}
	if s.end.Stop() { // all was over before
		return s.server.cpu() - s.from
	}
	return <-s.to - s.from
}

// cpu returns the processor time that the server has used, in s.
func (s *server) cpu() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The name of the program, in parentheses, may hold spaces (proc_pid_stat(5)).
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (user + system) * clockTick
}

// rss returns the server's resident memory, in MiB; 0 where there is no /proc.
func (s *server) rss() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				return 0
			}
			return kib / 1024
		}
	}
	return 0
}
