package apiv1

import (
	"encoding/json"

	"leyden/rest"
)

// given tells which fields a body has, and whether they are null: in a change
// null takes something away, and what is absent stays.
type given map[string]bool

// decode reads a body into v and notes its fields.
func (g *given) decode(data []byte, v any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*g = make(given, len(fields))
	for name, value := range fields {
		(*g)[name] = string(value) == "null"
	}
	return json.Unmarshal(data, v)
}

func (g given) has(name string) bool {
	_, ok := g[name]
	return ok
}

// keep refuses null for what cannot be taken away.
func (g given) keep(names ...string) error {
	for _, name := range names {
		if g[name] {
			return rest.Invalid(name, "must not be null")
		}
	}
	return nil
}
