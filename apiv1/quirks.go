package apiv1

import (
	"cmp"

	"leyden"
	"leyden/rest"
)

// chargerQuirks says in which ways a charger does not do as OCPP says: what was
// learnt of it, and what an operator says.
type chargerQuirks struct {
	RegisterModel    modelQuirk  `json:"registerModel" doc:"How the register counts that comes with starts and stops."`
	OfflineIDs       switchQuirk `json:"offlineIds" doc:"Whether it stops charges that it began offline under −1 and the like. When set, such a stop that fits several charges ends the one that began offline; set to false it ends none."`
	FractionalMeters switchQuirk `json:"fractionalMeters" doc:"Whether its registers have fractions. When set, one in meterStart is rounded down instead of refused."`
	TimeZone         zoneQuirk   `json:"timeZone" doc:"What its timestamps without a zone are in."`
}

type modelQuirk struct {
	Learnt    *string   `json:"learnt" enum:"session,cumulative" doc:"What its last charges showed: a register that begins anew at 0 with each, or one that counts on."`
	Set       *string   `json:"set" enum:"session,cumulative" doc:"What an operator says. Only that changes figures."`
	Effective *string   `json:"effective" enum:"session,cumulative" doc:"What the audit of continuity goes by: set, else learnt."`
	Seen      int       `json:"seen" doc:"How many charges in a row showed what was learnt, or is about to be." example:"3"`
	LastSeen  rest.Time `json:"lastSeen" doc:"By the server's clock."`
}

type switchQuirk struct {
	Learnt    bool      `json:"learnt" doc:"Whether it was seen."`
	Set       *bool     `json:"set" doc:"What an operator says."`
	Effective bool      `json:"effective" doc:"What the ledger goes by."`
	Seen      int       `json:"seen" doc:"How many messages showed it." example:"3"`
	LastSeen  rest.Time `json:"lastSeen" doc:"By the server's clock."`
}

type zoneQuirk struct {
	Learnt    *string   `json:"learnt" doc:"Always null: timestamps without a zone do not tell where they were made."`
	Set       *string   `json:"set" doc:"What an operator says." example:"Europe/Berlin"`
	Effective string    `json:"effective" doc:"What timestamps without a zone are read in." example:"UTC"`
	Seen      int       `json:"seen" doc:"How many messages had timestamps without a zone." example:"3"`
	LastSeen  rest.Time `json:"lastSeen" doc:"By the server's clock."`
}

func presentQuirks(s *leyden.Station) chargerQuirks {
	shown := s.Habits.FromZero
	if s.Habits.Continued.Count > shown.Count {
		shown = s.Habits.Continued
	}
	return chargerQuirks{
		RegisterModel: modelQuirk{
			Learnt: orNull(string(s.Habits.Register)), Set: orNull(string(s.Quirks.Register)), Effective: orNull(string(s.RegisterModel())),
			Seen: shown.Count, LastSeen: rest.Time{Time: shown.SeenAt},
		},
		OfflineIDs:       presentSwitch(s.Habits.OfflineIDs, s.Quirks.OfflineIDs, s.Habits.OfflineIDs.Count > 0),
		FractionalMeters: presentSwitch(s.Habits.FractionalMeters, s.Quirks.FractionalMeters, false),
		TimeZone: zoneQuirk{
			Set: orNull(s.Quirks.TimeZone), Effective: cmp.Or(s.Quirks.TimeZone, "UTC"),
			Seen: s.Habits.MissingZone.Count, LastSeen: rest.Time{Time: s.Habits.MissingZone.SeenAt},
		},
	}
}

// presentSwitch shows a habit with what an operator says of it, or what holds as
// long as nobody says anything.
func presentSwitch(h leyden.Habit, set *bool, unset bool) switchQuirk {
	return switchQuirk{Learnt: h.Count > 0, Set: set, Effective: valueOr(set, unset), Seen: h.Count, LastSeen: rest.Time{Time: h.SeenAt}}
}

// quirksPatch changes what is given; null gives a quirk back to what is learnt.
type quirksPatch struct {
	RegisterModel    *string `json:"registerModel,omitempty" nullable:"true" enum:"session,cumulative" example:"session"`
	OfflineIDs       *bool   `json:"offlineIds,omitempty" nullable:"true" example:"true"`
	FractionalMeters *bool   `json:"fractionalMeters,omitempty" nullable:"true" example:"true"`
	TimeZone         *string `json:"timeZone,omitempty" nullable:"true" maxLength:"64" doc:"The name of a time zone in the IANA database." example:"Europe/Berlin"`

	given given
}

// UnmarshalJSON tells null from absent.
func (p *quirksPatch) UnmarshalJSON(data []byte) error {
	type plain quirksPatch
	return p.given.decode(data, (*plain)(p))
}

// change returns the quirks with the changes.
func (p *quirksPatch) change(q leyden.Quirks) (leyden.Quirks, error) {
	if p.given.has("registerModel") {
		q.Register = leyden.RegisterModel(valueOr(p.RegisterModel, ""))
	}
	if p.given.has("offlineIds") {
		q.OfflineIDs = p.OfflineIDs
	}
	if p.given.has("fractionalMeters") {
		q.FractionalMeters = p.FractionalMeters
	}
	if p.given.has("timeZone") {
		q.TimeZone = valueOr(p.TimeZone, "")
	}
	if err := q.Check(); err != nil { // all but the time zone is checked by its type
		return q, rest.Invalid("quirks.timeZone", "is no time zone of the IANA database")
	}
	return q, nil
}
