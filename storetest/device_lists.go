package storetest

import (
	"fmt"
	"slices"
	"testing"

	"leyden"
	"leyden/device"
)

func command(s leyden.StationID, n int) device.Command {
	return device.Command{
		ID: fmt.Sprintf("cmd_%s%d", s, n), Station: s, Action: "Reset", Request: `{"type":"Soft"}`, Outcome: device.Asked, AskedAt: fine(n),
	}
}

func notification(s leyden.StationID, kind device.Kind, n int) device.Notification {
	return device.Notification{Station: s, Kind: kind, Type: fmt.Sprint("T", n%2), ReceivedAt: fine(n)}
}

func certificate(s leyden.StationID, n int) device.Certificate {
	return device.Certificate{ID: fmt.Sprintf("crt_%s%d", s, n), Station: s, Status: device.Requested, Request: "CSR", RequestedAt: fine(n)}
}

// listed fails unless a list of total records is want, which name names.
func listed[R any](t *testing.T, what string, list []R, n int, err error, name func(R) string, total int, want ...string) {
	t.Helper()
	var got []string
	for _, r := range list {
		got = append(got, name(r))
	}
	if err != nil || n != total || !slices.Equal(got, want) {
		t.Errorf("%s: %q of %d, %v; want %q of %d", what, got, n, err, want, total)
	}
}

func commandReadBack(t *testing.T, s device.Store) {
	ctx := t.Context()
	want := filled[device.Command]()
	wantErr(t, "SaveCommand", s.SaveCommand(ctx, want), nil)
	same(t, "Command", must[device.Command](t)(s.Command(ctx, want.ID)), want)
	want.Outcome, want.Status, want.Error, want.AnsweredAt = device.Answered, "", "", fine(9)
	wantErr(t, "SaveCommand again", s.SaveCommand(ctx, want), nil)
	list, n, err := s.Commands(ctx, device.CommandQuery{})
	wantErr(t, "Commands", err, nil)
	same(t, "Commands", list, []device.Command{want})
	if n != 1 {
		t.Errorf("%d commands; want 1", n)
	}
	_, err = s.Command(ctx, "cmd_nobody")
	wantErr(t, "Command", err, leyden.ErrNotFound)
}

// commandsLeft: those that run are left with a reason, and no others.
func commandsLeft(t *testing.T, s device.Store) {
	ctx := t.Context()
	var want []device.Command
	for i, o := range []device.Outcome{device.Asked, device.Sent, device.Answered, device.Errored, device.Silent, device.Left, device.NotSent} {
		c := command(leyden.StationID("ST"[i%2:i%2+1]), i)
		c.Outcome, c.SentAt, c.Error = o, fine(i), "before"
		wantErr(t, "SaveCommand", s.SaveCommand(ctx, c), nil)
		if o == device.Asked || o == device.Sent {
			c.Outcome, c.Error = device.Left, "the server is gone"
		}
		want = append(want, c)
	}
	for _, n := range []int{2, 0} {
		got, err := s.LeaveCommands(ctx, "the server is gone")
		wantErr(t, "LeaveCommands", err, nil)
		if got != n {
			t.Errorf("%d commands are left; want %d", got, n)
		}
	}
	list, _, err := s.Commands(ctx, device.CommandQuery{})
	wantErr(t, "Commands", err, nil)
	slices.Reverse(want)
	same(t, "Commands", list, want)
}

func commandList(t *testing.T, s device.Store) {
	ctx := t.Context()
	save := func(c device.Command) {
		wantErr(t, "SaveCommand", s.SaveCommand(ctx, c), nil)
	}
	for _, n := range []int{3, 1, 2} {
		save(command("S", n))
	}
	other := command("s", 2)
	other.Action, other.By = "UnlockConnector", "key_1"
	save(other) // together with S2, but later
	byKey := command("S", 4)
	byKey.By = "key_1"
	save(byKey)
	save(command("S", 2)) // keeps its place
	for _, test := range []struct {
		what  string
		q     device.CommandQuery
		total int
		want  []string
	}{
		{"all", device.CommandQuery{}, 5, []string{"cmd_S4", "cmd_S3", "cmd_s2", "cmd_S2", "cmd_S1"}},
		{"of a station", device.CommandQuery{Station: "S"}, 4, []string{"cmd_S4", "cmd_S3", "cmd_S2", "cmd_S1"}},
		{"of an action", device.CommandQuery{Action: "UnlockConnector"}, 1, []string{"cmd_s2"}},
		{"by a key", device.CommandQuery{By: "key_1"}, 2, []string{"cmd_S4", "cmd_s2"}},
		{"all three", device.CommandQuery{Station: "S", Action: "Reset", By: "key_1"}, 1, []string{"cmd_S4"}},
		{"none", device.CommandQuery{Station: "T"}, 0, nil},
		{"a part", device.CommandQuery{Page: device.Page{Limit: 2, Offset: 1}}, 5, []string{"cmd_S3", "cmd_s2"}},
		{"behind the end", device.CommandQuery{Page: device.Page{Offset: 5}}, 5, nil},
	} {
		list, n, err := s.Commands(ctx, test.q)
		listed(t, test.what, list, n, err, func(c device.Command) string { return c.ID }, test.total, test.want...)
	}
}

