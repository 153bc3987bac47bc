package apiv1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// vehicle is how v1 shows a [leyden.Vehicle].
type vehicle struct {
	VehicleID string    `json:"vehicleId" example:"VAN-12"`
	Name      *string   `json:"name" example:"White van"`
	IDTags    []string  `json:"idTags" example:"USER123"`
	CreatedAt rest.Time `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

func presentVehicle(v *leyden.Vehicle) vehicle {
	return vehicle{
		VehicleID: v.ID,
		Name:      orNull(v.Name),
		IDTags:    append([]string{}, v.Tokens...),
		CreatedAt: rest.Time{Time: v.CreatedAt},
	}
}

type vehicleList struct {
	Vehicles   []vehicle  `json:"vehicles"`
	Pagination pagination `json:"pagination"`
}

type vehiclePath struct {
	VehicleID string `path:"vehicleId" maxLength:"255" doc:"The vehicle." example:"VAN-12"`
}

type addVehicleInput struct {
	Body struct {
		VehicleID string   `json:"vehicleId" minLength:"1" maxLength:"64" example:"VAN-12"`
		Name      string   `json:"name,omitempty" maxLength:"100" example:"White van"`
		IDTags    []string `json:"idTags,omitempty" minLength:"1" maxLength:"20" maxItems:"100" doc:"What its drivers show." example:"USER123"`
	} `nameHint:"V1NewVehicle"`
}

type changeVehicleInput struct {
	VehicleID string `path:"vehicleId" maxLength:"255" doc:"The vehicle." example:"VAN-12"`
	rest.Precondition
	Body vehiclePatch
}

type removeVehicleInput struct {
	VehicleID string `path:"vehicleId" maxLength:"255" doc:"The vehicle." example:"VAN-12"`
	rest.Precondition
}

// vehiclePatch changes what is given.
type vehiclePatch struct {
	Name   *string  `json:"name,omitempty" nullable:"true" maxLength:"100" example:"White van"`
	IDTags []string `json:"idTags,omitempty" minLength:"1" maxLength:"20" maxItems:"100" doc:"All of them: those that are left out are taken away." example:"USER123"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *vehiclePatch) UnmarshalJSON(data []byte) error {
	type plain vehiclePatch
	return p.given.decode(data, (*plain)(p))
}

func (a *api) serveVehicles() {
	const tags = "An idTag belongs to one vehicle at most: one that another vehicle has is a conflict. " +
		"One that nobody listed is listed and accepted."
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/vehicles", ID: "v1AddVehicle", Tag: tagVehicles,
		Summary:     "Add a vehicle",
		Description: "Adds a vehicle with its idTags. " + tags,
		Scope:       auth.TagsWrite, Status: http.StatusCreated, Errors: conflict(),
	}, a.addVehicle)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/vehicles", ID: "v1ListVehicles", Tag: tagVehicles,
		Summary:     "List vehicles",
		Description: "All vehicles, by their id.",
		Scope:       auth.ChargersRead,
	}, inParts("vehicles", partRows, a.listVehicles, func(l *vehicleList) []vehicle { return l.Vehicles }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/vehicles/{vehicleId}", ID: "v1GetVehicle", Tag: tagVehicles,
		Summary:     "Get a vehicle",
		Description: "A vehicle with its idTags.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getVehicle)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/vehicles/{vehicleId}", ID: "v1ChangeVehicle", Tag: tagVehicles,
		Summary:     "Change a vehicle",
		Description: "Changes what is given; null takes the name away. " + tags,
		Scope:       auth.TagsWrite, Errors: notFoundOrConflict(),
	}, a.changeVehicle)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/vehicles/{vehicleId}", ID: "v1RemoveVehicle", Tag: tagVehicles,
		Summary:     "Remove a vehicle",
		Description: "Forgets a vehicle; its idTags and its transactions stay. Answers with the vehicle as it was.",
		Scope:       auth.TagsWrite, Errors: notFound(),
	}, a.removeVehicle)
}

