package csms_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// TestTranscripts plays testdata/*.txt, one conversation each. Time is
// simulated: it is 2026-02-06T12:00:00Z at first, and stands still but for
// "wait", which makes it pass at once.
//
// The world, before the first "connect":
//
//	option NAME [VALUE]        a setting of ledger or server; see option
//	token TAG {"status":…}     an idTag that an operator listed (USER123 is)
//	station ID {…}             a station that an operator registered
//
// Stations; what follows a "connect" or "use" is about that one:
//
//	connect ID                 connects, and leaves open what it had open
//	use ID
//	reconnect                  closes and connects
//	close                      closes
//	boot [STATUS]              boots, and is answered STATUS (Accepted)
//	> FRAME                    sends FRAME; the id "@" is that of the last CALL it got
//	< FRAME                    is sent FRAME: "*" is anything, "-" is not there, members not named are anything
//	<< TEXT                    is sent exactly TEXT, with the id "@" for ours
//	silence                    is sent nothing
//	closed CODE                is disconnected with CODE
//
// Operators:
//
//	start ID CONNECTOR TAG     asks for a remote start
//	stop NUMBER                asks for a remote stop
//	replay NUMBER [PAYLOAD]    replays what is in quarantine
//	GET URL, POST URL BODY     a request to a REST façade, and so are PATCH and DELETE
//	= WORD [JSON]              the oldest of these is answered so: ok, an error's word or an HTTP status
//
// And what is found:
//
//	tx NUMBER {…}              a transaction, as view shows it
//	list […]                   all transactions that are not void, by number
//	events NUMBER WORD…        the kinds of a transaction's events
//	samples NUMBER VALUE…      the values of its samples, in the order of the events
//	quarantine […]             what waits there, the oldest first
//	commands ID […]            what became of the commands to a station, the last asked first
//	count NAME NUMBER          one of the server's counters
//
// "let NAME TEXT" makes $NAME stand for a text in the lines below, and "id NAME
// PREFIX" for the first id with that prefix in the last answer to an operator.
// "storage down", "storage broken", "storage panic" and "storage up" say what
// becomes of every write, "storage away" of every read too, "storage poison" and
// "storage poisonous" of the write of a start; "restart" starts the server anew over the same
// storage; "wait DURATION" lets time pass.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(noon)) // simulated
				play(t, file, string(text))
			})
		})
	}
}

// noon is when all transcripts begin.
var noon = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

// A stage is where a transcript is played.
type stage struct {
	*world
	at       string // file and line
	stations map[string]*station
	on       *station
	answers  []chan reply
	last     string            // the body of the last answer to an operator
	names    map[string]string // what stands for texts, by "let" and "id"
}

// A reply is the outcome of what an operator asked for.
type reply struct {
	word string
	body any
}

func play(t *testing.T, file, text string) {
	p := &stage{world: newWorld(t), at: file, stations: make(map[string]*station), names: make(map[string]string)}
	defer p.journaled()()
	defer p.end()
	verbs := p.verbs()
	for n, line := range strings.Split(text, "\n") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if verb == "" || strings.HasPrefix(verb, "#") {
			continue
		}
		p.at = fmt.Sprintf("%s:%d", file, n+1)
		do, ok := verbs[verb]
		if !ok {
			t.Fatalf("%s: what is %q?", p.at, verb)
		}
		do(p.expand(strings.TrimSpace(rest)))
		synctest.Wait()
	}
	for _, s := range p.stations {
		if len(s.inbox()) > 0 {
			t.Errorf("%s: at the end %s was sent %s", p.at, s.id, s.inbox())
		}
	}
	if len(p.answers) > 0 {
		t.Errorf("%s: at the end %d answers to operators were not looked at", p.at, len(p.answers))
	}
}

func (p *stage) verbs() map[string]func(string) {
	return map[string]func(string){
		"option": p.option, "token": p.token, "station": p.register,
		"connect": p.connect, "use": p.use, "reconnect": func(string) { p.on.close(); p.connect(string(p.on.id)) },
		"close": func(string) { p.on.close() }, "boot": p.boot, ">": p.send, "<": p.receive, "<<": p.receiveText,
		"silence": p.silence, "closed": p.closed,
		"start": p.start, "stop": p.stop, "replay": p.replay, "=": p.answer,
		"GET": p.asked(http.MethodGet), "POST": p.asked(http.MethodPost), "PUT": p.asked(http.MethodPut), "PATCH": p.asked(http.MethodPatch), "DELETE": p.asked(http.MethodDelete),
		"tx": p.transaction, "list": p.list, "events": p.events, "samples": p.samples, "quarantine": p.quarantine, "count": p.counter,
		"commands": p.commands, "let": p.let, "id": p.id,
		"storage": func(mode string) { p.store.mode.Store(mode) },
		"wait":    p.wait,
		"restart": func(string) { p.end(); p.server, p.web = nil, nil; clear(p.stations); p.begin() },
	}
}

func (p *stage) end() {
	for _, s := range p.stations {
		s.close()
	}
	p.world.end()
}