// commandsForgotten: beyond MaxCommands the one asked first goes, of its station only.
func commandsForgotten(t *testing.T, s device.Store) {
	ctx := t.Context()
	wantErr(t, "SaveCommand", s.SaveCommand(ctx, command("T", 0)), nil)
	inParallel(t, 2, device.MaxCommands, func(n int) error { return s.SaveCommand(ctx, command("S", n)) })
	for _, again := range []int{5, device.MaxCommands} { // replacing forgets nothing
		wantErr(t, "SaveCommand again", s.SaveCommand(ctx, command("S", again)), nil)
	}
	count := func(station leyden.StationID) int {
		_, n, err := s.Commands(ctx, device.CommandQuery{Station: station})
		wantErr(t, "Commands", err, nil)
		return n
	}
	if count("S") != device.MaxCommands-1 {
		t.Fatalf("%d commands; want %d", count("S"), device.MaxCommands-1)
	}
	for _, n := range []int{device.MaxCommands + 1, device.MaxCommands + 2, 1} { // the last is older than all
		wantErr(t, "SaveCommand", s.SaveCommand(ctx, command("S", n)), nil)
	}
	for n, want := range map[int]error{1: leyden.ErrNotFound, 2: leyden.ErrNotFound, 3: nil, 5: nil} {
		_, err := s.Command(ctx, command("S", n).ID)
		wantErr(t, fmt.Sprint("Command ", n), err, want)
	}
	if count("S") != device.MaxCommands || count("T") != 1 || count("") != device.MaxCommands+1 {
		t.Errorf("%d, %d, %d commands; want %d, 1 and both", count("S"), count("T"), count(""), device.MaxCommands)
	}
}

func notificationReadBack(t *testing.T, s device.Store) {
	ctx := t.Context()
	want := filled[device.Notification]()
	want.RequestID = new(0) // which is not the same as none
	wantErr(t, "AddNotification", s.AddNotification(ctx, &want), nil)
	bare := notification("S", device.Firmware, 1)
	wantErr(t, "AddNotification", s.AddNotification(ctx, &bare), nil)
	if want.Seq < 1 || bare.Seq <= want.Seq {
		t.Errorf("Seq %d, then %d", want.Seq, bare.Seq)
	}
	list, n, err := s.Notifications(ctx, device.NotificationQuery{})
	wantErr(t, "Notifications", err, nil)
	same(t, "Notifications", list, []device.Notification{bare, want})
	if n != 2 {
		t.Errorf("%d notifications; want 2", n)
	}
	*list[1].RequestID = 9
	list, _, err = s.Notifications(ctx, device.NotificationQuery{})
	wantErr(t, "Notifications", err, nil)
	same(t, "Notifications after a copy was changed", list, []device.Notification{bare, want})
}

