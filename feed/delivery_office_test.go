package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/feed"
	"leyden/memory"
)

// A letter is a message as a receiver got it.
type letter struct {
	at     time.Time
	id     string
	body   string
	header http.Header
}

// A receiver takes what is posted to one host.
type receiver struct {
	answer func(letter) reply // nil: 204

	mu     sync.Mutex
	got    []letter
	taken  []letter // that were answered with success
	flying int
	most   int // that were under way at once
}

type reply struct {
	code   int
	header http.Header
	delay  time.Duration
	err    error
	body   string
}

// A town is where receivers live, by host. It is a [http.RoundTripper].
type town struct {
	mu    sync.Mutex
	hosts map[string]*receiver
}

func (n *town) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	to := n.hosts[r.URL.Host]
	n.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || to == nil {
		return nil, errors.Join(err, errors.New("no such host"))
	}
	one := letter{at: time.Now(), id: r.Header.Get(feed.HeaderID), body: string(body), header: r.Header}
	out := to.begin(one)
	timer := time.NewTimer(out.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		out.err = r.Context().Err()
	}
	to.end(one, out)
	if out.err != nil {
		return nil, out.err
	}
	return &http.Response{
		StatusCode: out.code, Header: out.header, Body: io.NopCloser(strings.NewReader(out.body)), Request: r,
	}, nil
}

func (to *receiver) begin(one letter) reply {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.got = append(to.got, one)
	to.flying++
	to.most = max(to.most, to.flying)
	if to.answer == nil {
		return reply{code: http.StatusNoContent}
	}
	return to.answer(one)
}

func (to *receiver) end(one letter, out reply) {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.flying--
	if out.err == nil && out.code/100 == 2 {
		to.taken = append(to.taken, one)
	}
}

// letters returns all that came, and all that was taken.
func (to *receiver) letters() (got, taken []letter) {
	to.mu.Lock()
	defer to.mu.Unlock()
	return slices.Clone(to.got), slices.Clone(to.taken)
}

func (to *receiver) set(answer func(letter) reply) {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.answer = answer
}

func always(code int) func(letter) reply {
	return func(letter) reply { return reply{code: code} }
}

// A troubled store fails to keep what came of attempts, when it is told to.
type troubled struct {
	*memory.Store
	settling, enqueuing atomic.Int32 // how often to fail still
	looks               atomic.Int32 // how often one asked for heads
}

func (s *troubled) DeliveryHeads(ctx context.Context, webhook string, limit int) ([]feed.Delivery, error) {
	s.looks.Add(1)
	return s.Store.DeliveryHeads(ctx, webhook, limit)
}

func (s *troubled) SettleDelivery(ctx context.Context, one feed.Settlement) error {
	if s.settling.Add(-1) >= 0 {
		return errStorage
	}
	return s.Store.SettleDelivery(ctx, one)
}

// EnqueueDeliveries does what it is asked and says that it did not, half of the time.
func (s *troubled) EnqueueDeliveries(ctx context.Context, webhook string, from, to int64, list []feed.Delivery) error {
	left := s.enqueuing.Add(-1)
	if left >= 0 && left%2 == 0 {
		return errStorage
	}
	err := s.Store.EnqueueDeliveries(ctx, webhook, from, to, list)
	if left >= 0 {
		return errors.Join(err, errStorage)
	}
	return err
}

// An office sends what happens in a ledger in memory to the receivers of a town.
type office struct {
	t          *testing.T
	store      *troubled
	town       *town
	vault      *feed.Vault
	dispatcher *feed.Dispatcher
	feed       *feed.Feed
	age        time.Duration // of the feed
	chance     func() float64
	close      func()
}

func newOffice(t *testing.T) *office {
	vault, err := feed.NewVault(make([]byte, feed.VaultKeySize))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{
		t: t, store: &troubled{Store: memory.New(time.Now)}, town: &town{hosts: make(map[string]*receiver)}, vault: vault,
		chance: func() float64 { return 0 },
	}
	return o
}

// inOffice runs f in a bubble of its own with an office that is open.
func inOffice(t *testing.T, f func(o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.open()
		defer func() { o.close() }()
		f(o)
	})
}

