package csms_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"leyden"
	"leyden/ocpp"
	"leyden/ocpp/v16"
	"leyden/pki"
)

// noSchemas says what to do where the schemas are not at hand.
const noSchemas = "no OCPP 1.6 schemas: download them from the Open Charge Alliance into DIR/1.6 and set LEYDEN_SCHEMAS=DIR"

// schemas returns the compiled schemas of OCPP 1.6 by their names, all formats
// asserted; none where they are not at hand.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	dir := schemaFolder()
	if _, err := os.Stat(dir); err != nil {
		return nil, nil
	}
	all := make(map[string]*jsonschema.Schema)
	for _, action := range v16.Actions() {
		for _, name := range []string{action, action + "Response"} {
			c := jsonschema.NewCompiler()
			c.AssertFormat()
			s, err := c.Compile(filepath.Join(dir, name+".json"))
			if err != nil {
				return nil, err
			}
			all[name] = s
		}
	}
	return all, nil
})

// schemaFolder is where the schemas of OCPP 1.6 are, if they are at hand.
func schemaFolder() string {
	dir := cmp.Or(os.Getenv("LEYDEN_SCHEMAS"), filepath.Join("..", "shared", "schemas"))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir) // of the module
	}
	return filepath.Join(dir, "1.6")
}

// codes are those that a CALLERROR may have (OCPP-J 1.6 §4.2.3).
var codes = []ocpp.ErrorCode{
	ocpp.NotImplemented, ocpp.NotSupported, ocpp.InternalError, ocpp.ProtocolError, ocpp.SecurityError, ocpp.FormationViolation,
	ocpp.PropertyConstraint, ocpp.OccurenceConstraint, ocpp.TypeConstraint, ocpp.GenericError,
}

// lawful says what OCPP has against a frame of ours, or returns "". answers tells to
// which action an id is the answer, or "" when that is not known; without schemas
// only CALLERRORs are looked at.
func lawful(frame string, answers func(id string) string) string {
	all, err := schemas()
	if err != nil {
		return err.Error()
	}
	f, err := ocpp.ParseFrame([]byte(frame))
	if err != nil {
		return err.Error()
	}
	name := f.Action
	switch {
	case f.Type == ocpp.CallError && !slices.Contains(codes, f.Err.Code):
		return "no such code"
	case f.Type == ocpp.CallError && utf8.RuneCountInString(f.Err.Description) > ocpp.MaxDescription:
		return "the description is too long"
	case f.Type == ocpp.CallError || all == nil:
		return ""
	case f.Type == ocpp.Call && len(f.ID) > 36:
		return "the id is too long"
	case f.Type == ocpp.CallResult && answers(f.ID) == "":
		return ""
	case f.Type == ocpp.CallResult:
		name = answers(f.ID) + "Response"
	}
	schema, ok := all[name]
	if !ok {
		return "there is no schema " + name
	}
	payload, err := jsonschema.UnmarshalJSON(strings.NewReader(f.Payload))
	if err != nil {
		return err.Error()
	}
	if err := schema.Validate(payload); err != nil {
		return err.Error()
	}
	return ""
}

// TestOracle holds all 39 messages of OCPP 1.6 and its security extension, both
// ways, against their schemas, and counts them (-v tells): testdata/oracle has whole ones, which are sent and
// asked for as they are and spoilt in hundreds of ways each. Whatever comes in, no
// frame goes out that a schema refuses. So do all other tests of this package that
// look at frames; see [station.take].
func TestOracle(t *testing.T) {
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		t.Skip(noSchemas)
	}
	answered, sent, called := make(map[string]int), make(map[string]int), make(map[string]int)
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("answers, strict %v", strict), func(t *testing.T) {
			e := newExam(t, strict)
			e.reports(tableOf(t, "reports"))
			e.certificate()
			e.finish(answered, sent)
		})
	}
	t.Run("commands", func(t *testing.T) {
		e := newExam(t, false)
		e.commands(tableOf(t, "commands"))
		e.certificate()
		e.finish(answered, sent)
	})
	t.Run("calls", func(t *testing.T) {
		e := newExam(t, false)
		e.calls(tableOf(t, "calls"))
		e.finish(answered, called)
	})
	var simulated, told map[string]int
	t.Run("simulator", func(t *testing.T) { simulated, told = simulate(t, tableOf(t, "calls")) })
	if t.Failed() {
		return
	}
	if n := len(v16.Actions()); n != 39 {
		t.Errorf("%d actions; OCPP 1.6 with its security extension has 39", n)
	}
	reports, requests := 0, 0
	for _, action := range v16.Actions() {
		direction, did := v16.DirectionOf(action), ""
		if direction != ocpp.FromCSMS {
			reports++
			did += fmt.Sprintf("; %d answered by us, %d sent by the simulator", answered[action], told[action])
		}
		if direction != ocpp.FromStation {
			requests++
			did += fmt.Sprintf("; %d sent by commands and %d by /call, %d answered by the simulator", sent[action], called[action], simulated[action])
		}
		if direction != ocpp.FromCSMS && answered[action] == 0 ||
			direction != ocpp.FromStation && (sent[action] == 0 || called[action] == 0 || simulated[action] == 0) {
			t.Errorf("%s was not seen in all directions", action)
		}
		t.Logf("%s%s", action, did)
	}
	t.Logf("%d actions are valid: %d that stations send, with our answers, and %d that we send, with the simulator's", len(v16.Actions()), reports, requests)
}

