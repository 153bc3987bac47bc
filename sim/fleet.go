package sim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"leyden/ocpp"
)

const (
	// maxDialing is how many handshakes a fleet has open at once.
	maxDialing = 64
	// maxTag is how long an idTag may be (OCPP 1.6 §7.27).
	maxTag = 20
)

// A Login is who opens a connection.
type Login struct {
	Station  string
	Password string // empty: none
	// Certificate is what the station has from the central system; nil: none.
	Certificate *tls.Certificate
}

// A Dialer opens a connection to the central system that speaks ocpp1.6. Its
// ctx bounds only the opening.
type Dialer func(ctx context.Context, who Login) (ocpp.Transport, error)

// WebSocket returns a Dialer that appends the station's identity to url, a ws
// or wss URL, and says who it is by Basic authentication if it has a password,
// and with wss by its certificate if it has one. The Protocols, User and Password
// of o are replaced.
func WebSocket(url string, o ocpp.DialOptions) Dialer {
	return func(ctx context.Context, who Login) (ocpp.Transport, error) {
		o := o
		o.Protocols, o.User, o.Password = []string{"ocpp1.6"}, "", ""
		if who.Password != "" {
			o.User, o.Password = who.Station, who.Password
		}
		if who.Certificate != nil {
			trust := cmp.Or(o.TLS, new(tls.Config)).Clone()
			trust.Certificates = []tls.Certificate{*who.Certificate}
			o.TLS = trust
		}
		tr, _, err := ocpp.Dial(ctx, url+"/"+who.Station, o)
		return tr, err
	}
}

// Faults are how often what goes wrong, as shares from 0 to 1.
type Faults struct {
	// Cut is the share of transaction messages around which the connection is
	// lost: before or after they leave, before or after the answer is read.
	Cut float64
	// Lose is the share of transaction messages whose answer is lost while the
	// connection stays, so that they are sent again after CallTimeout.
	Lose float64
	// Repeat is the share of answered transaction messages that are sent once
	// more, at once or after all others.
	Repeat float64
	// Offline is the share of visits during which the station loses its
	// connection for a while, and charges on.
	Offline float64
	// Reorder is how often a transaction message overtakes others: readings and stops
	// those of their charge, starts the readings of the charge before.
	Reorder float64
	// Reboot is the share of visits during which the station restarts by itself. Some
	// makes charge on, others end their charges (PowerLoss).
	Reboot float64
	// Reset is the share of visits during which the meter begins anew at 0. It is read
	// just before and then (Interruption.Begin, Interruption.End). One that is so low
	// that it could rise beyond where the charge began is not reset.
	Reset float64
}

// Options say what a fleet does. Zero fields take the defaults in brackets;
// Dial is needed.
type Options struct {
	Dial       Dialer
	Stations   int                         // [1]
	Connectors int                         // of each station [1]
	Name       func(i int) string          // identity of the i-th station, from 0 [SIM-0001 …]
	Password   func(station string) string // [none]
	// SecurityProfile is at which the stations come: what they say of it until it
	// is raised [1 with a password, else 0].
	SecurityProfile int
	Tags            []string // idTags of the drivers [as many as stations, at least 4: SIMTAG0001 …]

	Seed  uint64
	Speed float64 // see the package comment [1]
	// RampUp is the time over which the stations are started [none].
	RampUp time.Duration
	// Sessions is how many visits each connector has; after them, and when all
	// is answered, a station is done [no end].
	Sessions int
	// Duration is after how long Run stops as [Fleet.Stop] does [never].
	Duration time.Duration
	// Passive stations have no visits: they only do what they are told.
	Passive bool
	// Visits, if not nil, are the visits instead of the seeded ones: the n-th
	// at a connector, until it returns false. It is called by many goroutines.
	Visits func(station string, connector, n int) (Visit, bool)
	// Fast stations have at least 150 kW.
	Fast           bool
	SampleInterval time.Duration // MeterValueSampleInterval at the delivery, in whole seconds [60 s]
	Quirks         []Quirk       // of every station [none]
	// Signed stations have meters that sign the first and the last reading of a
	// charge (OCMF, P-256), which a stop brings along; see [Options.MeterKey].
	Signed bool

	Faults Faults
	// ClockSkew is how far the clocks of stations are off at most, each by its own, in
	// either direction.
	ClockSkew   time.Duration
	CallTimeout time.Duration // [30 s]
	// RetryMin and RetryMax bound the waits between attempts to connect, which
	// double; each is multiplied with 0.5 to 1.5 [1 s, 30 s].
	RetryMin, RetryMax time.Duration
	// Patience is how long a station that has nothing else to do waits for the
	// central system. After it, in a run that has an end, it gives up, which is
	// a breach [2 min].
	Patience time.Duration

	// Record makes the report hold all charges.
	Record bool
	// OnCharge, if not nil, is called with each charge as it begins, before anybody
	// is told, and again when its stop was answered, and so all before it. It is
	// called by many goroutines, which wait for it.
	OnCharge func(Charge)
	// OnProgress, if not nil, is called every ProgressEvery [1 s] and at last
	// before Run returns, by one goroutine at a time.
	OnProgress    func(Progress)
	ProgressEvery time.Duration
}

// Demo returns the options of a fleet to look at: fast stations at speed 8 with
// a reading every 5 s, so that registers visibly grow and a charge takes 2 to 8
// minutes; the first begin within 10 s.
func Demo(stations int, dial Dialer) Options {
	return Options{Dial: dial, Stations: stations, Connectors: 2, Speed: 8, Fast: true, SampleInterval: 40 * time.Second}
}

