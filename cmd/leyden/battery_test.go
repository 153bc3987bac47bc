package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"leyden/internal/race"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// How many bad inputs there must be, of each kind and in all.
const (
	leastOfKind = 100
	leastBad    = 700
)

// mostGrowth is by how much all of them together, among them dozens of 1 MiB that
// come at once, may grow the server, in MiB.
const mostGrowth = 192

// stationPassword is that of all stations here.
const stationPassword = "a-password-for-tests"

// TestBattery sends a real server all that is wrong, through real sockets, each
// line of testdata/battery/*.txt on its own. Whatever it was, the next Heartbeat is
// answered, on the same connection or, where that had to end, on the next one; and
// in the end no panic was caught, the server is ready, it has not grown, and its
// ledger is whole. TestHalfSent has those that only time tells, and TestBombs has
// bombs by the dozen.
//
// A line says what must come of what is sent, then after two spaces or more what
// that is:
//
//	CODE [-1] [+] [TEXT]   CALLERROR with that code, and the id -1 if it says so
//	result [+] [TEXT]      CALLRESULT
//	any TEXT               an answer with whatever id
//	ignored                nothing
//	close CODE             the connection is closed
//	gone                   the station leaves in the middle
//	pong TEXT              a pong
//	STATUS [TEXT]          over HTTP
//
// With + the message is in quarantine, without it is not; TEXT stands in the
// answer. What is sent is a text message, or many ("20x …"), or several between
// semicolons, or frames that break rules (see frames and scripted). For a STATUS it
// is the request of a handshake (see head), or, below a line "! ask METHOD PATH
// BODY", what the station answers to the command that this is: "@" is its id.
// Elsewhere "@" is an id that the line has for itself. For ${…} see expand.
//
// Settings count for the lines below them: "! about KIND" and "! serve ARGS" (for
// the whole file), "! registration WORD", "! compression off", "! text NAME TEXT", "! ask …".
func TestBattery(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/battery/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	arenas := make(map[string]*arena)
	var tables []*battery
	for _, file := range files {
		b := readBattery(t, file)
		tables = append(tables, b)
		if arenas[b.server] == nil {
			arenas[b.server] = newArena(t, strings.Fields(b.server))
		}
	}
	t.Run("tables", func(t *testing.T) {
		for _, b := range tables {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				arenas[b.server].play(t, b)
			})
		}
	})
	for _, a := range arenas {
		a.judge(t)
	}
	count(t, tables)
}

// count wants enough bad inputs of all kinds, and says how many there are.
func count(t *testing.T, tables []*battery) {
	t.Helper()
	trials, all := 0, 0
	bad := map[string]int{"frames": 0, "handshakes": 0, "payloads": 0}
	for _, b := range tables {
		if _, known := bad[b.about]; !known {
			t.Errorf("%s is about %q", b.name, b.about)
		}
		for _, tr := range b.trials {
			trials++
			if tr.isBad() {
				bad[b.about]++
				all++
			}
		}
	}
	for kind, n := range bad {
		if n < leastOfKind {
			t.Errorf("%d bad %s, want at least %d", n, kind, leastOfKind)
		}
	}
	if all < leastBad {
		t.Errorf("%d bad inputs, want at least %d", all, leastBad)
	}
	t.Logf("%d bad inputs (%d frames, %d handshakes, %d payloads) and %d odd ones, in %d tables",
		all, bad["frames"], bad["handshakes"], bad["payloads"], trials-all, len(tables))
}

// An arena is a server that many stations torment.
type arena struct {
	*process
	data   string
	before footprint
}

func newArena(t *testing.T, args []string) *arena {
	t.Helper()
	a := &arena{data: filepath.Join(t.TempDir(), "data")}
	a.process = startServer(t, append([]string{"--data", a.data, "--log-level", "error"}, args...)...)
	if r := a.call(http.MethodPost, "/api/v1/id-tags", adminKey, `{"idTag":"USER123"}`); r.StatusCode != http.StatusCreated {
		t.Fatalf("id tag: %s %s", r.Status, r.body)
	}
	a.before = a.memory()
	return a
}

// judge looks at what became of a server.
func (a *arena) judge(t *testing.T) {
	t.Helper()
	metrics := a.call(http.MethodGet, "/metrics", "", "").body
	for _, line := range []string{"leyden_panics_total 0", "leyden_connections_shed_total 0", "leyden_storage_commit_failures_total 0"} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("the metrics do not say %s:\n%s", line, metrics)
		}
	}
	if r := a.call(http.MethodGet, "/readyz", "", ""); r.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %s %s", r.Status, r.body)
	}
	now := a.memory()
	t.Logf("RSS was %d MiB, is %d MiB and was %d MiB at most", a.before.rss, now.rss, now.peak)
	if grown := now.peak - a.before.rss; grown > mostGrowth && !race.Enabled {
		t.Errorf("the server grew by %d MiB, want at most %d MiB", grown, mostGrowth)
	}
	a.drain()
	must(t, "check", "--data", a.data)
}

