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

// borrows16 tells the messages that stations send all the time. Their handlers copy
// what they keep of them.
func borrows16(action string) bool {
	switch action {
	case "StartTransaction", "MeterValues", "StopTransaction", "Authorize", heartbeat, "StatusNotification":
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
	r := s.report(leyden.Started, c.payload)
	defer r.free()
	e := r.Event
	e.At, e.Connector = m.Timestamp, m.ConnectorID
	e.Token.Value = strings.Clone(m.IDTag)
	e.Reservation = pointer(m.ReservationID)
	r.setRegister(m.MeterStart)
	r.setZone(v)
	if len(v.List) > 0 {
		r.odd()
	}
	in.done(c.payload)
	r.keepFrame(s, c)
	err = s.record(ctx, r)
	if errors.Is(err, leyden.ErrActive) {
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.GenericError, "a transaction is active on connector %d", e.Connector)}
	}
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{
		Message: &v16.StartTransactionResponse{IDTagInfo: idTagInfo16(&e.Auth), TransactionID: int(e.Transaction)},
		Then:    s.stopAfter(r),
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
	r := s.report(leyden.Ended, c.payload)
	defer r.free()
	e := r.Event
	e.At = m.Timestamp
	r.setNumber(m.TransactionID)
	r.samples16(m.TransactionData)
	r.setRegister(m.MeterStop)
	r.setZone(v)
	e.Token.Value = r.short(m.IDTag.Or(""))
	e.Reason, e.ReasonText = reason16(m.Reason.Or(""))
	e.ReasonText = r.short(e.ReasonText)
	r.note(v, "transactionData")
	in.done(c.payload)
	told := e.Token.Value != ""
	r.Frame = s.toKeep(c.payload)
	if err = s.record(ctx, r); err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	res := new(v16.StopTransactionResponse)
	if told && e.Auth.Status != "" {
		res.IDTagInfo = ocpp.Some(idTagInfo16(&e.Auth))
	}
	return ocpp.Reply{Message: res, Then: s.stopAfter(r)}
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
	r := s.report(leyden.Updated, c.payload)
	defer r.free()
	e := r.Event
	e.Connector = m.ConnectorID
	r.number16(m, v)
	r.samples16(m.MeterValue)
	for i := range e.Samples {
		if at := e.Samples[i].At; at.After(e.At) {
			e.At = at
		}
	}
	r.note(v, "meterValue")
	in.done(c.payload)
	r.Frame = s.toKeep(c.payload)
	if err = s.record(ctx, r); err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{Message: &v16.MeterValuesResponse{}}
}

// number16 takes the transactionId of readings, if there is one.
func (r *report) number16(m *v16.MeterValues, v *ocpp.Violations) {
	n, ok := m.TransactionID.Get()
	if !ok && len(v.List) > 0 {
		n, ok = integerIn(r.payload, "transactionId")
	}
	if ok {
		r.setNumber(n)
	}
}

// samples16 takes the samples of all instants in one list. What equals the
// default is left empty (OCPP 1.6 §7.43).
func (r *report) samples16(list []v16.MeterValue) {
	for i := range list {
		for j := range list[i].SampledValue {
			r.samples = append(r.samples, leyden.Sample{})
			sample16(&r.samples[len(r.samples)-1], &list[i], &list[i].SampledValue[j])
		}
	}
	r.Event.Samples = r.samples
}

func sample16(s *leyden.Sample, at *v16.MeterValue, v *v16.SampledValue) {
	s.At, s.Value = at.Timestamp, v.Value
	s.Measurand = unless(v.Measurand.Value, v16.MeasurandEnergyActiveImportRegister)
	s.Unit = string(v.Unit.Value)
	s.Context = unless(v.Context.Value, v16.ReadingContextSamplePeriodic)
	s.Phase = string(v.Phase.Value)
	s.Location = unless(v.Location.Value, v16.LocationOutlet)
	s.Format = unless(v.Format.Value, v16.ValueFormatRaw)
	if s.Measurand == "" {
		s.Unit = unless(v.Unit.Value, v16.UnitWh)
	}
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
func idTagInfo16(i *leyden.TokenInfo) v16.IDTagInfo {
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
	if o.Set {
		return new(o.Value)
	}
	return nil
}

// stopAfter returns what stops a transaction, once the answer has left, if the
// ledger wants it stopped.
func (s *session) stopAfter(r *report) func() {
	id := r.RemoteStop
	if id == 0 {
		return nil
	}
	return func() { s.srv.stopUnwanted(id) }
}
