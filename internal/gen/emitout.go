package main

import (
	"fmt"
	"math"
	"strconv"
)

// append writes AppendJSON. Every element ends in a comma, the last of which
// AppendEnd turns into the end.
func (w *source) append(o *object) {
	w.line("// AppendJSON appends m to dst, as [ocpp.Message] says.")
	w.line("func (m *%s) AppendJSON(dst []byte) []byte {", o.name)
	if len(o.fields) == 0 {
		w.line("return append(dst, `{}`...)\n}\n")
		return
	}
	w.line("dst = append(dst, '{')")
	for _, f := range o.fields {
		w.appendField(f)
	}
	w.line("return %s.AppendEnd(dst, '}')\n}\n", w.use(runtime))
}

func (w *source) appendField(f *field) {
	value := "m." + f.name
	optional := !f.required
	switch {
	case optional && f.kind == list:
		w.line("if len(%s) > 0 {", value)
	case optional:
		w.line("if %s.Set {", value)
		value += ".Value"
	}
	w.line("dst = append(dst, `%s:`...)", strconv.Quote(f.json))
	if f.kind == list {
		w.appendList(f, value)
	} else {
		w.line("dst = append(%s, ',')", w.appended(f, value))
	}
	if optional {
		w.line("}")
	}
}

func (w *source) appendList(f *field, value string) {
	w.line("dst = append(dst, '[')\nfor i := range %s {", value)
	w.line("dst = append(%s, ',')\n}", w.appended(f.item, value+"[i]"))
	w.line("dst = append(%s.AppendEnd(dst, ']'), ',')", w.use(runtime))
}

// appended is the expression that appends value, which f describes, to dst.
func (w *source) appended(f *field, value string) string {
	ocpp := w.use(runtime)
	switch f.kind {
	case record:
		return value + ".AppendJSON(dst)"
	case integer:
		return fmt.Sprintf("%s.AppendInt(dst, %s)", ocpp, value)
	case number:
		return fmt.Sprintf("%s.AppendNumber(dst, %s)", ocpp, value)
	case boolean:
		return fmt.Sprintf("%s.AppendBool(dst, %s)", w.use("strconv"), value)
	case instant:
		return fmt.Sprintf("%s.AppendTime(dst, %s)", ocpp, value)
	case choice:
		return fmt.Sprintf("%s.AppendText(dst, string(%s))", ocpp, value)
	}
	return fmt.Sprintf("%s.AppendText(dst, %s)", ocpp, value)
}

// check writes Check, which finds in a message of ours what decode would find
// in one of theirs.
func (w *source) check(o *object) {
	w.line("// Check adds to v what the schema forbids in m.")
	ocpp := w.use(runtime)
	if !o.checked() {
		w.line("func (*%s) Check(*%s.Violations) {}\n", o.name, ocpp)
		return
	}
	w.line("func (m *%s) Check(v *%s.Violations) {", o.name, ocpp)
	for _, f := range o.fields {
		w.checkField(f)
	}
	w.line("}\n")
}

// checked reports whether a value of o can break a rule at all.
func (o *object) checked() bool {
	for _, f := range o.fields {
		if f.checked() {
			return true
		}
	}
	return false
}

func (f *field) checked() bool {
	switch f.kind {
	case text:
		return f.minLength > 0 || f.maxLength < math.MaxInt
	case integer:
		return f.least != nil || f.most != nil
	case boolean:
		return false
	case record:
		return f.object.checked()
	case list:
		return f.item.checked() || f.minItems > 0 || f.maxItems < math.MaxInt
	}
	return true
}

func (w *source) checkField(f *field) {
	if !f.checked() {
		return
	}
	value := "m." + f.name
	switch {
	case f.required:
	case f.kind == list:
		w.line("if len(%s) > 0 {", value)
	default:
		w.line("if %s.Set {", value)
		value += ".Value"
	}
	if f.kind == list {
		w.checkList(f, value)
	} else {
		w.checkValue(f, strconv.Quote(f.json), value)
	}
	if !f.required {
		w.line("}")
	}
}

func (w *source) checkList(f *field, value string) {
	if f.minItems > 0 || f.maxItems < math.MaxInt {
		w.line("v.CheckItems(%q, len(%s), %d, %s)", f.json, value, f.minItems, w.most(f.maxItems))
	}
	if !f.item.checked() {
		return
	}
	if f.required {
		w.line("{")
		defer w.line("}")
	}
	w.line("list := len(v.List)\nfor i := range %s {\nmark := len(v.List)", value)
	if f.item.kind == record {
		w.line("%s[i].Check(v)", value)
	} else {
		w.checkValue(f.item, `""`, value+"[i]")
	}
	w.line("v.UnderItem(mark, i)\n}\nv.Under(list, %q)", f.json)
}

// checkValue writes the check of one value whose path is the expression path.
func (w *source) checkValue(f *field, path, value string) {
	switch f.kind {
	case text:
		w.line("v.CheckText(%s, %s, %d, %s)", path, value, f.minLength, w.most(f.maxLength))
	case integer:
		w.line("v.CheckInt(%s, %s, %s)", path, value, w.intBounds(f))
	case number:
		w.checkNumber(f, "v", path, value)
	case instant:
		w.line("v.CheckTime(%s, %s)", path, value)
	case choice:
		w.line("if !%s.Known() {\nv.Unlisted(%s)\n}", value, path)
	case record:
		if f.required {
			w.line("{")
			defer w.line("}")
		}
		w.line("mark := len(v.List)\n%s.Check(v)\nv.Under(mark, %s)", value, path)
	}
}

// checkNumber writes the checks of a number on the Violations called found.
func (w *source) checkNumber(f *field, found, path, value string) {
	least, most := w.use("math")+".Inf(-1)", w.use("math")+".Inf(1)"
	if f.least != nil {
		least = bound(f.least)
	}
	if f.most != nil {
		most = bound(f.most)
	}
	w.line("%s.CheckNumber(%s, %s, %s, %s)", found, path, value, least, most)
	if f.steps > 0 {
		w.line("%s.CheckStep(%s, %s, %d)", found, path, value, f.steps)
	}
}
