package apiv1_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden/auth"
	"leyden/rest/resttest"
)

// withKey asks with another key and returns the status.
func (w *world) withKey(key, line string) int {
	w.t.Helper()
	return w.do(line, "", "X-API-Key: "+key).Code
}

func TestAPIKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		time.Sleep(time.Minute) // lists are sorted by time
		out := w.do("POST /auth/api-keys", `{"name":"Billing","scopes":["chargers:read","transactions:read","chargers:read"]}`)
		w.golden("api_key_made", out.Body.String())
		id, key := field(t, out.Body.String(), "id"), field(t, out.Body.String(), "key")
		wantHeader(t, out, "Location", "/api/v1/auth/api-keys/"+id)
		line := "/auth/api-keys/" + id
		if got := w.withKey(key, "GET /transactions"); got != http.StatusOK {
			t.Errorf("the new key: got %d", got)
		}
		shown := w.want(http.StatusOK, "GET "+line, "")
		w.golden("api_key", shown)
		if prefix := field(t, shown, "prefix"); !strings.HasPrefix(key, prefix) || strings.Contains(shown, key) {
			t.Errorf("prefix %q of %q in %s", prefix, key, shown)
		}
		if got := w.want(http.StatusOK, "PATCH "+line, `{"name":"Accounts","scopes":["chargers:read"]}`); !strings.Contains(got, `"name":"Accounts"`) || !strings.Contains(got, `"scopes":["chargers:read"]`) {
			t.Errorf("changed: got %s", got)
		}
		if got := w.withKey(key, "GET /transactions"); got != http.StatusForbidden {
			t.Errorf("without the scope: got %d", got)
		}
		w.golden("api_key_list", w.want(http.StatusOK, "GET /auth/api-keys?limit=1&offset=1", ""))
		w.golden("api_key_revoked", w.want(http.StatusOK, "DELETE "+line, ""))
		w.want(http.StatusOK, "DELETE "+line, "")
		if got := w.withKey(key, "GET /chargers"); got != http.StatusUnauthorized {
			t.Errorf("revoked: got %d", got)
		}
		w.wantError("PATCH "+line, `{"name":"x"}`, 409, "CONFLICT", "key "+id+": credential is revoked")
	})
}

func TestClients(t *testing.T) {
	inWorld(t, func(w *world) {
		logsIn := func(id, secret string) bool {
			a, err := auth.NewAuthenticator(w.registrar.Config)
			w.must(err)
			_, err = a.AuthenticateClient(w.t.Context(), auth.ClientLogin{ID: id, Secret: auth.Secret(secret)})
			return err == nil
		}
		out := w.do("POST /auth/clients", `{"name":"Depot","scopes":["transactions:read"]}`)
		w.golden("client_made", out.Body.String())
		id, first := field(t, out.Body.String(), "clientId"), field(t, out.Body.String(), "clientSecret")
		line := "/auth/clients/" + id
		wantHeader(t, out, "Location", "/api/v1"+line)
		w.golden("client", w.want(http.StatusOK, "GET "+line, ""))

		firstID := field(t, out.Body.String(), "secretId")
		w.wantError("DELETE "+line+"/secrets/"+firstID, "", 409, "CONFLICT", "client "+id+": a client keeps at least one secret")
		added := w.want(http.StatusCreated, "POST "+line+"/secrets", "")
		second := field(t, added, "clientSecret")
		if second == first || !logsIn(id, first) || !logsIn(id, second) {
			t.Error("two secrets do not live at once")
		}
		w.wantError("POST "+line+"/secrets", "", 409, "CONFLICT", "client "+id+": limit reached: 2 secrets")
		w.wantError("DELETE "+line+"/secrets/sec_x", "", 404, "NOT_FOUND", "client "+id+": secret: not found")
		left := w.want(http.StatusOK, "DELETE "+line+"/secrets/"+firstID, "")
		if logsIn(id, first) || !logsIn(id, second) || strings.Contains(left, firstID) {
			t.Errorf("the old secret lives: %s", left)
		}
		if got := w.want(http.StatusOK, "PATCH "+line, `{"scopes":["admin"]}`); !strings.Contains(got, `"name":"Depot","scopes":["admin"]`) {
			t.Errorf("changed: got %s", got)
		}
		w.golden("client_list", w.want(http.StatusOK, "GET /auth/clients", ""))
		w.want(http.StatusOK, "DELETE "+line, "")
		if logsIn(id, second) {
			t.Error("a revoked client logs in")
		}
		w.wantError("POST "+line+"/secrets", "", 409, "CONFLICT", "client "+id+": credential is revoked")
	})
}

