package csms

import (
	"strings"
	"testing"
)

// BenchmarkDigest measures the hash that is kept of each report.
func BenchmarkDigest(b *testing.B) {
	text := strings.Repeat(`{"value":"1500"}`, 25)
	b.ReportAllocs()
	for b.Loop() {
		digest(text)
	}
}
