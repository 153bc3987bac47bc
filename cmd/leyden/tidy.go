package main

import (
	"context"
	"time"
)

// Connecting takes far more memory than being connected. When many stations came at
// once, what they do not need any more is given back as soon as they are there:
// the collector, left alone, would wait until as much again was used.
const (
	tidyEvery = 2 * time.Second
	tidyGrown = 500 // more stations than the last time are worth it
)

// tidy calls free, until ctx is done, whenever many more stations are online than
// when it last did, and no more come.
func tidy(ctx context.Context, online func() int, free func()) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for tidied, before := 0, 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := online()
		if now-before < tidyGrown/10 && now-tidied >= tidyGrown {
			free()
			tidied = now
		}
		tidied, before = min(tidied, now), now
	}
}
