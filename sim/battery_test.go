package sim

import (
	"math"
	"testing"
	"time"
)

func TestBattery(t *testing.T) {
	b := battery{capacity: 60_000, initial: 0.2, power: 60_000}
	for _, c := range []struct {
		after      time.Duration
		soc, power float64
		wh         int
	}{
		{0, 0.2, 60_000, 0},
		{30 * time.Minute, 0.7, 60_000, 30_000},
		{36 * time.Minute, 0.8, 60_000, 36_000},
		{time.Hour, 0.9855, 9917, 47_129}, // e^(−4.5 × 0.4 h) of the power is left
		{24 * time.Hour, 1, 0, 48_000},
	} {
		soc, power := b.after(c.after)
		if math.Abs(soc-c.soc) > 0.0001 || math.Abs(power-c.power) > 1 || b.energy(c.after) != c.wh {
			t.Errorf("after %v: soc %.4f, %.0f W, %d Wh; want %+v", c.after, soc, power, b.energy(c.after), c)
		}
	}
}

func TestBatteryEnergyIsPowerByTime(t *testing.T) {
	for _, b := range []battery{
		{60_000, 0.1, 50_000}, {30_000, 0.85, 300_000}, {100_000, 0.99, 11_000}, {70, 0.5, 22_000},
	} {
		full, sum, last := b.full(), 0.0, math.Inf(1)
		const steps = 10_000
		for i := range steps {
			_, power := b.after(full * time.Duration(2*i+1) / (2 * steps))
			if power > last {
				t.Fatalf("%+v: power rises", b)
			}
			sum, last = sum+power*full.Hours()/steps, power
		}
		want := b.capacity * (1 - b.initial)
		if math.Abs(sum-want) > want/1000 || b.energy(full) != int(math.Round(want)) {
			t.Errorf("%+v: power adds up to %.1f Wh, energy is %d, want %.1f", b, sum, b.energy(full), want)
		}
	}
	for _, b := range []battery{{60_000, 1, 50_000}, {60_000, 0.5, 0}} {
		if b.full() != 0 || b.energy(time.Hour) < 0 {
			t.Errorf("%+v: full after %v, %d Wh", b, b.full(), b.energy(time.Hour))
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if l := h.latency(); l.Count != 0 || l.String() != "none" {
		t.Errorf("an empty one says %+v", l)
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	l := h.latency()
	for _, c := range []struct{ got, want time.Duration }{
		{l.P50, 500 * time.Millisecond}, {l.P90, 900 * time.Millisecond}, {l.P99, 990 * time.Millisecond},
		{l.P999, 999 * time.Millisecond}, {l.Mean, 500 * time.Millisecond}, {l.Max, time.Second},
	} {
		if off := math.Abs(float64(c.got-c.want)) / float64(c.want); off > 0.033 {
			t.Errorf("got %v, want %v within 3 %%", c.got, c.want)
		}
	}
	h.add(-time.Second)
	h.add(1000 * time.Hour)
	if l := h.latency(); l.Count != 1002 || l.Max < 24*time.Hour {
		t.Errorf("out of bounds is not counted: %+v", l)
	}
}

func TestBuckets(t *testing.T) {
	for us := int64(0); us < 1<<topBits; us += 1 + us/100 {
		i := bucketOf(us)
		if top := ceiling(i).Microseconds(); i >= nBuckets || top < us || float64(top-us) > float64(us)/32 {
			t.Fatalf("%d µs falls into bucket %d, up to %d µs", us, i, top)
		}
	}
}
