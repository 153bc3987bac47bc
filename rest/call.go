package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"leyden"
	"leyden/auth"
	"leyden/calls"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"
	// maxKey limits an Idempotency-Key, in characters.
	maxKey = 255
	// settleTimeout is how long a call waits to be recorded.
	settleTimeout = 10 * time.Second
	// retryRunning is when to ask again for a call that is under way.
	retryRunning = time.Second
	// codeGone is what the audit log says when the client left first.
	codeGone = "CLIENT_LEFT"
	// retryKeys is when to come back when no more keys are kept.
	retryKeys = time.Hour
)

// keptHeaders are the headers that a kept reply has.
func keptHeaders() []string {
	return []string{"Content-Type", "ETag", "Location", "WWW-Authenticate", "X-Command-ID"}
}

// A call is one request to a route on its way to its reply.
type call struct {
	*route
	w    *reply
	r    *http.Request
	body []byte
	held *calls.Held // its claim, if it came with an Idempotency-Key
	done func()      // ends its being counted as lasting

	status  int
	output  []byte
	refused error  // why; nil if it was carried out
	code    string // of the refusal
	unsure  bool   // it was refused, and may have been carried out
	replay  bool   // the reply is one from before
	gone    bool   // the client has left, and nobody will be answered
}

// keyed reports whether calls of an operation may have an Idempotency-Key: all
// that are posted, but for OAuth2's own, which clients do not expect to.
func (op Operation) keyed() bool { return op.Method == http.MethodPost && !op.Public }

// audited reports whether calls are recorded: all that may change something.
func (op Operation) audited() bool {
	return op.Method != http.MethodGet && op.Method != http.MethodHead && !op.Unrecorded
}

// decide finds out what the reply is.
func (c *call) decide() {
	if c.operation.LogsIn {
		c.w.count = func(refused error) error { return c.api.limit(c.w, c.r, refused) }
	}
	err := c.admitted()
	if err == nil {
		err = c.carriedOut()
	}
	if count := c.w.count; count != nil { // nobody was recognised
		c.w.count = nil
		err = count(err)
	}
	if err != nil {
		c.refuse(err)
	}
}

// admitted refuses who may not use the operation, or not now.
func (c *call) admitted() error {
	op := c.operation
	err := c.api.admit(c.w, c.r, op)
	c.w.admit = func(ctx context.Context) error { return c.api.admit(c.w, c.r.WithContext(ctx), op) }
	if !op.Unmetered {
		err = c.api.limit(c.w, c.r, err)
	}
	if err == nil && op.Lasting {
		c.done, err = c.api.meters.open(c.w.principal.ID)
	}
	return err
}

// carriedOut reads the request and runs the handler, unless that was done before.
func (c *call) carriedOut() error {
	query, err := readQuery(c.r.URL.RawQuery, c.query)
	if err != nil {
		return err
	}
	if c.body, err = c.readBody(c.w, c.r); err != nil {
		return err
	}
	if replayed, err := c.claim(); replayed || err != nil {
		return err
	}
	x := &exchange{query: query, input: c.body}
	if err := c.run(x); err != nil {
		return err
	}
	c.status, c.output = x.status, x.output.Bytes()
	return c.lasts()
}

// lasts counts a reply that is written piece by piece among those that last: a file
// may be of millions of rows.
func (c *call) lasts() (err error) {
	if !c.streams() || c.done != nil || c.r.Method == http.MethodHead {
		return nil
	}
	if c.done, err = c.api.meters.open(c.w.principal.ID); err != nil {
		c.takeBack(c.w.Header())
	}
	return err
}

// streams reports whether the handler wants to write the reply piece by piece.
func (c *call) streams() bool { return c.w.stream != nil && c.w.stream.write != nil }

// refuse makes err the reply.
func (c *call) refuse(err error) {
	c.refused = err
	if left(c.r, err) && c.held == nil {
		c.status, c.code, c.gone = statusGone, codeGone, true
		return
	}
	e, body := c.api.say(c.w, c.r, c.facade, err)
	c.status, c.output, c.code, c.unsure = e.Status, body, e.Code, c.unsure || e.Unsure
}

