package csms

import (
	"context"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
)

// Words that all versions of OCPP share.
const (
	accepted         = "Accepted"
	rejected         = "Rejected"
	bootNotification = "BootNotification"
	heartbeat        = "Heartbeat"
)

// A dialect is how one version of OCPP hears and says what a CSMS has to.
type dialect struct {
	protocol string // the subprotocol's name

	// answer handles a CALL of a station that may work here.
	answer func(ctx context.Context, s *session, f ocpp.Frame) ocpp.Reply
	// reports tells the messages that tell of transactions.
	reports func(action string) bool
	// borrows tells the messages of which answer keeps no part of a text.
	borrows func(action string) bool
	// startable says why a remote start cannot be asked for, or returns nil; so it
	// does for one with a charging profile.
	startable func(r *leyden.StartRequest, p *device.ChargingProfile) error

	// sendable says why a message must not go to a station as it is, or returns nil.
	sendable func(action, payload string) error
	// newKey returns the setting and the password that a message gives a station,
	// if it is that message.
	newKey func(action, payload string) (key, value string, ok bool)
	// kept notes what the answer to a call means for what is kept of a station.
	kept func(ctx context.Context, s *session, action, request, answer string)

	// These send a call and return the station's word.
	remoteStart         func(ctx context.Context, s *session, t *leyden.Transaction, p *device.ChargingProfile) (string, error)
	remoteStop          func(ctx context.Context, s *session, t *leyden.Transaction) (string, error)
	reset               func(ctx context.Context, s *session, kind string) (string, error)
	unlock              func(ctx context.Context, s *session, connector int) (string, error)
	changeAvailability  func(ctx context.Context, s *session, connector int, kind string) (string, error)
	clearCache          func(ctx context.Context, s *session) (string, error)
	trigger             func(ctx context.Context, s *session, message string, connector int) (string, error)
	changeConfiguration func(ctx context.Context, s *session, key, value string) (string, error)

	configuration func(ctx context.Context, s *session, keys []string) (Configuration, error)
	dataTransfer  func(ctx context.Context, s *session, d DataTransfer) (DataTransferAnswer, error)

	smart        smartChargingDialect
	lists        localListDialect
	reservations reservationDialect
	firmware     firmwareDialect
	certificates certificateDialect
}

// A call is a CALL of a station.
type call struct{ id, action, payload string }

func callOf(f ocpp.Frame) call { return call{f.ID, f.Action, f.Payload} }

// frame returns the message as it was sent, but for space outside of the payload.
func (c call) frame() string { return string(c.appendFrame(nil)) }

func (c call) appendFrame(b []byte) []byte {
	b = ocpp.AppendCall(b, c.id, c.action, nil)
	const empty = len("{}]")
	return append(append(b[:len(b)-empty], c.payload...), ']')
}

// protocols returns the subprotocols that the server speaks, the best first.
func protocols() []string { return []string{dialect16.protocol} }

// dialectOf returns the dialect of a subprotocol, or nil.
func dialectOf(protocol string) *dialect {
	if protocol == dialect16.protocol {
		return &dialect16
	}
	return nil
}
