package apiv1

import (
	"context"
	"encoding/json"

	"leyden"
	"leyden/csms"
	"leyden/rest"
)

// A Caller sends any message to stations.
type Caller interface {
	// Call sends a message as it is given, once its schema finds no fault.
	Call(ctx context.Context, id leyden.StationID, action string, payload []byte) (csms.CallAnswer, error)
}

// maxLargeBody is how large a body may be that holds a list or a whole message,
// in bytes.
const maxLargeBody = 4 << 20

type callInput struct {
	ChargerPath
	Body struct {
		Action  string          `json:"action" minLength:"1" maxLength:"100" doc:"As OCPP names it." example:"GetLocalListVersion"`
		Payload json.RawMessage `json:"payload,omitempty" doc:"The message, as the schema of the action has it; {} when absent."`
	} `nameHint:"V1Call"`
}

// callAnswer is what a charger answered, whatever that was.
type callAnswer struct {
	Status string          `json:"status" enum:"answered,error" doc:"answered: result has what it said. error: it refused to process the message." example:"answered"`
	Result json.RawMessage `json:"result" doc:"The payload of its answer, as sent; null with an error."`
	Error  *callError      `json:"error,omitempty"`
}

// callError is a CALLERROR.
type callError struct {
	Code        string          `json:"code" doc:"As OCPP names it." example:"NotSupported"`
	Description string          `json:"description" example:"not in this firmware"`
	Details     json.RawMessage `json:"details" doc:"An object as sent, secrets masked; null without one."`
}

const (
	callAnswered = "answered"
	callErrored  = "error"
)

func (a *api) serveCall() {
	command(a, rest.Operation{
		Path: "/call", ID: "v1Call", Summary: "Send any message", MaxBody: maxLargeBody,
		Description: "Sends a message as it is given: any that OCPP lets a central system send, once the schema of its action finds no fault with it. " +
			"Whatever the charger answers is 200, also an error. A charge that is started or stopped this way is not in the ledger before the charger reports it: " +
			"`remote-start` and `stop` know it from the first.",
	}, a.call)
}

func (a *api) call(ctx context.Context, in *callInput) (*bodied[callAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	answer, err := a.Stations.Call(ctx, s.ID, in.Body.Action, in.Body.Payload)
	if err != nil {
		return nil, err
	}
	if e := answer.Error; e != nil {
		return &bodied[callAnswer]{callAnswer{
			Status: callErrored, Error: &callError{e.Code, e.Description, rawOrNull(e.Details)},
		}}, nil
	}
	return &bodied[callAnswer]{callAnswer{Status: callAnswered, Result: answer.Result}}, nil
}

// rawOrNull returns a JSON text as it is, and null for none.
func rawOrNull(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}