// deliver records the call and sends the reply.
func (c *call) deliver() {
	if err := c.settle(); err != nil && c.refused == nil {
		for _, name := range keptHeaders() {
			c.w.Header().Del(name)
		}
		c.refuse(Errorf(http.StatusServiceUnavailable, "the request was carried out, but storage is unavailable and cannot record it").Because(err))
	}
	switch {
	case c.gone:
		c.w.abandon()
	case c.refused == nil && c.streams():
		if err := c.runStream(c.w, c.r, c.status); err != nil {
			c.api.refuse(c.w, c.r, c.facade, err)
		}
	default:
		c.w.send(c.status, c.output)
	}
}

// end gives back what the call has taken.
func (c *call) end() {
	if c.done != nil {
		c.done()
	}
}

// claim claims the key that the request came with, if it has one. It reports
// whether that has settled what the reply is.
func (c *call) claim() (replayed bool, err error) {
	book := c.api.config.Calls
	if book == nil || !c.operation.keyed() || len(c.r.Header.Values(keyHeader)) == 0 {
		return false, nil
	}
	text, err := keyOf(c.r.Header)
	if err != nil {
		return false, err
	}
	held, kept, err := book.Claim(c.r.Context(), calls.Request{
		Key: calls.Key{Credential: c.w.principal.ID, Text: text}, Method: c.r.Method, Target: c.r.URL.RequestURI(),
		Body: c.body, RequestID: c.w.requestID,
	})
	if err != nil {
		return false, c.unclaimed(err)
	}
	if held != nil {
		c.held = held
		return false, nil
	}
	return true, c.repeat(kept)
}

// keyOf returns the Idempotency-Key of a request.
func keyOf(h http.Header) (string, error) {
	values := h.Values(keyHeader)
	if len(values) > 1 {
		return "", Invalid(keyHeader, "is given more than once")
	}
	text := values[0]
	if text == "" || len(text) > maxKey {
		return "", Invalid(keyHeader, fmt.Sprintf("must have 1 to %d characters", maxKey))
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return "", Invalid(keyHeader, "must be printable ASCII")
		}
	}
	return text, nil
}

// unclaimed says why a call does not run.
func (c *call) unclaimed(err error) error {
	unknown, begun := errors.AsType[*calls.UnknownError](err)
	switch {
	case errors.Is(err, calls.ErrMismatch):
		e := Errorf(http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request: another path, query or body")
		return e.Because(err)
	case errors.Is(err, calls.ErrRunning):
		e := Errorf(http.StatusConflict, "the first request with this Idempotency-Key is still under way").RetryAfter(retryRunning)
		e.Code = "IDEMPOTENCY_IN_PROGRESS"
		return e.Because(err)
	case begun:
		e := Errorf(http.StatusConflict, "the first request with this Idempotency-Key was interrupted, and its outcome is unknown; it is not tried again. %s",
			c.operation.findOut())
		e.Details = []Detail{{"requestId", unknown.RequestID}}
		return e.Because(err)
	case errors.Is(err, leyden.ErrLimit):
		return Errorf(http.StatusTooManyRequests, "too many Idempotency-Keys were used in the last day").RetryAfter(retryKeys).Because(err)
	}
	return err
}

func (op Operation) findOut() string {
	if op.FindOut != "" {
		return op.FindOut
	}
	return "Read what it would have changed, then use another key"
}

// repeat makes a kept reply that of the call.
func (c *call) repeat(kept *calls.Reply) error {
	c.replay = true
	Concerns(withReply(c.r.Context(), c.w), kept.Station, kept.Transaction)
	if !reaches(c.w.principal.Reach, kept) {
		return Errorf(http.StatusForbidden, "the credential does not reach what it did "+
			"when it first sent this Idempotency-Key, and is not given the reply of then")
	}
	h := c.w.Header()
	h.Set(replayedHeader, "true")
	if kept.Lost {
		return Errorf(http.StatusConflict, "the first request with this Idempotency-Key was carried out with status %d; "+
			"its reply was too long to be kept", kept.Status)
	}
	for name, value := range kept.Header {
		h.Set(name, value)
	}
	c.status, c.output = kept.Status, kept.Body
	return nil
}

// reaches reports whether a credential may have a reply from before. One that is
// about a charger belongs to those who reach the charger now; of any other only
// what the credential was limited to then tells.
func reaches(r *auth.Reach, kept *calls.Reply) bool {
	if kept.Station != "" {
		return r.Covers(kept.Station)
	}
	return r == nil || limitsOf(r) == kept.LimitedTo
}

// limitsOf returns to what a credential is limited, as a text; "" for nothing.
func limitsOf(r *auth.Reach) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%q %q", r.Chargers, r.Sites)
}

