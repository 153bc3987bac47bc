package sim

import (
	"context"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// obey answers a CALL of the central system. It runs on the goroutine that
// reads the connection and has the station decide.
func (s *station) obey(ctx context.Context, f ocpp.Frame) ocpp.Reply {
	s.book.commands.Add(1)
	switch v16.DirectionOf(f.Action) {
	case ocpp.None:
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotImplemented, "%q is unknown", f.Action)}
	case ocpp.FromStation:
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotSupported, "%s is for stations to send", f.Action)}
	}
	req := v16.NewRequest(f.Action)
	if !s.conforms("its "+f.Action, req, f.Payload) {
		return ocpp.Reply{Err: ocpp.Errorf(ocpp.FormationViolation, "the payload of %s does not conform", f.Action)}
	}
	reply := make(chan ocpp.Reply, 1)
	s.post(ctx, func() {
		res, then := s.command(req, s.clock())
		r := ocpp.Reply{Message: res}
		if res == nil {
			r.Err = ocpp.Errorf(ocpp.NotSupported, "%s is not supported", f.Action)
		}
		if then != nil {
			r.Then = func() { s.post(ctx, func() { then(s.clock()) }) }
		}
		reply <- r
	})
	select {
	case r := <-reply:
		return r
	case <-ctx.Done():
		return ocpp.Reply{Err: &ocpp.CloseError{Code: ocpp.CloseGoingAway}}
	}
}

// command decides about a request. What it returns as then is done when the
// answer has left; a nil response means that the station cannot do it.
func (s *station) command(req ocpp.Request, now time.Time) (res ocpp.Message, then func(now time.Time)) {
	switch m := req.(type) {
	case *v16.RemoteStartTransaction:
		return &v16.RemoteStartTransactionResponse{Status: s.remoteStart(m, now)}, nil
	case *v16.RemoteStopTransaction:
		c := s.charging(m.TransactionID)
		return &v16.RemoteStopTransactionResponse{Status: accepted(c != nil)}, s.stopping(c, v16.ReasonRemote)
	case *v16.Reset:
		return &v16.ResetResponse{Status: v16.GenericStatusAccepted}, func(now time.Time) {
			s.reboot(now, m.Type == v16.ResetTypeHard)
			s.securityEvent("ResetOrReboot", string(m.Type), now)
		}
	case *v16.UnlockConnector:
		return s.unlock(m.ConnectorID)
	case *v16.ChangeAvailability:
		return s.changeAvailability(m)
	case *v16.ChangeConfiguration:
		return &v16.ChangeConfigurationResponse{Status: s.changeSetting(m.Key, m.Value)}, nil
	case *v16.GetConfiguration:
		return s.config.tell(m.Key), nil
	case *v16.ClearCache:
		return &v16.ClearCacheResponse{Status: v16.GenericStatusAccepted}, nil
	case *v16.DataTransfer:
		return s.dataTransfer(m), nil
	}
	return s.blockCommand(req, now)
}

// blockCommand decides about a request that is not of the Core profile.
func (s *station) blockCommand(req ocpp.Request, now time.Time) (res ocpp.Message, then func(now time.Time)) {
	for _, block := range []func(ocpp.Request, time.Time) (ocpp.Message, func(time.Time)){
		s.triggerCommand, s.smartCommand, s.reservationCommand, s.listCommand, s.firmwareCommand, s.uploadCommand, s.certificateCommand,
	} {
		if res, then := block(req, now); res != nil {
			return res, then
		}
	}
	return nil, nil
}

// changeSetting answers a ChangeConfiguration, and does what follows from it.
func (s *station) changeSetting(key, value string) v16.ConfigurationStatus {
	if strings.EqualFold(key, keySecurityProfile) && !s.mayRaise(value) {
		return v16.ConfigurationStatusRejected
	}
	status := s.config.change(key, value)
	if strings.EqualFold(key, keyAuthorization) && status == v16.ConfigurationStatusAccepted {
		s.rekey(value)
	}
	return status
}

func accepted(ok bool) v16.GenericStatus {
	if ok {
		return v16.GenericStatusAccepted
	}
	return v16.GenericStatusRejected
}

// connector returns the connector of that number, or nil.
func (s *station) connector(id int) *connector {
	if id < 1 || id > len(s.connectors) {
		return nil
	}
	return s.connectors[id-1]
}

// charging returns the connector that charges under a transaction number, or
// nil.
func (s *station) charging(id int) *connector {
	for _, c := range s.connectors {
		if c.charge != nil && c.charge.id == id && id > 0 {
			return c
		}
	}
	return nil
}

// stopping returns what ends the charge that runs now.
func (s *station) stopping(c *connector, reason v16.Reason) func(time.Time) {
	if c == nil {
		return nil
	}
	ch := c.charge
	return func(now time.Time) {
		if c.charge == ch {
			s.finish(c, now, reason)
		}
	}
}

