// Package resttest holds what an API replies against the OpenAPI document that
// it serves, so that a test which talks HTTP notices when the two drift apart.
//
// A reply keeps the [Contract] if the document tells of its status, of each of
// its headers and of its content type, and if its body is what the schema says.
// A path that the document does not have is 404, a method that it does not have
// is 405 with Allow; both have the body of the façade's errors.
//
// Nobody has to think of it: tests within a process get their API from
// [NewServer], those that talk to another process have a client whose transport
// is [Contract.Transport], and a test of the module's root refuses others.
package resttest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

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
	return ParseContract(data)
}

// ParseContract returns the contract that a document makes.
func ParseContract(document []byte) (*Contract, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	paths, ok := At(doc, "paths").(map[string]any)
	if !ok {
		return nil, errors.New("the document has no paths")
	}
	c := &Contract{Document: doc, paths: paths, compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource(documentURL, doc)
}

// documentURL is what the compiler calls the document.
const documentURL = "openapi.json"

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

// At returns what lies at a path of object keys of the document, or nil. Where a
// reference is on the way, it goes on where that leads.
func (c *Contract) At(keys ...string) any { return At(c.Document, c.place(keys)...) }

// place returns the path of keys without any reference on the way.
func (c *Contract) place(keys []string) []string {
	var at []string
	for _, key := range keys {
		at = append(c.referred(at), key)
	}
	return at
}

// maxReferences is how many references may follow one another.
const maxReferences = 8

// referred returns where a reference leads, or the path itself if there is none.
func (c *Contract) referred(at []string) []string {
	for range maxReferences {
		ref, ok := At(c.Document, append(slices.Clone(at), "$ref")...).(string)
		if !ok {
			break
		}
		at = pathOf(ref)
	}
	return slices.Clone(at)
}

// Follow returns what a reference leads to, or v itself if it is none.
func (c *Contract) Follow(v any) any {
	if ref, ok := At(v, "$ref").(string); ok {
		return At(c.Document, c.referred(pathOf(ref))...)
	}
	return v
}

// pathOf returns the path of keys that a reference within the document has.
func pathOf(ref string) []string {
	keys := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	for i, key := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
	}
	return keys
}

// Operation returns what the document says about a request, and the path that
// it has in the document: of those that fit, the one with the most literal parts.
// The operation is nil when none of them has the method, the path "" when none
// fits. HEAD is GET without a body.
func (c *Contract) Operation(method, path string) (operation any, template string) {
	for _, template := range c.templates(path) {
		if operation := At(c.paths[template], keyOf(method)); operation != nil {
			return operation, template
		}
	}
	if fitting := c.templates(path); len(fitting) > 0 {
		return nil, fitting[0]
	}
	return nil, ""
}

// keyOf returns how the document calls a method. Methods differ by their case.
func keyOf(method string) string {
	switch method {
	case http.MethodHead:
		return "get"
	case strings.ToUpper(method):
		return strings.ToLower(method)
	}
	return ""
}

// schema compiles the schema that lies at a path of keys.
func (c *Contract) schema(keys ...string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var pointer strings.Builder
	for _, key := range c.place(keys) {
		pointer.WriteString("/" + escape.Replace(key))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compiler.Compile((&url.URL{Path: documentURL, Fragment: pointer.String()}).String())
}

// validate holds JSON against the schema at a path of keys.
func (c *Contract) validate(body []byte, keys ...string) error {
	schema, err := c.schema(keys...)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return schema.Validate(value)
}

// templates returns the paths of the document that a path fits, those with more
// literal parts first.
func (c *Contract) templates(path string) []string {
	parts, literal := strings.Split(path, "/"), map[string]int{}
	for template := range c.paths {
		if n := matching(strings.Split(template, "/"), parts); n >= 0 {
			literal[template] = n
		}
	}
	return slices.SortedFunc(maps.Keys(literal), func(a, b string) int {
		return cmp.Or(cmp.Compare(literal[b], literal[a]), cmp.Compare(a, b))
	})
}

// matching returns how many parts of a path a template has to the letter, or −1
// if it does not fit. What is no part for a server fits nothing.
func matching(template, path []string) (literal int) {
	if len(template) != len(path) {
		return -1
	}
	for i, part := range template {
		switch {
		case part == path[i]:
			literal++
		case !strings.HasPrefix(part, "{"), path[i] == "", path[i] == ".", path[i] == "..":
			return -1
		}
	}
	return literal
}

// errorSchema returns where errors are described of the façade that a path
// belongs to: that of the operations whose path begins most like it. Nil when
// none does.
func (c *Contract) errorSchema(path string) (keys []string) {
	best := 0
	for _, template := range slices.Sorted(maps.Keys(c.paths)) {
		shared := sharedParts(template, path)
		if shared <= best {
			continue
		}
		for method := range c.paths[template].(map[string]any) {
			best, keys = shared, []string{"paths", template, method, "responses", "500", "content", jsonType, "schema"}
		}
	}
	if c.At(keys...) == nil {
		return nil
	}
	return keys
}

// sharedParts returns how many parts two paths have in common at their begin.
func sharedParts(a, b string) int {
	x, y := strings.Split(strings.TrimPrefix(a, "/"), "/"), strings.Split(strings.TrimPrefix(b, "/"), "/")
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}
