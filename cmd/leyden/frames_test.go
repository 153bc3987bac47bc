package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// TestFramesFollow follows a station that nobody knows yet, from before it is
// there to Ctrl-C.
func TestFramesFollow(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data, "--admission", "open")
	follow := launch(t, nil, "frames", "--follow", "WATCHED", "--data", data)
	beats := launch(t, nil, "frames", "WATCHED", "--follow", "--action", "Heartbeat", "--json", "--limit", "0", "--data", data)

	tr, err := dial(t.Context(), p.url, "WATCHED", "")
	if err != nil {
		t.Fatal(err)
	}
	station := ocpp.NewConn(tr, ocpp.Options{IDPrefix: "m"})
	ended := make(chan error, 1)
	go func() {
		ended <- station.Serve(context.Background(), func(context.Context, ocpp.Frame) ocpp.Reply {
			return ocpp.Reply{Err: ocpp.Errorf(ocpp.NotSupported, "not\x1b[2J here")}
		})
	}()
	var boot v16.BootNotificationResponse
	if err := station.Call(t.Context(), &v16.BootNotification{ChargePointVendor: "V", ChargePointModel: "M"}, &boot); err != nil {
		t.Fatal(err)
	}
	follow.await(follow.stdout, `\A\S+ \S+ <- BootNotification       \[2,"m1","BootNotification",.*\n\S+ \S+ -> BootNotification       \[3,"m1",`)
	for range 2 {
		if err := station.Call(t.Context(), &v16.Heartbeat{}, &v16.HeartbeatResponse{}); err != nil {
			t.Fatal(err)
		}
	}
	follow.await(follow.stdout, `-> Heartbeat              \[3,"m3",`)
	r := p.call("POST", "/api/v1/chargers/WATCHED/call", adminKey, `{"action":"GetDiagnostics","payload":{"location":"ftp://me:0123456789abcdef@example.com/"}}`)
	if !strings.Contains(r.body, "NotSupported") {
		t.Errorf("a station that refuses: %s", r.body)
	}
	follow.await(follow.stdout, `-> GetDiagnostics         .*"location":"ftp://me:\*\*\*@example.com/"`)
	follow.await(follow.stdout, `<- GetDiagnostics         \[4,.*,"NotSupported","\*\*\*",\{\}\]\n`) // it may say the secret
	p.call("POST", "/api/v1/chargers/WATCHED/cache/clear", adminKey, "{}")
	follow.await(follow.stdout, `<- ClearCache             \[4,.*here",\{\}\]\n`)
	beats.await(beats.stdout, `\[3,\\"m3\\",.*\n`)

	for _, f := range []*process{follow, beats} {
		if err := f.end(syscall.SIGINT); err != nil || f.stderr.String() != "" {
			t.Errorf("Ctrl-C ended it with %v; it said %s", err, f.stderr)
		}
	}
	if said := follow.stdout.String(); strings.Contains(said, "\x1b") || strings.Contains(said, "0123456789abcdef") {
		t.Errorf("it showed %q", said)
	}
	lines := strings.Split(strings.TrimSpace(beats.stdout.String()), "\n")
	if len(lines) != 4 {
		t.Errorf("of two heartbeats it showed %q", lines)
	}
	var f frameRecord
	decode(t, lines[3], &f)
	var shown struct{ Frames []json.RawMessage } // by the REST API
	p.get("/api/v1/chargers/WATCHED/frames?action=Heartbeat&limit=1", &shown)
	if len(shown.Frames) != 1 || string(shown.Frames[0]) != lines[3] {
		t.Errorf("the last is %s; the REST API has %s", lines[3], shown.Frames)
	}
	if f.Direction != "out" || *f.Action != "Heartbeat" || f.ChargeBoxID != "WATCHED" || f.TransactionID != nil || !json.Valid([]byte(f.Frame)) {
		t.Errorf("the last is %s", lines[3])
	}
	p.drain()
	within(t, "the station's connection ends", ended)
}

func TestByteSize(t *testing.T) {
	for _, c := range []struct {
		text, want string // "" is refused
	}{
		{"0", "0"}, {"512MiB", "512MiB"}, {"1024 KiB", "1MiB"}, {"2GiB", "2GiB"}, {"5MB", "5MB"}, {"1500kB", "1500kB"}, {"17", "17B"}, {"17B", "17B"},
		{"", ""}, {"-1", ""}, {"MiB", ""}, {"1.5GiB", ""}, {"9999999999999GiB", ""}, {"1 mib", ""},
	} {
		var b byteSize
		err := b.Set(c.text)
		if (err != nil) != (c.want == "") || err == nil && b.String() != c.want {
			t.Errorf("%q: got %v, %v; want %q", c.text, b.String(), err, c.want)
		}
	}
}
