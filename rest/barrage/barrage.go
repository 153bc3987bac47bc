package barrage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden/rest/resttest"
)

// Salvo is how much is thrown at one server before the next one takes its place:
// what it keeps grows, and with it what a look at all of that costs.
const Salvo = 5_000

// Salvos parts a number of requests into salvos, and calls f for each with a seed
// of its own.
func Salvos(seed uint64, requests int, f func(seed uint64, requests int)) {
	for ; requests > 0; requests -= Salvo {
		f(seed, min(requests, Salvo))
		seed++
	}
}

// Options say what is thrown, and at what.
type Options struct {
	Contract *resttest.Contract
	// Dial connects to the server.
	Dial func() (net.Conn, error)
	// Seed and Requests say what is thrown, and how much of it.
	Seed     uint64
	Requests int
	// Credentials are headers; the first may do everything.
	Credentials [][2]string
	// Known are values to begin with, by the name of a parameter or field.
	Known map[string][]string
	// Fixed are the only values of texts, by name, that are given.
	Fixed map[string]string
	// Spare reports requests that must not be thrown; nil for none.
	Spare func(uri, body string) bool
	// Protected are ids that no request may take away.
	Protected []string
	// Canary is the path of a good GET, which is answered with 200 always.
	Canary string
	// Settle returns when nothing is under way any more.
	Settle func()
	// Digest returns a digest of all that is kept, by what it is of. Nil: not
	// looked at.
	Digest func() map[string]uint64
	// Version returns a number that is another one after every change, and does not
	// change by reading. Nil: the digest is taken around a sample of all requests, as
	// it is around one of those that do not read, whose calls are recorded.
	Version func() int64
	// Lacks is what the server says in a 503 where it was wired without a part; ""
	// where it has all.
	Lacks string
	// Refresh is called from time to time, to bring back what was taken away.
	Refresh func()
	// Again is the command that repeats a run, with %d for the seed and %d for
	// how many requests.
	Again string
}

// A Report is what came of it.
type Report struct {
	Thrown   int
	Statuses map[int]int
	// Succeeded counts the 2xx of each operation, by operationId.
	Succeeded map[string]int
	// Refused is how a valid request for an operation was refused last.
	Refused map[string]string
	// Compared is how often the store was looked at for a change.
	Compared int
}

// Never returns the operations that never succeeded, and how they were refused.
func (r Report) Never() []string {
	var never []string
	for _, id := range slices.Sorted(maps.Keys(r.Succeeded)) {
		if r.Succeeded[id] == 0 {
			never = append(never, id+": "+r.Refused[id])
		}
	}
	return never
}

const (
	refreshEvery = 300
	canaryEvery  = 20
	sampleEvery  = 31 // not a part of how many operations there are
	mostFailures = 20
	repeats      = 3
)

// Run throws requests until there were enough, or too much went wrong.
func Run(t testing.TB, o Options) Report {
	t.Helper()
	g := &gun{t: t, o: o, byID: map[string]*operation{}, report: Report{Statuses: map[int]int{}, Succeeded: map[string]int{}, Refused: map[string]string{}}}
	g.maker = &maker{document: o.Contract.Document, rng: rand.New(rand.NewPCG(o.Seed, 1)), pool: pool{}, fixed: o.Fixed, patterns: map[string]*regexp.Regexp{}}
	for _, name := range slices.Sorted(maps.Keys(o.Known)) {
		for _, value := range o.Known[name] {
			g.maker.pool.learn(name, value)
		}
	}
	g.operations = operationsOf(o.Contract.Document)
	for i := range g.operations {
		op := &g.operations[i]
		g.byID[op.method+" "+op.path] = op
		g.report.Succeeded[op.id] = 0
	}
	defer g.line.close()
	for g.report.Thrown < o.Requests && g.failures < mostFailures {
		g.round()
	}
	return g.report
}

// A gun is one run.
type gun struct {
	t          testing.TB
	o          Options
	maker      *maker
	operations []operation
	byID       map[string]*operation // by method and path
	line       line
	report     Report
	failures   int
}

// round throws one request at every operation, in another order each time.
func (g *gun) round() {
	order := g.maker.rng.Perm(len(g.operations))
	for _, i := range order {
		if g.report.Thrown >= g.o.Requests || g.failures >= mostFailures {
			return
		}
		if g.report.Thrown%refreshEvery == 0 && g.o.Refresh != nil {
			g.o.Refresh()
		}
		g.shoot(&g.operations[i])
		g.report.Thrown++
		if g.report.Thrown%canaryEvery == 0 {
			g.canary()
		}
	}
}

func (g *gun) shoot(op *operation) {
	r := g.maker.request(op, g.o.Credentials)
	if g.spares(r) {
		return
	}
	before, version := g.look(r)
	began := time.Now()
	reply, err := g.line.send(g.o.Dial, r)
	if err != nil {
		g.fail(r, "no reply: %v", err)
		return
	}
	g.report.Statuses[reply.Status]++
	g.judge(r, reply)
	if g.harmless(r, reply) && time.Since(began) < time.Second { // much happens in a longer time
		g.compare(r, reply, before, version)
	}
}

