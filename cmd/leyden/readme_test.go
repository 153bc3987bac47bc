package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"leyden"
)

var readme = flag.Bool("readme", false, "run the commands of README.md")

const root = "../.."

// blocks returns the shell blocks of README.md, each as its commands.
func blocks(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found [][]string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		var commands []string
		for line := range strings.Lines(strings.ReplaceAll(m[1], "\\\n", "")) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				commands = append(commands, line)
			}
		}
		found = append(found, commands)
	}
	return found
}

// TestREADMENames: the commands and make targets that README.md and the
// documents name are there, and no command is left out.
func TestREADMENames(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text, makefile := read("README.md"), read("Makefile")
	for _, target := range []string{"help", "build", "run", "test", "lint", "generate", "verify", "bench"} {
		if !regexp.MustCompile(`(?m)^` + target + `:.*## `).MatchString(makefile) {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
	if all := blocks(t); len(all) < 3 || !slices.Equal(all[0], []string{"go run ./cmd/leyden serve --demo 5"}) || !slices.Equal(all[1], []string{"make test"}) {
		t.Errorf("README.md does not begin with the two commands of the set-up: %v", all)
	}
	for _, c := range rootCommand().Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" || c.Name() == "version" {
			continue
		}
		var subs []string
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				subs = append(subs, sub.Name())
			}
		}
		row := "`leyden " + strings.TrimSpace(c.Name()+" "+strings.Join(subs, `\|`)) + "`"
		inAnyOrder := regexp.MustCompile("`leyden " + c.Name() + "( [a-z|\\\\-]+)?`")
		if !inAnyOrder.MatchString(text) {
			t.Errorf("README.md has no row %s", row)
		}
		for _, sub := range subs {
			if row := inAnyOrder.FindString(text); !strings.Contains(row, sub) {
				t.Errorf("README.md: %s lacks %s", row, sub)
			}
		}
	}
	wantFlags(t, text+read("docs/operating.md"))
}

