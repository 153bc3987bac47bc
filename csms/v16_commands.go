package csms

import (
	"context"
	"fmt"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

var dialect16 = dialect{
	protocol: "ocpp1.6",

	answer:    answer16,
	reports:   reports16,
	borrows:   borrows16,
	startable: startable16,
	sendable:  sendable16,
	newKey:    newKey16,
	kept:      kept16,

	remoteStart:         remoteStart16,
	remoteStop:          remoteStop16,
	reset:               reset16,
	unlock:              unlock16,
	changeAvailability:  changeAvailability16,
	clearCache:          clearCache16,
	trigger:             trigger16,
	changeConfiguration: changeConfiguration16,
	configuration:       configuration16,
	dataTransfer:        dataTransfer16,

	smart:        smartChargingDialect{set: setChargingProfile16, clear: clearChargingProfiles16, composite: compositeSchedule16},
	lists:        localListDialect{version: localListVersion16, send: sendLocalList16},
	reservations: reservationDialect{reservable: reservable16, reserve: reserve16, cancel: cancelReservation16},
	firmware: firmwareDialect{
		update: updateFirmware16, updateSigned: signedUpdateFirmware16, diagnostics: getDiagnostics16, log: getLog16,
	},
	certificates: certificateDialect{
		signed: certificateSigned16, install: installCertificate16, ids: certificateIDs16, remove: deleteCertificate16,
	},
}

// startable16 refuses what a remote start cannot be asked for. OCPP allows
// connector 0 and leaves the connector out; the ledger must know which one.
func startable16(r *leyden.StartRequest, p *device.ChargingProfile) error {
	switch {
	case r.Connector < 1:
		return fmt.Errorf("connectorId is below 1: %w", leyden.ErrInvalid)
	case r.Token.Value == "":
		return fmt.Errorf("idTag is empty: %w", leyden.ErrInvalid)
	}
	if p != nil {
		if err := startableWith16(r.Connector, p); err != nil {
			return err
		}
	}
	return valid(remoteStartRequest16(r.Connector, r.Token, p))
}

func remoteStartRequest16(connector int, tok leyden.IDToken, p *device.ChargingProfile) *v16.RemoteStartTransaction {
	m := &v16.RemoteStartTransaction{ConnectorID: ocpp.Some(connector), IDTag: tok.Value}
	if p != nil {
		m.ChargingProfile = ocpp.Some(profile16(p))
	}
	return m
}

func remoteStart16(ctx context.Context, s *session, t *leyden.Transaction, p *device.ChargingProfile) (string, error) {
	var res v16.RemoteStartTransactionResponse
	err := s.call(ctx, remoteStartRequest16(t.Connector, t.Token, p), &res)
	return string(res.Status), err
}

func remoteStop16(ctx context.Context, s *session, t *leyden.Transaction) (string, error) {
	var res v16.RemoteStopTransactionResponse
	err := s.call(ctx, &v16.RemoteStopTransaction{TransactionID: int(t.ID)}, &res)
	return string(res.Status), err
}

func reset16(ctx context.Context, s *session, kind string) (string, error) {
	var res v16.ResetResponse
	err := s.call(ctx, &v16.Reset{Type: v16.ResetType(kind)}, &res)
	return string(res.Status), err
}

func unlock16(ctx context.Context, s *session, connector int) (string, error) {
	if connector < 1 {
		return "", fmt.Errorf("connectorId is below 1: %w", leyden.ErrInvalid)
	}
	var res v16.UnlockConnectorResponse
	err := s.call(ctx, &v16.UnlockConnector{ConnectorID: connector}, &res)
	return string(res.Status), err
}

func changeAvailability16(ctx context.Context, s *session, connector int, kind string) (string, error) {
	var res v16.ChangeAvailabilityResponse
	err := s.call(ctx, &v16.ChangeAvailability{ConnectorID: connector, Type: v16.AvailabilityType(kind)}, &res)
	return string(res.Status), err
}

func clearCache16(ctx context.Context, s *session) (string, error) {
	var res v16.ClearCacheResponse
	err := s.call(ctx, &v16.ClearCache{}, &res)
	return string(res.Status), err
}

// trigger16 asks for a message with TriggerMessage where that can name it, and
// otherwise with the message that the security extension has for it.
func trigger16(ctx context.Context, s *session, message string, connector int) (string, error) {
	var at ocpp.Opt[int]
	if connector != 0 {
		at = ocpp.Some(connector)
	}
	if !v16.MessageTrigger(message).Known() && v16.ExtendedMessageTrigger(message).Known() {
		var res v16.ExtendedTriggerMessageResponse
		err := s.call(ctx, &v16.ExtendedTriggerMessage{RequestedMessage: v16.ExtendedMessageTrigger(message), ConnectorID: at}, &res)
		return string(res.Status), err
	}
	var res v16.TriggerMessageResponse
	err := s.call(ctx, &v16.TriggerMessage{RequestedMessage: v16.MessageTrigger(message), ConnectorID: at}, &res)
	return string(res.Status), err
}

func changeConfiguration16(ctx context.Context, s *session, key, value string) (string, error) {
	if key == "" {
		return "", fmt.Errorf("key is empty: %w", leyden.ErrInvalid)
	}
	var res v16.ChangeConfigurationResponse
	err := s.call(ctx, &v16.ChangeConfiguration{Key: key, Value: value}, &res)
	return string(res.Status), err
}

func configuration16(ctx context.Context, s *session, keys []string) (Configuration, error) {
	var res v16.GetConfigurationResponse
	if err := s.call(ctx, &v16.GetConfiguration{Key: keys}, &res); err != nil {
		return Configuration{}, err
	}
	c := Configuration{Unknown: res.UnknownKey}
	for _, k := range res.ConfigurationKey {
		e := ConfigurationEntry{Key: k.Key, ReadOnly: k.Readonly}
		if v, ok := k.Value.Get(); ok {
			e.Value = &v
		}
		c.Entries = append(c.Entries, e)
	}
	return c, nil
}

func dataTransfer16(ctx context.Context, s *session, d DataTransfer) (DataTransferAnswer, error) {
	if d.VendorID == "" {
		return DataTransferAnswer{}, fmt.Errorf("vendorId is empty: %w", leyden.ErrInvalid)
	}
	var res v16.DataTransferResponse
	err := s.call(ctx, &v16.DataTransfer{VendorID: d.VendorID, MessageID: optional(d.MessageID), Data: optional(d.Data)}, &res)
	return DataTransferAnswer{Status: string(res.Status), Data: res.Data.Or("")}, err
}

// optional returns a text that is absent when it is empty.
func optional(text string) ocpp.Opt[string] { return ocpp.Opt[string]{Value: text, Set: text != ""} }
