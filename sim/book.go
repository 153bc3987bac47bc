package sim

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxBroken is how many breaches are kept; all are counted.
const maxBroken = 100

// A book is what the stations of a fleet know together.
type book struct {
	tally

	mu       sync.Mutex
	charges  []Charge
	owners   map[int]*Charge // by transaction number
	broken   []Breach
	breaches int
}

// breach notes a broken expectation.
func (b *book) breach(station, expected, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breaches++
	if len(b.broken) < maxBroken {
		b.broken = append(b.broken, Breach{time.Now().UTC(), station, expected, fmt.Sprintf(format, args...)})
	}
}

// claim says that a transaction number is c's, and returns whose it was before.
func (b *book) claim(number int, c *Charge) *Charge {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owners == nil {
		b.owners = make(map[int]*Charge)
	}
	if owner, ok := b.owners[number]; ok {
		return owner
	}
	b.owners[number] = c
	return c
}

// keep adds what happened at a station.
func (b *book) keep(charges []Charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.charges = append(b.charges, charges...)
}

// counts returns the counters as they are now.
func (b *book) counts() Progress {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.progress()
	p.Breaches = b.breaches
	return p
}

func (b *book) report() *Report {
	p := b.counts()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &Report{
		Progress: p,
		Starts:   b.startLatency.latency(),
		Answers:  b.answerLatency.latency(),
		Charges:  slices.Clone(b.charges),
		Broken:   slices.Clone(b.broken),
	}
	slices.SortFunc(r.Charges, func(x, y Charge) int {
		return cmp.Or(cmp.Compare(x.Station, y.Station), cmp.Compare(x.Connector, y.Connector), x.StartedAt.Compare(y.StartedAt))
	})
	return r
}
