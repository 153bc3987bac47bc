package apiv1_test

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leyden/apiv1"
	"leyden/rest"
)

// A contract is the OpenAPI document as a client reads it.
type contract struct {
	mu       sync.Mutex // the compiler is not for several goroutines
	doc      any
	paths    map[string]any
	compiler *jsonschema.Compiler
}

// theContract is the same in all tests: it depends on nothing but code.
var theContract = sync.OnceValues(func() (*contract, error) {
	api := rest.New(rest.Config{Version: "test"})
	apiv1.Register(api, apiv1.Config{})
	data, err := api.Document()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		return nil, err
	}
	paths, ok := at(doc, "paths").(map[string]any)
	if !ok {
		return nil, errors.New("the document has no paths")
	}
	return &contract{doc: doc, paths: paths, compiler: c}, nil
})

// at returns what lies at a path of object keys, or nil.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[key]
	}
	return v
}

// check holds a reply against what the document says about it.
func (c *contract) check(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	path, ok := c.pathOf(r.URL.EscapedPath())
	if !ok || w.Code == http.StatusMethodNotAllowed {
		return // unknown paths and methods are in no document
	}
	contentType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		t.Errorf("%s %s: Content-Type: %v", r.Method, r.URL, err)
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	pointer := "/paths/" + escape(path) + "/" + strings.ToLower(r.Method) + "/responses/" + strconv.Itoa(w.Code) + "/content/" + escape(contentType) + "/schema"
	schema, err := c.compiler.Compile((&url.URL{Path: "openapi.json", Fragment: pointer}).String())
	if err != nil {
		t.Errorf("%s %s: the document does not tell of %d %s: %v", r.Method, r.URL, w.Code, contentType, err)
		return
	}
	if !strings.HasSuffix(contentType, "json") || contentType == "application/x-ndjson" {
		return
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		t.Errorf("%s %s: %d %s breaks the document: %v", r.Method, r.URL, w.Code, w.Body, err)
	}
}

// pathOf finds the templated path that a request is for: the one with the most
// literal parts.
func (c *contract) pathOf(path string) (found string, ok bool) {
	want, best := strings.Split(path, "/"), -1
	for template := range c.paths {
		parts := strings.Split(template, "/")
		if literal, matches := matching(parts, want); matches && literal > best {
			found, best = template, literal
		}
	}
	return found, best >= 0
}

func matching(template, path []string) (literal int, ok bool) {
	if len(template) != len(path) {
		return 0, false
	}
	for i, part := range template {
		if part == path[i] {
			literal++
		} else if !strings.HasPrefix(part, "{") {
			return 0, false
		}
	}
	return literal, true
}
