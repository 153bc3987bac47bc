package apiv1

import (
	"context"

	"leyden"
	"leyden/rest"
)

type readConfigurationInput struct {
	ChargerPath
	Body *struct {
		Keys []string `json:"keys,omitempty" minLength:"1" maxLength:"50" maxItems:"100" doc:"Only these; all when there are none." example:"HeartbeatInterval"`
	} `nameHint:"V1ReadConfiguration"`
}

type changeConfigurationInput struct {
	ChargerPath
	Body struct {
		Key   string `json:"key" minLength:"1" maxLength:"50" example:"HeartbeatInterval"`
		Value string `json:"value" maxLength:"500" example:"300"`
	} `nameHint:"V1ChangeConfiguration"`
}

// configuration is what a charger told of its settings, in OCPP's words.
type configuration struct {
	ConfigurationKey []configurationKey `json:"configurationKey"`
	UnknownKey       []string           `json:"unknownKey" doc:"Keys that the charger does not know." example:"NoSuchKey"`
}

type configurationKey struct {
	Key      string  `json:"key" example:"HeartbeatInterval"`
	ReadOnly bool    `json:"readonly" example:"false"`
	Value    *string `json:"value" doc:"Null when the charger does not tell it." example:"300"`
}

func (a *api) serveConfiguration() {
	command(a, rest.Operation{
		Path: "/configuration/get", ID: "v1GetConfiguration", Summary: "Read settings",
		Description: "OCPP GetConfiguration. The body may be left out.",
	}, a.readConfiguration)
	command(a, rest.Operation{
		Path: "/configuration/change", ID: "v1ChangeConfiguration", Summary: "Change a setting",
		Description: "OCPP ChangeConfiguration. Answers Accepted, RebootRequired or NotSupported.",
	}, func(ctx context.Context, in *changeConfigurationInput) (*bodied[commandAnswer], error) {
		return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
			return a.Stations.ChangeConfiguration(ctx, id, in.Body.Key, in.Body.Value)
		})
	})
}

func (a *api) readConfiguration(ctx context.Context, in *readConfigurationInput) (*bodied[configuration], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	var keys []string
	if in.Body != nil {
		keys = in.Body.Keys
	}
	answer, err := a.Stations.Configuration(ctx, s.ID, keys)
	if err != nil {
		return nil, err
	}
	out := configuration{
		ConfigurationKey: make([]configurationKey, len(answer.Entries)),
		UnknownKey:       append([]string{}, answer.Unknown...),
	}
	for i, e := range answer.Entries {
		out.ConfigurationKey[i] = configurationKey{e.Key, e.ReadOnly, e.Value}
	}
	return &bodied[configuration]{out}, nil
}
