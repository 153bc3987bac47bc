package csms

import (
	"cmp"
	"context"
	"errors"

	"leyden"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// answer16 handles a CALL of an OCPP 1.6 station.
func answer16(ctx context.Context, s *session, f ocpp.Frame) ocpp.Reply {
	c := callOf(f)
	switch c.action {
	case "StartTransaction":
		return startTransaction16(ctx, s, c)
	case "MeterValues":
		return meterValues16(ctx, s, c)
	case "StopTransaction":
		return stopTransaction16(ctx, s, c)
	case "Authorize":
		return authorize16(ctx, s, c)
	case bootNotification:
		return bootNotification16(ctx, s, c)
	case heartbeat:
		return heartbeat16(ctx, s, c)
	case "StatusNotification":
		return statusNotification16(ctx, s, c)
	case "DataTransfer":
		return dataTransferFrom16(ctx, s, c)
	case "DiagnosticsStatusNotification", "FirmwareStatusNotification", "LogStatusNotification",
		"SignedFirmwareStatusNotification", "SecurityEventNotification":
		return notification16(ctx, s, c)
	case "SignCertificate":
		return signCertificate16(ctx, s, c)
	}
	if v16.DirectionOf(c.action) == ocpp.None {
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotImplemented, "OCPP 1.6 has no action %s", c.action)}
	}
	return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotSupported, "stations do not send %s here", c.action)}
}

func authorize16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	defer in.done(c.payload)
	m, v := &in.authorize, &in.found
	err := s.read(c.payload, m, v)
	if err == nil {
		err = v.Err()
	}
	if x, found := v.At("idTag"); found && x.Code == ocpp.PropertyConstraint && m.IDTag == "" {
		err = telling{err}
	}
	if err != nil {
		return s.refuse(ctx, c, err)
	}
	info, err := s.srv.ledger.Authorize(ctx, leyden.IDToken{Value: within(m.IDTag)})
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ocpp.Reply{Message: &v16.AuthorizeResponse{IDTagInfo: idTagInfo16(&info)}}
}

// bootNotification16 notes what a station says of itself, and tells it whether
// it may work here (OCPP 1.6 §4.2). What it told of transactions before is
// recorded before the answer, so that it comes before what it tells next.
func bootNotification16(ctx context.Context, s *session, c call) ocpp.Reply {
	var m v16.BootNotification
	var v ocpp.Violations
	if err := s.read(c.payload, &m, &v); err != nil {
		return s.refuse(ctx, c, err)
	}
	known, err := s.srv.known(ctx, s.station)
	if errors.Is(err, leyden.ErrNotFound) {
		known.Registration, err = leyden.RegistrationRejected, nil // it was removed meanwhile
	}
	if err == nil {
		err = s.srv.ledger.Booted(ctx, s.station, leyden.Sighting{
			Vendor: clip(m.ChargePointVendor), Model: clip(m.ChargePointModel),
			Serial:   clip(cmp.Or(m.ChargePointSerialNumber.Or(""), m.ChargeBoxSerialNumber.Or(""))),
			Firmware: clip(m.FirmwareVersion.Or("")),
		})
	}
	may := known.Registration == leyden.RegistrationAccepted
	if err == nil && may {
		err = s.recordHeld(ctx)
	}
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	s.accepted.Store(may)
	r := ocpp.Reply{Message: &v16.BootNotificationResponse{
		Status: v16.RegistrationStatus(known.Registration), CurrentTime: s.srv.ledger.Now(), Interval: int(s.srv.opt.Heartbeat.Seconds()),
	}}
	if may {
		r.Then = s.askLater
	}
	return r
}

func heartbeat16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	defer in.done(c.payload)
	m, v := &in.heartbeat, &in.found
	if err := s.read(c.payload, m, v); err != nil {
		return s.refuse(ctx, c, err)
	}
	return ocpp.Reply{Message: &v16.HeartbeatResponse{CurrentTime: s.srv.ledger.Now()}}
}

// statusNotification16 notes the state of a connector. Without a connector and a
// state it says nothing, which is no reason to refuse it.
func statusNotification16(ctx context.Context, s *session, c call) ocpp.Reply {
	in := s.inbox16()
	defer in.done(c.payload)
	m, v := &in.status, &in.found
	if err := s.read(c.payload, m, v); err != nil {
		return s.refuse(ctx, c, err)
	}
	ok := ocpp.Reply{Message: &v16.StatusNotificationResponse{}}
	err := mend(v, c.payload, "connectorId", &m.ConnectorID)
	if err != nil || m.Status == "" || m.ConnectorID < 0 || m.ConnectorID > maxConnector {
		s.srv.log.Info("status says nothing", "station", s.station, "connector", m.ConnectorID, "status", clip(string(m.Status)), "error", err)
		return ok
	}
	err = s.srv.ledger.StatusReported(ctx, s.station, leyden.Connector{
		Number: m.ConnectorID, Status: clip(string(m.Status)), ErrorCode: clip(string(m.ErrorCode)),
		Info: clip(m.Info.Or("")), At: m.Timestamp.Value,
	})
	if err != nil {
		return ocpp.Reply{Err: s.fault(ctx, c.action, err)}
	}
	return ok
}

// dataTransferFrom16 answers what no vendor has told us the meaning of (OCPP 1.6
// §4.3).
func dataTransferFrom16(ctx context.Context, s *session, c call) ocpp.Reply {
	var m v16.DataTransfer
	var v ocpp.Violations
	if err := s.read(c.payload, &m, &v); err != nil {
		return s.refuse(ctx, c, err)
	}
	return ocpp.Reply{Message: &v16.DataTransferResponse{Status: v16.DataTransferStatusUnknownVendorId}}
}
