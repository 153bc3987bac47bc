package csms

import (
	"context"
	"strings"

	"leyden"
	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

func localListVersion16(ctx context.Context, s *session) (int, error) {
	var res v16.GetLocalListVersionResponse
	err := s.call(ctx, &v16.GetLocalListVersion{}, &res)
	return res.ListVersion, err
}

func sendLocalList16(ctx context.Context, s *session, u LocalListUpdate) (string, error) {
	req := v16.SendLocalList{ListVersion: u.Version, UpdateType: v16.UpdateTypeDifferential}
	if u.Full {
		req.UpdateType = v16.UpdateTypeFull
	}
	for _, item := range u.Items {
		data := v16.AuthorizationData{IDTag: item.IDTag}
		if item.Info != nil {
			data.IDTagInfo = ocpp.Some(idTagInfo16(item.Info))
		}
		req.LocalAuthorizationList = append(req.LocalAuthorizationList, data)
	}
	var res v16.SendLocalListResponse
	err := s.call(ctx, &req, &res)
	return string(res.Status), err
}

func keptVersion16(ctx context.Context, s *session, answer string) {
	var res v16.GetLocalListVersionResponse
	if ocpp.ReadAnswer("GetLocalListVersion", answer, &res) == nil {
		s.changeList(ctx, func(kept *device.LocalList) bool { return toldVersion(kept, max(res.ListVersion, noList)) })
	}
}

func keptList16(ctx context.Context, s *session, request, answer string) {
	var req v16.SendLocalList
	var res v16.SendLocalListResponse
	if !exchanged16(&req, request, &res, answer) {
		return
	}
	switch {
	case strings.EqualFold(string(res.Status), accepted):
		s.changeList(ctx, func(kept *device.LocalList) bool { return updated(kept, updateOf16(&req)) })
	case strings.EqualFold(string(res.Status), versionMismatch):
		s.changeList(ctx, mismatched)
	}
}

func updateOf16(m *v16.SendLocalList) LocalListUpdate {
	u := LocalListUpdate{Full: m.UpdateType == v16.UpdateTypeFull, Version: m.ListVersion}
	for _, data := range m.LocalAuthorizationList {
		item := LocalListItem{IDTag: data.IDTag}
		if info, ok := data.IDTagInfo.Get(); ok {
			item.Info = &leyden.TokenInfo{Status: string(info.Status), Expiry: info.ExpiryDate.Value, Parent: info.ParentIDTag.Value}
		}
		u.Items = append(u.Items, item)
	}
	return u
}
