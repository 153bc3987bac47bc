package csms_test

import (
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/csms"
	"leyden/memory"
	"leyden/rest"
	"leyden/rest/resttest"
)

// facade returns what answers the GET and POST lines of transcripts: both REST
// façades, asked by somebody who may do anything.
// theContract is the same for all façades: it depends on nothing but code.
var theContract = sync.OnceValues(func() (*resttest.Contract, error) {
	api := rest.New(rest.Config{Version: "test"})
	apiv1.Register(api, apiv1.Config{})
	apiv2.Register(api, nil, nil)
	return resttest.NewContract(api)
})

func facade(t testing.TB, srv *csms.Server, store *memory.Store) http.Handler {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	credentials := auth.Config{Store: store, Secrets: auth.NewSecrets(), Issuer: "leyden", Now: time.Now, Log: log}
	registrar := auth.NewRegistrar(credentials)
	callers, err := auth.NewAuthenticator(credentials)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := registrar.CreateKey(t.Context(), auth.Spec{Name: "transcript", Scopes: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	api := resttest.NewServer(t, rest.Config{Version: "test", Auth: callers, Now: time.Now, Log: log}, theContract)
	apiv1.Register(api.API, apiv1.Config{Ledger: srv.Ledger(), Stations: srv, Registrar: registrar, Devices: store})
	apiv2.Register(api.API, store, callers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-API-Key", string(key))
		api.ServeHTTP(w, r)
	})
}
