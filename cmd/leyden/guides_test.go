package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGuides runs every guide of docs/guides as it stands there, but for the
// addresses, in a folder of its own. How a guide is written:
//
//   - ```sh runs in the one shell of the guide and has to succeed; ```sh background
//     is another terminal, with the same variables; ```sh eventually runs again
//     until it says what follows.
//   - ```json and ```text after it are what it says: JSON field by field, where
//     more fields may be; … stands for anything. ```text background is awaited of
//     the last background.
//   - ```python NAME and ```csv NAME are files.
//   - ```console shows what cannot run here.
func TestGuides(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "docs", "guides", "*.md"))
	if err != nil || len(files) < 2 {
		t.Fatalf("there are no guides: %v, %v", files, err)
	}
	index, err := os.ReadFile(filepath.Join(root, "docs", "guides", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "README.md" {
			continue
		}
		if !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/guides/README.md does not name %s", name)
		}
		t.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) {
			t.Parallel()
			runGuide(t, file)
		})
	}
}

func runGuide(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wantFlags(t, string(text))
	for _, tool := range []string{"sh", "curl", "python3"} {
		if _, err := exec.LookPath(tool); err == nil || !strings.Contains(string(text), tool+" ") {
			continue
		}
		if *readme {
			t.Fatalf("install %s: CI runs every guide", tool)
		}
		t.Skipf("install %s to run this guide", tool)
	}
	g := newReader(t)
	for _, s := range snippets(string(text)) {
		g.read(s)
	}
	if g.ran == 0 || g.compared == 0 {
		t.Errorf("%d blocks ran, %d outputs were compared", g.ran, g.compared)
	}
}

// A snippet is a block of a guide.
type snippet struct {
	language, word, text string
	line                 int
}

