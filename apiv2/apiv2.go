package apiv2

import (
	"errors"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

const (
	tagTransactions = "Transactions v2"
	tagTokens       = "OAuth2"

	// retryStorage is when to come back while storage cannot answer.
	retryStorage = 5 * time.Second
)

// Register adds the façade to api. Transactions are read from store; tokens
// issues access tokens.
func Register(api *rest.API, store leyden.Store, tokens *auth.Authenticator) {
	registerTransactions(api, store)
	registerToken(api, tokens)
}

// errorBody is how v2 says an error.
type errorBody struct {
	Code      int    `json:"code" doc:"The HTTP status."`
	Message   string `json:"message" doc:"What went wrong; begins with the field when there is one."`
	RequestID string `json:"requestId" doc:"As in the header X-Request-ID."`
}

func facade() *rest.Facade {
	return &rest.Facade{
		Prefix:  "/v2/",
		Explain: explain,
		Body: func(e *rest.Error, requestID string) any {
			return errorBody{Code: e.Status, Message: e.Message, RequestID: requestID}
		},
	}
}

// explain maps the errors of package leyden that reading can meet.
func explain(err error) *rest.Error {
	switch {
	case errors.Is(err, leyden.ErrNotFound):
		return rest.Errorf(http.StatusNotFound, "there is no such transaction")
	case errors.Is(err, leyden.ErrUnavailable):
		return rest.Errorf(http.StatusServiceUnavailable, "storage is unavailable").RetryAfter(retryStorage).Because(err)
	}
	return nil
}
