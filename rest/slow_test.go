package rest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden/rest/barrage"
)

// serve runs h until the test ends and returns a connection to it.
func serve(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	listener := barrage.NewListener()
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	client, err := listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return client
}

// A body that does not arrive is given up, and soon.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, newFixture(t))
		begin := time.Now()
		fmt.Fprintf(conn, "POST /t/orders/7 HTTP/1.1\r\nHost: x\r\nX-API-Key: reader\r\nContent-Length: 20\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "REQUEST_TIMEOUT") {
			t.Errorf("got %d %s, %v", res.StatusCode, body, err)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Deadlines of one request do not reach into the next on the same connection.
func TestConnectionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, newFixture(t))
		replies := bufio.NewReader(conn)
		for range 3 {
			fmt.Fprintf(conn, "POST /t/orders/7 HTTP/1.1\r\nHost: x\r\nX-API-Key: reader\r\nContent-Length: 15\r\n\r\n%s", `{"name":"cake"}`)
			res, err := http.ReadResponse(replies, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, res.Body)
			if err != nil || res.StatusCode != http.StatusAccepted {
				t.Fatalf("got %d, %v", res.StatusCode, err)
			}
			res.Body.Close()
			time.Sleep(40 * time.Second) // simulated
		}
	})
}

// A client that left is not answered, and is no failure of ours.
func TestClientLeft(t *testing.T) {
	f := newFixture(t)
	registerWait(f.API)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequest(http.MethodGet, "/wait/forever", nil).WithContext(ctx)
	r.Header.Set("X-API-Key", "reader")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Body.Len() > 0 || !strings.Contains(f.log.String(), `"status":499`) || strings.Contains(f.log.String(), `"level":"ERROR"`) {
		t.Errorf("got %s and the log\n%s", w.Body, f.log)
	}
}
