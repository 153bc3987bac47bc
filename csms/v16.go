package csms

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"leyden"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// reports16 tells the messages of OCPP 1.6 that tell of transactions: energy
// flowed, and no error undoes that.
func reports16(action string) bool {
	switch action {
	case "StartTransaction", "MeterValues", "StopTransaction":
		return true
	}
	return false
}

// startTransaction16 records a start whatever its idTag is worth: the vehicle
// may be charging already, and the answer tells the station what to do (OCPP 1.6
// §4.8). What the schema forbids is told, since the station can still let go.
func startTransaction16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	m, v := &in.start, &in.found
	err := s.read(c.payload, m, v)
	if err == nil {
		err = s.mayStart(ctx, v, c.payload, &m.MeterStart)
	}
	if err != nil {
		return s.refuse(ctx, c, err)
	}
	e := leyden.Event{
		Kind: leyden.Started, Station: s.station, At: m.Timestamp, Connector: m.ConnectorID,
		Token:       leyden.IDToken{Value: strings.Clone(m.IDTag)},
		Reservation: pointer(m.ReservationID),
		Digest:      digest(c.payload),
	}
	r := report{event: &e, payload: c.payload}
	r.setRegister(m.MeterStart)
	r.setZone(v)
	if len(v.List) > 0 {
		r.odd()
	}
	in.done(c.payload)
	out, err := s.record(ctx, e, s.toKeep(c.frame()))
	s.concerns(out.Transaction.ID)
	if errors.Is(err, leyden.ErrActive) {
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.GenericError, "a transaction is active on connector %d", e.Connector)}
	}
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{
		Message: &v16.StartTransactionResponse{
			IDTagInfo: idTagInfo16(out.Event.Auth), TransactionID: int(out.Transaction.ID),
		},
		Then: s.followups(&out),
	}
}

// stopTransaction16 records a stop, read as tolerantly as can be: a station
// sends a refused one again for weeks, or never. Only one that lacks the
// transaction's number or the register is of no use.
func stopTransaction16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	m, v := &in.stop, &in.found
	err := s.read(c.payload, m, v)
	s.noteFraction(v, c.payload, "meterStop")
	if err == nil {
		err = cmp.Or(mend(v, c.payload, "transactionId", &m.TransactionID), mend(v, c.payload, "meterStop", &m.MeterStop))
	}
	if err != nil {
		return s.refuse(ctx, c, err)
	}
	e := leyden.Event{
		Kind: leyden.Ended, Station: s.station, At: m.Timestamp,
		Number:  new(int64(m.TransactionID)),
		Samples: samples16(m.TransactionData),
		Digest:  digest(c.payload),
	}
	r := report{event: &e, payload: c.payload}
	r.setRegister(m.MeterStop)
	r.setZone(v)
	e.Token.Value = r.short(m.IDTag.Or(""))
	e.Reason, e.ReasonText = reason16(m.Reason.Or(""))
	e.ReasonText = r.short(e.ReasonText)
	r.note(v, "transactionData")
	in.done(c.payload)
	out, err := s.record(ctx, e, s.toKeep(c.payload))
	s.concerns(out.Transaction.ID)
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	var res v16.StopTransactionResponse
	if e.Token.Value != "" && out.Event.Auth.Status != "" {
		res.IDTagInfo = ocpp.Some(idTagInfo16(out.Event.Auth))
	}
	return ocpp.Reply{Message: &res, Then: s.followups(&out)}
}

// reason16 returns a reason of OCPP, and the text that was sent in its stead if
// OCPP does not know it (§6.49: absent means Local, which the record says).
func reason16(sent v16.Reason) (reason, text string) {
	if sent == "" || sent.Known() {
		return string(sent), ""
	}
	return string(v16.ReasonOther), string(sent)
}

// meterValues16 records readings. Only without a usable connectorId there is no
// place for them.
func meterValues16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	m, v := &in.meterValues, &in.found
	err := s.read(c.payload, m, v)
	if err == nil {
		err = mend(v, c.payload, "connectorId", &m.ConnectorID)
	}
	if err == nil && m.ConnectorID < 0 {
		err = v.Err()
	}
	if err != nil {
		return s.refuse(ctx, c, err)
	}
	e := leyden.Event{
		Kind: leyden.Updated, Station: s.station, Connector: m.ConnectorID,
		Number:  number16(m, v, c.payload),
		Samples: samples16(m.MeterValue),
		Digest:  digest(c.payload),
	}
	for i := range e.Samples {
		if at := e.Samples[i].At; at.After(e.At) {
			e.At = at
		}
	}
	r := report{event: &e, payload: c.payload}
	r.note(v, "meterValue")
	in.done(c.payload)
	out, err := s.record(ctx, e, s.toKeep(c.payload))
	s.concerns(out.Transaction.ID)
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{Message: &v16.MeterValuesResponse{}}
}

// number16 returns the transactionId of readings, or nil.
func number16(m *v16.MeterValues, v *ocpp.Violations, payload string) *int64 {
	n, ok := m.TransactionID.Get()
	if !ok && len(v.List) > 0 {
		n, ok = integerIn(payload, "transactionId")
	}
	if !ok {
		return nil
	}
	return new(int64(n))
}

// samples16 returns the samples of all instants in one list. What equals the
// default is left empty (OCPP 1.6 §7.43).
func samples16(list []v16.MeterValue) []leyden.Sample {
	n := 0
	for i := range list {
		n += len(list[i].SampledValue)
	}
	samples := make([]leyden.Sample, 0, n)
	for i := range list {
		for j := range list[i].SampledValue {
			samples = append(samples, sample16(&list[i], &list[i].SampledValue[j]))
		}
	}
	return samples
}

func sample16(at *v16.MeterValue, v *v16.SampledValue) leyden.Sample {
	s := leyden.Sample{
		At: at.Timestamp, Value: v.Value,
		Measurand: unless(v.Measurand.Value, v16.MeasurandEnergyActiveImportRegister),
		Unit:      string(v.Unit.Value),
		Context:   unless(v.Context.Value, v16.ReadingContextSamplePeriodic),
		Phase:     string(v.Phase.Value),
		Location:  unless(v.Location.Value, v16.LocationOutlet),
		Format:    unless(v.Format.Value, v16.ValueFormatRaw),
	}
	if s.Measurand == "" {
		s.Unit = unless(v.Unit.Value, v16.UnitWh)
	}
	return s
}

// unless returns word, or "" if it is the default.
func unless[T ~string](word, def T) string {
	if word == def {
		return ""
	}
	return string(word)
}

// idTagInfo16 says what a token is worth. A group that OCPP 1.6 cannot say is
// left out.
func idTagInfo16(i leyden.TokenInfo) v16.IDTagInfo {
	info := v16.IDTagInfo{Status: v16.AuthorizationStatus(i.Status), ParentIDTag: optional(i.Parent)}
	if !i.Expiry.IsZero() {
		info.ExpiryDate = ocpp.Some(i.Expiry)
	}
	var v ocpp.Violations
	if info.Check(&v); len(v.List) > 0 {
		return v16.IDTagInfo{Status: info.Status}
	}
	return info
}

func pointer(o ocpp.Opt[int]) *int {
	if n, ok := o.Get(); ok {
		return &n
	}
	return nil
}

// followups returns what does, once the answer has left, what the ledger wants
// done.
func (s *session) followups(out *leyden.Outcome) func() {
	if len(out.Followups) == 0 {
		return nil
	}
	list := out.Followups
	return func() { s.srv.follow(list) }
}