func notificationList(t *testing.T, s device.Store) {
	ctx := t.Context()
	for i, kind := range []device.Kind{device.Security, device.Log, device.Security, device.Log} {
		for _, station := range []leyden.StationID{"S", "T"} {
			n := notification(station, kind, i)
			n.Info = fmt.Sprint(station, i)
			if i > 1 {
				n.RequestID = new(i - 2)
			}
			wantErr(t, "AddNotification", s.AddNotification(ctx, &n), nil)
		}
	}
	window := leyden.Window{From: fine(1), To: fine(3)}
	for _, test := range []struct {
		what  string
		q     device.NotificationQuery
		total int
		want  []string
	}{
		{"all", device.NotificationQuery{}, 8, []string{"T3", "S3", "T2", "S2", "T1", "S1", "T0", "S0"}},
		{"of a station", device.NotificationQuery{Station: "S"}, 4, []string{"S3", "S2", "S1", "S0"}},
		{"within", device.NotificationQuery{Within: []leyden.StationID{"U", "S"}}, 4, []string{"S3", "S2", "S1", "S0"}},
		{"within none", device.NotificationQuery{Within: []leyden.StationID{}}, 0, nil},
		{"of a station outside", device.NotificationQuery{Station: "S", Within: []leyden.StationID{"T"}}, 0, nil},
		{"of a kind", device.NotificationQuery{Kind: device.Log}, 4, []string{"T3", "S3", "T1", "S1"}},
		{"of a station and kind", device.NotificationQuery{Station: "S", Kind: device.Log}, 2, []string{"S3", "S1"}},
		{"of a type", device.NotificationQuery{Type: "T0"}, 4, []string{"T2", "S2", "T0", "S0"}},
		{"of a station and type", device.NotificationQuery{Station: "S", Type: "T0"}, 2, []string{"S2", "S0"}},
		{"from and to", device.NotificationQuery{Received: window}, 4, []string{"T2", "S2", "T1", "S1"}},
		{"from", device.NotificationQuery{Received: leyden.Window{From: fine(3)}}, 2, []string{"T3", "S3"}},
		{"to", device.NotificationQuery{Station: "T", Received: leyden.Window{To: fine(1)}}, 1, []string{"T0"}},
		{"of request 0", device.NotificationQuery{RequestID: new(0)}, 2, []string{"T2", "S2"}},
		{"of a station's request", device.NotificationQuery{Station: "S", Kind: device.Log, RequestID: new(1)}, 1, []string{"S3"}},
		{"all four", device.NotificationQuery{Station: "S", Kind: device.Security, Type: "T0", Received: window}, 1, []string{"S2"}},
		{"none", device.NotificationQuery{Kind: device.Firmware}, 0, nil},
		{"a part", device.NotificationQuery{Page: device.Page{Limit: 2, Offset: 3}}, 8, []string{"S2", "T1"}},
	} {
		list, n, err := s.Notifications(ctx, test.q)
		listed(t, test.what, list, n, err, func(n device.Notification) string { return n.Info }, test.total, test.want...)
	}
}

// notificationsForgotten: beyond MaxNotifications the one received first goes, of
// its station and kind only.
func notificationsForgotten(t *testing.T, s device.Store) {
	ctx := t.Context()
	first := notification("S", device.Security, 0)
	for _, n := range []*device.Notification{&first, new(notification("S", device.Log, 0)), new(notification("T", device.Security, 0))} {
		wantErr(t, "AddNotification", s.AddNotification(ctx, n), nil)
	}
	inParallel(t, 1, device.MaxNotifications, func(n int) error {
		return s.AddNotification(ctx, new(notification("S", device.Security, n)))
	})
	last := notification("S", device.Security, 0)
	wantErr(t, "AddNotification", s.AddNotification(ctx, &last), nil)
	if want := first.Seq + device.MaxNotifications + 3; last.Seq != want {
		t.Errorf("Seq %d; want %d", last.Seq, want)
	}
	oldest := device.NotificationQuery{Station: "S", Kind: device.Security}
	oldest.Offset = device.MaxNotifications - 1
	list, n, err := s.Notifications(ctx, oldest)
	if err != nil || n != device.MaxNotifications || len(list) != 1 || list[0].Seq <= first.Seq {
		t.Errorf("oldest: %+v of %d, %v; want one after %d, of %d", list, n, err, first.Seq, device.MaxNotifications)
	}
	_, n, err = s.Notifications(ctx, device.NotificationQuery{})
	if n != device.MaxNotifications+2 || err != nil {
		t.Errorf("%d notifications, %v; want those of others to stay", n, err)
	}
}

func certificateReadBack(t *testing.T, s device.Store) {
	ctx := t.Context()
	want := filled[device.Certificate]()
	wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, want), nil)
	same(t, "Certificate", must[device.Certificate](t)(s.Certificate(ctx, want.ID)), want)
	want.Status, want.Reason, want.UpdatedAt = device.Installed, "", fine(9)
	wantErr(t, "SaveCertificate again", s.SaveCertificate(ctx, want), nil)
	list, n, err := s.Certificates(ctx, device.CertificateQuery{})
	wantErr(t, "Certificates", err, nil)
	same(t, "Certificates", list, []device.Certificate{want})
	if n != 1 {
		t.Errorf("%d certificates; want 1", n)
	}
	_, err = s.Certificate(ctx, "crt_nobody")
	wantErr(t, "Certificate", err, leyden.ErrNotFound)
}

