package apiv1

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"leyden"
	"leyden/auth"
	"leyden/ocmf"
	"leyden/rest"
)

// meterKey is how v1 shows a [leyden.MeterKey].
type meterKey struct {
	ID          string           `json:"id" doc:"The same key for the same meter has the same id." example:"3f786850e387550fdab836ed7e6dc881"`
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	ConnectorID *int             `json:"connectorId" doc:"Whose meter signs with it; null for any of the charger." example:"1"`
	MeterSerial *string          `json:"meterSerial" doc:"The meter that signs with it, as it calls itself; null for any." example:"1EMH0012345678"`
	Curve       string           `json:"curve" example:"secp256r1"`
	PublicKey   string           `json:"publicKey" doc:"SubjectPublicKeyInfo in DER, in hexadecimal digits." example:"3059301306072a8648ce3d0201"`
	Note        *string          `json:"note" example:"from the label"`
	AddedAt     rest.Time        `json:"addedAt" nullable:"false" doc:"By the server's clock." example:"2026-02-06T12:00:00.000Z"`
	AddedBy     *string          `json:"addedBy" doc:"The id of the credential that registered it."`
}

// reportedKey is a key that a charger told by itself.
type reportedKey struct {
	ConnectorID *int      `json:"connectorId" doc:"Null when the charger did not say." example:"1"`
	PublicKey   string    `json:"publicKey" doc:"As the charger told it."`
	Curve       *string   `json:"curve" doc:"Null when it is no key that can be read." example:"secp256r1"`
	Source      string    `json:"source" doc:"The setting it came from, or MeterValues." example:"MeterPublicKey1"`
	SeenAt      rest.Time `json:"seenAt" nullable:"false" doc:"When it was last told, by the server's clock." example:"2026-02-06T12:00:00.000Z"`
	Registered  bool      `json:"registered" doc:"Whether it is among the keys that are registered." example:"false"`
}

type meterKeyList struct {
	MeterKeys  []meterKey    `json:"meterKeys"`
	Reported   []reportedKey `json:"reported" doc:"What the charger told by itself, the latest last. It proves nothing: compare it with the meter's label before you register it."`
	Pagination pagination    `json:"pagination"`
}

func presentMeterKey(k *leyden.MeterKey) meterKey {
	return meterKey{
		ID: k.ID, ChargeBoxID: k.Station, ConnectorID: orNull(k.Connector), MeterSerial: orNull(k.Serial), Curve: k.Curve,
		PublicKey: hex.EncodeToString(k.Public), Note: orNull(k.Note), AddedAt: rest.Time{Time: k.AddedAt}, AddedBy: orNull(k.By),
	}
}

func presentReportedKey(k *leyden.ReportedKey, registered []leyden.MeterKey) reportedKey {
	out := reportedKey{
		ConnectorID: orNull(k.Connector), PublicKey: k.Text, Source: k.Source, SeenAt: rest.Time{Time: k.SeenAt},
	}
	public, err := ocmf.ParseKey(k.Text, "")
	if err != nil {
		return out
	}
	out.Curve = orNull(public.Curve())
	der, err := public.DER()
	for i := range registered {
		out.Registered = out.Registered || err == nil && string(registered[i].Public) == string(der)
	}
	return out
}

type listMeterKeysInput struct {
	ChargerPath
	rest.Window
}

type putMeterKeyInput struct {
	ChargerPath
	Body meterKeySpec
}

// meterKeySpec registers a key.
type meterKeySpec struct {
	PublicKey   string `json:"publicKey" minLength:"1" maxLength:"4096" doc:"SubjectPublicKeyInfo or a bare point of the curve, in hexadecimal digits, base64 or PEM, also inside of oca:base16:asn1:…" example:"3059301306072a8648ce3d0201"`
	Curve       string `json:"curve,omitempty" maxLength:"40" doc:"The curve of a bare point; found by itself when it is not given, unless the point is compressed." example:"secp256r1"`
	ConnectorID int    `json:"connectorId,omitempty" minimum:"0" maximum:"1000" doc:"Whose meter signs with it; 0 for any." example:"1"`
	MeterSerial string `json:"meterSerial,omitempty" maxLength:"100" doc:"The meter that signs with it, as OCMF's MS has it; any when it is not given. Name it where meters may be replaced: what another one signed is then not held against this key." example:"1EMH0012345678"`
	Note        string `json:"note,omitempty" maxLength:"200" example:"from the label"`
}

// key returns what is registered of it.
func (s *meterKeySpec) key() (leyden.MeterKey, error) {
	public, err := ocmf.ParseKey(s.PublicKey, s.Curve)
	if err != nil {
		return leyden.MeterKey{}, rest.Invalid("publicKey", strings.TrimPrefix(err.Error(), "public key: "))
	}
	der, err := public.DER()
	if err != nil {
		return leyden.MeterKey{}, err
	}
	k := leyden.MeterKey{Connector: s.ConnectorID, Serial: s.MeterSerial, Public: der, Curve: public.Curve(), Note: s.Note}
	k.ID = k.Fingerprint()
	return k, nil
}

type meterKeyPath struct {
	ChargerPath
	KeyID string `path:"meterKeyId" pattern:"^[0-9a-f]{32}$" patternDescription:"the id of a meter key" doc:"The key's id." example:"3f786850e387550fdab836ed7e6dc881"`
}

