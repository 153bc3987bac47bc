package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden/rest/barrage"
)

// TestHandshakeTimesOut: who does not get his request said in ten seconds is cut
// off, with a 400 if that began at all, however busy he seems.
func TestHandshakeTimesOut(t *testing.T) {
	const request = "GET /ocpp/CHARGER-001 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n"
	for _, c := range []struct {
		name string
		said string
		each time.Duration // how long a byte takes
		want string
	}{
		{"nothing", "", 0, ""},
		{"half a line", request[:7], 0, "HTTP/1.1 400"},
		{"all but the end", request[:len(request)-1], 0, "HTTP/1.1 400"},
		{"a byte a minute", request, time.Minute, ""},
		{"a byte a second", request, time.Second, "HTTP/1.1 400"},
		{"a byte in 100 ms", request, 100 * time.Millisecond, "HTTP/1.1 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := barrage.NewListener()
				srv := newHTTP(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
				ended := make(chan error, 1)
				go func() { ended <- srv.Serve(listener) }()
				far, err := listener.Dial()
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var saying sync.WaitGroup
				saying.Go(func() {
					for _, b := range []byte(c.said) {
						time.Sleep(c.each) // simulated
						if _, err := far.Write([]byte{b}); err != nil {
							return
						}
					}
				})
				got, err := io.ReadAll(io.LimitReader(far, 12))
				took := time.Since(began)
				if inTime := c.want == "HTTP/1.1 404"; string(got) != c.want || err != nil || !inTime && took != readHeaderTimeout {
					t.Errorf("got %q, %v after %v; want %q", got, err, took, c.want)
				}
				far.Close()
				saying.Wait()
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
				if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}
