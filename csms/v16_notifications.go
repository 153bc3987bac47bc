package csms

import (
	"context"

	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// notification16 keeps what a station merely wants known, and acknowledges it:
// all of these have an empty answer (OCPP 1.6 §4.4, §4.5; security whitepaper
// §4). Words that OCPP does not know are kept as they are.
func notification16(ctx context.Context, s *session, c call) ocpp.Reply {
	m := v16.NewRequest(c.action)
	var v ocpp.Violations
	if err := s.read(c.payload, m, &v); err != nil {
		return s.refuse(ctx, c, err)
	}
	if err := s.notified(ctx, c.action, notificationOf16(m)); err != nil {
		return ocpp.Reply{Err: err}
	}
	return ocpp.Reply{Message: ocpp.Raw(nil)}
}

func notificationOf16(m ocpp.Request) device.Notification {
	switch m := m.(type) {
	case *v16.FirmwareStatusNotification:
		return device.Notification{Kind: device.Firmware, Type: clip(string(m.Status))}
	case *v16.SignedFirmwareStatusNotification:
		return device.Notification{Kind: device.Firmware, Type: clip(string(m.Status)), RequestID: pointer(m.RequestID)}
	case *v16.DiagnosticsStatusNotification:
		return device.Notification{Kind: device.Diagnostics, Type: clip(string(m.Status))}
	case *v16.LogStatusNotification:
		return device.Notification{Kind: device.Log, Type: clip(string(m.Status)), RequestID: pointer(m.RequestID)}
	case *v16.SecurityEventNotification:
		return device.Notification{Kind: device.Security, Type: clip(m.Type), Info: clip(m.TechInfo.Or("")), At: m.Timestamp}
	}
	return device.Notification{Kind: device.Security, Type: m.Action()}
}
