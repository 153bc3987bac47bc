// Package race tells tests whether they run under the race detector, where all
// takes many times as much of the processor and of memory. There, memory is no
// measure, and what is repeated to find a rare answer is repeated less: how often
// is proved without the detector.
package race

// Fewer returns how often to repeat something: many times, or few under the race
// detector.
func Fewer(many, few int) int {
	if Enabled {
		return few
	}
	return many
}
