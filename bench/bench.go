// Package bench measures a real server: it starts `leyden serve` as a child
// process on a fresh ledger, drives it over loopback with the stations of
// package sim, and says what it achieved and what it cost. Afterwards it counts
// what is in the ledger: a figure of messages that were lost is none.
//
// Everything runs on one machine, the load included; what is measured is what
// both get done together. A [Report] has several runs, of several stores that take
// turns, so that ratios come from what was measured side by side; [Compare] says
// what changed from one report to another.
package bench

import (
	"crypto/tls"
	"io"
	"time"

	"leyden/sim"
)

// Options say what to measure. Binary, Dial, Stations and Duration are needed.
type Options struct {
	Binary   string                      // the leyden to start
	Store    string                      // where it keeps its ledger [SQLite]
	Data     string                      // folder of a ledger to go on with [a new one that is removed]
	Flags    []string                    // of `leyden serve`, besides those that bench gives
	TLS      *tls.Config                 // that clients of the API trust; needed if Flags make it speak TLS
	Dial     func(url string) sim.Dialer // how stations connect to a ws URL; their identity is appended
	Stations int                         // each has one connection
	Duration time.Duration               // that is measured, after Warmup
	Warmup   time.Duration
	Log      io.Writer // what the server says of errors; nil for nowhere
	// OnMeasure, if not nil, is called when the measuring begins.
	OnMeasure func()
}

// Stores that a ledger can be kept in.
const (
	SQLite = "sqlite"
	Memory = "memory"
)

func (o *Options) store() string {
	if o.Store == "" {
		return SQLite
	}
	return o.Store
}
