package leyden

import "reflect"

// AppendJSON appends to b what json.Marshal returns for t, or returns b with its
// error. It allocates nothing if b has room.
func (t *Transaction) AppendJSON(b []byte) ([]byte, error) {
	w := jsonWriter{b: b}
	w.transaction(t)
	return whole(&w, b, t)
}

func (w *jsonWriter) transaction(t *Transaction) {
	w.open('{')
	w.integer("ID", int64(t.ID))
	w.text("PublicID", t.PublicID)
	w.text("Station", string(t.Station))
	w.integer("Connector", int64(t.Connector))
	w.token("Token", t.Token)
	w.text("VehicleID", t.VehicleID)
	w.integer("Status", int64(t.Status))
	w.flag("Remote", t.Remote)
	w.table("Metadata", t.Metadata)
	w.time("RequestedAt", t.RequestedAt)
	w.time("ExpiresAt", t.ExpiresAt)
	w.time("StartedAt", t.StartedAt)
	w.time("StartReceivedAt", t.StartReceivedAt)
	w.time("StoppedAt", t.StoppedAt)
	w.time("StopReceivedAt", t.StopReceivedAt)
	optionalInteger(w, "MeterStart", t.MeterStart)
	optionalInteger(w, "MeterStop", t.MeterStop)
	optionalInteger(w, "Reservation", t.Reservation)
	w.token("StopToken", t.StopToken)
	w.text("StopReason", t.StopReason)
	w.text("StopReasonText", t.StopReasonText)
	w.text("CloseReason", t.CloseReason)
	optionalInteger(w, "Energy", t.Energy)
	w.text("EnergySource", string(t.EnergySource))
	w.optionalNumber("Power", t.Power)
	w.optionalNumber("InitialSoC", t.InitialSoC)
	w.optionalNumber("EndSoC", t.EndSoC)
	w.time("SessionStart", t.SessionStart)
	w.time("SessionEnd", t.SessionEnd)
	w.text("Note", t.Note)
	w.text("NotBillable", t.NotBillable)
	w.time("CorrectedAt", t.CorrectedAt)
	w.integer("Flags", int64(t.Flags))
	w.integer("StopRound", int64(t.StopRound))
	w.time("DueAt", t.DueAt)
	w.time("UpdatedAt", t.UpdatedAt)
	w.time("InsertedAt", t.InsertedAt)
	w.integer("Revision", int64(t.Revision))
	w.integer("Version", int64(t.Version))
	w.evidenceOf(t)
	w.end('}')
}

// evidenceOf writes the Evidence of t unless it is zero. Nearly none is, and it
// would be long to compare: only what looks so in JSON is.
func (w *jsonWriter) evidenceOf(t *Transaction) {
	before := len(w.b)
	w.key("Evidence")
	at := len(w.b)
	w.evidence(&t.Evidence)
	if len(w.b) == at+len(`{}`) && isZero(t.Evidence) {
		w.b = w.b[:before]
		return
	}
	w.b = append(w.b, ',')
}

//go:noinline
func isZero(v Evidence) bool { return reflect.ValueOf(v).IsZero() }

// AppendJSON appends to b what json.Marshal returns for v, or returns b with its
// error. It allocates nothing if b has room.
func (v *Evidence) AppendJSON(b []byte) ([]byte, error) {
	w := jsonWriter{b: b}
	w.evidence(v)
	return whole(&w, b, v)
}

func (w *jsonWriter) evidence(v *Evidence) {
	w.open('{')
	w.text("startKey", v.StartKey)
	w.text("stopKey", v.StopKey)
	w.text("askedKey", v.AskedKey)
	w.flag("numbered", v.Numbered)
	w.flag("updated", v.Updated)
	w.flag("signed", v.Signed)
	w.integer("noted", int64(v.Noted))
	w.origin("started", &v.Started)
	w.origin("asked", &v.Asked)
	w.origin("guess", &v.Guess)
	w.integer("outcome", int64(v.Outcome))
	w.flag("errored", v.Errored)
	w.time("leftAt", v.LeftAt)
	w.integer("stopStep", int64(v.StopStep))
	w.time("stopAskedAt", v.StopAskedAt)
	w.time("reportedAt", v.ReportedAt)
	w.time("bootedAt", v.BootedAt)
	w.time("staleAt", v.StaleAt)
	optionalInteger(w, "before", v.Before)
	w.text("model", string(v.Model))
	w.text("closedKey", v.ClosedKey)
	w.time("closedEnd", v.ClosedEnd)
	optionalInteger(w, "closedLimit", v.ClosedLimit)
	w.reading("first", v.First)
	w.reading("last", v.Last)
	w.reading("peak", v.Peak)
	w.reading("begin", v.Begin)
	w.integer("beginPlace", int64(v.BeginPlace))
	w.integer("place", int64(v.Place))
	w.integer("rising", int64(v.Rising))
	w.integer("rises", int64(v.Rises))
	w.flag("disordered", v.Disordered)
	w.signedReading("signedBegin", v.SignedBegin)
	w.signedReading("signedEnd", v.SignedEnd)
	w.span("signedSpan", v.SignedSpan)
	w.span("signedIn", v.SignedIn)
	w.flag("signedOpen", v.SignedOpen)
	w.gauge("power", v.Power)
	w.gauge("firstSoC", v.FirstSoC)
	w.gauge("lastSoC", v.LastSoC)
	w.time("flowAt", v.FlowAt)
	w.corrections("corrections", v.Corrections)
	w.plain("plain", &v.Plain)
	w.lentStop("borrowed", v.Borrowed)
	w.end('}')
}

func (w *jsonWriter) origin(name string, o *Origin) {
	if *o == (Origin{}) {
		return
	}
	w.key(name)
	w.open('{')
	w.integer("connector", int64(o.Connector))
	w.token("token", o.Token)
	w.text("vehicle", o.Vehicle)
	w.close('}')
}

func (w *jsonWriter) signedReading(name string, r *signedReading) {
	if r == nil {
		return
	}
	w.key(name)
	w.open('{')
	w.readingFields(&r.Reading)
	w.text("serial", r.Serial)
	w.text("page", r.Page)
	w.close('}')
}

func (w *jsonWriter) span(name string, s span) {
	if s == (span{}) {
		return
	}
	w.key(name)
	w.open('{')
	w.time("from", s.From)
	w.time("to", s.To)
	w.close('}')
}

func (w *jsonWriter) corrections(name string, list []correction) {
	if len(list) == 0 {
		return
	}
	w.key(name)
	w.open('[')
	for i := range list {
		w.correction(&list[i])
	}
	w.close(']')
}

func (w *jsonWriter) correction(c *correction) {
	w.open('{')
	w.key("number")
	w.plainInteger(int64(c.Number))
	w.key("key")
	w.quote(c.Key)
	w.key("kind")
	w.plainInteger(int64(c.Kind))
	w.integer("undoes", int64(c.Undoes))
	w.fix("fix", &c.Fix)
	w.time("end", c.End)
	optionalInteger(w, "register", c.Register)
	w.text("reason", c.Reason)
	w.integer("other", int64(c.Other))
	w.integer("twin", int64(c.Twin))
	w.lentStop("stop", c.Stop)
	w.close('}')
}

func (w *jsonWriter) plain(name string, p *plain) {
	if p.Metadata == nil && p.CloseReason == "" {
		return
	}
	w.key(name)
	w.open('{')
	if len(p.Metadata) > 0 {
		w.table("metadata", p.Metadata)
	}
	w.text("closeReason", p.CloseReason)
	w.close('}')
}
