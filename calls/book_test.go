package calls_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/calls"
	"leyden/memory"
)

var noon = time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)

// A world is a book with a clock of its own.
type world struct {
	*calls.Book
	t     *testing.T
	store *memory.Store
	now   time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: noon}
	w.store = memory.New(w.clock)
	w.Book = w.another([]byte("key material of an installation"))
	return w
}

func (w *world) clock() time.Time { return w.now }

// another returns a book over the same store, as after a restart.
func (w *world) another(secret []byte) *calls.Book {
	w.t.Helper()
	b, err := calls.NewBook(calls.Config{
		Store: w.store, Secret: secret, Now: w.clock, AuditAge: 48 * time.Hour,
		Mask: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// sharing returns a book in which a credential may use that many keys of a day.
func (w *world) sharing(most int) *calls.Book {
	w.t.Helper()
	b, err := calls.NewBook(calls.Config{Store: w.store, Secret: []byte("key material of an installation"), Now: w.clock, Share: most})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func request(key string) calls.Request {
	return calls.Request{
		Key: calls.Key{Credential: "key_1", Text: key}, Method: "POST", Target: "/reset?x=1", Body: []byte(`{"type":"Soft"}`), RequestID: "req-1",
	}
}

// claim claims a key, and fails the test if it is not to be had.
func (w *world) claim(r calls.Request) *calls.Held {
	w.t.Helper()
	held, reply, err := w.Claim(w.t.Context(), r)
	if held == nil || reply != nil || err != nil {
		w.t.Fatalf("claim of %s: %v, %+v, %v", r.Text, held, reply, err)
	}
	return held
}

func (w *world) refused(what string, r calls.Request, want error) {
	w.t.Helper()
	held, reply, err := w.Claim(w.t.Context(), r)
	if held != nil || reply != nil || !errors.Is(err, want) {
		w.t.Errorf("%s: %v, %+v, %v; want %v", what, held, reply, err, want)
	}
}

func (w *world) settle(held *calls.Held, reply *calls.Reply) {
	w.t.Helper()
	r := calls.Record{At: w.now, By: "key_1", Operation: "o"}
	if err := w.Settle(w.t.Context(), &r, held, reply); err != nil {
		w.t.Fatal(err)
	}
}

func okReply() *calls.Reply {
	return &calls.Reply{Status: 201, Header: map[string]string{"Location": "/x"}, Body: []byte(`{"key":"hunter2"}`)}
}

func TestReplyIsKept(t *testing.T) {
	w := newWorld(t)
	held := w.claim(request("k"))
	w.refused("the same while it runs", request("k"), calls.ErrRunning)
	other := request("k")
	other.Body = []byte(`{"type":"Hard"}`)
	w.refused("another body while it runs", other, calls.ErrMismatch)
	w.settle(held, okReply())
	for _, change := range []func(*calls.Request){
		func(r *calls.Request) { r.Body = nil },
		func(r *calls.Request) { r.Target = "/reset?x=2" },
		func(r *calls.Request) { r.Method = "PUT" },
		func(r *calls.Request) { r.Target, r.Body = "/reset?x=1{", []byte(`"type":"Soft"}`) },
	} {
		other := request("k")
		change(&other)
		w.refused("another call", other, calls.ErrMismatch)
	}
	for _, b := range []*calls.Book{w.Book, w.another([]byte("key material of an installation"))} {
		_, reply, err := b.Claim(t.Context(), request("k"))
		if err != nil || reply == nil || reply.Status != 201 || reply.Header["Location"] != "/x" || string(reply.Body) != `{"key":"hunter2"}` {
			t.Errorf("got %+v, %v", reply, err)
		}
	}
	mine := request("k")
	mine.Credential = "key_2"
	w.settle(w.claim(mine), nil)
	w.now = w.now.Add(calls.KeyAge + time.Microsecond)
	w.settle(w.claim(request("k")), nil)
}

// What is kept tells nobody a secret who has the database alone.
func TestReplyIsSealed(t *testing.T) {
	w := newWorld(t)
	w.settle(w.claim(request("k")), okReply())
	kept, err := w.store.Claimed(t.Context(), request("k").Key, noon)
	if err != nil || len(kept.Reply) == 0 || strings.Contains(string(kept.Reply), "hunter2") || strings.Contains(string(kept.Reply), "Location") {
		t.Errorf("the store has %q, %v", kept.Reply, err)
	}
	foreign := w.another([]byte("key material of another one....."))
	if _, reply, err := foreign.Claim(t.Context(), request("k")); reply != nil || err == nil {
		t.Errorf("another installation reads %+v, %v", reply, err)
	}
	w.settle(w.claim(request("l")), okReply())
	if err := w.store.Settle(t.Context(), &calls.Settlement{Claim: request("l").Key, Reply: kept.Reply}); err != nil {
		t.Fatal(err)
	}
	if _, reply, err := w.Claim(t.Context(), request("l")); reply != nil || err == nil {
		t.Errorf("a reply that was moved is read: %+v, %v", reply, err)
	}
}

// A call that was given up may run again.
func TestGivenUp(t *testing.T) {
	w := newWorld(t)
	w.settle(w.claim(request("k")), nil)
	w.settle(w.claim(request("k")), okReply())
	if _, total, err := w.store.Records(t.Context(), calls.RecordQuery{}); total != 2 || err != nil {
		t.Errorf("%d records, %v", total, err)
	}
}

// After a crash nobody knows what became of a call; it is never run again.
func TestCrash(t *testing.T) {
	w := newWorld(t)
	w.claim(request("k"))
	w.Book = w.another([]byte("key material of an installation"))
	for range 2 {
		_, _, err := w.Claim(t.Context(), request("k"))
		if unknown, ok := errors.AsType[*calls.UnknownError](err); !ok || unknown.RequestID != "req-1" {
			t.Errorf("got %v", err)
		}
	}
	other := request("k")
	other.Body = nil
	w.refused("another call", other, calls.ErrMismatch)
}

// So it is when storage fails as a call ends.
func TestSettleFails(t *testing.T) {
	w := newWorld(t)
	held := w.claim(request("k"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Settle(ctx, nil, held, okReply()); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	_, _, err := w.Claim(t.Context(), request("k"))
	if _, ok := errors.AsType[*calls.UnknownError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestLongReply(t *testing.T) {
	w := newWorld(t)
	long := okReply()
	long.Body = make([]byte, calls.MaxReply+1)
	w.settle(w.claim(request("k")), long)
	_, reply, err := w.Claim(t.Context(), request("k"))
	if err != nil || !reply.Lost || len(reply.Body) > 0 || reply.Status != 201 {
		t.Errorf("got %+v, %v", reply, err)
	}
}

func TestExcerpt(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ body, want string }{
		{``, ``},
		{`{ "a": 1 }`, `{"a":1}`},
		{`{"password":"hunter2"}`, `{"password":"***"}`},
		{"idTag;status\n", `"(13 bytes)"`},
		{`{"a":`, `"(5 bytes)"`},
		{`"` + strings.Repeat("x", 1<<20) + `"`, `"(1048578 bytes)"`},
	} {
		if got := w.Excerpt([]byte(c.body)); got != c.want {
			t.Errorf("%.40q: got %q, want %q", c.body, got, c.want)
		}
	}
	long := w.Excerpt([]byte(`["` + strings.Repeat("ä", 4000) + `"]`))
	if len(long) > calls.MaxExcerpt || !strings.HasSuffix(long, "ä…") {
		t.Errorf("%d bytes, ends in %q", len(long), long[len(long)-8:])
	}
}

// What is old is forgotten, all of it.
func TestForget(t *testing.T) {
	w := newWorld(t)
	for range 1200 {
		w.settle(nil, nil)
	}
	w.claim(request("k"))
	w.now = noon.Add(25 * time.Hour)
	if n, err := w.Forget(t.Context()); n != 1 || err != nil {
		t.Errorf("forgot %d, %v; want the claim", n, err)
	}
	w.settle(nil, nil)
	w.now = noon.Add(49 * time.Hour)
	if n, err := w.Forget(t.Context()); n != 1200 || err != nil {
		t.Errorf("forgot %d, %v; want 1200", n, err)
	}
	if _, total, err := w.store.Records(t.Context(), calls.RecordQuery{}); total != 1 || err != nil {
		t.Errorf("%d records are left, %v", total, err)
	}
	if _, err := w.store.Claimed(t.Context(), request("k").Key, noon); !errors.Is(err, leyden.ErrNotFound) {
		t.Errorf("the claim: %v", err)
	}
}

// A credential that uses key after key takes none from others.
func TestShare(t *testing.T) {
	w := newWorld(t)
	w.Book = w.sharing(3)
	for _, key := range []string{"a", "b", "c"} {
		w.settle(w.claim(request(key)), okReply())
		w.now = w.now.Add(10 * time.Minute)
	}
	w.refused("one too many", request("d"), leyden.ErrLimit)
	w.refused("and again", request("d"), leyden.ErrLimit)
	if _, reply, err := w.Claim(t.Context(), request("a")); reply == nil || err != nil {
		t.Errorf("a kept reply: %v, %v", reply, err)
	}
	other := request("d")
	other.Credential = "key_2"
	w.settle(w.claim(other), okReply())
	w.now = noon.Add(-time.Hour) // the clock was set back
	w.refused("an hour ago", request("d"), leyden.ErrLimit)
	w.now = noon.Add(23 * time.Hour)
	w.refused("the same day", request("d"), leyden.ErrLimit)
	w.now = noon.Add(25 * time.Hour)
	w.settle(w.claim(request("d")), okReply())
}