// StationIDs returns the identities of the stations that a fleet of o has, to
// register them.
func (o Options) StationIDs() []string {
	o.complete()
	ids := make([]string, o.Stations)
	for i := range ids {
		ids[i] = o.Name(i)
	}
	return ids
}

// IDTags returns the idTags that the drivers of a fleet of o have, to list them.
func (o Options) IDTags() []string {
	o.complete()
	return slices.Clone(o.Tags)
}

// complete puts the defaults in.
func (o *Options) complete() {
	o.Stations = orDefault(o.Stations, 1)
	o.Connectors = orDefault(o.Connectors, 1)
	o.Speed = orDefault(o.Speed, 1)
	o.SampleInterval = orDefault(o.SampleInterval, time.Minute)
	o.CallTimeout = orDefault(o.CallTimeout, 30*time.Second)
	o.RetryMin = orDefault(o.RetryMin, time.Second)
	o.RetryMax = orDefault(o.RetryMax, 30*time.Second)
	o.Patience = orDefault(o.Patience, 2*time.Minute)
	o.ProgressEvery = orDefault(o.ProgressEvery, time.Second)
	if o.Name == nil {
		o.Name = func(i int) string { return fmt.Sprintf("SIM-%04d", i+1) }
	}
	if o.Password == nil {
		o.Password = func(string) string { return "" }
	}
	if len(o.Tags) == 0 {
		for i := range max(4, o.Stations) {
			o.Tags = append(o.Tags, fmt.Sprintf("SIMTAG%04d", i+1))
		}
	}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (o *Options) check() error {
	f := o.Faults
	switch {
	case o.Dial == nil:
		return errors.New("no Dial")
	case o.Stations < 0 || o.Connectors < 0 || o.Sessions < 0:
		return errors.New("a number is below 0")
	case o.Speed <= 0:
		return errors.New("speed is not above 0")
	case slices.ContainsFunc(o.Quirks, func(q Quirk) bool { return !slices.Contains(Quirks(), q) }):
		return fmt.Errorf("quirks are %v", Quirks())
	case o.SecurityProfile < profileNone || o.SecurityProfile > profileClients:
		return errors.New("security profiles are 0 to 3")
	case o.RetryMin > o.RetryMax:
		return errors.New("RetryMin is above RetryMax")
	case o.ClockSkew < 0:
		return errors.New("ClockSkew is below 0")
	case min(f.Cut, f.Lose, f.Repeat, f.Offline, f.Reorder, f.Reboot, f.Reset) < 0,
		max(f.Cut+f.Lose, f.Repeat, f.Offline, f.Reorder, f.Reboot, f.Reset) > 1:
		return errors.New("faults are no shares of 1")
	}
	for _, tag := range o.Tags {
		if tag == "" || len(tag) > maxTag {
			return fmt.Errorf("idTag %q has not 1 to %d characters", tag, maxTag)
		}
	}
	return nil
}

// A Fleet runs stations.
type Fleet struct {
	opt      Options
	book     book
	stopOnce sync.Once
	stop     chan struct{}
	dialing  chan struct{} // holds a token for each open handshake
}

// NewFleet returns a fleet that does what o says, once.
func NewFleet(o Options) (*Fleet, error) {
	o.complete()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return &Fleet{opt: o, stop: make(chan struct{}), dialing: make(chan struct{}, maxDialing)}, nil
}

// Run runs all stations and returns what happened: when every station is done,
// when it has been stopped and all charges are over and answered, or when ctx
// is done, which breaks off everything as it is. When it returns, none of its
// goroutines is left.
func (f *Fleet) Run(ctx context.Context) *Report {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.opt.Duration > 0 {
		t := time.AfterFunc(f.opt.Duration, f.Stop)
		defer t.Stop()
	}
	var stations, watcher sync.WaitGroup
	for i := range f.opt.Stations {
		stations.Go(func() { f.runStation(ctx, i) })
	}
	watcher.Go(func() { f.watch(ctx, began) })
	stations.Wait()
	cancel()
	watcher.Wait()
	r := f.Report()
	r.Elapsed = time.Since(began)
	if f.opt.OnProgress != nil {
		f.opt.OnProgress(r.Progress)
	}
	return r
}

// Stop makes Run return soon, but in good order: drivers come back, charges
// end, and what waits for an answer gets it. It may be called at any time.
func (f *Fleet) Stop() {
	f.stopOnce.Do(func() { close(f.stop) })
}

// Report returns what has happened so far. The charges of a station are in it
// when the station is done.
func (f *Fleet) Report() *Report {
	r := f.book.report()
	r.Seed = f.opt.Seed
	return r
}

// watch calls OnProgress until ctx is done.
func (f *Fleet) watch(ctx context.Context, began time.Time) {
	if f.opt.OnProgress == nil {
		return
	}
	tick := time.NewTicker(f.opt.ProgressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p := f.book.counts()
			p.Elapsed = time.Since(began)
			f.opt.OnProgress(p)
		}
	}
}

func (f *Fleet) runStation(ctx context.Context, i int) {
	wait := time.NewTimer(f.opt.RampUp * time.Duration(i) / time.Duration(f.opt.Stations))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return
	case <-f.stop:
		return
	case <-wait.C:
	}
	f.book.stations.Add(1)
	newStation(f, f.opt.Name(i)).run(ctx)
}
