package storetest

import (
	"testing"

	"leyden/device"
)

// A DurableDevice is a [device.Store] that outlives its process. Close ends it
// as a clean exit would.
type DurableDevice interface {
	device.Store
	Close() error
}

// RunDeviceReopen tests durable stores of package device: reopen opens the one in
// folder, and makes it when there is none.
func RunDeviceReopen(t *testing.T, reopen func(t *testing.T, folder string) DurableDevice) {
	folder := t.TempDir()
	shut := func(s DurableDevice) {
		wantErr(t, "Close", s.Close(), nil)
	}
	ctx, s := t.Context(), reopen(t, folder)
	list := filled[device.LocalList]()
	profile := filled[device.InstalledProfile]()
	saved := filled[device.ProfileTemplate]()
	note := notification("S", device.Security, 1)
	inParallel(t, 1, device.MaxCertificates, func(n int) error { return s.SaveCertificate(ctx, certificate("S", n)) })
	for what, err := range map[string]error{
		"SaveCommand":     s.SaveCommand(ctx, command("S", 1)),
		"AddNotification": s.AddNotification(ctx, &note),
		"InstallProfile":  s.InstallProfile(ctx, profile),
		"SaveTemplate":    s.SaveTemplate(ctx, saved),
		"SaveLocalList":   s.SaveLocalList(ctx, list),
	} {
		wantErr(t, what, err, nil)
	}
	shut(s)

	s = reopen(t, folder)
	defer func() { shut(s) }()
	same(t, "command", must[device.Command](t)(s.Command(ctx, command("S", 1).ID)), command("S", 1))
	notes, _, err := s.Notifications(ctx, device.NotificationQuery{})
	wantErr(t, "Notifications", err, nil)
	same(t, "notifications", notes, []device.Notification{note})
	profiles := must[[]device.InstalledProfile](t)(s.InstalledProfiles(ctx, profile.Station))
	same(t, "installed profiles", profiles, []device.InstalledProfile{profile})
	same(t, "template", must[device.ProfileTemplate](t)(s.Template(ctx, saved.ID)), saved)
	same(t, "local list", must[device.LocalList](t)(s.LocalList(ctx, list.Station)), list)

	later := notification("S", device.Security, 2)
	wantErr(t, "AddNotification", s.AddNotification(ctx, &later), nil)
	if later.Seq <= note.Seq {
		t.Errorf("Seq %d after reopening is not above %d", later.Seq, note.Seq)
	}
	wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, certificate("S", device.MaxCertificates+1)), nil)
	_, n, err := s.Certificates(ctx, device.CertificateQuery{})
	if n != device.MaxCertificates || err != nil {
		t.Errorf("%d certificates after one too many, %v; want %d", n, err, device.MaxCertificates)
	}
}
