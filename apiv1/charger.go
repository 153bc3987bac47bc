package apiv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"leyden"
	"leyden/auth"
	"leyden/device"
	"leyden/rest"
)

const (
	online  = "online"
	offline = "offline"
)

// A Charger is how v1 lists a [leyden.Station].
type Charger struct {
	ID            string           `json:"id" doc:"Opaque and globally unique." example:"chg_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	ChargeBoxID   leyden.StationID `json:"chargeBoxId" doc:"Its OCPP identity." example:"CHARGER-001"`
	Name          *string          `json:"name" example:"North gate"`
	Site          *string          `json:"site" doc:"To which credentials may be limited; null for none." example:"Depot 2"`
	Status        string           `json:"status" enum:"online,offline" doc:"Whether it is connected." example:"online"`
	IsOnline      bool             `json:"isOnline" doc:"Whether it is connected." example:"true"`
	Vendor        *string          `json:"vendor" doc:"As it said when it booted."`
	Model         *string          `json:"model" doc:"As it said when it booted."`
	LastHeartbeat rest.Time        `json:"lastHeartbeat" doc:"By the server's clock."`
}

// chargerDetails is all that is known of a charger.
type chargerDetails struct {
	Charger
	Location          *string            `json:"location" example:"Car park 2"`
	Registration      string             `json:"registration" enum:"Accepted,Pending,Rejected" doc:"The answer to its BootNotification." example:"Accepted"`
	Registered        bool               `json:"registered" doc:"False for a charger that was merely admitted as it came." example:"true"`
	RegisteredAt      rest.Time          `json:"registeredAt" doc:"When it was registered, or first seen."`
	SecurityProfile   *int               `json:"securityProfile" doc:"The least that lets it in. 0: no password, 1: password, 2: password over TLS, 3: client certificate; null without credentials." example:"1"`
	SerialNumber      *string            `json:"serialNumber"`
	FirmwareVersion   *string            `json:"firmwareVersion"`
	ConnectionURL     string             `json:"connectionUrl" doc:"Where it connects to." example:"wss://csms.example/ocpp/CHARGER-001"`
	OCPPVersion       *string            `json:"ocppVersion" example:"1.6"`
	ConnectedAt       rest.Time          `json:"connectedAt" doc:"When it last connected."`
	BootedAt          rest.Time          `json:"bootedAt" doc:"When it last booted."`
	LastSeen          rest.Time          `json:"lastSeen" doc:"When it last sent something."`
	ClockSkew         *float64           `json:"clockSkew" doc:"Seconds by which its clock is ahead of the server's; null until a message told." example:"0"`
	FirmwareStatus    *toldStatus        `json:"firmwareStatus" doc:"How its last firmware update goes, as it last said; null when it said nothing."`
	DiagnosticsStatus *toldStatus        `json:"diagnosticsStatus" doc:"How its last upload of diagnostics goes."`
	LogStatus         *toldStatus        `json:"logStatus" doc:"How its last upload of a log goes."`
	Quirks            chargerQuirks      `json:"quirks" doc:"In which ways it does not do as OCPP says."`
	StationStatus     *string            `json:"stationStatus" doc:"What it said of itself as a whole, as connector 0." example:"Available"`
	Connectors        []chargerConnector `json:"connectors"`
	ProvenProfile     *int               `json:"provenSecurityProfile" doc:"The highest security profile above securityProfile that it came with: since then nothing less lets it in. A new securityProfile ends that." example:"2"`
	Password          string             `json:"password,omitempty" doc:"Only in the reply to a change of the password: shown here and never again."`
}

// chargerConnector is what a charger last said of a connector.
type chargerConnector struct {
	ConnectorID int       `json:"connectorId" example:"1"`
	Status      string    `json:"status" doc:"As OCPP names it." example:"Available"`
	ErrorCode   *string   `json:"errorCode" example:"NoError"`
	Info        *string   `json:"info"`
	LastUpdated rest.Time `json:"lastUpdated" doc:"By the server's clock."`
}

func (a *api) presentCharger(s *leyden.Station) Charger {
	c := Charger{
		ID:            s.PublicID,
		ChargeBoxID:   s.ID,
		Name:          orNull(s.Name),
		Site:          orNull(s.Site),
		Status:        offline,
		IsOnline:      a.Stations.Online(s.ID),
		Vendor:        orNull(s.Vendor),
		Model:         orNull(s.Model),
		LastHeartbeat: rest.Time{Time: s.HeartbeatAt},
	}
	if c.IsOnline {
		c.Status = online
	}
	return c
}

func (a *api) presentDetails(ctx context.Context, s *leyden.Station) (chargerDetails, error) {
	credential, err := a.credential(ctx, s.ID)
	if err != nil {
		return chargerDetails{}, err
	}
	d := chargerDetails{
		Charger:         a.presentCharger(s),
		Location:        orNull(s.Location),
		Registration:    string(s.Registration),
		Registered:      s.Listed,
		RegisteredAt:    rest.Time{Time: s.RegisteredAt},
		SerialNumber:    orNull(s.Serial),
		FirmwareVersion: orNull(s.Firmware),
		ConnectionURL:   a.connectionURL(ctx, s.ID),
		OCPPVersion:     orNull(strings.TrimPrefix(s.Protocol, "ocpp")),
		ConnectedAt:     rest.Time{Time: s.ConnectedAt},
		BootedAt:        rest.Time{Time: s.BootedAt},
		LastSeen:        rest.Time{Time: s.SeenAt},
		Quirks:          presentQuirks(s),
		Connectors:      []chargerConnector{},
	}
	d.SecurityProfile, d.ProvenProfile = profileNumber(credential.Profile), profileNumber(credential.Proven)
	if !s.ClockAt.IsZero() {
		d.ClockSkew = new(s.ClockSkew.Seconds())
	}
	for kind, status := range map[device.Kind]**toldStatus{
		device.Firmware: &d.FirmwareStatus, device.Diagnostics: &d.DiagnosticsStatus, device.Log: &d.LogStatus,
	} {
		if *status, err = a.lastTold(ctx, s.ID, kind); err != nil {
			return chargerDetails{}, err
		}
	}
	for _, c := range s.Connectors {
		if c.Number == 0 {
			d.StationStatus = orNull(c.Status)
			continue
		}
		d.Connectors = append(d.Connectors, chargerConnector{
			c.Number, c.Status, orNull(c.ErrorCode), orNull(c.Info), rest.Time{Time: c.UpdatedAt},
		})
	}
	return d, nil
}

// profileNumber returns OCPP's number of a profile, or nil.
func profileNumber(p auth.Profile) *int {
	n := p.Number()
	if n < 0 {
		return nil
	}
	return &n
}

// connectionURL returns where a station connects to: at the public address, or
// at the host that this client reached.
func (a *api) connectionURL(ctx context.Context, id leyden.StationID) string {
	base := a.PublicURL
	if base == "" {
		base = rest.Origin(ctx)
	}
	// http becomes ws, and https wss.
	return "ws" + strings.TrimPrefix(base, "http") + "/ocpp/" + url.PathEscape(string(id))
}

// A ChargerPath names a charger in a path.
type ChargerPath struct {
	Ref string `path:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"the identity of a charger" doc:"The charger's OCPP identity, or its id." example:"CHARGER-001"`
}

// publicPrefix begins the public id of a charger, and no identity.
const publicPrefix = "chg_"

// charger returns the station that is named by its identity or its public id.
func (a *api) charger(ctx context.Context, ref string) (leyden.Station, error) {
	id, err := a.stationOf(ctx, ref)
	if err != nil {
		return leyden.Station{}, err
	}
	if !rest.PrincipalOf(ctx).Reach.Covers(id) {
		return leyden.Station{}, noCharger(ref)
	}
	s, err := a.Ledger.Station(ctx, id)
	if err != nil {
		return s, fmt.Errorf("charger %s: %w", ref, err)
	}
	rest.Concerns(ctx, id, 0)
	return s, nil
}

// stationOf returns the identity that ref is, or whose public id it is.
func (a *api) stationOf(ctx context.Context, ref string) (leyden.StationID, error) {
	if !strings.HasPrefix(ref, publicPrefix) {
		return leyden.StationID(ref), nil
	}
	s, err := a.Ledger.Registry().StationByPublicID(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("charger %s: %w", ref, err)
	}
	return s.ID, nil
}

// stationFilter is stationOf for a filter: what names nobody selects nothing.
func (a *api) stationFilter(ctx context.Context, ref string) (leyden.StationID, error) {
	id, err := a.stationOf(ctx, ref)
	if errors.Is(err, leyden.ErrNotFound) {
		return leyden.StationID(ref), nil
	}
	return id, err
}

type listChargersInput struct {
	Status string `query:"status" enum:"online,offline" doc:"Only those that are connected, or only the others."`
	Site   string `query:"site" maxLength:"100" doc:"Only those of this site."`
	rest.Window
}

type chargerList struct {
	Chargers   []Charger  `json:"chargers"`
	Pagination pagination `json:"pagination"`
}

func (a *api) serveChargers() {
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers", ID: "v1ListChargers", Tag: tagChargers,
		Summary:     "List chargers",
		Description: "All chargers, by their identity.",
		Scope:       auth.ChargersRead, Limited: true,
	}, inParts("chargers", partRows, a.listChargers, func(l *chargerList) []Charger { return l.Chargers }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}", ID: "v1GetCharger", Tag: tagChargers,
		Summary:     "Get charger details",
		Description: "All that is known of a charger, up to its last message.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getCharger)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/chargers", ID: "v1RegisterCharger", Tag: tagChargers,
		Summary: "Register a charger",
		Description: "Makes a charger known and gives it a password, which only this reply shows. " +
			"The charger connects to `connectionUrl` with HTTP Basic: its identity and the password; " +
			"under security profile 3 with a client certificate. " +
			"A charger that was merely admitted as it came can be registered too. " +
			"A credential that is limited to sites registers chargers there, and none whose identity was another's (409).",
		Scope: auth.ChargersControl, Limited: true, Status: http.StatusCreated, Errors: conflict(),
	}, a.registerCharger)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/chargers/{chargeBoxId}", ID: "v1ChangeCharger", Tag: tagChargers,
		Summary: "Change a charger",
		Description: "Changes what is given; null takes a name, a location or a site away. " +
			"A new `registration` closes the connection, so that the charger comes back and learns of it. " +
			"A new security profile keeps the password; one is made, and shown, where the profile needs one and there is none. " +
			"A connection that is there goes on.",
		Scope: auth.ChargersControl, Errors: notFoundOrConflict(),
	}, a.changeCharger)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/chargers/{chargeBoxId}", ID: "v1RemoveCharger", Tag: tagChargers,
		Summary: "Remove a charger",
		Description: "Hides it, revokes its password and its certificates, closes its connection, cancels its reservations, and forgets " +
			"its charging profiles, local list and requests for certificates: one that is registered under its identity later begins " +
			"without. Its transactions, commands and notifications stay. 409 `TRANSACTION_ACTIVE` while it charges. Answers with the charger as it was.",
		Scope: auth.ChargersControl, Errors: notFoundOrConflict(),
	}, a.removeCharger)
}

func (a *api) listChargers(ctx context.Context, in *listChargersInput) (*bodied[chargerList], error) {
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	q := leyden.StationQuery{Site: in.Site, Within: reached(ctx), After: part.After, Limit: part.Limit, Offset: part.Offset}
	list := a.Ledger.Stations
	if in.Status != "" {
		list = func(ctx context.Context, q leyden.StationQuery) ([]leyden.Station, int, error) {
			return a.stationsBy(ctx, in.Status == online, q)
		}
	}
	found, total, err := list(ctx, q)
	if err != nil {
		return nil, err
	}
	out := new(bodied[chargerList])
	out.Body.Chargers, out.Body.Pagination = paged(ctx, in.Window, found, total,
		func(s *leyden.Station) leyden.Cursor { return leyden.Cursor{Name: string(s.ID)} }, a.presentCharger)
	return out, nil
}

// stationsBy looks at all chargers: only their sessions know who is connected.
func (a *api) stationsBy(ctx context.Context, online bool, q leyden.StationQuery) (found []leyden.Station, matches int, err error) {
	all := leyden.StationQuery{Site: q.Site, Within: q.Within, Limit: leyden.MaxWorking}
	behind := 0 // how many come after q's place
	for {
		stations, _, err := a.Ledger.Stations(ctx, all)
		if err != nil {
			return nil, 0, err
		}
		for i := range stations {
			s := &stations[i]
			if a.Stations.Online(s.ID) != online {
				continue
			}
			matches++
			if q.After != nil && string(s.ID) <= q.After.Name {
				continue
			}
			if behind++; behind > q.Offset && len(found) < q.Limit {
				found = append(found, *s)
			}
		}
		if len(stations) < leyden.MaxWorking {
			return found, matches, nil
		}
		all.After = &leyden.Cursor{Name: string(stations[len(stations)-1].ID)}
	}
}

func (a *api) getCharger(ctx context.Context, in *ChargerPath) (*tagged[chargerDetails], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	d, err := a.presentDetails(ctx, &s)
	return &tagged[chargerDetails]{rest.Versioned{Edition: chargerEdition(&s)}, d}, err
}
