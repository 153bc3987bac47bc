package apiv1

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"leyden"
	"leyden/auth"
	"leyden/csms"
	"leyden/device"
	"leyden/rest"
)

// SmartCharging is the part of [Stations] that limits power.
type SmartCharging interface {
	// RemoteStartWith asks a station to begin a transaction, with a charging
	// profile unless that is nil. With an error the transaction is the one that was
	// recorded, if there is one.
	RemoteStartWith(ctx context.Context, r leyden.StartRequest, p *device.ChargingProfile) (leyden.Transaction, error)
	// SetChargingProfile installs a charging profile; connector 0 is the station.
	SetChargingProfile(ctx context.Context, id leyden.StationID, connector int, p device.ChargingProfile) (string, error)
	// ClearChargingProfiles takes installed charging profiles away.
	ClearChargingProfiles(ctx context.Context, id leyden.StationID, f device.ProfileFilter) (string, error)
	// CompositeSchedule asks which limits all profiles amount to.
	CompositeSchedule(ctx context.Context, id leyden.StationID, r csms.CompositeRequest) (csms.CompositeSchedule, error)
	// InstalledProfiles returns what the station accepted.
	InstalledProfiles(ctx context.Context, id leyden.StationID) ([]device.InstalledProfile, error)
}

type setProfileInput struct {
	ChargerPath
	Body struct {
		ConnectorID int           `json:"connectorId" minimum:"0" maximum:"65535" doc:"0 is the whole charger." example:"1"`
		Profile     *profileInput `json:"profile,omitempty" doc:"The profile."`
		TemplateID  string        `json:"templateId,omitempty" maxLength:"40" doc:"The id of a template, in its stead." example:"prf_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	} `nameHint:"V1SetChargingProfile"`
}

type clearProfilesInput struct {
	ChargerPath
	Body *clearProfiles
}

// clearProfiles says which profiles are to go; all when it says nothing.
type clearProfiles struct {
	ID          *int   `json:"id,omitempty" doc:"The one with this number; then nothing else counts." example:"1"`
	ConnectorID *int   `json:"connectorId,omitempty" minimum:"0" maximum:"65535" doc:"Those on this connector; 0 is the whole charger." example:"1"`
	Purpose     string `json:"purpose,omitempty" enum:"ChargePointMaxProfile,TxDefaultProfile,TxProfile" doc:"Those of this purpose." example:"TxDefaultProfile"`
	StackLevel  *int   `json:"stackLevel,omitempty" minimum:"0" doc:"Those of this level." example:"0"`
}

type compositeInput struct {
	ChargerPath
	Body struct {
		ConnectorID int    `json:"connectorId" minimum:"0" maximum:"65535" doc:"0 is the whole charger." example:"1"`
		Duration    int    `json:"duration" minimum:"1" maximum:"2147483647" doc:"In seconds, from now on." example:"3600"`
		Unit        string `json:"unit,omitempty" enum:"A,W" doc:"Of the limits; as the charger likes when absent." example:"A"`
	} `nameHint:"V1GetCompositeSchedule"`
}

// compositeSchedule is the limits that a charger says will hold.
type compositeSchedule struct {
	Status           string        `json:"status" example:"Accepted"`
	ConnectorID      *int          `json:"connectorId" example:"1"`
	ScheduleStart    rest.Time     `json:"scheduleStart" example:"2026-02-06T12:00:00.000Z"`
	ChargingSchedule *toldSchedule `json:"chargingSchedule" doc:"Null when the charger told none."`
}

// toldSchedule is a schedule that a charger may tell.
type toldSchedule struct {
	_ struct{} `nullable:"true"`
	chargingSchedule
}

// installedProfile is a charging profile that a charger accepted.
type installedProfile struct {
	ConnectorID int             `json:"connectorId" doc:"0 is the whole charger." example:"1"`
	Profile     chargingProfile `json:"profile"`
	By          *string         `json:"by" doc:"The id of the API key or OAuth2 client that sent it." example:"key_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	InstalledAt rest.Time       `json:"installedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

type installedProfileList struct {
	ChargingProfiles []installedProfile `json:"chargingProfiles"`
	Pagination       pagination         `json:"pagination"`
}

type listInstalledInput struct {
	ChargerPath
	rest.Window
}

func (a *api) serveChargingProfiles() {
	command(a, rest.Operation{
		Path: "/charging-profiles", ID: "v1SetChargingProfile", Summary: "Install a charging profile",
		Description: "OCPP SetChargingProfile, of a profile or a template. Answers Accepted or NotSupported.",
	}, a.setProfile)
	command(a, rest.Operation{
		Path: "/charging-profiles/clear", ID: "v1ClearChargingProfiles", Summary: "Take charging profiles away",
		Description: "OCPP ClearChargingProfile: of all profiles that fit, or all when the body is left out. Answers Accepted, or Unknown when none fits.",
	}, a.clearProfiles)
	command(a, rest.Operation{
		Path: "/composite-schedule", ID: "v1GetCompositeSchedule", Summary: "Ask which limits will hold",
		Description: "OCPP GetCompositeSchedule: what all profiles amount to on a connector, as the charger sees it.",
	}, a.composite)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/chargers/{chargeBoxId}/charging-profiles", ID: "v1ListInstalledProfiles", Tag: tagChargers,
		Summary: "List the charging profiles of a charger",
		Description: "The profiles that the charger accepted and that were not replaced or cleared since, by connector, purpose and level; those of transactions that have ended are left out. " +
			"The charger is not asked.",
		Scope: auth.ChargersRead, Errors: notFound(),
	}, inParts("charging-profiles", atOnce, a.listInstalled, func(l *installedProfileList) []installedProfile { return l.ChargingProfiles }))
}

