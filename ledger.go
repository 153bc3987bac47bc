package leyden

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A StartConflict says what happens to a start on a connector whose last
// transaction is open.
type StartConflict string

// The policies for a start on a busy connector.
const (
	ConflictEvidence StartConflict = "evidence" // accept with evidence that the old one is dead, or when the station insists
	ConflictAccept   StartConflict = "accept"   // accept always
	ConflictReject   StartConflict = "reject"   // accept with evidence only
)

// A TokenPolicy says what an unlisted idTag is worth.
type TokenPolicy string

// The policies for idTags that no operator listed.
const (
	TokensListed TokenPolicy = "listed" // Invalid
	TokensOpen   TokenPolicy = "open"   // Accepted
)

// Options set a Ledger's policies. Zero fields take the defaults in brackets.
type Options struct {
	Now           func() time.Time // [time.Now]
	StartConflict StartConflict    // [ConflictEvidence]
	Tokens        TokenPolicy      // [TokensListed]
	StartTimeout  time.Duration    // how long a remote start waits when the station told no ConnectionTimeOut [120 s]
	StopTimeout   time.Duration    // after how long an accepted remote stop without a stop is overdue [120 s]
	ReviewLimit   time.Duration    // after how long a transaction that outlived a boot is stale [24 h]
}

// Limits of the ledger.
const (
	// startGrace is added to the timeout of a remote start: the message needs time.
	startGrace = 10 * time.Second
	// reviveSlack is how far a start may lie outside its remote start's time.
	reviveSlack = 5 * time.Minute
	// reviveBlind is how long after its expiry a remote start waits for a start
	// whose clock says nothing.
	reviveBlind = time.Hour
	// workingSpan is how long a remote start without a start, or a stop without
	// one, may still find it.
	workingSpan = 7 * 24 * time.Hour
	// maxClosed is how many transactions that have ended are looked at for one that
	// a stop without its number may be of.
	maxClosed = 100
	// maxIdle is how many transactions a desk keeps at hand before it looks for
	// old ones that wait in vain.
	maxIdle = 64
	// minDesks is how many desks are kept before the ledger looks for idle ones.
	minDesks = 1024
	// deskIdle is after how long without a message of its station a desk is idle.
	deskIdle = time.Hour
	// resendDoubt is how old a start may be before it is looked up whether it came
	// before and ended since: the store would find out too, but only after a number
	// was drawn for it.
	resendDoubt = time.Minute
	// skewLimit is how far a station's clock may be off without a mark.
	skewLimit = 5 * time.Minute
	// maxTries bounds how often a decision is made again because the ledger
	// changed meanwhile. One node serves a station, so a second try is rare.
	maxTries = 8
)

// A Ledger decides what happens to transactions and makes it durable. It never
// talks to stations. It is safe for concurrent use; what concerns one station
// happens one after the other.
type Ledger struct {
	store    Store
	registry Registry
	opt      Options

	flushing sync.Mutex // one Flush at a time: a later state is never overwritten by an earlier one

	mu      sync.Mutex // held for no longer than it takes to look; never while waiting for a desk
	desks   map[StationID]*desk
	crowded int               // with so many desks, idle ones are dismissed
	unsaved []*desk           // whose sighting waits for Flush
	seen    map[string]*Token // unlisted tokens that were seen, by folded value, until Flush writes them
}

// NewLedger returns a ledger over store and registry.
func NewLedger(store Store, registry Registry, opt Options) *Ledger {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.StartConflict == "" {
		opt.StartConflict = ConflictEvidence
	}
	if opt.Tokens == "" {
		opt.Tokens = TokensListed
	}
	opt.StartTimeout = orDefault(opt.StartTimeout, 120*time.Second)
	opt.StopTimeout = orDefault(opt.StopTimeout, 120*time.Second)
	opt.ReviewLimit = orDefault(opt.ReviewLimit, 24*time.Hour)
	return &Ledger{
		store: store, registry: registry, opt: opt,
		desks: make(map[StationID]*desk), crowded: minDesks,
		seen: make(map[string]*Token),
	}
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Store returns what the ledger is kept in, for reading.
func (l *Ledger) Store() Store { return l.store }

// Registry returns the stations, idTags and vehicles.
func (l *Ledger) Registry() Registry { return l.registry }

// Now returns the time by the ledger's clock.
func (l *Ledger) Now() time.Time { return time.UnixMicro(l.opt.Now().UnixMicro()).UTC() }

// An Outcome is what became of a report.
type Outcome struct {
	Transaction Transaction   // as it is now; zero for readings that belong to none
	Event       Event         // as recorded: for a replay the first one, whose Auth is the answer
	Replay      bool          // it was recorded before; nothing changed
	RemoteStop  TransactionID // as of [Report]
}

// receive stamps a report with our time, unless it waited with us, and brings its own times into the form
// in which they are stored: what is decided now is what a refold will see.
func (e *Event) receive(now time.Time) {
	if e.ReceivedAt.IsZero() || e.ReceivedAt.After(now) {
		e.ReceivedAt = now
	}
	now = e.ReceivedAt
	e.At = storable(e.At)
	if !e.At.IsZero() && (e.At.Before(implausibleBefore) || tooEarly(e.At, now)) {
		e.Flags |= ClockImplausible
	}
	odd := false
	for i := range e.Samples {
		odd = odd || e.Samples[i].At != storable(e.Samples[i].At)
	}
	if !odd {
		return
	}
	e.Samples = slices.Clone(e.Samples) // they are the caller's
	for i := range e.Samples {
		e.Samples[i].At = storable(e.Samples[i].At)
	}
}

// The years that RFC 3339 can write, in seconds of Unix time.
const (
	firstSecond = -62135596800 // of year 1
	lastSecond  = 253402300799 // of year 9999
)

// storable returns a station's time as stores keep it; a year that RFC 3339
// cannot write is no time.
func storable(t time.Time) time.Time {
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// append writes an entry.
func (l *Ledger) append(ctx context.Context, d *desk, entry *Entry) error {
	entry.Station = d.station
	err := l.store.Append(ctx, entry)
	if err != nil && !errors.Is(err, ErrReplay) {
		d.forget() // what the desk knows may be out of date
	}
	return err
}
