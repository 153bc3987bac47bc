package apiv1

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"leyden"
	"leyden/auth"
	"leyden/rest"
)

type registerChargerInput struct{ Body registration }

// registration makes a charger known.
type registration struct {
	ChargeBoxID     string `json:"chargeBoxId" pattern:"^[A-Za-z0-9._:@|=*+-]{1,48}$" patternDescription:"1 to 48 of A-Z a-z 0-9 . _ : @ | = * + -" doc:"Its OCPP identity, as it stands at the end of the URL it connects to. It must not begin with chg_." example:"CHARGER-001"`
	Name            string `json:"name,omitempty" maxLength:"100" example:"North gate"`
	Location        string `json:"location,omitempty" maxLength:"200" example:"Car park 2"`
	Site            string `json:"site,omitempty" maxLength:"100" doc:"Where it belongs, for credentials that are limited to sites." example:"Depot 2"`
	Password        string `json:"password,omitempty" minLength:"16" maxLength:"40" pattern:"^[ -~]*$" patternDescription:"printable ASCII" doc:"Made, with 40 hex digits, unless it is given; under security profile 3 none is made."`
	SecurityProfile *int   `json:"securityProfile,omitempty" minimum:"0" maximum:"3" default:"1" doc:"The least that lets it in. 0: no password, for a network that is trusted. 1: password. 2: password over TLS. 3: client certificate." example:"1"`
}

// registered is a charger that has just been registered.
type registered struct {
	ID              string           `json:"id" example:"chg_01jm2v8xkq4w7c5n3t6y9b2d4f"`
	ChargeBoxID     leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Name            *string          `json:"name" example:"North gate"`
	Location        *string          `json:"location" example:"Car park 2"`
	Site            *string          `json:"site" example:"Depot 2"`
	Status          string           `json:"status" enum:"online,offline" example:"offline"`
	IsOnline        bool             `json:"isOnline" example:"false"`
	RegisteredAt    rest.Time        `json:"registeredAt" nullable:"false" example:"2026-02-06T12:00:00.000Z"`
	ConnectionURL   string           `json:"connectionUrl" example:"wss://csms.example/ocpp/CHARGER-001"`
	Password        *string          `json:"password" doc:"Shown here and never again; null when it has none." example:"8f14e45fceea167a5a36dedd4bea2543c4ca4238"`
	SecurityProfile int              `json:"securityProfile" example:"1"`
	Registration    string           `json:"registration" example:"Accepted"`
}

func (a *api) registerCharger(ctx context.Context, in *registerChargerInput) (*created[registered], error) {
	spec, err := in.Body.spec()
	if err == nil {
		err = a.mayRegister(ctx, spec.Station, in.Body.Site)
	}
	if err != nil {
		return nil, err
	}
	rest.Concerns(ctx, spec.Station, 0)
	s, err := a.enter(ctx, leyden.Station{
		ID:           spec.Station,
		Name:         in.Body.Name,
		Location:     in.Body.Location,
		Site:         in.Body.Site,
		Registration: leyden.RegistrationAccepted,
	})
	if err != nil {
		return nil, err
	}
	password, err := a.Registrar.SetStation(ctx, spec)
	if err != nil {
		// Nobody knows its password, so it must not be there; not even when the
		// client has left.
		return nil, errors.Join(err, a.hide(context.WithoutCancel(ctx), s))
	}
	c := a.presentCharger(&s)
	return &created[registered]{
		Location: fmt.Sprintf("%s/chargers/%s", prefix, s.PublicID),
		Body: registered{
			ID:              s.PublicID,
			ChargeBoxID:     s.ID,
			Name:            orNull(s.Name),
			Location:        orNull(s.Location),
			Site:            orNull(s.Site),
			Status:          c.Status,
			IsOnline:        c.IsOnline,
			RegisteredAt:    rest.Time{Time: s.RegisteredAt},
			ConnectionURL:   a.connectionURL(ctx, s.ID),
			Password:        orNull(string(password)),
			SecurityProfile: spec.Profile.Number(),
			Registration:    string(s.Registration),
		},
	}, nil
}

// spec returns how the station shall prove who it is. What the [auth.Registrar]
// would refuse is refused here, before anything is written.
func (r *registration) spec() (auth.StationSpec, error) {
	spec := auth.StationSpec{Station: leyden.StationID(r.ChargeBoxID), Password: auth.Secret(r.Password)}
	if !spec.Station.Valid() {
		return spec, rest.Invalid("chargeBoxId", "must not begin with "+publicPrefix)
	}
	if r.Site != "" && !leyden.ValidSite(r.Site) {
		return spec, notASite()
	}
	profile, err := auth.ProfileOf(valueOr(r.SecurityProfile, 1))
	if err != nil {
		return spec, err
	}
	if profile == auth.ProfileNone && r.Password != "" {
		return spec, rest.Invalid("password", "has no use under security profile 0")
	}
	spec.Profile, spec.KeepPassword = profile, profile == auth.ProfileMutualTLS
	return spec, nil
}

