package sim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A central is a tiny central system over pipes. It keeps what it is told,
// answers resends like the first message, and notes what no station may do.
type central struct {
	t *testing.T
	// handle, if not nil, answers instead where it returns true.
	handle func(station string, m ocpp.Request) (ocpp.Reply, bool)
	// payload, if not nil, is shown what comes, which may be odd then.
	payload func(f ocpp.Frame)
	// dial, if not nil, may refuse a connection.
	dial func(who sim.Login) error

	wg sync.WaitGroup

	mu     sync.Mutex
	conns  map[string]*ocpp.Conn
	boots  map[string]int
	dials  map[string]int
	told   map[string][]string // statuses and other messages in order, by station
	said   []ocpp.Request      // all messages in order
	rows   map[string]*row     // by start
	ids    map[int]*row
	frames []string // ids and actions of calls
	closed []ocpp.CloseCode
}

// A row is what the central system knows of one transaction.
type row struct {
	station string
	id      int
	start   v16.StartTransaction
	values  map[string]v16.MeterValues // by content
	stop    *v16.StopTransaction
	answer  *v16.StartTransactionResponse
}

func newCentral(t *testing.T) *central {
	return &central{
		t: t, conns: map[string]*ocpp.Conn{}, boots: map[string]int{}, dials: map[string]int{},
		told: map[string][]string{}, rows: map[string]*row{}, ids: map[int]*row{},
	}
}

// Dial is the sim.Dialer.
func (c *central) Dial(_ context.Context, who sim.Login) (ocpp.Transport, error) {
	c.mu.Lock()
	c.dials[who.Station]++
	c.mu.Unlock()
	if c.dial != nil {
		if err := c.dial(who); err != nil {
			return nil, err
		}
	}
	near, far := ocpp.Pipe()
	conn := ocpp.NewConn(far, ocpp.Options{OnFrame: c.onFrame})
	c.mu.Lock()
	c.conns[who.Station] = conn
	c.mu.Unlock()
	c.wg.Go(func() {
		err := conn.Serve(context.Background(), func(_ context.Context, f ocpp.Frame) ocpp.Reply { return c.answer(who.Station, f) })
		if !errors.Is(err, ocpp.ErrClosed) {
			c.t.Errorf("serve %s: %v", who.Station, err)
		}
		if ce, ok := errors.AsType[*ocpp.CloseError](err); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.closed = append(c.closed, ce.Code)
		}
	})
	return near, nil
}

func (c *central) onFrame(_ context.Context, s ocpp.Sight) {
	if s.Sent || s.Err != nil || s.Frame.Type != ocpp.Call {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, s.Frame.ID+" "+s.Frame.Action)
}

func (c *central) answer(station string, f ocpp.Frame) ocpp.Reply {
	m := v16.NewRequest(f.Action)
	var v ocpp.Violations
	err := m.Decode(f.Payload, &v)
	if c.payload != nil {
		c.mu.Lock()
		c.payload(f)
		c.mu.Unlock()
	}
	if c.payload == nil && (err != nil || len(v.List)+v.Extra > 0) {
		c.t.Errorf("%s sent a %s that does not conform: %v %+v: %s", station, f.Action, err, v, f.Payload)
	}
	if c.handle != nil {
		if r, ok := c.handle(station, m); ok {
			return r
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, m)
	return ocpp.Reply{Message: c.record(station, m)}
}

// record is what an honest central system does. The lock is held.
func (c *central) record(station string, m ocpp.Request) ocpp.Message {
	accepted := v16.IDTagInfo{Status: v16.AuthorizationStatusAccepted}
	switch m := m.(type) {
	case *v16.BootNotification:
		c.boots[station]++
		return &v16.BootNotificationResponse{
			Status: v16.RegistrationStatusAccepted, CurrentTime: time.Now(), Interval: 600,
		}
	case *v16.StatusNotification:
		c.told[station] = append(c.told[station], fmt.Sprintf("%d %s", m.ConnectorID, m.Status))
		return new(v16.StatusNotificationResponse)
	case *v16.Authorize:
		c.told[station] = append(c.told[station], "Authorize")
		return &v16.AuthorizeResponse{IDTagInfo: accepted}
	case *v16.StartTransaction:
		return c.recordStart(station, m)
	case *v16.MeterValues:
		c.told[station] = append(c.told[station], "MeterValues")
		if r := c.row(station, m.TransactionID.Value); r != nil {
			r.values[string(m.AppendJSON(nil))] = *m
		}
		return new(v16.MeterValuesResponse)
	case *v16.StopTransaction:
		c.told[station] = append(c.told[station], "Stop "+string(m.Reason.Value))
		if r := c.row(station, m.TransactionID); r != nil {
			c.recordStop(r, m)
		}
		return new(v16.StopTransactionResponse)
	}
	c.told[station] = append(c.told[station], m.Action())
	return v16.NewResponse(m.Action())
}

func (c *central) recordStart(station string, m *v16.StartTransaction) ocpp.Message {
	c.told[station] = append(c.told[station], "Start")
	key := station + string(m.AppendJSON(nil))
	if r := c.rows[key]; r != nil {
		return r.answer
	}
	id := len(c.ids) + 1
	r := &row{station: station, id: id, start: *m, values: map[string]v16.MeterValues{}}
	r.answer = &v16.StartTransactionResponse{
		IDTagInfo: v16.IDTagInfo{Status: v16.AuthorizationStatusAccepted}, TransactionID: id,
	}
	c.rows[key], c.ids[id] = r, r
	return r.answer
}

func (c *central) recordStop(r *row, m *v16.StopTransaction) {
	if r.stop != nil && string(r.stop.AppendJSON(nil)) != string(m.AppendJSON(nil)) {
		c.t.Errorf("%s stopped %d differently: %+v, before %+v", r.station, r.id, m, r.stop)
	}
	r.stop = m
}

func (c *central) row(station string, id int) *row {
	r := c.ids[id]
	if id != 0 && (r == nil || r.station != station) {
		c.t.Errorf("%s speaks of transaction %d, which is not its own", station, id)
		return nil
	}
	return r
}

// call sends a request to a station.
func (c *central) call(station string, req ocpp.Request, res ocpp.Response) {
	c.t.Helper()
	c.mu.Lock()
	conn := c.conns[station]
	c.mu.Unlock()
	if err := conn.Call(context.Background(), req, res); err != nil {
		c.t.Errorf("%s %+v: %v", req.Action(), req, err)
	}
}

// log returns what a station has told so far.
func (c *central) log(station string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.told[station]...)
}

// run runs a fleet in a bubble until its end, with what meanwhile does to it.
func run(t *testing.T, o sim.Options, c *central, meanwhile func(f *sim.Fleet)) *sim.Report {
	t.Helper()
	var r *sim.Report
	synctest.Test(t, func(t *testing.T) {
		o.Dial, o.Record = c.Dial, true
		f, err := sim.NewFleet(o)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { r = f.Run(t.Context()) })
		if meanwhile != nil {
			meanwhile(f)
		}
		wg.Wait()
		c.wg.Wait()
	})
	return r
}

// sleep lets simulated time pass, and everything settle.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
