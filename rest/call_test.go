package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/memory"
	"leyden/rest"
)

// A counter is an operation that counts how often it runs, and waits for go.
type counter struct {
	runs    atomic.Int64
	started chan struct{} // one for each run
	goOn    chan struct{} // nil: at once
}

type countInput struct {
	Body struct {
		Say string `json:"say"`
	} `nameHint:"Count"`
}

type countOutput struct {
	Location string `header:"Location"`
	Body     struct {
		Runs int64 `json:"runs"`
	}
}

func (c *counter) handle(ctx context.Context, in *countInput) (*countOutput, error) {
	n := c.runs.Add(1)
	if c.started != nil {
		c.started <- struct{}{}
		<-c.goOn
	}
	rest.Concerns(ctx, "S1", 7)
	switch in.Body.Say {
	case "unsure":
		e := rest.Errorf(http.StatusServiceUnavailable, "it left")
		e.Unsure = true
		return nil, e
	case "panic":
		panic("oh")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var status int
	if n, _ := fmt.Sscanf(in.Body.Say, "%d", &status); n == 1 {
		return nil, rest.Errorf(status, "said so")
	}
	out := &countOutput{Location: "/x"}
	out.Body.Runs = n
	return out, nil
}

// withCalls gives a fixture a book and a counting operation, POST /c/count.
func withCalls(t *testing.T, store calls.Store, c *counter, change ...func(*rest.Config)) fixture {
	t.Helper()
	book, err := calls.NewBook(calls.Config{
		Store: store, Secret: []byte("key material"), Now: time.Now,
		Mask: func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") },
	})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, append(change, func(c *rest.Config) { c.Calls = book })...)
	facade := &rest.Facade{Prefix: "/c/", Body: func(e *rest.Error, id string) any { return errorBody{e.Code, e.Message, e.Details, id} }}
	rest.Handle(f.API, facade, rest.Operation{
		Method: http.MethodPost, Path: "/c/count", ID: "count", Scope: auth.TransactionsRead, Status: http.StatusCreated,
		Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed, http.StatusBadGateway, http.StatusGatewayTimeout},
	}, c.handle)
	hello := func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, rest.Introduce(ctx, auth.Principal{ID: "cli_7", Client: true})
	}
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodPost, Path: "/c/hello", ID: "hello", Public: true, LogsIn: true}, hello)
	rest.Handle(f.API, facade, rest.Operation{Method: http.MethodPost, Path: "/c/silent", ID: "silent", Public: true},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	return f
}

// A fullStore takes no keys any more.
type fullStore struct{ *memory.Store }

func (fullStore) Claim(context.Context, calls.Claim, time.Time) (calls.Claim, error) {
	return calls.Claim{}, leyden.ErrLimit
}

