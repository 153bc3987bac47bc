package memory_test

import (
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/daily"
	"leyden/device"
	"leyden/feed"
	"leyden/memory"
	"leyden/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) leyden.Store { return memory.New(time.Now) })
}

func TestStoreClock(t *testing.T) {
	storetest.RunClock(t, func(_ *testing.T, now func() time.Time) leyden.Store { return memory.New(now) })
}

func TestRegistry(t *testing.T) {
	storetest.RunRegistry(t, func(*testing.T) leyden.Registry { return memory.New(time.Now) })
}

func TestAuth(t *testing.T) {
	storetest.RunAuth(t, func(*testing.T) auth.Store { return memory.New(time.Now) })
}

func TestJournal(t *testing.T) {
	storetest.RunJournal(t, func(_ *testing.T, limits leyden.JournalLimits, now func() time.Time) leyden.Journal {
		return memory.NewJournal(limits, now)
	})
}

func TestCalls(t *testing.T) {
	storetest.RunCalls(t, func(*testing.T) calls.Store { return memory.New(time.Now) })
}

func TestDaily(t *testing.T) {
	storetest.RunDaily(t, func(*testing.T) daily.Store { return memory.New(time.Now) })
}

func TestFeed(t *testing.T) {
	storetest.RunFeed(t, func(*testing.T) storetest.FeedStore { return memory.New(time.Now) })
}

func TestDevice(t *testing.T) {
	storetest.RunDevice(t, func(*testing.T) device.Store { return memory.New(time.Now) })
}

func TestWebhooks(t *testing.T) {
	storetest.RunWebhooks(t, func(*testing.T) feed.WebhookStore { return memory.New(time.Now) })
}