func (a *api) serveMeterKeys() {
	const path = "/chargers/{chargeBoxId}/meter-keys"
	handleList(a, rest.Operation{
		Method: http.MethodGet, Path: path, ID: "v1ListMeterKeys", Tag: tagChargers,
		Summary:     "List the public keys of a charger's meters",
		Description: "The keys with which signed meter values are verified, and those that the charger told by itself.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, inParts("meter-keys", atOnce, a.listMeterKeys, func(l *meterKeyList) []meterKey { return l.MeterKeys }))
	handle(a, rest.Operation{
		Method: http.MethodGet, Path: path + "/{meterKeyId}", ID: "v1GetMeterKey", Tag: tagChargers,
		Summary:     "Get a public key of a charger's meters",
		Description: "One key, as it was registered.",
		Scope:       auth.ChargersRead, Errors: notFound(),
	}, a.getMeterKey)
	handle(a, rest.Operation{
		Method: http.MethodPut, Path: path, ID: "v1PutMeterKey", Tag: tagChargers,
		Summary: "Register a public key of a charger's meters",
		Description: "From then on signed values of that meter are `valid` if this key signed them, or another one that is registered for it, " +
			"and `invalid` otherwise; also those that came before. The same key for the same meter is registered once. " +
			"Keep the keys of meters that were replaced: what they signed is verified with them. 409 for more than 100 keys.",
		Scope: auth.ChargersControl, Errors: notFoundOrConflict(),
	}, a.putMeterKey)
	handle(a, rest.Operation{
		Method: http.MethodDelete, Path: path + "/{meterKeyId}", ID: "v1RemoveMeterKey", Tag: tagChargers,
		Summary:     "Remove a public key of a charger's meters",
		Description: "What it signed is `unknown` from then on. Answers with the key as it was.",
		Scope:       auth.ChargersControl, Errors: notFound(),
	}, a.removeMeterKey)
}

func (a *api) listMeterKeys(ctx context.Context, in *listMeterKeysInput) (*bodied[meterKeyList], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	keys, err := a.Ledger.Registry().MeterKeys(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	page, pages, err := pageOf(ctx, in.Window, keys, func(k *leyden.MeterKey) leyden.Cursor {
		return leyden.Cursor{ID: int64(k.Connector), Name: k.Serial + "\x00" + k.ID}
	})
	if err != nil {
		return nil, err
	}
	out := meterKeyList{MeterKeys: []meterKey{}, Reported: []reportedKey{}, Pagination: pages}
	for i := range page {
		out.MeterKeys = append(out.MeterKeys, presentMeterKey(&page[i]))
	}
	for i := range s.ReportedKeys {
		out.Reported = append(out.Reported, presentReportedKey(&s.ReportedKeys[i], keys))
	}
	return &bodied[meterKeyList]{out}, nil
}

// meterKey returns the key that a path names.
func (a *api) meterKey(ctx context.Context, p *meterKeyPath) (leyden.MeterKey, error) {
	s, err := a.charger(ctx, p.Ref)
	if err != nil {
		return leyden.MeterKey{}, err
	}
	keys, err := a.Ledger.Registry().MeterKeys(ctx, s.ID)
	if err != nil {
		return leyden.MeterKey{}, err
	}
	i := slices.IndexFunc(keys, func(k leyden.MeterKey) bool { return k.ID == p.KeyID })
	if i < 0 {
		return leyden.MeterKey{}, fmt.Errorf("meter key %s: %w", p.KeyID, leyden.ErrNotFound)
	}
	return keys[i], nil
}

func (a *api) getMeterKey(ctx context.Context, in *meterKeyPath) (*bodied[meterKey], error) {
	k, err := a.meterKey(ctx, in)
	if err != nil {
		return nil, err
	}
	return &bodied[meterKey]{presentMeterKey(&k)}, nil
}

func (a *api) putMeterKey(ctx context.Context, in *putMeterKeyInput) (*bodied[meterKey], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	k, err := in.Body.key()
	if err != nil {
		return nil, err
	}
	k.Station, k.AddedAt, k.By = s.ID, a.Ledger.Now(), rest.PrincipalOf(ctx).ID
	registry := a.Ledger.Registry()
	known, err := registry.MeterKeys(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(known, func(o leyden.MeterKey) bool { return o.ID == k.ID })
	if i >= 0 { // its note may be new
		k.AddedAt, k.By = known[i].AddedAt, known[i].By
	}
	if i < 0 && len(known) >= leyden.MaxMeterKeys {
		return nil, rest.Errorf(http.StatusConflict, "charger %s has %d meter keys: remove one first", s.ID, len(known))
	}
	if err := registry.SaveMeterKey(ctx, k); err != nil {
		return nil, fmt.Errorf("meter key of %s: %w", s.ID, err)
	}
	return &bodied[meterKey]{presentMeterKey(&k)}, nil
}

func (a *api) removeMeterKey(ctx context.Context, in *meterKeyPath) (*bodied[meterKey], error) {
	k, err := a.meterKey(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := a.Ledger.Registry().RemoveMeterKey(ctx, k.Station, k.ID); err != nil {
		return nil, fmt.Errorf("meter key %s: %w", k.ID, err)
	}
	return &bodied[meterKey]{presentMeterKey(&k)}, nil
}
