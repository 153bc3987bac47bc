package calls

import (
	"cmp"
	"fmt"
	"time"

	"leyden"
)

// A Kind says what sort of caller made a call.
type Kind string

// The kinds of callers.
const (
	ByKey         Kind = "key"    // an API key
	ByClient      Kind = "client" // an OAuth2 client
	ByCommandLine Kind = "cli"    // a person with access to the data folder
)

// A Record is one call that may have changed something: a request to a REST
// façade with any method but GET and HEAD, or a command that wrote to the data
// folder directly.
type Record struct {
	Seq         int64                // in the order of commits; given by the store
	At          time.Time            // when it was answered
	By          string               // id of the credential; of a command the user of the operating system
	Kind        Kind                 // what By is
	Name        string               // of the credential, as it was then
	From        string               // address that the request came from; of a command the name of the host
	RequestID   string               // as in the header X-Request-ID; "" for a command
	Method      string               // of HTTP; "" for a command
	Operation   string               // operationId of the document, or the command
	Path        string               // as it was asked for, without the query
	Station     leyden.StationID     // that it was about
	Transaction leyden.TransactionID // that it was about
	Status      int                  // of the reply; of a command 200 or, if it failed, 500
	Code        string               // of the refusal; "" when it was carried out
	Body        string               // excerpt of the request, secrets masked
	Replayed    bool                 // the kept reply of an earlier call was given
}

// Check fails with [leyden.ErrInvalid] for what cannot be kept.
func (r *Record) Check() error {
	if r.By == "" || r.Operation == "" || r.At.IsZero() {
		return fmt.Errorf("a call by nobody, of nothing or at no time: %w", leyden.ErrInvalid)
	}
	return nil
}

// A RecordQuery selects records. Zero fields do not restrict. The newest comes
// first: by At, then by Seq, which is the ID of a cursor.
type RecordQuery struct {
	By          string
	Operation   string
	Station     leyden.StationID
	Transaction leyden.TransactionID
	Status      int
	At          leyden.Window
	// CountTo is how far the selected ones are counted; 0 is [MaxCounted].
	CountTo int
	leyden.Slice
}

// MaxCounted is how far records are counted, unless a query says otherwise.
const MaxCounted = 100_000

// Counted returns how far q has its records counted.
func (q *RecordQuery) Counted() int { return cmp.Or(q.CountTo, MaxCounted) }
