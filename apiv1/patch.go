package apiv1

import "encoding/json"

// given tells which fields a body has: in a change null takes something away,
// and what is absent stays.
type given map[string]bool

// decode reads a body into v and notes its fields.
func (g *given) decode(data []byte, v any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*g = make(given, len(fields))
	for name := range fields {
		(*g)[name] = true
	}
	return json.Unmarshal(data, v)
}
