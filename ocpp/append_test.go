package ocpp_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
)

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `""`},
		{"AABBCCDD", `"AABBCCDD"`},
		{`a"b\c/d`, `"a\"b\\c/d"`},
		{"\n\r\t\b\x00\x1f\x7f", `"\n\r\t\u0008\u0000\u001f` + "\x7f\""},
		{"<é&漢😀>", `"<é&漢😀>"`},
		{"a\xffb\xc3", `"a` + "\uFFFD" + `b` + "\uFFFD" + `"`},
		{"\uFFFD\u2028", "\"\uFFFD\u2028\""},
	} {
		if got := string(ocpp.AppendText(nil, c.text)); got != c.want {
			t.Errorf("AppendText(%q) = %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzAppendText(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\x00é\xf0\x9f\x98\x80\xff")
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(ocpp.AppendText(nil, text), &got); err != nil {
			t.Fatalf("AppendText(%q): %v", text, err)
		}
		want := make([]rune, 0, len(text))
		for _, r := range text {
			want = append(want, r)
		}
		if got != string(want) {
			t.Errorf("AppendText(%q) reads as %q", text, got)
		}
	})
}

func TestAppendTime(t *testing.T) {
	for _, c := range []struct {
		time time.Time
		want string
	}{
		{time.Date(2024, 1, 5, 3, 4, 6, 7_999_999, time.UTC), `"2024-01-05T03:04:06.007Z"`},
		{time.Date(2024, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), `"2023-12-31T23:30:00.000Z"`},
		{time.Time{}, `"0001-01-01T00:00:00.000Z"`},
		{time.Date(12024, 1, 1, 0, 0, 0, 0, time.UTC), `"9999-01-01T00:00:00.000Z"`},
	} {
		if got := string(ocpp.AppendTime(nil, c.time)); got != c.want {
			t.Errorf("AppendTime(%v) = %s, want %s", c.time, got, c.want)
		}
	}
}

func TestAppendNumber(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{
		{16, "16"}, {0.1, "0.1"}, {-2.5, "-2.5"}, {1e21, "1" + strings.Repeat("0", 21)}, {math.NaN(), "0"}, {math.Inf(-1), "0"},
	} {
		if got := string(ocpp.AppendNumber(nil, c.x)); got != c.want {
			t.Errorf("AppendNumber(%v) = %s, want %s", c.x, got, c.want)
		}
	}
}

func TestAppendEnd(t *testing.T) {
	for _, c := range []struct{ open, want string }{{"{", "{}"}, {`{"a":1,`, `{"a":1}`}} {
		if got := string(ocpp.AppendEnd([]byte(c.open), '}')); got != c.want {
			t.Errorf("AppendEnd(%s) = %s, want %s", c.open, got, c.want)
		}
	}
}
