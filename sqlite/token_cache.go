package sqlite

import (
	"context"
	"strings"
	"sync"
	"time"

	"leyden"
)

const (
	// recentSpan is how long an idTag is taken to be as it was read: another process
	// may change it meanwhile.
	recentSpan = time.Second
	// maxRecent is how many idTags are kept, each under what it was asked for by.
	maxRecent = 1 << 16
)

// A tokenCache has idTags as they were read not long ago. What this process changes
// empties it.
type tokenCache struct {
	mu    sync.Mutex // guards all below
	edits uint64     // how often idTags were changed
	known map[string]recentToken
}

type recentToken struct {
	leyden.Token
	readAt time.Time
}

// look returns an idTag as it is known, or else what put must be told.
func (c *tokenCache) look(value string, now time.Time) (n leyden.Token, edits uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.known[value]
	if age := now.Sub(known.readAt); !ok || age < 0 || age >= recentSpan {
		return leyden.Token{}, c.edits, false
	}
	return known.Token, c.edits, true
}

// put keeps an idTag that was read after look, unless there was a change since.
func (c *tokenCache) put(value string, n leyden.Token, now time.Time, edits uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if edits != c.edits {
		return
	}
	if len(c.known) >= maxRecent {
		clear(c.known)
	}
	if c.known == nil {
		c.known = make(map[string]recentToken)
	}
	c.known[strings.Clone(value)] = recentToken{n, now}
}

func (c *tokenCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edits++
	clear(c.known)
}

// RecentToken implements [leyden.Registry]. One that is not there is looked up each
// time: it may be added any moment.
func (db *DB) RecentToken(ctx context.Context, value string) (leyden.Token, error) {
	if err := ctx.Err(); err != nil {
		return leyden.Token{}, err
	}
	now := db.now()
	n, edits, ok := db.recent.look(value, now)
	if ok {
		return n, nil
	}
	n, err := db.Token(ctx, value)
	if err == nil {
		db.recent.put(value, n, now, edits)
	}
	return n, err
}

// writeTokens is write for a change that may concern idTags.
func (db *DB) writeTokens(ctx context.Context, what string, run func(*tx) error) error {
	defer db.recent.forget()
	return db.write(ctx, what, run)
}
