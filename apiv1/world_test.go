package apiv1_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/feed"
	"leyden/memory"
	"leyden/rest"
	"leyden/rest/resttest"
)

var update = flag.Bool("update", false, "write testdata anew from what is served")

// noon is when every test begins, by the clock of the ledger and of stations.
var noon = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

// A world is the façade over a real ledger in memory and a real server of
// stations. Its clock is that of the test's bubble, set to noon.
type world struct {
	t         testing.TB
	begin     time.Time
	store     *memory.Store
	ledger    *leyden.Ledger
	stations  *csms.Server
	registrar *auth.Registrar
	api       *resttest.Server // holds every reply against the document
	contract  *resttest.Contract
	feed      *feed.Feed
	key       string // of who asks
}

// theContract is the same in all tests: it depends on nothing but code.
var theContract = sync.OnceValues(func() (*resttest.Contract, error) {
	api := rest.New(rest.Config{Version: "test"})
	apiv1.Register(api, apiv1.Config{})
	return resttest.NewContract(api)
})

// inWorld runs f in a bubble of its own, where time passes only when all wait.
func inWorld(t *testing.T, f func(w *world), change ...func(*apiv1.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change...)
		f(w)
		if err := w.stations.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func newWorld(t testing.TB, change ...func(*apiv1.Config)) *world {
	t.Helper()
	w := &world{t: t, begin: time.Now()}
	w.store = memory.New(w.now)
	w.ledger = leyden.NewLedger(w.store, w.store, leyden.Options{Now: w.now})
	w.stations = csms.New(w.ledger, csms.Options{Devices: w.store})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	credentials := auth.Config{Store: w.store, Secrets: auth.NewSecrets(), Issuer: "leyden", Now: w.now, Log: log}
	w.registrar = auth.NewRegistrar(credentials)
	callers, err := auth.NewAuthenticator(credentials)
	w.must(err)
	w.feed = feed.New(w.store, feed.Options{Now: w.now})
	config := apiv1.Config{Feed: w.feed, Events: apiv1.NewRenderer(w.store, w.now), Ledger: w.ledger, Stations: w.stations, Registrar: w.registrar, Devices: w.store, Calls: w.store, PublicURL: "https://csms.example"}
	config.Webhooks = webhookRegistrar(w)
	for _, f := range change {
		f(&config)
	}
	book, err := calls.NewBook(calls.Config{Store: w.store, Secret: []byte("key material"), Mask: csms.Masked, Now: w.now})
	w.must(err)
	w.api = resttest.NewServer(t, rest.Config{Version: "test", Auth: callers, Now: w.now, Log: log, Calls: book, Mask: csms.MaskedKeys}, theContract)
	apiv1.Register(w.api.API, config)
	w.contract, err = theContract()
	w.must(err)
	w.key = w.keyWith("admin")
	w.must(w.store.SaveToken(t.Context(), leyden.Token{Value: "USER123", Status: leyden.TokenAccepted, Listed: true, CreatedAt: noon}))
	return w
}

func (w *world) now() time.Time { return noon.Add(time.Since(w.begin)) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// keyWith makes an API key with these scopes.
func (w *world) keyWith(scopes ...string) string {
	w.t.Helper()
	_, text, err := w.registrar.CreateKey(w.t.Context(), auth.Spec{Name: "test", Scopes: scopes})
	w.must(err)
	return string(text)
}

// register makes a charger known.
func (w *world) register(id leyden.StationID) {
	w.t.Helper()
	w.must(w.store.AddStation(w.t.Context(), leyden.Station{
		ID: id, PublicID: leyden.NewPublicID("chg_", w.now()), Registration: leyden.RegistrationAccepted, Listed: true, RegisteredAt: w.now(),
	}))
}

// do sends a request of the form "METHOD target", a path below /api/v1.
func (w *world) do(line, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, "/api/v1"+target, strings.NewReader(body))
	r.Header.Set("X-Request-ID", "req-1")
	r.Header.Set("X-API-Key", w.key)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	w.api.ServeHTTP(out, r)
	return out
}

// want sends a request, fails unless it is answered with that status, and
// returns the body.
func (w *world) want(status int, line, body string) string {
	w.t.Helper()
	out := w.do(line, body)
	if out.Code != status {
		w.t.Fatalf("%s %s: got %d %s, want %d", line, body, out.Code, out.Body, status)
	}
	return out.Body.String()
}

// wantError sends a request and fails unless it is refused with that status,
// code and message. It returns the details.
func (w *world) wantError(line, body string, status int, code, message string) []rest.Detail {
	w.t.Helper()
	var got struct {
		Success bool
		Error   struct {
			Code, Message, RequestID string
			Details                  []rest.Detail
		}
	}
	out := w.do(line, body)
	if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil {
		w.t.Errorf("%s %s: %v in %s", line, body, err, out.Body)
		return nil
	}
	if out.Code != status || got.Success || got.Error.Code != code || got.Error.Message != message || got.Error.RequestID != "req-1" {
		w.t.Errorf("%s %s: got %d %s, want %d %s %q", line, body, out.Code, out.Body, status, code, message)
	}
	return got.Error.Details
}

// field returns a field of a JSON object as text.
func field(t testing.TB, body, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	text, ok := fields[name].(string)
	if !ok {
		t.Fatalf("%s is no text in %s", name, body)
	}
	return text
}

// What is different in every run.
var (
	randomID     = regexp.MustCompile(`\b(txn|chg|key|cli|sec|cmd|prf|wh|dlv|evt)_[a-z2-7]{26}\b`)
	randomSecret = regexp.MustCompile(`"(key|clientSecret|password|prefix)":"[a-z0-9_]{11,}"`)
)

// golden compares a body to the letter with testdata/name.json, but for what
// is different in every run.
func (w *world) golden(name, body string) {
	w.t.Helper()
	body = randomID.ReplaceAllString(body, "${1}_…")
	body = randomSecret.ReplaceAllString(body, `"$1":"…"`)
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(body), "", "  "); err != nil {
		w.t.Fatalf("%s: %v in %s", name, err, body)
	}
	got.WriteByte('\n')
	w.compare(name+".json", got.String())
}

// compare compares a text to the letter with a file in testdata.
func (w *world) compare(name, got string) {
	w.t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		w.must(os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	w.must(err)
	if got != string(want) {
		w.t.Errorf("%s: got\n%s\nwant\n%s\n(go test ./apiv1 -update writes it anew)", file, got, want)
	}
}

func wantHeader(t testing.TB, out *httptest.ResponseRecorder, name, want string) {
	t.Helper()
	if got := out.Header().Get(name); got != want {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

const accepted = http.StatusAccepted
