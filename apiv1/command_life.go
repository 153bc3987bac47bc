package apiv1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/device"
	"leyden/rest"
)

// sentCommand is how v1 shows a [device.Command].
type sentCommand struct {
	ID          string           `json:"id" example:"cmd_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Action      string           `json:"action" doc:"As OCPP names it." example:"Reset"`
	Outcome     string           `json:"outcome" enum:"asked,sent,answered,error,silent,left,notSent" doc:"asked: it waits for its turn. sent: no answer yet. answered, error: what the charger said. silent: no answer in time. left: the connection, or the server, ended before the answer. notSent: it never left." example:"answered"`
	Status      *string          `json:"status" doc:"The charger's word." example:"Accepted"`
	Request     json.RawMessage  `json:"request" doc:"The payload as sent, secrets masked; null for one of more than 64 KiB."`
	Answer      json.RawMessage  `json:"answer" doc:"The payload of the answer, secrets masked; null for none, and for one of more than 64 KiB."`
	Error       *string          `json:"error" doc:"Why there is no answer, or with which error the charger answered."`
	By          *string          `json:"by" doc:"The id of the API key or OAuth2 client that asked; null when the server did of its own accord." example:"key_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	AskedAt     rest.Time        `json:"askedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	SentAt      rest.Time        `json:"sentAt" example:"2026-02-06T12:00:00.000Z"`
	AnsweredAt  rest.Time        `json:"answeredAt" example:"2026-02-06T12:00:00.000Z"`
}

func presentCommand(c *device.Command) sentCommand {
	return sentCommand{
		ID:          c.ID,
		ChargeBoxID: c.Station,
		Action:      c.Action,
		Outcome:     string(c.Outcome),
		Status:      orNull(c.Status),
		Request:     rawOrNull(c.Request),
		Answer:      rawOrNull(c.Answer),
		Error:       orNull(c.Error),
		By:          orNull(c.By),
		AskedAt:     rest.Time{Time: c.AskedAt},
		SentAt:      rest.Time{Time: c.SentAt},
		AnsweredAt:  rest.Time{Time: c.AnsweredAt},
	}
}

type commandList struct {
	Commands   []sentCommand `json:"commands"`
	Pagination pagination    `json:"pagination"`
}

type listCommandsInput struct {
	ChargerPath
	Action string `query:"action" maxLength:"100" doc:"Only those of this action of OCPP." example:"Reset"`
	rest.Window
}

type commandPath struct {
	ChargerPath
	CommandID string `path:"commandId" maxLength:"40" doc:"The id of the command." example:"cmd_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
}

func (a *api) serveCommandLife() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/commands", ID: "v1ListCommands", Tag: tagChargers,
		Summary: "List commands",
		Description: "What the charger was asked, by whom, and what became of it, the last first: also what the server asked of its own accord. " +
			"The last 10,000 are kept.",
		Scope: auth.ChargersRead, Errors: notFound(),
	}, inParts("commands", partLarge, a.listCommands, func(l *commandList) []sentCommand { return l.Commands }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/commands/{commandId}", ID: "v1GetCommand", Tag: tagChargers,
		Summary:     "Get a command",
		Description: "One command and what became of it. Replies to commands have its id in `X-Command-ID`.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getCommand)
}

// errNothingKept says that there is nowhere to look.
var errNothingKept = fmt.Errorf("nothing is kept of chargers: %w", leyden.ErrNotFound)

// devices returns where things about chargers are kept.
func (a *api) devices() (device.Store, error) {
	if a.Devices == nil {
		return nil, errNothingKept
	}
	return a.Devices, nil
}

// keptOf returns the identity of a charger, and where things about it are kept.
func (a *api) keptOf(ctx context.Context, ref string) (leyden.StationID, device.Store, error) {
	s, err := a.charger(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	store, err := a.devices()
	return s.ID, store, err
}

func (a *api) listCommands(ctx context.Context, in *listCommandsInput) (*bodied[commandList], error) {
	id, store, err := a.keptOf(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	found, total, err := store.Commands(ctx, device.CommandQuery{Station: id, Action: in.Action, Page: part})
	if err != nil {
		return nil, err
	}
	out := new(bodied[commandList])
	out.Body.Commands, out.Body.Pagination = paged(ctx, in.Window, found, total,
		func(c *device.Command) leyden.Cursor { return leyden.Cursor{At: c.AskedAt, Name: c.ID} }, presentCommand)
	return out, nil
}

func (a *api) getCommand(ctx context.Context, in *commandPath) (*bodied[sentCommand], error) {
	id, store, err := a.keptOf(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	c, err := store.Command(ctx, in.CommandID)
	if err == nil && c.Station != id {
		err = leyden.ErrNotFound
	}
	if err != nil {
		return nil, named("command", in.CommandID, err)
	}
	return &bodied[sentCommand]{presentCommand(&c)}, nil
}
