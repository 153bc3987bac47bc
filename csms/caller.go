package csms

import "context"

type callerKey struct{}

// As returns a context whose commands to stations are recorded as asked for by
// a credential with that id.
func As(ctx context.Context, by string) context.Context {
	return context.WithValue(ctx, callerKey{}, by)
}

// callerOf returns who asked, or "" when the server acts of its own accord.
func callerOf(ctx context.Context) string {
	by, _ := ctx.Value(callerKey{}).(string)
	return by
}
