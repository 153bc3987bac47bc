package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leyden/rest"
	"leyden/rest/resttest"
)

func TestDocument(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET /openapi.json", "", "X-API-Key: ")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %s", w.Code, w.Header().Get("Content-Type"))
	}
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resttest.At(doc, "openapi"); got != "3.1.0" {
		t.Errorf("openapi is %v", got)
	}
	if got := resttest.At(doc, "info", "version"); got != "1.2.3" {
		t.Errorf("version is %v", got)
	}
	for path, methods := range map[string][]string{"/t/orders": {"get", "delete"}, "/t/orders/{id}": {"post"}, "/healthz": {"get"}, "/readyz": {"get"}} {
		for _, method := range methods {
			if resttest.At(doc, "paths", path, method, "operationId") == nil {
				t.Errorf("%s %s is not in the document", method, path)
			}
		}
	}
	if resttest.At(doc, "components", "schemas", "ErrorModel") != nil {
		t.Error("an error that is never sent is in the document")
	}
}

func TestDocumentTellsWhatIsServed(t *testing.T) {
	c := contractOf(t, newFixture(t))
	post := []string{"paths", "/t/orders/{id}", "post"}
	cases := []struct {
		path []string
		want string
	}{
		{slices.Concat(post, []string{"security"}), `[{"apiKey":[]},{"oauth2":["transactions:read"]}]`},
		{slices.Concat(post, []string{"responses", "202", "content", "application/json", "schema"}), `{"$ref":"#/components/schemas/OrderReply"}`},
		{slices.Concat(post, []string{"responses", "400", "content", "application/json", "schema"}), `{"$ref":"#/components/schemas/ErrorBody"}`},
		{slices.Concat(post, []string{"responses", "409", "content", "application/problem+json", "schema"}), `{"$ref":"#/components/schemas/Problem"}`},
		{slices.Concat(post, []string{"responses", "413", "description"}), `"Request Entity Too Large"`},
		{[]string{"paths", "/t/orders", "get", "responses", "413"}, `null`},
		{[]string{"paths", "/t/orders", "get", "responses", "200", "content", "text/csv", "schema"}, `{"type":"string"}`},
		{[]string{"paths", "/t/orders", "get", "responses", "200", "content", "application/json", "schema"}, `{"items":{"type":"string"},"type":"array"}`},
		{[]string{"paths", "/healthz", "get", "security"}, `[]`},
		{[]string{"components", "schemas", "OrderReply", "properties", "from"}, `{"format":"date-time","type":["string","null"]}`},
		{[]string{"components", "schemas", "OrderReply", "properties", "kind"}, `{"enum":["a","b",null],"type":["string","null"]}`},
		{[]string{"components", "schemas", "OrderReply", "additionalProperties"}, `null`},
		{[]string{"components", "schemas", "Order", "additionalProperties"}, `false`},
		{[]string{"components", "schemas", "OrderLine", "additionalProperties"}, `false`},
		{[]string{"components", "schemas", "Order", "properties", "lines", "type"}, `"array"`},
		{[]string{"components", "securitySchemes", "apiKey", "name"}, `"X-API-Key"`},
		{[]string{"components", "securitySchemes", "oauth2", "flows", "clientCredentials", "tokenUrl"}, `"/oauth2/token"`},
	}
	for _, one := range cases {
		got, err := json.Marshal(c.At(one.path...))
		if err != nil || string(got) != one.want {
			t.Errorf("%s: got %s, %v, want %s", strings.Join(one.path, " "), got, err, one.want)
		}
	}
}

