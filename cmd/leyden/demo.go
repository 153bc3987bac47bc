package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/ocpp"
	"leyden/sim"
)

const (
	maxDemo = 1000
	// demoInterval is how often a demo says how it goes, and demoShown of how
	// many charges.
	demoInterval = 5 * time.Second
	demoShown    = 3
	// demoName marks the stations that a demo made.
	demoName = "Simulated by --demo"
)

// A demo is the simulated stations of `serve --demo`.
type demo struct {
	fleet   *sim.Fleet
	running sync.WaitGroup
}

// Wait returns when the demo has ended; its context must be done.
func (d *demo) Wait() {
	if d != nil {
		d.running.Wait()
	}
}

// prepareDemo registers the demo's stations and idTags. It refuses a folder
// that holds other stations: nobody's ledger gets made-up charges.
func (n *node) prepareDemo(ctx context.Context) error {
	if n.settings.demo == 0 {
		return nil
	}
	stations, err := allStations(ctx, n.db, "")
	if err != nil {
		return err
	}
	for _, s := range stations {
		if s.Name != demoName {
			return fmt.Errorf("the data folder %s holds station %s, which no demo made; name an empty folder with --data, or leave it out", n.settings.data, s.ID)
		}
	}
	passwords := make(map[string]string)
	options := sim.Demo(n.settings.demo, n.demoDialer())
	options.Name = func(i int) string { return fmt.Sprintf("DEMO-%03d", i+1) }
	options.Password = func(station string) string { return passwords[station] }
	options.Seed = uint64(time.Now().UnixNano())
	for _, id := range options.StationIDs() {
		if passwords[id], err = admitStation(ctx, n.db, leyden.StationID(id), demoName); err != nil {
			return err
		}
	}
	if err := listTags(ctx, n.db, options.IDTags()); err != nil {
		return err
	}
	fleet, err := sim.NewFleet(options)
	if err != nil {
		return err
	}
	n.demo = &demo{fleet: fleet}
	return nil
}

// demoDialer connects to the node itself. It trusts the certificate: the
// listener is our own.
func (n *node) demoDialer() sim.Dialer {
	var o ocpp.DialOptions
	if n.settings.tls.on() {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	return sim.WebSocket("ws"+strings.TrimPrefix(n.url, "http")+"/ocpp", o)
}

// startDemo lets the stations charge and shows on out how that goes.
func (n *node) startDemo(ctx context.Context, out io.Writer) {
	if n.demo == nil {
		return
	}
	n.demo.running.Go(func() {
		if err := n.demo.fleet.Run(ctx).Err(); err != nil && ctx.Err() == nil {
			n.log.Error("demo", "err", err)
		}
	})
	n.demo.running.Go(func() {
		tick := time.NewTicker(demoInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := n.showDemo(ctx, out); err != nil && ctx.Err() == nil {
					n.log.Error("demo", "err", err)
				}
			}
		}
	})
}

// showDemo writes a line about the charges that run.
func (n *node) showDemo(ctx context.Context, out io.Writer) error {
	page, err := n.db.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Active, leyden.Stopping}, Ascending: true, Limit: demoShown})
	if err != nil || page.Total == 0 {
		return err
	}
	done, err := n.db.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Completed}, Limit: 1})
	if err != nil {
		return err
	}
	var charges []string
	for i := range page.Transactions {
		t := &page.Transactions[i]
		energy := cmp.Or(kWh(t.Energy), "0.000")
		charges = append(charges, fmt.Sprintf("%d %s/%d %s kWh", t.ID, t.Station, t.Connector, energy))
	}
	_, err = fmt.Fprintf(out, "%d charging, %d completed: %s\n", page.Total, done.Total, strings.Join(charges, ", "))
	return err
}

// admitStation registers a station, or gives one that is registered a new
// password, and returns the password.
func admitStation(ctx context.Context, db *folder, id leyden.StationID, name string) (string, error) {
	spec := auth.StationSpec{Station: id, Profile: auth.ProfileBasic}
	password, err := registerStation(ctx, db, leyden.Station{ID: id, Name: name}, spec)
	if errors.Is(err, leyden.ErrExists) {
		password, err = db.registrar.SetStation(ctx, spec)
	}
	return string(password), err
}

// listTags admits idTags; those that are listed already stay as they are.
func listTags(ctx context.Context, db *folder, tags []string) error {
	for _, tag := range tags {
		known, err := db.Token(ctx, tag)
		if err != nil && !errors.Is(err, leyden.ErrNotFound) {
			return err
		}
		if known.Listed {
			continue
		}
		if err := db.SaveToken(ctx, leyden.Token{Value: tag, Status: leyden.TokenAccepted, Listed: true, CreatedAt: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}
