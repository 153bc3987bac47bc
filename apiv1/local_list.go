package apiv1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/rest"
)

// LocalLists is the part of [Stations] that lets stations know idTags.
type LocalLists interface {
	// LocalListVersion asks for the version of the list: -1 when the station has no
	// such list, 0 when it is empty.
	LocalListVersion(ctx context.Context, id leyden.StationID) (int, error)
	// SendLocalList updates the list.
	SendLocalList(ctx context.Context, id leyden.StationID, u csms.LocalListUpdate) (csms.LocalListAnswer, error)
	// SyncLocalList brings the list to the idTags that are listed.
	SyncLocalList(ctx context.Context, id leyden.StationID) (csms.LocalListSync, error)
}

// syncTimeout is how long it may take to send a list in many messages.
const syncTimeout = 10 * time.Minute

// localList is how v1 shows a [device.LocalList].
type localList struct {
	ListVersion            *int             `json:"listVersion" doc:"As the charger last accepted or told it. 0: the list is empty. -1: the charger has no such list. Null: it was never asked." example:"3"`
	Known                  bool             `json:"known" doc:"False when nobody knows what is in the list: it was changed elsewhere, or never sent from here. Then localAuthorizationList is empty." example:"true"`
	LocalAuthorizationList []localListEntry `json:"localAuthorizationList"`
	By                     *string          `json:"by" doc:"The id of the API key or OAuth2 client that asked last." example:"key_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	UpdatedAt              rest.Time        `json:"updatedAt" example:"2026-02-06T12:00:00.000Z"`
	Pagination             pagination       `json:"pagination"`
}

// localListEntry is one idTag of a local list.
type localListEntry struct {
	IDTag     string    `json:"idTag" example:"USER123"`
	IDTagInfo idTagInfo `json:"idTagInfo"`
}

// idTagInfo is what an idTag is worth, in OCPP's words.
type idTagInfo struct {
	Status      string    `json:"status" example:"Accepted"`
	ExpiryDate  rest.Time `json:"expiryDate" example:"2030-01-01T00:00:00.000Z"`
	ParentIDTag *string   `json:"parentIdTag" example:"FLEET-7"`
}

type getLocalListInput struct {
	ChargerPath
	rest.Window
}

type sendLocalListInput struct {
	ChargerPath
	Body struct {
		UpdateType             string           `json:"updateType" enum:"Full,Differential" doc:"Full replaces the list; Differential changes what is in it." example:"Full"`
		ListVersion            int              `json:"listVersion,omitempty" minimum:"1" maximum:"2147483647" doc:"Of the list afterwards; the next one when absent." example:"3"`
		LocalAuthorizationList []localListInput `json:"localAuthorizationList,omitempty"`
	} `nameHint:"V1SendLocalList"`
}

// localListInput is one idTag that a charger shall know.
type localListInput struct {
	IDTag     string          `json:"idTag" minLength:"1" maxLength:"20" example:"USER123"`
	IDTagInfo *idTagInfoInput `json:"idTagInfo,omitempty" doc:"Without it a Differential update takes the idTag away."`
}

// idTagInfoInput is what an idTag is worth from now on.
type idTagInfoInput struct {
	Status      string    `json:"status" enum:"Accepted,Blocked,Expired,Invalid,ConcurrentTx" example:"Accepted"`
	ExpiryDate  rest.Time `json:"expiryDate,omitzero" example:"2030-01-01T00:00:00.000Z"`
	ParentIDTag string    `json:"parentIdTag,omitempty" maxLength:"20" example:"FLEET-7"`
}

// localListVersion is what a charger told of its list.
type localListVersion struct {
	ListVersion int  `json:"listVersion" doc:"0: the list is empty. -1: the charger has no such list." example:"3"`
	Supported   bool `json:"supported" doc:"False for -1." example:"true"`
}

// localListAnswer is what became of an update.
type localListAnswer struct {
	Status      string `json:"status" doc:"Accepted, Failed, NotSupported or VersionMismatch." example:"Accepted"`
	ListVersion *int   `json:"listVersion" doc:"That the charger has since, as far as it is known: the one that was sent if it accepted that, else the one that was kept of it before. Null: it is not known." example:"3"`
}

// localListSync is what brought a charger to the idTags that are listed.
type localListSync struct {
	Status      string `json:"status" doc:"Of the last message; Accepted when there was nothing to send, NotSupported when the charger has no such list." example:"Accepted"`
	ListVersion *int   `json:"listVersion" doc:"That the charger has since, as far as it is known: the last one that it accepted, or else told. Null: it is not known." example:"4"`
	UpdateType  string `json:"updateType" enum:"Full,Differential" example:"Differential"`
	Messages    int    `json:"messages" doc:"How many were sent; 0 when nothing differs." example:"1"`
	Set         int    `json:"set" doc:"How many idTags the charger was told of." example:"2"`
	Removed     int    `json:"removed" doc:"How many were taken away one by one." example:"1"`
}

const (
	fullUpdate         = "Full"
	differentialUpdate = "Differential"
)

func (a *api) serveLocalList() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/local-list", ID: "v1GetLocalList", Tag: tagChargers,
		Summary:     "Get the local list of a charger",
		Description: "The idTags that the charger was sent and accepts when it is offline, as far as they are known here. The charger is not asked.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, inParts("local-list", atOnce, a.getLocalList, func(l *localList) []localListEntry { return l.LocalAuthorizationList }))
	command(a, rest.Operation{
		Path: "/local-list/version", ID: "v1GetLocalListVersion", Summary: "Ask for the version of the local list",
		Description: "OCPP GetLocalListVersion.",
	}, a.localListVersion)
	command(a, rest.Operation{
		Path: "/local-list", ID: "v1SendLocalList", Summary: "Update the local list", MaxBody: maxLargeBody, Timeout: 2 * stationTimeout, // it may ask for the version first
		Description: "OCPP SendLocalList, in one message. Answers Accepted, Failed, NotSupported or VersionMismatch; after the last nobody knows what the charger has.",
	}, a.sendLocalList)
	command(a, rest.Operation{
		Path: "/local-list/sync", ID: "v1SyncLocalList", Summary: "Send the listed idTags", Timeout: syncTimeout,
		Description: "Brings the local list of the charger to the idTags that are listed here: with what differs, if the charger has the version that is kept here, and otherwise whole. " +
			"It is sent in several messages if the charger says how many idTags it takes in one.",
	}, a.syncLocalList)
}

func (a *api) getLocalList(ctx context.Context, in *getLocalListInput) (*bodied[localList], error) {
	id, store, err := a.keptOf(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	kept, err := store.LocalList(ctx, id)
	there := err == nil
	if !there && !errors.Is(err, leyden.ErrNotFound) {
		return nil, err
	}
	page, pages, err := pageByNumber(ctx, in.Window, kept.Entries)
	if err != nil {
		return nil, err
	}
	out := localList{
		Known: kept.Known, By: orNull(kept.By), UpdatedAt: rest.Time{Time: kept.UpdatedAt},
		LocalAuthorizationList: []localListEntry{}, Pagination: pages,
	}
	if there {
		out.ListVersion = &kept.Version
	}
	for _, e := range page {
		out.LocalAuthorizationList = append(out.LocalAuthorizationList, presentLocalEntry(e))
	}
	return &bodied[localList]{out}, nil
}

func presentLocalEntry(e device.LocalListEntry) localListEntry {
	return localListEntry{e.IDTag, idTagInfo{e.Info.Status, rest.Time{Time: e.Info.Expiry}, orNull(e.Info.Parent)}}
}

func (a *api) localListVersion(ctx context.Context, in *ChargerPath) (*bodied[localListVersion], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	version, err := a.Stations.LocalListVersion(ctx, s.ID)
	return &bodied[localListVersion]{localListVersion{version, version >= 0}}, err
}

func (a *api) sendLocalList(ctx context.Context, in *sendLocalListInput) (*bodied[localListAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	u := csms.LocalListUpdate{Full: in.Body.UpdateType == fullUpdate, Version: in.Body.ListVersion}
	for _, e := range in.Body.LocalAuthorizationList {
		item := csms.LocalListItem{IDTag: e.IDTag}
		if i := e.IDTagInfo; i != nil {
			item.Info = &leyden.TokenInfo{Status: i.Status, Expiry: i.ExpiryDate.Time, Parent: i.ParentIDTag}
		}
		u.Items = append(u.Items, item)
	}
	answer, err := a.Stations.SendLocalList(ctx, s.ID, u)
	return &bodied[localListAnswer]{localListAnswer{answer.Status, answer.Has}}, err
}

func (a *api) syncLocalList(ctx context.Context, in *ChargerPath) (*bodied[localListSync], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	answer, err := a.Stations.SyncLocalList(ctx, s.ID)
	out := localListSync{
		Status: answer.Status, ListVersion: answer.Has, UpdateType: differentialUpdate,
		Messages: answer.Messages, Set: answer.Set, Removed: answer.Removed,
	}
	if answer.Full {
		out.UpdateType = fullUpdate
	}
	return &bodied[localListSync]{out}, err
}