// run runs the handler. With a key it is seen through also when the client has
// left: what came of it is kept.
func (c *call) run(x *exchange) (err error) {
	r := c.r
	if c.held != nil {
		ctx, cancel := c.limitTime(context.WithoutCancel(r.Context()))
		defer cancel()
		r = r.WithContext(ctx)
	}
	defer func() {
		if v := recover(); v != nil {
			c.api.panicked(c.w, r, v)
			c.unsure, err = true, fmt.Errorf("panic: %v", v)
		}
	}()
	x.carrier = humago.NewContext(c.described, r, c.w)
	c.next(x)
	c.unsure = errors.Is(x.refused, context.DeadlineExceeded)
	return x.refused
}

// keeps reports whether a reply is given again to the same call: not if it may
// end otherwise when it is tried again, and was surely not carried out.
func (c *call) keeps() bool {
	switch c.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return false
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return c.status < http.StatusInternalServerError || c.unsure
}

// settle records the call, and keeps its reply or gives up its claim. It fails if
// that is not durable: the reply may then not be sent.
func (c *call) settle() error {
	book := c.api.config.Calls
	if book == nil {
		return nil
	}
	var reply *calls.Reply
	if c.held != nil && c.keeps() {
		reply = &calls.Reply{
			Status: c.status, Header: map[string]string{}, Body: c.output,
			Station: c.w.station, Transaction: c.w.transaction, LimitedTo: limitsOf(c.w.principal.Reach),
		}
		if !c.w.principal.Reach.Covers(c.w.station) { // it was told that there is no such thing
			reply.Station, reply.Transaction = "", 0
		}
		for _, name := range keptHeaders() {
			if value := c.w.Header().Get(name); value != "" {
				reply.Header[name] = value
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), settleTimeout)
	defer cancel()
	err := book.Settle(ctx, c.record(book), c.held, reply)
	if err == nil {
		return nil
	}
	c.api.config.Log.LogAttrs(ctx, slog.LevelError, "call is not recorded",
		slog.String("requestId", c.w.requestID), slog.String("operation", c.operation.ID), slog.String("by", c.w.principal.ID),
		slog.Int("status", c.status), slog.Any("error", err))
	return err
}

// record returns what the audit log shall tell of the call; nil if nothing.
func (c *call) record(book *calls.Book) *calls.Record {
	who := c.w.principal
	if who.ID == "" || !c.operation.audited() || c.w.unrecorded {
		return nil
	}
	r := &calls.Record{
		At: c.api.config.Now(), By: who.ID, Kind: calls.ByKey, Name: who.Name, RequestID: c.w.requestID, Method: c.r.Method,
		Operation: c.operation.ID, Path: clipTo(c.api.config.Mask(c.r.URL.Path), maxRecordedPath), Station: c.w.station, Transaction: c.w.transaction,
		Status: c.status, Code: c.code, Body: book.Excerpt(c.body), Replayed: c.replay,
	}
	if who.Client {
		r.Kind = calls.ByClient
	}
	if addr := addrOf(c.r); addr.IsValid() {
		r.From = addr.String()
	}
	return r
}

// maxRecordedPath is how much of a path is recorded, in bytes.
const maxRecordedPath = 500

// Introduce notes who makes a call of an operation that LogsIn, for the audit log and
// for what a credential may ask for. The handler calls it as soon as it knows, and
// returns the error: there were too many requests.
func Introduce(ctx context.Context, p auth.Principal) error {
	w := replyOf(ctx)
	w.principal = p
	count := w.count
	if count == nil {
		return nil
	}
	w.count = nil
	return count(nil)
}

// Concerns notes, for the audit log, which charger and which transaction a call is
// about; "" and 0 note nothing.
func Concerns(ctx context.Context, station leyden.StationID, transaction leyden.TransactionID) {
	w := replyOf(ctx)
	if station != "" {
		w.station = station
	}
	if transaction != 0 {
		w.transaction = transaction
	}
}
