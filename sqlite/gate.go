package sqlite

import "sync"

// A gate orders commits and the questions that poll by InsertedAt. The writer is
// inside from the moment it takes its stamp until its commit is visible; whoever
// asks passes through before the snapshot is taken. So a question sees every
// commit with a stamp before its own time, and no later commit gets one: also
// not when the clock is set back.
type gate struct {
	mu    sync.Mutex
	floor int64 // microseconds: no stamp may lie before it
}

// enter returns the stamp of a commit that begins at now.
func (g *gate) enter(now int64) int64 {
	g.mu.Lock()
	g.floor = max(g.floor, now)
	return g.floor
}

// leave ends what enter began.
func (g *gate) leave() { g.mu.Unlock() }

// pass waits for the commit that is under way, and closes the time before now.
func (g *gate) pass(now int64) {
	g.enter(now)
	g.leave()
}