// open begins to dispatch.
func (o *office) open() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	// Nobody changes anything behind the back of these tests.
	o.feed = feed.New(o.store, feed.Options{Age: o.age, Look: time.Hour, KeepAfter: func(ctx context.Context) (int64, error) {
		return feed.OwedAfter(ctx, o.store)
	}})
	o.dispatcher = feed.NewDispatcher(feed.DispatcherConfig{
		Store: o.store, Feed: o.feed, Vault: o.vault, Age: feed.DefaultAge, Now: time.Now, Chance: o.chance, Look: time.Hour,
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sender: &feed.Sender{Transport: o.town, Now: time.Now, Agent: "Leyden/test"},
		Render: func(_ context.Context, n *leyden.Notice) ([]byte, error) {
			return fmt.Appendf(nil, `{"seq":%d,"event":%q,"transaction":%d}`, n.Seq, n.Topic, n.Transaction), nil
		},
		Within: func(_ context.Context, r *feed.Reach) ([]leyden.StationID, error) { return r.Stations, nil },
	})
	running.Go(func() { o.feed.Run(ctx, func(err error) { o.t.Errorf("feed: %v", err) }) })
	running.Go(func() { o.dispatcher.Run(ctx) })
	o.close = func() {
		cancel()
		running.Wait()
	}
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// subscribe adds a webhook wh_HOST with a receiver, as changed, and returns it.
func (o *office) subscribe(host string, change ...func(*feed.Webhook)) *receiver {
	o.t.Helper()
	_, last, err := o.store.NoticeBounds(o.t.Context())
	o.must(err)
	w := feed.Webhook{
		ID: "wh_" + host, URL: "https://" + host + "/hook", Cursor: last, CreatedAt: time.Now(), UpdatedAt: time.Now(), Version: 1,
	}
	w.Secret = o.vault.Seal(w.ID, secretOf(host))
	for _, f := range change {
		f(&w)
	}
	o.must(o.store.SaveWebhook(o.t.Context(), w))
	to := new(receiver)
	o.town.mu.Lock()
	o.town.hosts[host] = to
	o.town.mu.Unlock()
	o.poke()
	return to
}

func (o *office) poke() {
	o.dispatcher.Poke()
	synctest.Wait()
}

// secretOf returns a secret that belongs to a host.
func secretOf(host string) feed.SigningSecret {
	s, err := feed.ParseSigningSecret("whsec_" + strings.Repeat("A", 32-len(host)%4-4) + "BBBB"[:len(host)%4] + "CCCC")
	if err != nil {
		panic(err)
	}
	return s
}

// change changes a webhook as the REST API does.
func (o *office) change(id string, f func(*feed.Webhook)) {
	o.t.Helper()
	w, err := o.store.Webhook(o.t.Context(), id)
	o.must(err)
	f(&w)
	w.Version++
	o.must(o.store.SaveWebhook(o.t.Context(), w))
	o.poke()
}

// happen writes a notice about a transaction; 0 for one about station S.
func (o *office) happen(topic string, id leyden.TransactionID) int64 {
	o.t.Helper()
	e := &leyden.Entry{Station: "S", Notices: []leyden.Notice{{Topic: topic, Station: "S", Transaction: id, At: time.Now()}}}
	o.must(o.store.Append(o.t.Context(), e))
	return e.Notices[0].Seq
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// delivery returns the one of webhook wh_HOST about a notice.
func (o *office) delivery(host string, seq int64) feed.Delivery {
	o.t.Helper()
	list, _, err := o.store.Deliveries(o.t.Context(), feed.DeliveryQuery{Webhook: "wh_" + host, Before: seq + 1, Limit: 1})
	o.must(err)
	if len(list) == 0 || list[0].Seq != seq {
		o.t.Fatalf("there is no delivery of %d to %s", seq, host)
	}
	d, err := o.store.Delivery(o.t.Context(), list[0].ID)
	o.must(err)
	return d
}

func seqsOf(letters []letter) []int64 {
	var list []int64
	for _, l := range letters {
		n, err := strconv.ParseInt(strings.TrimPrefix(l.id, "evt_"), 10, 64)
		if err != nil {
			panic(err)
		}
		list = append(list, n)
	}
	return list
}

func (o *office) wantSeqs(what string, letters []letter, want ...int64) {
	o.t.Helper()
	if got := seqsOf(letters); !slices.Equal(got, want) {
		o.t.Errorf("%s: %v; want %v", what, got, want)
	}
}

// dice are numbers by chance that a seed tells. They may be thrown by several
// goroutines.
type dice struct {
	mu    sync.Mutex
	state uint64
}

func newDice(seed uint64) *dice { return &dice{state: seed*0x9e3779b97f4a7c15 + 1} }

// next is xorshift64*.
func (d *dice) next() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state ^= d.state >> 12
	d.state ^= d.state << 25
	d.state ^= d.state >> 27
	return d.state * 0x2545f4914f6cdd1d
}

func (d *dice) int(n int) int  { return int(d.next() >> 33 % uint64(n)) }
func (d *dice) float() float64 { return float64(d.next()>>11) / (1 << 53) }
