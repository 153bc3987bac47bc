package csms_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// spoilers are JSON texts that are put in the place of every value.
var spoilers = []string{
	`null`, `true`, `{}`, `[]`, `[null]`, `{"a":1}`,
	`0`, `-1`, `1`, `1.5`, `0.1`, `0.05`, `0.30000000000000004`, `-0`, `1e3`, `1.0`, `65536`, `2147483648`, `9007199254740993`, `1e15`, `-1e15`, `1e300`,
	`""`, `" "`, `"x"`, `"accepted"`, `"ACCEPTED"`, `"123456789012345678901"`, `"2026-02-06T12:00:00+02:00"`, `"2026-02-06 12:00"`, `"0001-01-01T00:00:00Z"`,
	`"9999-12-31T23:59:59.999999999-12:00"`, `"12026-02-06T12:00:00Z"`, `"\u0000\u001f\"\\/\u2028\ud83d\ude00<b>&é"`, `"\ud800"`, `"http://[::1"`, `"://"`, `"%zz"`,
}

// mutants returns a JSON text spoilt in many ways, one at a time: each value
// replaced, left out or there twice, each object with one more property, each text
// at its length and far beyond.
func mutants(t testing.TB, text string) []string {
	t.Helper()
	if text == "" {
		text = "{}"
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	all := []string{"null", "{}"} // what else is no object is no frame
	mutateObject(value.(map[string]any), func(mutant any) {
		b, err := json.Marshal(mutant)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	})
	return all
}

// mutate calls f with each mutant of a value.
func mutate(value any, f func(any)) {
	for _, s := range spoilers {
		f(json.RawMessage(s))
	}
	switch v := value.(type) {
	case string:
		for _, n := range []int{20, 21, 50, 51, 255, 256, 500, 501, 512, 800, 801, 2500, 2501, 5500, 10001} {
			f(strings.Repeat("é", n))
		}
	case map[string]any:
		mutateObject(v, f)
	case []any:
		f(slices.Concat(v, v))
		f(slices.Repeat(v, 1100))
		for i := range v {
			mutate(v[i], func(mutant any) {
				list := slices.Clone(v)
				list[i] = mutant
				f(list)
			})
		}
	}
}

func mutateObject(object map[string]any, f func(any)) {
	with := func(name string, value any) map[string]any {
		m := maps.Clone(object)
		m[name] = value
		return m
	}
	f(with("extra", []any{nil}))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		m := maps.Clone(object)
		delete(m, name)
		f(m)
		f(with(strings.ToUpper(name), object[name]))
		mutate(object[name], func(mutant any) { f(with(name, mutant)) })
	}
}
