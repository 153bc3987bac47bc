package bench_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"leyden"
	"leyden/bench"
	"leyden/csms"
	"leyden/ocpp"
	"leyden/sim"
	"leyden/sqlite"
)

// serverMode is the variable that makes this test binary a server for bench to
// start, and says what is wrong with it.
const serverMode = "BENCH_SERVER"

func TestMain(m *testing.M) {
	mode := os.Getenv(serverMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	run := func() error { return serve(mode) }
	if probe := bench.ProbeCommand(); slices.Equal(os.Args[1:len(os.Args)-1], probe) {
		run = func() error { return bench.Probe(context.Background(), os.Args[len(os.Args)-1], os.Stdin, os.Stdout) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type anybody struct{ csms.Gate }

func (anybody) Admit(context.Context, leyden.Attempt) error { return nil }

// serve is `leyden serve`, as far as bench can tell.
func serve(mode string) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	data := flags.String("data", "", "")
	for _, other := range []string{"listen", "admission", "log-level", "store"} {
		flags.String(other, "", "")
	}
	if err := flags.Parse(os.Args[2:]); err != nil || mode == "dead" {
		return errors.Join(errors.New("it does not start"), err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	folder := *data
	if mode == "forgetful" { // its ledger is not where it should be
		if folder, err = os.MkdirTemp("", "bench-test-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: folder, Now: time.Now, Serve: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tokens := leyden.TokensOpen
	if mode == "strict" {
		tokens = leyden.TokensListed
	}
	server := csms.New(leyden.NewLedger(db, db, leyden.Options{Tokens: tokens}), csms.Options{Gate: anybody{}, Open: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ocpp/", server)
	mux.HandleFunc("GET /api/v1/transactions", func(w http.ResponseWriter, r *http.Request) {
		page, err := db.Transactions(r.Context(), leyden.Query{Statuses: []leyden.Status{leyden.Completed}, Limit: 1})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"pagination": {"total": %d}}`, page.Total)
	})
	mux.HandleFunc("GET /api/v1/chargers", func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := server.Ledger().Stations(r.Context(), leyden.StationQuery{Limit: 20}); err != nil || mode == "mute" {
			http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# HELP go_goroutines\ngo_goroutines %d\n", runtime.NumGoroutine())
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(w, "go_memstats_heap_inuse_bytes %d\ngo_memstats_stack_inuse_bytes %d\n", m.HeapInuse, m.StackInuse)
	})
	fmt.Printf("Leyden serves http://%s\n", l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(l, mux) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if mode == "untidy" {
		return errors.New("it ends badly")
	}
	return server.Drain(context.Background())
}

func options(t *testing.T, mode string) bench.Options {
	t.Helper()
	t.Setenv(serverMode, mode)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return bench.Options{
		Binary: binary, Stations: 5, Duration: time.Second, Warmup: 100 * time.Millisecond,
		Dial: func(url string) sim.Dialer { return sim.WebSocket(url, ocpp.DialOptions{}) },
	}
}

func TestSessions(t *testing.T) {
	o := options(t, "good")
	measures := 0
	o.OnMeasure = func() { measures++ }
	r, err := bench.Sessions(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []struct {
		name string
		ok   bool
	}{
		{"no errors", r.Errors == 0 && r.FirstError == ""},
		{"something happened", r.Get("sessions") > 0 && r.Get("messages") > r.Get("sessions")},
		{"answers took their time", r.Get("any answer p50") > 0 && r.Get("any answer p99") >= r.Get("any answer p50")},
		{"the ledger takes room", r.Get("ledger") > 0},
		{"the disk takes time", r.Get("fdatasync p50") > 0 && r.Get("StartTransaction p50 over fdatasync p50") > 0},
		{"the server worked no longer than it was measured", r.Get("server processor")*r.Get("messages") < 64e6},
		{"the server is in memory and calls", r.Get("server RSS") > 1 && r.Get("read calls") > 0 && r.Get("write calls") > 0 || !hasProc()},
		{"the begin was told once", measures == 1},
	} {
		if !rule.ok {
			t.Errorf("not so: %s: %+v", rule.name, r)
		}
	}
}

// TestIsolation: each disturbance is measured beside spells without it.
func TestIsolation(t *testing.T) {
	i := bench.Isolation{
		Options: options(t, "good"), Disturb: sim.Disturbances(), Every: 5 * time.Millisecond, Spell: 200 * time.Millisecond, Rounds: 1,
		Slow: func(url string) sim.Dialer { return sim.SlowWebSocket(url, ocpp.DialOptions{}) },
	}
	r, err := i.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Errors != 0 || len(r.Costs) != len(i.Disturb) {
		t.Fatalf("got %+v", r)
	}
	for k, c := range r.Costs {
		if c.Disturbance != i.Disturb[k] || c.Messages == 0 || c.Disturber <= 0 && c.Disturbance != sim.Slow || c.QuietP50 <= 0 || c.QuietP99 < c.QuietP50 || c.DisturbedP99 < c.DisturbedP50 {
			t.Errorf("got %+v", c)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	i.OnMeasure = cancel
	if _, err := i.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/status")
	return err == nil
}

// A figure of messages that were lost or refused is none.
func TestSessionsFindsFault(t *testing.T) {
	t.Run("lost", func(t *testing.T) {
		r, err := bench.Sessions(t.Context(), options(t, "forgetful"))
		if err == nil || !strings.Contains(err.Error(), "the ledger holds 0 of ") {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		r, err := bench.Sessions(t.Context(), options(t, "strict"))
		if err != nil || r.Errors == 0 || r.FirstError == "" || r.Get("sessions") != 0 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	for mode, want := range map[string]string{"dead": "the server did not start", "untidy": "the server ended badly"} {
		t.Run(mode, func(t *testing.T) {
			r, err := bench.Sessions(t.Context(), options(t, mode))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %+v, %v; want %q", r, err, want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		o := options(t, "good")
		o.Duration = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		o.OnMeasure = cancel
		if _, err := bench.Sessions(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no binary", func(t *testing.T) {
		o := options(t, "good")
		o.Binary = "/no/such/leyden"
		if _, err := bench.Sessions(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// TestMemory: what a server that keeps nothing has is counted before it ends.
func TestMemory(t *testing.T) {
	o := options(t, "forgetful")
	o.Store = bench.Memory
	r, err := bench.Sessions(t.Context(), o)
	if err != nil || r.Errors != 0 || r.Get("sessions") <= 0 || r.Get("ledger") != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
}
