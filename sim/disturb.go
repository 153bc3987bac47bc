package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"leyden/ocpp"
)

// A Disturbance is how a station behaves that should cost the others nothing.
type Disturbance string

// Disturbances returns all there are.
func Disturbances() []Disturbance { return []Disturbance{Slow, Silent, Flood, FloodReadings} }

// The disturbances.
const (
	// Slow sends one message after the other, and writes and reads a byte at a
	// time (see SlowWebSocket).
	Slow Disturbance = "slow"
	// Silent connects and boots, and from then on answers neither calls nor pings,
	// until it comes back without a word while its old connection is still there.
	Silent Disturbance = "silent"
	// Flood sends Heartbeats as fast as it can and waits for no answer.
	Flood Disturbance = "flood"
	// FloodReadings is Flood with MeterValues, each of which has to be kept.
	FloodReadings Disturbance = "flood-readings"
)

const (
	// slowByte is how long a byte of a slow connection takes.
	slowByte = time.Millisecond
	// silence is after what time a silent station comes back: a few times in the
	// shortest spell that is measured.
	silence = 400 * time.Millisecond
)

// SlowWebSocket is a WebSocket whose bytes come and go one by one, each after a
// millisecond.
func SlowWebSocket(url string, o ocpp.DialOptions) Dialer {
	o.Wrap = func(c net.Conn) net.Conn { return slowConn{c} }
	return WebSocket(url, o)
}

type slowConn struct{ net.Conn }

func (c slowConn) Read(p []byte) (int, error) {
	time.Sleep(slowByte)
	return c.Conn.Read(p[:min(1, len(p))])
}

func (c slowConn) Write(p []byte) (int, error) {
	for i := range p {
		time.Sleep(slowByte)
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// A Disturber is a station that misbehaves.
type Disturber struct {
	Dial    Dialer
	Station string
	How     Disturbance

	// Answers counts the messages of it that were answered, with whatever.
	Answers atomic.Int64
	stamp   atomic.Int64
}

// Run misbehaves until ctx is done, which is no error; a connection that ends is
// replaced.
func (d *Disturber) Run(ctx context.Context) error {
	behave := map[Disturbance]func(context.Context, ocpp.Transport) error{
		Slow: d.slow, Silent: d.silent, Flood: d.flood, FloodReadings: d.flood,
	}[d.How]
	if behave == nil {
		return fmt.Errorf("no disturbance %q", d.How)
	}
	var left []ocpp.Transport
	defer func() {
		for _, tr := range left {
			_ = tr.Close(ocpp.CloseAbnormal, "") // nobody listens any more
		}
	}()
	for {
		tr, err := d.Dial(ctx, Login{Station: d.Station})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", d.Station, err)
		}
		if err == nil {
			left = append(left, tr)
			err = behave(ctx, tr)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, ocpp.ErrClosed) {
			return fmt.Errorf("%s: %w", d.Station, err)
		}
	}
}

// message returns a message that was not sent before.
func (d *Disturber) message(dst []byte) []byte {
	n := d.stamp.Add(1)
	if d.How == Flood {
		return fmt.Appendf(dst, `[2,"%d","Heartbeat",{}]`, n)
	}
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Appendf(dst, `[2,"%d","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"%s","sampledValue":[{"value":"%d"}]}]}]`, n, at, n)
}

// slow sends a message, waits for its answer, and so on.
func (d *Disturber) slow(ctx context.Context, tr ocpp.Transport) error {
	defer context.AfterFunc(ctx, func() { _ = tr.Close(ocpp.CloseAbnormal, "") })() // it ends in any case
	for {
		if err := tr.Send(d.message(nil)); err != nil {
			return err
		}
		if err := tr.Receive(d.answered); err != nil {
			return err
		}
	}
}

func (d *Disturber) answered([]byte) error {
	d.Answers.Add(1)
	return nil
}

func (d *Disturber) silent(ctx context.Context, tr ocpp.Transport) error {
	if err := tr.Send([]byte(`[2,"boot","BootNotification",{"chargePointVendor":"Leyden","chargePointModel":"Silent"}]`)); err != nil {
		return err
	}
	if err := tr.Receive(d.answered); err != nil {
		return err
	}
	select {
	case <-time.After(silence):
	case <-ctx.Done():
	}
	return nil
}

func (d *Disturber) flood(ctx context.Context, tr ocpp.Transport) error {
	stop := context.AfterFunc(ctx, func() { _ = tr.Close(ocpp.CloseAbnormal, "") }) // it ends in any case
	defer stop()
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		for tr.Receive(d.answered) == nil {
		}
	})
	var buf []byte
	for {
		buf = d.message(buf[:0])
		if err := tr.Send(buf); err != nil {
			return err
		}
	}
}