func TestCredentialInput(t *testing.T) {
	const scopes = `"transactions:read, transactions:control, chargers:read, chargers:control, tags:write, webhooks:write, admin"`
	inWorld(t, func(w *world) {
		for _, path := range []string{"/auth/api-keys", "/auth/clients"} {
			for _, c := range []struct{ body, message string }{
				{`{"scopes":["admin"]}`, "name: is required"},
				{`{"name":"","scopes":["admin"]}`, "name: expected length >= 1"},
				{`{"name":"  ","scopes":["admin"]}`, "name: must have 1 to 100 characters"},
				{`{"name":"a\u0007","scopes":["admin"]}`, "name: must be readable text"},
				{`{"name":"x"}`, "scopes: is required"},
				{`{"name":"x","scopes":[]}`, "scopes: expected array length >= 1"},
				{`{"name":"x","scopes":["root"]}`, "scopes[0]: expected value to be one of " + scopes},
			} {
				w.wantError("POST "+path, c.body, 400, "VALIDATION_ERROR", c.message)
			}
		}
		w.wantError("PATCH /auth/api-keys/key_x", `{"name":null}`, 400, "VALIDATION_ERROR", "name: must not be null")
		w.wantError("PATCH /auth/clients/cli_x", `{"scopes":null}`, 400, "VALIDATION_ERROR", "scopes: must not be null")
		w.wantError("GET /auth/api-keys/key_x", "", 404, "NOT_FOUND", "API key key_x: not found")
		w.wantError("PATCH /auth/api-keys/key_x", "{}", 404, "NOT_FOUND", "key key_x: not found")
		w.wantError("DELETE /auth/api-keys/key_x", "", 404, "NOT_FOUND", "key key_x: not found")
		w.wantError("GET /auth/clients/cli_x", "", 404, "NOT_FOUND", "client cli_x: not found")
		w.wantError("DELETE /auth/clients/cli_x", "", 404, "NOT_FOUND", "client cli_x: not found")
	})
}

// scopeOf is which scope every operation needs.
func scopeOf() map[string]string {
	scopes := map[string]string{}
	for scope, operations := range map[string]string{
		"transactions:read":    "v1ListChanges v1StreamTransactions v1ListTransactions v1GetTransaction v1ListMeterValues v1ListSignedValues v1AuditCharger v1ListTransactionEvents v1ListRevisions v1ListTransactionFrames v1ListQuarantine v1GetQuarantined",
		"transactions:control": "v1RemoteStart v1StartTransaction v1RemoteStop v1CorrectTransaction v1CloseTransaction v1JoinTransaction v1RevertRevision",
		"chargers:read":        "v1GetCA v1ListCertificates v1ListChargerCertificates v1GetChargerCertificate v1GetLocalList v1ListInstalledProfiles v1ListProfileTemplates v1GetProfileTemplate v1ListCommands v1GetCommand v1ListChargers v1GetCharger v1ListFrames v1ListIDTags v1GetIDTag v1ListVehicles v1GetVehicle v1ListMeterKeys v1GetMeterKey v1ListReservations v1ListSecurityEvents v1ListNotifications",
		"chargers:control": "v1RequestCertificate v1SendCertificateChain v1InstallCertificate v1ListInstalledCertificates v1DeleteCertificate v1RegisterCharger v1ChangeCharger v1RemoveCharger v1PutMeterKey v1RemoveMeterKey v1Reset v1Unlock v1ChangeAvailability v1ClearCache " +
			"v1Reserve v1CancelReservation v1GetLocalListVersion v1SendLocalList v1SyncLocalList v1SetChargingProfile v1ClearChargingProfiles v1GetCompositeSchedule v1AddProfileTemplate v1ChangeProfileTemplate v1RemoveProfileTemplate " +
			"v1Call v1TriggerMessage v1DataTransfer v1GetConfiguration v1ChangeConfiguration v1UpdateFirmware v1SignedUpdateFirmware v1GetDiagnostics v1GetLog",
		"webhooks:write": "v1AddWebhook v1ListWebhooks v1GetWebhook v1ChangeWebhook v1RemoveWebhook v1RotateWebhookSecret v1TestWebhook v1ListDeliveries v1GetDelivery v1ReplayDelivery v1ReplayDeadDeliveries",
		"tags:write":     "v1AddIDTag v1ChangeIDTag v1RemoveIDTag v1AdmitIDTag v1ImportIDTags v1AddVehicle v1ChangeVehicle v1RemoveVehicle",
		"admin": "v1AddAPIKey v1ListAPIKeys v1GetAPIKey v1ChangeAPIKey v1RevokeAPIKey v1AddClient v1ListClients v1GetClient " +
			"v1ChangeClient v1RevokeClient v1AddClientSecret v1RemoveClientSecret v1ListClientSecrets v1RotateAPIKey v1ReplayQuarantined v1DismissQuarantined v1ListAudit",
	} {
		for operation := range strings.FieldsSeq(operations) {
			scopes[operation] = scope
		}
	}
	return scopes
}

// The document says of every operation which scope it needs; [TestWalkScopes]
// holds the operations to it.
func TestScopes(t *testing.T) {
	inWorld(t, func(w *world) {
		scopes := scopeOf()
		for id, line := range w.operations() {
			method, path, _ := strings.Cut(line, " ")
			op, ok := resttest.At(w.contract.Document, "paths", "/api/v1"+path, strings.ToLower(method)).(map[string]any)
			if got := scopeIn(op); !ok || got != scopes[id] {
				t.Errorf("%s, %s: needs the scope %q, want %q", id, line, got, scopes[id])
			}
			delete(scopes, id)
		}
		if len(scopes) > 0 {
			t.Errorf("there are no operations %v", scopes)
		}
	})
}

// operations returns "METHOD path" of all operations of the façade, below its
// prefix, by operationId.
func (w *world) operations() map[string]string {
	w.t.Helper()
	operations := map[string]string{}
	for path := range resttest.At(w.contract.Document, "paths").(map[string]any) {
		below, ours := strings.CutPrefix(path, "/api/v1")
		if !ours {
			continue
		}
		methods, ok := resttest.At(w.contract.Document, "paths", path).(map[string]any)
		if !ok {
			w.t.Fatalf("%s has no methods", path)
		}
		for method, op := range methods {
			id, ok := resttest.At(op, "operationId").(string)
			if !ok {
				w.t.Fatalf("%s %s has no operationId", method, path)
			}
			operations[id] = strings.ToUpper(method) + " " + below
		}
	}
	return operations
}
