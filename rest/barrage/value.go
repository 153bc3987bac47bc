package barrage

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A node is a JSON value together with the schema that it follows, so that it
// can be broken in one place.
type node struct {
	schema schema
	spare  bool    // an optional field: null is as good as absent
	raw    string  // of a scalar, and of what was broken
	fields []field // of an object, in order
	items  []*node // of an array
}

type field struct {
	name     string
	required bool
	value    *node
}

// A maker makes values that are valid by the schemas of a document.
type maker struct {
	document any
	rng      *rand.Rand
	pool     pool
	fixed    map[string]string
	patterns map[string]*regexp.Regexp
}

// maxNesting is how deep optional things are still made.
const maxNesting = 6

func (m *maker) value(s schema, name, collection string, depth int) *node {
	s = resolve(m.document, s)
	n := &node{schema: s}
	types, null := typesOf(s)
	if null && (len(types) == 0 || m.chance(10)) {
		n.raw = "null"
		return n
	}
	switch {
	case len(types) == 0:
		n.raw = `{"any":[1,"x",null]}`
		if examples := marshalled(s["examples"]); len(examples) > 0 {
			n.raw = examples[m.rng.IntN(len(examples))]
		}
	case types[0] == "object":
		m.object(n, collection, depth)
	case types[0] == "array":
		m.array(n, name, collection, depth)
	case types[0] == "string":
		n.raw = quote(m.text(s, name, collection))
	default:
		n.raw = m.scalar(s, name, collection)
	}
	return n
}

func (m *maker) object(n *node, collection string, depth int) {
	required := texts(n.schema["required"])
	properties, _ := n.schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		must := slices.Contains(required, name)
		if !must && (depth > maxNesting || m.chance(65)) {
			continue
		}
		s, _ := properties[name].(schema)
		if readOnly, _ := s["readOnly"].(bool); readOnly {
			continue
		}
		value := m.value(s, name, collection, depth+1)
		value.spare = !must
		n.fields = append(n.fields, field{name, must, value})
	}
	if more, ok := n.schema["additionalProperties"].(schema); ok {
		for i := range m.rng.IntN(3) {
			n.fields = append(n.fields, field{fmt.Sprintf("key%d", i), false, m.value(more, "", collection, depth+1)})
		}
	}
}

func (m *maker) array(n *node, name, collection string, depth int) {
	items, _ := n.schema["items"].(schema)
	least := limitOr(n.schema, "minItems", 0)
	most := min(limitOr(n.schema, "maxItems", least+3), least+3)
	for range least + m.rng.IntN(most-least+1) {
		n.items = append(n.items, m.value(items, strings.TrimSuffix(name, "s"), collection, depth+1))
	}
}

