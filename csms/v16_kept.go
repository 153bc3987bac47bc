package csms

import (
	"context"
	"strings"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// kept16 notes what the answer to a call means for what is kept of a station, no
// matter whether a command or a client of [Server.Call] composed it.
func kept16(ctx context.Context, s *session, action, request, answer string) {
	switch action {
	case "ChangeConfiguration":
		keptChange16(s, request, answer)
	case "GetConfiguration":
		keptConfiguration16(s, answer)
	case "CertificateSigned":
		keptChain16(ctx, s, request, answer)
	case "SetChargingProfile":
		keptProfile16(ctx, s, request, answer)
	case "ClearChargingProfile":
		keptClearing16(ctx, s, request, answer)
	case "RemoteStartTransaction":
		keptStart16(ctx, s, request, answer)
	case "GetLocalListVersion":
		keptVersion16(ctx, s, answer)
	case "SendLocalList":
		keptList16(ctx, s, request, answer)
	case "ReserveNow":
		keptReservation16(ctx, s, request, answer)
	case "CancelReservation":
		keptCancellation16(ctx, s, request, answer)
	}
}

// exchanged16 reads a call and its answer, and reports whether both can be read.
func exchanged16(req ocpp.Request, request string, res ocpp.Response, answer string) bool {
	var v ocpp.Violations
	return req.Decode(request, &v) == nil && len(v.List) == 0 && ocpp.ReadAnswer(req.Action(), answer, res) == nil
}

func keptChange16(s *session, request, answer string) {
	var req v16.ChangeConfiguration
	var res v16.ChangeConfigurationResponse
	if exchanged16(&req, request, &res, answer) && strings.EqualFold(string(res.Status), accepted) {
		s.learn(req.Key, req.Value)
	}
}

func keptConfiguration16(s *session, answer string) {
	var res v16.GetConfigurationResponse
	if ocpp.ReadAnswer("GetConfiguration", answer, &res) != nil {
		return
	}
	for _, k := range res.ConfigurationKey {
		if v, ok := k.Value.Get(); ok {
			s.learn(k.Key, v)
		}
	}
}
