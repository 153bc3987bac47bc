package sqlite

import "testing"

// BenchmarkTallies is what a charge costs in tallies, from its start to its end,
// before they are written.
func BenchmarkTallies(b *testing.B) {
	b.ReportAllocs()
	var t tallies
	for i := range b.N {
		if i%1000 == 0 {
			t = tallies{}
		}
		at := int64(1_700_000_000_000_000) + int64(i)*1000
		begun := listing{
			id: int64(i), class: connectUnit + 2*statusUnit + startBit, times: [3]int64{at, unknown, unknown},
			station: "S", token: "T", vehicle: "T",
		}
		ended := begun
		ended.class, ended.times = connectUnit+4*statusUnit+startBit, [3]int64{at, at + 5e6, at + 6e6}
		t.change(nil, &begun)
		t.change(&begun, &ended)
	}
}
