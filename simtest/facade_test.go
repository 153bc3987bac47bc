package simtest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"leyden"
	"leyden/apiv1"
	"leyden/apiv2"
	"leyden/auth"
	"leyden/csms"
	"leyden/memory"
	"leyden/rest"
	"leyden/rest/resttest"
)

// facades are both REST façades, to be read by somebody who may do anything. To make
// them takes as long as a small simulation, so that all share them: they read the store
// that comes with a request.
var facades = sync.OnceValues(func() (*facade, error) {
	log := slog.New(slog.DiscardHandler)
	credentials := auth.Config{Store: memory.New(time.Now), Secrets: auth.NewSecrets(), Issuer: "leyden", Now: time.Now, Log: log}
	registrar := auth.NewRegistrar(credentials)
	callers, err := auth.NewAuthenticator(credentials)
	if err != nil {
		return nil, err
	}
	_, key, err := registrar.CreateKey(context.Background(), auth.Spec{Name: "simulation", Scopes: []string{"admin"}})
	if err != nil {
		return nil, err
	}
	ledger := leyden.NewLedger(borrowed{}, borrowed{}, leyden.Options{})
	api := rest.New(rest.Config{Version: "test", Auth: callers, Now: time.Now, Log: log})
	apiv1.Register(api, apiv1.Config{Ledger: ledger, Stations: csms.New(ledger, csms.Options{}), Registrar: registrar})
	apiv2.Register(api, borrowed{}, callers)
	contract, err := resttest.NewContract(api)
	return &facade{api, contract, string(key)}, err
})

// A facade answers requests of somebody.
type facade struct {
	api      http.Handler
	contract *resttest.Contract
	key      string
}

// A borrowed driver reads what the one in the context has. More than lists need it
// cannot do.
type borrowed struct{ driver }

type borrowedKey struct{}

func lender(ctx context.Context) driver { return ctx.Value(borrowedKey{}).(driver) }

// Transactions implements [leyden.Store].
func (borrowed) Transactions(ctx context.Context, q leyden.Query) (leyden.Page, error) {
	return lender(ctx).Transactions(ctx, q)
}

// get asks the server that runs now and reads its reply into body. It returns false if
// there is none, or it does not answer.
func (w *world) get(url string, body any) bool {
	n := w.current()
	if n == nil {
		return false
	}
	f, err := facades()
	if err != nil {
		w.wrong("facades: %v", err)
		return false
	}
	ctx := context.WithValue(w.t.Context(), borrowedKey{}, driver(n.store))
	rec, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, url, nil).WithContext(ctx)
	req.Header.Set("X-API-Key", f.key)
	f.contract.Handler(w.wrong, f.api).ServeHTTP(rec, req)
	text, err := io.ReadAll(rec.Body)
	if err == nil && rec.Code == http.StatusOK {
		err = json.Unmarshal(text, body)
	}
	if err != nil || rec.Code != http.StatusOK && rec.Code != http.StatusServiceUnavailable {
		w.wrong("GET %s: %d, %v: %.300s", url, rec.Code, err, text)
	}
	return err == nil && rec.Code == http.StatusOK
}
