package apiv1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/feed"
	"leyden/memory"
	"leyden/rest"
	"leyden/rest/resttest"
)

// A walker goes through all operations of the document: of both façades, and of
// what is beside them. A new operation is walked by itself.
type walker struct {
	*world
	server *resttest.Server
	frames *memory.Journal
	hooks  *feed.WebhookRegistrar
}

// inWalk runs f in a world with all there is.
func inWalk(t *testing.T, f func(w *walker)) {
	t.Helper()
	var config apiv1.Config
	now := func() time.Time { return noon }
	journal := memory.NewJournal(leyden.JournalLimits{}, now)
	inWorld(t, func(w *world) {
		callers, err := auth.NewAuthenticator(w.registrar.Config)
		w.must(err)
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		server := resttest.NewServer(t, rest.Config{Version: "test", Auth: callers, Now: w.now, Log: log})
		apiv1.Register(server.API, config)
		apiv2.Register(server.API, w.store, callers)
		f(&walker{w, server, journal, config.Webhooks})
	}, withJournal(journal), func(c *apiv1.Config) { config = *c })
}

// A walked is one operation of the document.
type walked struct {
	method, path string
	scope        string // "" for one that is public
	described    map[string]any
}

func (o walked) String() string { return o.method + " " + o.path }

// all returns all operations, by method and path.
func (w *walker) all() (list []walked) {
	w.t.Helper()
	paths, ok := resttest.At(w.server.Contract().Document, "paths").(map[string]any)
	if !ok {
		w.t.Fatal("the document has no paths")
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			op, ok := methods[method].(map[string]any)
			if !ok || op["responses"] == nil {
				continue
			}
			list = append(list, walked{strings.ToUpper(method), path, scopeIn(op), op})
		}
	}
	if len(list) < 80 {
		w.t.Fatalf("the document has %d operations only", len(list))
	}
	return list
}

// scopeIn returns the scope that the document says an operation needs.
func scopeIn(op map[string]any) string {
	security, _ := op["security"].([]any)
	for _, way := range security {
		if scopes, _ := resttest.At(way, "oauth2").([]any); len(scopes) == 1 {
			return scopes[0].(string)
		}
	}
	return ""
}

// A question is one request.
type question struct {
	method, target, body string
	header               http.Header
}

func (q question) String() string {
	return fmt.Sprintf("%s %s %s %v", q.method, q.target, q.body, q.header["Accept"])
}

// ask sends a request. It has a second: streams have no end.
func (w *walker) ask(q question, header, credential string) *httptest.ResponseRecorder {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, q.method, q.target, strings.NewReader(q.body))
	maps.Copy(r.Header, q.header)
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		r.Header.Set(header, credential)
	}
	out := httptest.NewRecorder()
	w.server.ServeHTTP(out, r)
	return out
}

// bearer returns an access token of a client.
func (w *walker) bearer(spec auth.Spec) string {
	w.t.Helper()
	c, secret, err := w.registrar.CreateClient(w.t.Context(), spec)
	w.must(err)
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, string(secret))
	out := httptest.NewRecorder()
	w.server.ServeHTTP(out, r)
	var got struct {
		Token string `json:"access_token"`
	}
	w.must(json.Unmarshal(out.Body.Bytes(), &got))
	return "Bearer " + got.Token
}

// key returns the text of an API key.
func (w *walker) keyOf(spec auth.Spec) string {
	w.t.Helper()
	_, text, err := w.registrar.CreateKey(w.t.Context(), spec)
	w.must(err)
	return string(text)
}

var inBraces = regexp.MustCompile(`\{(\w+)\}`)

// questions returns requests of an operation: for all combinations of the values
// that parameters of its path may have; without a query, and with each of its
// parameters; in every form that it has.
func (w *walker) questions(o walked, values map[string][]string) (list []question) {
	body := w.body(o, values)
	for _, path := range paths(o.path, values) {
		plain := question{method: o.method, target: path, body: body}
		list = append(list, plain)
		for _, query := range w.queries(o, values) {
			q := plain
			q.target += "?" + query
			list = append(list, q)
		}
		for _, form := range forms(o) {
			q := plain
			q.header = http.Header{"Accept": {form}}
			list = append(list, q)
		}
	}
	return list
}

// paths fills in a path.
func paths(template string, values map[string][]string) []string {
	found := inBraces.FindStringSubmatch(template)
	if found == nil {
		return []string{template}
	}
	var list []string
	some := values[found[1]]
	if len(some) == 0 {
		some = []string{"1"}
	}
	for _, value := range some {
		list = append(list, paths(strings.Replace(template, found[0], url.PathEscape(value), 1), values)...)
	}
	return list
}

// queries returns queries of one parameter each.
func (w *walker) queries(o walked, values map[string][]string) (list []string) {
	parameters, _ := o.described["parameters"].([]any)
	for _, p := range parameters {
		p = w.server.Contract().Follow(p)
		name, _ := resttest.At(p, "name").(string)
		if resttest.At(p, "in") != "query" || name == "cursor" || name == "wait" {
			continue
		}
		words := values[name]
		for _, schema := range []any{resttest.At(p, "schema"), resttest.At(p, "schema", "items")} {
			enum, _ := resttest.At(schema, "enum").([]any)
			for _, word := range enum {
				words = append(words, fmt.Sprint(word))
			}
		}
		for _, word := range words {
			list = append(list, url.Values{name: {word}}.Encode())
		}
	}
	return list
}

