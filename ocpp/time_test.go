package ocpp_test

import (
	"regexp"
	"testing"
	"time"

	"leyden/ocpp"
)

func TestParseTime(t *testing.T) {
	base := time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want time.Time
	}{
		{"2024-01-15T10:30:00Z", base},
		{"2024-01-15t10:30:00z", base},
		{"2024-01-15 10:30:00Z", base},
		{"2024-01-15T10:30:00", base},
		{"2024-01-15T10:30:00.000", base},
		{"2024-01-15T10:30:00.5Z", base.Add(500 * time.Millisecond)},
		{"2024-01-15T10:30:00,25Z", base.Add(250 * time.Millisecond)},
		{"2024-01-15T10:30:00.123456789Z", base.Add(123456789)},
		{"2024-01-15T10:30:00.1234567899999Z", base.Add(123456789)},
		{"2024-01-15T12:30:00+02:00", base},
		{"2024-01-15T12:30:00+0200", base},
		{"2024-01-15T12:30:00+02", base},
		{"2024-01-15T04:45:00.000-05:45", base},
		{"2024-01-15T10:30:00-00:00", base},
		{"2016-12-31T23:59:60Z", time.Date(2016, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"2024-02-29T00:00:00Z", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"2000-02-29T23:30:00-01:00", time.Date(2000, 3, 1, 0, 30, 0, 0, time.UTC)},
		{"1970-01-01T00:00:00Z", time.Unix(0, 0).UTC()},
		{"0001-01-01T00:00:00Z", time.Time{}},
		{"2024-01-15T10:30Z", base},
		{"2024-01-15T10:30", base},
		{"2024-01-15 10:30", base},
		{"2024-01-15T11:30+01:00", base},
		{"2024-01-15T11:30+01", base},
		{"2024-01-15T05:30-0500", base},
		{"20240115T103000Z", base},
		{"20240115t103000z", base},
		{"20240115T103000", base},
		{"20240115T103000.5Z", base.Add(500 * time.Millisecond)},
		{"20240115T103000,25+0000", base.Add(250 * time.Millisecond)},
		{"20240115T113000+0100", base},
		{"20240115T113000+01:00", base},
		{"20240115T1030Z", base},
		{"20240115T1030", base},
		{"20240115T0530-05", base},
		{"2024-01-14T24:00:00Z", base.Truncate(24 * time.Hour)},
		{"2024-01-14T24:00:00.000Z", base.Truncate(24 * time.Hour)},
		{"2024-01-14T24:00", base.Truncate(24 * time.Hour)},
		{"20240114T240000Z", base.Truncate(24 * time.Hour)},
		{"2024-02-29T24:00:00+02:00", time.Date(2024, 2, 29, 22, 0, 0, 0, time.UTC)},
		{"2023-12-31T24:00:00Z", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"9999-12-31T23:59:59.999Z", time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)},
	} {
		got, ok := ocpp.ParseTime(c.text)
		if !ok || !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("ParseTime(%q) = %v, %t, want %v", c.text, got, ok, c.want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "now", "2024-01-15", "20240115", "1705314600", "1705314600000", "2024-01-15T10", "2024-01-15T10Z", "20240115T10Z",
		"2024-01-15T10:30:", "2024-01-15T10:30:0", "2024-01-15T10:30:0Z", "2024-01-15T10:30.5Z", "2024-01-15T10:3000Z", "2024-01-15T103000Z",
		"20240115T10:30:00Z", "20240115T10300Z", "20240115T10300", "20240115103000Z", "20240230T103000Z", "20240115T250000Z", "20240115T106000Z",
		"2024-0115T10:30:00Z", "202401-15T10:30:00Z", "20240115_103000Z",
		"2024-01-15T24:00:01Z", "2024-01-15T24:01:00Z", "2024-01-15T24:00:00.001Z", "2024-01-15T25:00:00Z", "9999-12-31T24:00:00Z",
		"2024-02-30T10:30:00Z", "2023-02-29T10:30:00Z", "1900-02-29T10:30:00Z", "2024-04-31T10:30:00Z",
		"2024-13-01T10:30:00Z", "2024-00-01T10:30:00Z", "2024-01-00T10:30:00Z", "2024-01-32T10:30:00Z",
		"2024-01-15T10:60:00Z", "2024-01-15T10:30:61Z",
		"2024-01-15T10:30:00.Z", "2024-01-15T10:30:00.5.5Z", "2024-01-15T10:30:00 Z", "2024-01-15T10:30:00ZZ",
		"2024-01-15T10:30:00+2", "2024-01-15T10:30:00+02:0", "2024-01-15T10:30:00+02:60", "2024-01-15T10:30:00+24:00",
		"2024-01-15T10:30:00+02:000", "2024-01-15T10:30:00*02:00", "2024-01-15T10:30:00+02:00Z", "2024-01-15T10:30:00 UTC",
		"2024-01-15_10:30:00Z", "2024/01/15T10:30:00Z", "24-01-15T10:30:00Z", "-024-01-15T10:30:00Z", "２024-01-15T10:30:00Z",
		"0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
	} {
		if got, ok := ocpp.ParseTime(text); ok {
			t.Errorf("ParseTime(%q) = %v, want it refused", text, got)
		}
	}
}

// Every day is the one that the calendar has, through two turns of its 400 years.
func TestParseTimeKnowsTheCalendar(t *testing.T) {
	days := 0
	for want := time.Date(0, 1, 1, 12, 30, 15, 0, time.UTC); want.Year() < 800; want = want.AddDate(0, 0, 1) {
		for _, years := range []int{0, 1600, 9200} {
			want := want.AddDate(years, 0, 0)
			if want.Year() > 9999 {
				continue
			}
			if got, ok := ocpp.ParseTime(want.Format(time.RFC3339)); !ok || got != want {
				t.Fatalf("got %v, %t, want %v", got, ok, want)
			}
			days++
		}
	}
	if days < 800_000 {
		t.Errorf("%d days tried", days)
	}
}

// strict is the grammar of RFC 3339 §5.6 without leap seconds, offsets of a day
// and years that only an offset makes; the hour 24 is of ISO 8601 alone.
var strict = regexp.MustCompile(`^[1-8]\d{3}-\d\d-\d\dT([013-9]\d|2[0-35-9]):\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func FuzzParseTime(f *testing.F) {
	f.Add("2024-01-15T10:30:00Z")
	f.Add("2024-02-29T23:59:59.123456789-12:30")
	f.Add("2024-02-30T00:00:00+02:00")
	f.Add("2024-01-15 10:30:00,5+0200")
	f.Add("2024-01-15T10:30Z")
	f.Add("20240115T103000.5-0500")
	f.Add("20240115T1030")
	f.Add("2024-12-31T24:00:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ocpp.ParseTime(text)
		if ok && (got.Location() != time.UTC || got.Year() < 0 || got.Year() > 9999) {
			t.Errorf("ParseTime(%q) = %v", text, got)
		}
		if !strict.MatchString(text) {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, text)
		if ok != (err == nil) || ok && !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, %t, want %v, %v", text, got, ok, want, err)
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	for _, text := range []string{"2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000+02:00", "20240115T103000Z"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := ocpp.ParseTime(text); !ok {
					b.Fatal(text)
				}
			}
		})
	}
}
