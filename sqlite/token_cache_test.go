package sqlite

import (
	"errors"
	"testing"
	"time"

	"leyden"
)

// What a tool changes beside the server is known there a second later, and what it
// adds at once.
func TestRecentTokenBesideATool(t *testing.T) {
	clock := time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	server := mustOpen(t, Options{Path: folder, Serve: true, Now: func() time.Time { return clock }})
	tool := mustOpen(t, Options{Path: folder})
	status := func() string {
		n, err := server.RecentToken(t.Context(), "TAG")
		if err != nil && !errors.Is(err, leyden.ErrNotFound) {
			t.Fatal(err)
		}
		return n.Status
	}
	save := func(status string) {
		if err := tool.SaveToken(t.Context(), leyden.Token{Value: "tag", Status: status, Listed: true}); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		saved string
		pass  time.Duration
		want  string
	}{
		{"", 0, ""},
		{leyden.TokenAccepted, 0, leyden.TokenAccepted},
		{leyden.TokenBlocked, recentSpan - 1, leyden.TokenAccepted},
		{"", 1, leyden.TokenBlocked},
		{leyden.TokenAccepted, -time.Hour, leyden.TokenAccepted},
	} {
		if step.saved != "" {
			save(step.saved)
		}
		if clock = clock.Add(step.pass); status() != step.want {
			t.Errorf("step %d: the server takes it for %q; want %q", i, status(), step.want)
		}
	}
}

// What was read before a change must not be kept after it, and what is asked for
// is bounded.
func TestTokenCache(t *testing.T) {
	now := time.Unix(1, 0)
	var c tokenCache
	_, edits, _ := c.look("a", now)
	c.forget()
	if c.put("a", leyden.Token{Value: "a"}, now, edits); len(c.known) != 0 {
		t.Error("what was read before a change is kept")
	}
	for i := range maxRecent + 10 {
		c.put(string(rune(i+1_000)), leyden.Token{}, now, c.edits)
	}
	if len(c.known) > maxRecent {
		t.Errorf("%d idTags are kept; want at most %d", len(c.known), maxRecent)
	}
}
