package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// object writes a struct and what all structs have: decode, AppendJSON, Check.
func (w *source) object(o *object) {
	w.line("// %s %s", o.name, o.doc)
	if len(o.fields) == 0 {
		w.line("type %s struct{}\n", o.name)
	} else {
		w.line("type %s struct {", o.name)
		for _, f := range o.fields {
			w.line("%s %s%s", f.name, w.declared(f), f.remark())
		}
		w.line("}\n")
	}
	w.decode(o)
	w.append(o)
	w.check(o)
}

// declared is the Go type of a field as it stands in the struct.
func (w *source) declared(f *field) string {
	if f.required || f.kind == list {
		return w.plain(f)
	}
	return w.use(runtime) + ".Opt[" + w.plain(f) + "]"
}

func (w *source) plain(f *field) string {
	switch f.kind {
	case text:
		return "string"
	case integer:
		return "int"
	case number:
		return "float64"
	case boolean:
		return "bool"
	case instant:
		return w.use("time") + ".Time"
	case choice:
		return f.enum.name
	case record:
		return f.object.name
	}
	return "[]" + w.plain(f.item)
}

// remark says the bounds of a field in a comment behind it.
func (f *field) remark() string {
	var list []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(f.minLength > 0, "at least %d characters", f.minLength)
	add(f.maxLength < math.MaxInt, "at most %d characters", f.maxLength)
	if f.item != nil {
		add(f.item.maxLength < math.MaxInt, "each at most %d characters", f.item.maxLength)
	}
	add(f.least != nil, "at least %s", bound(f.least))
	add(f.most != nil, "at most %s", bound(f.most))
	add(f.steps > 1, "in steps of 1/%d", f.steps)
	add(f.minItems > 0, "at least %d items", f.minItems)
	add(f.maxItems < math.MaxInt, "at most %d items", f.maxItems)
	if len(list) == 0 {
		return ""
	}
	return " // " + strings.ReplaceAll(strings.Join(list, ", "), "at least 1 characters", "not empty")
}

// decodeMessage writes the Decode of a whole payload.
func (w *source) decodeMessage(o *object) {
	ocpp := w.use(runtime)
	w.line("// Decode reads payload into m, as [ocpp.Decoder] says.")
	w.line("func (m *%s) Decode(payload string, v *%s.Violations) error {", o.name, ocpp)
	w.line("var s %s.Scanner\ns.Begin(payload, v)\nm.decode(&s)\nreturn s.End()\n}\n", ocpp)
}

// decode writes the method that reads one object and reports whether it was
// one.
func (w *source) decode(o *object) {
	names, required := o.properties()
	w.reset(o)
	w.line("func (m *%s) decode(s *%s.Scanner) bool {", o.name, w.use(runtime))
	if len(o.fields) > 0 {
		w.line("const names = %q", names)
	}
	w.line("%s", o.clear())
	w.line("var o %s.Object\nok := s.Object(&o)\nfor s.Next(&o) {", w.use(runtime))
	if len(o.fields) == 0 {
		w.line("s.Extra(&o, \"\")\n}\nreturn ok\n}\n")
		return
	}
	w.line("switch o.Key {")
	for i, f := range o.fields {
		w.line("case %q:\nif s.Field(&o, 1<<%d) {", f.json, i)
		w.decodeField(f)
		w.line("}")
	}
	w.line("default:\ns.Extra(&o, names)\n}\n}")
	if required != 0 {
		w.line("s.Require(&o, %#b, names)", required)
	}
	w.line("return ok\n}\n")
}

// properties returns the names of o's properties, separated by spaces, and the
// bits of the required ones.
func (o *object) properties() (names string, required uint64) {
	list := make([]string, len(o.fields))
	for i, f := range o.fields {
		list[i] = f.json
		if f.required {
			required |= 1 << i
		}
	}
	return strings.Join(list, " "), required
}

// lists reports whether o holds a list at any depth, whose capacity a decode
// keeps.
func (o *object) lists() bool {
	for _, f := range o.fields {
		if f.kind == list || f.kind == record && f.object.lists() {
			return true
		}
	}
	return false
}

// clear is the statement that empties m.
func (o *object) clear() string {
	if o.lists() {
		return "m.reset()"
	}
	return "*m = " + o.name + "{}"
}

