package csms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"leyden"
	"leyden/device"
)

// A LocalListUpdate is one SendLocalList (OCPP 1.6 §5.15).
type LocalListUpdate struct {
	Full    bool // replaces the list; otherwise it changes it
	Version int  // of the list afterwards; 0: the next one
	Items   []LocalListItem
}

// A LocalListItem says what an idTag is worth from now on.
type LocalListItem struct {
	IDTag string
	Info  *leyden.TokenInfo // nil: it leaves the list
}

// A LocalListAnswer is what became of a [LocalListUpdate].
type LocalListAnswer struct {
	Status  string // Accepted, Failed, NotSupported, VersionMismatch
	Version int    // that was sent
	Has     *int   // that the station has since, as far as it is known; nil: it is not
}

// A LocalListSync is what brought a station to the idTags that are listed.
type LocalListSync struct {
	LocalListAnswer
	Full     bool // everything was sent, not merely what differs
	Messages int  // how many were sent; none when nothing differs
	Set      int  // idTags that were sent with what they are worth
	Removed  int  // idTags that were taken away
}

// A localListDialect sends the messages of Local Auth List Management.
type localListDialect struct {
	version func(ctx context.Context, s *session) (int, error)
	send    func(ctx context.Context, s *session, u LocalListUpdate) (string, error)
}

const (
	// listMaxLength is the key of the setting that says how many idTags one message
	// may carry (OCPP 1.6 §9.3.3).
	listMaxLength = "SendLocalListMaxLength"
	// noList is the version of a station that has no list; 0 is that of an empty
	// one (OCPP 1.6 §5.10).
	noList = -1

	notSupported    = "NotSupported"
	versionMismatch = "VersionMismatch"
)

// LocalListVersion asks a station for the version of its local authorization
// list: -1 when it has no such list, 0 when it is empty (OCPP 1.6 §5.10).
func (srv *Server) LocalListVersion(ctx context.Context, id leyden.StationID) (int, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return 0, err
	}
	return s.dialect.lists.version(ctx, s)
}

// SendLocalList updates the local authorization list of a station. It fails with
// a [*device.FieldError] for what OCPP does not know.
func (srv *Server) SendLocalList(ctx context.Context, id leyden.StationID, u LocalListUpdate) (LocalListAnswer, error) {
	if err := u.check(); err != nil {
		return LocalListAnswer{}, err
	}
	s, err := srv.session(ctx, id)
	if err != nil {
		return LocalListAnswer{}, err
	}
	release, err := s.takeList(ctx)
	if err != nil {
		return LocalListAnswer{}, err
	}
	defer release()
	if u.Version == 0 {
		if u.Version, err = s.nextVersion(ctx); err != nil {
			return LocalListAnswer{}, err
		}
	}
	status, err := s.dialect.lists.send(ctx, s, u)
	if err != nil {
		return LocalListAnswer{}, err
	}
	return s.since(ctx, LocalListAnswer{Status: status, Version: u.Version})
}

// since returns an answer with the version that the station has since: the one
// that it accepted, else the one that is kept.
func (s *session) since(ctx context.Context, a LocalListAnswer) (LocalListAnswer, error) {
	if strings.EqualFold(a.Status, accepted) {
		a.Has = &a.Version
		return a, nil
	}
	kept, err := s.keptList(ctx)
	if err == nil && !kept.UpdatedAt.IsZero() {
		a.Has = &kept.Version
	}
	return a, err
}

func (u *LocalListUpdate) check() error {
	if u.Version < 0 || u.Version > math.MaxInt32 {
		return &device.FieldError{Field: "listVersion", Reason: "is no number from 1 to 2147483647"}
	}
	seen := make(map[string]bool, len(u.Items))
	for i, item := range u.Items {
		at := fmt.Sprintf("localAuthorizationList[%d].", i)
		tag := leyden.IDToken{Value: item.IDTag}.Fold()
		switch {
		case tag == "":
			return &device.FieldError{Field: at + "idTag", Reason: "is empty"}
		case seen[tag]:
			return &device.FieldError{Field: at + "idTag", Reason: "is there before"}
		case u.Full && item.Info == nil:
			return &device.FieldError{Field: at + "idTagInfo", Reason: "is required in a full list"}
		}
		seen[tag] = true
	}
	return nil
}

// takeList makes the caller the only one that updates the list of the station,
// until it releases it. It fails with [leyden.ErrBusy] when the time is up.
func (s *session) takeList(ctx context.Context) (release func(), err error) {
	select {
	case s.listing <- struct{}{}:
		return func() { <-s.listing }, nil
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("the local list is being updated: %w: %w", leyden.ErrBusy, errNotSent)
	}
	return nil, ctx.Err()
}

