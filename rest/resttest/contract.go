// Package resttest holds what an API replies against the OpenAPI document that
// it serves: a test that sends its requests through a [Contract] notices when
// the two drift apart.
package resttest

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

	"leyden/rest"
)

// A Contract is an OpenAPI document as a client reads it. It may be used by
// several goroutines.
type Contract struct {
	// Document is the parsed document.
	Document any

	paths    map[string]any
	mu       sync.Mutex // the compiler is not for several goroutines
	compiler *jsonschema.Compiler
}

// NewContract returns the contract of an API, which can register no operation
// after that.
func NewContract(api *rest.API) (*Contract, error) {
	data, err := api.Document()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	paths, ok := At(doc, "paths").(map[string]any)
	if !ok {
		return nil, errors.New("the document has no paths")
	}
	c := &Contract{Document: doc, paths: paths, compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource("openapi.json", doc)
}

// At returns what lies at a path of object keys, or nil.
func At(v any, keys ...string) any {
	for _, key := range keys {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[key]
	}
	return v
}

// Check fails the test if the document does not tell of the reply w to r, or
// tells of another one. Paths and methods that the document does not have are
// not looked at.
func (c *Contract) Check(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	path, ok := c.pathOf(r.URL.EscapedPath())
	if !ok || w.Code == http.StatusMethodNotAllowed {
		return
	}
	if w.Code == http.StatusNotModified {
		if At(c.paths[path], strings.ToLower(r.Method), "responses", "304") == nil || w.Body.Len() > 0 {
			t.Errorf("%s %s: the document does not tell of 304, or it has a body: %q", r.Method, r.URL, w.Body)
		}
		return
	}
	contentType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		t.Errorf("%s %s: Content-Type: %v", r.Method, r.URL, err)
		return
	}
	schema, err := c.compiler.Compile(schemaURL(path, r.Method, w.Code, contentType))
	if err != nil {
		t.Errorf("%s %s: the document does not tell of %d %s: %v", r.Method, r.URL, w.Code, contentType, err)
		return
	}
	if contentType != "application/json" && !strings.HasSuffix(contentType, "+json") {
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

// schemaURL returns where the document describes a reply.
func schemaURL(path, method string, status int, contentType string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	pointer := strings.Join([]string{
		"", "paths", escape(path), strings.ToLower(method), "responses", strconv.Itoa(status), "content", escape(contentType), "schema",
	}, "/")
	return (&url.URL{Path: "openapi.json", Fragment: pointer}).String()
}

// pathOf finds the templated path that a request is for: the one with the most
// literal parts.
func (c *Contract) pathOf(path string) (found string, ok bool) {
	want, best := strings.Split(path, "/"), -1
	for template := range c.paths {
		if literal := matching(strings.Split(template, "/"), want); literal > best {
			found, best = template, literal
		}
	}
	return found, best >= 0
}

// matching returns how many parts of a path a template has to the letter, or −1
// if it does not fit.
func matching(template, path []string) (literal int) {
	if len(template) != len(path) {
		return -1
	}
	for i, part := range template {
		switch {
		case part == path[i]:
			literal++
		case !strings.HasPrefix(part, "{"):
			return -1
		}
	}
	return literal
}
