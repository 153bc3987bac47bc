package apiv2_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
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

// An issuer is the whole façade with real credentials: one client that may
// read transactions and chargers.
type issuer struct {
	*world
	registrar *auth.Registrar
	id        string
	secret    string
}

func newIssuer(t *testing.T, change ...func(*rest.Config)) *issuer {
	t.Helper()
	w := &world{t: t, now: instant(t, "2023-05-03T06:00:00Z")}
	clock := func() time.Time { return w.now }
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.store = memory.New(clock)
	w.ledger = leyden.NewLedger(w.store, w.store, leyden.Options{Now: clock, Tokens: leyden.TokensOpen})
	config := auth.Config{Store: w.store, Secrets: auth.NewSecrets(), Issuer: "leyden", Now: clock, Log: log}
	tokens, err := auth.NewAuthenticator(config)
	w.must(err)
	spec := auth.Spec{Name: "reader", Scopes: []string{"transactions:read", "chargers:read"}}
	registrar := auth.NewRegistrar(config)
	client, secret, err := registrar.CreateClient(t.Context(), spec)
	w.must(err)
	served := rest.Config{Version: "test", Auth: tokens, Now: clock, Log: log}
	for _, f := range change {
		f(&served)
	}
	w.api = resttest.NewServer(t, served)
	apiv2.Register(w.api.API, w.store, tokens)
	return &issuer{w, registrar, client.ID, string(secret)}
}

func (i *issuer) basic(id, secret string) string {
	r, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, "/", nil)
	i.must(err)
	r.SetBasicAuth(id, secret)
	return "Authorization: " + r.Header.Get("Authorization")
}

const (
	form     = "Content-Type: application/x-www-form-urlencoded"
	grantAll = "grant_type=client_credentials"
)

func (i *issuer) token() string {
	i.t.Helper()
	w := i.do("POST /oauth2/token", grantAll, form, i.basic(i.id, i.secret))
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		i.t.Fatalf("got %d %s, %v", w.Code, w.Body, err)
	}
	return got.AccessToken
}