// scalar returns a number or a boolean as JSON has it.
func (m *maker) scalar(s schema, name, collection string) string {
	types, _ := typesOf(s)
	if slices.Contains(types, "boolean") {
		return strconv.FormatBool(m.chance(50))
	}
	for range 3 {
		if text, ok := m.told(s, name, collection); ok && m.fits(s, text) {
			return text
		}
	}
	if enum := texts(s["enum"]); len(enum) > 0 {
		return enum[m.rng.IntN(len(enum))]
	}
	least, hasLeast := limit(s, "minimum")
	most, hasMost := limit(s, "maximum")
	if !hasLeast {
		least = 0
	}
	if !hasMost {
		most = least + 1000
	}
	edges := []float64{least, most, math.Min(least+1, most), least + math.Floor(m.rng.Float64()*math.Min(most-least, 100))}
	f := edges[m.rng.IntN(len(edges))]
	if slices.Contains(types, "integer") {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// told returns a value that the server told, or one that the document shows.
func (m *maker) told(s schema, name, collection string) (string, bool) {
	if m.chance(70) {
		if isID(name) && m.chance(50) {
			if text, ok := m.pool.pick(m.rng, collection+"/id"); ok {
				return text, true
			}
		}
		if text, ok := m.pool.pick(m.rng, name); ok {
			return text, true
		}
	}
	examples := texts(s["examples"])
	if len(examples) == 0 || m.chance(20) {
		return "", false
	}
	return examples[m.rng.IntN(len(examples))], true
}

// text returns a string that a schema allows.
func (m *maker) text(s schema, name, collection string) string {
	if text, ok := m.fixed[name]; ok {
		return text
	}
	if enum := texts(s["enum"]); len(enum) > 0 {
		return enum[m.rng.IntN(len(enum))]
	}
	for range 3 {
		if text, ok := m.told(s, name, collection); ok && m.fits(s, text) {
			return text
		}
	}
	for range 20 {
		if text := m.invent(s); m.fits(s, text) {
			return text
		}
	}
	return "x"
}

func (m *maker) invent(s schema) string {
	switch s["format"] {
	case "date-time":
		return time.Date(2026, 1, 1+m.rng.IntN(60), m.rng.IntN(24), 0, 0, 0, time.UTC).Format(time.RFC3339)
	case "uri", "url":
		return "https://hooks.example/" + m.letters(1+m.rng.IntN(8))
	case "email":
		return m.letters(4) + "@example.org"
	}
	if pattern, ok := s["pattern"].(string); ok {
		return m.matching(pattern)
	}
	least := limitOr(s, "minLength", 0)
	most := min(limitOr(s, "maxLength", least+12), least+12)
	if m.chance(8) {
		most = limitOr(s, "maxLength", 40)
	}
	if m.chance(10) && most > 4 {
		return strings.Repeat("ä€🜁", most/4) + m.letters(least)
	}
	return m.letters(least + m.rng.IntN(max(most-least, 0)+1))
}

func (m *maker) letters(n int) string {
	const some = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	b := make([]byte, n)
	for i := range b {
		b[i] = some[m.rng.IntN(len(some))]
	}
	return string(b)
}

// matching returns a text that a pattern matches, most of the time.
func (m *maker) matching(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return m.letters(5)
	}
	var b strings.Builder
	m.follow(&b, parsed.Simplify())
	return b.String()
}

func (m *maker) follow(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		pair := 2 * m.rng.IntN(len(re.Rune)/2)
		low, high := re.Rune[pair], min(re.Rune[pair+1], re.Rune[pair]+25)
		b.WriteRune(low + m.rng.Int32N(high-low+1))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(m.letters(1))
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			m.follow(b, sub)
		}
	case syntax.OpAlternate:
		m.follow(b, re.Sub[m.rng.IntN(len(re.Sub))])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		least, most := 0, 3
		if re.Op == syntax.OpPlus {
			least = 1
		}
		if re.Op == syntax.OpQuest {
			most = 1
		}
		for range least + m.rng.IntN(most-least+1) {
			m.follow(b, re.Sub[0])
		}
	}
}

// fits reports whether a text is what a schema of a scalar allows.
func (m *maker) fits(s schema, text string) bool {
	types, _ := typesOf(s)
	if enum := texts(s["enum"]); len(enum) > 0 && !slices.Contains(enum, text) {
		return false
	}
	switch {
	case slices.Contains(types, "integer"):
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && within(s, float64(n))
	case slices.Contains(types, "number"):
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && within(s, f)
	case slices.Contains(types, "boolean"):
		return text == "true" || text == "false"
	}
	length := utf8.RuneCountInString(text)
	if length < limitOr(s, "minLength", 0) || length > limitOr(s, "maxLength", math.MaxInt) {
		return false
	}
	if s["format"] == "date-time" {
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	}
	pattern, ok := s["pattern"].(string)
	return !ok || m.compiled(pattern).MatchString(text)
}

func within(s schema, f float64) bool {
	least, hasLeast := limit(s, "minimum")
	most, hasMost := limit(s, "maximum")
	return (!hasLeast || f >= least) && (!hasMost || f <= most)
}

func (m *maker) compiled(pattern string) *regexp.Regexp {
	if m.patterns[pattern] == nil {
		m.patterns[pattern] = regexp.MustCompile(pattern)
	}
	return m.patterns[pattern]
}

// chance is true that many times in a hundred.
func (m *maker) chance(percent int) bool { return m.rng.IntN(100) < percent }

// render writes a node as JSON.
func (n *node) render(b *strings.Builder) {
	switch {
	case n.raw != "":
		b.WriteString(n.raw)
	case n.isArray():
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.render(b)
		}
		b.WriteByte(']')
	default:
		b.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(f.name) + ":")
			f.value.render(b)
		}
		b.WriteByte('}')
	}
}

func (n *node) isArray() bool {
	types, _ := typesOf(n.schema)
	return slices.Contains(types, "array")
}

func (n *node) json() string {
	var b strings.Builder
	n.render(&b)
	return b.String()
}

func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `"x"`
	}
	return string(data)
}

func marshalled(v any) []string {
	list, _ := v.([]any)
	var found []string
	for _, one := range list {
		if data, err := json.Marshal(one); err == nil {
			found = append(found, string(data))
		}
	}
	return found
}
