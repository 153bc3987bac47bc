package csms_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leyden"
	"leyden/csms"
	"leyden/ocpp"
)

const cp = leyden.StationID("CP-1")

// A command is asked for, and returns what came of it.
type command func(ctx context.Context, srv *csms.Server) (any, error)

func reset(kind string) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) { return srv.Reset(ctx, cp, kind) }
}

func unlock(connector int) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) { return srv.Unlock(ctx, cp, connector) }
}

func availability(connector int, kind string) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) {
		return srv.ChangeAvailability(ctx, cp, connector, kind)
	}
}

func clearCache(ctx context.Context, srv *csms.Server) (any, error) { return srv.ClearCache(ctx, cp) }

func trigger(message string, connector int) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) {
		return srv.Trigger(ctx, cp, message, connector)
	}
}

func change(key, value string) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) {
		return srv.ChangeConfiguration(ctx, cp, key, value)
	}
}

func configuration(keys ...string) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) { return srv.Configuration(ctx, cp, keys) }
}

func dataTransfer(d csms.DataTransfer) command {
	return func(ctx context.Context, srv *csms.Server) (any, error) { return srv.DataTransfer(ctx, cp, d) }
}

// Stations and test tools read payloads with patterns: fields in the order of
// the schema, no spaces, nothing that was not asked for.
func TestCommands(t *testing.T) {
	seen := "60"
	for name, c := range map[string]struct {
		do     command
		frame  string // after the message id
		answer string
		want   any
	}{
		"reset":           {reset("Hard"), `"Reset",{"type":"Hard"}]`, `{"status":"Accepted"}`, "Accepted"},
		"reset rejected":  {reset("Soft"), `"Reset",{"type":"Soft"}]`, `{"status":"Rejected"}`, "Rejected"},
		"unlock":          {unlock(2), `"UnlockConnector",{"connectorId":2}]`, `{"status":"UnlockFailed"}`, "UnlockFailed"},
		"availability":    {availability(0, "Inoperative"), `"ChangeAvailability",{"connectorId":0,"type":"Inoperative"}]`, `{"status":"Scheduled"}`, "Scheduled"},
		"cache":           {clearCache, `"ClearCache",{}]`, `{"status":"Accepted"}`, "Accepted"},
		"trigger":         {trigger("MeterValues", 1), `"TriggerMessage",{"requestedMessage":"MeterValues","connectorId":1}]`, `{"status":"NotImplemented"}`, "NotImplemented"},
		"trigger all":     {trigger("BootNotification", 0), `"TriggerMessage",{"requestedMessage":"BootNotification"}]`, `{"status":"Accepted"}`, "Accepted"},
		"change":          {change("HeartbeatInterval", "60"), `"ChangeConfiguration",{"key":"HeartbeatInterval","value":"60"}]`, `{"status":"RebootRequired"}`, "RebootRequired"},
		"change to empty": {change("K", ""), `"ChangeConfiguration",{"key":"K","value":""}]`, `{"status":"Accepted"}`, "Accepted"},
		"one key": {configuration("HeartbeatInterval", "Nonsense"), `"GetConfiguration",{"key":["HeartbeatInterval","Nonsense"]}]`,
			`{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"60"}],"unknownKey":["Nonsense"]}`,
			csms.Configuration{Entries: []csms.ConfigurationEntry{{Key: "HeartbeatInterval", Value: &seen}}, Unknown: []string{"Nonsense"}}},
		"all keys": {configuration(), `"GetConfiguration",{}]`, `{"configurationKey":[{"key":"AuthorizationKey","readonly":true}]}`,
			csms.Configuration{Entries: []csms.ConfigurationEntry{{Key: "AuthorizationKey", ReadOnly: true}}}},
		"data": {dataTransfer(csms.DataTransfer{VendorID: "com.example", MessageID: "m", Data: `{"a":"ü\n"}`}),
			`"DataTransfer",{"vendorId":"com.example","messageId":"m","data":"{\"a\":\"ü\\n\"}"}]`, `{"status":"Accepted","data":"x"}`,
			csms.DataTransferAnswer{Status: "Accepted", Data: "x"}},
		"bare data": {dataTransfer(csms.DataTransfer{VendorID: "v"}), `"DataTransfer",{"vendorId":"v"}]`, `{"status":"UnknownVendorId"}`,
			csms.DataTransferAnswer{Status: "UnknownVendorId"}},
		"word of its own": {reset("Soft"), `"Reset",{"type":"Soft"}]`, `{"status":"Later"}`, "Later"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.connectReady(cp)
			defer w.end()
			w.wg.Go(func() {
				frame := s.next()
				f, err := ocpp.ParseFrame([]byte(frame))
				if err != nil || !strings.HasSuffix(frame, c.frame) {
					t.Errorf("sent %s, %v; want …%s", frame, err, c.frame)
				}
				s.send(`[3,"` + f.ID + `",` + c.answer + `]`)
			})
			got, err := c.do(t.Context(), w.server)
			if err != nil || !cmp.Equal(got, c.want) {
				t.Errorf("%v: %s", err, cmp.Diff(c.want, got))
			}
			s.close()
		})
	}
}