// A player sends the trials of a table.
type player struct {
	t *testing.T
	*arena
	table *battery

	stations int
	station  string // that is or was connected
	status   string // its registration
	visits   int    // how often it was
	line     *wire  // nil while nobody is connected
	plain    bool   // it does not compress
	failures int

	kept map[string][]*trial // those that must be in quarantine, by station
}

// mostFailures is after how many failures a table is given up.
const mostFailures = 5

// mostVisits is how often one station connects: one that comes back all the time
// has to wait.
const mostVisits = 4

func (a *arena) play(t *testing.T, b *battery) {
	p := &player{t: t, arena: a, table: b, kept: make(map[string][]*trial)}
	for _, tr := range b.trials {
		switch {
		case tr.isRequest():
			p.handshake(tr)
		case tr.ask != "":
			p.command(tr)
		default:
			p.message(tr)
		}
		p.heartbeat(tr)
	}
	p.hangUp()
	for station, trials := range p.kept {
		p.quarantine(station, trials)
	}
}

func (p *player) hangUp() {
	if p.line != nil {
		_ = p.line.Close() // it may be closed already
		p.line = nil
	}
}

// failed says what is wrong about a trial; the next one gets a new connection, unless
// too many failed, or it took as long as one waits for what never comes.
func (p *player) failed(tr *trial, format string, args ...any) {
	p.t.Helper()
	p.t.Errorf("%s: %.200s\n%s", tr.at, tr.sent, fmt.Sprintf(format, args...))
	silent := p.line != nil && p.line.silent
	p.hangUp()
	if p.failures++; silent || p.failures == mostFailures {
		p.t.Fatal("the rest of the table is left out")
	}
}

func (p *player) api(method, path, body string) reply {
	p.t.Helper()
	r, err := ask(p.t.Context(), http.DefaultClient, method, p.url+"/api/v1"+path, adminKey, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// register makes a station known.
func (p *player) register(registration string) (station string) {
	p.t.Helper()
	p.stations++
	station = fmt.Sprintf("%s-%d", p.table.name, p.stations)
	r := p.api(http.MethodPost, "/chargers", fmt.Sprintf(`{"chargeBoxId":%q,"password":%q}`, station, stationPassword))
	if r.StatusCode == http.StatusCreated && registration != "Accepted" {
		r = p.api(http.MethodPatch, "/chargers/"+station, fmt.Sprintf(`{"registration":%q}`, registration))
	}
	if r.StatusCode >= http.StatusBadRequest {
		p.t.Fatalf("station %s: %s %s", station, r.Status, r.body)
	}
	p.kept[station] = nil
	return station
}

// connected returns a connection that is fit for a trial.
func (p *player) connected(tr *trial) *wire {
	p.t.Helper()
	if p.line != nil && p.status == tr.registration && p.plain == tr.plain {
		return p.line
	}
	p.hangUp()
	if p.visits%mostVisits == 0 || p.status != tr.registration {
		p.station, p.status, p.visits = p.register(tr.registration), tr.registration, 0
	}
	p.visits++
	p.plain = tr.plain
	h := upgradeHeader(p.station, stationPassword)
	if tr.plain {
		delete(h, "Sec-WebSocket-Extensions")
	}
	p.line = dialWire(p.t, p.url, "")
	res, err := p.line.request("GET /ocpp/"+p.station+" HTTP/1.1", h)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("%s: %s cannot connect: %v, %v", tr.at, p.station, res, err)
	}
	return p.line
}

func (p *player) names(station string) map[string]string {
	return map[string]string{"station": station, "password": stationPassword}
}

// message sends what may break every rule to a connection.
func (p *player) message(tr *trial) {
	p.t.Helper()
	line := p.connected(tr)
	frames, err := tr.frames(p.table.names)
	if err != nil {
		p.t.Fatalf("%s: %v", tr.at, err)
	}
	if tr.want.kept {
		p.kept[p.station] = append(p.kept[p.station], tr)
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for _, f := range frames {
			if _, err := line.Write(f); err != nil {
				return // the server has read enough
			}
		}
	})
	switch tr.want.what {
	case "ignored":
	case "gone":
		writing.Wait()
		p.hangUp()
	case "close":
		p.closes(tr, line, len(frames))
	default:
		for range tr.times() {
			p.answers(tr, line)
		}
	}
}

