package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestScripts runs testdata/script/*.txtar on the real command. Beside the
// commands of testscript they have:
//
//	refused CODE ARG...     leyden ARG... exits with CODE, says nothing on
//	                        standard output and one line of its own on the other
//	server [ARG...]         starts leyden serve in the background on a free port;
//	                        sets $URL, $WS, $HOST
//	drain                   ends it with SIGTERM; it must exit with 0; what it logged
//	                        is the standard error
//	logged PATTERN          waits until the server's log has it
//	http METHOD PATH [FILE] asks the server with $KEY; the file is the body, status
//	                        and body of the answer are the standard output
//	capture NAME            sets $NAME to the standard output before, without its end
//	ids PREFIX [WORD]       sets $ID to the first id with that prefix in it, in a
//	                        line that has the word
//	sql FILE STATEMENT      changes a database behind our back
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(5 * limit), // of all of them
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, raceQuick)
			e.Setenv("KEY", adminKey)
			e.Setenv("YESTERDAY", time.Now().UTC().Add(-24*time.Hour).Format(time.DateOnly))
			e.Values[background{}] = new(background)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return syscall.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refused": refused, "server": scriptServer, "drain": scriptDrain, "logged": scriptLogged, "http": scriptHTTP,
			"capture": capture, "ids": ids, "sql": sql,
		},
	})
}

func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused CODE ARG...")
	}
	err := ts.Exec("leyden", args[1:]...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("leyden ended with %v, want exit code %s", err, args[0])
	}
	said := ts.ReadFile("stderr")
	if ts.ReadFile("stdout") != "" || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "leyden: ") || len(said) > 500 {
		ts.Fatalf("want one line on standard error alone, got\n%s\n%s", ts.ReadFile("stdout"), said)
	}
}

// A background is the server of a script.
type background struct{ *process }

func serverOf(ts *testscript.TestScript) *background { return ts.Value(background{}).(*background) }

func scriptServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("server cannot be negated")
	}
	cmd := exec.Command("leyden", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), serveEnvironment(ts)
	p, err := begin(cmd)
	ts.Check(err)
	ts.Defer(func() {
		if err := p.kill(); err != nil {
			ts.Logf("%v", err)
		}
	})
	serverOf(ts).process = p
	url, err := p.hear(p.stdout, `\ALeyden serves (\S+)\n`)
	ts.Check(err)
	_, host, _ := strings.Cut(url, "://")
	ts.Setenv("URL", url)
	ts.Setenv("HOST", host)
	ts.Setenv("WS", "ws://"+host+"/ocpp")
}

// serveEnvironment returns what the script has set for leyden serve.
func serveEnvironment(ts *testscript.TestScript) []string {
	env := environment("LEYDEN_ADMIN_KEY=" + ts.Getenv("KEY"))
	serveCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if v := ts.Getenv(envName(f.Name)); v != "" {
			env = append(env, envName(f.Name)+"="+v)
		}
	})
	return env
}

func scriptDrain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: drain")
	}
	b := serverOf(ts)
	ts.Check(b.cmd.Process.Signal(syscall.SIGTERM))
	if !b.over() {
		ts.Fatalf("the server does not end within %v; it said\n%s", limit, b.stderr)
	}
	if b.err != nil {
		ts.Fatalf("the server ended with %v\n%s", b.err, b.stderr)
	}
	fmt.Fprint(ts.Stderr(), b.stderr)
}

func scriptLogged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: logged PATTERN")
	}
	b := serverOf(ts)
	_, err := b.hear(b.stderr, "("+args[0]+")")
	ts.Check(err)
}

func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: http METHOD PATH [FILE]")
	}
	body := ""
	if len(args) == 3 {
		body = ts.ReadFile(args[2])
	}
	r, err := ask(context.Background(), http.DefaultClient, args[0], ts.Getenv("URL")+args[1], ts.Getenv("KEY"), body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", r.StatusCode, r.body)
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func ids(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: ids PREFIX [WORD]")
	}
	id := regexp.MustCompile(regexp.QuoteMeta(args[0]) + `\w+`)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if m := id.FindString(line); m != "" && (len(args) == 1 || strings.Contains(line, args[1])) {
			ts.Setenv("ID", m)
			return
		}
	}
	ts.Fatalf("no %s… here", args[0])
}

func sql(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENT")
	}
	c, err := sqlite.OpenConn(ts.MkAbs(args[0]), sqlite.OpenReadWrite, sqlite.OpenCreate)
	ts.Check(err)
	ts.Check(errors.Join(sqlitex.ExecuteTransient(c, args[1], nil), c.Close()))
}
