package resttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var (
	operationIDs = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	statusCodes  = regexp.MustCompile(`^[1-5][0-9][0-9]$`)
	pathParams   = regexp.MustCompile(`\{([A-Za-z0-9_]+)\}`)
)

// Unsound returns what of the document is not as OpenAPI 3.1 and generators of
// clients need it: fields that OpenAPI does not have, schemas that JSON Schema
// 2020-12 does not take, examples and defaults that are not what their schema
// says, references that lead nowhere, operations without a stable name, and path
// parameters that are not described.
func (c *Contract) Unsound() []error {
	s := &soundness{contract: c, ids: map[string]string{}, seen: map[string]bool{}}
	s.fields("", c.Document, "openapi", "info", "servers", "paths", "components", "tags", "security", "externalDocs", "jsonSchemaDialect", "webhooks")
	if version, _ := At(c.Document, "openapi").(string); !strings.HasPrefix(version, "3.1.") {
		s.wrong("openapi", "is %q", version)
	}
	for _, path := range slices.Sorted(maps.Keys(c.paths)) {
		s.path(path)
	}
	schemas, _ := At(c.Document, "components", "schemas").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		s.schema("components", "schemas", name)
	}
	return s.found
}

type soundness struct {
	contract *Contract
	ids      map[string]string // where an operationId is
	seen     map[string]bool   // schemas, as JSON
	found    []error
}

func (s *soundness) wrong(where, format string, args ...any) {
	s.found = append(s.found, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// fields wants an object to have no other fields than those, but for extensions.
func (s *soundness) fields(where string, v any, known ...string) {
	object, ok := v.(map[string]any)
	if !ok {
		s.wrong(where, "is no object")
	}
	for name := range object {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "x-") {
			s.wrong(where, "OpenAPI has no %s here", name)
		}
	}
}

// followed returns what v is or refers to, and wants that to have no other fields.
func (s *soundness) followed(where string, v any, known ...string) any {
	if At(v, "$ref") != nil {
		s.fields(where, v, "$ref", "summary", "description")
		v = s.contract.Follow(v)
	}
	s.fields(where, v, known...)
	return v
}

func (s *soundness) path(path string) {
	item, _ := s.contract.paths[path].(map[string]any)
	s.fields(path, item, "get", "put", "post", "delete", "options", "head", "patch", "trace", "summary", "description", "parameters", "servers")
	for _, method := range slices.Sorted(maps.Keys(item)) {
		s.operation(path, method, item[method])
	}
}

func (s *soundness) operation(path, method string, op any) {
	where := method + " " + path
	s.fields(where, op, "tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses", "callbacks", "deprecated", "security", "servers")
	id, _ := At(op, "operationId").(string)
	if !operationIDs.MatchString(id) || s.ids[id] != "" {
		s.wrong(where, "operationId %q is no name, or that of %s", id, s.ids[id])
	}
	s.ids[id] = where
	s.params(path, method, op)
	if content, ok := At(op, "requestBody", "content").(map[string]any); ok {
		s.content(content, "paths", path, method, "requestBody", "content")
	}
	responses, _ := At(op, "responses").(map[string]any)
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		response := s.followed(where+" "+status, responses[status], "description", "headers", "content", "links")
		if text, _ := At(response, "description").(string); text == "" || !statusCodes.MatchString(status) && status != "default" {
			s.wrong(where+" "+status, "has no description, or is no status")
		}
		content, _ := At(response, "content").(map[string]any)
		s.content(content, "paths", path, method, "responses", status, "content")
		headers, _ := At(response, "headers").(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			s.followed(where+" "+name, headers[name], "description", "required", "deprecated", "style", "explode", "schema", "example", "examples", "content")
			s.schema("paths", path, method, "responses", status, "headers", name, "schema")
		}
	}
}

func (s *soundness) content(content map[string]any, keys ...string) {
	for _, contentType := range slices.Sorted(maps.Keys(content)) {
		s.schema(append(slices.Clone(keys), contentType, "schema")...)
	}
}

func (s *soundness) params(path, method string, op any) {
	where := method + " " + path
	described := map[string]bool{}
	params, _ := At(op, "parameters").([]any)
	for _, p := range params {
		p = s.followed(where, p, "name", "in", "description", "required", "deprecated", "allowEmptyValue", "style", "explode", "allowReserved", "schema", "example", "examples", "content")
		name, _ := At(p, "name").(string)
		in, _ := At(p, "in").(string)
		if described[in+name] {
			s.wrong(where, "%s is described twice", name)
		}
		described[in+name] = true
	}
	for _, m := range pathParams.FindAllStringSubmatch(path, -1) {
		if !described["path"+m[1]] {
			s.wrong(where, "%s is not described", m[1])
		}
	}
}

// schema compiles a schema, and holds the examples and defaults below it against
// what they are of.
func (s *soundness) schema(keys ...string) {
	v := s.contract.At(keys...)
	where := strings.Join(keys, "/")
	text, err := json.Marshal(v)
	if err != nil || s.seen[string(text)] {
		return
	}
	s.seen[string(text)] = true
	compiled, err := s.contract.schema(keys...)
	if err != nil {
		s.wrong(where, "%v", err)
		return
	}
	examples, _ := At(v, "examples").([]any)
	if def := At(v, "default"); def != nil {
		examples = append(slices.Clone(examples), def)
	}
	for _, example := range examples {
		if err := validates(compiled, example); err != nil {
			s.wrong(where, "the example %v: %v", example, err)
		}
	}
	properties, _ := At(v, "properties").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		s.schema(append(slices.Clone(keys), "properties", name)...)
	}
	for _, below := range []string{"items", "additionalProperties"} {
		if _, ok := At(v, below).(map[string]any); ok {
			s.schema(append(slices.Clone(keys), below)...)
		}
	}
}

func validates(schema *jsonschema.Schema, example any) error {
	data, err := json.Marshal(example)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
