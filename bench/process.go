package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server is the child process.
type server struct {
	cmd *exec.Cmd
	url string // where stations connect
	api string // where clients ask

	client *http.Client
}

// adminKey lets bench in where only operators may; the server is gone with its
// ledger.
const adminKey = "bench-asks-with-this-key"

// start starts the server and returns when it serves. The folder is not used by a
// store that has none.
func start(ctx context.Context, o *Options, data string) (*server, error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--admission", "open", "--log-level", "error", "--store", o.store()}
	if o.store() != Memory {
		args = append(args, "--data", data)
	}
	cmd := exec.CommandContext(ctx, o.Binary, append(args, o.Flags...)...)
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEYDEN_") })
	cmd.Env = append(env, "LEYDEN_ADMIN_KEY="+adminKey)
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
		if rest, ok := strings.CutPrefix(lines.Text(), "Leyden serves http"); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return &server{cmd: cmd, url: "ws" + rest + "/ocpp", api: "http" + rest, client: o.client()}, nil
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

// get asks the server's API and returns the body of a good answer.
func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", adminKey)
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %.200s", path, res.Status, body)
	}
	return body, nil
}

// metrics returns what /metrics says of itself, without labels; nothing of a
// server that has none.
func (s *server) metrics() map[string]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil
	}
	all := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = v
		}
	}
	return all
}

const (
	metricsTimeout = 10 * time.Second
	// keptConnections is how many connections to the API stay open.
	keptConnections = 256
)

// client returns who asks the API, as a client that keeps its connections.
func (o *Options) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: keptConnections}}
}

// completed asks the server how many charges are completed.
func (s *server) completed(ctx context.Context) (int, error) {
	body, err := s.get(ctx, "/api/v1/transactions?status=completed&limit=1")
	if err != nil {
		return 0, err
	}
	var page struct{ Pagination struct{ Total int } }
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, fmt.Errorf("list of transactions: %w", err)
	}
	return page.Pagination.Total, nil
}

// clockTick is the unit of processor time in /proc/PID/stat: a hundredth of a
// second on every Linux that Go runs on.
const clockTick = 0.01

// processorTime returns the processor time that a process has used, in s; 0 where
// there is no /proc.
func processorTime(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program, in parentheses, may hold spaces (proc_pid_stat(5)).
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (user + system) * clockTick
}

// rss returns the server's resident memory, in MiB; 0 where there is no /proc.
func (s *server) rss() float64 {
	kib := numberIn(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid), "VmRSS:")
	return kib / 1024
}

// calls returns how many read and write calls the server has made, of files and
// sockets alike, also those that found nothing.
func (s *server) calls() (reads, writes float64) {
	file := fmt.Sprintf("/proc/%d/io", s.cmd.Process.Pid)
	return numberIn(file, "syscr:"), numberIn(file, "syscw:")
}

// numberIn returns the number behind a word in a file of /proc; 0 without one.
func numberIn(file, word string) float64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == word {
			n, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// processorModel names the processor; empty where that cannot be known.
func processorModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
