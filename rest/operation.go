package rest

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"leyden/auth"
)

// An Operation is one method of one path, as the document describes it and as
// it is served.
type Operation struct {
	Method      string
	Path        string // with {name} for parameters; begins with the façade's prefix
	ID          string // operationId; "" makes one of method and path
	Summary     string // a few words
	Description string // sentences, in Markdown
	Tag         string // the group in the document

	Scope  auth.Scope // what the caller must be allowed
	Public bool       // needs no credential; exactly one of Scope and Public is set
	// LogsIn marks a public operation whose callers show who they are in the request
	// itself: the handler recognises them and calls [Introduce]. They are counted then,
	// by credential, and only those whom nobody recognises by their address, so that a
	// flood of guesses keeps nobody out who guesses nothing.
	LogsIn bool
	// Limited lets credentials in that are limited to some chargers: the handler
	// keeps to [auth.Principal.Reach]. Without it they are refused.
	Limited bool

	Status  int           // of success; 0 is 200
	Errors  []int         // statuses of refusals beyond those that every operation has
	Streams []string      // content types that the embedded [Stream] of the output may have
	MaxBody int64         // bytes; 0 is [MaxBody]
	Timeout time.Duration // 0 is [RequestTimeout]; negative is none, for streams

	// Lasting marks long polls and streams, of which a credential may have a few
	// open at once: see [Limits].
	Lasting bool
	// Unmetered requests do not count against [Limits]: those of probes.
	Unmetered bool
	// Unrecorded marks an operation that changes nothing although its method is not
	// GET, and of whose calls nobody needs a record.
	Unrecorded bool
	// FindOut is a sentence for a client whose request was interrupted: how to find
	// out what came of it; "" is a general one.
	FindOut string
	// ErrorHeaders names headers of the output that refusals may have too.
	ErrorHeaders []string
}

// Handle registers an operation of a façade. See the package comment for what
// I and O may be. It panics on a mistake in its arguments: they are code.
func Handle[I, O any](a *API, f *Facade, op Operation, handler func(context.Context, *I) (*O, error)) {
	op = op.complete()
	a.addFacade(f)
	var out *O
	op.Errors = append(preconditions(new(I)), op.Errors...)
	if op.ID == "" {
		op.ID = huma.GenerateOperationID(op.Method, op.Path, out)
	}
	rt := &route{api: a, facade: f, operation: op}
	described := a.describe(f, op)
	if _, ok := any(out).(streamer); ok {
		_, bodied := reflect.TypeFor[O]().FieldByName("Body")
		describeStreams(&described, op, bodied)
	}
	describeTags(&described, new(O))
	huma.Register(rt, described, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, refusal{err}
		}
		if s, ok := any(out).(streamer); ok && out != nil {
			replyOf(ctx).stream = s.stream()
		}
		return out, nil
	})
}

func (op Operation) complete() Operation {
	if op.Public == (op.Scope != "") {
		panic("rest: " + op.Method + " " + op.Path + " must have a scope, or be public")
	}
	if op.LogsIn && !op.Public {
		panic("rest: " + op.Method + " " + op.Path + " has a scope: its callers are known already")
	}
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	if op.MaxBody == 0 {
		op.MaxBody = MaxBody
	}
	if op.Timeout == 0 {
		op.Timeout = RequestTimeout
	}
	return op
}

func (a *API) addFacade(f *Facade) {
	if !slices.Contains(a.facades, f) {
		a.facades = append(a.facades, f)
	}
}

// A refusal carries an error through huma, which would render it itself.
type refusal struct{ error }

// GetStatus makes a refusal a [huma.StatusError]; the status is not used.
func (refusal) GetStatus() int { return http.StatusInternalServerError }

// Unwrap returns the handler's error.
func (r refusal) Unwrap() error { return r.error }