// tableOf returns the lines of a table, without comments.
func tableOf(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "oracle", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
}

// An exam is a world with one station that answers whatever it is asked.
type exam struct {
	*world
	on       *station
	answers  map[string][]string // by action: payloads, or the codes of CALLERRORs
	turns    map[string]int      // how many of them were given
	sent     map[string]int      // CALLs by action
	answered map[string]int      // CALLRESULTs by action
	number   int                 // of the station's last CALL
}

func newExam(t *testing.T, strict bool) *exam {
	e := &exam{
		world: newWorld(t), answers: make(map[string][]string), turns: make(map[string]int),
		sent: make(map[string]int), answered: make(map[string]int),
	}
	for _, line := range tableOf(t, "answers") {
		action, answer, _ := strings.Cut(line, " ")
		e.answers[action] = append(e.answers[action], answer)
	}
	e.options.Strict = strict
	e.options.Signer = (&stage{world: e.world}).signer("embedded")
	for _, tok := range []leyden.Token{
		{Value: "GROUP"}, {Value: "MEMBER", Parent: "GROUP", Expiry: time.Date(2099, 1, 2, 3, 4, 5, 678_900_000, time.UTC)},
		{Value: "STRANGE-GROUP", Parent: "é😀\"\\\x00\u2028<b>"}, {Value: "LONG-GROUP", Parent: strings.Repeat("ü", 21)},
		{Value: "EXPIRED", Expiry: time.Unix(0, 0)}, {Value: "FAR", Expiry: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("", -3600*12))},
		{Value: "BLOCKED", Status: leyden.TokenBlocked}, {Value: "ONCE", MaxActive: 1, Parent: "GROUP"},
	} {
		tok.Status, tok.Listed = cmp.Or(tok.Status, leyden.TokenAccepted), true
		if err := e.store.SaveToken(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	e.on = e.connect("CP")
	e.web = facade(t, e.server, e.store.Store)
	e.ask("BootNotification", `{"chargePointVendor":"Volta","chargePointModel":"Pile"}`)
	e.ask("StartTransaction", `{"connectorId":1,"idTag":"USER123","meterStart":0,"timestamp":"2026-02-06T12:00:00Z"}`)
	return e
}

func (e *exam) finish(answered, sent map[string]int) {
	e.on.close()
	e.end()
	for action, n := range e.answered {
		answered[action] += n
	}
	for action, n := range e.sent {
		sent[action] += n
	}
	if n := e.server.Counters().Panics.Load(); n > 0 {
		e.t.Errorf("%d panics", n)
	}
}

// serve looks at the frames that came, each of which must be lawful, and answers
// calls. It returns true if one of them answered the station's call.
func (e *exam) serve(id string) (answered bool) {
	e.t.Helper()
	for {
		frame, ok := e.on.take()
		if !ok {
			return answered
		}
		f, err := ocpp.ParseFrame([]byte(frame))
		switch {
		case err != nil:
			e.t.Errorf("%s: %v", frame, err)
		case f.Type == ocpp.Call:
			e.sent[f.Action]++
			e.reply(f)
		case f.Type == ocpp.CallResult && e.on.answers(f.ID) == "":
			e.t.Errorf("%s answers nothing", frame)
		case f.Type == ocpp.CallResult:
			e.answered[e.on.asked[f.ID]]++
		}
		answered = answered || f.ID == id && f.Type != ocpp.Call
	}
}

// reply answers a call with the next of the answers to its action.
func (e *exam) reply(f ocpp.Frame) {
	all := e.answers[f.Action]
	if len(all) == 0 {
		e.t.Fatalf("nobody says what to answer to %s", f.Action)
	}
	answer := all[e.turns[f.Action]%len(all)]
	e.turns[f.Action]++
	if strings.HasPrefix(answer, "{") {
		e.on.send(fmt.Sprintf(`[3,%q,%s]`, f.ID, answer))
		return
	}
	e.on.send(fmt.Sprintf(`[4,%q,%q,"",{}]`, f.ID, answer))
}

// ask sends a call of the station and waits for the answer.
func (e *exam) ask(action, payload string) {
	e.t.Helper()
	e.number++
	id := strconv.Itoa(e.number)
	e.on.send(fmt.Sprintf(`[2,%q,%q,%s]`, id, action, payload))
	for !e.serve(id) {
		if code := e.on.ending(); code != 0 {
			e.t.Fatalf("%s %.500s closed the connection with %d", action, payload, code)
		}
		<-e.on.came
	}
}

// operate asks a façade while the station answers.
func (e *exam) operate(method, path, body string) (status int, answer string) {
	e.t.Helper()
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		rec := httptest.NewRecorder()
		e.web.ServeHTTP(rec, r)
		done <- rec
	}()
	for {
		select {
		case <-e.on.came:
			e.serve("")
		case rec := <-done:
			e.serve("")
			if rec.Code == http.StatusInternalServerError || rec.Code == http.StatusGatewayTimeout {
				e.t.Errorf("%s %s %.500s: %d %s", method, path, body, rec.Code, rec.Body)
			}
			return rec.Code, rec.Body.String()
		}
		if code := e.on.ending(); code != 0 {
			e.t.Fatalf("%s %s %.500s closed the connection with %d", method, path, body, code)
		}
	}
}

