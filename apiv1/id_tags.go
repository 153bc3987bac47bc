package apiv1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

// idTag is how v1 shows a [leyden.Token].
type idTag struct {
	IDTag                 string    `json:"idTag" doc:"As first given; compared whatever its case." example:"USER123"`
	Status                string    `json:"status" enum:"Accepted,Blocked" example:"Accepted"`
	ExpiryDate            rest.Time `json:"expiryDate" doc:"From then on it is Expired." example:"2030-01-01T00:00:00.000Z"`
	ParentIDTag           *string   `json:"parentIdTag" doc:"Its group. If that is listed as an idTag itself, it blocks, ends and limits its members." example:"FLEET-7"`
	MaxActiveTransactions *int      `json:"maxActiveTransactions" doc:"How many transactions it may run at once, with those whose group it is; null is any number." example:"1"`
	VehicleID             *string   `json:"vehicleId" doc:"The vehicle it belongs to." example:"VAN-12"`
	Note                  *string   `json:"note"`
	Listed                bool      `json:"listed" doc:"False for one that nobody listed but that was seen: under --id-tags listed it is Invalid until it is changed or added." example:"true"`
	CreatedAt             rest.Time `json:"createdAt" doc:"When it was added or first seen." example:"2026-02-06T12:00:00.000Z"`
	LastSeen              rest.Time `json:"lastSeen" doc:"When it was last seen while nobody had listed it."`
}

func presentTag(t *leyden.Token) idTag {
	return idTag{
		IDTag:                 t.Value,
		Status:                t.Status,
		ExpiryDate:            rest.Time{Time: t.Expiry},
		ParentIDTag:           orNull(t.Parent),
		MaxActiveTransactions: orNull(t.MaxActive),
		VehicleID:             orNull(t.VehicleID),
		Note:                  orNull(t.Note),
		Listed:                t.Listed,
		CreatedAt:             rest.Time{Time: t.CreatedAt},
		LastSeen:              rest.Time{Time: t.SeenAt},
	}
}

type idTagPath struct {
	IDTag string `path:"idTag" maxLength:"255" doc:"The idTag, whatever its case." example:"USER123"`
}

type addIDTagInput struct {
	Body struct {
		IDTag                 string    `json:"idTag" minLength:"1" maxLength:"20" example:"USER123"`
		Status                string    `json:"status,omitempty" enum:"Accepted,Blocked" default:"Accepted" example:"Accepted"`
		ExpiryDate            rest.Time `json:"expiryDate,omitzero" doc:"From then on it is Expired." example:"2030-01-01T00:00:00.000Z"`
		ParentIDTag           string    `json:"parentIdTag,omitempty" maxLength:"20" doc:"Its group." example:"FLEET-7"`
		MaxActiveTransactions int       `json:"maxActiveTransactions,omitempty" minimum:"1" maximum:"1000" doc:"How many transactions it may run at once; any number when absent." example:"1"`
		VehicleID             string    `json:"vehicleId,omitempty" maxLength:"64" doc:"The vehicle it belongs to, which must exist." example:"VAN-12"`
		Note                  string    `json:"note,omitempty" maxLength:"500"`
	} `nameHint:"V1NewIDTag"`
}

type changeIDTagInput struct {
	IDTag string `path:"idTag" maxLength:"255" doc:"The idTag, whatever its case." example:"USER123"`
	rest.Precondition
	Body idTagPatch
}

type removeIDTagInput struct {
	IDTag string `path:"idTag" maxLength:"255" doc:"The idTag, whatever its case." example:"USER123"`
	rest.Precondition
}

