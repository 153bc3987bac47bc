package auth

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing.
const (
	MaxGuesses  = 10
	GuessWindow = time.Minute
	// MaxTracked is how many addresses, and how many identities, a throttle
	// remembers. Beyond it the one that was quiet the longest is forgotten.
	MaxTracked = 8192
)

// A throttle counts wrong guesses by K: at most MaxGuesses within any
// GuessWindow are answered as such. Right guesses never come here.
type throttle[K comparable] struct {
	mu      sync.Mutex
	start   time.Time // zero until the first guess
	guesses map[K]*list.Element
	recent  *list.List // of *guesser[K], the most recent first
}

// A guesser is one source of wrong guesses. times holds when it made the last
// MaxGuesses that counted, since the throttle's start; next is the oldest.
type guesser[K comparable] struct {
	key   K
	times [MaxGuesses]time.Duration
	next  int
}

func newThrottle[K comparable]() *throttle[K] {
	return &throttle[K]{guesses: make(map[K]*list.Element), recent: list.New()}
}

// wrong counts a wrong guess. It returns a [ThrottledError] if too many came
// before; such a guess does not count.
func (t *throttle[K]) wrong(key K, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.start.IsZero() {
		t.start = now
	}
	g := t.guesser(key)
	at := now.Sub(t.start) // of the monotonic clock: setting the time changes nothing
	if wait := g.times[g.next] + GuessWindow - at; wait > 0 {
		return &ThrottledError{RetryAfter: (wait + time.Second - 1).Truncate(time.Second)}
	}
	g.times[g.next] = at
	g.next = (g.next + 1) % MaxGuesses
	return nil
}

// guesser returns the guesser with that key, new if it has to be.
func (t *throttle[K]) guesser(key K) *guesser[K] {
	if e, ok := t.guesses[key]; ok {
		t.recent.MoveToFront(e)
		return e.Value.(*guesser[K])
	}
	if t.recent.Len() >= MaxTracked {
		oldest := t.recent.Remove(t.recent.Back()).(*guesser[K])
		delete(t.guesses, oldest.key)
	}
	g := &guesser[K]{key: key}
	for i := range g.times {
		g.times[i] = -GuessWindow
	}
	t.guesses[key] = t.recent.PushFront(g)
	return g
}

// Network returns what a stranger can be told by: an IPv4 address, or the /64
// of an IPv6 address, of which one host may use any.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	p, _ := addr.Prefix(64) // an unknown address has no prefix: all of them are one
	return p
}
