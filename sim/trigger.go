package sim

import (
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// triggerCommand answers what asks for a message.
func (s *station) triggerCommand(req ocpp.Request, _ time.Time) (ocpp.Message, func(time.Time)) {
	switch m := req.(type) {
	case *v16.TriggerMessage:
		status, then := s.trigger(m.RequestedMessage, m.ConnectorID)
		return &v16.TriggerMessageResponse{Status: status}, then
	case *v16.ExtendedTriggerMessage:
		status, then := s.extendedTrigger(m)
		return &v16.ExtendedTriggerMessageResponse{Status: status}, then
	}
	return nil, nil
}

// trigger answers a TriggerMessage (OCPP 1.6 §5.17).
func (s *station) trigger(m v16.MessageTrigger, at ocpp.Opt[int]) (v16.TriggerMessageStatus, func(time.Time)) {
	chosen := s.connectors
	if id, ok := at.Get(); ok && id != 0 {
		c := s.connector(id)
		if c == nil {
			return v16.TriggerMessageStatusRejected, nil
		}
		chosen = []*connector{c}
	}
	var then func(time.Time)
	switch m {
	case v16.MessageTriggerBootNotification:
		then = func(now time.Time) { s.bootAt = now }
	case v16.MessageTriggerHeartbeat:
		then = func(now time.Time) { s.beatAt = now }
	case v16.MessageTriggerStatusNotification:
		then = func(now time.Time) { s.showStatus(at, chosen, now) }
	case v16.MessageTriggerMeterValues:
		then = func(now time.Time) { s.showMeters(chosen, now) }
	case v16.MessageTriggerDiagnosticsStatusNotification:
		then = s.showDiagnostics
	case v16.MessageTriggerFirmwareStatusNotification:
		then = func(now time.Time) { s.showUpdate(false, now) }
	default:
		return v16.TriggerMessageStatusNotImplemented, nil
	}
	return v16.TriggerMessageStatusAccepted, then
}

// extendedTrigger answers an ExtendedTriggerMessage (security whitepaper, A02).
func (s *station) extendedTrigger(m *v16.ExtendedTriggerMessage) (v16.TriggerMessageStatus, func(time.Time)) {
	switch m.RequestedMessage {
	case v16.ExtendedMessageTriggerSignChargePointCertificate:
		return v16.TriggerMessageStatusAccepted, s.askCertificate
	case v16.ExtendedMessageTriggerLogStatusNotification:
		return v16.TriggerMessageStatusAccepted, s.showLog
	case v16.ExtendedMessageTriggerFirmwareStatusNotification:
		return v16.TriggerMessageStatusAccepted, func(now time.Time) { s.showUpdate(true, now) }
	}
	return s.trigger(v16.MessageTrigger(m.RequestedMessage), m.ConnectorID)
}

func (s *station) showStatus(at ocpp.Opt[int], chosen []*connector, now time.Time) {
	if at.Value == 0 {
		s.notify(0, s.mainStatus(), now, nil)
	}
	if id, ok := at.Get(); ok && id == 0 {
		return
	}
	for _, c := range chosen {
		s.report(c, now)
	}
}

// showMeters reads the meters of connectors, for their transactions where there
// are some.
func (s *station) showMeters(chosen []*connector, now time.Time) {
	for _, c := range chosen {
		if c.charge != nil {
			s.putReading(c, now, v16.ReadingContextTrigger)
			continue
		}
		v := s.energy(c.register)
		v.Context = ocpp.Some(v16.ReadingContextTrigger)
		req := &v16.MeterValues{
			ConnectorID: c.id,
			MeterValue:  []v16.MeterValue{{Timestamp: now, SampledValue: []v16.SampledValue{v}}},
		}
		s.tell(&message{action: "MeterValues", build: func() ocpp.Request { return req }}, now)
	}
}