// Every schema of the document is one that a JSON Schema reader takes, and
// every reference leads somewhere.
func TestDocumentIsReadable(t *testing.T) {
	doc := contractOf(t, newFixture(t)).Document
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schemas, ok := resttest.At(doc, "components", "schemas").(map[string]any)
	if !ok || len(schemas) == 0 {
		t.Fatal("there are no schemas")
	}
	for name := range schemas {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What operations have alike is written once, whatever it is; what few have stays
// with them.
func TestDocumentRepeatsNothing(t *testing.T) {
	f := newFixture(t)
	for _, prefix := range []string{"/t/", "/u/"} {
		serveAlike(f, prefix)
	}
	c := contractOf(t, f)
	said := map[string]int{}
	for path, item := range c.At("paths").(map[string]any) {
		for method, op := range item.(map[string]any) {
			parts, _ := resttest.At(op, "parameters").([]any)
			responses := resttest.At(op, "responses").(map[string]any)
			for status, response := range responses {
				if status[0] == '2' {
					for _, header := range c.At("paths", path, method, "responses", status, "headers").(map[string]any) {
						parts = append(parts, header)
					}
					continue
				}
				parts = append(parts, response)
			}
			for _, part := range parts {
				text, err := json.Marshal(part)
				if err != nil {
					t.Fatal(err)
				}
				said[string(text)]++
			}
		}
	}
	for text, n := range said {
		if refers := strings.HasPrefix(text, `{"$ref":"#/components/`); n > 2 && !refers {
			t.Errorf("%d times: %s", n, text)
		}
	}
	for _, name := range []string{"responses", "parameters", "headers"} {
		if shared, _ := c.At("components", name).(map[string]any); len(shared) == 0 {
			t.Errorf("there are no shared %s", name)
		}
	}
	for path, want := range map[string]string{"/t/alike/a": `"first"`, "/u/alike/a": `"first"`, "/t/alike/odd": `"other"`} {
		parameters, _ := c.At("paths", path, "get", "parameters").([]any)
		text, err := json.Marshal(c.Follow(parameters[0]))
		if err != nil || !strings.Contains(string(text), `"description":`+want) {
			t.Errorf("%s has the parameter %s, %v, want %s", path, text, err, want)
		}
	}
}

// serveAlike adds operations that have much alike, and some with a parameter that
// has only its name in common with that of others.
func serveAlike(f fixture, prefix string) {
	facade := &rest.Facade{Prefix: prefix, Body: func(e *rest.Error, _ string) any { return e.Details }}
	for _, name := range []string{"a", "b", "c"} {
		op := rest.Operation{Method: http.MethodGet, Path: prefix + "alike/" + name, Public: true}
		rest.Handle(f.API, facade, op, func(context.Context, *struct {
			Word string `query:"word" doc:"first"`
		}) (*struct{ Body int }, error) {
			return nil, nil
		})
		op.Path = prefix + "alike/" + name + "/odd"
		if name == "a" {
			op.Path = prefix + "alike/odd"
		}
		rest.Handle(f.API, facade, op, func(context.Context, *struct {
			Word string `query:"word" doc:"other"`
		}) (*struct{ Body int }, error) {
			return nil, nil
		})
	}
}

func TestDocumentAsYAML(t *testing.T) {
	w := newFixture(t).do("GET /openapi.yaml", "", "X-API-Key: ")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "openapi: 3.1.0") {
		t.Errorf("got %d %.80s", w.Code, w.Body)
	}
}

func contractOf(t *testing.T, f fixture) *resttest.Contract {
	t.Helper()
	c, err := resttest.NewContract(f.API)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPagesNeedACredentialBeyondLoopback(t *testing.T) {
	f := newFixture(t, closed)
	for _, path := range []string{"/docs", "/docs/rapidoc-min.js", "/docs/docs.js", "/openapi.json", "/openapi.yaml", "/metrics"} {
		if w := f.do("GET "+path, "", "X-API-Key: "); w.Code != http.StatusUnauthorized || !slices.Contains(w.Header().Values("WWW-Authenticate"), `Basic realm="leyden"`) {
			t.Errorf("%s for nobody: got %d, %v", path, w.Code, w.Header().Values("WWW-Authenticate"))
		}
		if w := f.do("GET "+path, "", "X-API-Key: reader"); w.Code != http.StatusForbidden {
			t.Errorf("%s without chargers:read: got %d", path, w.Code)
		}
		if w := f.do("GET "+path, "", "X-API-Key: admin"); w.Code != http.StatusOK {
			t.Errorf("%s for an admin: got %d %s", path, w.Code, w.Body)
		}
		basic := "Authorization: Basic eDphZG1pbg==" // x:admin
		if w := f.do("GET "+path, "", "X-API-Key: ", basic); w.Code != http.StatusOK {
			t.Errorf("%s with the key as a password: got %d %s", path, w.Code, w.Body)
		}
		if w := newFixture(t, opened).do("GET "+path, "", "X-API-Key: "); w.Code != http.StatusOK {
			t.Errorf("%s on loopback: got %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if w := f.do("GET "+path, "", "X-API-Key: "); w.Code != http.StatusOK || w.Body.String() != `{"status":"ok"}` {
			t.Errorf("%s: got %d %s", path, w.Code, fmt.Sprint(w.Body))
		}
	}
}