// connectReady connects a station and waits until it is there.
func (w *world) connectReady(id leyden.StationID) *station {
	s := w.connect(id)
	s.send(`[2,"ready","Heartbeat",{}]`)
	s.expect(w.t, `[3,"ready"`)
	return s
}

// What OCPP cannot say is not sent.
func TestInvalidCommands(t *testing.T) {
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	long := strings.Repeat("x", 501)
	for name, do := range map[string]command{
		"reset":             reset("Sideways"),
		"unlock":            unlock(0),
		"availability":      availability(-1, "Operative"),
		"availability word": availability(1, "Off"),
		"trigger":           trigger("Nothing", 1),
		"trigger connector": trigger("MeterValues", -1),
		"change nothing":    change("", "v"),
		"change key":        change(long, "v"),
		"change value":      change("k", long),
		"configuration":     configuration("fine", long),
		"data for nobody":   dataTransfer(csms.DataTransfer{}),
		"data vendor":       dataTransfer(csms.DataTransfer{VendorID: long}),
	} {
		if _, err := do(t.Context(), w.server); !errors.Is(err, leyden.ErrInvalid) {
			t.Errorf("%s: %v; want %v", name, err, leyden.ErrInvalid)
		}
	}
	if got := s.inbox(); len(got) > 0 {
		t.Errorf("sent %s; want nothing", got)
	}
	s.close()
}

// Every command is for a station that is there.
func TestCommandsToNobody(t *testing.T) {
	commands := []command{
		reset("Soft"), unlock(1), availability(1, "Operative"), clearCache, trigger("Heartbeat", 0), change("k", "v"),
		configuration(), dataTransfer(csms.DataTransfer{VendorID: "v"}),
	}
	w := newWorld(t)
	w.begin()
	defer w.end()
	for i, do := range commands {
		if _, err := do(t.Context(), w.server); !errors.Is(err, leyden.ErrNotFound) {
			t.Errorf("command %d to a station that nobody knows: %v; want %v", i, err, leyden.ErrNotFound)
		}
	}
	if err := w.store.AddStation(t.Context(), leyden.Station{ID: cp, PublicID: "chg_1"}); err != nil {
		t.Fatal(err)
	}
	for i, do := range commands {
		if _, err := do(t.Context(), w.server); !errors.Is(err, leyden.ErrOffline) {
			t.Errorf("command %d to a station that is not connected: %v; want %v", i, err, leyden.ErrOffline)
		}
	}
}

