package apiv1_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// Chargers, idTags, vehicles, credentials and webhooks have an ETag, and nobody who
// names one overwrites what he has not seen.
func TestEditions(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.connect("CHARGER-001")
		w.want(201, "POST /vehicles", `{"vehicleId":"VAN-12","idTags":["USER123"]}`)
		key := "/auth/api-keys/" + field(t, w.want(201, "POST /auth/api-keys", `{"name":"x","scopes":["transactions:read"]}`), "id")
		client := "/auth/clients/" + field(t, w.want(201, "POST /auth/clients", `{"name":"x","scopes":["transactions:read"]}`), "clientId")
		hook := "/webhooks/" + field(t, w.want(201, "POST /webhooks", `{"url":"https://hooks.example/x","events":[]}`), "id")
		for _, c := range []struct {
			path, patch string
		}{
			{key, `{"name":"name %d"}`},
			{client, `{"name":"name %d"}`},
			{hook, `{"description":"text %d"}`},
			{"/chargers/CHARGER-001", `{"name":"name %d"}`},
			{"/id-tags/USER123", `{"note":"note %d"}`},
			{"/vehicles/VAN-12", `{"name":"name %d"}`},
		} {
			w.changedByMany(c.path, c.patch)
		}
		// What the charger says is a change of what is shown, and none of the record.
		tag := w.do("GET /chargers/CHARGER-001", "").Header().Get("ETag")
		s.status("Faulted")
		if got := w.do("GET /chargers/CHARGER-001", "", "If-None-Match: "+tag).Code; got != 200 {
			t.Errorf("GET of a charger with another status: %d", got)
		}
		// An idTag that leaves a vehicle changes it.
		vehicle := w.do("GET /vehicles/VAN-12", "").Header().Get("ETag")
		w.want(200, "PATCH /id-tags/USER123", `{"vehicleId":null}`)
		if got := w.do("PATCH /vehicles/VAN-12", `{"name":"x"}`, "If-Match: "+vehicle).Code; got != 412 {
			t.Errorf("PATCH of a vehicle without its idTag: %d", got)
		}
		for path, change := range map[string]string{key: "/rotate", client: "/secrets", hook: "/rotate-secret"} {
			tag := w.do("GET "+path, "").Header().Get("ETag")
			if out := w.do("POST "+path+change, ""); out.Code >= 300 {
				t.Fatalf("POST %s%s: %d %s", path, change, out.Code, out.Body)
			}
			if got := w.do("DELETE "+path, "", "If-Match: "+tag).Code; got != 412 {
				t.Errorf("DELETE %s after another secret: %d", path, got)
			}
		}
		for path, known := range map[string]string{
			key:                     w.do("GET "+key, "").Header().Get("ETag"),
			client:                  "*",
			hook:                    w.do("GET "+hook, "").Header().Get("ETag"),
			"/chargers/CHARGER-001": tag,
			"/id-tags/USER123":      w.do("GET /id-tags/USER123", "").Header().Get("ETag"),
			"/vehicles/VAN-12":      "*",
		} {
			if out := w.do("DELETE "+path, "", "If-Match: "+known); out.Code != 200 {
				t.Errorf("DELETE %s: %d %s", path, out.Code, out.Body)
			}
		}
	})
}

// refusedBody is what a request sends that changes nothing.
func refusedBody(method, patch string) string {
	if method == http.MethodDelete {
		return ""
	}
	return fmt.Sprintf(patch, 77)
}

// changedByMany has a record changed by many who know the same of it, and by one
// who knows what it was.
func (w *world) changedByMany(path, patch string) {
	w.t.Helper()
	get := func() string { return w.do("GET "+path, "").Header().Get("ETag") }
	code := func(method, body string, headers ...string) int {
		return w.do(method+" "+path, body, headers...).Code
	}
	first := get()
	if got := code("GET", "", "If-None-Match: "+first); first == "" || got != http.StatusNotModified {
		w.t.Errorf("GET %s of what one has: %d, ETag %s", path, got, first)
	}
	codes := make(chan int, 8)
	var all sync.WaitGroup
	for i := range cap(codes) {
		all.Go(func() { codes <- code("PATCH", fmt.Sprintf(patch, i), "If-Match: "+first) })
	}
	all.Wait()
	close(codes)
	count := map[int]int{}
	for got := range codes {
		count[got]++
	}
	if count[200] != 1 || count[412] != 7 {
		w.t.Errorf("PATCH %s by many: %v", path, count)
	}
	changed := w.do("PATCH "+path, fmt.Sprintf(patch, 9))
	if got := get(); changed.Code != 200 || got == first || got != changed.Header().Get("ETag") {
		w.t.Errorf("%s has the ETag %s, after a change that was answered with %d and %s", path, got, changed.Code, changed.Header().Get("ETag"))
	}
	before := w.want(200, "GET "+path, "")
	for _, method := range []string{"DELETE", "PATCH"} {
		if got := code(method, refusedBody(method, patch), "If-Match: "+first); got != http.StatusPreconditionFailed {
			w.t.Errorf("%s %s of another edition: %d", method, path, got)
		}
	}
	if got := w.want(200, "GET "+path, ""); got != before {
		w.t.Errorf("what was refused changed %s\nfrom %s\nto %s", path, before, got)
	}
}
