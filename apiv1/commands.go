package apiv1

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/rest"
)

// commandAnswer is the word with which a charger answered a command.
type commandAnswer struct {
	Status string `json:"status" doc:"As OCPP names it. Rejected is refused with 409 instead." example:"Accepted"`
}

type resetInput struct {
	ChargerPath
	Body struct {
		Type string `json:"type" enum:"Hard,Soft" doc:"Hard restarts the hardware; Soft ends transactions first." example:"Soft"`
	} `nameHint:"V1Reset"`
}

type unlockInput struct {
	ChargerPath
	Body struct {
		ConnectorID int `json:"connectorId" minimum:"1" maximum:"65535" example:"1"`
	} `nameHint:"V1Unlock"`
}

type availabilityInput struct {
	ChargerPath
	Body struct {
		ConnectorID int    `json:"connectorId" minimum:"0" maximum:"65535" doc:"0 is the whole charger." example:"1"`
		Type        string `json:"type" enum:"Operative,Inoperative" example:"Inoperative"`
	} `nameHint:"V1Availability"`
}

type triggerInput struct {
	ChargerPath
	Body struct {
		RequestedMessage string `json:"requestedMessage" enum:"BootNotification,DiagnosticsStatusNotification,FirmwareStatusNotification,Heartbeat,LogStatusNotification,MeterValues,SignChargePointCertificate,StatusNotification" example:"StatusNotification"`
		ConnectorID      int    `json:"connectorId,omitempty" minimum:"1" maximum:"65535" doc:"Only about this connector." example:"1"`
	} `nameHint:"V1Trigger"`
}

type dataTransferInput struct {
	ChargerPath
	Body struct {
		VendorID  string `json:"vendorId" minLength:"1" maxLength:"255" example:"com.example"`
		MessageID string `json:"messageId,omitempty" minLength:"1" maxLength:"50" example:"GetTariff"`
		Data      string `json:"data,omitempty" doc:"Whatever the vendor defined." example:"{}"`
	} `nameHint:"V1DataTransfer"`
}

// dataTransferAnswer is what a charger answered to vendor data.
type dataTransferAnswer struct {
	Status string  `json:"status" doc:"Accepted, UnknownMessageId or UnknownVendorId." example:"Accepted"`
	Data   *string `json:"data" doc:"Whatever the vendor defined."`
}

// command registers an operation that sends commands to a charger, in the name
// of who asks.
func command[I, T any](a *api, op rest.Operation, f func(context.Context, *I) (*bodied[T], error)) {
	op.Method, op.Path, op.Tag = http.MethodPost, "/chargers/{chargeBoxId}"+op.Path, cmp.Or(op.Tag, tagCommands)
	op.Scope, op.Errors, op.Timeout = auth.ChargersControl, ofStations(), cmp.Or(op.Timeout, stationTimeout)
	op.FindOut = findOutCommand
	op.ErrorHeaders = []string{commandIDHeader}
	handle(a, op, func(ctx context.Context, in *I) (*commanded[T], error) {
		ctx = csms.As(ctx, rest.PrincipalOf(ctx).ID)
		out, err := f(ctx, in)
		if err != nil {
			return nil, afterCommand(ctx, err)
		}
		return &commanded[T]{csms.CommandOf(ctx), out.Body}, nil
	})
}

// afterCommand adds to a refusal the id of the command that it is about.
func afterCommand(ctx context.Context, err error) error {
	id := csms.CommandOf(ctx)
	e, ok := errors.AsType[*rest.Error](err)
	if !ok {
		e = explain(err)
	}
	if id == "" || e == nil {
		return err
	}
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set(commandIDHeader, id)
	return e
}

// commandIDHeader tells under which id the last command of a request is on record.
const commandIDHeader = "X-Command-ID"

func (a *api) serveCommands() {
	command(a, rest.Operation{
		Path: "/reset", ID: "v1Reset", Summary: "Restart a charger",
		Description: "OCPP Reset.",
	}, func(ctx context.Context, in *resetInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) { return a.Stations.Reset(ctx, id, in.Body.Type) })
	})
	command(a, rest.Operation{
		Path: "/unlock", ID: "v1Unlock", Summary: "Unlock a connector",
		Description: "OCPP UnlockConnector, for a cable that is stuck. Answers Unlocked, UnlockFailed or NotSupported.",
	}, func(ctx context.Context, in *unlockInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) { return a.Stations.Unlock(ctx, id, in.Body.ConnectorID) })
	})
	command(a, rest.Operation{
		Path: "/availability", ID: "v1ChangeAvailability", Summary: "Change the availability of a connector",
		Description: "OCPP ChangeAvailability. Answers Accepted, or Scheduled when a transaction has to end first.",
	}, func(ctx context.Context, in *availabilityInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
			return a.Stations.ChangeAvailability(ctx, id, in.Body.ConnectorID, in.Body.Type)
		})
	})
	command(a, rest.Operation{
		Path: "/cache/clear", ID: "v1ClearCache", Summary: "Clear the authorization cache",
		Description: "OCPP ClearCache: the charger forgets which idTags it learnt.",
	}, func(ctx context.Context, in *ChargerPath) (*bodied[commandAnswer], error) {
		return a.answered(ctx, *in, func(id leyden.StationID) (string, error) { return a.Stations.ClearCache(ctx, id) })
	})
	command(a, rest.Operation{
		Path: "/trigger", ID: "v1TriggerMessage", Summary: "Ask for a message",
		Description: "OCPP TriggerMessage. Answers Accepted or NotImplemented; the message itself follows. " +
			"LogStatusNotification and SignChargePointCertificate belong to the security extension and go out as ExtendedTriggerMessage.",
	}, func(ctx context.Context, in *triggerInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
			return a.Stations.Trigger(ctx, id, in.Body.RequestedMessage, in.Body.ConnectorID)
		})
	})
	command(a, rest.Operation{
		Path: "/data-transfer", ID: "v1DataTransfer", Summary: "Send vendor data",
		Description: "OCPP DataTransfer.",
	}, a.dataTransfer)
}

// answered sends a command and shows the answer.
func (a *api) answered(ctx context.Context, p ChargerPath, send func(leyden.StationID) (string, error)) (*bodied[commandAnswer], error) {
	s, err := a.charger(ctx, p.Ref)
	if err != nil {
		return nil, err
	}
	status, err := send(s.ID)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(status, statusRejected) {
		return nil, rejected()
	}
	return &bodied[commandAnswer]{commandAnswer{status}}, nil
}

func (a *api) dataTransfer(ctx context.Context, in *dataTransferInput) (*bodied[dataTransferAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	answer, err := a.Stations.DataTransfer(ctx, s.ID, csms.DataTransfer{
		VendorID: in.Body.VendorID, MessageID: in.Body.MessageID, Data: in.Body.Data,
	})
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(answer.Status, statusRejected) {
		e := rejected()
		if answer.Data != "" {
			e.Details = []rest.Detail{{Field: "data", Reason: answer.Data}}
		}
		return nil, e
	}
	return &bodied[dataTransferAnswer]{dataTransferAnswer{answer.Status, orNull(answer.Data)}}, nil
}
