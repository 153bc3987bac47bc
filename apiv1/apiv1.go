package apiv1

import (
	"context"
	"net/http"
	"time"

	"leyden"
	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/device"
	"leyden/feed"
	"leyden/rest"
)

// A Config is what the façade works with.
type Config struct {
	Ledger    *leyden.Ledger
	Stations  Stations
	Registrar *auth.Registrar
	// Journal has the frames of stations; nil when none is kept.
	Journal leyden.Journal
	// Devices keeps what has nothing to do with charging; nil keeps nothing.
	Devices device.Store
	// Calls keeps what clients asked for; nil keeps nothing.
	Calls calls.Store
	// Webhooks makes and changes webhooks; nil: there are none. Dispatcher sends to
	// them; nil: nobody does.
	Webhooks   *feed.WebhookRegistrar
	Dispatcher *feed.Dispatcher
	// Authority knows our certificates; nil knows none.
	Authority Authority
	// Feed has what changes.
	Feed *feed.Feed
	// Events shows what changes.
	Events *Renderer
	// PublicURL is where clients and stations reach the service, without a
	// slash at its end; "" makes connection URLs of the host that was asked.
	PublicURL string
	// DefaultIDTag is used by POST /transactions/start without an idTag; ""
	// makes the idTag required there.
	DefaultIDTag string
}

// Stations is the side that talks to stations. Commands return the status that
// the station answered, Rejected too; errors are leyden's and
// [*csms.StationError].
type Stations interface {
	// Online reports whether the station is connected.
	Online(id leyden.StationID) bool
	// Disconnect closes the connection of a station, if it has one.
	Disconnect(id leyden.StationID, reason string)
	// RemoteStop asks a station to end a transaction, or cancels a pending one.
	RemoteStop(ctx context.Context, id leyden.TransactionID, by string) (leyden.Transaction, error)

	// Reset asks for a reset of kind Hard or Soft.
	Reset(ctx context.Context, id leyden.StationID, kind string) (string, error)
	// Unlock asks to unlock a connector.
	Unlock(ctx context.Context, id leyden.StationID, connector int) (string, error)
	// ChangeAvailability makes a connector, or with 0 the station, Operative or
	// Inoperative.
	ChangeAvailability(ctx context.Context, id leyden.StationID, connector int, kind string) (string, error)
	// ClearCache asks to forget remembered authorizations.
	ClearCache(ctx context.Context, id leyden.StationID) (string, error)
	// Trigger asks for a message; connector 0 names none.
	Trigger(ctx context.Context, id leyden.StationID, message string, connector int) (string, error)
	// ChangeConfiguration sets a configuration key.
	ChangeConfiguration(ctx context.Context, id leyden.StationID, key, value string) (string, error)
	// Configuration reads configuration keys, all when none is named.
	Configuration(ctx context.Context, id leyden.StationID, keys []string) (csms.Configuration, error)
	// DataTransfer sends what a vendor defined.
	DataTransfer(ctx context.Context, id leyden.StationID, d csms.DataTransfer) (csms.DataTransferAnswer, error)

	Caller
	SmartCharging
	LocalLists
	Reservations
	Maintenance
	Quarantine
	Certificates
}

var _ Stations = (*csms.Server)(nil)

const (
	prefix = "/api/v1"
	// stationTimeout is how long an operation may take that waits for a
	// station: longer than the station may be silent.
	stationTimeout = 45 * time.Second
)

// The groups of the document.
const (
	tagTransactions = "Transactions v1"
	tagChargers     = "Chargers"
	tagCommands     = "Commands"
	tagProfiles     = "Charging profiles"
	tagIDTags       = "ID tags"
	tagVehicles     = "Vehicles"
	tagKeys         = "API keys"
	tagClients      = "OAuth2 clients"
	tagQuarantine   = "Quarantine"
	tagAudit        = "Audit log"
	tagCertificates = "Certificates"
	tagWebhooks     = "Webhooks"
)

// Register puts the operations of the façade on an API, before it serves.
func Register(on *rest.API, c Config) {
	a := &api{Config: c, rest: on, facade: newFacade()}
	a.serveTransactions()
	a.serveMeterValues()
	a.serveSignedValues()
	a.serveEvents()
	a.serveCorrections()
	a.serveRemote()
	a.serveChargers()
	a.serveFrames()
	a.serveCommands()
	a.serveConfiguration()
	a.serveCall()
	a.serveCommandLife()
	a.serveChargingProfiles()
	a.serveProfileTemplates()
	a.serveLocalList()
	a.serveNotifications()
	a.serveFirmware()
	a.serveCertificates()
	a.serveReservations()
	a.serveReservationCommands()
	a.serveMeterKeys()
	a.serveContinuity()
	a.serveIDTagLists()
	a.serveIDTags()
	a.serveVehicles()
	a.serveKeys()
	a.serveClients()
	a.serveQuarantine()
	a.serveWebhooks()
	a.serveAudit()
	a.serveChanges()
}

type api struct {
	Config
	rest   *rest.API
	facade *rest.Facade
}

// handle registers an operation whose path is given without the prefix.
// What has a charger or a transaction in its path is refused to a credential that
// is limited to others, as if that were not there.
func handle[I, O any](a *api, op rest.Operation, f func(context.Context, *I) (*O, error)) {
	op.Path = prefix + op.Path
	if _, ok := any(new(I)).(placed); ok {
		op.Limited = true
		f = reachable(a, f)
	}
	rest.Handle(a.rest, a.facade, op, f)
}

// A bodied is a reply with nothing but a body.
type bodied[T any] struct{ Body T }

// A created is a reply about something that came to be at Location.
type created[T any] struct {
	Location string `header:"Location" doc:"Where to find it."`
	Body     T
}

// A commanded is what came of a command, and under which id it is on record.
type commanded[T any] struct {
	CommandID string `header:"X-Command-ID" doc:"The id of the last command that was sent for it; absent when none was, or none is kept."`
	Body      T
}

// orNull returns a pointer to v, or nil when it is zero: unknown is null.
func orNull[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// valueOr returns what p points to, or def for nil.
func valueOr[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// The refusals of operations beyond those that all have.
func notFound() []int { return []int{http.StatusNotFound} }

func conflict() []int { return []int{http.StatusConflict} }

func notFoundOrConflict() []int { return []int{http.StatusNotFound, http.StatusConflict} }

func ofStations() []int {
	return []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusGatewayTimeout}
}