func (a *api) setProfile(ctx context.Context, in *setProfileInput) (*bodied[commandAnswer], error) {
	p, err := a.oneProfile(ctx, chosenProfile{"profile", in.Body.Profile, "templateId", in.Body.TemplateID}, in.Body.ConnectorID)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, rest.Invalid("profile", "is required, or templateId")
	}
	return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) {
		return a.Stations.SetChargingProfile(ctx, id, in.Body.ConnectorID, *p)
	})
}

// A chosenProfile is a profile of a body or the template in its stead, and what
// the body calls them.
type chosenProfile struct {
	field         string
	profile       *profileInput
	templateField string
	template      string
}

// oneProfile returns the profile that was chosen, or nil, once it is checked.
func (a *api) oneProfile(ctx context.Context, c chosenProfile, connector int) (*device.ChargingProfile, error) {
	switch {
	case c.profile != nil && c.template != "":
		return nil, rest.Invalid(c.templateField, "is given beside "+c.field)
	case c.profile != nil:
		p := c.profile.profile()
		return &p, within(c.field, p.Check(connector))
	case c.template == "":
		return nil, nil
	}
	store, err := a.devices()
	if err != nil {
		return nil, err
	}
	t, err := store.Template(ctx, c.template)
	if err != nil {
		return nil, named("template", c.template, err)
	}
	if err := t.Profile.Check(connector); err != nil {
		return nil, rest.Invalid(c.templateField, fmt.Sprintf("the template does not fit: %v", err))
	}
	return &t.Profile, nil
}

func (a *api) clearProfiles(ctx context.Context, in *clearProfilesInput) (*bodied[commandAnswer], error) {
	var f device.ProfileFilter
	if b := in.Body; b != nil {
		f = device.ProfileFilter{ID: b.ID, Connector: b.ConnectorID, Purpose: b.Purpose, StackLevel: b.StackLevel}
	}
	if f.ID != nil && (f.Connector != nil || f.Purpose != "" || f.StackLevel != nil) {
		return nil, rest.Invalid("id", "must stand alone")
	}
	return a.answered(ctx, in.ChargerPath, func(id leyden.StationID) (string, error) { return a.Stations.ClearChargingProfiles(ctx, id, f) })
}

func (a *api) composite(ctx context.Context, in *compositeInput) (*bodied[compositeSchedule], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	c, err := a.Stations.CompositeSchedule(ctx, s.ID, csms.CompositeRequest{
		Connector: in.Body.ConnectorID, Duration: in.Body.Duration, Unit: in.Body.Unit,
	})
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(c.Status, statusRejected) {
		return nil, rejected()
	}
	out := compositeSchedule{Status: c.Status, ConnectorID: c.Connector, ScheduleStart: rest.Time{Time: c.StartAt}}
	if c.Schedule != nil {
		out.ChargingSchedule = &toldSchedule{chargingSchedule: presentSchedule(c.Schedule)}
	}
	return &bodied[compositeSchedule]{out}, nil
}

func (a *api) listInstalled(ctx context.Context, in *listInstalledInput) (*bodied[installedProfileList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	all, err := a.Stations.InstalledProfiles(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageOf(ctx, in.Window, all, func(p *device.InstalledProfile) leyden.Cursor {
		return leyden.Cursor{ID: int64(p.Connector), Name: fmt.Sprintf("%s %10d", p.Profile.Purpose, p.Profile.StackLevel)}
	})
	if err != nil {
		return nil, err
	}
	out := installedProfileList{ChargingProfiles: []installedProfile{}, Pagination: pages}
	for _, p := range page {
		out.ChargingProfiles = append(out.ChargingProfiles, installedProfile{
			p.Connector, presentProfile(&p.Profile), orNull(p.By), rest.Time{Time: p.InstalledAt},
		})
	}
	return &bodied[installedProfileList]{out}, nil
}