// What can go wrong with any command.
func TestFailedCommands(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*station, string) // with the id of the call
		want string
	}{
		"CALLERROR":        {func(s *station, id string) { s.send(`[4,"` + id + `","NotSupported","no",{}]`) }, "station:NotSupported"},
		"answer too short": {func(s *station, id string) { s.send(`[3,"` + id + `"]`) }, "station:FormationViolation"},
		"no status":        {func(s *station, id string) { s.send(`[3,"` + id + `",{}]`) }, "station:OccurenceConstraintViolation"},
		"another answer":   {func(s *station, id string) { s.send(`[3,"other",{"status":"Accepted"}]`) }, "silent"},
		"silence":          {func(*station, string) {}, "silent"},
		"leaves":           {func(s *station, _ string) { s.close() }, "offline"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.connectReady(cp)
				defer w.end()
				w.wg.Go(func() {
					if f, err := ocpp.ParseFrame([]byte(s.next())); err == nil {
						c.do(s, f.ID)
					}
				})
				begin := time.Now()
				_, err := w.server.ClearCache(t.Context(), cp)
				if word(err) != c.want {
					t.Errorf("%v; want %s", err, c.want)
				}
				if took := time.Since(begin); took > 30*time.Second {
					t.Errorf("took %v; want at most 30s", took)
				}
				s.close()
			})
		})
	}
}

// A caller who left is told so in the end, also of a station that never answers.
func TestCommandOfCallerWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		s := w.connectReady(cp)
		defer s.close()
		ctx, leave := context.WithCancel(t.Context())
		w.wg.Go(func() {
			s.expect(t, `[2,`)
			leave()
		})
		if _, err := w.server.ClearCache(ctx, cp); !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want %v", err, context.Canceled)
		}
	})
}

// A remote start is seen through although the client left: the record must tell
// what the station said.
func TestRemoteStartOfClientWhoLeft(t *testing.T) {
	w := newWorld(t)
	s := w.connectReady(cp)
	defer w.end()
	ctx, leave := context.WithCancel(t.Context())
	w.wg.Go(func() {
		frame := s.next()
		leave()
		f, err := ocpp.ParseFrame([]byte(frame))
		if err != nil {
			t.Error(err)
		}
		s.send(`[3,"` + f.ID + `",{"status":"Rejected"}]`)
	})
	got, err := w.server.RemoteStart(ctx, leyden.StartRequest{Station: cp, Connector: 1, Token: leyden.IDToken{Value: "USER123"}})
	if !errors.Is(err, leyden.ErrRefused) || got.Status != leyden.Failed {
		t.Errorf("%v, %v; want %v and failed", got.Status, err, leyden.ErrRefused)
	}
	s.close()
}

// What a station told of its ConnectionTimeOut, or was told, decides how long a
// remote start waits.
func TestConnectionTimeOut(t *testing.T) {
	for name, c := range map[string]struct {
		do     command
		answer string
		want   time.Duration
	}{
		"asked":    {configuration("connectiontimeout"), `{"configurationKey":[{"key":"ConnectionTimeout","readonly":false,"value":" 90 "}]}`, 90 * time.Second},
		"changed":  {change("ConnectionTimeOut", "45"), `{"status":"Accepted"}`, 45 * time.Second},
		"refused":  {change("ConnectionTimeOut", "45"), `{"status":"Rejected"}`, 0},
		"nonsense": {configuration("ConnectionTimeOut"), `{"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"soon"}]}`, 0},
		"for ever": {configuration("ConnectionTimeOut"), `{"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"99999999"}]}`, 0},
		"another":  {change("HeartbeatInterval", "45"), `{"status":"Accepted"}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.connectReady(cp)
			defer w.end()
			w.wg.Go(func() {
				if f, err := ocpp.ParseFrame([]byte(s.next())); err == nil {
					s.send(`[3,"` + f.ID + `",` + c.answer + `]`)
				}
			})
			if _, err := c.do(t.Context(), w.server); err != nil {
				t.Fatal(err)
			}
			known, err := w.ledger.Station(t.Context(), cp)
			if err != nil || known.StartTimeout != c.want {
				t.Errorf("%v, %v; want %v", known.StartTimeout, err, c.want)
			}
			s.close()
		})
	}
}
