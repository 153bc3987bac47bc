package bench_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden/bench"
)

// wantFigures fails unless a sample has these figures, in this order, beside no
// errors. Of one that a machine without /proc cannot know there is none.
func wantFigures(t *testing.T, m *bench.Sample, err error, names ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.Values {
		got = append(got, f.Name)
		if f.Value < 0 && !strings.HasSuffix(f.Unit, "/station") { // memory may be given back meanwhile
			t.Errorf("%s is %v %s", f.Name, f.Value, f.Unit)
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("figures are %q; want %q", got, names)
	}
	if m.Errors != 0 || m.FirstError != "" {
		t.Errorf("%d errors, the first: %s", m.Errors, m.FirstError)
	}
}

// positive fails unless figures are above 0.
func positive(t *testing.T, m *bench.Sample, names ...string) {
	t.Helper()
	for _, name := range names {
		if m.Get(name) <= 0 {
			t.Errorf("%s is %v", name, m.Get(name))
		}
	}
}

func TestIdle(t *testing.T) {
	o := options(t, "good")
	measures := 0
	o.OnMeasure = func() { measures++ }
	m, err := bench.Idle(t.Context(), o, time.Millisecond)
	wantFigures(t, m, err, "fdatasync p50", "connected and booted", "server processor", "RSS at once", "RSS settled",
		"goroutines", "heap", "stacks", "server RSS")
	positive(t, m, "connected and booted", "goroutines", "stacks")
	if measures != 1 {
		t.Errorf("the begin was told %d times", measures)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.OnMeasure = cancel
	if _, err := bench.Idle(ctx, o, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestStorm(t *testing.T) {
	o := options(t, "good")
	measures := 0
	o.OnMeasure = func() { measures++ }
	m, err := bench.Storm(t.Context(), o)
	wantFigures(t, m, err, "fdatasync p50", "all booted", "all answered", "answered p50", "connections tried again",
		"API call before p99", "API call meanwhile p50", "API call meanwhile p99", "API calls meanwhile", "server RSS", "ledger")
	positive(t, m, "all booted", "API call before p99", "API call meanwhile p99", "API calls meanwhile", "ledger")
	if m.Get("all answered") < m.Get("all booted") || m.Get("API call meanwhile p99") < m.Get("API call meanwhile p50") || measures != 1 {
		t.Errorf("got %+v, begun %d times", m, measures)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.OnMeasure = cancel
	if _, err := bench.Storm(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestStormFindsFault: neither stops that were lost nor an API that does not answer
// are a figure.
func TestStormFindsFault(t *testing.T) {
	for mode, want := range map[string]string{
		"forgetful": "the ledger holds 0 of 5", "mute": "500 Internal Server Error", "strict": "the answer is not Accepted",
	} {
		t.Run(mode, func(t *testing.T) {
			m, err := bench.Storm(t.Context(), options(t, mode))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %+v, %v; want %q", m, err, want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	loaded := []string{
		"sessions", "messages", "Authorize p50", "Authorize p99", "StartTransaction p50", "StartTransaction p99", "MeterValues p50", "MeterValues p99",
		"StopTransaction p50", "StopTransaction p99", "any answer p50", "any answer p99", "server processor", "load processor", "read calls", "write calls",
		"server RSS", "any answer p99 over p50", "sent late p50", "sent late p99", "ledger",
	}
	t.Run("given", func(t *testing.T) {
		m, err := bench.Rate(t.Context(), options(t, "good"), 100)
		wantFigures(t, m, err, append([]string{"fdatasync p50", "asked for"}, loaded...)...)
		if positive(t, m, "messages", "any answer p50"); m.Get("messages") > 200 {
			t.Errorf("%v messages/s; 100 were asked for", m.Get("messages"))
		}
	})
	t.Run("auto", func(t *testing.T) {
		m, err := bench.Rate(t.Context(), options(t, "good"), 0)
		wantFigures(t, m, err, append([]string{"fdatasync p50", "saturation", "asked for"}, loaded...)...)
		if most := m.Get("saturation"); most <= 0 || m.Get("asked for") != most/2 {
			t.Errorf("saturation %v, asked for %v", most, m.Get("asked for"))
		}
	})
	t.Run("refused", func(t *testing.T) {
		if m, err := bench.Rate(t.Context(), options(t, "strict"), 0); err == nil || !strings.Contains(err.Error(), "at saturation: 0 messages") {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}
