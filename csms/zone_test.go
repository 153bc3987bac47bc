package csms_test

import (
	"testing"
	"time"

	"leyden/csms"
)

// Timestamps without a zone around the changes of summer time, as they come live
// and late.
func TestTimesWithoutAZone(t *testing.T) {
	for _, c := range []struct{ place, clock, now, want string }{
		{"Europe/Berlin", "2026-02-06T13:00:00", "2026-02-06T12:00:00", "2026-02-06T12:00:00"},
		{"Europe/Berlin", "2026-07-06T14:00:00", "2026-07-06T12:00:00", "2026-07-06T12:00:00"},
		{"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:01", "2026-10-25T00:30:00"}, // the first time
		{"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T01:30:01", "2026-10-25T01:30:00"}, // an hour later
		{"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-26T00:00:00", "2026-10-25T01:30:00"}, // late
		{"Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00", "2026-10-25T00:00:00"},
		{"Europe/Berlin", "2026-10-25T01:59:59", "2026-10-25T12:00:00", "2026-10-24T23:59:59"},
		{"Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T12:00:00", "2026-10-25T02:00:00"},
		{"Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T12:00:00", "2026-03-29T00:59:59"},
		{"Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T12:00:00", "2026-03-29T01:30:00"}, // no clock ever showed it
		{"Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T12:00:00", "2026-03-29T01:00:00"},
		{"America/St_Johns", "2026-07-06T12:00:00", "2026-07-06T14:30:00", "2026-07-06T14:30:00"},
		{"Asia/Kathmandu", "2026-07-06T12:00:00", "2026-07-06T06:15:00", "2026-07-06T06:15:00"},
		{"UTC", "2026-10-25T02:30:00", "2026-10-25T02:30:00", "2026-10-25T02:30:00"},
	} {
		place, err := time.LoadLocation(c.place)
		if err != nil {
			t.Fatal(err)
		}
		at := func(text string) time.Time {
			parsed, err := time.Parse("2006-01-02T15:04:05", text)
			if err != nil {
				t.Fatal(err)
			}
			return parsed
		}
		if got := csms.Shown(at(c.clock), place, at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s in %s at %s: %v, want %s", c.clock, c.place, c.now, got.UTC(), c.want)
		}
	}
}
