package simtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"leyden"
	"leyden/csms"
	"leyden/ocpp"
)

// A node is one life of the server.
type node struct {
	ledger  *leyden.Ledger
	server  *csms.Server
	disk    disk
	store   *handle
	ended   chan struct{} // closed when it is dead
	dead    atomic.Bool
	running sync.WaitGroup
	cancel  context.CancelFunc

	mu     sync.Mutex
	lines  map[ocpp.Transport]bool
	doomed map[leyden.StationID]bool // with the next answer to one of them it ends
}

// newNode starts a server over what the disk has.
func newNode(w *world) *node {
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{
		ended: make(chan struct{}), cancel: cancel,
		lines: make(map[ocpp.Transport]bool), doomed: make(map[leyden.StationID]bool),
	}
	n.disk = w.disk
	n.store = &handle{w.disk.driver(), w.fates, n}
	if w.plan.sabotage != nil {
		n.store.driver = w.plan.sabotage(n.store.driver)
	}
	n.ledger = leyden.NewLedger(n.store, n.store, leyden.Options{StartConflict: w.plan.conflict})
	n.server = csms.New(n.ledger, csms.Options{})
	if _, err := n.ledger.Recover(ctx); err != nil {
		n.crash() // as the process would end
	}
	n.running.Go(func() { n.ledger.Run(ctx, func(error) {}) }) // what fails is tried again
	return n
}

// crash ends the server as kill -9 does.
func (n *node) crash() {
	if !n.dead.CompareAndSwap(false, true) {
		return
	}
	n.mu.Lock()
	lines := n.lines
	n.lines = nil
	n.mu.Unlock()
	for tr := range lines {
		_ = tr.Close(ocpp.CloseAbnormal, "") // the station sees it
	}
	n.disk.crash() // now that nobody is answered any more
	n.cancel()
	close(n.ended)
}

// bury ends a server in good order, or waits until nothing of a dead one is left.
func (n *node) bury() error {
	err := n.server.Drain(context.Background())
	n.cancel()
	n.running.Wait()
	n.dead.Store(true)
	return err
}

// doom has the server end with the next answer to a station; without one, at once.
func (n *node) doom(s leyden.StationID) {
	if s == "" {
		n.crash()
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doomed[s] = true
}

func (n *node) isDoomed(s leyden.StationID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.doomed[s]
}

var errRefusedConnection = errors.New("connection refused")

// connect opens a connection of a station.
func (n *node) connect(who leyden.StationID) (ocpp.Transport, error) {
	near, far := ocpp.Pipe()
	n.mu.Lock()
	if n.lines == nil {
		n.mu.Unlock()
		return nil, errRefusedConnection
	}
	n.lines[near] = true
	n.mu.Unlock()
	n.running.Go(func() {
		_ = n.server.Serve(context.Background(), who, "ocpp1.6", answering{near, n, who}) // the station sees why it ended
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.lines, near)
	})
	return far, nil
}

// An answering transport ends a doomed server once the answer has left.
type answering struct {
	ocpp.Transport
	node    *node
	station leyden.StationID
}

func (a answering) Send(msg []byte) error {
	err := a.Transport.Send(msg)
	if bytes.HasPrefix(msg, []byte("[3")) && a.node.isDoomed(a.station) {
		a.node.crash()
	}
	return err
}
