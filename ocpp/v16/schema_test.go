package v16_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// The schemas are the oracle: a payload has no violations if and only if its
// schema accepts it. What is meant to differ is listed here and nowhere else.
//
//   - A null optional property is absent for us and wrong for the schema
//     (TestNullIsAbsent).
//   - Timestamps are read in more forms than RFC 3339 has (ocpp.ParseTime).
//   - An integer has 64 bits.
//   - A URI is any text for us: the station has to be able to use it.
//   - The overlay's bounds (connectorId, empty idTag) are stricter; the
//     payloads here keep within them.
const (
	payloadsPerMessage = 300
	seed               = 16
)

// A message is one schema with what generates payloads for it.
type message struct {
	name   string
	doc    map[string]any
	order  []string // of the properties
	schema *jsonschema.Schema
	empty  func() payload
}

type payload interface {
	ocpp.Response
	ocpp.Checker
}

// moduleRoot is where relative paths to the schemas begin.
const moduleRoot = "../.."

func messages(t *testing.T) []message {
	dir := cmp.Or(os.Getenv("LEYDEN_SCHEMAS"), filepath.Join("..", "shared", "schemas"))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(moduleRoot, dir)
	}
	dir = filepath.Join(dir, "1.6")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no OCPP 1.6 schemas: download them from the Open Charge Alliance into DIR/1.6 and set LEYDEN_SCHEMAS=DIR")
	}
	var list []message
	for _, action := range v16.Actions() {
		list = append(list,
			readMessage(t, dir, action, func() payload { return v16.NewRequest(action).(payload) }),
			readMessage(t, dir, action+"Response", func() payload { return v16.NewResponse(action).(payload) }))
	}
	return list
}

func readMessage(t *testing.T, dir, name string, empty func() payload) message {
	data, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m := message{name: name, doc: doc.(map[string]any), order: propertyOrder(t, data), empty: empty}
	dropURIs(m.doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, m.doc); err != nil {
		t.Fatal(err)
	}
	if m.schema, err = c.Compile(name); err != nil {
		t.Fatal(err)
	}
	return m
}

func dropURIs(doc any) {
	switch doc := doc.(type) {
	case map[string]any:
		if doc["format"] == "uri" {
			delete(doc, "format")
		}
		for _, v := range doc {
			dropURIs(v)
		}
	}
}

// propertyOrder returns the names of the properties as the schema lists them.
func propertyOrder(t *testing.T, data []byte) []string {
	var doc struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Properties == nil {
		return nil
	}
	return keys(t, doc.Properties)
}

// keys returns the names in a JSON object, in its order.
func keys(t *testing.T, object []byte) []string {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var list []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, key.(string))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func (m *message) accepts(t *testing.T, payload string) bool {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(payload))
	if err != nil {
		t.Fatalf("%s: %v in %s", m.name, err, payload)
	}
	return m.schema.Validate(v) == nil
}

// decode reads payload and reports whether nothing was wrong with it.
func (m *message) decode(t *testing.T, payload string) (payload, *ocpp.Violations, bool) {
	t.Helper()
	x, v := m.empty(), new(ocpp.Violations)
	if err := x.Decode(payload, v); err != nil {
		t.Fatalf("%s: %v in %s", m.name, err, payload)
	}
	return x, v, len(v.List) == 0 && v.Extra == 0
}

func TestSchemasAgree(t *testing.T) {
	for _, m := range messages(t) {
		t.Run(m.name, func(t *testing.T) {
			g := &generator{rand: rand.New(rand.NewPCG(seed, uint64(len(m.name)))), root: m.doc}
			for range payloadsPerMessage {
				value := g.value(m.doc, "").(map[string]any)
				m.checkValid(t, text(t, value))
				what := g.mutate(m.doc, value)
				m.checkAgreement(t, text(t, value), what)
			}
		})
	}
}

