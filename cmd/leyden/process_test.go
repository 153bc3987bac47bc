package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"leyden/internal/race"
)

// TestMain makes this test binary a leyden too: what tests start under that
// name runs main. Most of a test is waiting for a process of its own, so more of
// them run at once than there are processors, unless -parallel says how many.
func TestMain(m *testing.M) {
	each := race.Fewer(4, 2)
	if err := flag.Set("test.parallel", strconv.Itoa(each*runtime.GOMAXPROCS(0))); err != nil {
		panic(err) // the flag is there
	}
	testscript.Main(witnessedRun{m}, map[string]func(){"leyden": main})
}

// limit is how long a test waits for what takes a moment, on a machine that has
// much else to do. Nothing is waited for any longer.
const limit = 3 * time.Minute

// within receives what is to come soon.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(limit):
		t.Fatalf("not within %v: %s", limit, what)
	}
	panic("unreachable")
}

// adminKey is the key that servers of tests are given.
const adminKey = "an-admin-key-for-tests"

// A process is a real leyden.
type process struct {
	t      *testing.T // nil in a script
	cmd    *exec.Cmd
	stdout *transcript
	stderr *transcript
	exited chan struct{}
	err    error // how it exited

	url string // of a server
}

// raceQuick makes a process that was built with the race detector end without
// the second that it sleeps at its exit.
const raceQuick = "GORACE=atexit_sleep_ms=0"

// environment returns our own without settings of leyden, and with more.
func environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEYDEN_") })
	return append(append(own, raceQuick), more...)
}

// launch starts a leyden.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startProcess(t, exec.Command("leyden", args...), env...)
}

// startProcess starts a command, which is killed at the end of the test if it
// still runs, with all that it started.
func startProcess(t *testing.T, cmd *exec.Cmd, env ...string) *process {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = environment(env...)
	}
	p, err := begin(cmd)
	if err != nil {
		t.Fatal(err)
	}
	p.t = t
	t.Cleanup(func() {
		if err := p.kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// begin starts a command and keeps what it says, unless that has a place already.
func begin(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, stdout: newTranscript(), stderr: newTranscript(), exited: make(chan struct{})}
	cmd.Stdout = p.stdout
	if cmd.Stderr == nil {
		cmd.Stderr = p.stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = limit / 4 // for what it started and left behind
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// kill ends a process for good, if it still runs, with all that it started.
func (p *process) kill() error {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%v was killed and is there %v later", p.cmd, limit)
	}
}

// startServer starts a server that knows adminKey, on a free port unless args
// say another, and returns when it serves.
func startServer(t *testing.T, args ...string) *process {
	t.Helper()
	if !slices.Contains(args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	p := launch(t, []string{"LEYDEN_ADMIN_KEY=" + adminKey}, append([]string{"serve"}, args...)...)
	p.url = p.await(p.stdout, `Leyden serves (https?://\S+)\n`)
	return p
}

// await returns what pattern matches first in what p says, the first group of
// it if it has one.
func (p *process) await(said *transcript, pattern string) string {
	p.t.Helper()
	found, err := p.hear(said, pattern)
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// hear is await where there is no test.
func (p *process) hear(said *transcript, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	deadline := time.After(limit)
	for {
		text, grown := said.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[len(m)-1], nil
		}
		select {
		case <-grown:
			continue
		case <-p.exited:
			if now, _ := said.read(); re.MatchString(now) {
				continue
			}
			return "", fmt.Errorf("leyden ended with %v and did not say %q; it said\n%s\n%s", p.err, pattern, p.stdout, p.stderr)
		case <-deadline:
			return "", fmt.Errorf("leyden did not say %q within %v; it said\n%s\n%s", pattern, limit, p.stdout, p.stderr)
		}
	}
}

// end sends a signal and returns how the process exited.
func (p *process) end(sig syscall.Signal) error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal: %v; it said\n%s", err, p.stderr)
	}
	return p.wait()
}

// wait returns how the process exited, and fails the test if it does not.
func (p *process) wait() error {
	p.t.Helper()
	if !p.over() {
		p.t.Fatalf("%v does not end within %v; it said\n%s\n%s", p.cmd, limit, p.stdout, p.stderr)
	}
	return p.err
}

// awaitEnd returns when a server has ended for its supervisor, because the disk had
// failed.
func (p *process) awaitEnd() {
	p.t.Helper()
	within(p.t, "the server ends", p.exited)
	const why = "the disk failed, and nothing is written until leyden is started anew"
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.stderr.String(), why) {
		p.t.Fatalf("the server ended with %d; it said\n%s", code, p.stderr)
	}
}

// over reports whether the process ends in time.
func (p *process) over() bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(limit):
		return false
	}
}

// drain ends a server as an operator does, and wants it to end well and in time.
func (p *process) drain() {
	p.t.Helper()
	began := time.Now()
	if err := p.end(syscall.SIGTERM); err != nil {
		p.t.Errorf("the server ended with %v; it said\n%s", err, p.stderr)
	}
	if took := time.Since(began); took > 10*time.Second {
		p.t.Errorf("the server took %v to end", took)
	}
}

// A reply is an answer over HTTP.
type reply struct {
	*http.Response
	body string
}

// call asks a server. A body makes it a POST, a key goes along unless it is "".
func (p *process) call(method, path, key, body string) reply {
	p.t.Helper()
	r, err := ask(p.t.Context(), http.DefaultClient, method, p.url+path, key, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v; it said\n%s", method, path, err, p.stderr)
	}
	return r
}

// get reads JSON with adminKey.
func (p *process) get(path string, into any) {
	p.t.Helper()
	r := p.call(http.MethodGet, path, adminKey, "")
	if err := json.Unmarshal([]byte(r.body), into); err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s: %s %s", path, r.Status, r.body)
	}
}

func ask(ctx context.Context, c *http.Client, method, url, key, body string) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNoAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		err = fmt.Errorf("body of %s %s: %w", method, url, errors.Join(err, context.Cause(ctx)))
	}
	return reply{res, string(text)}, err
}

var errNoAnswer = fmt.Errorf("no whole answer within %v", limit)

// eventually looks every moment until f says that it is so.
func eventually(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// runLeyden runs a leyden to its end and returns what it said.
func runLeyden(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	p := launch(t, nil, args...)
	err = p.wait()
	return p.stdout.String(), p.stderr.String(), err
}

// must is runLeyden for what must succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := runLeyden(t, args...)
	if err != nil {
		t.Fatalf("leyden %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// A transcript keeps what a process writes.
type transcript struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed when there is more
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.grown)
	s.grown = make(chan struct{})
	return s.text.Write(b)
}

func (s *transcript) read() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.grown
}

func (s *transcript) String() string {
	text, _ := s.read()
	return text
}

var _ fmt.Stringer = (*transcript)(nil)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
