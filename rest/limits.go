package rest

import (
	"container/list"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"leyden/auth"
)

// Limits say how much a client may ask for. A zero rate is no limit.
type Limits struct {
	// PerSecond and Burst are of one credential: so many requests a second in the
	// long run, and so many at once.
	PerSecond float64
	Burst     int
	// StrangerPerSecond and StrangerBurst are of one address, for requests without a
	// valid credential.
	StrangerPerSecond float64
	StrangerBurst     int
	// Lasting is how many long polls, streams and files a credential may have open
	// at once; 0 is no limit.
	Lasting int
}

// DefaultLimits are those of a server that is told nothing else.
func DefaultLimits() Limits {
	return Limits{PerSecond: 100, Burst: 200, StrangerPerSecond: 20, StrangerBurst: 100, Lasting: 20}
}

// maxBuckets is how many credentials, and how many addresses, are remembered. Beyond
// it the one that was quiet the longest is forgotten: it may begin anew.
const maxBuckets = 8192

// A meter counts requests by K, each in a bucket of tokens of its own.
type meter[K comparable] struct {
	limit rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[K]*list.Element
	recent  *list.List // of *bucket[K], the most recent first
}

type bucket[K comparable] struct {
	key    K
	tokens *rate.Limiter
}

func newMeter[K comparable](perSecond float64, burst int) *meter[K] {
	return &meter[K]{limit: rate.Limit(perSecond), burst: max(burst, 1), buckets: make(map[K]*list.Element), recent: list.New()}
}

// An allowance is what a bucket says to one request.
type allowance struct {
	granted          bool
	limit, remaining int
	reset            time.Duration // until the bucket is full
	wait             time.Duration // until the next request is granted
}

// take takes a token for one request.
func (m *meter[K]) take(key K, now time.Time) allowance {
	m.mu.Lock()
	defer m.mu.Unlock()
	tokens := m.bucket(key).tokens
	granted := tokens.AllowN(now, 1)
	left := max(tokens.TokensAt(now), 0)
	perToken := float64(time.Second) / float64(m.limit)
	return allowance{
		granted: granted, limit: m.burst, remaining: int(left),
		reset: time.Duration((float64(m.burst) - left) * perToken),
		wait:  time.Duration(max(1-left, 0) * perToken),
	}
}

// bucket returns the bucket with that key, a full one if it has to be new.
func (m *meter[K]) bucket(key K) *bucket[K] {
	if e, ok := m.buckets[key]; ok {
		m.recent.MoveToFront(e)
		return e.Value.(*bucket[K])
	}
	if m.recent.Len() >= maxBuckets {
		oldest := m.recent.Remove(m.recent.Back()).(*bucket[K])
		delete(m.buckets, oldest.key)
	}
	b := &bucket[K]{key, rate.NewLimiter(m.limit, m.burst)}
	m.buckets[key] = m.recent.PushFront(b)
	return b
}

// meters are what an API counts.
type meters struct {
	limits    Limits
	callers   *meter[string]
	strangers *meter[netip.Prefix]

	mu      sync.Mutex
	lasting map[string]int // open long polls, streams and files by credential
}

func newMeters(l Limits) *meters {
	return &meters{
		limits:    l,
		callers:   newMeter[string](l.PerSecond, l.Burst),
		strangers: newMeter[netip.Prefix](l.StrangerPerSecond, l.StrangerBurst),
		lasting:   make(map[string]int),
	}
}

// limit counts a request of who was admitted, or, if admission failed, of its
// address. It returns why the request may not go on: because there are too many,
// or else refused.
func (a *API) limit(w *reply, r *http.Request, refused error) error {
	if _, guessed := errors.AsType[*auth.ThrottledError](refused); guessed {
		return refused
	}
	if w.count != nil {
		return refused // it is not yet known whom to count
	}
	m, now := a.meters, a.config.Now()
	switch {
	case w.principal.ID != "" && m.limits.PerSecond > 0:
		return w.spend(m.callers.take(w.principal.ID, now), refused)
	case w.principal.ID == "" && m.limits.StrangerPerSecond > 0:
		return w.spend(m.strangers.take(auth.Network(addrOf(r)), now), refused)
	}
	return refused
}

// spend tells the client what it has left, and refuses the request if that was
// nothing before it.
func (w *reply) spend(a allowance, refused error) error {
	h := w.Header()
	h.Set(limitHeader, strconv.Itoa(a.limit))
	h.Set(remainingHeader, strconv.Itoa(a.remaining))
	h.Set(resetHeader, strconv.Itoa(int(math.Ceil(a.reset.Seconds()))))
	if a.granted {
		return refused
	}
	w.unrecorded = true
	return Errorf(http.StatusTooManyRequests, "too many requests; slow down").RetryAfter(a.wait)
}

// Names of the headers by which clients keep to their limits.
const (
	limitHeader     = "RateLimit-Limit"
	remainingHeader = "RateLimit-Remaining"
	resetHeader     = "RateLimit-Reset"
)

// open counts a request that lasts. The caller calls done at its end.
func (m *meters) open(credential string) (done func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limits.Lasting > 0 && m.lasting[credential] >= m.limits.Lasting {
		return nil, Errorf(http.StatusTooManyRequests, "the credential has %d long polls, streams and files open already", m.limits.Lasting).
			RetryAfter(time.Second)
	}
	m.lasting[credential]++
	return func() { m.close(credential) }, nil
}

func (m *meters) close(credential string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lasting[credential]--; m.lasting[credential] == 0 {
		delete(m.lasting, credential)
	}
}