func snippets(text string) (found []snippet) {
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+) ?([^\n]*)\n(.*?)^```$").FindAllStringSubmatchIndex(text, -1) {
		found = append(found, snippet{
			language: text[m[2]:m[3]], word: text[m[4]:m[5]], text: text[m[6]:m[7]],
			line: strings.Count(text[:m[0]], "\n") + 1,
		})
	}
	return found
}

// A guideReader does what a guide says.
type guideReader struct {
	t             *testing.T
	dir, address  string
	places        *strings.Replacer
	terminal      *process
	keys          io.Writer // what is typed into it
	last          *snippet  // the command whose output comes next
	said          string    // what it said
	background    string    // file with what the last background says
	ran, compared int
}

func newReader(t *testing.T) *guideReader {
	g := &guideReader{t: t, dir: t.TempDir(), address: stableAddress(t)}
	receiver := stableAddress(t)
	_, port, _ := strings.Cut(receiver, ":")
	g.places = strings.NewReplacer("localhost:8080", g.address, "127.0.0.1:8080", g.address, "127.0.0.1:9000", receiver, "9000", port)
	cmd := exec.Command("sh", "-e")
	cmd.Dir = g.dir
	// What a person would wait for takes a moment here.
	cmd.Env = environment("LEYDEN_LISTEN="+g.address, "LEYDEN_URL=ws://"+g.address+"/ocpp", "LEYDEN_SPEED=600", "PYTHONUNBUFFERED=1", "NO_PROXY=*")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.keys, g.terminal = keys, startProcess(t, cmd)
	return g
}

func (g *guideReader) read(s snippet) {
	g.t.Helper()
	switch s.language {
	case "sh":
		g.run(&s)
	case "json", "text":
		g.compare(s)
	case "python", "csv":
		g.write(s.word, s.text)
	case "console":
	default:
		g.t.Fatalf("line %d: a guide has no blocks of %s", s.line, s.language)
	}
}

// write writes a file as the reader would, with the addresses of here.
func (g *guideReader) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(g.places.Replace(text)), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guideReader) run(s *snippet) {
	g.t.Helper()
	g.ran++
	switch s.word {
	case "", "eventually":
		g.said, g.last = g.enter(s), s
	case "background":
		name := fmt.Sprintf("block-%d.sh", g.ran)
		g.write(name, s.text)
		g.background, g.last = filepath.Join(g.dir, name+".out"), nil
		g.typed(fmt.Sprintf("( . ./%s ) </dev/null >%s 2>&1 &\n", name, g.background))
		if strings.Contains(s.text, "leyden serve") {
			eventually(g.t, limit, "the server is there", g.serves)
		}
	default:
		g.t.Fatalf("line %d: sh %s is unknown", s.line, s.word)
	}
}

func (g *guideReader) serves() bool {
	r, err := ask(g.t.Context(), http.DefaultClient, http.MethodGet, "http://"+g.address+"/healthz", "", "")
	return err == nil && r.StatusCode == http.StatusOK
}

func (g *guideReader) typed(text string) {
	g.t.Helper()
	if _, err := io.WriteString(g.keys, text); err != nil {
		g.t.Fatalf("%v; the shell said\n%s\n%s", err, g.terminal.stdout, g.terminal.stderr)
	}
}

// enter runs a block in the shell and returns what it says.
func (g *guideReader) enter(s *snippet) string {
	g.t.Helper()
	before := len(g.terminal.stdout.String())
	name, mark := fmt.Sprintf("block-%d.sh", g.ran), fmt.Sprintf("end of what was said from %d on", before)
	g.write(name, s.text)
	g.typed(fmt.Sprintf(". ./%s </dev/null; echo; echo %s\n", name, mark))
	g.terminal.await(g.terminal.stdout, mark)
	said, _, _ := strings.Cut(g.terminal.stdout.String()[before:], mark)
	return said
}

// compare wants what was said to be what the guide shows.
func (g *guideReader) compare(s snippet) {
	g.t.Helper()
	g.compared++
	if s.word == "background" {
		eventually(g.t, limit, "the other terminal says\n"+s.text, func() bool {
			said, err := os.ReadFile(g.background)
			return err == nil && asShown(s, string(said)) == ""
		})
		return
	}
	if g.last == nil {
		g.t.Fatalf("line %d: nothing was run that says this", s.line)
	}
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for began := time.Now(); g.last.word == "eventually" && asShown(s, g.said) != "" && time.Since(began) < limit/3; {
		<-look.C
		g.said = g.enter(g.last)
	}
	if differs := asShown(s, g.said); differs != "" {
		said, _ := os.ReadFile(g.background)
		g.t.Fatalf("line %d: %s; it said\n%s\nand the other terminal\n%s", s.line, differs, g.said, said)
	}
}

// asShown returns in what a text is not as it is shown.
func asShown(s snippet, said string) string {
	if s.language == "text" {
		if !matches(strings.TrimSpace(s.text), strings.TrimSpace(said)) {
			return "it is shown otherwise"
		}
		return ""
	}
	var want, got any
	if err := json.Unmarshal([]byte(s.text), &want); err != nil {
		return "the guide shows no JSON: " + err.Error()
	}
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		return "it said no JSON: " + err.Error()
	}
	return shownAs(want, got, "")
}

// shownAs compares values: an object may have more fields than are shown, and a
// list that is shown with … at its end more items.
func shownAs(want, got any, path string) string {
	switch want := want.(type) {
	case string:
		if text, isText := got.(string); want == "…" || isText && matches(want, text) {
			return ""
		}
	case map[string]any:
		return shownFields(want, got, path)
	case []any:
		return shownItems(want, got, path)
	case nil, bool, float64:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf("%s is %v and is shown as %v", path, got, want)
}

func shownFields(want map[string]any, got any, path string) string {
	fields, ok := got.(map[string]any)
	if !ok {
		return path + " is no object"
	}
	for name, w := range want {
		g, ok := fields[name]
		if !ok {
			return path + "." + name + " is not there"
		}
		if differs := shownAs(w, g, path+"."+name); differs != "" {
			return differs
		}
	}
	return ""
}

func shownItems(want []any, got any, path string) string {
	items, ok := got.([]any)
	if n := len(want); n > 0 && want[n-1] == "…" && len(items) >= n-1 {
		want, items = want[:n-1], items[:n-1]
	}
	if !ok || len(items) != len(want) {
		return fmt.Sprintf("%s has %d items and is shown with %d", path, len(items), len(want))
	}
	for i, w := range want {
		if differs := shownAs(w, items[i], fmt.Sprintf("%s[%d]", path, i)); differs != "" {
			return differs
		}
	}
	return ""
}

// matches reports whether a text is like a pattern in which … is anything.
func matches(pattern, text string) bool {
	parts := slices.Collect(strings.SplitSeq(pattern, "…"))
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*?") + "$").MatchString(text)
}

// TestGuideShown: what a guide shows is compared.
func TestGuideShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language, shown, said string
		same                  bool
	}{
		{"text", "a … c\n", "a b c", true},
		{"text", "a … c", "a b d", false},
		{"json", `{"a": 1, "b": "…"}`, `{"a":1,"b":[2],"c":3}`, true},
		{"json", `{"a": 1}`, `{"a":2}`, false},
		{"json", `{"a": 1}`, `{"b":1}`, false},
		{"json", `{"a": null}`, `{"a":0}`, false},
		{"json", `["txn_…"]`, `["txn_17"]`, true},
		{"json", `[1]`, `[1,2]`, false},
		{"json", `[1, "…"]`, `[1,2]`, true},
		{"json", `{"a": 1}`, `no`, false},
	} {
		if differs := asShown(snippet{language: c.language, text: c.shown}, c.said); (differs == "") != c.same {
			t.Errorf("%s shown as %s: %q", c.said, c.shown, differs)
		}
	}
}
