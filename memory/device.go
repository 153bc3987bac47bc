package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"leyden"
	"leyden/device"
)

var _ device.Store = (*Store)(nil)

// devices are what is kept of stations apart from charging.
type devices struct {
	commands      shelf[device.Command]
	notifications shelf[device.Notification]
	certificates  shelf[device.Certificate]
	profiles      map[leyden.StationID][]device.InstalledProfile
	templates     map[string]device.ProfileTemplate
	lists         map[leyden.StationID]device.LocalList
}

func newDevices() devices {
	return devices{
		commands:      newShelf[device.Command](device.MaxCommands),
		notifications: newShelf[device.Notification](device.MaxNotifications),
		certificates:  newShelf[device.Certificate](device.MaxCertificates),
		profiles:      make(map[leyden.StationID][]device.InstalledProfile),
		templates:     make(map[string]device.ProfileTemplate),
		lists:         make(map[leyden.StationID]device.LocalList),
	}
}

// keep changes what is kept with f, if it may be kept at all.
func (s *Store) keep(ctx context.Context, refused error, f func(*devices) error) error {
	if err := cmp.Or(ctx.Err(), refused); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(&s.devices)
}

// SaveCommand implements [device.CommandStore].
func (s *Store) SaveCommand(ctx context.Context, c device.Command) error {
	return s.keep(ctx, c.Check(), func(d *devices) error {
		return d.commands.put(box{station: c.Station}, c.ID, c.AskedAt, c)
	})
}

// LeaveCommands implements [device.CommandStore].
func (s *Store) LeaveCommands(ctx context.Context, reason string) (n int, err error) {
	err = s.keep(ctx, nil, func(d *devices) error {
		for _, p := range d.commands.places {
			if c := &p.record; c.Outcome == device.Asked || c.Outcome == device.Sent {
				c.Outcome, c.Error = device.Left, reason
				n++
			}
		}
		return nil
	})
	return n, err
}

// Command implements [device.CommandStore].
func (s *Store) Command(ctx context.Context, id string) (device.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.devices.commands.find(ctx, id)
}

// Commands implements [device.CommandStore].
func (s *Store) Commands(ctx context.Context, q device.CommandQuery) ([]device.Command, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, n := s.devices.commands.list(
		func(b box) bool { return q.Station == "" || q.Station == b.station },
		func(c *device.Command) bool {
			return (q.Action == "" || q.Action == c.Action) && (q.By == "" || q.By == c.By)
		}, q.Page)
	return found, n, ctx.Err()
}

// AddNotification implements [device.NotificationStore].
func (s *Store) AddNotification(ctx context.Context, n *device.Notification) error {
	return s.keep(ctx, n.Check(), func(d *devices) error {
		n.Seq = d.notifications.last + 1
		in := box{n.Station, string(n.Kind)}
		return d.notifications.put(in, strconv.FormatInt(n.Seq, 10), time.Time{}, *n)
	})
}

// Notifications implements [device.NotificationStore].
func (s *Store) Notifications(ctx context.Context, q device.NotificationQuery) ([]device.Notification, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, n := s.devices.notifications.list(
		func(b box) bool {
			return within(q.Within, b.station) && (q.Station == "" || q.Station == b.station) && (q.Kind == "" || string(q.Kind) == b.kind)
		},
		func(n *device.Notification) bool {
			return (q.Type == "" || q.Type == n.Type) && (q.Received.IsZero() || q.Received.Contains(n.ReceivedAt)) &&
				(q.RequestID == nil || n.RequestID != nil && *n.RequestID == *q.RequestID)
		}, q.Page)
	return found, n, ctx.Err()
}

// SaveCertificate implements [device.CertificateStore].
func (s *Store) SaveCertificate(ctx context.Context, c device.Certificate) error {
	return s.keep(ctx, c.Check(), func(d *devices) error {
		return d.certificates.put(box{station: c.Station}, c.ID, c.RequestedAt, c)
	})
}

// Certificate implements [device.CertificateStore].
func (s *Store) Certificate(ctx context.Context, id string) (device.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.devices.certificates.find(ctx, id)
}

