package barrage

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"leyden/rest/resttest"
)

// A schema is a JSON schema of the document.
type schema = map[string]any

// An operation is what the document says of one method of a path.
type operation struct {
	id, method, path string
	params           []param
	contentType      string // of the body; "" for none
	body             schema
	bodyRequired     bool
	stations         bool // it waits for a station
}

type param struct {
	name, in string
	required bool
	schema   schema
}

// operationsOf reads the operations of a document, in a stable order.
func operationsOf(document any) []operation {
	var all []operation
	paths, _ := resttest.At(document, "paths").(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			described, _ := item[method].(map[string]any)
			all = append(all, operationOf(document, strings.ToUpper(method), path, described))
		}
	}
	return all
}

func operationOf(document any, method, path string, described map[string]any) operation {
	op := operation{method: method, path: path}
	op.id, _ = described["operationId"].(string)
	op.stations = resttest.At(described, "responses", "504") != nil
	params, _ := described["parameters"].([]any)
	for _, p := range params {
		p, _ := p.(schema)
		p = resolve(document, p)
		var one param
		one.name, _ = resttest.At(p, "name").(string)
		one.in, _ = resttest.At(p, "in").(string)
		one.required, _ = resttest.At(p, "required").(bool)
		one.schema, _ = resttest.At(p, "schema").(schema)
		op.params = append(op.params, one)
	}
	op.bodyRequired, _ = resttest.At(described, "requestBody", "required").(bool)
	content, _ := resttest.At(described, "requestBody", "content").(map[string]any)
	for _, contentType := range slices.Sorted(maps.Keys(content)) {
		op.contentType = contentType
		op.body, _ = resttest.At(content[contentType], "schema").(schema)
	}
	return op
}

// collection is the last part of the path that is no parameter, by which ids of
// different things are kept apart.
func (op *operation) collection() string {
	found := ""
	for part := range strings.SplitSeq(op.path, "/") {
		if part != "" && !strings.HasPrefix(part, "{") {
			found = part
		}
	}
	return found
}

// resolve follows the references of a schema, or of a parameter.
func resolve(document any, s schema) schema {
	for range 16 {
		ref, ok := s["$ref"].(string)
		if !ok {
			return s
		}
		s, _ = resttest.At(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(schema)
	}
	return s
}

// typesOf returns the types that a schema allows, null left out, and whether it
// allows null.
func typesOf(s schema) (types []string, null bool) {
	switch t := s["type"].(type) {
	case string:
		types = []string{t}
	case []any:
		for _, one := range t {
			name, _ := one.(string)
			types = append(types, name)
		}
	}
	null = slices.Contains(types, "null")
	return slices.DeleteFunc(types, func(t string) bool { return t == "null" }), null
}

// limit returns a numeric keyword of a schema.
func limit(s schema, keyword string) (float64, bool) {
	switch n := s[keyword].(type) {
	case float64:
		return n, true
	case interface{ Float64() (float64, error) }: // a json.Number
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

func limitOr(s schema, keyword string, def int) int {
	if n, ok := limit(s, keyword); ok {
		return int(n)
	}
	return def
}

// texts returns a list of the schema as JSON texts, strings without quotes.
func texts(v any) []string {
	list, _ := v.([]any)
	var found []string
	for _, one := range list {
		if text, ok := plain(one); ok {
			found = append(found, text)
		}
	}
	return found
}

// plain returns a scalar as a parameter shows it.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case interface{ String() string }: // a json.Number
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}