func (p *stage) errorf(format string, args ...any) {
	p.t.Helper()
	p.t.Errorf(p.at+": "+format, args...)
}

func (p *stage) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf(p.at+": "+format, args...)
}

func (p *stage) must(err error) {
	p.t.Helper()
	if err != nil {
		p.fatalf("%v", err)
	}
}

func (p *stage) option(text string) {
	name, value, _ := strings.Cut(text, " ")
	switch name {
	case "tokens":
		p.ledgerOptions.Tokens = leyden.TokenPolicy(value)
	case "conflict":
		p.ledgerOptions.StartConflict = leyden.StartConflict(value)
	case "strict":
		p.options.Strict = true
	case "registered":
		p.options.Open = false
	case "preparing":
		p.options.RequirePreparing = true
	case "signer":
		p.options.Signer = p.signer(value)
	default:
		p.fatalf("no option %q", name)
	}
}

func (p *stage) token(text string) {
	value, body, _ := strings.Cut(text, " ")
	tok := leyden.Token{Value: value, Status: leyden.TokenAccepted, Listed: true}
	p.must(json.Unmarshal([]byte(body), &tok))
	p.must(p.store.SaveToken(p.t.Context(), tok))
}

// register adds a station, or changes it.
func (p *stage) register(text string) {
	id, body, _ := strings.Cut(text, " ")
	s := leyden.Station{ID: leyden.StationID(id), PublicID: "chg_" + id, Registration: leyden.RegistrationAccepted, Listed: true}
	p.must(json.Unmarshal([]byte(body), &s))
	if _, err := p.store.Station(p.t.Context(), s.ID); err == nil {
		p.must(p.store.SaveStation(p.t.Context(), s))
		return
	}
	p.must(p.store.AddStation(p.t.Context(), s))
}

func (p *stage) connect(id string) {
	p.on = p.world.connect(leyden.StationID(id))
	for n := 2; p.stations[id] != nil; n++ { // one that was left open: "use ID#2"
		id = fmt.Sprintf("%s#%d", p.on.id, n)
	}
	p.stations[id] = p.on
}

func (p *stage) use(id string) {
	if p.on = p.stations[id]; p.on == nil {
		p.fatalf("%s is not connected", id)
	}
}

func (p *stage) boot(status string) {
	if status == "" {
		status = "Accepted"
	}
	p.send(`[2,"boot","BootNotification",{"chargePointVendor":"Volta","chargePointModel":"Pile"}]`)
	p.receive(`[3,"boot",{"status":"` + status + `","currentTime":"*","interval":300}]`)
}

func (p *stage) send(frame string) {
	if strings.HasPrefix(frame, `[3,"@"`) || strings.HasPrefix(frame, `[4,"@"`) {
		frame = strings.Replace(frame, `"@"`, strconv.Quote(p.on.lastCall), 1)
	}
	p.on.send(frame)
}

func (p *stage) receive(want string) {
	p.t.Helper()
	p.match(want, p.received(want))
}

func (p *stage) receiveText(want string) {
	p.t.Helper()
	got := p.received(want)
	if got = strings.Replace(got, strconv.Quote(p.on.lastCall), `"@"`, 1); got != want {
		p.fatalf("\n got %s\nwant %s", got, want)
	}
}

func (p *stage) received(want string) string {
	p.t.Helper()
	synctest.Wait()
	got, ok := p.on.take()
	if !ok {
		p.fatalf("nothing was sent; want %s", want)
	}
	p.valid(got)
	return got
}

// valid checks that what we send is what the schemas say.
func (p *stage) valid(frame string) {
	p.t.Helper()
	f, err := ocpp.ParseFrame([]byte(frame))
	p.must(err)
	var m ocpp.Decoder
	switch f.Type {
	case ocpp.Call:
		m, p.on.lastCall = v16.NewRequest(f.Action), f.ID
	case ocpp.CallResult:
		m = v16.NewResponse(p.on.asked[f.ID])
	default:
		return
	}
	var v ocpp.Violations
	if err := m.Decode(f.Payload, &v); err != nil || len(v.List) > 0 || v.Extra > 0 {
		p.errorf("%s is not valid: %v %v", frame, err, v)
	}
}

func (p *stage) silence(string) {
	if rest := p.on.inbox(); len(rest) > 0 {
		p.fatalf("%s was sent; want nothing", rest)
	}
}

func (p *stage) closed(code string) {
	if got := p.on.ending(); strconv.Itoa(int(got)) != code {
		p.fatalf("closed with %d; want %s", got, code)
	}
}

func (p *stage) start(text string) {
	var r leyden.StartRequest
	if _, err := fmt.Sscan(text, &r.Station, &r.Connector, &r.Token.Value); err != nil {
		p.fatalf("%v", err)
	}
	p.ask(func() reply { return outcome(p.server.RemoteStart(p.t.Context(), r)) })
}

func (p *stage) stop(number string) {
	p.ask(func() reply { return outcome(p.server.RemoteStop(p.t.Context(), p.number(number), "key_1")) })
}

