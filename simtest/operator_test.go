package simtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"leyden"
	"leyden/csms"
)

// operate is an operator, who does this and that until all is over. What comes of it
// depends on the stations.
func (w *world) operate() {
	r := rand.New(rand.NewPCG(w.plan.seed, 3))
	ids := w.plan.fleet.StationIDs()
	for w.rest(time.Duration(r.Int64N(int64(2 * w.plan.operator)))) {
		station, connector, tag := leyden.StationID(pick(r, ids...)), 1+r.IntN(w.plan.fleet.Connectors), pick(r, w.tags...)
		what, kind := r.IntN(10), pick(r, "Hard", "Soft")
		if n := w.current(); n != nil {
			w.command(n.server, what, leyden.StartRequest{Station: station, Connector: connector, Token: leyden.IDToken{Value: tag}}, kind)
		}
	}
}

// command does one of ten things, and returns when the station has answered or not.
func (w *world) command(server *csms.Server, what int, about leyden.StartRequest, kind string) {
	var err error
	switch ctx := w.t.Context(); {
	case what < 4:
		_, err = server.RemoteStart(ctx, about)
	case what < 7:
		err = w.stopOne(server, about.Station)
	case what < 8:
		_, err = server.Reset(ctx, about.Station, kind)
	case what < 9:
		_, err = server.Unlock(ctx, about.Station, about.Connector)
	default:
		_, err = server.Trigger(ctx, about.Station, "MeterValues", about.Connector)
	}
	if errors.Is(err, leyden.ErrNotFound) || errors.Is(err, leyden.ErrInvalid) {
		w.wrong("command %d of %+v: %v", what, about, err)
	}
}

// stopOne stops the last charge of a station that runs, or is about to.
func (w *world) stopOne(server *csms.Server, s leyden.StationID) error {
	page, err := server.Ledger().Store().Transactions(w.t.Context(), leyden.Query{
		Station: s, Statuses: []leyden.Status{leyden.Pending, leyden.Active, leyden.Stopping}, Limit: 1,
	})
	if err != nil || len(page.Transactions) == 0 {
		return err
	}
	_, err = server.RemoteStop(w.t.Context(), page.Transactions[0].ID, "")
	return err
}

// rest waits, and reports whether the simulation goes on.
func (w *world) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.over:
		return false
	}
}

// An edition is one version of a final record.
type edition struct {
	id int
	at int64 // InsertedAt, in µs
}

// A poller fetches from v2 what was inserted, window by window.
type poller struct {
	world *world

	mu    sync.Mutex
	until time.Time // what was inserted before it was fetched
	seen  map[edition]int
}

// poll fetches until all is over.
func (p *poller) poll() {
	for p.world.rest(p.world.plan.poll) {
		p.fetch()
	}
}

// fetch fetches what was inserted since the last time. If that fails, the next time does.
func (p *poller) fetch() {
	p.mu.Lock()
	from := p.until
	p.mu.Unlock()
	now := time.Now().UTC()
	got, ok := p.world.listV2(fmt.Sprintf("&filterBy=InsertedAt&from=%s&to=%s", from.Format(time.RFC3339Nano), now.Format(time.RFC3339Nano)))
	if !ok {
		return
	}
	p.mu.Lock() // not while it is asked: nothing in a bubble may wait for a lock
	defer p.mu.Unlock()
	p.until = now
	for _, row := range got {
		p.seen[edition{row.TransactionID, row.InsertedAt.UnixMicro()}]++
	}
}
