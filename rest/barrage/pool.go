package barrage

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// mostPooled is how many values of one name are remembered.
const mostPooled = 24

// A pool remembers what replies told, so that requests can name what is there.
type pool map[string][]string

// learn remembers a value under a name.
func (p pool) learn(name, value string) {
	if value == "" || len(value) > 300 || slices.Contains(p[name], value) {
		return
	}
	known := p[name]
	if len(known) == mostPooled {
		known = slices.Delete(known, 4, 5) // the first ones are there to stay
	}
	p[name] = append(known, value)
}

// harvest remembers the scalars of a reply: under their name, and ids also under
// what they are ids of.
func (p pool) harvest(collection string, body []byte) {
	var v any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return
	}
	p.walk(collection, "", v, 0)
}

func (p pool) walk(collection, name string, v any, depth int) {
	if depth > 5 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			p.walk(collection, key, v[key], depth+1)
		}
	case []any:
		for _, one := range v[:min(len(v), 5)] {
			p.walk(collection, name, one, depth+1)
		}
	default:
		text, ok := plain(v)
		if !ok || name == "" {
			return
		}
		p.learn(name, text)
		if isID(name) {
			p.learn(collection+"/id", text)
		}
	}
}

func isID(name string) bool {
	return name == "id" || strings.HasSuffix(name, "Id") || strings.HasSuffix(name, "ID") || name == "idTag"
}

// pick returns a value that was told, of the first of the names that has some.
func (p pool) pick(rng *rand.Rand, names ...string) (string, bool) {
	for _, name := range names {
		if known := p[name]; len(known) > 0 {
			return known[rng.IntN(len(known))], true
		}
	}
	return "", false
}