// spares reports whether a request would take away what the barrage stands on.
func (g *gun) spares(r *request) bool {
	if g.o.Spare != nil && g.o.Spare(r.uri(), r.body) {
		return true
	}
	if r.reads() {
		return false
	}
	uri := r.uri()
	return slices.ContainsFunc(g.o.Protected, func(id string) bool { return strings.Contains(uri, id) })
}

// judge holds a reply against what is wanted of every reply.
func (g *gun) judge(r *request, reply answer) {
	if reply.own {
		if r.kind != hostile {
			g.fail(r, "HTTP itself refused it: %d", reply.Status)
		}
		return
	}
	asked, err := r.parsed()
	if err != nil {
		g.fail(r, "it was answered with %d though it cannot be read: %v", reply.Status, err)
		return
	}
	if err := g.o.Contract.Breach(asked, reply.Reply); err != nil {
		g.fail(r, "%v", err)
	}
	op := g.operationOf(asked)
	if reply.Status >= http.StatusInternalServerError && !excused(op, reply.Reply) && !g.lacks(reply.Reply) {
		g.fail(r, "got %d %s", reply.Status, reply.Body)
	}
	if r.kind == broken && reply.Status < http.StatusBadRequest {
		g.fail(r, "it breaks the document and got %d %.300s", reply.Status, reply.Body)
	}
	if op != nil && r.kind == valid && reply.Status >= http.StatusBadRequest {
		g.report.Refused[op.id] = fmt.Sprintf("%d %.200s", reply.Status, reply.Body)
	}
	if op != nil && reply.Status < http.StatusMultipleChoices {
		g.report.Succeeded[op.id]++
		g.maker.pool.harvest(op.collection(), reply.Body)
	}
}

func (g *gun) operationOf(r *http.Request) *operation {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	_, template := g.o.Contract.Operation(method, r.URL.EscapedPath())
	return g.byID[method+" "+template]
}

// lacks reports whether a reply tells of a part that the server was wired without.
func (g *gun) lacks(reply resttest.Reply) bool {
	return g.o.Lacks != "" && reply.Status == http.StatusServiceUnavailable && strings.Contains(string(reply.Body), g.o.Lacks)
}

// excused reports whether a 5xx tells of a station, not of us.
func excused(op *operation, reply resttest.Reply) bool {
	if op == nil || !op.stations {
		return false
	}
	codes := map[int]string{502: "CHARGER_ERROR", 503: "SERVICE_UNAVAILABLE", 504: "CHARGER_TIMEOUT"}
	code, ok := codes[reply.Status]
	return ok && (len(reply.Body) == 0 || strings.Contains(string(reply.Body), code)) && !strings.Contains(string(reply.Body), "storage")
}

// harmless reports whether a request may have changed nothing: it only reads,
// or it was refused before a station was asked.
func (g *gun) harmless(r *request, reply answer) bool {
	if reply.Header.Get("X-Command-ID") != "" || strings.Contains(string(reply.Body), "REJECTED_BY_CHARGER") {
		return false
	}
	return r.reads() || reply.Status >= http.StatusBadRequest && reply.Status < http.StatusInternalServerError
}

// look takes what there is to compare before a request.
func (g *gun) look(r *request) (digest map[string]uint64, version int64) {
	switch {
	case g.o.Digest == nil:
	case g.o.Version != nil && r.reads():
		g.o.Settle()
		return nil, g.o.Version()
	case g.report.Thrown%sampleEvery == 0:
		g.o.Settle()
		return g.o.Digest(), 0
	}
	return nil, 0
}

// compare fails if a harmless request changed something. Where a version says
// that something changed, which may have been anything, the request is repeated
// between digests, and what is to blame changes every time.
func (g *gun) compare(r *request, reply answer, before map[string]uint64, version int64) {
	if before == nil && version == 0 {
		return
	}
	g.o.Settle()
	g.report.Compared++
	if before == nil && g.o.Version() == version {
		return
	}
	var changed []string
	if before != nil {
		if changed = differing(before, g.o.Digest()); len(changed) == 0 {
			return
		}
	}
	for i := range repeats {
		if i > 0 && len(changed) == 0 {
			return
		}
		before := g.o.Digest()
		if again, err := g.line.send(g.o.Dial, r); err != nil || again.Status != reply.Status {
			return // it is another case now
		}
		g.o.Settle()
		now := differing(before, g.o.Digest())
		if changed != nil {
			now = slices.DeleteFunc(now, func(name string) bool { return !slices.Contains(changed, name) })
		}
		changed = now
	}
	if len(changed) > 0 {
		g.fail(r, "it got %d %.300s and changed %v", reply.Status, reply.Body, changed)
	}
}

// differing returns the names of what differs.
func differing(a, b map[string]uint64) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	return names
}

// canary wants the next good request to be answered.
func (g *gun) canary() {
	r := &request{op: &operation{id: "canary"}, what: "a good request", method: http.MethodGet, target: g.o.Canary, header: g.o.Credentials[:1]}
	reply, err := g.line.send(g.o.Dial, r)
	if err != nil || reply.Status != http.StatusOK {
		g.fail(r, "got %d %s, %v", reply.Status, reply.Body, err)
	}
}

func (g *gun) fail(r *request, format string, args ...any) {
	g.t.Helper()
	g.failures++
	g.t.Errorf("%s\n\t%s\n\tagain: %s", fmt.Sprintf(format, args...), r, fmt.Sprintf(g.o.Again, g.o.Seed, g.report.Thrown+1))
}
