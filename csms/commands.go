package csms

import (
	"context"
	"strconv"
	"strings"
	"time"

	"leyden"
)

// A DataTransfer is a message whose content vendor and operator agreed upon.
type DataTransfer struct {
	VendorID  string
	MessageID string // "": none
	Data      string // "": none
}

// A DataTransferAnswer is what a station answered to a [DataTransfer].
type DataTransferAnswer struct {
	Status string // Accepted, Rejected, UnknownMessageId, UnknownVendorId
	Data   string
}

// A Configuration is what a station told of its settings.
type Configuration struct {
	Entries []ConfigurationEntry
	Unknown []string // keys that the station does not know
}

// A ConfigurationEntry is one setting of a station.
type ConfigurationEntry struct {
	Key      string
	Value    *string // nil when the station does not tell it
	ReadOnly bool
}

// connectionTimeOut is the key of the setting that says how long a station waits
// for a vehicle after a remote start, in seconds (OCPP 1.6 §9.1.5).
const connectionTimeOut = "ConnectionTimeOut"

// The commands below return the word with which the station answered, Rejected
// included. They fail with [leyden.ErrInvalid] for what OCPP cannot say,
// [leyden.ErrNotFound] for a station that nobody knows, [leyden.ErrOffline] (with
// [ErrLeft] if it was asked before), [leyden.ErrBusy], [leyden.ErrSilent], or a
// [*StationError].

// Reset restarts a station; kind is Hard or Soft.
func (srv *Server) Reset(ctx context.Context, id leyden.StationID, kind string) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.reset(ctx, s, kind)
}

// Unlock unlocks the cable of a connector.
func (srv *Server) Unlock(ctx context.Context, id leyden.StationID, connector int) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.unlock(ctx, s, connector)
}

// ChangeAvailability makes a connector, or with 0 the whole station, Operative
// or Inoperative, which is kind.
func (srv *Server) ChangeAvailability(ctx context.Context, id leyden.StationID, connector int, kind string) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.changeAvailability(ctx, s, connector, kind)
}

// ClearCache makes a station forget the idTags that it learnt.
func (srv *Server) ClearCache(ctx context.Context, id leyden.StationID) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.clearCache(ctx, s)
}

// Trigger makes a station send a message now, about a connector unless that is 0.
func (srv *Server) Trigger(ctx context.Context, id leyden.StationID, message string, connector int) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	return s.dialect.trigger(ctx, s, message, connector)
}

// ChangeConfiguration changes a setting of a station. With the key
// AuthorizationKey it changes the station's password, here too ([Gate].Rotate);
// no error quotes the value then.
func (srv *Server) ChangeConfiguration(ctx context.Context, id leyden.StationID, key, value string) (string, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return "", err
	}
	if strings.EqualFold(key, authorizationKey) && srv.opt.Gate != nil {
		return s.changeKey(ctx, key, value)
	}
	return s.dialect.changeConfiguration(ctx, s, key, value)
}

// Configuration returns the settings of a station with these keys, or all of
// them if there are none.
func (srv *Server) Configuration(ctx context.Context, id leyden.StationID, keys []string) (Configuration, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return Configuration{}, err
	}
	return s.dialect.configuration(ctx, s, keys)
}

// DataTransfer sends a message that the station's vendor defined.
func (srv *Server) DataTransfer(ctx context.Context, id leyden.StationID, d DataTransfer) (DataTransferAnswer, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return DataTransferAnswer{}, err
	}
	return s.dialect.dataTransfer(ctx, s, d)
}

// learn takes note of a setting that matters to the ledger.
func (s *session) learn(key, value string) {
	if connector, ok := keySetting(key); ok {
		s.noteKey(connector, value, clip(key))
	}
	if !strings.EqualFold(key, connectionTimeOut) {
		return
	}
	const most = 24 * time.Hour / time.Second
	if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 && n <= int(most) {
		s.srv.ledger.Told(s.station, time.Duration(n)*time.Second)
	}
}