// Who used too many keys is told so and when to come back, and nothing is done;
// without a key it is.
func TestNoMoreKeys(t *testing.T) {
	f := withCalls(t, fullStore{memory.New(time.Now)}, new(counter))
	out := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k")
	if out.Code != http.StatusTooManyRequests || out.Header().Get("Retry-After") != "3600" ||
		!strings.Contains(out.Body.String(), `"RATE_LIMIT_ERROR"`) || !strings.Contains(out.Body.String(), "too many Idempotency-Keys") {
		t.Errorf("got %d %s %v", out.Code, out.Body, out.Header())
	}
	if out := f.do("POST /c/count", `{"say":"a"}`); out.Code != http.StatusCreated || out.Body.String() != `{"runs":1}` {
		t.Errorf("without a key: got %d %s", out.Code, out.Body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	c := new(counter)
	f := withCalls(t, memory.New(time.Now), c)
	first := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k 1")
	if first.Code != http.StatusCreated || first.Body.String() != `{"runs":1}` || first.Header().Get("Idempotent-Replayed") != "" {
		t.Fatalf("got %d %s %v", first.Code, first.Body, first.Header())
	}
	again := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k 1", "X-Request-ID: req-2")
	if again.Code != http.StatusCreated || again.Body.String() != `{"runs":1}` || again.Header().Get("Idempotent-Replayed") != "true" ||
		again.Header().Get("Location") != "/x" || again.Header().Get("Content-Type") != "application/json" || again.Header().Get("X-Request-ID") != "req-2" {
		t.Errorf("again: got %d %s %v", again.Code, again.Body, again.Header())
	}
	for _, r := range []struct {
		line, body string
		headers    []string
		status     int
		code       string
	}{
		{"POST /c/count", `{"say":"b"}`, []string{"Idempotency-Key: k 1"}, 422, "IDEMPOTENCY_MISMATCH"},
		{"POST /t/orders/7", `{"name":"a"}`, []string{"Idempotency-Key: k 1"}, 422, "IDEMPOTENCY_MISMATCH"},
		{"POST /c/count", `{"say":"a"}`, []string{"Idempotency-Key: k\u00e4"}, 400, "VALIDATION_ERROR"},
		{"POST /c/count", `{"say":"a"}`, []string{"Idempotency-Key: "}, 400, "VALIDATION_ERROR"},
		{"POST /c/count", `{"say":"a"}`, []string{"Idempotency-Key: " + strings.Repeat("x", 256)}, 400, "VALIDATION_ERROR"},
	} {
		if w := f.do(r.line, r.body, r.headers...); w.Code != r.status || !strings.Contains(w.Body.String(), r.code) {
			t.Errorf("%s %s %.40s: got %d %s, want %d %s", r.line, r.body, r.headers, w.Code, w.Body, r.status, r.code)
		}
	}
	for _, headers := range [][]string{{"Idempotency-Key: " + strings.Repeat("x", 255)}, {"Idempotency-Key: k 1", "X-API-Key: admin"}, nil, nil} {
		runs := c.runs.Load()
		if w := f.do("POST /c/count", `{"say":"a"}`, headers...); w.Code != http.StatusCreated || c.runs.Load() != runs+1 {
			t.Errorf("%v: got %d %s, which is no run of its own", headers, w.Code, w.Body)
		}
	}
	if w := f.do("GET /t/orders", "", "Idempotency-Key: k 1"); w.Code != http.StatusOK {
		t.Errorf("a GET with a key: got %d %s", w.Code, w.Body)
	}
}

// Which replies are given again, and which requests are carried out again.
func TestKeptReplies(t *testing.T) {
	for say, want := range map[string]int64{
		"a": 1, "400": 1, "404": 1, "409": 1, "412": 1, "502": 1, "504": 1, "unsure": 1, "panic": 1,
		"401": 2, "403": 2, "408": 2, "413": 2, "429": 2, "500": 2, "503": 2,
	} {
		c := new(counter)
		f := withCalls(t, memory.New(time.Now), c)
		first := f.do("POST /c/count", `{"say":"`+say+`"}`, "Idempotency-Key: k")
		again := f.do("POST /c/count", `{"say":"`+say+`"}`, "Idempotency-Key: k")
		if c.runs.Load() != want || again.Code != first.Code {
			t.Errorf("%s: got %d, then %d in %d runs; want %d runs", say, first.Code, again.Code, c.runs.Load(), want)
		}
		if replayed := again.Header().Get("Idempotent-Replayed") == "true"; replayed != (want == 1) {
			t.Errorf("%s: Idempotent-Replayed is %v", say, replayed)
		}
	}
}

// What is refused before the handler uses up no key.
func TestRefusedRequestKeepsItsKey(t *testing.T) {
	f := withCalls(t, memory.New(time.Now), new(counter))
	for _, body := range []string{`{"say":1}`, `{`, ``} {
		if w := f.do("POST /c/count", body, "Idempotency-Key: k"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	if w := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k"); w.Code != http.StatusCreated {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// Of 50 requests at once with one key one is carried out.
func TestSimultaneousRequests(t *testing.T) {
	c := &counter{started: make(chan struct{}, 1), goOn: make(chan struct{})}
	f := withCalls(t, memory.New(time.Now), c)
	var mu sync.Mutex
	statuses := map[int]int{}
	send := func() {
		w := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k")
		mu.Lock()
		defer mu.Unlock()
		statuses[w.Code]++
		if w.Code == http.StatusConflict && (!strings.Contains(w.Body.String(), "IDEMPOTENCY_IN_PROGRESS") || w.Header().Get("Retry-After") != "1") {
			t.Errorf("got %s, Retry-After %s", w.Body, w.Header().Get("Retry-After"))
		}
	}
	var first, others sync.WaitGroup
	for range 50 {
		others.Go(send)
	}
	first.Go(func() {
		<-c.started
		send() // it runs still
		close(c.goOn)
	})
	first.Wait()
	others.Wait()
	send()
	if c.runs.Load() != 1 || statuses[http.StatusCreated] < 2 || statuses[http.StatusCreated]+statuses[http.StatusConflict] != 52 {
		t.Errorf("%d runs, replies %v", c.runs.Load(), statuses)
	}
}

// A request with a key is seen through although its client has left.
func TestClientLeavesKeyedRequest(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		c := &counter{started: make(chan struct{}, 1), goOn: make(chan struct{})}
		store := memory.New(time.Now)
		f := withCalls(t, store, c)
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequest(http.MethodPost, "/c/count", strings.NewReader(`{"say":"a"}`)).WithContext(ctx)
		r.Header.Set("X-API-Key", "reader")
		if keyed {
			r.Header.Set("Idempotency-Key", "k")
		}
		var done sync.WaitGroup
		done.Go(func() { f.ServeHTTP(httptest.NewRecorder(), r) })
		<-c.started
		leave()
		close(c.goOn)
		done.Wait()
		found, _, err := store.Records(t.Context(), calls.RecordQuery{})
		want := map[bool]int{true: http.StatusCreated, false: 499}[keyed]
		if err != nil || len(found) != 1 || found[0].Status != want {
			t.Errorf("with a key: %v: recorded %+v, %v; want %d", keyed, found, err, want)
		}
		if !keyed {
			continue
		}
		w := f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k")
		if w.Code != http.StatusCreated || w.Header().Get("Idempotent-Replayed") != "true" {
			t.Errorf("again: got %d %s", w.Code, w.Body)
		}
	}
}

// What a server did not finish is not tried again by the next one.
func TestInterruptedRequest(t *testing.T) {
	c := &counter{started: make(chan struct{}, 1), goOn: make(chan struct{})}
	store := memory.New(time.Now)
	f := withCalls(t, store, c)
	var done sync.WaitGroup
	done.Go(func() { f.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k") })
	<-c.started
	next := new(counter)
	g := withCalls(t, store, next)
	w := g.do("POST /c/count", `{"say":"a"}`, "Idempotency-Key: k", "X-Request-ID: req-2")
	if w.Code != http.StatusConflict || next.runs.Load() != 0 || !strings.Contains(w.Body.String(), `"code":"CONFLICT"`) ||
		!strings.Contains(w.Body.String(), `{"field":"requestId","reason":"req-1"}`) || !strings.Contains(w.Body.String(), "unknown") {
		t.Errorf("got %d %s after %d runs", w.Code, w.Body, next.runs.Load())
	}
	close(c.goOn)
	done.Wait()
}

// failing is a store that cannot keep what came of calls.
type failing struct{ calls.Store }

func (failing) Settle(context.Context, *calls.Settlement) error {
	return fmt.Errorf("%w: disk on fire", leyden.ErrUnavailable)
}

// No success is told that cannot be recorded.
func TestUnrecordedCall(t *testing.T) {
	c := new(counter)
	f := withCalls(t, failing{memory.New(time.Now)}, c)
	w := f.do("POST /c/count", `{"say":"a"}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "was carried out") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := f.do("POST /c/count", `{"say":"409"}`); w.Code != http.StatusConflict {
		t.Errorf("a refusal: got %d %s", w.Code, w.Body)
	}
	if w := f.do("GET /t/orders", ""); w.Code != http.StatusOK {
		t.Errorf("a question: got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(f.log.String(), "disk on fire") {
		t.Errorf("the log does not tell why:\n%s", f.log)
	}
}

func TestAuditLog(t *testing.T) {
	store := memory.New(time.Now)
	f := withCalls(t, store, new(counter))
	for _, r := range []struct {
		line, body, key string
		want            string // the record: "" for none
	}{
		{"POST /c/count?", `{"say":"hunter2"}`, "reader", `key_reader key POST count /c/count S1 7 201  {"say":"***"} 192.0.2.1 req-1`},
		{"POST /c/count", `{"say":"404"}`, "reader", `key_reader key POST count /c/count S1 7 404 NOT_FOUND {"say":"404"} 192.0.2.1 req-1`},
		{"POST /c/count", `{"say":1}`, "reader", `key_reader key POST count /c/count  0 400 VALIDATION_ERROR {"say":1} 192.0.2.1 req-1`},
		{"POST /c/count?x=1", `{}`, "reader", `key_reader key POST count /c/count  0 400 VALIDATION_ERROR  192.0.2.1 req-1`},
		{"POST /c/count", `{"say":"panic"}`, "reader", `key_reader key POST count /c/count S1 7 500 INTERNAL_ERROR {"say":"panic"} 192.0.2.1 req-1`},
		{"DELETE /t/orders", ``, "reader", `key_reader key DELETE delete-t-orders /t/orders  0 403 FORBIDDEN  192.0.2.1 req-1`},
		{"DELETE /t/orders", ``, "admin", `key_admin key DELETE delete-t-orders /t/orders  0 200   192.0.2.1 req-1`},
		{"DELETE /t/orders", ``, "wrong", ``},
		{"DELETE /t/orders", ``, "guesser", ``},
		{"GET /t/orders", ``, "reader", ``},
		{"POST /t/nothing", ``, "reader", ``},
		{"POST /c/hello", ``, "", `cli_7 client POST hello /c/hello  0 200   192.0.2.1 req-1`},
		{"POST /c/silent", ``, "", ``},
	} {
		before, _, err := store.Records(t.Context(), calls.RecordQuery{})
		if err != nil {
			t.Fatal(err)
		}
		f.do(r.line, r.body, "X-API-Key: "+r.key)
		after, _, err := store.Records(t.Context(), calls.RecordQuery{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(after) > len(before) {
			a := after[0]
			got = fmt.Sprintln(a.By, a.Kind, a.Method, a.Operation, a.Path, a.Station, a.Transaction, a.Status, a.Code, a.Body, a.From, a.RequestID)
		}
		if strings.TrimSpace(got) != r.want {
			t.Errorf("%s %s as %s: recorded\n%s, want\n%s", r.line, r.body, r.key, got, r.want)
		}
	}
}
