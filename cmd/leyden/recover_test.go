package main

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// TestCommandsOfKilledServer: no list shows a command running that a server had
// sent before it was killed.
func TestCommandsOfKilledServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open")
	asked, end := mute(t, p)
	cut := make(chan error, 1)
	go func() {
		_, err := ask(t.Context(), patient(), "POST", p.url+"/api/v1/chargers/MUTE/reset", adminKey, `{"type":"Soft"}`)
		cut <- err
	}()
	if action := within(t, "the station is asked", asked); action != "Reset" {
		t.Fatalf("it was asked for %s", action)
	}
	if err := p.end(syscall.SIGKILL); err == nil {
		t.Fatal("the server ended well although it was killed")
	}
	end()
	if err := within(t, "the request ends", cut); err == nil {
		t.Error("the request was answered by a server that was killed")
	}

	p = startServer(t, "--data", data, "--admission", "open")
	var list struct {
		Commands []struct {
			Action, Outcome, Error string
		}
	}
	p.get("/api/v1/chargers/MUTE/commands", &list)
	if len(list.Commands) != 1 || list.Commands[0].Outcome != "left" || list.Commands[0].Error == "" {
		t.Errorf("on record: %+v; want a Reset that was left", list.Commands)
	}
	p.drain()
}

// mute connects a station MUTE that answers nothing that it is asked. end ends it,
// once its server is gone.
func mute(t *testing.T, p *process) (asked <-chan string, end func()) {
	t.Helper()
	tr, err := dial(t.Context(), p.url, "MUTE", "")
	if err != nil {
		t.Fatal(err)
	}
	actions, ended, gone := make(chan string, 1), make(chan error, 1), make(chan struct{})
	station := ocpp.NewConn(tr, ocpp.Options{})
	go func() {
		ended <- station.Serve(context.Background(), func(_ context.Context, f ocpp.Frame) ocpp.Reply {
			actions <- f.Action
			<-gone
			return ocpp.Reply{Message: ocpp.Raw(nil)}
		})
	}()
	// It is there for the server once it was answered.
	boot := &v16.BootNotification{ChargePointVendor: "V", ChargePointModel: "M"}
	if err := station.Call(t.Context(), boot, new(v16.BootNotificationResponse)); err != nil {
		t.Fatal(err)
	}
	return actions, func() {
		close(gone)
		within(t, "the station ends", ended)
	}
}