// nextVersion returns the version after the one that is kept, or if none is,
// after the one that the station tells.
func (s *session) nextVersion(ctx context.Context) (int, error) {
	kept, err := s.keptList(ctx)
	if err != nil {
		return 0, err
	}
	last := kept.Version
	if kept.UpdatedAt.IsZero() {
		if last, err = s.dialect.lists.version(ctx, s); err != nil {
			return 0, err
		}
	}
	return versionAfter(last, 1), nil
}

// versionAfter returns the version of a list after n updates. There is none
// after the highest but the first; 0 and below mean that there is no list.
func versionAfter(version, n int) int {
	if version = max(version, 0); version > math.MaxInt32-n {
		return n
	}
	return version + n
}

// SyncLocalList brings the local authorization list of a station to the idTags
// that are listed here: with what differs, if it is known what the station has,
// and otherwise whole; in several messages if the station says how much it takes
// in one. It is seen through also when the caller leaves.
func (srv *Server) SyncLocalList(ctx context.Context, id leyden.StationID) (LocalListSync, error) {
	s, err := srv.session(ctx, id)
	if err != nil {
		return LocalListSync{}, err
	}
	release, err := s.takeList(ctx)
	if err != nil {
		return LocalListSync{}, err
	}
	defer release()
	out, err := s.syncList(ctx)
	if err == nil {
		out.LocalListAnswer, err = s.since(ctx, out.LocalListAnswer)
	}
	return out, err
}

