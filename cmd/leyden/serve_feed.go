package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"leyden/apiv1"
	"leyden/feed"
)

// feedSettings say how long changes are kept for those that follow them.
type feedSettings struct{ age time.Duration }

func (s *feedSettings) flags(f *pflag.FlagSet) {
	f.DurationVar(&s.age, "feed-age", feed.DefaultAge, "how long changes are kept for those that follow them")
}

func (s *feedSettings) check() error {
	if s.age < feed.MinAge {
		return usagef("--feed-age must be at least %dh: who is away for a weekend shall miss nothing", int(feed.MinAge.Hours()))
	}
	return nil
}

// wireFeed makes what shows others what changes.
func (n *node) wireFeed() {
	owed := func(ctx context.Context) (int64, error) { return feed.OwedAfter(ctx, n.db) }
	n.feed = feed.New(n.db, feed.Options{Age: n.settings.feed.age, KeepAfter: owed})
	n.events = apiv1.NewRenderer(n.db, n.ledger.Now)
}

// runFeed looks after the feed until ctx is done; then those that wait are
// answered, and streams end.
func (n *node) runFeed(ctx context.Context) {
	n.feed.Run(ctx, func(err error) { n.log.Error("feed", "err", err) })
}
