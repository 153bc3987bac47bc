package barrage

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// breakOne breaks one constraint of a value somewhere below n, and says which;
// "" when there is none to break.
func (m *maker) breakOne(n *node) string {
	var all []*node
	collect(n, &all)
	m.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, one := range all {
		if what := m.breakNode(one); what != "" {
			return what
		}
	}
	return ""
}

func collect(n *node, all *[]*node) {
	*all = append(*all, n)
	for _, f := range n.fields {
		collect(f.value, all)
	}
	for _, item := range n.items {
		collect(item, all)
	}
}

func (m *maker) breakNode(n *node) string {
	types, null := typesOf(n.schema)
	if len(types) == 0 {
		return ""
	}
	if m.chance(15) && !null && !n.spare {
		n.raw = "null"
		return "null"
	}
	if m.chance(25) {
		return m.mistype(n, types)
	}
	switch types[0] {
	case "object", "array":
		if n.raw != "" {
			return "" // it is null
		}
	}
	switch types[0] {
	case "object":
		return m.breakObject(n)
	case "array":
		return m.breakArray(n)
	case "boolean":
		return m.mistype(n, types)
	}
	text, what := m.breakText(n.schema)
	if what == "" {
		return m.mistype(n, types)
	}
	if types[0] == "string" {
		text = quote(text)
	}
	n.raw = text
	return what
}

// mistype makes a node a value of a type that it does not allow.
func (m *maker) mistype(n *node, types []string) string {
	others := map[string]string{"string": `"text"`, "integer": `7`, "number": `1.5`, "boolean": `true`, "object": `{"a":1}`, "array": `[1]`}
	kinds := []string{"array", "boolean", "integer", "object", "string"}
	kinds = slices.DeleteFunc(kinds, func(k string) bool {
		return slices.Contains(types, k) || k == "integer" && slices.Contains(types, "number")
	})
	kind := kinds[m.rng.IntN(len(kinds))]
	n.raw = others[kind]
	return kind + " for " + types[0]
}

func (m *maker) breakObject(n *node) string {
	if m.chance(50) {
		for i, f := range n.fields {
			if f.required {
				n.fields = slices.Delete(n.fields, i, i+1)
				return "without " + f.name
			}
		}
	}
	if m.chance(40) && len(n.fields) > 0 {
		f := n.fields[m.rng.IntN(len(n.fields))]
		n.fields = append(n.fields, f)
		return "twice " + f.name
	}
	if closed, ok := n.schema["additionalProperties"].(bool); ok && !closed {
		n.fields = append(n.fields, field{"unknown", false, &node{raw: "1"}})
		return "an unknown field"
	}
	return ""
}

func (m *maker) breakArray(n *node) string {
	if most, ok := limit(n.schema, "maxItems"); ok && most < 2000 {
		items, _ := n.schema["items"].(schema)
		for len(n.items) <= int(most) {
			n.items = append(n.items, m.value(items, "", "", maxNesting+1))
		}
		return fmt.Sprintf("%d items", len(n.items))
	}
	if least := limitOr(n.schema, "minItems", 0); least > 0 {
		n.items = n.items[:least-1]
		if len(n.items) == 0 {
			n.raw = "[]"
		}
		return fmt.Sprintf("%d items", least-1)
	}
	return ""
}

// breakText returns a scalar that a schema does not allow, and how; "" when any
// is allowed.
func (m *maker) breakText(s schema) (text, what string) {
	breaks := []func(schema) (string, string){
		m.beyondEnum, m.tooSmall, m.tooLarge, m.tooShort, m.tooLong, m.unlike, m.unformatted, m.noInteger,
	}
	m.rng.Shuffle(len(breaks), func(i, j int) { breaks[i], breaks[j] = breaks[j], breaks[i] })
	for _, f := range breaks {
		if text, what := f(s); what != "" && !m.fits(s, text) {
			return text, what
		}
	}
	return "", ""
}

func (m *maker) beyondEnum(s schema) (string, string) {
	enum := texts(s["enum"])
	if types, _ := typesOf(s); len(enum) == 0 || !slices.Contains(types, "string") {
		return "", ""
	}
	one := enum[m.rng.IntN(len(enum))]
	others := []string{one + "x", strings.ToUpper(one), strings.ToLower(one), " " + one, one + ",", "null"}
	return others[m.rng.IntN(len(others))], "beyond enum"
}

func (m *maker) tooSmall(s schema) (string, string) {
	least, ok := limit(s, "minimum")
	if !ok {
		return "", ""
	}
	below := []float64{least - 1, -1 << 40, math.MinInt64}
	return strconv.FormatFloat(below[m.rng.IntN(len(below))], 'f', -1, 64), "below minimum"
}

func (m *maker) tooLarge(s schema) (string, string) {
	most, ok := limit(s, "maximum")
	if !ok {
		return "", ""
	}
	if m.chance(30) {
		return new(big.Int).Lsh(big.NewInt(1), 70).String(), "above maximum"
	}
	return strconv.FormatFloat(most+1, 'f', -1, 64), "above maximum"
}

func (m *maker) tooShort(s schema) (string, string) {
	least := limitOr(s, "minLength", 0)
	if least == 0 {
		return "", ""
	}
	return m.letters(m.rng.IntN(least)), "too short"
}

func (m *maker) tooLong(s schema) (string, string) {
	most, ok := limit(s, "maxLength")
	if !ok || most > 50_000 {
		return "", ""
	}
	more := []int{1, 1, 100}
	return m.letters(int(most) + more[m.rng.IntN(len(more))]), "too long"
}

func (m *maker) unlike(s schema) (string, string) {
	if _, ok := s["pattern"].(string); !ok {
		return "", ""
	}
	others := []string{"\x01", "ä", " ", "a b", "../..", "'; --", "%00", "<x>", "{}"}
	return others[m.rng.IntN(len(others))], "unlike the pattern"
}

func (m *maker) unformatted(s schema) (string, string) {
	if s["format"] != "date-time" {
		return "", ""
	}
	others := []string{"yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01", "0", "2026-01-01T00:00:00", "99999-01-01T00:00:00Z"}
	return others[m.rng.IntN(len(others))], "no time"
}

func (m *maker) noInteger(s schema) (string, string) {
	if types, _ := typesOf(s); !slices.Contains(types, "integer") {
		return "", ""
	}
	others := []string{"1.5", "1e2", "1.0"}
	return others[m.rng.IntN(len(others))], "no integer"
}