// checkValid checks what holds for a payload that its schema accepts.
func (m *message) checkValid(t *testing.T, payload string) {
	t.Helper()
	if !m.accepts(t, payload) {
		t.Fatalf("the generator made what the schema does not accept: %s", payload)
	}
	x, v, ok := m.decode(t, payload)
	if !ok {
		t.Fatalf("%s\nis valid, got %v, %d extra", payload, v.List, v.Extra)
	}
	out := string(x.AppendJSON(nil))
	if !m.accepts(t, out) {
		t.Fatalf("the schema does not accept what is written: %s", out)
	}
	if got := keys(t, []byte(out)); !slices.IsSortedFunc(got, m.byPlace) {
		t.Fatalf("%s\nis not in the order of the schema, %v", out, m.order)
	}
	if again, _, _ := m.decode(t, out); !reflect.DeepEqual(again, x) {
		t.Fatalf("%s\ncame back as %+v\nwant %+v", out, again, x)
	}
	if x.Check(v); len(v.List) > 0 {
		t.Fatalf("%s\nis valid, but Check finds %v", payload, v.List)
	}
}

func (m *message) byPlace(a, b string) int {
	return slices.Index(m.order, a) - slices.Index(m.order, b)
}

// checkAgreement checks that decoder and schema say the same of a payload, and
// that Check lets out only what the schema accepts.
func (m *message) checkAgreement(t *testing.T, payload, what string) {
	t.Helper()
	x, v, ok := m.decode(t, payload)
	if want := m.accepts(t, payload); ok != want {
		t.Fatalf("%s: %s\nschema accepts: %t, got %v, %d extra", what, payload, want, v.List, v.Extra)
	}
	var ours ocpp.Violations
	if x.Check(&ours); len(ours.List) > 0 {
		return
	}
	if out := string(x.AppendJSON(nil)); !m.accepts(t, out) {
		t.Fatalf("%s: %s\nCheck finds nothing, but the schema does not accept %s", what, payload, out)
	}
}

