package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// An openAPI is what of the document a client needs.
type openAPI struct {
	Paths      map[string]map[string]*operation `json:"paths"`
	Components struct {
		Schemas    map[string]*schema    `json:"schemas"`
		Parameters map[string]*parameter `json:"parameters"`
		Responses  map[string]*response  `json:"responses"`
	} `json:"components"`
}

type operation struct {
	ID          string               `json:"operationId"`
	Summary     string               `json:"summary"`
	Description string               `json:"description"`
	Parameters  []*parameter         `json:"parameters"`
	RequestBody *body                `json:"requestBody"`
	Responses   map[string]*response `json:"responses"`

	method, path string
}

type parameter struct {
	Ref         string  `json:"$ref"`
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
}

type body struct {
	Required bool              `json:"required"`
	Content  map[string]*media `json:"content"`
}

type response struct {
	Ref     string            `json:"$ref"`
	Content map[string]*media `json:"content"`
}

type media struct {
	Schema *schema `json:"schema"`
}

type schema struct {
	Ref         string             `json:"$ref"`
	Type        types              `json:"type"`
	Format      string             `json:"format"`
	Description string             `json:"description"`
	Enum        []any              `json:"enum"`
	Items       *schema            `json:"items"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Encoding    string             `json:"contentEncoding"`
}

// follow puts what they refer to in the place of references to parameters and
// replies.
func (d *openAPI) follow() error {
	for path, methods := range d.Paths {
		for method, op := range methods {
			if err := d.followIn(op); err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
		}
	}
	return nil
}

func (d *openAPI) followIn(op *operation) error {
	for i, p := range op.Parameters {
		if p.Ref == "" {
			continue
		}
		if op.Parameters[i] = d.Components.Parameters[lastPart(p.Ref)]; op.Parameters[i] == nil {
			return fmt.Errorf("%s leads nowhere", p.Ref)
		}
	}
	for status, r := range op.Responses {
		if r.Ref == "" {
			continue
		}
		if op.Responses[status] = d.Components.Responses[lastPart(r.Ref)]; op.Responses[status] == nil {
			return fmt.Errorf("%s leads nowhere", r.Ref)
		}
	}
	return nil
}

// lastPart returns the name of what a reference leads to.
func lastPart(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// types is one type or a list of them.
type types []string

// UnmarshalJSON reads either.
func (t *types) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = types{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(data, &many)
	*t = many
	return err
}

// kind returns the type that is not null, and whether null is allowed.
func (s *schema) kind() (kind string, null bool) {
	for _, t := range s.Type {
		if t == "null" {
			null = true
			continue
		}
		kind = t
	}
	return kind, null
}

// refers returns the Go name of the type that s refers to; "" for none.
func (s *schema) refers() string {
	if s.Ref == "" {
		return ""
	}
	return typeName(lastPart(s.Ref))
}

// typeName is the Go name of a schema. Those of v1 lose its number.
func typeName(name string) string {
	name = strings.TrimPrefix(name, "V1")
	switch name {
	case "Error", "Client": // which are the client's own
		return "V1" + name
	case "ApiKey":
		return "APIKey"
	}
	return exported(name)
}

// exported makes a Go name of a JSON one.
func exported(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') {
			up = true
			continue
		}
		if up {
			b.WriteString(strings.ToUpper(string(r)))
		} else {
			b.WriteRune(r)
		}
		up = false
	}
	text := b.String()
	for _, short := range [][2]string{{"Id", "ID"}, {"Url", "URL"}, {"Wh", "Wh"}} {
		if base, ok := strings.CutSuffix(text, short[0]); ok {
			text = base + short[1]
		}
	}
	text = strings.ReplaceAll(text, "IdTag", "IDTag")
	return text
}

// unexported makes a Go name for an argument.
func unexported(name string) string {
	text := exported(name)
	lower := strings.ToLower(text[:1]) + text[1:]
	if slices.Contains([]string{"type", "range", "func", "map"}, lower) {
		return lower + "_"
	}
	if strings.HasPrefix(text, "ID") {
		return "id" + text[2:]
	}
	return lower
}
