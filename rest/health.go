package rest

import (
	"context"
	"net/http"
)

// health is the body of /healthz and /readyz.
type health struct {
	Status  string   `json:"status" enum:"ok,unavailable" doc:"ok, or unavailable with the reasons."`
	Reasons []string `json:"reasons,omitempty" doc:"What keeps the service from doing its work."`
}

type healthOutput struct {
	Status int
	Body   health
}

// serveHealth registers the probes. Neither needs a credential.
func (a *API) serveHealth() {
	Handle(a, a.facades[0], Operation{
		Method:      http.MethodGet,
		Path:        "/healthz",
		ID:          "healthz",
		Summary:     "Is the process alive?",
		Description: "Answers 200 as long as the process can answer at all.",
		Tag:         "Health",
		Public:      true,
		Unmetered:   true,
	}, func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{Status: http.StatusOK, Body: health{Status: "ok"}}, nil
	})
	Handle(a, a.facades[0], Operation{
		Method:      http.MethodGet,
		Path:        "/readyz",
		ID:          "readyz",
		Summary:     "Can it do its work?",
		Description: "Answers 503 with the reasons while storage cannot take facts or the process is shutting down.",
		Tag:         "Health",
		Public:      true,
		Unmetered:   true,
	}, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		return a.readiness(ctx), nil
	})
	responses := a.document.Paths["/readyz"].Get.Responses
	responses["503"].Content = responses["200"].Content
}

func (a *API) readiness(ctx context.Context) *healthOutput {
	if a.config.Ready == nil {
		return &healthOutput{Status: http.StatusOK, Body: health{Status: "ok"}}
	}
	reasons := a.config.Ready(ctx)
	if len(reasons) == 0 {
		return &healthOutput{Status: http.StatusOK, Body: health{Status: "ok"}}
	}
	return &healthOutput{Status: http.StatusServiceUnavailable, Body: health{Status: "unavailable", Reasons: reasons}}
}
