package ocpp_test

import (
	"context"
	"io"
	"runtime"
	"testing"

	"leyden/ocpp"
)

const (
	heartbeat = `[2,"3f2a8c1e-8b0d-4c57-9f6e-2d1a7b5c4e3f","Heartbeat",{}]`
	answered  = `[3,"3f2a8c1e-8b0d-4c57-9f6e-2d1a7b5c4e3f",{"currentTime":"2024-01-15T10:30:00.000Z"}]`
)

// beat answers a Heartbeat.
func beat(context.Context, ocpp.Frame) ocpp.Reply {
	return ocpp.Reply{Message: currentTime}
}

var currentTime ocpp.Message = ocpp.Raw(`{"currentTime":"2024-01-15T10:30:00.000Z"}`)

// BenchmarkConn is a CALL and its CALLRESULT, client included.
func BenchmarkConn(b *testing.B) {
	for scheme := range schemes {
		b.Run(scheme, func(b *testing.B) {
			tr, s := connect(b, listen(b, ocpp.UpgradeOptions{}, scheme))
			ended := make(chan error, 1)
			go func() { ended <- ocpp.NewConn(tr, ocpp.Options{}).Serve(context.Background(), beat) }()
			out := []byte(masked(fin|textOp, heartbeat))
			in := make([]byte, 2+len(answered))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(s.in, in); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			<-ended
		})
	}
}

// BenchmarkIdle reports what a connection at rest takes, far end included.
func BenchmarkIdle(b *testing.B) {
	for scheme := range schemes {
		b.Run(scheme, func(b *testing.B) {
			l := listen(b, ocpp.UpgradeOptions{}, scheme)
			const n = 500
			before := inUse()
			var far []*station
			ended := make(chan error, n)
			for range n {
				tr, s := connect(b, l)
				go func() { ended <- ocpp.NewConn(tr, ocpp.Options{}).Serve(context.Background(), beat) }()
				s.send(masked(fin|textOp, heartbeat))
				if _, err := s.in.Discard(2 + len(answered)); err != nil {
					b.Fatal(err)
				}
				s.in.Reset(nil)
				s.in = nil
				far = append(far, s)
			}
			grown := inUse() - before
			for b.Loop() {
			}
			b.ReportMetric(float64(grown)/n, "B/conn")
			for _, s := range far {
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				<-ended
			}
		})
	}
}

// inUse returns the memory of the heap and the stacks after the garbage is gone.
func inUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
