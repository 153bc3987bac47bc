// Package rest is what the REST façades share: one OpenAPI 3.1 document that
// cannot drift from the code, one way in, one way to refuse.
//
// # What it promises
//
// Every operation is registered with [Handle]; the document at /openapi.json
// is made from the same Go types that read the request and write the reply.
// A request passes, in this order: request id, access log, recovery; the path
// and method (404, 405 with Allow); the credential and its scope (401, 403); the
// limits (429); the query (unknown, empty, repeated or malformed parameters are 400
// and named); content type and size of the body (415, 413); the body itself
// (400 naming the field: unknown, missing, of a wrong type, outside its
// limits, given twice, or spelled in another case); the Idempotency-Key (409,
// 422, or the reply from before); and only then the handler. What it did is in
// the audit log, durably, before the reply is sent: see package calls.
//
// Whatever refuses a request, a handler, this package or a panic, becomes one
// [Error], and the façade whose path prefix matches says it in its own words.
// A 5xx is logged with its cause; the client sees the message and the request
// id, never the cause.
//
// A reply is written only when its body is complete, so an error never follows
// a 200; a handler that streams gives that up, see [Stream].
//
// # How a façade uses it
//
//	v2 := &rest.Facade{
//		Prefix:  "/v2/",
//		Explain: explain, // errors of package leyden to *rest.Error
//		Body: func(e *rest.Error, requestID string) any {
//			return errorBody{Code: e.Status, Message: e.Message, RequestID: requestID}
//		},
//	}
//	rest.Handle(api, v2, rest.Operation{
//		Method:  http.MethodGet,
//		Path:    "/v2/transactions/{TransactionID}",
//		Summary: "One transaction",
//		Tag:     "Transactions v2",
//		Scope:   auth.TransactionsRead,
//		Errors:  []int{http.StatusNotFound},
//	}, func(ctx context.Context, in *getInput) (*getOutput, error) { … })
//
// The input is a struct. Its fields are tagged path:"…", query:"…" or
// header:"…", and one named Body holds the JSON, or one named RawBody, []byte
// and tagged contentType:"…", what the handler reads itself; doc, default, minimum,
// maximum, minLength, maxLength, pattern and enum tags validate and document.
// Parameters are never pointers; the zero value means absent unless a default
// is given. In a body every field without omitempty is required. Times of a
// query and of bodies are [Time].
//
// The output is a struct too: Body is the JSON, fields tagged header:"…" are
// headers (an empty string is left out), an int named Status overrides the
// operation's status, an embedded [Stream] makes a streamed reply possible, an
// embedded [Versioned] gives it an entity tag, which an input with an embedded
// [Precondition] may name. A
// nil slice renders null although the document says array: make it.
// A pointer to a scalar renders null and says so in the document; a pointer to
// a struct must have omitempty. The order of JSON fields is that of the struct.
//
// Name the types of bodies: the document calls them by package and name
// (apiv2.transaction is V2Transaction). All calls of [Handle] come before the
// API serves its first request.
//
// Handlers find who asks with [PrincipalOf] and [ClientAddr], where the client
// reached us with [Origin] and the id to correlate with [RequestID]. They find a
// transaction by either of its ids with [FindTransaction] and link pages with
// [PageLink]. They note what a call is about with [Concerns], and those that are
// public who it is by with [Introduce]. They return errors; they never write to
// the connection and never log what they return.
package rest