// closes wants the connection to be closed. Of the frames that were sent all but
// the last may be answered before, with whatever.
func (p *player) closes(tr *trial, line *wire, frames int) {
	p.t.Helper()
	for answers := 0; ; answers++ {
		r, err := line.next()
		if err != nil {
			p.failed(tr, "got %v, want a close", err)
			return
		}
		if r.op != ws.OpClose && answers < frames-1 {
			continue
		}
		if r.code != tr.want.code || !strings.Contains(r.payload, tr.want.holds) {
			p.failed(tr, "got %v, want close %d %s", r, tr.want.code, tr.want.holds)
		}
		p.hangUp()
		return
	}
}

// answers wants one answer.
func (p *player) answers(tr *trial, line *wire) {
	p.t.Helper()
	r, err := line.next()
	if err != nil || r.op == ws.OpClose {
		p.failed(tr, "got %v, %v, want %s", r, err, tr.want.what)
		return
	}
	if tr.want.what == "pong" {
		if r.op != ws.OpPong || r.payload != tr.want.holds {
			p.failed(tr, "got %v, want a pong %s", r, tr.want.holds)
		}
		return
	}
	if tr.want.what == "any" {
		if want := tr.expand(tr.want.holds, p.table.names); !strings.Contains(r.payload, want) {
			p.failed(tr, "got %v, want in it %.300s", r, want)
		}
		return
	}
	if diff := tr.differs(r.payload, tr.expand(tr.sent, p.table.names)); diff != "" {
		p.failed(tr, "got %v: %s", r, diff)
	}
}

// differs says what is wrong with an answer, or returns "".
func (tr *trial) differs(answer, sent string) string {
	f, err := ocpp.ParseFrame([]byte(answer))
	if err != nil {
		return err.Error()
	}
	id, what := tr.id(), "result"
	if tr.want.noID {
		id = "-1"
	}
	if f.Type == ocpp.CallError {
		what = string(f.Err.Code)
	}
	switch {
	case f.Type == ocpp.Call:
		return "is a call"
	case f.ID != id:
		return "want the id " + id
	case what != tr.want.what:
		return "want " + tr.want.what
	case !strings.Contains(answer, tr.want.holds):
		return "want in it " + tr.want.holds
	}
	if f.Type == ocpp.CallError {
		return isWhole(answer)
	}
	call, err := ocpp.ParseFrame([]byte(sent))
	if err != nil || call.Type != ocpp.Call {
		return ""
	}
	var v ocpp.Violations
	if err := v16.NewResponse(call.Action).Decode(f.Payload, &v); err != nil || len(v.List) > 0 || v.Extra > 0 {
		return fmt.Sprintf("is no %s: %v %v", call.Action, err, v)
	}
	return ""
}

// isWhole says what a CALLERROR lacks (OCPP-J 1.6 §4.2.3), or returns "". ParseFrame
// takes less.
func isWhole(callError string) string {
	var (
		parts       []json.RawMessage
		description *string
		details     map[string]any
	)
	err := json.Unmarshal([]byte(callError), &parts)
	if err == nil && len(parts) == 5 {
		err = errors.Join(json.Unmarshal(parts[3], &description), json.Unmarshal(parts[4], &details))
	}
	if err != nil || description == nil || len(*description) > 4*ocpp.MaxDescription || details == nil {
		return fmt.Sprintf("has no id, code, description and details: %v", err)
	}
	return ""
}

// heartbeat wants the next Heartbeat to be answered as if nothing had been.
func (p *player) heartbeat(tr *trial) {
	p.t.Helper()
	p.beat(tr, p.connected(tr))
}

func (p *player) beat(tr *trial, line *wire) {
	p.t.Helper()
	id := "heartbeat-" + strconv.Itoa(tr.n)
	if _, err := line.Write(plainFrame(`[2,"` + id + `","Heartbeat",{}]`).bytes()); err != nil {
		p.failed(tr, "the next Heartbeat: %v", err)
		return
	}
	want := `[3,"` + id + `",{"currentTime":"`
	if tr.registration != "Accepted" {
		want = `[4,"` + id + `","SecurityError",`
	}
	r, err := line.next()
	if err != nil || !strings.HasPrefix(r.payload, want) {
		p.failed(tr, "the next Heartbeat: got %v, %v, want %s", r, err, want)
	}
}