func certificateList(t *testing.T, s device.Store) {
	ctx := t.Context()
	for _, n := range []int{2, 1, 3} {
		wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, certificate("S", n)), nil)
	}
	other := certificate("T", 2)
	other.Status = device.Signed
	wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, other), nil)
	for _, test := range []struct {
		what  string
		q     device.CertificateQuery
		total int
		want  []string
	}{
		{"all", device.CertificateQuery{}, 4, []string{"crt_S3", "crt_T2", "crt_S2", "crt_S1"}},
		{"of a station", device.CertificateQuery{Station: "S"}, 3, []string{"crt_S3", "crt_S2", "crt_S1"}},
		{"within", device.CertificateQuery{Within: []leyden.StationID{"T"}}, 1, []string{"crt_T2"}},
		{"within none", device.CertificateQuery{Within: []leyden.StationID{}}, 0, nil},
		{"of a status", device.CertificateQuery{Status: device.Signed}, 1, []string{"crt_T2"}},
		{"of both", device.CertificateQuery{Station: "S", Status: device.Signed}, 0, nil},
		{"a part", device.CertificateQuery{Page: device.Page{Limit: 2, Offset: 1}}, 4, []string{"crt_T2", "crt_S2"}},
	} {
		list, n, err := s.Certificates(ctx, test.q)
		listed(t, test.what, list, n, err, func(c device.Certificate) string { return c.ID }, test.total, test.want...)
	}
}

func certificatesForgotten(t *testing.T, s device.Store) {
	ctx := t.Context()
	inParallel(t, 1, device.MaxCertificates, func(n int) error { return s.SaveCertificate(ctx, certificate("S", n)) })
	for _, n := range []int{device.MaxCertificates, device.MaxCertificates + 1} { // the first is there already
		_, err := s.Certificate(ctx, certificate("S", 1).ID)
		wantErr(t, "Certificate", err, nil)
		wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, certificate("S", n)), nil)
	}
	_, err := s.Certificate(ctx, certificate("S", 1).ID)
	wantErr(t, "Certificate", err, leyden.ErrNotFound)
	_, n, err := s.Certificates(ctx, device.CertificateQuery{})
	if n != device.MaxCertificates || err != nil {
		t.Errorf("%d certificates, %v; want %d", n, err, device.MaxCertificates)
	}
}

// inParallel calls f for all numbers from first to last, several at a time.
func inParallel(t *testing.T, first, last int, f func(n int) error) {
	t.Helper()
	const callers = 64
	errs := make(chan error, callers)
	for c := range callers {
		go func() {
			var err error
			for n := first + c; n <= last && err == nil; n += callers {
				err = f(n)
			}
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func stationForgotten(t *testing.T, s device.Store) {
	ctx := t.Context()
	wantErr(t, "ForgetStation of nobody", s.ForgetStation(ctx, "S"), nil)
	for _, id := range []leyden.StationID{"S", "s"} {
		p := installed(1, 1, "TxDefaultProfile", 0)
		p.Station = id
		n := notification(id, device.Firmware, 1)
		wantErr(t, "InstallProfile", s.InstallProfile(ctx, p), nil)
		wantErr(t, "SaveLocalList", s.SaveLocalList(ctx, device.LocalList{Station: id, Version: 3}), nil)
		wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, certificate(id, 1)), nil)
		wantErr(t, "SaveCommand", s.SaveCommand(ctx, command(id, 1)), nil)
		wantErr(t, "AddNotification", s.AddNotification(ctx, &n), nil)
	}
	holds := func(what string, id leyden.StationID, want int) {
		t.Helper()
		profiles := must[[]device.InstalledProfile](t)(s.InstalledProfiles(ctx, id))
		lists := 0
		if _, err := s.LocalList(ctx, id); err == nil {
			lists = 1
		}
		_, certificates, err := s.Certificates(ctx, device.CertificateQuery{Station: id})
		wantErr(t, "Certificates", err, nil)
		same(t, what, []int{len(profiles), lists, certificates}, []int{want, want, want})
	}
	holds("what a station has", "S", 1)
	wantErr(t, "ForgetStation, cancelled", s.ForgetStation(done(ctx), "S"), done(ctx).Err())
	holds("what a station has still", "S", 1)
	wantErr(t, "ForgetStation", s.ForgetStation(ctx, "S"), nil)
	holds("what a forgotten station has", "S", 0)
	holds("what another has", "s", 1)
	_, err := s.Certificate(ctx, certificate("S", 1).ID)
	wantErr(t, "Certificate of a forgotten station", err, leyden.ErrNotFound)
	_, commands, err := s.Commands(ctx, device.CommandQuery{Station: "S"})
	wantErr(t, "Commands", err, nil)
	_, notifications, err := s.Notifications(ctx, device.NotificationQuery{Station: "S"})
	wantErr(t, "Notifications", err, nil)
	same(t, "history of a forgotten station", []int{commands, notifications}, []int{1, 1})

	// It begins anew, also in how many there may be of it.
	for n := range device.MaxCertificates {
		wantErr(t, "SaveCertificate anew", s.SaveCertificate(ctx, certificate("S", n)), nil)
	}
	_, certificates, err := s.Certificates(ctx, device.CertificateQuery{Station: "S"})
	wantErr(t, "Certificates", err, nil)
	same(t, "certificates anew", certificates, device.MaxCertificates)
}