// TestOperating: what docs/operating.md names is there.
func TestOperating(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	example := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(text)
	if example == nil {
		t.Fatal("there is no config file in it")
	}
	file := filepath.Join(t.TempDir(), "leyden.toml")
	if err := os.WriteFile(file, []byte(example[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := serveCommand().Flags()
	err = errors.Join(flags.Set("config", file), loadSettings(flags, func(string) (string, bool) { return "", false }))
	if expire := flags.Lookup("remote-start-expire"); err != nil || !expire.Changed || expire.Value.String() != "2m0s" {
		t.Errorf("its config file: %v", err)
	}
	for _, name := range leyden.Flags(1<<32 - 1).Names() {
		if !strings.Contains(text, "| "+name+" |") && name != "SEQ_GAP" { // which is of OCPP 2.x
			t.Errorf("flag %s is not explained", name)
		}
	}
	for _, source := range []leyden.EnergySource{
		leyden.EnergySigned, leyden.EnergyRegisters, leyden.EnergyRising, leyden.EnergyReadings, leyden.EnergyLastSample,
	} {
		if !strings.Contains(text, "`"+string(source)+"`") {
			t.Errorf("energySource %s is not explained", source)
		}
	}
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--export-folder", t.TempDir())
	metrics := p.call(http.MethodGet, "/metrics", "", "").body
	later := []string{"leyden_certificate_expiry_seconds", "leyden_export_last_day_seconds"} // once there is a certificate, a day
	for _, name := range regexp.MustCompile(`leyden_\w+`).FindAllString(text, -1) {
		if !strings.Contains(metrics, "# TYPE "+name+" ") && !slices.Contains(later, name) {
			t.Errorf("there is no metric %s", name)
		}
	}
}

// wantFlags wants every --flag in a text to be a flag of some command.
func wantFlags(t *testing.T, text string) {
	t.Helper()
	known := map[string]bool{"--help": true, "--cacert": true} // the latter is curl's
	var learn func(*cobra.Command)
	learn = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
		for _, sub := range c.Commands() {
			learn(sub)
		}
	}
	learn(rootCommand())
	for _, name := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(text, -1) {
		if !known[name] {
			t.Errorf("the documents name %s; the flags are %v", name, slices.Sorted(maps.Keys(known)))
		}
	}
}

// TestREADME runs what README.md tells to run, as it stands there but for the
// address, in a copy of the tree. Servers and the passive station run on in the
// background as they would in other terminals.
func TestREADME(t *testing.T) {
	if !*readme {
		t.Skip("run by make verify: go test ./cmd/leyden -run README -args -readme")
	}
	s := &shell{t: t, dir: copyTree(t), address: stableAddress(t), vars: map[string]string{}}
	for i, commands := range blocks(t) {
		for _, c := range commands {
			switch {
			case c == "make test":
				continue // it is what runs this test, and the Makefile has it
			case strings.Contains(c, "serve"):
				s.serve(c)
			case strings.Contains(c, "--passive"):
				s.passive(c)
			default:
				s.run(c)
			}
		}
		if i == 0 {
			s.end() // Ctrl-C
		}
	}
	s.end()
	if s.ran < 10 || s.vars["TOKEN"] == "" {
		t.Errorf("%d commands ran, with %v", s.ran, s.vars)
	}
}

// copyTree copies the tree as a clone would have it.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(name, ".") || name == "bin" || name == "data" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A shell is what a reader of README.md types into.
type shell struct {
	t            *testing.T
	dir, address string
	vars         map[string]string // what was exported
	background   []*process
	ran          int
}

func (s *shell) command(text string) *exec.Cmd {
	s.ran++
	s.t.Logf("$ %s", text)
	text = strings.NewReplacer("localhost:8080", s.address, "127.0.0.1:8080", s.address).Replace(text)
	cmd := exec.Command("sh", "-c", text)
	cmd.Dir = s.dir
	// What a person would wait for takes a moment here.
	cmd.Env = environment("LEYDEN_LISTEN="+s.address, "LEYDEN_SPEED=5000")
	for name, value := range s.vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// start starts a command in another terminal.
func (s *shell) start(text string) *process {
	p := startProcess(s.t, s.command("exec "+text))
	p.url = "http://" + s.address
	s.background = append(s.background, p)
	return p
}

func (s *shell) serve(text string) {
	p := s.start(text)
	s.vars["KEY"] = p.await(p.stdout, `admin key  (\S+)`)
	if !strings.Contains(text, "--demo") {
		return
	}
	eventually(s.t, limit, "a first transaction of the demo", func() bool {
		r, err := ask(s.t.Context(), http.DefaultClient, http.MethodGet, p.url+"/api/v1/transactions?status=active", s.vars["KEY"], "")
		return err == nil && strings.Contains(r.body, `"status":"active"`)
	})
}

func (s *shell) passive(text string) {
	p := s.start(text)
	eventually(s.t, limit, "the station is there", func() bool {
		r, err := ask(s.t.Context(), http.DefaultClient, http.MethodGet, p.url+"/api/v1/chargers/CHARGER-001", s.vars["KEY"], "")
		return err == nil && strings.Contains(r.body, `"status":"Available"`)
	})
}

// run runs a command to its end and exports what the next ones need of it.
func (s *shell) run(text string) {
	p := startProcess(s.t, s.command(text))
	select {
	case <-p.exited:
	case <-time.After(5 * limit): // it may compile all of it
		s.t.Fatalf("%s does not end; it said\n%s\n%s", text, p.stdout, p.stderr)
	}
	out := []byte(p.stdout.String())
	s.t.Logf("%s%s", out, p.stderr)
	if p.err != nil {
		s.t.Fatalf("%s: %v", text, p.err)
	}
	if m := regexp.MustCompile(`clientId +(\S+)\s+clientSecret +(\S+)`).FindSubmatch(out); m != nil {
		s.vars["CLIENT_ID"], s.vars["CLIENT_SECRET"] = string(m[1]), string(m[2])
	}
	if !strings.HasPrefix(text, "curl") {
		return
	}
	var body any
	if err := json.Unmarshal(out, &body); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	object, _ := body.(map[string]any)
	if object["error"] != nil || object["code"] != nil {
		s.t.Fatalf("%s was refused", text)
	}
	for from, to := range map[string]string{"password": "PASSWORD", "access_token": "TOKEN"} {
		if v, ok := object[from].(string); ok {
			s.vars[to] = v
		}
	}
}

// end presses Ctrl-C in the other terminals, the last one first: it reaches
// all that runs there.
func (s *shell) end() {
	for _, p := range slices.Backward(s.background) {
		if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT); err != nil {
			s.t.Errorf("end: %v", err)
		}
		if err := p.wait(); err != nil && !strings.Contains(p.cmd.String(), "go run") { // which calls an interrupt a failure
			s.t.Errorf("%s: %v\n%s%s", p.cmd, err, p.stdout, p.stderr)
		}
	}
	s.background = nil
}