func notASite() error {
	return rest.Invalid("site", "must be readable text without spaces around it")
}

// enter adds a station, or registers one that was admitted as it came.
func (a *api) enter(ctx context.Context, s leyden.Station) (leyden.Station, error) {
	registry := a.Ledger.Registry()
	s.Listed, s.RegisteredAt, s.PublicID = true, a.Ledger.Now(), leyden.NewPublicID(publicPrefix, a.Ledger.Now())
	err := registry.AddStation(ctx, s)
	if err == nil {
		if err := a.forget(ctx, s.ID); err != nil { // what one before it left
			return s, errors.Join(err, a.hide(context.WithoutCancel(ctx), s))
		}
	}
	if errors.Is(err, leyden.ErrExists) {
		known, lookup := registry.Station(ctx, s.ID)
		if lookup != nil || known.Listed {
			return s, fmt.Errorf("charger %s: %w", s.ID, cmp.Or(lookup, err))
		}
		s.PublicID, s.Quirks, s.Sighting = known.PublicID, known.Quirks, known.Sighting
		err = registry.SaveStation(ctx, s)
	}
	if err != nil {
		return s, fmt.Errorf("charger %s: %w", s.ID, err)
	}
	return s, nil
}

// hide makes a station as if it were not there.
func (a *api) hide(ctx context.Context, s leyden.Station) error {
	s.RemovedAt = a.Ledger.Now()
	if err := a.Ledger.Registry().SaveStation(ctx, s); err != nil {
		return fmt.Errorf("charger %s: %w", s.ID, err)
	}
	return nil
}

// forget forgets what a station has in itself.
func (a *api) forget(ctx context.Context, id leyden.StationID) error {
	if a.Devices == nil {
		return nil
	}
	if err := a.Devices.ForgetStation(ctx, id); err != nil {
		return fmt.Errorf("charger %s: %w", id, err)
	}
	return nil
}

// take makes sure that a station is still the edition that a client knows, who is
// about to change more than its record: whoever knows it too comes too late.
func (a *api) take(ctx context.Context, p rest.Precondition, s *leyden.Station) error {
	known := *s
	s.Version = 0
	if !p.Given() {
		return nil
	}
	err := a.Ledger.Registry().SaveStation(ctx, known)
	if errors.Is(err, leyden.ErrStale) {
		return rest.Stale()
	}
	return named("charger", string(s.ID), err)
}

// release gives up what is reserved at a station.
func (a *api) release(ctx context.Context, id leyden.StationID) error {
	open, _, err := a.Ledger.Store().Reservations(ctx, leyden.ReservationQuery{
		Station: id, Statuses: []leyden.ReservationStatus{leyden.ReservationPending, leyden.ReservationActive},
	})
	for i := 0; err == nil && i < len(open); i++ {
		_, err = a.Ledger.CancelReservation(ctx, id, open[i].ID, rest.PrincipalOf(ctx).ID)
		if errors.Is(err, leyden.ErrReservation) { // it has just ended
			err = nil
		}
	}
	return err
}

// credential returns how a station proves who it is; the zero value for one
// without credentials.
func (a *api) credential(ctx context.Context, id leyden.StationID) (auth.StationCredential, error) {
	c, err := a.Registrar.Station(ctx, id)
	if errors.Is(err, leyden.ErrNotFound) {
		return auth.StationCredential{}, nil
	}
	return c, err
}

type changeChargerInput struct {
	ChargerPath
	rest.Precondition
	Body chargerPatch
}

type removeChargerInput struct {
	ChargerPath
	rest.Precondition
}