func (p *stage) replay(text string) {
	id, payload, _ := strings.Cut(text, " ")
	p.ask(func() reply {
		q, err := p.server.Replay(p.t.Context(), int64(p.number(id)), payload)
		return reply{word: word(err), body: map[string]any{"transaction": q.Transaction}}
	})
}

func (p *stage) ask(f func() reply) {
	c := make(chan reply, 1)
	p.answers = append(p.answers, c)
	go func() { c <- f() }()
}

func (p *stage) answer(text string) {
	if len(p.answers) == 0 {
		p.fatalf("nothing was asked")
	}
	wantWord, want, _ := strings.Cut(text, " ")
	select {
	case r := <-p.answers[0]:
		p.answers = p.answers[1:]
		if r.word != wantWord {
			p.fatalf("answered %s %s; want %s", r.word, toJSON(r.body), wantWord)
		}
		if p.last = toJSON(r.body); want != "" {
			p.match(want, p.last)
		}
	default:
		p.fatalf("not answered yet")
	}
}

func (p *stage) number(text string) leyden.TransactionID {
	n, err := strconv.Atoi(text)
	p.must(err)
	return leyden.TransactionID(n)
}

func (p *stage) transaction(text string) {
	number, want, _ := strings.Cut(text, " ")
	t, err := p.store.Transaction(p.t.Context(), p.number(number))
	p.must(err)
	p.match(want, toJSON(view(&t)))
}

func (p *stage) list(want string) {
	page, err := p.store.Transactions(p.t.Context(), leyden.Query{Ascending: true})
	p.must(err)
	all := []any{}
	for i := range page.Transactions {
		all = append(all, view(&page.Transactions[i]))
	}
	p.match(want, toJSON(all))
}

func (p *stage) events(text string) {
	number, want, _ := strings.Cut(text, " ")
	var got []string
	for _, e := range p.eventsOf(number) {
		got = append(got, e.Kind.String())
	}
	if strings.Join(got, " ") != want {
		p.errorf("\n got %s\nwant %s", strings.Join(got, " "), want)
	}
}

func (p *stage) samples(text string) {
	number, want, _ := strings.Cut(text, " ")
	var got []string
	for _, e := range p.eventsOf(number) {
		for _, s := range e.Samples {
			got = append(got, s.Value)
		}
	}
	if strings.Join(got, " ") != want {
		p.errorf("\n got %s\nwant %s", strings.Join(got, " "), want)
	}
}

func (p *stage) eventsOf(number string) []leyden.Event {
	events, err := p.store.Events(p.t.Context(), p.number(number))
	p.must(err)
	return events
}

func (p *stage) quarantine(want string) {
	list, err := p.store.Quarantined(p.t.Context(), leyden.QuarantineQuery{Status: leyden.QuarantineWaiting})
	p.must(err)
	slices.Reverse(list)
	all := []any{}
	for _, q := range list {
		all = append(all, map[string]any{"id": q.ID, "station": q.Station, "action": q.Action, "frame": q.Frame, "reason": q.Reason})
	}
	p.match(want, toJSON(all))
}

func (p *stage) commands(text string) {
	id, want, _ := strings.Cut(text, " ")
	list, _, err := p.store.Commands(p.t.Context(), device.CommandQuery{Station: leyden.StationID(id)})
	p.must(err)
	all := []any{}
	for _, c := range list {
		all = append(all, map[string]any{
			"action": c.Action, "outcome": c.Outcome, "status": c.Status, "request": c.Request, "answer": c.Answer, "error": c.Error,
			"by": c.By, "asked": clock(c.AskedAt), "sent": clock(c.SentAt), "answered": clock(c.AnsweredAt),
		})
	}
	p.match(want, toJSON(all))
}

func (p *stage) counter(text string) {
	c := p.server.Counters()
	name, want, _ := strings.Cut(text, " ")
	got, ok := map[string]uint64{
		"violations": c.Violations.Load(), "extra": c.Extra.Load(), "quarantined": c.Quarantined.Load(),
		"swaps": c.Swaps.Load(), "shed": c.Shed.Load(), "panics": c.Panics.Load(),
		"broken": c.Broken.Load(), "ignored": c.Ignored.Load(),
	}[name]
	if !ok || strconv.FormatUint(got, 10) != want {
		p.errorf("%s is %d; want %s", name, got, want)
	}
}

func (p *stage) wait(text string) {
	d, err := time.ParseDuration(text)
	p.must(err)
	time.Sleep(d) // simulated
}

// match compares JSON texts.
func (p *stage) match(want, got string) {
	p.t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		p.fatalf("%s: %v", want, err)
	}
	if json.Unmarshal([]byte(got), &g) != nil || !covers(w, g) {
		p.fatalf("\n got %s\nwant %s", got, want)
	}
}

func covers(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for k, v := range w {
			x, there := g[k]
			if v == "-" {
				ok = ok && !there
				continue
			}
			ok = ok && there && covers(v, x)
		}
		return ok
	case []any:
		g, ok := got.([]any)
		ok = ok && len(g) == len(w)
		for i := range w {
			ok = ok && covers(w[i], g[i])
		}
		return ok
	}
	return want == "*" || want == got
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
