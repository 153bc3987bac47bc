// Package client speaks to a Leyden server over its REST APIs.
//
//	c := client.New("http://127.0.0.1:8080", client.Key(key))
//	for t, err := range c.AllTransactions(ctx, client.ListTransactionsQuery{Status: []string{"completed"}}) {
//		…
//	}
//
// Each operation of the OpenAPI document is one method, named by its operationId
// without v1; those of v2 begin with V2. Types and methods in *_gen.go are made of
// the document by internal/genclient. Pointers are nil where a value is unknown,
// and, in requests, where a field is left out.
//
// # What it promises
//
// A refusal is an [*Error] with status, code and request id. What may safely be
// sent again is: reads, and every POST, which carries an Idempotency-Key, so that
// it is carried out once however often it is sent. That happens after a lost
// connection, and when the server asks for it with a Retry-After of a minute at most; see
// [Retries].
// Methods end when their context does.
//
// [Client.Follow] tells every change from a place on, without a gap, across
// restarts of either side. [VerifyWebhook] proves that a webhook came from the
// server.
package client

//go:generate go run leyden/internal/genclient -out .
