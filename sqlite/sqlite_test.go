package sqlite_test

import (
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/daily"
	"leyden/device"
	"leyden/feed"
	"leyden/sqlite"
	"leyden/storetest"
)

// open opens a serving database in folder; the test closes it.
func open(t testing.TB, folder string, now func() time.Time) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: folder, Serve: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeAtEnd(t testing.TB, db *sqlite.DB) *sqlite.DB {
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) leyden.Store { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestStoreClock(t *testing.T) {
	storetest.RunClock(t, func(t *testing.T, now func() time.Time) leyden.Store {
		return closeAtEnd(t, open(t, t.TempDir(), now))
	})
}

func TestRegistry(t *testing.T) {
	storetest.RunRegistry(t, func(t *testing.T) leyden.Registry { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestAuth(t *testing.T) {
	storetest.RunAuth(t, func(t *testing.T) auth.Store { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestDevice(t *testing.T) {
	storetest.RunDevice(t, func(t *testing.T) device.Store { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestCalls(t *testing.T) {
	storetest.RunCalls(t, func(t *testing.T) calls.Store { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestCallsReopen(t *testing.T) {
	storetest.RunCallsReopen(t, func(t *testing.T, folder string) storetest.DurableCalls { return open(t, folder, nil) })
}

func TestDaily(t *testing.T) {
	storetest.RunDaily(t, func(t *testing.T) daily.Store { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestFeed(t *testing.T) {
	storetest.RunFeed(t, func(t *testing.T) storetest.FeedStore { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}

func TestReopen(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, folder string) storetest.Durable { return open(t, folder, nil) })
}

func TestJournal(t *testing.T) {
	storetest.RunJournal(t, func(t *testing.T, limits leyden.JournalLimits, now func() time.Time) leyden.Journal {
		j := sqlite.OpenJournal(t.Context(), sqlite.JournalOptions{Folder: t.TempDir(), Limits: limits, Now: now})
		t.Cleanup(func() {
			if err := j.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return j
	})
}

func TestDeviceReopen(t *testing.T) {
	storetest.RunDeviceReopen(t, func(t *testing.T, folder string) storetest.DurableDevice { return open(t, folder, nil) })
}

func TestWebhooks(t *testing.T) {
	storetest.RunWebhooks(t, func(t *testing.T) feed.WebhookStore { return closeAtEnd(t, open(t, t.TempDir(), nil)) })
}
