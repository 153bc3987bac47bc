package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A model is what one version's package holds, with all names decided.
type model struct {
	*overlay
	actions []*action
	objects map[string]*object
	enums   map[string]*enum
}

type action struct {
	name      string
	direction string
	request   *object
	response  *object // nil for a message that is never answered
}

// An object is a Go struct.
type object struct {
	name   string
	doc    string
	fields []*field
	users  map[string]bool // the actions that need it
}

// An enum is a Go string type with constants.
type enum struct {
	name   string
	values []string
}

type kind string

const (
	text    kind = "text"
	integer kind = "integer"
	number  kind = "number"
	boolean kind = "boolean"
	instant kind = "instant"
	choice  kind = "choice"
	record  kind = "record"
	list    kind = "list"
)

// A field is a property of an object, or (without a name) the item of a list.
type field struct {
	json     string
	name     string
	kind     kind
	required bool

	minLength, maxLength int
	numberAsText         bool
	least, most          *float64
	steps                int // 10 when it must be a multiple of a tenth
	minItems, maxItems   int

	enum   *enum
	object *object
	item   *field
}

// maxFields is how many properties of one object the decoder can keep apart.
const maxFields = 64

// A builder makes the model, message by message.
type builder struct {
	*model
	enumNames map[string]string // by the sorted values of the enum
	shapes    map[string]string // names of objects by their shape
	doc       *schema           // the message being read
	action    string            // to which it belongs
}

