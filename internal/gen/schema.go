package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// A schema is one JSON schema, with the keywords that OCPP's files use. The
// ones in ignored are read and dropped; any other is an error.
type schema struct {
	Type                 string             `json:"type"`
	Ref                  string             `json:"$ref"`
	Format               string             `json:"format"`
	Enum                 []string           `json:"enum"`
	MaxLength            *int               `json:"maxLength"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	MultipleOf           *float64           `json:"multipleOf"`
	MinItems             *int               `json:"minItems"`
	MaxItems             *int               `json:"maxItems"`
	Items                *schema            `json:"items"`
	Properties           properties         `json:"properties"`
	Required             []string           `json:"required"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	Definitions          map[string]*schema `json:"definitions"`
	ignored
}

type ignored struct {
	Draft           any `json:"$schema"`
	ID              any `json:"id"`
	DollarID        any `json:"$id"`
	Title           any `json:"title"`
	Comment         any `json:"comment"`
	Description     any `json:"description"`
	JavaType        any `json:"javaType"`
	Default         any `json:"default"`
	AdditionalItems any `json:"additionalItems"`
}

// properties keeps the order of the file: payloads are written in it.
type properties []property

type property struct {
	name   string
	schema *schema
}

// UnmarshalJSON reads the properties in their order.
func (p *properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		name, _ := key.(string)
		s, err := parseSchema(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*p = append(*p, property{name, s})
	}
	return nil
}

func parseSchema(data []byte) (*schema, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	s := new(schema)
	return s, d.Decode(s)
}

// readSchemas reads all schemas of a folder, by file name without extension.
func readSchemas(dir fs.FS) (map[string]*schema, error) {
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err
	}
	docs := make(map[string]*schema)
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		s, err := parseSchema(bytes.TrimPrefix(data, []byte("\uFEFF")))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		docs[strings.TrimSuffix(name, ".json")] = s
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("no schemas in the folder")
	}
	return docs, nil
}
