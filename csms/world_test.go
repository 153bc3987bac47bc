package csms_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leyden"
	"leyden/csms"
	"leyden/device"
	"leyden/memory"
	"leyden/ocpp"
)

// A faulty store does to writes what its mode says: down, broken, panic, or
// nothing. When it is away there is nothing to read either. With poison it fails
// on a start, and poisonous panics.
type faulty struct {
	*memory.Store
	mode atomic.Value // string
	held atomic.Pointer[hold]

	lookedUp func() // if set before the world begins, is called as a station is looked up
}

// A hold keeps the next write waiting until it is released or given up.
type hold struct{ reached, release chan struct{} }

func (f *faulty) hold() *hold {
	h := &hold{make(chan struct{}), make(chan struct{})}
	f.held.Store(h)
	return h
}

func newFaulty(now func() time.Time) *faulty {
	f := &faulty{Store: memory.New(now)}
	f.mode.Store("up")
	return f
}

var errBroken = errors.New("a bug of ours")

func (f *faulty) Append(ctx context.Context, e *leyden.Entry) error {
	if h := f.held.Swap(nil); h != nil {
		close(h.reached)
		select {
		case <-h.release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch f.mode.Load() {
	case "down", "away":
		return leyden.ErrUnavailable
	case "poison", "poisonous":
		if len(e.Events) > 0 && e.Events[0].Kind == leyden.Started {
			if f.mode.Load() == "poisonous" {
				panic("a bug of ours")
			}
			return errBroken
		}
	case "broken":
		return errBroken
	case "panic":
		panic("a bug of ours")
	}
	return f.Store.Append(ctx, e)
}

func (f *faulty) away() error {
	if f.mode.Load() == "away" {
		return leyden.ErrUnavailable
	}
	return nil
}

func (f *faulty) Station(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	if f.lookedUp != nil {
		f.lookedUp()
	}
	if err := f.away(); err != nil {
		return leyden.Station{}, err
	}
	return f.Store.Station(ctx, id)
}

func (f *faulty) RecentStation(ctx context.Context, id leyden.StationID) (leyden.Station, error) {
	return f.Station(ctx, id)
}

func (f *faulty) Token(ctx context.Context, value string) (leyden.Token, error) {
	if err := f.away(); err != nil {
		return leyden.Token{}, err
	}
	return f.Store.Token(ctx, value)
}

func (f *faulty) RecentToken(ctx context.Context, value string) (leyden.Token, error) {
	return f.Token(ctx, value)
}

func (f *faulty) Transaction(ctx context.Context, id leyden.TransactionID) (leyden.Transaction, error) {
	if err := f.away(); err != nil {
		return leyden.Transaction{}, err
	}
	return f.Store.Transaction(ctx, id)
}

func (f *faulty) SaveCommand(ctx context.Context, c device.Command) error {
	switch f.mode.Load() {
	case "down", "away":
		return leyden.ErrUnavailable
	case "panic":
		panic("a bug of ours")
	}
	return f.Store.SaveCommand(ctx, c)
}

func (f *faulty) AddNotification(ctx context.Context, n *device.Notification) error {
	switch f.mode.Load() {
	case "down", "away":
		return leyden.ErrUnavailable
	case "broken":
		return errBroken
	case "panic":
		panic("a bug of ours")
	}
	return f.Store.AddNotification(ctx, n)
}

func (f *faulty) Quarantined(ctx context.Context, q leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	if err := f.away(); err != nil {
		return nil, err
	}
	return f.Store.Quarantined(ctx, q)
}

func (f *faulty) Working(ctx context.Context, s leyden.StationID, since time.Time) ([]leyden.Transaction, error) {
	if err := f.away(); err != nil {
		return nil, err
	}
	return f.Store.Working(ctx, s, since)
}

// A world is a server with its ledger. It begins when it is first used, so
// that its options can be set before.
type world struct {
	t             testing.TB
	store         *faulty
	ledgerOptions leyden.Options
	options       csms.Options

	ledger *leyden.Ledger
	server *csms.Server
	web    http.Handler
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

// newWorld returns one with open admission and one listed idTag.
func newWorld(t testing.TB) *world {
	w := &world{t: t, store: newFaulty(time.Now), options: csms.Options{Open: true}}
	w.options.Devices = w.store
	w.ledgerOptions = leyden.Options{Tokens: leyden.TokensListed}
	if err := w.store.SaveToken(t.Context(), leyden.Token{Value: "USER123", Status: leyden.TokenAccepted, Listed: true}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) begin() {
	if w.server != nil {
		return
	}
	w.ledger = leyden.NewLedger(w.store, w.store, w.ledgerOptions)
	w.server = csms.New(w.ledger, w.options)
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.wg.Go(func() { w.ledger.Run(ctx, func(error) {}) })
}

func (w *world) end() {
	if w.server == nil {
		return
	}
	if err := w.server.Drain(context.Background()); err != nil {
		w.t.Errorf("drain: %v", err)
	}
	w.stop()
	w.wg.Wait()
	if n := w.server.OnlineCount(); n != 0 {
		w.t.Errorf("%d stations online after the drain", n)
	}
}

// connect connects a station.
func (w *world) connect(id leyden.StationID) *station {
	w.begin()
	ours, theirs := ocpp.Pipe()
	w.wg.Go(func() { _ = w.server.Serve(context.Background(), id, "ocpp1.6", ours) }) // the station sees why it ended
	return newStation(w, id, theirs)
}

// asked returns what asks a REST façade with a method.
func (p *stage) asked(method string) func(string) {
	return func(text string) {
		url, body, _ := strings.Cut(text, " ")
		p.request(method, url, body)
	}
}

func (p *stage) request(method, url, body string) {
	p.begin()
	if p.web == nil {
		p.web = facade(p.t, p.server, p.store.Store)
	}
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	p.ask(func() reply {
		rec := httptest.NewRecorder()
		p.web.ServeHTTP(rec, r)
		return reply{strconv.Itoa(rec.Code), json.RawMessage(rec.Body.Bytes())}
	})
}

// A station is the far end of a connection. It keeps what it is sent.
type station struct {
	t        testing.TB
	id       leyden.StationID
	tr       ocpp.Transport
	asked    map[string]string // the actions of its calls, by message id
	uses     map[string]int    // how often it used a message id
	mixed    map[string]bool   // the ids that it used for several actions
	lastCall string            // the id of the last CALL that it was sent

	mu     sync.Mutex
	frames []string
	code   ocpp.CloseCode
	came   chan struct{} // tells that frames or code changed
}

func newStation(w *world, id leyden.StationID, tr ocpp.Transport) *station {
	s := &station{t: w.t, id: id, tr: tr, asked: make(map[string]string), uses: make(map[string]int), mixed: make(map[string]bool), came: make(chan struct{}, 1)}
	w.wg.Go(s.listen)
	return s
}

func (s *station) listen() {
	for {
		err := s.tr.Receive(func(msg []byte) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.frames = append(s.frames, string(msg))
			return nil
		})
		if ce, ok := errors.AsType[*ocpp.CloseError](err); ok {
			s.mu.Lock()
			s.code = ce.Code
			s.mu.Unlock()
		}
		select {
		case s.came <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *station) send(frame string) {
	if f, err := ocpp.ParseFrame([]byte(frame)); err == nil && f.Type == ocpp.Call {
		s.mixed[f.ID] = s.mixed[f.ID] || s.uses[f.ID] > 0 && s.asked[f.ID] != f.Action
		s.asked[f.ID] = f.Action
		s.uses[f.ID]++
	}
	_ = s.tr.Send([]byte(frame)) // when it is closed, "closed" tells
}

// answers returns the action of the call that an answer is to, or "" if that is
// not known.
func (s *station) answers(id string) string {
	if s.mixed[id] {
		return ""
	}
	return s.asked[id]
}

// once reports whether the station used a message id for one call only, so
// that an answer is known to be to that.
func (s *station) once(id string) bool { return s.uses[id] == 1 }

func (s *station) close() { _ = s.tr.Close(ocpp.CloseNormal, "") }

// take returns the oldest frame that nobody has looked at, which must be lawful.
func (s *station) take() (string, bool) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.frames) == 0 {
		return "", false
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	if wrong := lawful(f, s.answers); wrong != "" {
		s.t.Errorf("%s was sent: %s", f, wrong)
	}
	return f, true
}

func (s *station) inbox() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames
}

func (s *station) ending() ocpp.CloseCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

// next waits for the next frame, or for the end: then it is "".
func (s *station) next() string {
	for {
		if f, ok := s.take(); ok {
			return f
		}
		if s.ending() != 0 {
			return ""
		}
		<-s.came
	}
}

// outcome returns what an operator is told about a remote start or stop.
func outcome(t leyden.Transaction, err error) reply { return reply{word(err), view(&t)} }

// word names an error that callers act on.
func word(err error) string {
	if e, ok := errors.AsType[*csms.StationError](err); ok {
		return "station:" + e.Code
	}
	if err == nil {
		return "ok"
	}
	for w, e := range map[string]error{
		"notfound": leyden.ErrNotFound, "invalid": leyden.ErrInvalid, "pending": leyden.ErrPending, "active": leyden.ErrActive,
		"state": leyden.ErrState, "connector": leyden.ErrConnector, "token": leyden.ErrToken, "offline": leyden.ErrOffline,
		"refused": leyden.ErrRefused, "silent": leyden.ErrSilent, "busy": leyden.ErrBusy, "unavailable": leyden.ErrUnavailable,
	} {
		if errors.Is(err, e) {
			return w
		}
	}
	return err.Error()
}

// clock shows a time, or nil for none.
func clock(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.Format(time.RFC3339)
}

// view shows a transaction as transcripts look at it.
func view(t *leyden.Transaction) map[string]any {
	return map[string]any{
		"id": t.ID, "station": t.Station, "connector": t.Connector, "idTag": t.Token.Value, "vehicle": t.VehicleID,
		"status": t.Status.String(), "remote": t.Remote, "reservation": t.Reservation,
		"start": clock(t.StartedAt), "stop": clock(t.StoppedAt), "meterStart": t.MeterStart, "meterStop": t.MeterStop,
		"energy": t.Energy, "source": t.EnergySource, "power": t.Power, "soc": []any{t.InitialSoC, t.EndSoC},
		"stopTag": t.StopToken.Value, "reason": t.StopReason, "reasonText": t.StopReasonText, "closed": t.CloseReason,
		"result": t.EndResult(), "plugged": clock(t.SessionStart), "unplugged": clock(t.SessionEnd),
		"flags": t.Flags.Names(), "revision": t.Revision, "final": !t.InsertedAt.IsZero(),
	}
}