func build(docs map[string]*schema, ov *overlay) (*model, error) {
	b := &builder{
		model:  &model{overlay: ov, objects: map[string]*object{}, enums: map[string]*enum{}},
		shapes: map[string]string{},
	}
	names, err := nameEnums(docs, ov)
	if err != nil {
		return nil, err
	}
	b.enumNames = names
	for _, file := range sorted(docs) {
		if strings.HasSuffix(file, ov.ResponseSuffix) {
			continue
		}
		if err := b.addAction(file, docs); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return b.model, errors.Join(ov.unused(), b.distinct())
}

// distinct returns an error when two types have one name.
func (m *model) distinct() error {
	taken := map[string]bool{}
	var wrong []error
	take := func(name string) {
		if taken[name] {
			wrong = append(wrong, fmt.Errorf("two types called %s, name one in the overlay", name))
		}
		taken[name] = true
	}
	for _, a := range m.actions {
		take(a.request.name)
		if a.response != nil {
			take(a.response.name)
		}
	}
	for _, name := range sorted(m.objects) {
		take(name)
	}
	for _, name := range sorted(m.enums) {
		take(name)
	}
	return errors.Join(wrong...)
}

// addAction adds the action whose request is the schema called request.
func (b *builder) addAction(request string, docs map[string]*schema) error {
	name := strings.TrimSuffix(request, b.RequestSuffix)
	direction, err := b.direction(name)
	if err != nil {
		return err
	}
	a := &action{name: name, direction: direction}
	b.action = name
	if a.request, err = b.message(request, docs[request]); err != nil {
		return err
	}
	a.request.doc = "is the request of the action " + name + ", sent " + inWords(direction) + "."
	response := name + b.ResponseSuffix
	if docs[response] != nil {
		if a.response, err = b.message(response, docs[response]); err != nil {
			return err
		}
		a.response.doc = "is the answer to [" + request + "]."
	}
	b.actions = append(b.actions, a)
	return nil
}

func inWords(direction string) string {
	switch direction {
	case "FromStation":
		return "by a station"
	case "FromCSMS":
		return "to a station"
	}
	return "either way"
}

func (b *builder) message(name string, s *schema) (*object, error) {
	b.doc = s
	o := &object{name: name, users: map[string]bool{b.action: true}}
	return o, b.fill(o, s, name)
}

// fill adds the properties of s, which is at path, to o.
func (b *builder) fill(o *object, s *schema, path string) error {
	if s.AdditionalProperties == nil || *s.AdditionalProperties {
		return fmt.Errorf("%s: open objects are not supported", path)
	}
	if len(s.Properties) > maxFields {
		return fmt.Errorf("%s: more than %d properties", path, maxFields)
	}
	for _, p := range s.Properties {
		f, err := b.field(p.schema, path+"."+p.name, p.name)
		if err != nil {
			return err
		}
		f.json, f.name = p.name, goName(p.name, b.Initialisms)
		f.required = slices.Contains(s.Required, p.name)
		o.fields = append(o.fields, f)
	}
	return nil
}

// field reads the schema of the property called name at path.
func (b *builder) field(s *schema, path, name string) (*field, error) {
	s, definition, err := b.resolve(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &field{maxLength: math.MaxInt, maxItems: math.MaxInt, least: s.Minimum, most: s.Maximum}
	if s.MaxLength != nil {
		f.maxLength = *s.MaxLength
	}
	if s.MultipleOf != nil {
		if f.steps = int(math.Round(1 / *s.MultipleOf)); math.Abs(float64(f.steps)**s.MultipleOf-1) > 1e-9 {
			return nil, fmt.Errorf("%s: multipleOf %v is not supported", path, *s.MultipleOf)
		}
	}
	switch s.Type {
	case "string":
		err = b.text(f, s, path)
	case "integer":
		f.kind = integer
	case "number":
		f.kind = number
	case "boolean":
		f.kind = boolean
	case "object":
		f.kind = record
		f.object, err = b.object(s, path, name, definition)
	case "array":
		err = b.list(f, s, path, name)
	default:
		err = fmt.Errorf("%s: type %q is not supported", path, s.Type)
	}
	if err == nil {
		b.apply(f, path)
	}
	return f, err
}

// resolve follows a reference into the definitions of the message.
func (b *builder) resolve(s *schema) (target *schema, definition string, err error) {
	if s.Ref == "" {
		return s, "", nil
	}
	name, ok := strings.CutPrefix(s.Ref, "#/definitions/")
	target = b.doc.Definitions[name]
	if !ok || target == nil {
		return nil, "", fmt.Errorf("no definition for %s", s.Ref)
	}
	return target, name, nil
}

func (b *builder) text(f *field, s *schema, path string) error {
	switch {
	case len(s.Enum) > 0:
		f.kind, f.enum = choice, b.enum(s)
	case s.Format == "date-time":
		f.kind = instant
	case s.Format == "" || s.Format == "uri": // a location is for the station to judge
		f.kind = text
	default:
		return fmt.Errorf("%s: format %q is not supported", path, s.Format)
	}
	return nil
}

func (b *builder) list(f *field, s *schema, path, name string) error {
	f.kind = list
	if s.Items == nil {
		return fmt.Errorf("%s: a list without items", path)
	}
	if s.MinItems != nil {
		f.minItems = *s.MinItems
	}
	if s.MaxItems != nil {
		f.maxItems = *s.MaxItems
	}
	item, err := b.field(s.Items, path, name)
	if err != nil {
		return err
	}
	if item.kind != text && item.kind != record && item.kind != integer && item.kind != choice {
		return fmt.Errorf("%s: a list of %s is not supported", path, item.kind)
	}
	f.item = item
	return nil
}

// enum returns the type for s, the same one for equal sets of values.
func (b *builder) enum(s *schema) *enum {
	name := b.enumNames[valueSet(s)]
	if b.enums[name] == nil {
		b.enums[name] = &enum{name: name, values: s.Enum}
	}
	return b.enums[name]
}

// object returns the struct for s, the same one for equal shapes.
func (b *builder) object(s *schema, path, property, definition string) (*object, error) {
	o := &object{name: b.objectName(path, property, definition), users: map[string]bool{b.action: true}}
	if err := b.fill(o, s, path); err != nil {
		return nil, err
	}
	shape := o.shape()
	if other := b.shapes[shape]; other != "" && other != o.name {
		return nil, fmt.Errorf("%s: %s and %s are the same, name both alike in the overlay", path, other, o.name)
	}
	if known := b.objects[o.name]; known != nil {
		if known.shape() != shape {
			return nil, fmt.Errorf("%s: there is another %s, name one in the overlay", path, o.name)
		}
		known.users[b.action] = true
		return known, nil
	}
	b.shapes[shape] = o.name
	b.objects[o.name] = o
	o.doc = "is the type of that name in OCPP " + b.OCPP + "."
	return o, nil
}

func (b *builder) objectName(path, property, definition string) string {
	for _, key := range []string{path, definition, property} {
		if name := b.Types[key]; name != "" {
			return name
		}
	}
	if definition != "" {
		return strings.TrimSuffix(definition, "Type")
	}
	return goName(property, b.Initialisms)
}

// shape says all that matters about an object except its name.
func (o *object) shape() string {
	var b strings.Builder
	for _, f := range o.fields {
		fmt.Fprintf(&b, "%s %s %t,", f.json, f.shape(), f.required)
	}
	return b.String()
}

func (f *field) shape() string {
	s := fmt.Sprint(f.kind, f.minLength, f.maxLength, f.numberAsText, bound(f.least), bound(f.most), f.steps, f.minItems, f.maxItems)
	switch f.kind {
	case choice:
		s += f.enum.name
	case record:
		s += f.object.name
	case list:
		s += "[" + f.item.shape() + "]"
	}
	return s
}

func bound(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprint(*x)
}

// nameEnums finds the name of every set of values in the overlay. Equal sets
// are one enum, whatever property they belong to.
func nameEnums(docs map[string]*schema, ov *overlay) (map[string]string, error) {
	names := map[string]string{}
	places := map[string]string{}
	var wrong []error
	for _, file := range sorted(docs) {
		eachEnum(docs[file], file, func(key string, s *schema) {
			set := valueSet(s)
			places[set] = key
			name := ov.Enums[key]
			if name == "" {
				return
			}
			if names[set] != "" && names[set] != name {
				wrong = append(wrong, fmt.Errorf("overlay: two names for one enum, %s and %s", names[set], name))
			}
			names[set] = name
		})
	}
	sets := map[string]string{}
	for _, set := range sorted(places) {
		name := names[set]
		switch {
		case name == "":
			wrong = append(wrong, fmt.Errorf("overlay: no name for the enum at %s", places[set]))
		case sets[name] != "":
			wrong = append(wrong, fmt.Errorf("overlay: two enums called %s, the other at %s", name, places[set]))
		}
		sets[name] = set
	}
	return names, errors.Join(wrong...)
}

// eachEnum calls visit for every enum under s with the key of its place: the
// name of its definition or its path.
func eachEnum(s *schema, path string, visit func(key string, s *schema)) {
	if len(s.Enum) > 0 {
		visit(path, s)
	}
	for _, p := range s.Properties {
		eachEnum(p.schema, path+"."+p.name, visit)
	}
	if s.Items != nil {
		eachEnum(s.Items, path, visit)
	}
	for _, name := range sorted(s.Definitions) {
		eachEnum(s.Definitions[name], name, visit)
	}
}

func valueSet(s *schema) string {
	values := slices.Clone(s.Enum)
	slices.Sort(values)
	return strings.Join(values, "\n")
}
