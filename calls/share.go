package calls

import (
	"sync"
	"time"
)

// DefaultShare is how many keys of a day one credential may use: a part of
// [MaxClaims], so that none takes the keys of all others.
const DefaultShare = MaxClaims / 4

// shares count which credential used how many keys in the last day. They begin anew
// with the process.
type shares struct {
	most int

	mu   sync.Mutex
	used map[string]*share
}

// A share is what one credential used, by the hour.
type share struct {
	hour int64 // the last one, since 1970
	used [KeyAge / time.Hour]int
}

// take reports whether a credential may use one more key, and counts it then.
func (s *shares) take(credential string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.used[credential]
	if one == nil {
		one = new(share)
		s.used[credential] = one
	}
	one.goOn(now.Unix() / int64(time.Hour/time.Second))
	sum := 0
	for _, n := range one.used {
		sum += n
	}
	if sum >= s.most {
		return false
	}
	one.used[one.hour%int64(len(one.used))]++
	return true
}

// goOn forgets the hours that are a day ago. A clock that was set back changes
// nothing.
func (s *share) goOn(hour int64) {
	hours := int64(len(s.used))
	for s.hour = max(s.hour, hour-hours); s.hour < hour; {
		s.hour++
		s.used[s.hour%hours] = 0
	}
}
