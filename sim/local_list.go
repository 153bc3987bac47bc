package sim

import (
	"maps"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

const (
	maxListed = 2000 // LocalAuthListMaxLength
	maxSent   = 500  // SendLocalListMaxLength
)

// A localList is the local authorization list, by folded idTag (OCPP 1.6 §3.5).
type localList struct {
	version int
	entries map[string]v16.IDTagInfo
}

// listCommand answers the messages of the profile Local Auth List Management.
func (s *station) listCommand(req ocpp.Request, _ time.Time) (ocpp.Message, func(time.Time)) {
	enabled := s.config.on(keyListEnabled)
	switch m := req.(type) {
	case *v16.GetLocalListVersion:
		if !enabled {
			return &v16.GetLocalListVersionResponse{ListVersion: -1}, nil
		}
		return &v16.GetLocalListVersionResponse{ListVersion: s.list.version}, nil
	case *v16.SendLocalList:
		if !enabled {
			return &v16.SendLocalListResponse{Status: v16.UpdateStatusNotSupported}, nil
		}
		return &v16.SendLocalListResponse{Status: s.list.update(m)}, nil
	}
	return nil, nil
}

// update answers a SendLocalList (OCPP 1.6 §5.15): all of it, or nothing.
func (l *localList) update(m *v16.SendLocalList) v16.UpdateStatus {
	full := m.UpdateType == v16.UpdateTypeFull
	if !full && m.ListVersion <= l.version {
		return v16.UpdateStatusVersionMismatch
	}
	entries := make(map[string]v16.IDTagInfo)
	if !full {
		maps.Copy(entries, l.entries)
	}
	if len(m.LocalAuthorizationList) > maxSent || m.ListVersion < 0 {
		return v16.UpdateStatusFailed
	}
	for _, entry := range m.LocalAuthorizationList {
		info, given := entry.IDTagInfo.Get()
		if full && !given {
			return v16.UpdateStatusFailed
		}
		entries[strings.ToLower(entry.IDTag)] = info
		if !given {
			delete(entries, strings.ToLower(entry.IDTag))
		}
	}
	if len(entries) > maxListed {
		return v16.UpdateStatusFailed
	}
	l.version, l.entries = m.ListVersion, entries
	if len(entries) == 0 {
		l.version = 0 // which says that it is empty (OCPP 1.6 §5.10)
	}
	return v16.UpdateStatusAccepted
}

// find returns what the list says about an idTag now.
func (l *localList) find(tag string, now time.Time) (v16.IDTagInfo, bool) {
	info, ok := l.entries[strings.ToLower(tag)]
	if ok && info.Status == v16.AuthorizationStatusAccepted && info.ExpiryDate.Set && !now.Before(info.ExpiryDate.Value) {
		info.Status = v16.AuthorizationStatusExpired
	}
	return info, ok
}

// known returns what the list says, if the station uses it.
func (s *station) known(tag string, now time.Time) (v16.IDTagInfo, bool) {
	if !s.config.on(keyListEnabled) {
		return v16.IDTagInfo{}, false
	}
	return s.list.find(tag, now)
}

// decide is what the station says about an idTag that nobody answered about
// (OCPP 1.6 §3.5): only without a connection may it decide by itself.
func (s *station) decide(tag string, cutOff bool, now time.Time) v16.IDTagInfo {
	refused := v16.IDTagInfo{Status: v16.AuthorizationStatusInvalid}
	if !cutOff || !s.config.on(keyAuthorizeOffline) {
		return refused
	}
	if info, ok := s.known(tag, now); ok {
		return info
	}
	if s.config.on(keyUnknownOffline) {
		return v16.IDTagInfo{Status: v16.AuthorizationStatusAccepted}
	}
	return refused
}
