//go:build race

package main

// raceDetector tells that memory is no measure: the detector needs many times as
// much.
const raceDetector = true
