package apiv1_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"leyden"
	"leyden/ocpp"
)

// A station is a charger whose answers a test writes down.
type station struct {
	w    *world
	id   leyden.StationID
	conn *ocpp.Conn
	end  func()

	mu        sync.Mutex
	answers   map[string]ocpp.Reply // by action; what has none gets otherwise
	otherwise ocpp.Reply            // Accepted, unless a test says so
	silent    map[string]bool
	first     map[string]func() // what it does before it answers, by action
	heard     []string          // "Action payload"
}

// connect registers a charger and connects it.
func (w *world) connect(id leyden.StationID) *station {
	w.t.Helper()
	w.register(id)
	return w.reconnect(id)
}

// reconnect connects a charger that is registered.
func (w *world) reconnect(id leyden.StationID) *station {
	w.t.Helper()
	ours, theirs := ocpp.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	s := &station{w: w, id: id, conn: ocpp.NewConn(theirs, ocpp.Options{IDPrefix: "m"}), answers: map[string]ocpp.Reply{}, silent: map[string]bool{}, first: map[string]func(){}, otherwise: answering(`{"status":"Accepted"}`)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.conn.Serve(ctx, s.answer) // it ends with the connection
	}()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = w.stations.Serve(context.Background(), id, "ocpp1.6", ours) // likewise
	}()
	s.end = func() {
		cancel()
		<-served
		<-gone
	}
	s.call("BootNotification", `{"chargePointVendor":"Acme","chargePointModel":"X1"}`)
	return s
}

func (s *station) answer(ctx context.Context, f ocpp.Frame) ocpp.Reply {
	s.mu.Lock()
	s.heard = append(s.heard, f.Action+" "+f.Payload)
	reply, known := s.answers[f.Action]
	silent, otherwise, first := s.silent[f.Action], s.otherwise, s.first[f.Action]
	s.mu.Unlock()
	if first != nil {
		go first()
		synctest.Wait() // the answer to what it reports is read after its own
	}
	if silent {
		<-ctx.Done()
	}
	if !known {
		reply = otherwise
	}
	return reply
}

func answering(payload string) ocpp.Reply { return ocpp.Reply{Message: ocpp.Raw(payload)} }

func failing(code ocpp.ErrorCode, description string) ocpp.Reply {
	return ocpp.Reply{Err: ocpp.Errorf(code, "%s", description)}
}

// says sets what the charger answers from now on to an action.
func (s *station) says(action string, r ocpp.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[action] = r
}

// hurries makes the charger do something before it answers an action.
func (s *station) hurries(action string, first func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first[action] = first
}

// ignores makes the charger answer neither an action nor anything after it.
func (s *station) ignores(action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent[action] = true
}

// calls returns what the charger was sent with an action.
func (s *station) calls(action string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var payloads []string
	for _, h := range s.heard {
		if rest, ok := strings.CutPrefix(h, action+" "); ok {
			payloads = append(payloads, rest)
		}
	}
	return payloads
}

// call sends a report and returns the answer.
func (s *station) call(action, payload string) string {
	s.w.t.Helper()
	answer, err := s.conn.CallRaw(s.w.t.Context(), action, []byte(payload))
	if err != nil {
		s.w.t.Fatalf("%s %s: %v", action, payload, err)
	}
	return string(answer)
}

// status reports the state of connector 1.
func (s *station) status(status string) {
	s.w.t.Helper()
	s.call("StatusNotification", fmt.Sprintf(`{"connectorId":1,"errorCode":"NoError","status":%q,"timestamp":%q}`, status, s.clock()))
}

// start begins a charge on connector 1 and returns its number.
func (s *station) start(meter int) int {
	s.w.t.Helper()
	answer := s.call("StartTransaction", fmt.Sprintf(`{"connectorId":1,"idTag":"USER123","meterStart":%d,"timestamp":%q}`, meter, s.clock()))
	var id int
	if _, err := fmt.Sscanf(answer[strings.Index(answer, `"transactionId":`):], `"transactionId":%d`, &id); err != nil {
		s.w.t.Fatalf("%v in %s", err, answer)
	}
	return id
}

// stop ends a charge.
func (s *station) stop(id, meter int, extra string) {
	s.w.t.Helper()
	s.call("StopTransaction", fmt.Sprintf(`{"transactionId":%d,"meterStop":%d,"timestamp":%q%s}`, id, meter, s.clock(), extra))
}

// meter reports sampled values of a charge on connector 1.
func (s *station) meter(id int, samples string) {
	s.w.t.Helper()
	s.call("MeterValues", fmt.Sprintf(`{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":%q,"sampledValue":[%s]}]}`, id, s.clock(), samples))
}

// clock is the time by the charger's clock, which is right.
func (s *station) clock() string { return s.w.now().UTC().Format(time.RFC3339) }