func TestNullIsAbsent(t *testing.T) {
	for _, m := range messages(t) {
		t.Run(m.name, func(t *testing.T) {
			g := &generator{rand: rand.New(rand.NewPCG(seed, 0)), root: m.doc}
			value := g.value(m.doc, "").(map[string]any)
			with, without := maps.Clone(value), maps.Clone(value)
			for name := range properties(m.doc) {
				if !required(m.doc, name) {
					with[name] = nil
					delete(without, name)
				}
			}
			x, v, ok := m.decode(t, text(t, with))
			if y, _, _ := m.decode(t, text(t, without)); !ok || !reflect.DeepEqual(x, y) {
				t.Errorf("%s\ngot  %+v, %v\nwant %+v", text(t, with), x, v.List, y)
			}
		})
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A generator makes payloads that a schema accepts, and breaks them.
type generator struct {
	rand *rand.Rand
	root map[string]any
}

func (g *generator) resolve(s map[string]any) map[string]any {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	definitions := g.root["definitions"].(map[string]any)
	return definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
}

func properties(s map[string]any) map[string]any {
	p, _ := s["properties"].(map[string]any)
	return p
}

func required(s map[string]any, name string) bool {
	list, _ := s["required"].([]any)
	return slices.Contains(list, any(name))
}

func limit(s map[string]any, keyword string, otherwise int) int {
	n, ok := s[keyword].(json.Number)
	if !ok {
		return otherwise
	}
	i, err := n.Int64()
	if err != nil {
		return otherwise
	}
	return int(i)
}

func (g *generator) value(s map[string]any, name string) any {
	s = g.resolve(s)
	if values, ok := s["enum"].([]any); ok {
		return values[g.rand.IntN(len(values))]
	}
	switch s["type"] {
	case "object":
		return g.object(s)
	case "array":
		list := []any{}
		for range max(limit(s, "minItems", 0), g.rand.IntN(4)) {
			list = append(list, g.value(s["items"].(map[string]any), name))
		}
		return list
	case "integer":
		return g.integer()
	case "number":
		return json.Number(fmt.Sprintf("%d.%d", g.rand.IntN(100), g.rand.IntN(10)))
	case "boolean":
		return g.rand.IntN(2) == 0
	}
	if s["format"] == "date-time" {
		return g.time()
	}
	return g.text(1 + g.rand.IntN(min(limit(s, "maxLength", 60), 60)))
}

func (g *generator) object(s map[string]any) map[string]any {
	o := map[string]any{}
	p := properties(s)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if required(s, name) || g.rand.IntN(2) == 0 {
			o[name] = g.value(p[name].(map[string]any), name)
		}
	}
	return o
}

func (g *generator) integer() any {
	switch n := 1 + g.rand.IntN(1<<31-1); g.rand.IntN(6) {
	case 0:
		return json.Number(fmt.Sprintf("%d.0", n))
	case 1:
		return json.Number(fmt.Sprintf("%de2", n))
	default:
		return n
	}
}

func (g *generator) time() string {
	zone := time.FixedZone("", (g.rand.IntN(27)-13)*1800)
	t := time.UnixMilli(g.rand.Int64N(4e12)).In(zone)
	return t.Format([]string{time.RFC3339, "2006-01-02T15:04:05.000Z07:00"}[g.rand.IntN(2)])
}

func (g *generator) text(n int) string {
	alphabet := []rune("abcXYZ019 -_.:/\"\\\n\t\x01é€漢\u2028😀")
	runes := make([]rune, n)
	for i := range runes {
		runes[i] = alphabet[g.rand.IntN(len(alphabet))]
	}
	return string(runes)
}

// mutate changes one thing in o, which has schema s, and says what.
func (g *generator) mutate(s, o map[string]any) string {
	p := properties(s)
	names := slices.Sorted(maps.Keys(p))
	if len(names) == 0 || g.rand.IntN(12) == 0 {
		o["vendorThing"] = g.text(3)
		return "extra property"
	}
	name := names[g.rand.IntN(len(names))]
	inner := g.resolve(p[name].(map[string]any))
	if what, ok := g.descend(inner, o[name]); ok {
		return name + "." + what
	}
	if required(s, name) && g.rand.IntN(3) == 0 {
		if g.rand.IntN(2) == 0 {
			o[name] = nil
			return name + " null"
		}
		delete(o, name)
		return name + " missing"
	}
	what, value := g.wrong(inner)
	o[name] = value
	return name + " " + what
}

// descend mutates inside value more often than not, if there is an inside.
func (g *generator) descend(s map[string]any, value any) (string, bool) {
	if g.rand.IntN(5) == 0 {
		return "", false
	}
	switch value := value.(type) {
	case map[string]any:
		return g.mutate(s, value), true
	case []any:
		if len(value) == 0 {
			return "", false
		}
		i := g.rand.IntN(len(value))
		item := g.resolve(s["items"].(map[string]any))
		if what, ok := g.descend(item, value[i]); ok {
			return fmt.Sprintf("[%d].%s", i, what), true
		}
		what, wrong := g.wrong(item)
		value[i] = wrong
		return fmt.Sprintf("[%d] %s", i, what), true
	}
	return "", false
}

// wrong returns a value that s may or may not accept, and what it is.
func (g *generator) wrong(s map[string]any) (string, any) {
	others := []any{12, json.Number("1.5"), "12", "", true, false, []any{}, []any{1}, map[string]any{}, json.Number("1e99"), json.Number("-0"), "not a time"}
	if g.rand.IntN(2) == 0 {
		return "other type", g.avoidOurs(s, others[g.rand.IntN(len(others))])
	}
	switch s["type"] {
	case "string":
		n := limit(s, "maxLength", 30)
		return "length", g.text(n + g.rand.IntN(2))
	case "integer", "number":
		return "number", json.Number([]string{"3.0", "3.25", "30e-1", "0.3e1", "2.5", "0.10"}[g.rand.IntN(6)])
	case "array":
		return "empty list", []any{}
	}
	return "null in place of " + fmt.Sprint(s["type"]), g.avoidOurs(s, true)
}

// avoidOurs keeps to what schema and overlay judge alike.
func (g *generator) avoidOurs(s map[string]any, v any) any {
	switch {
	case s["type"] == "string" && v == "": // an idTag may be empty for the schema
		return 0
	case s["type"] == "integer" && v == json.Number("-0"): // and a connector 0
		return false
	case s["type"] == "integer" && v == json.Number("1e99"): // an integer without end
		return "1e99"
	}
	return v
}
