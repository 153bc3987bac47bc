package apiv1_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"leyden"
)

// putTags lists three idTags and lets one be seen.
func (w *world) putTags() {
	w.t.Helper()
	w.want(http.StatusCreated, "POST /vehicles", `{"vehicleId":"VAN-12"}`)
	for _, body := range []string{
		`{"idTag":"FLEET","maxActiveTransactions":5}`,
		`{"idTag":"=Card1","status":"Blocked","parentIdTag":"Fleet","note":"Alice, \"spare\""}`,
		`{"idTag":"Card2","expiryDate":"2030-01-01T00:00:00.000123Z","parentIdTag":"FLEET","vehicleId":"VAN-12"}`,
	} {
		w.want(http.StatusCreated, "POST /id-tags", body)
	}
	w.must(w.store.SeeTokens(w.t.Context(), []leyden.Token{{Value: "SEEN", Status: leyden.TokenAccepted, CreatedAt: noon, SeenAt: noon}}))
}

func (w *world) importTags(query, list string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do("POST /id-tags/import"+query, list, "Content-Type: text/csv; charset=utf-8")
}

func TestFilterIDTags(t *testing.T) {
	inWorld(t, func(w *world) {
		w.putTags()
		for query, want := range map[string]string{
			"":                                    "=Card1 Card2 FLEET SEEN USER123",
			"?listed=false":                       "SEEN",
			"?listed=true&status=Accepted":        "Card2 FLEET USER123",
			"?status=Blocked":                     "=Card1",
			"?parentIdTag=fleet":                  "=Card1 Card2",
			"?q=card":                             "=Card1 Card2",
			"?q=alice":                            "=Card1",
			"?q=nobody":                           "",
			"?parentIdTag=FLEET&limit=1&offset=1": "Card2",
		} {
			body := w.want(http.StatusOK, "GET /id-tags"+query, "")
			var got []string
			for _, part := range strings.Split(body, `{"idTag":"`)[1:] {
				tag, _, _ := strings.Cut(part, `"`)
				got = append(got, tag)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: got %v, want %s", query, got, want)
			}
		}
		w.want(http.StatusBadRequest, "GET /id-tags?listed=perhaps", "")
		w.want(http.StatusBadRequest, "GET /id-tags?status=Invalid", "")
	})
}

func TestExportAndImportIDTags(t *testing.T) {
	inWorld(t, func(w *world) {
		w.putTags()
		out := w.do("GET /id-tags?format=csv", "")
		w.compare("id_tags.csv", out.Body.String())
		wantHeader(t, out, "Content-Type", "text/csv; charset=utf-8; header=present")
		wantHeader(t, out, "Content-Disposition", `attachment; filename="id-tags.csv"`)
		wantHeader(t, out, "X-Total-Count", "4") // without the one that was merely seen
		list := out.Body.String()
		got := w.importTags("", list)
		if got.Code != http.StatusOK || got.Body.String() != `{"added":0,"changed":0,"unchanged":4,"errors":[]}` {
			t.Errorf("what was exported: got %d %s", got.Code, got.Body)
		}
		if seen := w.want(http.StatusOK, "GET /id-tags?format=csv&listed=false", ""); !strings.HasSuffix(seen, "\r\nSEEN,Accepted,,,,,\r\n") {
			t.Errorf("those that were seen: got %q", seen)
		}
		got = w.importTags("", "\ufeffID Tag;Note\r\nseen;hello\r\nNEW;\r\ncard2;'=x\r\n")
		if got.Code != http.StatusOK || got.Body.String() != `{"added":2,"changed":1,"unchanged":0,"errors":[]}` {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
		if tag := w.want(http.StatusOK, "GET /id-tags/Card2", ""); !strings.Contains(tag, `"note":"=x"`) || !strings.Contains(tag, `"vehicleId":"VAN-12"`) {
			t.Errorf("got %s", tag)
		}
		if tag := w.want(http.StatusOK, "GET /id-tags/SEEN", ""); !strings.Contains(tag, `"listed":true`) {
			t.Errorf("got %s", tag)
		}
	})
}

func TestImportRefusals(t *testing.T) {
	const bad = "idTag,status,expiryDate\nA,Accepted,\nB,Fine,1/2/2030\n,,\n\"C"
	inWorld(t, func(w *world) {
		dry := w.importTags("?dryRun=true", bad)
		if dry.Code != http.StatusOK {
			t.Errorf("dry run: got %d", dry.Code)
		}
		w.golden("id_tags_dry_run", dry.Body.String())
		got := w.importTags("", bad)
		if got.Code != http.StatusBadRequest {
			t.Errorf("got %d", got.Code)
		}
		w.golden("id_tags_refused", got.Body.String())
		if tags := w.want(http.StatusOK, "GET /id-tags", ""); strings.Count(tags, `"idTag":`) != 1 {
			t.Errorf("something was taken: %s", tags)
		}
		for name, c := range map[string]struct {
			contentType, body string
			want              int
		}{
			"JSON":       {"application/json", `{}`, http.StatusUnsupportedMediaType},
			"nothing":    {"text/csv", "", http.StatusBadRequest},
			"too large":  {"text/csv", "idTag\n" + strings.Repeat("x", 4<<20), http.StatusRequestEntityTooLarge},
			"unnamed":    {"", "idTag\nA\n", http.StatusOK},
			"not UTF-8":  {"text/csv", "idTag\n\xe4\n", http.StatusBadRequest},
			"no columns": {"text/csv", "\n", http.StatusBadRequest},
		} {
			if got := w.do("POST /id-tags/import", c.body, "Content-Type: "+c.contentType); got.Code != c.want {
				t.Errorf("%s: got %d %s, want %d", name, got.Code, got.Body, c.want)
			}
		}
	})
}

func TestAdmitIDTag(t *testing.T) {
	inWorld(t, func(w *world) {
		w.putTags()
		for _, tag := range []string{"seen", "%3DCard1"} {
			got := w.want(http.StatusOK, "POST /id-tags/"+tag+"/admit", "")
			if !strings.Contains(got, `"status":"Accepted"`) || !strings.Contains(got, `"listed":true`) || got != w.want(http.StatusOK, "GET /id-tags/"+tag, "") {
				t.Errorf("%s: got %s", tag, got)
			}
		}
		w.wantError("POST /id-tags/NOBODY/admit", "", 404, "NOT_FOUND", "idTag NOBODY: not found")
	})
}

// Of many who add the same at once one succeeds, and the others are told.
func TestAddTheSameAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		for path, body := range map[string]string{"/id-tags": `{"idTag":"SAME"}`, "/vehicles": `{"vehicleId":"SAME"}`} {
			var wg sync.WaitGroup
			codes := make([]int, 8)
			for i := range codes {
				wg.Go(func() { codes[i] = w.do("POST "+path, body).Code })
			}
			wg.Wait()
			slices.Sort(codes)
			if got, want := fmt.Sprint(codes), "[201 409 409 409 409 409 409 409]"; got != want {
				t.Errorf("%s: got %s, want %s", path, got, want)
			}
		}
	})
}
