package storetest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"leyden"
	"leyden/device"
)

// RunDevice tests the stores of package device that open returns. Each call must
// return an empty one.
func RunDevice(t *testing.T, open func(*testing.T) device.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, device.Store)
	}{
		{"CommandReadBack", commandReadBack},
		{"CommandList", commandList},
		{"CommandsForgotten", commandsForgotten},
		{"CommandsLeft", commandsLeft},
		{"NotificationReadBack", notificationReadBack},
		{"NotificationList", notificationList},
		{"NotificationsForgotten", notificationsForgotten},
		{"CertificateReadBack", certificateReadBack},
		{"CertificateList", certificateList},
		{"CertificatesForgotten", certificatesForgotten},
		{"ProfileReadBack", profileReadBack},
		{"ProfileReplaced", profileReplaced},
		{"ProfilesCleared", profilesCleared},
		{"TemplateReadBack", templateReadBack},
		{"TemplateList", templateList},
		{"LocalLists", localLists},
		{"StationForgotten", stationForgotten},
		{"EveryDeviceFieldAlone", everyDeviceFieldAlone},
		{"DeviceRefusals", deviceRefusals},
		{"DeviceCancelled", deviceCancelled},
		{"DeviceConcurrent", deviceConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// fine is a time with all the digits that stores keep.
func fine(n int) time.Time { return minute(n).Add(123456 * time.Microsecond) }

// fillDevice sets every field of v, and of what it holds, to something.
func fillDevice(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("Ü \"1\"; -- ")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(11.1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillDevice(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillDevice(v.Index(1))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(fine(3)))
			return
		}
		for i := range v.NumField() {
			fillDevice(v.Field(i))
		}
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

// filled returns a record with every field set.
func filled[R any]() (r R) {
	fillDevice(reflect.ValueOf(&r).Elem())
	return r
}

// A deviceRecord saves a record of one type and reads it back.
type deviceRecord struct {
	name string
	// alone saves a record of which nothing but field i is set, and what names it.
	// It returns false when there is no such field.
	alone func(t *testing.T, s device.Store, i int) bool
}

// recordOf describes a type of records. name gives a record the name n.
func recordOf[R any](what string, name func(r *R, n string), save func(context.Context, device.Store, *R) error,
	read func(context.Context, device.Store, R) (R, error)) deviceRecord {
	return deviceRecord{what, func(t *testing.T, s device.Store, i int) bool {
		var r R
		v := reflect.ValueOf(&r).Elem()
		if i >= v.NumField() {
			return false
		}
		fillDevice(v.Field(i))
		name(&r, fmt.Sprint(i))
		wantErr(t, what, save(t.Context(), s, &r), nil)
		got, err := read(t.Context(), s, r)
		wantErr(t, what, err, nil)
		same(t, fmt.Sprintf("%s with %s alone", what, v.Type().Field(i).Name), got, r)
		return true
	}}
}

// everyDeviceFieldAlone keeps fields apart that a driver could mix up.
func everyDeviceFieldAlone(t *testing.T, s device.Store) {
	for _, record := range deviceRecords() {
		fields := 0
		for record.alone(t, s, fields) {
			fields++
		}
		if fields < 5 {
			t.Errorf("%s: only %d fields", record.name, fields)
		}
	}
}

// only returns the one record of a list.
func only[R any](list []R, err error) (R, error) {
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d records; want 1", len(list))
	}
	if err != nil {
		return *new(R), err
	}
	return list[0], nil
}

func deviceRecords() []deviceRecord {
	return []deviceRecord{
		recordOf("command", func(c *device.Command, n string) { c.ID, c.Station = "cmd_"+n, "S" },
			func(ctx context.Context, s device.Store, c *device.Command) error { return s.SaveCommand(ctx, *c) },
			func(ctx context.Context, s device.Store, c device.Command) (device.Command, error) {
				return s.Command(ctx, c.ID)
			}),
		recordOf("notification", func(n *device.Notification, name string) {
			n.Station, n.Kind = leyden.StationID(name), device.Security
		}, func(ctx context.Context, s device.Store, n *device.Notification) error {
			return s.AddNotification(ctx, n)
		},
			func(ctx context.Context, s device.Store, n device.Notification) (device.Notification, error) {
				list, _, err := s.Notifications(ctx, device.NotificationQuery{Station: n.Station})
				return only(list, err)
			}),
		recordOf("certificate", func(c *device.Certificate, n string) { c.ID, c.Station = "crt_"+n, "S" },
			func(ctx context.Context, s device.Store, c *device.Certificate) error {
				return s.SaveCertificate(ctx, *c)
			},
			func(ctx context.Context, s device.Store, c device.Certificate) (device.Certificate, error) {
				return s.Certificate(ctx, c.ID)
			}),
		recordOf("installed profile", func(p *device.InstalledProfile, n string) {
			p.Station, p.Profile.Purpose = leyden.StationID(n), "TxProfile"
		},
			func(ctx context.Context, s device.Store, p *device.InstalledProfile) error {
				return s.InstallProfile(ctx, *p)
			},
			func(ctx context.Context, s device.Store, p device.InstalledProfile) (device.InstalledProfile, error) {
				return only(s.InstalledProfiles(ctx, p.Station))
			}),
		recordOf("template", func(p *device.ProfileTemplate, n string) { p.ID = "prf_" + n },
			func(ctx context.Context, s device.Store, p *device.ProfileTemplate) error {
				return s.SaveTemplate(ctx, *p)
			},
			func(ctx context.Context, s device.Store, p device.ProfileTemplate) (device.ProfileTemplate, error) {
				return s.Template(ctx, p.ID)
			}),
		recordOf("local list", func(l *device.LocalList, n string) { l.Station = leyden.StationID(n) },
			func(ctx context.Context, s device.Store, l *device.LocalList) error { return s.SaveLocalList(ctx, *l) },
			func(ctx context.Context, s device.Store, l device.LocalList) (device.LocalList, error) {
				return s.LocalList(ctx, l.Station)
			}),
	}
}

// deviceRefusals: a record that is not named is refused, and one of another
// station, and nothing changes.
func deviceRefusals(t *testing.T, s device.Store) {
	ctx := t.Context()
	endless := filled[device.InstalledProfile]()
	endless.Profile.Schedule.Periods[0].Limit = math.Inf(1)
	for what, err := range map[string]error{
		"command without an id":        s.SaveCommand(ctx, device.Command{Station: "S"}),
		"command without a station":    s.SaveCommand(ctx, device.Command{ID: "c"}),
		"notification without kind":    s.AddNotification(ctx, &device.Notification{Station: "S"}),
		"notification without station": s.AddNotification(ctx, &device.Notification{Kind: device.Log}),
		"certificate without an id":    s.SaveCertificate(ctx, device.Certificate{Station: "S"}),
		"certificate of no station":    s.SaveCertificate(ctx, device.Certificate{ID: "c"}),
		"profile of no station":        s.InstallProfile(ctx, device.InstalledProfile{Profile: installed(1, 1, "TxProfile", 1).Profile}),
		"profile of no purpose":        s.InstallProfile(ctx, device.InstalledProfile{Station: "S"}),
		"profile with endless limit":   s.InstallProfile(ctx, endless),
		"template without an id":       s.SaveTemplate(ctx, device.ProfileTemplate{}),
		"list of no station":           s.SaveLocalList(ctx, device.LocalList{}),
	} {
		wantErr(t, what, err, leyden.ErrInvalid)
	}
	_, err := s.Command(ctx, "c")
	wantErr(t, "Command that was refused", err, leyden.ErrNotFound)

	wantErr(t, "SaveCommand", s.SaveCommand(ctx, command("S", 1)), nil)
	stolen := command("S", 1)
	stolen.Station = "T"
	wantErr(t, "SaveCommand of another station", s.SaveCommand(ctx, stolen), leyden.ErrInvalid)
	same(t, "Command", must[device.Command](t)(s.Command(ctx, stolen.ID)), command("S", 1))
	wantErr(t, "SaveCertificate", s.SaveCertificate(ctx, certificate("S", 1)), nil)
	theirs := certificate("S", 1)
	theirs.Station = "T"
	wantErr(t, "SaveCertificate of another station", s.SaveCertificate(ctx, theirs), leyden.ErrInvalid)
	same(t, "Certificate", must[device.Certificate](t)(s.Certificate(ctx, theirs.ID)), certificate("S", 1))
}

// deviceCancelled: who has left gets no answer, and changes nothing.
func deviceCancelled(t *testing.T, s device.Store) {
	ctx := done(t.Context())
	_, noCommand := s.Command(ctx, "c")
	_, _, noCommands := s.Commands(ctx, device.CommandQuery{})
	_, _, noNotifications := s.Notifications(ctx, device.NotificationQuery{})
	_, noProfiles := s.InstalledProfiles(ctx, "S")
	_, noTemplate := s.Template(ctx, "t")
	_, noList := s.LocalList(ctx, "S")
	_, noCertificate := s.Certificate(ctx, "c")
	_, noneLeft := s.LeaveCommands(ctx, "gone")
	for what, err := range map[string]error{
		"SaveCommand":       s.SaveCommand(ctx, command("S", 1)),
		"AddNotification":   s.AddNotification(ctx, new(notification("S", device.Log, 1))),
		"SaveCertificate":   s.SaveCertificate(ctx, certificate("S", 1)),
		"InstallProfile":    s.InstallProfile(ctx, installed(1, 1, "TxProfile", 1)),
		"ClearProfiles":     s.ClearProfiles(ctx, "S", device.ProfileFilter{}),
		"SaveTemplate":      s.SaveTemplate(ctx, template(1)),
		"RemoveTemplate":    s.RemoveTemplate(ctx, "t"),
		"SaveLocalList":     s.SaveLocalList(ctx, device.LocalList{Station: "S"}),
		"Command":           noCommand,
		"Commands":          noCommands,
		"Notifications":     noNotifications,
		"InstalledProfiles": noProfiles,
		"Template":          noTemplate,
		"LocalList":         noList,
		"Certificate":       noCertificate,
		"LeaveCommands":     noneLeft,
	} {
		wantErr(t, what, err, context.Canceled)
	}
	_, n, err := s.Commands(t.Context(), device.CommandQuery{})
	wantErr(t, "Commands", err, nil)
	if n != 0 {
		t.Errorf("%d commands of callers that had left", n)
	}
}

// deviceConcurrent: many at once lose nothing and mix nothing up.
func deviceConcurrent(t *testing.T, s device.Store) {
	const callers = 40
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			n := notification("S", device.Security, i)
			for _, err := range []error{
				s.SaveCommand(t.Context(), command("S", i)),
				s.AddNotification(t.Context(), &n),
				s.InstallProfile(t.Context(), installed(i, i, "TxProfile", 1)),
			} {
				wantErr(t, "change", err, nil)
			}
		})
	}
	wg.Wait()
	commands, n, err := s.Commands(t.Context(), device.CommandQuery{Station: "S"})
	if len(commands) != callers || n != callers || err != nil {
		t.Errorf("Commands: %d of %d, %v; want %d", len(commands), n, err, callers)
	}
	notes, n, err := s.Notifications(t.Context(), device.NotificationQuery{Station: "S"})
	if len(notes) != callers || n != callers || err != nil {
		t.Errorf("Notifications: %d of %d, %v; want %d", len(notes), n, err, callers)
	}
	rising := slices.IsSortedFunc(notes, func(a, b device.Notification) int { return int(b.Seq - a.Seq) })
	if !rising {
		t.Error("notifications do not come by Seq, the last first")
	}
	profiles := must[[]device.InstalledProfile](t)(s.InstalledProfiles(t.Context(), "S"))
	if len(profiles) != callers {
		t.Errorf("%d profiles; want %d", len(profiles), callers)
	}
}
