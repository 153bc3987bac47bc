package leyden_test

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/internal/race"
)

// An appender is what can write its own JSON.
type appender interface {
	AppendJSON(b []byte) ([]byte, error)
}

func appenders() []appender {
	return []appender{new(leyden.Event), new(leyden.Transaction), new(leyden.Evidence)}
}

// What AppendJSON writes is what encoding/json writes, and so are its errors.
func TestAppendJSONIsThatOfEncodingJSON(t *testing.T) {
	for _, v := range appenders() {
		sameJSON(t, "empty", v)
		for seed := range race.Fewer(3_000, 300) {
			r := rand.New(rand.NewPCG(uint64(seed), 9))
			f := filler{Rand: r, filled: r.Float64(), texts: oddTexts, times: oddTimes, numbers: oddNumbers}
			f.fill(reflect.ValueOf(v).Elem())
			if !sameJSON(t, seed, v) {
				return
			}
		}
	}
}

// Every property is written, alone too: whoever adds a field to a Transaction, an
// Event or what they hold finds out here that AppendJSON does not know it.
func TestAppendJSONKnowsEveryField(t *testing.T) {
	for _, v := range appenders() {
		e := reflect.ValueOf(v).Elem()
		eachField(e, e.Type().Name(), func(path string) {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(path, err)
			}
			sameJSON(t, path, v)
			if e, ok := v.(*leyden.Event); ok {
				sameEvent(t, string(text))
				fast(t, path, e)
			}
		})
	}
}

// fast proves that encoding/json was not needed to read an event again: it keeps
// no part of what it reads.
func fast(t *testing.T, path string, e *leyden.Event) {
	t.Helper()
	text, err := e.AppendJSON(nil)
	if err != nil {
		t.Fatal(path, err)
	}
	var read leyden.Event
	slow := testing.AllocsPerRun(1, func() {
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(path, err)
		}
	})
	quick := testing.AllocsPerRun(1, func() {
		if err := read.ReadJSON(string(text)); err != nil {
			t.Fatal(path, err)
		}
	})
	if quick >= slow {
		t.Errorf("%s: %v allocations to read %s, %v by encoding/json", path, quick, text, slow)
	}
}

// eachField calls f once for each field below v that JSON has, with all others zero.
func eachField(v reflect.Value, path string, f func(path string)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(at(1)))
		f(path)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.Tag.Get("json") != "-" {
				eachField(v.Field(i), path+"."+field.Name, f)
			}
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f(path)
		eachField(v.Elem(), path, f)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		f(path)
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f(path)
		eachField(v.Index(1), path, f)
	default:
		filler := filler{Rand: rand.New(rand.NewPCG(1, 1)), filled: 1, texts: []string{"text"}, numbers: []float64{1}}
		filler.fill(v)
		f(path)
	}
	v.SetZero()
}

func sameJSON(t *testing.T, what any, v appender) bool {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := v.AppendJSON([]byte("{"))
	if s := string(got); s != "{"+string(want) || !sameError(err, wantErr) {
		same := 0
		for same < min(len(s), len(want)+1) && s[same] == ("{" + string(want))[same] {
			same++
		}
		t.Errorf("%T, %v:\ngot  %s %v\nwant {%s %v\nthe same up to %s", v, what, s, err, want, wantErr, s[:same])
		return false
	}
	return true
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}

var (
	oddTexts = []string{
		"", "Energy.Active.Import.Register", "Wh", "AABBCCDD", `a"b\c/d`, "<a href='&'>", "\b\f\n\r\t\x00\x1f\x7f", "Grüße, 東京 𝄞",
		"\u2028 \u2029 \u202a", "\xff broken \xc3", "\xed\xa0\x80", "\ufffd", `{"MS":"1","RD":[{"TM":"2026-02-06T12:02:00"}]}`, `\u00e9`, "null",
		strings.Repeat("long ", 100),
	}
	oddTimes = append([]time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}.Add(-1),
		at(0).In(time.FixedZone("", 24*60*60)),
	}, plainTimes...)
	plainTimes = []time.Time{
		{}, at(0), at(3), at(0).Add(time.Nanosecond), at(0).Add(120 * time.Millisecond), time.Time{}.In(time.FixedZone("", 3600)), time.Time{}.Add(1),
		at(0).In(time.FixedZone("", 3600)), at(0).In(time.FixedZone("", -5*3600-1800)), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	oddNumbers   = append([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}, plainNumbers...)
	plainNumbers = []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 11000, 1e-6, 9.99e-7, 1e-7, -1e-10, 1e-100, 1e20, 1e21, -1e21, 1e22, 1e100, 1.5e300, 1.0 / 3, math.Pi * 1e5,
		math.MaxFloat64, math.SmallestNonzeroFloat64,
	}
)

// A filler sets all that JSON has of a value to something arbitrary, and how much
// of it at all.
type filler struct {
	*rand.Rand
	filled  float64 // 0 to 1
	entries int     // of a map, at most; 0: any number
	texts   []string
	times   []time.Time
	numbers []float64
}