// reset writes the method that empties an object with lists in it.
func (w *source) reset(o *object) {
	if !o.lists() {
		return
	}
	w.line("// reset empties m and keeps the capacity of its lists.")
	w.line("func (m *%s) reset() {", o.name)
	var kept []string
	for _, f := range o.fields {
		switch {
		case f.kind == list:
			kept = append(kept, fmt.Sprintf("%s: m.%s[:0]", f.name, f.name))
		case f.kind != record || !f.object.lists():
		case f.required:
			w.line("m.%s.reset()", f.name)
			kept = append(kept, fmt.Sprintf("%s: m.%s", f.name, f.name))
		default:
			w.line("m.%s.Value.reset()", f.name)
			kept = append(kept, fmt.Sprintf("%s: %s{Value: m.%s.Value}", f.name, w.declared(f), f.name))
		}
	}
	w.line("*m = %s{%s}\n}\n", o.name, strings.Join(kept, ", "))
}

// decodeField writes the statements that read the value of one property.
func (w *source) decodeField(f *field) {
	switch f.kind {
	case record:
		w.line("mark := len(s.Found.List)")
		if f.required {
			w.line("m.%s.decode(s)", f.name)
		} else {
			w.line("m.%s.Set = m.%s.Value.decode(s)", f.name, f.name)
		}
		w.line("s.Found.Under(mark, %q)", f.json)
	case list:
		w.line("mark := len(s.Found.List)")
		w.decodeList(f)
		w.line("s.Found.Under(mark, %q)", f.json)
	case number:
		w.line("if x, ok := s.Number(%q); ok {", f.json)
		w.checkNumber(f, "s.Found", strconv.Quote(f.json), "x")
		if f.required {
			w.line("m.%s = x\n}", f.name)
		} else {
			w.line("m.%s = %s.Some(x)\n}", f.name, w.use(runtime))
		}
	default:
		value := w.decodeCall(f, strconv.Quote(f.json))
		if f.required {
			w.line("m.%s, _ = %s", f.name, value)
		} else {
			w.line("m.%s.Value, m.%s.Set = %s", f.name, f.name, value)
		}
	}
}

// decodeCall is the expression that reads a value called name.
func (w *source) decodeCall(f *field, name string) string {
	switch f.kind {
	case text:
		if f.numberAsText {
			return fmt.Sprintf("s.TextOrNumber(%s)", name)
		}
		return fmt.Sprintf("s.Text(%s, %d, %s)", name, f.minLength, w.most(f.maxLength))
	case integer:
		if f.least == nil && f.most == nil {
			return fmt.Sprintf("s.Int(%s)", name)
		}
		return fmt.Sprintf("s.IntIn(%s, %s)", name, w.intBounds(f))
	case boolean:
		return fmt.Sprintf("s.Bool(%s)", name)
	case instant:
		return fmt.Sprintf("s.Time(%s)", name)
	}
	return fmt.Sprintf("decode%s(s, %s)", f.enum.name, name)
}

func (w *source) decodeList(f *field) {
	bounded := f.minItems > 0 || f.maxItems < math.MaxInt
	w.line("var l %s.List", w.use(runtime))
	if bounded {
		w.body.WriteString("ok := ")
	}
	w.line("s.List(&l)\nfor s.Item(&l) {\nmark := len(s.Found.List)")
	if f.item.kind == record {
		w.line("m.%s = %s.Grow(m.%s)", f.name, w.use(runtime), f.name)
		w.line("m.%s[l.Index].decode(s)", f.name)
	} else {
		w.line("item, _ := %s", w.decodeCall(f.item, `""`))
		w.line("m.%s = append(m.%s, item)", f.name, f.name)
	}
	w.line("s.Found.UnderItem(mark, l.Index)\n}")
	if bounded {
		w.line("if ok {\ns.Found.CheckItems(\"\", len(m.%s), %d, %s)\n}", f.name, f.minItems, w.most(f.maxItems))
	}
}

// most is an upper bound as Go source.
func (w *source) most(n int) string {
	if n == math.MaxInt {
		return w.use("math") + ".MaxInt"
	}
	return strconv.Itoa(n)
}

func (w *source) intBounds(f *field) string {
	least, most := "", ""
	if least = bound(f.least); f.least == nil {
		least = w.use("math") + ".MinInt"
	}
	if most = bound(f.most); f.most == nil {
		most = w.use("math") + ".MaxInt"
	}
	return least + ", " + most
}
