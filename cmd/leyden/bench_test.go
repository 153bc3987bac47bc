package main

import (
	"testing"
	"time"

	"leyden/bench"
)

// TestTooDear: what costs more than is allowed fails the command, and only that.
func TestTooDear(t *testing.T) {
	costs := []bench.Cost{{Disturbance: "slow", P99: -3}, {Disturbance: "flood", P99: 10.04}, {Disturbance: "silent", P99: 10}}
	for _, c := range []struct {
		most time.Duration
		want string
	}{
		{0, ""},
		{11 * time.Millisecond, ""},
		{10 * time.Millisecond, "the 99th percentile of the others grows by more than 10ms: flood 10.0 ms"},
		{time.Microsecond, "the 99th percentile of the others grows by more than 1µs: flood 10.0 ms, silent 10.0 ms"},
	} {
		got := ""
		if err := tooDear(costs, c.most); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("at most %v: got %q, want %q", c.most, got, c.want)
		}
	}
}
