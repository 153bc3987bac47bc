package apiv1

import (
	"context"
	"net/http"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/rest"
)

// notification is how v1 shows a [device.Notification].
type notification struct {
	ID          int64            `json:"id" doc:"Its place in the order of receipt." example:"17"`
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Kind        string           `json:"kind" enum:"security,firmware,diagnostics,log" example:"security"`
	Type        *string          `json:"type" doc:"The type of a security event, else the status, as sent: JSON where it was no text." example:"TamperDetectionActivated"`
	Critical    bool             `json:"critical" doc:"Whether OCPP counts this type of security event as critical." example:"true"`
	TechInfo    *string          `json:"techInfo" doc:"What the charger, or the server, says about it, as sent, secrets masked." example:"lid opened"`
	RequestID   *int             `json:"requestId" doc:"The request that it belongs to, where the charger says so." example:"3153600"`
	Source      string           `json:"source" enum:"charger,server" doc:"Who noticed it." example:"charger"`
	Timestamp   rest.Time        `json:"timestamp" doc:"When it happened, by the charger's clock; only security events say so." example:"2026-02-06T12:00:00.000Z"`
	ReceivedAt  rest.Time        `json:"receivedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:00:00.000Z"`
}

const (
	fromCharger = "charger"
	fromServer  = "server"
)

func presentNotification(n *device.Notification) notification {
	out := notification{
		ID:          n.Seq,
		ChargeBoxID: n.Station,
		Kind:        string(n.Kind),
		Type:        orNull(n.Type),
		Critical:    n.Kind == device.Security && csms.CriticalEvent(n.Type),
		TechInfo:    orNull(n.Info),
		RequestID:   n.RequestID,
		Source:      fromCharger,
		Timestamp:   rest.Time{Time: n.At},
		ReceivedAt:  rest.Time{Time: n.ReceivedAt},
	}
	if n.Own {
		out.Source = fromServer
	}
	return out
}

// toldStatus is the last status that a charger told of something it does aside.
type toldStatus struct {
	_         struct{}  `nullable:"true"`
	Status    *string   `json:"status" doc:"As sent." example:"Installed"`
	RequestID *int      `json:"requestId" doc:"The request that it belongs to, where the charger says so." example:"3153600"`
	At        rest.Time `json:"at" nullable:"false" doc:"When it was received, by the server's clock." example:"2026-02-06T12:00:00.000Z"`
}

// lastTold returns the last status of a kind, or nil.
func (a *api) lastTold(ctx context.Context, id leyden.StationID, kind device.Kind) (*toldStatus, error) {
	if a.Devices == nil {
		return nil, nil
	}
	found, _, err := a.Devices.Notifications(ctx, device.NotificationQuery{Station: id, Kind: kind, Page: device.Page{Limit: 1}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	n := &found[0]
	return &toldStatus{Status: orNull(n.Type), RequestID: n.RequestID, At: rest.Time{Time: n.ReceivedAt}}, nil
}

type securityEventList struct {
	SecurityEvents []notification `json:"securityEvents"`
	Pagination     pagination     `json:"pagination"`
}

type notificationList struct {
	Notifications []notification `json:"notifications"`
	Pagination    pagination     `json:"pagination"`
}

// Notified are the filters that lists of notifications share.
type Notified struct {
	Type string    `query:"type" maxLength:"255" doc:"Only those of this type, to the letter." example:"TamperDetectionActivated"`
	From rest.Time `query:"from" doc:"Only those received then or later."`
	To   rest.Time `query:"to" doc:"Only those received before."`
	rest.Window
}

func (n *Notified) query(ctx context.Context) (device.NotificationQuery, error) {
	part, err := n.Part(ctx)
	return device.NotificationQuery{
		Type: n.Type, Received: leyden.Window{From: n.From.Time, To: n.To.Time},
		Page: part,
	}, err
}

type listSecurityEventsInput struct {
	ChargeBoxID string `query:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"Only those of this charger."`
	Notified
}

type listNotificationsInput struct {
	ChargerPath
	Kind      string `query:"kind" enum:"security,firmware,diagnostics,log" doc:"Only those of this kind."`
	RequestID int    `query:"requestId" minimum:"1" maximum:"2147483647" doc:"Only those that belong to this request." example:"3153600"`
	Notified
}

func (a *api) serveNotifications() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/security-events", ID: "v1ListSecurityEvents", Tag: tagChargers,
		Summary: "List security events",
		Description: "What chargers reported with SecurityEventNotification, and what the server noticed about them itself, the last first. " +
			"The last 10,000 of each charger are kept.",
		Scope: auth.ChargersRead, Limited: true,
	}, inParts("security-events", partRows, a.listSecurityEvents, func(l *securityEventList) []notification { return l.SecurityEvents }))
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/notifications", ID: "v1ListNotifications", Tag: tagChargers,
		Summary: "List the notifications of a charger",
		Description: "What it reported of firmware updates, uploads of diagnostics and logs, and security, the last first. " +
			"The last 10,000 of each kind are kept.",
		Scope: auth.ChargersRead, Errors: notFound(),
	}, inParts("notifications", partRows, a.listNotifications, func(l *notificationList) []notification { return l.Notifications }))
}

func (a *api) listSecurityEvents(ctx context.Context, in *listSecurityEventsInput) (*bodied[securityEventList], error) {
	station, err := a.stationFilter(ctx, in.ChargeBoxID)
	if err != nil {
		return nil, err
	}
	q, err := in.query(ctx)
	if err != nil {
		return nil, err
	}
	q.Station, q.Within, q.Kind = station, reached(ctx), device.Security
	found, pages, err := a.notifications(ctx, q, in.Window)
	return &bodied[securityEventList]{securityEventList{found, pages}}, err
}

func (a *api) listNotifications(ctx context.Context, in *listNotificationsInput) (*bodied[notificationList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	q, err := in.query(ctx)
	if err != nil {
		return nil, err
	}
	q.Station, q.Kind, q.RequestID = s.ID, device.Kind(in.Kind), orNull(in.RequestID)
	found, pages, err := a.notifications(ctx, q, in.Window)
	return &bodied[notificationList]{notificationList{found, pages}}, err
}

func (a *api) notifications(ctx context.Context, q device.NotificationQuery, w rest.Window) ([]notification, pagination, error) {
	var found []device.Notification
	var total int
	if a.Devices != nil {
		var err error
		if found, total, err = a.Devices.Notifications(ctx, q); err != nil {
			return nil, pagination{}, err
		}
	}
	shown, pages := paged(ctx, w, found, total, func(n *device.Notification) leyden.Cursor { return leyden.Cursor{ID: n.Seq} }, presentNotification)
	return shown, pages, nil
}
