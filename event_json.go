package leyden

import (
	"encoding/json"
	"strings"
)

// AppendJSON appends to b what json.Marshal returns for e, or returns b with its
// error. It allocates nothing if b has room.
func (e *Event) AppendJSON(b []byte) ([]byte, error) {
	w := jsonWriter{b: b}
	w.event(e)
	return whole(&w, b, e)
}

func (w *jsonWriter) event(e *Event) {
	w.open('{')
	optionalInteger(w, "number", e.Number)
	w.integer("connector", int64(e.Connector))
	w.token("token", e.Token)
	optionalInteger(w, "register", e.Register)
	w.samples("samples", e.Samples)
	w.text("reason", e.Reason)
	w.text("reasonText", e.ReasonText)
	optionalInteger(w, "reservation", e.Reservation)
	w.text("raw", e.Raw)
	w.integer("zone", int64(e.Zone))
	w.answer("auth", &e.Auth)
	w.integer("flags", int64(e.Flags))
	w.text("vehicle", e.Vehicle)
	w.time("pluggedAt", e.PluggedAt)
	optionalInteger(w, "before", e.Before)
	w.text("model", string(e.Model))
	w.time("expires", e.Expires)
	if len(e.Metadata) > 0 {
		w.table("metadata", e.Metadata)
	}
	w.integer("round", int64(e.Round))
	w.text("by", e.By)
	w.integer("other", int64(e.Other))
	w.fix("fix", &e.Fix)
	w.integer("undoes", int64(e.Undoes))
	w.integer("twin", int64(e.Twin))
	w.lentStop("stop", e.Stop)
	w.end('}')
}

func (w *jsonWriter) samples(name string, list []Sample) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for i := range list {
		s := &list[i]
		w.open('{')
		w.time("at", s.At)
		w.key("value")
		w.quote(s.Value)
		w.text("measurand", s.Measurand)
		w.text("unit", s.Unit)
		w.text("context", s.Context)
		w.text("phase", s.Phase)
		w.text("location", s.Location)
		w.text("format", s.Format)
		w.text("signature", string(s.Signature))
		w.close('}')
	}
	w.close(']')
}

func (w *jsonWriter) answer(name string, i *TokenInfo) {
	if *i == (TokenInfo{}) {
		return
	}
	w.key(name)
	w.open('{')
	w.text("status", i.Status)
	w.time("expiry", i.Expiry)
	w.text("parent", i.Parent)
	w.close('}')
}

func (w *jsonWriter) fix(name string, f *Fix) {
	if f.Vehicle == nil && f.Note == nil && f.NotBillable == nil && !f.Clear && f.Unset == nil && f.Set == nil {
		return
	}
	w.key(name)
	w.open('{')
	w.optionalText("vehicle", f.Vehicle)
	w.optionalText("note", f.Note)
	w.optionalText("notBillable", f.NotBillable)
	w.flag("clear", f.Clear)
	w.texts("unset", f.Unset)
	if len(f.Set) > 0 {
		w.table("set", f.Set)
	}
	w.close('}')
}

func (w *jsonWriter) lentStop(name string, s *lentStop) {
	if s == nil {
		return
	}
	w.key(name)
	w.open('{')
	w.key("key")
	w.quote(s.Key)
	w.time("at", s.At)
	w.time("receivedAt", s.ReceivedAt)
	optionalInteger(w, "register", s.Register)
	w.token("token", s.Token)
	w.text("reason", s.Reason)
	w.text("reasonText", s.ReasonText)
	w.text("model", string(s.Model))
	w.integer("flags", int64(s.Flags))
	w.close('}')
}

// ReadJSON reads the JSON of an event into e, as json.Unmarshal does into an empty
// one: what JSON does not have of an event is zero. It is fast for what
// [Event.AppendJSON] writes; texts in e are then parts of text.
func (e *Event) ReadJSON(text string) error {
	*e = Event{}
	r := jsonReader{src: text}
	r.event(e)
	if !r.odd && r.pos == len(text) {
		return nil
	}
	*e = Event{}
	return json.Unmarshal([]byte(text), e)
}

func (r *jsonReader) event(e *Event) {
	r.open()
	readOptional(r, "number", &e.Number)
	readInteger(r, "connector", &e.Connector)
	r.token("token", &e.Token)
	readOptional(r, "register", &e.Register)
	r.samples("samples", &e.Samples)
	readText(r, "reason", &e.Reason)
	readText(r, "reasonText", &e.ReasonText)
	readOptional(r, "reservation", &e.Reservation)
	readText(r, "raw", &e.Raw)
	readInteger(r, "zone", &e.Zone)
	r.answer("auth", &e.Auth)
	readInteger(r, "flags", &e.Flags)
	readText(r, "vehicle", &e.Vehicle)
	r.time("pluggedAt", &e.PluggedAt)
	readOptional(r, "before", &e.Before)
	readText(r, "model", &e.Model)
	r.time("expires", &e.Expires)
	r.table("metadata", &e.Metadata)
	readInteger(r, "round", &e.Round)
	readText(r, "by", &e.By)
	readInteger(r, "other", &e.Other)
	r.fix("fix", &e.Fix)
	readInteger(r, "undoes", &e.Undoes)
	readInteger(r, "twin", &e.Twin)
	r.lentStop("stop", &e.Stop)
	r.close()
}

func (r *jsonReader) samples(name string, to *[]Sample) {
	if r.name != name {
		return
	}
	list := make([]Sample, 0, strings.Count(r.src[r.pos:], `{"`))
	for r.expect('['); r.more(); {
		list = append(list, Sample{})
		r.sample(&list[len(list)-1])
	}
	r.expect(']')
	*to = list
	r.next()
}

func (r *jsonReader) sample(s *Sample) {
	r.open()
	r.time("at", &s.At)
	readText(r, "value", &s.Value)
	readText(r, "measurand", &s.Measurand)
	readText(r, "unit", &s.Unit)
	readText(r, "context", &s.Context)
	readText(r, "phase", &s.Phase)
	readText(r, "location", &s.Location)
	readText(r, "format", &s.Format)
	readText(r, "signature", &s.Signature)
	r.close()
}

func (r *jsonReader) answer(name string, to *TokenInfo) {
	if r.name != name {
		return
	}
	r.open()
	readText(r, "status", &to.Status)
	r.time("expiry", &to.Expiry)
	readText(r, "parent", &to.Parent)
	r.close()
	r.next()
}

func (r *jsonReader) fix(name string, to *Fix) {
	if r.name != name {
		return
	}
	r.open()
	r.optionalText("vehicle", &to.Vehicle)
	r.optionalText("note", &to.Note)
	r.optionalText("notBillable", &to.NotBillable)
	r.flag("clear", &to.Clear)
	r.texts("unset", &to.Unset)
	r.table("set", &to.Set)
	r.close()
	r.next()
}

func (r *jsonReader) lentStop(name string, to **lentStop) {
	if r.name != name {
		return
	}
	s := new(lentStop)
	r.open()
	readText(r, "key", &s.Key)
	r.time("at", &s.At)
	r.time("receivedAt", &s.ReceivedAt)
	readOptional(r, "register", &s.Register)
	r.token("token", &s.Token)
	readText(r, "reason", &s.Reason)
	readText(r, "reasonText", &s.ReasonText)
	readText(r, "model", &s.Model)
	readInteger(r, "flags", &s.Flags)
	r.close()
	*to = s
	r.next()
}