func (a *api) addVehicle(ctx context.Context, in *addVehicleInput) (*created[vehicle], error) {
	if err := cmp.Or(checkName("vehicleId", in.Body.VehicleID), checkName("name", in.Body.Name)); err != nil {
		return nil, err
	}
	v, err := a.saveVehicle(ctx, leyden.Vehicle{
		ID: in.Body.VehicleID, Name: in.Body.Name, Tokens: in.Body.IDTags, CreatedAt: a.Ledger.Now(),
	}, a.Ledger.Registry().AddVehicle)
	if err != nil {
		return nil, err
	}
	return &created[vehicle]{Location: prefix + "/vehicles/" + url.PathEscape(v.ID), Body: presentVehicle(&v)}, nil
}

// saveVehicle writes a vehicle by save and returns it as it is kept. It takes no
// idTag away from another vehicle.
func (a *api) saveVehicle(ctx context.Context, v leyden.Vehicle, save func(context.Context, leyden.Vehicle) error) (leyden.Vehicle, error) {
	for _, value := range v.Tokens {
		t, err := a.Ledger.Registry().Token(ctx, value)
		if err != nil && !errors.Is(err, leyden.ErrNotFound) {
			return v, err
		}
		if err == nil && t.VehicleID != "" && t.VehicleID != v.ID {
			return v, taken(&t)
		}
	}
	if err := save(ctx, v); err != nil {
		return v, fmt.Errorf("vehicle %s: %w", v.ID, err)
	}
	return a.vehicle(ctx, v.ID)
}

// taken refuses an idTag that another vehicle has.
func taken(t *leyden.Token) error {
	reason := fmt.Sprintf("%s belongs to vehicle %s", t.Value, t.VehicleID)
	e := rest.Errorf(http.StatusConflict, "idTags: %s", reason)
	e.Details = []rest.Detail{{Field: "idTags", Reason: reason}}
	return e
}

func (a *api) vehicle(ctx context.Context, id string) (leyden.Vehicle, error) {
	v, err := a.Ledger.Registry().Vehicle(ctx, id)
	if err != nil {
		return v, fmt.Errorf("vehicle %s: %w", id, err)
	}
	return v, nil
}

func (a *api) listVehicles(ctx context.Context, in *rest.Window) (*bodied[vehicleList], error) {
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	found, total, err := a.Ledger.Registry().Vehicles(ctx, part)
	if err != nil {
		return nil, err
	}
	out := new(bodied[vehicleList])
	out.Body.Vehicles, out.Body.Pagination = paged(ctx, *in, found, total,
		func(v *leyden.Vehicle) leyden.Cursor { return leyden.Cursor{Name: v.ID} }, presentVehicle)
	return out, nil
}

func (a *api) getVehicle(ctx context.Context, in *vehiclePath) (*tagged[vehicle], error) {
	v, err := a.vehicle(ctx, in.VehicleID)
	return taggedVehicle(&v), err
}

func taggedVehicle(v *leyden.Vehicle) *tagged[vehicle] {
	return &tagged[vehicle]{rest.Versioned{Edition: vehicleEdition(v)}, presentVehicle(v)}
}

func (a *api) changeVehicle(ctx context.Context, in *changeVehicleInput) (*tagged[vehicle], error) {
	if err := cmp.Or(in.Body.given.keep("idTags"), checkName("name", valueOr(in.Body.Name, ""))); err != nil {
		return nil, err
	}
	read := func() (leyden.Vehicle, error) { return a.vehicle(ctx, in.VehicleID) }
	v, err := changed(in.Precondition, read, vehicleEdition, func(v *leyden.Vehicle) (err error) {
		if in.Body.given.has("name") {
			v.Name = valueOr(in.Body.Name, "")
		}
		if in.Body.given.has("idTags") {
			v.Tokens = in.Body.IDTags
		}
		*v, err = a.saveVehicle(ctx, *v, a.Ledger.Registry().SaveVehicle)
		return err
	})
	if err != nil {
		return nil, err
	}
	return taggedVehicle(&v), nil
}

func (a *api) removeVehicle(ctx context.Context, in *removeVehicleInput) (*bodied[vehicle], error) {
	v, err := changed(in.Precondition, func() (leyden.Vehicle, error) { return a.vehicle(ctx, in.VehicleID) }, vehicleEdition, func(v *leyden.Vehicle) error {
		return named("vehicle", v.ID, a.Ledger.Registry().RemoveVehicle(ctx, v.ID, v.Version))
	})
	return &bodied[vehicle]{presentVehicle(&v)}, err
}
