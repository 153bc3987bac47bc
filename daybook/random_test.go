package daybook_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"leyden/daybook"
	"leyden/internal/race"
)

// TestRandom has a book written, forgotten and opened again on a machine that
// fails, is killed and loses power, and wants exactly the records that were
// answered, in order, with one more at most: the one that was under way, or that
// failed and was not settled. A seed that fails runs alone with
// -run 'TestRandom/seed=N$'.
func TestRandom(t *testing.T) {
	seeds := 300
	if race.Enabled || testing.Short() {
		seeds = 40
	}
	var all counts
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			h := &history{t: t, rnd: rnd, machine: newMachine(rnd)}
			h.open()
			for range 150 {
				h.step()
			}
			h.crash()
			h.add(&all)
		})
	}
	t.Logf("%+v", all)
	if seeds > 1 && !t.Failed() && (all.Turned == 0 || all.Settled == 0 || all.Kept == 0 || all.Dropped == 0 || all.Cut == 0) {
		t.Errorf("something never happened: %+v", all)
	}
}

// counts are how often something happened.
type counts struct {
	Written, Failed int // records
	Settled         int // failed records that did not count at once
	Kept, Dropped   int // records that might turn up, and did, or did not
	Killed, Cut     int // restarts
	Turned          int // files that were begun
	FailedOpen      int
}

// A history is a book's, and what it must hold.
type history struct {
	t       *testing.T
	rnd     *rand.Rand
	machine *machine
	book    *daybook.Book
	counts

	answered  []string
	forgotten uint64
	maybe     []string // one of them, or none, may turn up
}

func (h *history) add(to *counts) {
	c := h.counts
	for name := range h.machine.names {
		var n int
		if _, err := fmt.Sscanf(name, "daybook-%x", &n); err == nil {
			c.Turned = max(c.Turned, n)
		}
	}
	to.Written, to.Failed, to.Settled = to.Written+c.Written, to.Failed+c.Failed, to.Settled+c.Settled
	to.Kept, to.Dropped, to.Killed, to.Cut = to.Kept+c.Kept, to.Dropped+c.Dropped, to.Killed+c.Killed, to.Cut+c.Cut
	to.Turned, to.FailedOpen = to.Turned+c.Turned, to.FailedOpen+c.FailedOpen
}

func (h *history) step() {
	switch p := h.rnd.IntN(100); {
	case p < 70:
		h.write()
	case p < 80:
		h.forget()
	case p < 85:
		h.machine.faults = []float64{0, 0, 0.1, 0.5}[h.rnd.IntN(4)]
	case p < 90:
		h.machine.steps = 1 + h.rnd.IntN(12)
	case p < 94:
		h.settle()
	case p < 97:
		h.check()
	default:
		h.crash()
	}
	if h.machine.off() {
		h.crash()
	}
}

func (h *history) write() {
	record := h.record()
	n, err := h.book.Write([]byte(record))
	if err == nil {
		h.answered, h.maybe = append(h.answered, record), nil
		h.Written++
		if n != uint64(len(h.answered)) || n != h.book.Last() {
			h.t.Fatalf("wrote record %d, the last is %d, want %d", n, h.book.Last(), len(h.answered))
		}
		return
	}
	if h.machine.failed == 0 {
		h.t.Fatalf("Write: %v", err)
	}
	h.Failed++
	h.maybe = append(h.maybe, record)
	h.settle()
}

// record returns a record of any length; sometimes it is made of what a file
// holds, headers of records and all.
func (h *history) record() string {
	length := h.rnd.IntN(700)
	switch h.rnd.IntN(20) {
	case 0:
		length = 0
	case 1:
		length = h.rnd.IntN(12_000)
	}
	record := fmt.Appendf(nil, "%d:", h.rnd.Uint32())
	for len(record) < length {
		record = append(record, byte(h.rnd.Uint32()))
	}
	if h.rnd.IntN(10) == 0 {
		for _, name := range slices.Sorted(maps.Keys(h.machine.names)) {
			if c := h.machine.names[name].cache; len(c) > 4096+length {
				copy(record, c[4096:]) // places are multiples of 8 again, or nearly
			}
		}
	}
	return string(record[:min(length, len(record))])
}

func (h *history) settle() {
	err := h.book.Settle()
	if err == nil {
		h.Settled += min(len(h.maybe), 1)
		h.maybe = nil
	}
	if err != nil && h.machine.failed == 0 {
		h.t.Fatalf("Settle: %v", err)
	}
}

func (h *history) forget() {
	upTo := h.forgotten + h.rnd.Uint64N(uint64(len(h.answered))-h.forgotten+1)
	h.forgotten = upTo
	if err := h.book.Forget(upTo); err != nil && h.machine.failed == 0 {
		h.t.Fatalf("Forget: %v", err)
	}
}

// crash kills the process or cuts the power, and opens the book again.
func (h *history) crash() {
	cut := h.rnd.IntN(2) == 0
	if cut {
		h.Cut++
	} else {
		h.Killed++
	}
	h.machine.restart(cut)
	h.open()
}

// open opens the book, with faults until it works, and looks what is there.
func (h *history) open() {
	after := h.forgotten + h.rnd.Uint64N(uint64(len(h.answered))-h.forgotten+1)
	h.forgotten = after // as good as forgotten, once a book was opened with it
	for range 3 {
		var err error
		failed := h.machine.failed
		h.book, err = daybook.Open(daybook.Options{Disk: h.machine, After: after, SegmentSize: 10 << 10})
		if err == nil {
			break
		}
		h.FailedOpen++
		if h.machine.failed == failed && !h.machine.off() || errors.Is(err, daybook.ErrDamaged) || errors.Is(err, daybook.ErrMissing) {
			h.t.Fatalf("Open after %d: %v", after, err)
		}
		if h.rnd.IntN(2) == 0 || h.machine.off() {
			h.machine.restart(h.rnd.IntN(2) == 0)
		}
	}
	if h.book == nil {
		h.machine.faults = 0
		h.open()
		return
	}
	h.resolve(after)
}

// resolve finds out whether the record that was under way counts.
func (h *history) resolve(after uint64) {
	got := h.replay(after)
	want := h.answered[after:]
	if len(got) == len(want)+1 && slices.Contains(h.maybe, got[len(want)]) {
		h.Kept++
		h.answered = append(h.answered, got[len(want)])
		want = h.answered[after:]
	} else if len(h.maybe) > 0 {
		h.Dropped++
	}
	h.maybe = nil
	h.compare(after, got, want)
}

func (h *history) check() {
	after := h.forgotten + h.rnd.Uint64N(uint64(len(h.answered))-h.forgotten+1)
	h.compare(after, h.replay(after), h.answered[after:])
}

func (h *history) compare(after uint64, got, want []string) {
	h.t.Helper()
	if slices.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	h.t.Fatalf("%d records after %d, want %d; record %d is the first that differs", len(got), after, len(want), int(after)+at+1)
}

// replay reads the book while nothing fails.
func (h *history) replay(after uint64) []string {
	faults, steps := h.machine.faults, h.machine.steps
	h.machine.faults, h.machine.steps = 0, -1
	defer func() { h.machine.faults, h.machine.steps = faults, steps }()
	return records(h.t, h.book, after)
}