func (f *filler) fill(v reflect.Value) {
	v.SetZero()
	if v.Type() == reflect.TypeFor[time.Time]() {
		if f.Float64() < f.filled {
			v.Set(reflect.ValueOf(pick(f.Rand, f.times...)))
		}
		return
	}
	if v.Kind() != reflect.Struct && f.Float64() >= f.filled {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				f.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(cmp.Or(f.entries, 50)) {
			v.SetMapIndex(reflect.ValueOf(pick(f.Rand, f.texts...)+string(rune('a'+f.IntN(20)))), reflect.ValueOf(pick(f.Rand, f.texts...)))
		}
	default:
		f.fillPlain(v)
	}
}

func (f *filler) fillPlain(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(f.Rand, f.texts...))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(pick(f.Rand, append(f.numbers, f.NormFloat64())...))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> (64 - min(v.Type().Bits(), 1+f.IntN(64))))
	default:
		v.SetUint(f.Uint64() >> (64 - min(v.Type().Bits(), 1+f.IntN(64))))
	}
}

// Nothing is allocated where there is room, with as many metadata as a client may
// give.
func TestAppendJSONAllocatesNothing(t *testing.T) {
	for seed := range 50 {
		f := filler{Rand: rand.New(rand.NewPCG(uint64(seed), 4)), filled: 1, entries: 20, texts: oddTexts, times: plainTimes, numbers: plainNumbers}
		for _, v := range appenders() {
			f.fill(reflect.ValueOf(v).Elem())
			b, err := v.AppendJSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(10, func() { b, _ = v.AppendJSON(b[:0]) }); n > 0 {
				t.Errorf("%T, seed %d: %v allocations for %.300s", v, seed, n, b)
			}
		}
	}
}

// What ReadJSON reads is what encoding/json reads, and so is what it refuses.
func TestReadJSONIsThatOfEncodingJSON(t *testing.T) {
	for seed := range race.Fewer(3_000, 300) {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		var e leyden.Event
		f := filler{Rand: r, filled: r.Float64(), texts: oddTexts, times: plainTimes}
		f.fill(reflect.ValueOf(&e).Elem())
		text, err := e.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		sameEvent(t, string(text))
		for range 5 {
			sameEvent(t, string(damaged(r, text)))
		}
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

// damaged returns text with something changed in it.
func damaged(r *rand.Rand, text []byte) []byte {
	i, j := r.IntN(len(text)), r.IntN(len(text))
	switch r.IntN(4) {
	case 0:
		return text[:i]
	case 1:
		return append(append([]byte(nil), text[:min(i, j)]...), text[max(i, j):]...)
	case 2:
		text = append([]byte(nil), text...)
		text[i] = pick(r, '"', '\\', '{', '}', '[', ']', ',', ':', '0', ' ', '\n', 0x80, byte(r.Uint32()))
		return text
	}
	part := text[i:min(len(text), i+r.IntN(60))]
	return append(append(append([]byte(nil), text[:j]...), part...), text[j:]...)
}

func sameEvent(t *testing.T, text string) {
	t.Helper()
	var want leyden.Event
	got := leyden.Event{Station: "left over", Connector: 9, Samples: []leyden.Sample{{Unit: "left over"}}}
	wantErr := json.Unmarshal([]byte(text), &want)
	err := got.ReadJSON(text)
	if !sameError(err, wantErr) || !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ngot  %+v %v\nwant %+v %v", text, got, err, want, wantErr)
	}
}

func FuzzEventReadJSON(f *testing.F) {
	f.Add(`{"number":-1,"connector":1,"token":{"value":"A"},"register":5,"samples":[{"at":"2026-02-06T12:02:00.5Z","value":"1\n\u00e9","unit":"kWh"}]}`)
	f.Add(`{"":1,"0000":}`)
	f.Add(`{"samples":[],"metadata":{},"fix":{"unset":[]}}`)
	f.Add(`{"metadata":{"a":"b","c":"d"},"fix":{"note":"","unset":["a","b"],"set":{}},"stop":{"key":"k","at":"2026-02-06T12:02:00+01:00","flags":3}}`)
	f.Fuzz(func(t *testing.T, text string) { sameEvent(t, text) })
}

func BenchmarkEventJSON(b *testing.B) {
	e := leyden.Event{Number: new(int64(12345)), Connector: 1, Samples: []leyden.Sample{
		{At: at(1), Value: "1500", Measurand: "Energy.Active.Import.Register", Unit: "Wh", Context: "Sample.Periodic"},
		{At: at(1), Value: "11000", Measurand: "Power.Active.Import", Unit: "W", Context: "Sample.Periodic"},
		{At: at(1), Value: "42", Measurand: "SoC", Unit: "Percent", Context: "Sample.Periodic"},
	}}
	text, err := e.AppendJSON(nil)
	if err != nil {
		b.Fatal(err)
	}
	bench := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var read leyden.Event
	bench("append", func() (err error) { text, err = e.AppendJSON(text[:0]); return err })
	bench("marshal", func() error { _, err := json.Marshal(&e); return err })
	line := string(text)
	bench("read", func() error { return read.ReadJSON(line) })
	bench("unmarshal", func() error { return json.Unmarshal(text, &read) })
}