// idTagPatch changes what is given; null takes something away.
type idTagPatch struct {
	Status                *string   `json:"status,omitempty" enum:"Accepted,Blocked" example:"Blocked"`
	ExpiryDate            rest.Time `json:"expiryDate,omitzero" doc:"From then on it is Expired."`
	ParentIDTag           *string   `json:"parentIdTag,omitempty" nullable:"true" maxLength:"20" doc:"Its group."`
	MaxActiveTransactions *int      `json:"maxActiveTransactions,omitempty" nullable:"true" minimum:"1" maximum:"1000" doc:"How many transactions it may run at once; null is any number."`
	VehicleID             *string   `json:"vehicleId,omitempty" nullable:"true" maxLength:"64" doc:"The vehicle it belongs to, which must exist."`
	Note                  *string   `json:"note,omitempty" nullable:"true" maxLength:"500"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *idTagPatch) UnmarshalJSON(data []byte) error {
	type plain idTagPatch
	return p.given.decode(data, (*plain)(p))
}

func (p *idTagPatch) apply(t *leyden.Token) {
	t.Listed, t.Status = true, valueOr(p.Status, t.Status)
	for name, set := range map[string]func(){
		"expiryDate":            func() { t.Expiry = p.ExpiryDate.Time },
		"parentIdTag":           func() { t.Parent = valueOr(p.ParentIDTag, "") },
		"maxActiveTransactions": func() { t.MaxActive = valueOr(p.MaxActiveTransactions, 0) },
		"vehicleId":             func() { t.VehicleID = valueOr(p.VehicleID, "") },
		"note":                  func() { t.Note = valueOr(p.Note, "") },
	} {
		if p.given.has(name) {
			set()
		}
	}
}

func (a *api) serveIDTags() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/id-tags", ID: "v1AddIDTag", Tag: tagIDTags,
		Summary: "Add an idTag",
		Description: "Lists an idTag, also one that was merely seen. It may charge from then on, unless it is Blocked. " +
			"Of several at once that add the same, one succeeds.",
		Scope: auth.TagsWrite, Status: http.StatusCreated, Errors: conflict(),
	}, a.addIDTag)
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/id-tags/{idTag}", ID: "v1GetIDTag", Tag: tagIDTags,
		Summary:     "Get an idTag",
		Description: "What is kept of an idTag.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getIDTag)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/id-tags/{idTag}", ID: "v1ChangeIDTag", Tag: tagIDTags,
		Summary:     "Change an idTag",
		Description: "Changes what is given; null takes something away. One that was merely seen is listed from then on.",
		Scope:       auth.TagsWrite, Errors: notFound(),
	}, a.changeIDTag)
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/id-tags/{idTag}/admit", ID: "v1AdmitIDTag", Tag: tagIDTags,
		Summary: "Admit an idTag",
		Description: "Lists one that was merely seen, and accepts it; one that is Blocked is Accepted again. " +
			"What else is kept of it stays.",
		Scope: auth.TagsWrite, Errors: notFound(),
	}, a.admitIDTag)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/id-tags/{idTag}", ID: "v1RemoveIDTag", Tag: tagIDTags,
		Summary:     "Remove an idTag",
		Description: "Forgets an idTag; its transactions stay. Answers with the idTag as it was.",
		Scope:       auth.TagsWrite, Errors: notFound(),
	}, a.removeIDTag)
}

func (a *api) addIDTag(ctx context.Context, in *addIDTagInput) (*created[idTag], error) {
	t := leyden.Token{
		Value:     in.Body.IDTag,
		Status:    in.Body.Status,
		Expiry:    in.Body.ExpiryDate.Time,
		Parent:    in.Body.ParentIDTag,
		MaxActive: in.Body.MaxActiveTransactions,
		VehicleID: in.Body.VehicleID,
		Note:      in.Body.Note,
		Listed:    true,
		CreatedAt: a.Ledger.Now(),
	}
	if err := checkProse("note", t.Note); err != nil {
		return nil, err
	}
	if err := a.checkTag(ctx, &t); err != nil {
		return nil, err
	}
	kept, err := a.Ledger.Registry().AddToken(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("idTag %s: %w", cmp.Or(kept.Value, t.Value), err)
	}
	return &created[idTag]{Location: prefix + "/id-tags/" + url.PathEscape(kept.Value), Body: presentTag(&kept)}, nil
}

// checkTag refuses an idTag whose vehicle does not exist.
func (a *api) checkTag(ctx context.Context, t *leyden.Token) error {
	t.Expiry = t.Expiry.UTC().Truncate(time.Microsecond)
	if t.VehicleID == "" {
		return nil
	}
	_, err := a.Ledger.Registry().Vehicle(ctx, t.VehicleID)
	if errors.Is(err, leyden.ErrNotFound) {
		return rest.Invalid("vehicleId", "there is no such vehicle")
	}
	return err
}

func (a *api) saveTag(ctx context.Context, t *leyden.Token) error {
	if err := a.checkTag(ctx, t); err != nil {
		return err
	}
	return a.Ledger.Registry().SaveToken(ctx, *t)
}

func (a *api) tag(ctx context.Context, value string) (leyden.Token, error) {
	t, err := a.Ledger.Registry().Token(ctx, value)
	if err != nil {
		return t, fmt.Errorf("idTag %s: %w", value, err)
	}
	return t, nil
}

func (a *api) getIDTag(ctx context.Context, in *idTagPath) (*tagged[idTag], error) {
	t, err := a.tag(ctx, in.IDTag)
	return taggedTag(&t), err
}

func taggedTag(t *leyden.Token) *tagged[idTag] {
	return &tagged[idTag]{rest.Versioned{Edition: tagEdition(t)}, presentTag(t)}
}

// changeTag changes what is kept of an idTag.
func (a *api) changeTag(ctx context.Context, value string, p rest.Precondition, change func(*leyden.Token)) (*tagged[idTag], error) {
	t, err := changed(p, func() (leyden.Token, error) { return a.tag(ctx, value) }, tagEdition, func(t *leyden.Token) error {
		change(t)
		err := a.saveTag(ctx, t)
		t.Version++
		return err
	})
	if err != nil {
		return nil, err
	}
	return taggedTag(&t), nil
}

func (a *api) changeIDTag(ctx context.Context, in *changeIDTagInput) (*tagged[idTag], error) {
	if err := cmp.Or(in.Body.given.keep("status"), checkProse("note", valueOr(in.Body.Note, ""))); err != nil {
		return nil, err
	}
	return a.changeTag(ctx, in.IDTag, in.Precondition, in.Body.apply)
}

func (a *api) admitIDTag(ctx context.Context, in *idTagPath) (*tagged[idTag], error) {
	return a.changeTag(ctx, in.IDTag, rest.Precondition{}, func(t *leyden.Token) {
		t.Listed, t.Status = true, leyden.TokenAccepted
	})
}

func (a *api) removeIDTag(ctx context.Context, in *removeIDTagInput) (*bodied[idTag], error) {
	t, err := changed(in.Precondition, func() (leyden.Token, error) { return a.tag(ctx, in.IDTag) }, tagEdition, func(t *leyden.Token) error {
		return named("idTag", t.Value, a.Ledger.Registry().RemoveToken(ctx, t.Value, t.Version))
	})
	return &bodied[idTag]{presentTag(&t)}, err
}