// remoteStart takes a remote start where a cable can be plugged in, or is
// plugged in and waits for a card (OCPP 1.6 §5.11). The car is plugged in at
// once: a driver who asked by phone stands before the station. One that came
// before this connection's boot was accepted has come too early (§4.2).
func (s *station) remoteStart(m *v16.RemoteStartTransaction, now time.Time) v16.GenericStatus {
	c := s.connector(m.ConnectorID.Value)
	if !m.ConnectorID.Set {
		c = s.anyFree(m.IDTag)
	}
	if c == nil || !s.free(c, m.IDTag) || s.ending || m.IDTag == "" || !s.booted || !forOneCharge(m.ChargingProfile) {
		return v16.GenericStatusRejected
	}
	c.visit, c.number, c.parent = s.opt.remoteVisit(s.remotes, m.IDTag), -1, ""
	c.profile = m.ChargingProfile
	c.phase, c.due = arriving, now.Add(s.scale(plugDelay))
	s.setStatus(c, v16.ChargePointStatusPreparing, now)
	return v16.GenericStatusAccepted
}

// forOneCharge reports whether a remote start may bring a profile (OCPP 1.6 §5.16.2).
func forOneCharge(p ocpp.Opt[v16.ChargingProfile]) bool {
	return !p.Set || usable(&p.Value) && !p.Value.TransactionID.Set &&
		p.Value.ChargingProfilePurpose == v16.ChargingProfilePurposeTxProfile
}

// anyFree returns a connector where a driver may charge: best one that is
// reserved for nobody else.
func (s *station) anyFree(tag string) *connector {
	for _, c := range s.connectors {
		if r := s.reservationAt(c.id); r != nil && r.is(tag, "") && s.free(c, tag) {
			return c
		}
	}
	for _, c := range s.connectors {
		if s.free(c, tag) {
			return c
		}
	}
	return nil
}

// free reports whether a driver could begin a charge at c.
func (s *station) free(c *connector, tag string) bool {
	switch c.phase {
	case idle, gone:
		return c.open() && s.welcome(c, tag)
	case plugged:
		return s.welcome(c, tag)
	}
	return false
}

// open reports whether a cable could be plugged in.
func (c *connector) open() bool {
	return c.status == v16.ChargePointStatusAvailable || c.status == v16.ChargePointStatusReserved
}

// unlock answers an UnlockConnector, which ends a charge (OCPP 1.6 §5.18).
func (s *station) unlock(id int) (ocpp.Message, func(time.Time)) {
	c := s.connector(id)
	if c == nil {
		return &v16.UnlockConnectorResponse{Status: v16.UnlockStatusNotSupported}, nil
	}
	res := &v16.UnlockConnectorResponse{Status: v16.UnlockStatusUnlocked}
	if c.charge == nil {
		return res, nil
	}
	return res, s.stopping(c, v16.ReasonUnlockCommand)
}

// changeAvailability answers a ChangeAvailability (OCPP 1.6 §5.2). A charge
// that runs may end first.
func (s *station) changeAvailability(m *v16.ChangeAvailability) (ocpp.Message, func(time.Time)) {
	changed := s.connectors
	operative := m.Type == v16.AvailabilityTypeOperative
	if m.ConnectorID != 0 {
		c := s.connector(m.ConnectorID)
		if c == nil {
			return &v16.ChangeAvailabilityResponse{Status: v16.AvailabilityStatusRejected}, nil
		}
		changed = []*connector{c}
		c.operative = operative
	}
	if m.ConnectorID == 0 {
		s.operative = operative
	}
	if !operative {
		s.unreserve(m.ConnectorID) // nobody could use it (OCPP 1.6 §3.9)
	}
	status := v16.AvailabilityStatusAccepted
	for _, c := range changed {
		if c.phase == charging && !operative {
			status = v16.AvailabilityStatusScheduled
		}
	}
	return &v16.ChangeAvailabilityResponse{Status: status}, func(now time.Time) {
		if m.ConnectorID == 0 {
			s.notify(0, s.mainStatus(), now, nil)
		}
		for _, c := range changed {
			s.rest(c, now)
		}
	}
}

// rest gives an unused connector the status that its availability wants.
func (s *station) rest(c *connector, now time.Time) {
	if c.phase == idle || c.phase == gone {
		s.setStatus(c, s.resting(c), now)
	}
}

// dataTransfer echoes what its own vendor sends (OCPP 1.6 §5.6).
func (s *station) dataTransfer(m *v16.DataTransfer) *v16.DataTransferResponse {
	if m.VendorID != s.vendor {
		return &v16.DataTransferResponse{Status: v16.DataTransferStatusUnknownVendorId}
	}
	if id := m.MessageID.Or(""); id != "" && id != "echo" {
		return &v16.DataTransferResponse{Status: v16.DataTransferStatusUnknownMessageId}
	}
	return &v16.DataTransferResponse{Status: v16.DataTransferStatusAccepted, Data: m.Data}
}
