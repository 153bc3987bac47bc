package apiv2_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/memory"
	"leyden/rest"
	"leyden/rest/resttest"
)

// A world is the façade over a real ledger in memory, with a clock of its own.
type world struct {
	t       *testing.T
	now     time.Time
	station leyden.StationID
	store   *memory.Store
	ledger  *leyden.Ledger
	api     *resttest.Server // holds every reply against the document
	bearer  string
}

// readers knows one access token.
type readers struct{}

func (readers) Authenticate(_ context.Context, c auth.Credentials) (auth.Principal, error) {
	switch c.Authorization {
	case "Bearer reader":
		return auth.Principal{ID: "cli_reader", Client: true, Scopes: auth.Scopes{auth.TransactionsRead}}, nil
	case "Bearer other":
		return auth.Principal{ID: "cli_other", Client: true, Scopes: auth.Scopes{auth.ChargersRead}}, nil
	}
	return auth.Principal{}, fmt.Errorf("%w: not known", auth.ErrUnauthorized)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: instant(t, "2022-01-01T00:00:00Z"), bearer: "reader"}
	clock := func() time.Time { return w.now }
	w.store = memory.New(clock)
	w.ledger = leyden.NewLedger(w.store, w.store, leyden.Options{Now: clock, Tokens: leyden.TokensOpen})
	w.api = newAPI(t, w.store, readers{}, clock)
	return w
}

func newAPI(t *testing.T, store leyden.Store, callers rest.Authenticator, clock func() time.Time) *resttest.Server {
	api := resttest.NewServer(t, rest.Config{Version: "test", Auth: callers, Now: clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	apiv2.Register(api.API, store, nil)
	return api
}

// get sends a request of the form "GET target".
func (w *world) get(line string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(line, "", "Authorization: Bearer "+w.bearer)
}

func (w *world) do(line, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("X-Request-ID", "req-1")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	w.api.ServeHTTP(out, r)
	return out
}

func (w *world) record(e leyden.Event) {
	w.t.Helper()
	e.Station = w.station
	_, err := w.ledger.Record(w.t.Context(), e, "{}")
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
