package sim

import (
	"math"
	"time"
)

const (
	// taperFrom is the state of charge from which a car draws less and less.
	taperFrom = 0.8
	// taperTo is the share of its power that a car still draws when it is full.
	taperTo = 0.1
	// taperSlope is how fast the share falls with the state of charge.
	taperSlope = (1 - taperTo) / (1 - taperFrom)
)

// A battery is the car's, charging from the moment it is plugged in: with
// constant power up to taperFrom, then with less in proportion to what is
// missing. All that it does is a function of time, so that a charge does not
// depend on how often one looks.
type battery struct {
	capacity float64 // Wh
	initial  float64 // state of charge at the begin, 0 to 1
	power    float64 // W, before it tapers
}

// after returns the state of charge and the power, in W, after d.
func (b battery) after(d time.Duration) (soc, power float64) {
	if b.power <= 0 {
		return b.initial, 0
	}
	if d >= b.full() {
		return max(b.initial, 1), 0
	}
	rate := b.power / b.capacity // of the state of charge, an hour
	t := d.Hours()
	constant := max(0, taperFrom-b.initial) / rate
	if t <= constant {
		return b.initial + rate*t, b.power
	}
	share := b.share() * math.Exp(-taperSlope*rate*(t-constant))
	return taperFrom + (1-share)/taperSlope, b.power * share
}

// energy returns the whole Wh that were delivered after d.
func (b battery) energy(d time.Duration) int {
	return whole(b.delivered(d))
}

// delivered returns the Wh that were delivered after d.
func (b battery) delivered(d time.Duration) float64 {
	soc, _ := b.after(d)
	return (soc - b.initial) * b.capacity
}

// whole returns the whole Wh of wh.
func whole(wh float64) int {
	const rounding = 1e-6 // of floating point: a kW for an hour is a kWh
	return int(wh + rounding)
}

// full returns after how long the battery takes no more.
func (b battery) full() time.Duration {
	if b.initial >= 1 || b.power <= 0 {
		return 0
	}
	rate := b.power / b.capacity
	hours := max(0, taperFrom-b.initial)/rate + math.Log(b.share()/taperTo)/(taperSlope*rate)
	return time.Duration(hours * float64(time.Hour))
}

// share returns the share of its power with which the taper begins.
func (b battery) share() float64 {
	return 1 - taperSlope*max(0, b.initial-taperFrom)
}
