// Package bench measures a real server: it starts `leyden serve` as a child
// process on a fresh ledger, drives it over loopback with the stations of
// package sim, and says what it achieved and what it cost. Afterwards it opens
// the ledger and counts: a figure of messages that were lost is none.
//
// Everything runs on one machine, the load included; what is measured is what
// both get done together.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"leyden"
	"leyden/sim"
	"leyden/sqlite"
)

// Options say what to measure. Binary, Dial, Stations and Duration are needed.
type Options struct {
	Binary   string                      // the leyden to start
	Dial     func(url string) sim.Dialer // how stations connect to a ws URL; their identity is appended
	Stations int                         // each has one connection
	Duration time.Duration               // that is measured, after Warmup
	Warmup   time.Duration
	Log      io.Writer // what the server says of errors; nil for nowhere
	// OnMeasure, if not nil, is called when the measuring begins.
	OnMeasure func()
}

// A Result is what was measured.
type Result struct {
	Stations          int     `json:"stations"`
	Seconds           float64 `json:"seconds"`
	Sessions          int     `json:"sessions"`
	SessionsPerSecond float64 `json:"sessionsPerSecond"`
	MessagesPerSecond float64 `json:"messagesPerSecond"`
	StartP50          float64 `json:"startP50Ms"` // answer to StartTransaction
	StartP99          float64 `json:"startP99Ms"`
	AnswerP50         float64 `json:"answerP50Ms"` // any answer
	AnswerP99         float64 `json:"answerP99Ms"`
	Errors            int     `json:"errors"`
	FirstError        string  `json:"firstError,omitempty"`

	ServerCPU        float64 `json:"serverCpuSeconds"` // while it was measured; 0 where it cannot be known
	CPUPerMessage    float64 `json:"serverCpuPerMessageUs"`
	ServerRSS        float64 `json:"serverRssMiB"` // at the end
	LedgerCompleted  int     `json:"ledgerCompleted"`
	LedgerSizeMiB    float64 `json:"ledgerMiB"`
	LedgerTotalCheck bool    `json:"ledgerHoldsAll"` // no answered session is missing
}

// Sessions measures how many complete charges a second the server keeps, each
// station doing one after the other. ctx ends it early, with an error.
func Sessions(ctx context.Context, o Options) (r *Result, err error) {
	data, err := os.MkdirTemp("", "leyden-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := start(ctx, o, data)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	sample := sampler{server: s, span: o.Duration, also: o.OnMeasure}
	load := sim.Load{
		Dial: o.Dial(s.url), Stations: o.Stations, Duration: o.Duration, Warmup: o.Warmup,
		OnMeasure: sample.begin,
	}
	measured, err := load.Run(ctx)
	r = &Result{Stations: o.Stations, ServerCPU: sample.used(), ServerRSS: s.rss()}
	if err := errors.Join(err, s.stop()); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r.take(measured)
	if err := r.count(ctx, data, measured); err != nil {
		return nil, fmt.Errorf("bench: ledger: %w", err)
	}
	return r, nil
}

func (r *Result) take(m *sim.LoadResult) {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	r.Seconds = m.Elapsed.Seconds()
	r.Sessions, r.SessionsPerSecond, r.MessagesPerSecond = m.Sessions, m.SessionsPerSecond(), m.MessagesPerSecond()
	r.StartP50, r.StartP99 = ms(m.Starts.P50), ms(m.Starts.P99)
	r.AnswerP50, r.AnswerP99 = ms(m.Answers.P50), ms(m.Answers.P99)
	r.Errors, r.FirstError = m.Errors, m.FirstError
	if m.Messages > 0 {
		r.CPUPerMessage = r.ServerCPU * 1e6 / float64(m.Messages)
	}
}

// count opens the ledger and looks whether all that was answered is there.
func (r *Result) count(ctx context.Context, data string, m *sim.LoadResult) (err error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: data, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	page, err := db.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Completed}, Limit: 1})
	if err != nil {
		return err
	}
	r.LedgerCompleted = page.Total
	r.LedgerTotalCheck = page.Total >= m.Sessions
	files, err := filepath.Glob(filepath.Join(data, "leyden.db*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		r.LedgerSizeMiB += float64(info.Size()) / (1 << 20)
	}
	return nil
}

// A server is the child process.
type server struct {
	cmd *exec.Cmd
	url string // where stations connect
}

// start starts the server and returns when it serves.
func start(ctx context.Context, o Options, data string) (*server, error) {
	cmd := exec.CommandContext(ctx, o.Binary, "serve", "--listen", "127.0.0.1:0", "--data", data,
		"--admission", "open", "--log-level", "error")
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEYDEN_") })
	cmd.Env = append(env, "LEYDEN_ADMIN_KEY="+isolationKey) // the server is gone with its ledger
	cmd.Stderr = o.Log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "Leyden serves http"); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return &server{cmd: cmd, url: "ws" + url + "/ocpp"}, nil
		}
	}
	return nil, errors.Join(errors.New("the server did not start"), cmd.Wait())
}

// stop ends the server as an operator does.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the server: %w", err)
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server ended badly: %w", err)
	}
	return nil
}