// Certificates implements [device.CertificateStore].
func (s *Store) Certificates(ctx context.Context, q device.CertificateQuery) ([]device.Certificate, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, n := s.devices.certificates.list(
		func(b box) bool { return within(q.Within, b.station) && (q.Station == "" || q.Station == b.station) },
		func(c *device.Certificate) bool { return q.Status == "" || q.Status == c.Status },
		q.Page)
	return found, n, ctx.Err()
}

// InstallProfile implements [device.ProfileStore].
func (s *Store) InstallProfile(ctx context.Context, p device.InstalledProfile) error {
	return s.keep(ctx, p.Check(), func(d *devices) error {
		left := slices.DeleteFunc(d.profiles[p.Station], func(old device.InstalledProfile) bool {
			same := old.Connector == p.Connector && old.Profile.Purpose == p.Profile.Purpose &&
				old.Profile.StackLevel == p.Profile.StackLevel
			return same || old.Profile.ID == p.Profile.ID
		})
		d.profiles[detach(p.Station)] = append(left, detach(p))
		return nil
	})
}

// ClearProfiles implements [device.ProfileStore].
func (s *Store) ClearProfiles(ctx context.Context, id leyden.StationID, f device.ProfileFilter) error {
	return s.keep(ctx, nil, func(d *devices) error {
		left := slices.DeleteFunc(d.profiles[id], func(p device.InstalledProfile) bool { return clears(f, &p) })
		d.profiles[detach(id)] = left
		if len(left) == 0 {
			delete(d.profiles, id)
		}
		return nil
	})
}

func clears(f device.ProfileFilter, p *device.InstalledProfile) bool {
	if f.ID != nil {
		return *f.ID == p.Profile.ID
	}
	return (f.Connector == nil || *f.Connector == p.Connector) &&
		(f.Purpose == "" || f.Purpose == p.Profile.Purpose) &&
		(f.StackLevel == nil || *f.StackLevel == p.Profile.StackLevel)
}

// InstalledProfiles implements [device.ProfileStore].
func (s *Store) InstalledProfiles(ctx context.Context, id leyden.StationID) ([]device.InstalledProfile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := detach(s.devices.profiles[id])
	slices.SortFunc(found, func(a, b device.InstalledProfile) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Profile.Purpose, b.Profile.Purpose),
			cmp.Compare(a.Profile.StackLevel, b.Profile.StackLevel))
	})
	return found, ctx.Err()
}

// SaveTemplate implements [device.ProfileStore].
func (s *Store) SaveTemplate(ctx context.Context, t device.ProfileTemplate) error {
	return s.keep(ctx, t.Check(), func(d *devices) error {
		d.templates[detach(t.ID)] = detach(t)
		return nil
	})
}

// RemoveTemplate implements [device.ProfileStore].
func (s *Store) RemoveTemplate(ctx context.Context, id string) error {
	return s.keep(ctx, nil, func(d *devices) error {
		if _, ok := d.templates[id]; !ok {
			return leyden.ErrNotFound
		}
		delete(d.templates, id)
		return nil
	})
}

// Template implements [device.ProfileStore].
func (s *Store) Template(ctx context.Context, id string) (device.ProfileTemplate, error) {
	return get(ctx, s, s.devices.templates, id)
}

// Templates implements [device.ProfileStore].
func (s *Store) Templates(ctx context.Context, p device.Page) ([]device.ProfileTemplate, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.devices.templates), func(a, b device.ProfileTemplate) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	rest := behind(all, p.After, true, func(t device.ProfileTemplate) leyden.Cursor { return leyden.Cursor{At: t.CreatedAt, Name: t.ID} })
	return part(rest, p), len(all), ctx.Err()
}

// SaveLocalList implements [device.LocalListStore].
func (s *Store) SaveLocalList(ctx context.Context, l device.LocalList) error {
	return s.keep(ctx, l.Check(), func(d *devices) error {
		d.lists[detach(l.Station)] = detach(l)
		return nil
	})
}

// LocalList implements [device.LocalListStore].
func (s *Store) LocalList(ctx context.Context, id leyden.StationID) (device.LocalList, error) {
	return get(ctx, s, s.devices.lists, id)
}

// ForgetStation implements [device.Store].
func (s *Store) ForgetStation(ctx context.Context, id leyden.StationID) error {
	return s.keep(ctx, nil, func(d *devices) error {
		delete(d.profiles, id)
		delete(d.lists, id)
		d.certificates.clear(box{station: id})
		return nil
	})
}
