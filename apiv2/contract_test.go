package apiv2_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leyden/rest"
)

// A contract is the OpenAPI document as a client reads it.
type contract struct {
	paths    map[string]any
	compiler *jsonschema.Compiler
}

func newContract(t *testing.T, api *rest.API) *contract {
	t.Helper()
	data, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	paths, ok := doc.(map[string]any)["paths"].(map[string]any)
	if !ok {
		t.Fatal("the document has no paths")
	}
	return &contract{paths, c}
}

// check holds a reply against what the document says about it.
func (c *contract) check(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	path, ok := c.pathOf(r.URL.Path)
	if !ok || w.Code == http.StatusMethodNotAllowed {
		return // unknown paths and methods are in no document
	}
	contentType := w.Header().Get("Content-Type")
	escape := strings.NewReplacer("~", "~0", "/", "~1").Replace
	pointer := "/paths/" + escape(path) + "/" + strings.ToLower(r.Method) + "/responses/" + strconv.Itoa(w.Code) + "/content/" + escape(contentType) + "/schema"
	at := url.URL{Path: "openapi.json", Fragment: pointer}
	schema, err := c.compiler.Compile(at.String())
	if err != nil {
		t.Errorf("%s %s: the document does not tell of %d %s: %v", r.Method, r.URL, w.Code, contentType, err)
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

// pathOf finds the templated path that a request is for.
func (c *contract) pathOf(path string) (string, bool) {
	want := strings.Split(path, "/")
	for template := range c.paths {
		parts := strings.Split(template, "/")
		if len(parts) == len(want) && matches(parts, want) {
			return template, true
		}
	}
	return "", false
}

func matches(template, path []string) bool {
	for i, part := range template {
		if part != path[i] && !strings.HasPrefix(part, "{") {
			return false
		}
	}
	return true
}
