package csms

import (
	"context"
	"sync/atomic"
)

type callerKey struct{}

// A caller is who asks for commands under a context.
type caller struct {
	by   string
	last atomic.Pointer[string] // id of the last command
}

// As returns a context whose commands to stations are recorded as asked for by
// a credential with that id.
func As(ctx context.Context, by string) context.Context {
	return context.WithValue(ctx, callerKey{}, &caller{by: by})
}

// CommandOf returns the id of the last command that was asked for under a
// context that [As] made, or "" if there was none or nothing is kept.
func CommandOf(ctx context.Context) string {
	if c := callerIn(ctx); c != nil && c.last.Load() != nil {
		return *c.last.Load()
	}
	return ""
}

func callerIn(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// callerOf returns who asked, or "" when the server acts of its own accord.
func callerOf(ctx context.Context) string {
	if c := callerIn(ctx); c != nil {
		return c.by
	}
	return ""
}

// orAs is As unless ctx says so already.
func orAs(ctx context.Context, by string) context.Context {
	if c := callerIn(ctx); c != nil && c.by == by {
		return ctx
	}
	return As(ctx, by)
}
