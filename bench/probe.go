package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

const (
	// probePath is what an unrelated client asks for in a storm, and probeEvery how
	// often.
	probePath  = "/api/v1/chargers?limit=20"
	probeEvery = 10 * time.Millisecond
	// probeQuiet is how long it asks before, to know what it takes otherwise.
	probeQuiet = time.Second
)

// ProbeCommand are the arguments with which [Storm] starts Options.Binary anew, to
// call [Probe]. The address of the server's API follows.
func ProbeCommand() []string { return []string{"bench", "probe"} }

// Probe asks the API of a server that bench started, at even intervals and whether or
// not what it asked before is answered, until in ends. Then it writes to out how long
// each answer took from when the question was due. It is a client like any other,
// and so a process of its own: in that of the load it would wait behind thousands of
// stations before it could so much as ask.
func Probe(ctx context.Context, api string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // however it ends
		cancel()
	}()
	s := server{api: api, client: new(Options).client()}
	took, err := s.probe(ctx)
	return errors.Join(err, json.NewEncoder(out).Encode(took))
}

func (s *server) probe(ctx context.Context) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var asking sync.WaitGroup
	for due := time.Now(); sleep(ctx, time.Until(due)) == nil; due = due.Add(probeEvery) {
		asking.Go(func() {
			_, err := s.get(context.WithoutCancel(ctx), probePath)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			failed = errors.Join(failed, err)
		})
	}
	asking.Wait()
	return slices.Clip(took), failed
}

// A prober is a process that calls Probe.
type prober struct {
	cmd  *exec.Cmd
	in   io.Closer
	out  bytes.Buffer
	says bytes.Buffer
}

func (t *trial) startProbe(ctx context.Context) (*prober, error) {
	p := &prober{cmd: exec.CommandContext(ctx, t.Binary, append(ProbeCommand(), t.api)...)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = os.Environ(), &p.out, &p.says
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	return p, p.cmd.Start()
}

// end ends the process and returns how long its answers took.
func (p *prober) end() (took []time.Duration, err error) {
	closed := p.in.Close()
	if err := errors.Join(closed, p.cmd.Wait()); err != nil {
		return nil, fmt.Errorf("client of the API: %w: %.200s", err, p.says.Bytes())
	}
	if err := json.Unmarshal(p.out.Bytes(), &took); err != nil {
		return nil, fmt.Errorf("client of the API: %w", err)
	}
	return took, nil
}
