package memory

import (
	"reflect"
	"sync"
	"time"
	"unsafe"
)

// detach returns a copy of v that shares no memory with it, with its times as
// every driver keeps them: in UTC and whole microseconds. What is empty is nil.
func detach[T any](v T) T {
	detachAt(&v)
	return v
}

// detachAt makes what v points to share no memory with anything else.
func detachAt[T any](v *T) {
	p := planOf(reflect.TypeFor[T]())
	at := unsafe.Pointer(v)
	var b bytes
	if n := p.texts(at); n > 0 {
		b = make(bytes, 0, n)
	}
	p.detach(at, &b)
}

// bytes are where the texts of one value are kept, all in one piece.
type bytes []byte

// keep moves a text into b.
func (b *bytes) keep(text *string) {
	if *text == "" {
		return
	}
	from := len(*b)
	*b = append(*b, *text...)
	*text = unsafe.String(&(*b)[from], len(*text))
}

// A plan says where in values of a type there is what they could share with
// others. Reports are detached all the time, and reflection walks slowly.
type plan struct {
	strings []uintptr
	times   []uintptr
	others  []other
}

// An other is a pointer, a slice or a map in a value.
type other struct {
	at  uintptr
	typ reflect.Type
}

// plans are those made so far, by type.
var plans sync.Map

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := new(plan)
	p.add(t, 0)
	plans.Store(t, p)
	return p
}

// add adds what there is in a part of that type at a place.
func (p *plan) add(t reflect.Type, at uintptr) {
	switch t.Kind() {
	case reflect.String:
		p.strings = append(p.strings, at)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			p.times = append(p.times, at)
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			p.add(f.Type, at+f.Offset)
		}
	case reflect.Array:
		for i := range t.Len() {
			p.add(t.Elem(), at+uintptr(i)*t.Elem().Size())
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		p.others = append(p.others, other{at, t})
	}
}

// texts returns how long the texts are of a value, but for those in its maps.
func (p *plan) texts(v unsafe.Pointer) (n int) {
	for _, at := range p.strings {
		n += len(*(*string)(unsafe.Add(v, at)))
	}
	for i := range p.others {
		o := &p.others[i]
		switch o.typ.Kind() {
		case reflect.Pointer:
			if to := *(*unsafe.Pointer)(unsafe.Add(v, o.at)); to != nil {
				n += planOf(o.typ.Elem()).texts(to)
			}
		case reflect.Slice:
			list, of := o.value(v), planOf(o.typ.Elem())
			for i := range list.Len() {
				n += of.texts(list.Index(i).Addr().UnsafePointer())
			}
		}
	}
	return n
}

// detach detaches a value. Its texts are kept in b.
func (p *plan) detach(v unsafe.Pointer, b *bytes) {
	for _, at := range p.strings {
		b.keep((*string)(unsafe.Add(v, at)))
	}
	for _, at := range p.times {
		if t := (*time.Time)(unsafe.Add(v, at)); *t != (time.Time{}) {
			*t = t.UTC().Truncate(time.Microsecond)
		}
	}
	for i := range p.others {
		p.others[i].detach(v, b)
	}
}

// value returns what is there in a value.
func (o *other) value(v unsafe.Pointer) reflect.Value {
	return reflect.NewAt(o.typ, unsafe.Add(v, o.at)).Elem()
}

func (o *other) detach(v unsafe.Pointer, b *bytes) {
	switch o.typ.Kind() {
	case reflect.Pointer:
		to := (*unsafe.Pointer)(unsafe.Add(v, o.at))
		if *to == nil {
			return
		}
		kept := reflect.New(o.typ.Elem())
		kept.Elem().Set(reflect.NewAt(o.typ.Elem(), *to).Elem())
		*to = kept.UnsafePointer()
		planOf(o.typ.Elem()).detach(*to, b)
	case reflect.Slice:
		o.detachList(o.value(v), b)
	case reflect.Map:
		o.detachMap(o.value(v), b)
	}
}

func (o *other) detachList(list reflect.Value, b *bytes) {
	n := list.Len()
	if n == 0 {
		list.SetZero()
		return
	}
	kept := reflect.MakeSlice(o.typ, n, n)
	reflect.Copy(kept, list)
	list.Set(kept)
	of, first, size := planOf(o.typ.Elem()), kept.UnsafePointer(), o.typ.Elem().Size()
	for i := range n {
		of.detach(unsafe.Add(first, uintptr(i)*size), b)
	}
}

func (o *other) detachMap(m reflect.Value, b *bytes) {
	if m.Len() == 0 {
		m.SetZero()
		return
	}
	kept := reflect.MakeMapWithSize(o.typ, m.Len())
	keys, values := planOf(o.typ.Key()), planOf(o.typ.Elem())
	for pairs := m.MapRange(); pairs.Next(); {
		k, v := reflect.New(o.typ.Key()), reflect.New(o.typ.Elem())
		k.Elem().Set(pairs.Key())
		v.Elem().Set(pairs.Value())
		keys.detach(k.UnsafePointer(), b)
		values.detach(v.UnsafePointer(), b)
		kept.SetMapIndex(k.Elem(), v.Elem())
	}
	m.Set(kept)
}
