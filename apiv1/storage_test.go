package apiv1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/auth"
	"leyden/calls"
	"leyden/csms"
	"leyden/device"
	"leyden/feed"
	"leyden/memory"
)

// A brokenStore fails whatever an operation reads or writes first.
type brokenStore struct {
	*memory.Store
	err error
}

func (s brokenStore) Transaction(context.Context, leyden.TransactionID) (leyden.Transaction, error) {
	return leyden.Transaction{}, s.err
}

func (s brokenStore) Transactions(context.Context, leyden.Query) (leyden.Page, error) {
	return leyden.Page{}, s.err
}

func (s brokenStore) Scan(context.Context, leyden.Query) iter.Seq2[leyden.Transaction, error] {
	return func(yield func(leyden.Transaction, error) bool) { yield(leyden.Transaction{}, s.err) }
}

func (s brokenStore) Records(context.Context, calls.RecordQuery) ([]calls.Record, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) CountQuarantined(context.Context, leyden.QuarantineQuery) (int, error) {
	return 0, s.err
}

func (s brokenStore) Quarantined(context.Context, leyden.QuarantineQuery) ([]leyden.Quarantined, error) {
	return nil, s.err
}

func (s brokenStore) AddStation(context.Context, leyden.Station) error { return s.err }

func (s brokenStore) Station(context.Context, leyden.StationID) (leyden.Station, error) {
	return leyden.Station{}, s.err
}

func (s brokenStore) Stations(context.Context, leyden.StationQuery) ([]leyden.Station, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) Token(context.Context, string) (leyden.Token, error) {
	return leyden.Token{}, s.err
}

func (s brokenStore) Tokens(context.Context, leyden.TokenQuery) ([]leyden.Token, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) ScanTokens(context.Context, leyden.TokenQuery) iter.Seq2[leyden.Token, error] {
	return func(yield func(leyden.Token, error) bool) { yield(leyden.Token{}, s.err) }
}

func (s brokenStore) AddToken(context.Context, leyden.Token) (leyden.Token, error) {
	return leyden.Token{}, s.err
}

func (s brokenStore) Vehicle(context.Context, string) (leyden.Vehicle, error) {
	return leyden.Vehicle{}, s.err
}

func (s brokenStore) AddVehicle(context.Context, leyden.Vehicle) error { return s.err }

func (s brokenStore) Vehicles(context.Context, leyden.Slice) ([]leyden.Vehicle, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) Notifications(context.Context, device.NotificationQuery) ([]device.Notification, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) Certificates(context.Context, device.CertificateQuery) ([]device.Certificate, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) Key(context.Context, string) (auth.KeyRecord, error) {
	return auth.KeyRecord{}, s.err
}

func (s brokenStore) Keys(context.Context) ([]auth.KeyRecord, error) { return nil, s.err }

func (s brokenStore) Client(context.Context, string) (auth.ClientRecord, error) {
	return auth.ClientRecord{}, s.err
}

func (s brokenStore) Clients(context.Context) ([]auth.ClientRecord, error) { return nil, s.err }

func (s brokenStore) Template(context.Context, string) (device.ProfileTemplate, error) {
	return device.ProfileTemplate{}, s.err
}

func (s brokenStore) Templates(context.Context, device.Page) ([]device.ProfileTemplate, int, error) {
	return nil, 0, s.err
}

func (s brokenStore) SaveTemplate(context.Context, device.ProfileTemplate) error { return s.err }

func (s brokenStore) StationCredential(context.Context, leyden.StationID) (auth.StationCredential, error) {
	return auth.StationCredential{}, s.err
}

func (s brokenStore) NoticeBounds(context.Context) (oldest, last int64, err error) {
	return 0, 0, s.err
}

func (s brokenStore) Notices(context.Context, feed.Query) (feed.Page, error) {
	return feed.Page{}, s.err
}

func (s brokenStore) Webhook(context.Context, string) (feed.Webhook, error) {
	return feed.Webhook{}, s.err
}

func (s brokenStore) Webhooks(context.Context) ([]feed.Webhook, error) { return nil, s.err }