// reports sends what stations send.
func (e *exam) reports(table []string) {
	for _, line := range table {
		action, payload, _ := strings.Cut(line, " ")
		before := e.answered[action]
		if e.ask(action, payload); e.answered[action] == before {
			e.t.Errorf("%s was refused", line)
		}
		for _, spoilt := range mutants(e.t, payload) {
			e.ask(action, spoilt)
		}
	}
}

// commands asks v1 for what it offers.
func (e *exam) commands(table []string) {
	whole := e.answers["ReserveNow"]
	e.answers["ReserveNow"] = []string{`{"status":"Accepted"}`}
	var r struct{ ReservationID int }
	status, answer := e.operate(http.MethodPost, "/chargers/CP/reservations", `{"connectorId":9,"idTag":"USER123","expiryDate":"2099-02-06T12:00:00Z"}`)
	if err := json.Unmarshal([]byte(answer), &r); err != nil || status != http.StatusCreated {
		e.t.Fatalf("reserve: %d %s", status, answer)
	}
	e.answers["ReserveNow"] = whole
	names := strings.NewReplacer("CERT", strconv.Quote(pki.Encode(e.options.Signer.(*pki.Authority).Certificates())), "RESERVATION", strconv.Itoa(r.ReservationID))
	for _, line := range table {
		words := strings.SplitN(names.Replace(line), " ", 3)
		body := ""
		if len(words) == 3 {
			body = words[2]
		}
		status, answer := e.operate(words[0], words[1], body)
		if status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusUnprocessableEntity {
			e.t.Errorf("%s: %d %s", line, status, answer)
		}
		for _, spoilt := range mutants(e.t, body) {
			e.operate(words[0], words[1], spoilt)
		}
	}
}

// certificate lets the station ask for a certificate, and waits until it comes.
func (e *exam) certificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "CP"}}, key)
	if err != nil {
		e.t.Fatal(err)
	}
	request, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})))
	if err != nil {
		e.t.Fatal(err)
	}
	before := e.sent["CertificateSigned"]
	e.ask("SignCertificate", `{"csr":`+string(request)+`}`)
	for e.sent["CertificateSigned"] == before {
		<-e.on.came
		e.serve("")
	}
}

// calls sends messages as they are.
func (e *exam) calls(table []string) {
	for _, line := range table {
		action, payload, _ := strings.Cut(line, " ")
		send := func(payload string) (int, string) {
			return e.operate(http.MethodPost, "/chargers/CP/call", fmt.Sprintf(`{"action":%q,"payload":%s}`, action, payload))
		}
		if status, answer := send(payload); status != http.StatusOK {
			e.t.Errorf("%s: %d %s", line, status, answer)
		}
		for _, spoilt := range mutants(e.t, payload) {
			send(spoilt)
		}
	}
}
