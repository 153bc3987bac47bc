package apiv1

import (
	"context"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/device"
	"leyden/rest"
)

// profileTemplate is how v1 shows a [device.ProfileTemplate].
type profileTemplate struct {
	ID        string          `json:"id" example:"prf_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
	Name      string          `json:"name" example:"Night tariff"`
	Profile   chargingProfile `json:"profile"`
	CreatedAt rest.Time       `json:"createdAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	UpdatedAt rest.Time       `json:"updatedAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
}

func presentTemplate(t *device.ProfileTemplate) profileTemplate {
	return profileTemplate{t.ID, t.Name, presentProfile(&t.Profile), rest.Time{Time: t.CreatedAt}, rest.Time{Time: t.UpdatedAt}}
}

type profileTemplateList struct {
	ChargingProfiles []profileTemplate `json:"chargingProfiles"`
	Pagination       pagination        `json:"pagination"`
}

type addTemplateInput struct {
	Body struct {
		Name    string       `json:"name" minLength:"1" maxLength:"100" example:"Night tariff"`
		Profile profileInput `json:"profile"`
	} `nameHint:"V1NewProfileTemplate"`
}

// A TemplatePath names a template in a path.
type TemplatePath struct {
	TemplateID string `path:"templateId" maxLength:"40" doc:"The id of the template." example:"prf_2pjwm5cyuf4l7rzdzgd3vyzs2a"`
}

type changeTemplateInput struct {
	TemplatePath
	Body struct {
		Name    string        `json:"name,omitempty" minLength:"1" maxLength:"100" example:"Night tariff"`
		Profile *profileInput `json:"profile,omitempty" doc:"The whole profile anew."`
	} `nameHint:"V1ProfileTemplatePatch"`
}

func (a *api) serveProfileTemplates() {
	handle(a, rest.Operation{
		Method: http.MethodPost, Path: "/charging-profiles", ID: "v1AddProfileTemplate", Tag: tagProfiles,
		Summary:     "Add a template",
		Description: "Keeps a charging profile here, to be sent to chargers by its id, also with a remote start. No charger hears of it.",
		Scope:       auth.ChargersControl, Status: http.StatusCreated,
	}, a.addTemplate)
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: "/charging-profiles", ID: "v1ListProfileTemplates", Tag: tagProfiles,
		Summary:     "List templates",
		Description: "All templates, the first added first.",
		Scope:       auth.ChargersRead, Limited: true,
	}, inParts("charging-profiles", partRows, a.listTemplates, func(l *profileTemplateList) []profileTemplate { return l.ChargingProfiles }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: "/charging-profiles/{templateId}", ID: "v1GetProfileTemplate", Tag: tagProfiles,
		Summary:     "Get a template",
		Description: "One template.",
		Scope:       auth.ChargersRead, Limited: true, Errors: notFound(),
	}, a.getTemplate)
	handle(a, rest.Operation{
		Method: http.MethodPatch, Path: "/charging-profiles/{templateId}", ID: "v1ChangeProfileTemplate", Tag: tagProfiles,
		Summary:     "Change a template",
		Description: "Changes what is given. What chargers were sent before stays as it was.",
		Scope:       auth.ChargersControl, Errors: notFound(),
	}, a.changeTemplate)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: "/charging-profiles/{templateId}", ID: "v1RemoveProfileTemplate", Tag: tagProfiles,
		Summary:     "Remove a template",
		Description: "Forgets a template; what chargers were sent stays. Answers with the template as it was.",
		Scope:       auth.ChargersControl, Errors: notFound(),
	}, a.removeTemplate)
}

// templateProfile returns the profile of a template, once it is checked: for any
// connector that its purpose is for, and for no transaction.
func templateProfile(in *profileInput) (device.ChargingProfile, error) {
	p := in.profile()
	connector := 1
	if p.Purpose == device.ChargePointMaxProfile {
		connector = 0
	}
	if p.Transaction != 0 {
		return p, rest.Invalid("profile.transactionId", "has no place in a template")
	}
	return p, within("profile", p.Check(connector))
}

func (a *api) addTemplate(ctx context.Context, in *addTemplateInput) (*created[profileTemplate], error) {
	p, err := templateProfile(&in.Body.Profile)
	if err != nil {
		return nil, err
	}
	now := a.Ledger.Now().UTC().Truncate(time.Microsecond)
	t := device.ProfileTemplate{ID: leyden.NewPublicID("prf_", now), Name: in.Body.Name, Profile: p, CreatedAt: now, UpdatedAt: now}
	if err := a.saveTemplate(ctx, t); err != nil {
		return nil, err
	}
	return &created[profileTemplate]{Location: prefix + "/charging-profiles/" + t.ID, Body: presentTemplate(&t)}, nil
}

func (a *api) saveTemplate(ctx context.Context, t device.ProfileTemplate) error {
	store, err := a.devices()
	if err != nil {
		return err
	}
	return store.SaveTemplate(ctx, t)
}

func (a *api) template(ctx context.Context, id string) (device.ProfileTemplate, error) {
	store, err := a.devices()
	if err != nil {
		return device.ProfileTemplate{}, err
	}
	t, err := store.Template(ctx, id)
	return t, named("template", id, err)
}

func (a *api) listTemplates(ctx context.Context, in *rest.Window) (*bodied[profileTemplateList], error) {
	store, err := a.devices()
	if err != nil {
		return nil, err
	}
	part, err := in.Part(ctx)
	if err != nil {
		return nil, err
	}
	found, total, err := store.Templates(ctx, part)
	if err != nil {
		return nil, err
	}
	out := new(bodied[profileTemplateList])
	out.Body.ChargingProfiles, out.Body.Pagination = paged(ctx, *in, found, total,
		func(t *device.ProfileTemplate) leyden.Cursor { return leyden.Cursor{At: t.CreatedAt, Name: t.ID} }, presentTemplate)
	return out, nil
}

func (a *api) getTemplate(ctx context.Context, in *TemplatePath) (*bodied[profileTemplate], error) {
	t, err := a.template(ctx, in.TemplateID)
	return &bodied[profileTemplate]{presentTemplate(&t)}, err
}

func (a *api) changeTemplate(ctx context.Context, in *changeTemplateInput) (*bodied[profileTemplate], error) {
	t, err := a.template(ctx, in.TemplateID)
	if err != nil {
		return nil, err
	}
	if in.Body.Profile != nil {
		if t.Profile, err = templateProfile(in.Body.Profile); err != nil {
			return nil, err
		}
	}
	if in.Body.Name != "" {
		t.Name = in.Body.Name
	}
	t.UpdatedAt = a.Ledger.Now().UTC().Truncate(time.Microsecond)
	return &bodied[profileTemplate]{presentTemplate(&t)}, a.saveTemplate(ctx, t)
}

func (a *api) removeTemplate(ctx context.Context, in *TemplatePath) (*bodied[profileTemplate], error) {
	t, err := a.template(ctx, in.TemplateID)
	if err != nil {
		return nil, err
	}
	store, err := a.devices()
	if err != nil {
		return nil, err
	}
	return &bodied[profileTemplate]{presentTemplate(&t)}, named("template", t.ID, store.RemoveTemplate(ctx, t.ID))
}