// forms returns the content types beside JSON that a reply may have.
func forms(o walked) []string {
	content, _ := resttest.At(o.described, "responses", "200", "content").(map[string]any)
	var list []string
	for _, form := range slices.Sorted(maps.Keys(content)) {
		if form != "application/json" {
			list = append(list, form)
		}
	}
	return list
}

// body returns the smallest body that the document allows; "" for none.
func (w *walker) body(o walked, values map[string][]string) string {
	w.t.Helper()
	schema := resttest.At(o.described, "requestBody", "content", "application/json", "schema")
	if schema == nil {
		return ""
	}
	text, err := json.Marshal(w.sample("", schema, values))
	w.must(err)
	return string(text)
}

// sample returns a value that a schema allows, with what is required of an object
// and no more.
func (w *walker) sample(name string, schema any, values map[string][]string) any {
	if ref, ok := resttest.At(schema, "$ref").(string); ok {
		keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		return w.sample(name, resttest.At(w.server.Contract().Document, keys...), values)
	}
	if some := values[name]; len(some) > 0 {
		return some[0]
	}
	for _, key := range []string{"examples", "enum"} {
		if some, ok := resttest.At(schema, key).([]any); ok && len(some) > 0 {
			return some[0]
		}
	}
	switch kindOf(schema) {
	case "object":
		object := map[string]any{}
		required, _ := resttest.At(schema, "required").([]any)
		for _, key := range required {
			object[key.(string)] = w.sample(key.(string), resttest.At(schema, "properties", key.(string)), values)
		}
		return object
	case "array":
		return []any{w.sample("", resttest.At(schema, "items"), values)}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	}
	if resttest.At(schema, "format") == "date-time" {
		return "2026-02-06T13:00:00Z"
	}
	return "x"
}

// kindOf returns the type that a schema names, or the first of them.
func kindOf(schema any) string {
	switch kind := resttest.At(schema, "type").(type) {
	case string:
		return kind
	case []any:
		return fmt.Sprint(kind[0])
	}
	return ""
}

// TestWalkScopes: every operation that the document has, on either façade, is
// refused without a credential (401) and with one that has all scopes but its own
// (403), by key and by access token; its own scope suffices. What is public is known.
func TestWalkScopes(t *testing.T) {
	inWalk(t, func(w *walker) {
		lacking, having := map[string][2]string{}, map[string][2]string{}
		for _, scope := range auth.KnownScopes() {
			spec := auth.Spec{Name: "all but " + string(scope)}
			for _, other := range auth.KnownScopes() {
				if other != scope && other != auth.Admin {
					spec.Scopes = append(spec.Scopes, string(other))
				}
			}
			lacking[string(scope)] = [2]string{w.keyOf(spec), w.bearer(spec)}
			spec.Name, spec.Scopes = string(scope), []string{string(scope)}
			having[string(scope)] = [2]string{w.keyOf(spec), w.bearer(spec)}
		}
		var public []string
		for _, o := range w.all() {
			if o.scope == "" {
				public = append(public, o.String())
				continue
			}
			credentials, known := lacking[o.scope]
			if !known {
				t.Errorf("%s needs the scope %q, which there is not", o, o.scope)
			}
			q := question{method: o.method, target: paths(o.path, nil)[0]}
			time.Sleep(auth.GuessWindow / 4) // wrong guesses are 401 while there are not too many
			for _, c := range []struct {
				what, header, credential string
				status                   int
			}{
				{"no credential", "X-None", "", 401},
				{"a key that is none", "X-API-Key", "lk_none", 401},
				{"an access token that is none", "Authorization", "Bearer none", 401},
				{"a key without the scope", "X-API-Key", credentials[0], 403},
				{"an access token without the scope", "Authorization", credentials[1], 403},
			} {
				if got := w.ask(q, c.header, c.credential); got.Code != c.status || got.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s with %s: got %d %s, want %d", o, c.what, got.Code, got.Body, c.status)
				}
			}
		}
		w.letsIn(having)
		want := []string{
			"GET /.well-known/jwks.json", "GET /.well-known/oauth-authorization-server", "GET /healthz",
			"POST /oauth2/introspect", "POST /oauth2/revoke", "POST /oauth2/token", "GET /readyz",
		}
		if !slices.Equal(public, want) {
			t.Errorf("public are %q, want %q", public, want)
		}
	})
}

// letsIn asks all operations with a key and an access token of their scope.
func (w *walker) letsIn(having map[string][2]string) {
	w.t.Helper()
	for _, o := range w.all() {
		if o.scope == "" {
			continue
		}
		q := question{method: o.method, target: paths(o.path, nil)[0]}
		for i, header := range []string{"X-API-Key", "Authorization"} {
			got := w.ask(q, header, having[o.scope][i])
			if got.Code == http.StatusUnauthorized || got.Code == http.StatusForbidden || got.Code == http.StatusInternalServerError {
				w.t.Errorf("%s with its scope %q: got %d %s", o, o.scope, got.Code, got.Body)
			}
		}
	}
}