// broken makes the façade work on a store that fails with err; who asks is
// recognised all the same.
func broken(err error) func(*apiv1.Config) {
	return func(c *apiv1.Config) {
		store := brokenStore{memory.New(time.Now), err}
		c.Ledger, c.Devices, c.Calls = leyden.NewLedger(store, store, leyden.Options{}), store, store
		c.Feed, c.Events = feed.New(store, feed.Options{}), apiv1.NewRenderer(store, time.Now)
		c.Webhooks.Store, c.Webhooks.Last = store, func(context.Context) (int64, error) { return 0, err }
		c.Stations, c.Authority = csms.New(c.Ledger, csms.Options{}), authority{err: err}
		c.Registrar = auth.NewRegistrar(auth.Config{
			Store: store, Secrets: auth.NewSecrets(), Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}
}

// profileOf is a charging profile for a connector.
const profileOf = `{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Relative",` +
	`"chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16}]}}`

// bodyOf returns a body that an operation takes.
func bodyOf(operation string) string {
	return map[string]string{
		"v1RemoteStart":               remoteStart,
		"v1StartTransaction":          `{"chargeBoxId":"C1","connectorId":1,"idTag":"USER123"}`,
		"v1CorrectTransaction":        `{"note":"x"}`,
		"v1CloseTransaction":          `{"reason":"x"}`,
		"v1JoinTransaction":           `{"orphan":1}`,
		"v1RegisterCharger":           newCharger,
		"v1ChangeCharger":             `{"name":"x"}`,
		"v1Call":                      `{"action":"ClearCache"}`,
		"v1SetChargingProfile":        `{"connectorId":1,"profile":` + profileOf + `}`,
		"v1GetCompositeSchedule":      `{"connectorId":1,"duration":60}`,
		"v1AddProfileTemplate":        `{"name":"x","profile":` + profileOf + `}`,
		"v1ChangeProfileTemplate":     `{"name":"y"}`,
		"v1Reserve":                   `{"connectorId":1,"idTag":"USER123","expiryDate":"2099-01-01T00:00:00Z"}`,
		"v1SendLocalList":             `{"updateType":"Full"}`,
		"v1SendCertificateChain":      `{"certificateChain":"x"}`,
		"v1InstallCertificate":        `{"certificate":"x"}`,
		"v1ListInstalledCertificates": `{"certificateType":"ManufacturerRootCertificate"}`,
		"v1DeleteCertificate":         `{"hashAlgorithm":"SHA256","issuerNameHash":"a","issuerKeyHash":"b","serialNumber":"1"}`,
		"v1Reset":                     `{"type":"Soft"}`,
		"v1Unlock":                    `{"connectorId":1}`,
		"v1ChangeAvailability":        `{"connectorId":1,"type":"Operative"}`,
		"v1TriggerMessage":            `{"requestedMessage":"Heartbeat"}`,
		"v1DataTransfer":              `{"vendorId":"v"}`,
		"v1ChangeConfiguration":       `{"key":"k","value":"v"}`,
		"v1UpdateFirmware":            `{"location":"ftp://files.example/f"}`,
		"v1SignedUpdateFirmware":      `{"firmware":{"location":"ftp://files.example/f","signingCertificate":"x","signature":"x"}}`,
		"v1GetDiagnostics":            `{"location":"ftp://files.example/d"}`,
		"v1GetLog":                    `{"logType":"SecurityLog","remoteLocation":"ftp://files.example/d"}`,
		"v1PutMeterKey":               `{"publicKey":"` + meterPoint + `"}`,
		"v1AddWebhook":                `{"url":"https://hooks.example/leyden","events":["transaction.started"]}`,
		"v1ChangeWebhook":             `{"description":"x"}`,
		"v1AddIDTag":                  `{"idTag":"T"}`,
		"v1ChangeIDTag":               `{"note":"x"}`,
		"v1ImportIDTags":              "idTag\nA\n",
		"v1AddVehicle":                `{"vehicleId":"V"}`,
		"v1ChangeVehicle":             `{"name":"x"}`,
		"v1AddAPIKey":                 `{"name":"x","scopes":["admin"]}`,
		"v1ChangeAPIKey":              `{"name":"x"}`,
		"v1AddClient":                 `{"name":"x","scopes":["admin"]}`,
		"v1ChangeClient":              `{"name":"x"}`,
	}[operation]
}

// Every operation says when storage is in trouble, and when we are.
func TestBrokenStorage(t *testing.T) {
	cases := []struct {
		err     error
		status  int
		code    string
		message string
		retry   string
	}{
		{fmt.Errorf("disk is full: %w", leyden.ErrUnavailable), 503, "SERVICE_UNAVAILABLE", "storage is unavailable; try again later", "5"},
		{errors.New("secret of the house"), 500, "INTERNAL_ERROR", "internal error", ""},
	}
	for _, c := range cases {
		inWorld(t, func(w *world) {
			lines := map[string]string{"csv": "GET /transactions?format=csv", "ndjson": "GET /transactions?format=ndjson", "json": "GET /transactions?format=json", "tags": "GET /id-tags?format=csv"}
			for id, line := range w.operations() {
				lines[id] = filled(line)
			}
			for id, line := range lines {
				w.wantError(line, bodyOf(id), c.status, c.code, c.message)
				wantHeader(t, w.do(line, bodyOf(id)), "Retry-After", c.retry)
			}
		}, broken(c.err))
	}
}

// filled puts something into the parameters of a path.
func filled(line string) string {
	return strings.NewReplacer("{chargeBoxId}", "NOWHERE", "{transactionId}", "7", "{idTag}", "NOBODY", "{vehicleId}", "NONE",
		"{keyId}", "key_x", "{meterKeyId}", strings.Repeat("0", 32), "{clientId}", "cli_x", "{secretId}", "sec_x", "{quarantineId}", "9",
		"{commandId}", "cmd_x", "{templateId}", "prf_x", "{reservationId}", "17", "{number}", "1",
		"{webhookId}", "wh_x", "{deliveryId}", "dlv_x").Replace(line)
}

// A vault keeps no password of a charger while it is full.
type vault struct {
	*memory.Store
	full bool
}

func (v *vault) SaveStationCredential(ctx context.Context, c auth.StationCredential) error {
	if v.full {
		return leyden.ErrUnavailable
	}
	return v.Store.SaveStationCredential(ctx, c)
}

// A charger whose password could not be kept is not registered, and can be
// once that works.
func TestRegistrationIsWholeOrNot(t *testing.T) {
	v := &vault{full: true}
	inWorld(t, func(w *world) {
		v.Store = w.store
		w.wantError("POST /chargers", newCharger, 503, "SERVICE_UNAVAILABLE", "storage is unavailable; try again later")
		w.want(http.StatusNotFound, "GET /chargers/CHARGER-001", "")
		v.full = false
		w.want(http.StatusCreated, "POST /chargers", newCharger)
		v.full = true
		w.wantError("PATCH /chargers/CHARGER-001", `{"rotatePassword":true}`, 503, "SERVICE_UNAVAILABLE", "storage is unavailable; try again later")
	}, func(c *apiv1.Config) {
		config := c.Registrar.Config
		config.Store = v
		c.Registrar = auth.NewRegistrar(config)
	})
}