func (s *session) syncList(ctx context.Context) (LocalListSync, error) {
	version, err := s.dialect.lists.version(ctx, s)
	if err != nil || version <= noList {
		return LocalListSync{LocalListAnswer: LocalListAnswer{Status: notSupported, Version: version}}, err
	}
	wanted, err := s.srv.listedTags(ctx)
	if err != nil {
		return LocalListSync{}, err
	}
	kept, err := s.keptList(ctx)
	if err != nil {
		return LocalListSync{}, err
	}
	limit, err := s.listLimit(ctx)
	if err != nil {
		return LocalListSync{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if !kept.Known || kept.Version != version {
		return s.sendInParts(ctx, LocalListUpdate{Full: true, Version: version, Items: wanted}, limit)
	}
	out, err := s.sendInParts(ctx, LocalListUpdate{Version: version, Items: difference(kept.Entries, wanted)}, limit)
	if err != nil || strings.EqualFold(out.Status, accepted) || strings.EqualFold(out.Status, notSupported) {
		return out, err
	}
	return s.sendInParts(ctx, LocalListUpdate{Full: true, Version: out.Version - 1, Items: wanted}, limit) // OCPP 1.6 §5.15
}

// sendInParts sends an update of a list that has u.Version, in messages of at most
// limit items. Those after the first add to it.
func (s *session) sendInParts(ctx context.Context, u LocalListUpdate, limit int) (LocalListSync, error) {
	out := LocalListSync{LocalListAnswer: LocalListAnswer{Status: accepted, Version: u.Version}, Full: u.Full}
	parts := slices.Collect(slices.Chunk(u.Items, limit))
	if len(parts) == 0 && u.Full {
		parts = [][]LocalListItem{nil}
	}
	for i, items := range parts {
		part := LocalListUpdate{Full: u.Full && i == 0, Version: versionAfter(u.Version, i+1), Items: items}
		status, err := s.dialect.lists.send(ctx, s, part)
		out.LocalListAnswer, out.Messages = LocalListAnswer{Status: status, Version: part.Version}, i+1
		if err != nil || !strings.EqualFold(status, accepted) {
			return out, err
		}
		for _, item := range items {
			if item.Info == nil {
				out.Removed++
				continue
			}
			out.Set++
		}
	}
	return out, nil
}

// listedTags returns all idTags that are listed and that OCPP can say, with what
// they are worth now.
func (srv *Server) listedTags(ctx context.Context) ([]LocalListItem, error) {
	var items []LocalListItem
	for t, err := range srv.ledger.Registry().ScanTokens(ctx, leyden.TokenQuery{Listed: new(true)}) {
		if err != nil {
			return nil, fmt.Errorf("listed idTags: %w", err)
		}
		if utf8.RuneCountInString(t.Value) > maxIDTag {
			continue
		}
		info, err := srv.ledger.Authorize(ctx, leyden.IDToken{Value: t.Value})
		if err != nil {
			return nil, fmt.Errorf("listed idTags: %w", err)
		}
		info.Expiry = info.Expiry.Truncate(time.Millisecond) // as it is sent
		items = append(items, LocalListItem{t.Value, &info})
	}
	return items, nil
}

// maxIDTag is how long an idTag may be (OCPP 1.6 §7.28), in characters.
const maxIDTag = 20

// difference returns what makes of a list the one that is wanted.
func difference(has []device.LocalListEntry, wanted []LocalListItem) []LocalListItem {
	known := make(map[string]leyden.TokenInfo, len(has))
	for _, e := range has {
		known[leyden.IDToken{Value: e.IDTag}.Fold()] = e.Info
	}
	var items []LocalListItem
	stays := make(map[string]bool, len(wanted))
	for _, item := range wanted {
		tag := leyden.IDToken{Value: item.IDTag}.Fold()
		stays[tag] = true
		if info, ok := known[tag]; !ok || !sameInfo(info, *item.Info) {
			items = append(items, item)
		}
	}
	for _, e := range has {
		if !stays[leyden.IDToken{Value: e.IDTag}.Fold()] {
			items = append(items, LocalListItem{IDTag: e.IDTag})
		}
	}
	return items
}

func sameInfo(a, b leyden.TokenInfo) bool {
	return a.Status == b.Status && a.Parent == b.Parent && a.Expiry.Equal(b.Expiry)
}

// listLimit returns how many idTags the station takes in one message, as far as
// it tells.
func (s *session) listLimit(ctx context.Context) (int, error) {
	c, err := s.dialect.configuration(ctx, s, []string{listMaxLength})
	if _, answered := errors.AsType[*StationError](err); err != nil && !answered {
		return 0, err
	}
	for _, e := range c.Entries {
		if !strings.EqualFold(e.Key, listMaxLength) || e.Value == nil {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(*e.Value)); err == nil && n > 0 {
			return n, nil
		}
	}
	return math.MaxInt32, nil
}

// keptList returns the list that is kept of the station, or an empty one that
// nobody knows.
func (s *session) keptList(ctx context.Context) (device.LocalList, error) {
	none := device.LocalList{Station: s.station}
	if s.srv.opt.Devices == nil {
		return none, nil
	}
	kept, err := s.srv.opt.Devices.LocalList(ctx, s.station)
	if errors.Is(err, leyden.ErrNotFound) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("local list of station %s: %w", s.station, err)
	}
	return kept, nil
}

// changeList changes what is kept of the station's list with f, which returns
// false if nothing changes.
func (s *session) changeList(ctx context.Context, f func(*device.LocalList) bool) {
	store := s.srv.opt.Devices
	if store == nil {
		return
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	kept, err := s.keptList(ctx)
	if err == nil {
		if !f(&kept) {
			return
		}
		kept.By, kept.UpdatedAt = callerOf(ctx), s.srv.ledger.Now()
		err = store.SaveLocalList(ctx, kept)
	}
	if err != nil {
		s.srv.log.WarnContext(ctx, "local list not kept", "station", s.station, "error", err)
	}
}

// toldVersion notes the version that the station tells of its list. If it is
// another than the one that it was sent, nobody knows what is in it.
func toldVersion(kept *device.LocalList, version int) bool {
	if version == kept.Version && !kept.UpdatedAt.IsZero() {
		return false
	}
	kept.Version, kept.Known, kept.Entries = version, version <= 0, nil
	return true
}

// updated notes an update that the station accepted.
func updated(kept *device.LocalList, u LocalListUpdate) bool {
	kept.Version = u.Version
	if u.Full {
		kept.Known, kept.Entries = true, nil
	}
	if !kept.Known {
		return true
	}
	changes := make(map[string]*LocalListItem, len(u.Items))
	for i := range u.Items {
		changes[leyden.IDToken{Value: u.Items[i].IDTag}.Fold()] = &u.Items[i]
	}
	kept.Entries = slices.DeleteFunc(kept.Entries, func(e device.LocalListEntry) bool {
		return changes[leyden.IDToken{Value: e.IDTag}.Fold()] != nil
	})
	for _, item := range u.Items {
		if item.Info != nil {
			kept.Entries = append(kept.Entries, device.LocalListEntry{IDTag: item.IDTag, Info: *item.Info})
		}
	}
	return true
}

// mismatched notes that the station's list is another than the one that is kept.
func mismatched(kept *device.LocalList) bool {
	kept.Known, kept.Entries = false, nil
	return true
}
