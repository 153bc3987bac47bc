package memory

import (
	"reflect"
	"strings"
	"time"
)

// detach returns a copy of v that shares no memory with it, with its times as
// every driver keeps them: in UTC and whole microseconds. All its fields must
// be exported, but for those of a time.
func detach[T any](v T) T {
	c := reflect.New(reflect.TypeFor[T]()).Elem()
	copyValue(c, reflect.ValueOf(v))
	return c.Interface().(T)
}

func copyValue(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(strings.Clone(from.String()))
	case reflect.Struct:
		copyStruct(to, from)
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			copyValue(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if from.Len() > 0 {
			to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		}
		for i := range from.Len() {
			copyValue(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		copyMap(to, from)
	default:
		to.Set(from)
	}
}

func copyStruct(to, from reflect.Value) {
	if t, ok := from.Interface().(time.Time); ok {
		to.Set(reflect.ValueOf(t.UTC().Truncate(time.Microsecond)))
		return
	}
	for i := range from.NumField() {
		copyValue(to.Field(i), from.Field(i))
	}
}

func copyMap(to, from reflect.Value) {
	if from.Len() == 0 {
		return
	}
	to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
	for pairs := from.MapRange(); pairs.Next(); {
		k, v := reflect.New(from.Type().Key()).Elem(), reflect.New(from.Type().Elem()).Elem()
		copyValue(k, pairs.Key())
		copyValue(v, pairs.Value())
		to.SetMapIndex(k, v)
	}
}
