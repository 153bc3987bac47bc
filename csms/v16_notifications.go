package csms

import (
	"cmp"
	"context"
	"strings"

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
	n := notificationOf16(m)
	if len(v.List) > 0 {
		keepRaw16(&n, maskRequest(c.action, c.payload))
	}
	if err := s.notified(ctx, c.action, n); err != nil {
		return ocpp.Reply{Err: err}
	}
	return ocpp.Reply{Message: ocpp.Raw(nil)}
}

// keepRaw16 keeps what a notification says where a text is wanted and something
// else stands.
func keepRaw16(n *device.Notification, payload string) {
	typ := "status"
	if n.Kind == device.Security {
		typ = "type"
	}
	n.Type = cmp.Or(n.Type, rawIn(payload, typ))
	n.Info = cmp.Or(n.Info, rawIn(payload, "techInfo"))
}

// rawIn returns a property of a payload as it stands there, unless it is a text,
// which may be empty, or null.
func rawIn(payload, name string) string {
	raw := property(payload, name)
	if raw == "null" || strings.HasPrefix(raw, `"`) {
		return ""
	}
	return clip(raw)
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