// chargerPatch changes what is given.
type chargerPatch struct {
	Name            *string      `json:"name,omitempty" nullable:"true" maxLength:"100" example:"North gate"`
	Location        *string      `json:"location,omitempty" nullable:"true" maxLength:"200" example:"Car park 2"`
	Site            *string      `json:"site,omitempty" nullable:"true" maxLength:"100" doc:"Where it belongs, for credentials that are limited to sites." example:"Depot 2"`
	Registration    *string      `json:"registration,omitempty" enum:"Accepted,Pending,Rejected" doc:"The answer to its BootNotification." example:"Accepted"`
	SecurityProfile *int         `json:"securityProfile,omitempty" minimum:"0" maximum:"3" doc:"The least that lets it in; what it proved before is forgotten. 0: no password. 1: password. 2: password over TLS. 3: client certificate." example:"1"`
	Password        *string      `json:"password,omitempty" minLength:"16" maxLength:"40" pattern:"^[ -~]*$" patternDescription:"printable ASCII" doc:"The new password."`
	Quirks          *quirksPatch `json:"quirks,omitempty" doc:"In which ways it does not do as OCPP says; null gives one back to what is learnt."`
	RotatePassword  bool         `json:"rotatePassword,omitempty" doc:"Makes a new password; the reply shows it." example:"true"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *chargerPatch) UnmarshalJSON(data []byte) error {
	type plain chargerPatch
	return p.given.decode(data, (*plain)(p))
}

func (a *api) changeCharger(ctx context.Context, in *changeChargerInput) (*tagged[chargerDetails], error) {
	if err := in.Body.given.keep("registration", "securityProfile", "password", "rotatePassword", "quirks"); err != nil {
		return nil, err
	}
	var spec *auth.StationSpec
	var before leyden.Registration
	read := func() (leyden.Station, error) { return a.charger(ctx, in.Ref) }
	s, err := changed(in.Precondition, read, chargerEdition, func(s *leyden.Station) (err error) {
		before = s.Registration
		if spec, err = a.newCredential(ctx, s.ID, &in.Body); err != nil {
			return err
		}
		if err := in.Body.apply(ctx, s); err != nil {
			return err
		}
		err = named("charger", string(s.ID), a.Ledger.Registry().SaveStation(ctx, *s))
		s.Version++
		return err
	})
	if err != nil {
		return nil, err
	}
	var password auth.Secret
	if spec != nil {
		if password, err = a.Registrar.SetStation(ctx, *spec); err != nil {
			return nil, err
		}
	}
	if s.Registration != before {
		a.Stations.Disconnect(s.ID, "registration changed")
	}
	d, err := a.presentDetails(ctx, &s)
	d.Password = string(password)
	return &tagged[chargerDetails]{rest.Versioned{Edition: chargerEdition(&s)}, d}, err
}

// apply changes what an operator says of a station.
func (p *chargerPatch) apply(ctx context.Context, s *leyden.Station) (err error) {
	if p.Quirks != nil {
		if s.Quirks, err = p.Quirks.change(s.Quirks); err != nil {
			return err
		}
	}
	if p.given.has("name") {
		s.Name = valueOr(p.Name, "")
	}
	if p.given.has("location") {
		s.Location = valueOr(p.Location, "")
	}
	s.Registration = leyden.Registration(valueOr(p.Registration, string(s.Registration)))
	return p.move(ctx, s)
}

// move takes a station to the site that is given.
func (p *chargerPatch) move(ctx context.Context, s *leyden.Station) error {
	if !p.given.has("site") {
		return nil
	}
	to := valueOr(p.Site, "")
	if to != "" && !leyden.ValidSite(to) {
		return notASite()
	}
	err := mayMove(ctx, s, to)
	s.Site = to
	return err
}

// newCredential returns how the station shall prove who it is from now on, or
// nil when that does not change.
func (a *api) newCredential(ctx context.Context, id leyden.StationID, p *chargerPatch) (*auth.StationSpec, error) {
	if p.SecurityProfile == nil && p.Password == nil && !p.RotatePassword {
		return nil, nil
	}
	if p.Password != nil && p.RotatePassword {
		return nil, rest.Invalid("rotatePassword", "makes a password, but one is given")
	}
	known, err := a.credential(ctx, id)
	if err != nil {
		return nil, err
	}
	spec := &auth.StationSpec{Station: id, Password: auth.Secret(valueOr(p.Password, "")), KeepPassword: !p.RotatePassword}
	if p.SecurityProfile != nil {
		if spec.Profile, err = auth.ProfileOf(*p.SecurityProfile); err != nil {
			return nil, err
		}
	}
	changesPassword := p.Password != nil || p.RotatePassword
	if cmp.Or(spec.Profile, known.Profile) == auth.ProfileNone && changesPassword {
		return nil, rest.Invalid("password", "has no use under security profile 0")
	}
	if spec.Profile == known.Profile && known.Proven == "" && !changesPassword {
		return nil, nil
	}
	return spec, nil
}

func (a *api) removeCharger(ctx context.Context, in *removeChargerInput) (*bodied[chargerDetails], error) {
	s, err := a.charger(ctx, in.Ref)
	if err == nil {
		err = in.Check(chargerEdition(&s))
	}
	if err != nil {
		return nil, err
	}
	running, err := a.Ledger.Store().Transactions(ctx, leyden.Query{
		Station: s.ID, Statuses: []leyden.Status{leyden.Active, leyden.Stopping}, Limit: 1,
	})
	if err != nil {
		return nil, err
	}
	if len(running.Transactions) > 0 {
		e := refusal(codeActive, fmt.Errorf("charger %s is charging", s.ID))
		e.Details = []rest.Detail{transactionDetail(running.Transactions[0].ID)}
		return nil, e
	}
	d, err := a.presentDetails(ctx, &s)
	if err == nil {
		err = a.take(ctx, in.Precondition, &s)
	}
	if err == nil {
		err = a.release(ctx, s.ID)
	}
	if err != nil {
		return nil, err
	}
	if err := a.Registrar.DeleteStation(ctx, s.ID); err != nil && !errors.Is(err, leyden.ErrNotFound) {
		return nil, err
	}
	if err := a.hide(ctx, s); err != nil {
		return nil, err
	}
	a.Stations.Disconnect(s.ID, "station was removed")
	return &bodied[chargerDetails]{d}, a.forget(context.WithoutCancel(ctx), s.ID)
}