func TestTokenOpensTheFacade(t *testing.T) {
	i := newIssuer(t)
	for name, request := range map[string]struct{ body, header string }{
		"basic":         {grantAll, i.basic(i.id, i.secret)},
		"form":          {grantAll + "&client_id=" + i.id + "&client_secret=" + i.secret, "X-None: "},
		"scope":         {grantAll + "&scope=transactions%3Aread", i.basic(i.id, i.secret)},
		"more than RFC": {grantAll + "&audience=leyden", i.basic(i.id, i.secret)},
	} {
		w := i.do("POST /oauth2/token", request.body, form, request.header)
		token, rest, ok := strings.Cut(strings.TrimPrefix(w.Body.String(), `{"access_token":"`), `"`)
		if w.Code != http.StatusOK || !ok || rest != `,"expires_in":3600,"token_type":"Bearer"}` {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
			continue
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
			t.Errorf("%s: a cache might keep the token: %v", name, w.Header())
		}
		i.bearer = token
		if w := i.get("GET /v2/transactions"); w.Code != http.StatusOK {
			t.Errorf("%s: the token does not open: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestTokenThatDoesNotOpen(t *testing.T) {
	i := newIssuer(t)
	token := i.token()
	i.bearer = token[:len(token)-2] + "xx"
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusUnauthorized {
		t.Errorf("a forged token: got %d %s", w.Code, w.Body)
	}
	i.bearer, i.now = token, i.now.Add(time.Hour)
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusUnauthorized {
		t.Errorf("an expired token: got %d %s", w.Code, w.Body)
	}
	w := i.do("POST /oauth2/token", grantAll+"&scope=chargers:read", form, i.basic(i.id, i.secret))
	var got struct {
		AccessToken string `json:"access_token"`
	}
	i.must(json.Unmarshal(w.Body.Bytes(), &got))
	i.bearer = got.AccessToken
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "transactions:read") {
		t.Errorf("a token without the scope: got %d %s", w.Code, w.Body)
	}
}

func TestTokenRefusals(t *testing.T) {
	i := newIssuer(t)
	good, bad := i.basic(i.id, i.secret), i.basic(i.id, "wrong")
	cases := []struct {
		name, line, body string
		headers          []string
		status           int
		code             string
	}{
		{"wrong secret", "", grantAll, []string{form, bad}, 401, "invalid_client"},
		{"unknown client", "", grantAll, []string{form, i.basic("cli_nobody", i.secret)}, 401, "invalid_client"},
		{"no client", "", grantAll, []string{form}, 401, "invalid_client"},
		{"other scheme", "", grantAll, []string{form, "Authorization: Bearer x"}, 401, "invalid_client"},
		{"header and form", "", grantAll + "&client_secret=x", []string{form, good}, 400, "invalid_request"},
		{"other grant", "", "grant_type=password", []string{form, good}, 400, "unsupported_grant_type"},
		{"no grant", "", "scope=admin", []string{form, good}, 400, "invalid_request"},
		{"empty", "", "", []string{form, good}, 400, "invalid_request"},
		{"given twice", "", grantAll + "&" + grantAll, []string{form, good}, 400, "invalid_request"},
		{"scope beyond the client", "", grantAll + "&scope=admin", []string{form, good}, 400, "invalid_scope"},
		{"unknown scope", "", grantAll + "&scope=%22all%22", []string{form, good}, 400, "invalid_scope"},
		{"JSON", "", `{"grant_type":"client_credentials"}`, []string{"Content-Type: application/json", good}, 400, "invalid_request"},
		{"broken form", "", "grant_type=%zz", []string{form, good}, 400, "invalid_request"},
		{"in the query", "POST /oauth2/token?" + grantAll, grantAll, []string{form, good}, 400, "invalid_request"},
		{"too large", "", grantAll + strings.Repeat("x", rest.MaxBody), []string{form, good}, 413, "invalid_request"},
		{"GET", "GET /oauth2/token", "", []string{good}, 405, "invalid_request"},
		{"unknown path", "POST /oauth2/tokens", grantAll, []string{form, good}, 404, "invalid_request"},
	}
	for _, c := range cases {
		if c.line == "" {
			c.line = "POST /oauth2/token"
		}
		w := i.do(c.line, c.body, c.headers...)
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: %v in %s", c.name, err, w.Body)
			continue
		}
		if w.Code != c.status || got["error"] != c.code || got["error_description"] == "" || len(got) != 2 {
			t.Errorf("%s: got %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.code)
		}
		if strings.ContainsAny(got["error_description"], `"\`) {
			t.Errorf("%s: RFC 6749 §5.2 bars characters of %s", c.name, w.Body)
		}
		if challenged := w.Header().Get("WWW-Authenticate") == `Basic realm="leyden"`; challenged != (c.status == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, w.Header().Get("WWW-Authenticate"))
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control is %q", c.name, w.Header().Get("Cache-Control"))
		}
	}
}

// Each façade says in its own words that there are too many requests.
func TestTooManyRequests(t *testing.T) {
	i := newIssuer(t, func(c *rest.Config) {
		c.Limits = rest.Limits{PerSecond: 1, Burst: 1, StrangerPerSecond: 1, StrangerBurst: 1}
	})
	i.bearer = i.token()
	w := i.do("POST /oauth2/token", grantAll, form, i.basic(i.id, i.secret))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"error":"temporarily_unavailable"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	i.get("GET /v2/transactions")
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"code":429`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestGuessingIsSlowed(t *testing.T) {
	i := newIssuer(t)
	for range auth.MaxGuesses {
		if w := i.do("POST /oauth2/token", grantAll, form, i.basic(i.id, "wrong")); w.Code != http.StatusUnauthorized {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	w := i.do("POST /oauth2/token", grantAll, form, i.basic(i.id, "wrong"))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), "temporarily_unavailable") {
		t.Errorf("got %d, Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	i.bearer = i.token()
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusOK {
		t.Errorf("a right credential enters at any time: got %d %s", w.Code, w.Body)
	}
}

// Guesses and other requests of strangers keep no client out that comes from the
// same address, also when they have used up what the address may ask for. What a
// client itself asks for is counted.
func TestRightSecretEntersDuringFlood(t *testing.T) {
	i := newIssuer(t, func(c *rest.Config) {
		c.Limits = rest.Limits{PerSecond: 1, Burst: 4, StrangerPerSecond: 1, StrangerBurst: 5}
	})
	ask := func(path, body, secret string) *httptest.ResponseRecorder {
		return i.do("POST /oauth2/"+path, body, form, i.basic(i.id, secret))
	}
	statuses := map[int]int{}
	for n := range 20 {
		statuses[ask("token", grantAll, "guess").Code]++
		statuses[i.do([]string{"GET /v2/nothing", "POST /oauth2/token"}[n%2], "", form).Code]++
	}
	if statuses[http.StatusTooManyRequests] < 30 || statuses[http.StatusUnauthorized] == 0 || statuses[http.StatusOK] > 0 {
		t.Errorf("the flood got %v", statuses)
	}
	token := i.token()
	for name, w := range map[string]*httptest.ResponseRecorder{
		"introspect": ask("introspect", asked(token), i.secret), "revoke": ask("revoke", asked(token), i.secret), "token": ask("token", grantAll, i.secret),
	} {
		if w.Code != http.StatusOK || w.Header().Get("RateLimit-Limit") != "4" {
			t.Errorf("%s during a flood: %d %s, %v", name, w.Code, w.Body, w.Header())
		}
	}
	w := ask("token", grantAll, i.secret)
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "temporarily_unavailable") || w.Header().Get("Retry-After") != "1" {
		t.Errorf("too many of the client itself: %d %s, %v", w.Code, w.Body, w.Header())
	}
	kept := i.now
	i.now = i.now.Add(time.Second)
	i.bearer = i.token()
	if w := ask("revoke", asked(i.bearer), i.secret); w.Code != http.StatusTooManyRequests {
		t.Errorf("revoke, too many: %d %s", w.Code, w.Body)
	}
	i.now = kept.Add(time.Minute)
	if w := i.get("GET /v2/transactions"); w.Code != http.StatusOK {
		t.Errorf("what was refused was done: %d %s", w.Code, w.Body)
	}
}
