package apiv2_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// Who asks for a file by Accept gets all that the query selects, in the fields of
// v2; everybody else gets the page.
func TestFile(t *testing.T) {
	w := fleet(t)
	asked := func(line, accept string) *httptest.ResponseRecorder {
		return w.do(line, "", "Authorization: Bearer "+w.bearer, "Accept: "+accept)
	}
	out := asked("GET /v2/transactions?chargerId=A&order=asc&limit=1", "text/csv")
	lines, err := csv.NewReader(out.Body).ReadAll()
	w.must(err)
	want := "TransactionID,ChargerID,ConnectorID,StartAt,EndAt,InitialSoC,VehicleID,Initiator,EndSoC,EnergyDelivered,EndResult,ExtraInfo,SessionStartTime,SessionEndTime,InsertedAt"
	if got := strings.Join(lines[0], ","); got != want {
		t.Errorf("the columns are %s, want %s", got, want)
	}
	if len(lines) != 4 || lines[1][0] != "1" || lines[2][0] != "2" || lines[3][0] != "4" || lines[3][4] != "" || lines[1][9] != "10" {
		t.Errorf("got %q", lines)
	}
	if got := out.Header().Get("X-Total-Count") + " " + out.Result().Trailer.Get("X-Row-Count"); got != "3 3" {
		t.Errorf("X-Total-Count and X-Row-Count: got %s, want 3 3", got)
	}
	if got := out.Header().Get("Content-Disposition"); got != `attachment; filename="transactions.csv"` {
		t.Errorf("Content-Disposition: got %s", got)
	}

	out = asked("GET /v2/transactions?vehicleId=van", "application/vnd.apache.parquet")
	file, err := parquet.OpenFile(bytes.NewReader(out.Body.Bytes()), int64(out.Body.Len()))
	w.must(err)
	if file.NumRows() != 3 || file.Schema().Columns()[9][0] != "EnergyDelivered" {
		t.Errorf("got %d rows of %s", file.NumRows(), file.Schema())
	}

	out = asked("GET /v2/transactions?vehicleId=van", "application/x-ndjson")
	if got := strings.Count(out.Body.String(), "\n"); got != 3 || !strings.HasPrefix(out.Body.String(), `{"TransactionID":4,`) {
		t.Errorf("got %s", out.Body)
	}
	if out = asked("GET /v2/transactions?from=2023-05-04T00:00:00Z&to=2023-05-03T00:00:00Z", "text/csv"); out.Code != http.StatusBadRequest {
		t.Errorf("a broken query: got %d %s", out.Code, out.Body)
	}
	for _, accept := range []string{"*/*", "application/json, text/csv", "text/html,*/*;q=0.1"} {
		if out = asked("GET /v2/transactions?limit=2", ""+accept); !strings.HasPrefix(out.Body.String(), "[{") || strings.Count(out.Body.String(), "TransactionID") != 2 {
			t.Errorf("Accept: %s: got %s", accept, out.Body)
		}
	}
}