// handshake sends a request that may be none for a WebSocket.
func (p *player) handshake(tr *trial) {
	p.t.Helper()
	from := "" // each its own address, where this machine has many: nobody is throttled
	if runtime.GOOS == "linux" {
		from = fmt.Sprintf("127.77.%d.%d", tr.n/250, 1+tr.n%250)
	}
	station := p.register("Accepted")
	line := dialWire(p.t, p.url, from)
	defer line.Close()
	h := upgradeHeader(station, stationPassword)
	res, err := line.request(tr.head(h, p.names(station)), h)
	if err != nil {
		p.failed(tr, "got %v, want status %d", err, tr.want.code)
		return
	}
	var said strings.Builder
	if err := res.Write(&said); err != nil {
		p.failed(tr, "%v", err)
		return
	}
	if res.StatusCode != tr.want.code || !strings.Contains(said.String(), tr.want.holds) {
		p.failed(tr, "got %s, want status %d with %s", said.String(), tr.want.code, tr.want.holds)
		return
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		p.beat(tr, line)
	}
}

// command lets an operator send a command, and answers it as no station should.
func (p *player) command(tr *trial) {
	p.t.Helper()
	line := p.connected(tr)
	p.beat(tr, line) // a station that was answered is there for commands
	method, rest, _ := strings.Cut(tr.ask, " ")
	path, body, _ := strings.Cut(rest, " ")
	replies := make(chan reply, 1)
	go func() {
		r, err := ask(p.t.Context(), http.DefaultClient, method, p.url+"/api/v1/chargers/"+p.station+path, adminKey, body)
		if err != nil {
			r.Response = &http.Response{Status: err.Error()}
		}
		replies <- r
	}()
	called, err := line.next()
	call, parsed := ocpp.ParseFrame([]byte(called.payload))
	if err != nil || parsed != nil || call.Type != ocpp.Call {
		p.failed(tr, "got %v, %v, want a call", called, err)
		return
	}
	own := *tr
	own.called = call.ID
	frames, err := own.frames(p.table.names)
	if err != nil {
		p.t.Fatalf("%s: %v", tr.at, err)
	}
	for _, f := range frames {
		if _, err := line.Write(f); err != nil {
			p.failed(tr, "%v", err)
			return
		}
	}
	if r := within(p.t, "the operator's command is answered", replies); r.StatusCode != tr.want.code || !strings.Contains(r.body, tr.want.holds) {
		p.failed(tr, "got %s %s, want status %d with %s", r.Status, r.body, tr.want.code, tr.want.holds)
		return
	}
	p.afterCommand(tr, line)
}

// afterCommand reads what an answer that was none is answered with, up to the
// answer to a first Heartbeat.
func (p *player) afterCommand(tr *trial, line *wire) {
	p.t.Helper()
	if strings.Contains(tr.sent, "%close") {
		p.hangUp()
		return
	}
	if _, err := line.Write(plainFrame(`[2,"end","Heartbeat",{}]`).bytes()); err != nil {
		p.failed(tr, "%v", err)
		return
	}
	for {
		r, err := line.next()
		if err != nil || r.op == ws.OpClose {
			p.failed(tr, "got %v, %v, want a Heartbeat answered", r, err)
			return
		}
		if strings.HasPrefix(r.payload, `[3,"end",`) {
			return
		}
	}
}

// quarantine wants just these messages of a station to be kept.
func (p *player) quarantine(station string, trials []*trial) {
	p.t.Helper()
	var list struct {
		Quarantine []struct{ Frame, Reason string }
	}
	r := p.api(http.MethodGet, "/quarantine?limit=500&chargeBoxId="+station, "")
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("quarantine: %s %s", r.Status, r.body)
	}
	waiting := make(map[*trial]bool)
	for _, tr := range trials {
		waiting[tr] = true
	}
	for _, q := range list.Quarantine {
		found := false
		for tr := range waiting {
			if strings.Contains(q.Frame, `"`+tr.id()+`"`) || q.Frame == tr.expand(tr.sent, p.table.names) {
				found = true
				delete(waiting, tr)
			}
		}
		if !found {
			p.t.Errorf("%s: quarantine keeps %.300s: %s", p.table.name, q.Frame, q.Reason)
		}
	}
	for tr := range waiting {
		p.t.Errorf("%s: %.300s is not in quarantine", tr.at, tr.sent)
	}
}

// A footprint is what a process has resident, in MiB.
type footprint struct{ rss, peak int }

var residentSize = regexp.MustCompile(`(?m)^Vm(RSS|HWM):\s+(\d+) kB$`)

// memory returns zeros where there is no /proc, and so no measure.
func (p *process) memory() footprint {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil && runtime.GOOS == "linux" {
		p.t.Fatal(err)
	}
	var m footprint
	for _, found := range residentSize.FindAllStringSubmatch(string(text), -1) {
		kib, _ := strconv.Atoi(found[2]) // digits
		if found[1] == "RSS" {
			m.rss = kib >> 10
			continue
		}
		m.peak = kib >> 10
	}
	if err == nil && (m.rss == 0 || m.peak < m.rss) {
		p.t.Fatalf("nothing to learn from\n%s", text)
	}
	return m
}
