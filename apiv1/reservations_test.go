package apiv1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"leyden"
)

func (w *world) book(s leyden.StationID, connector int) leyden.Reservation {
	w.t.Helper()
	r, err := w.ledger.BookConnector(w.t.Context(), leyden.ReservationRequest{
		Station: s, Connector: connector, Token: leyden.IDToken{Value: "USER123"}, ExpiresAt: w.now().Add(time.Hour), By: "key_1",
	})
	w.must(err)
	return r
}

func TestReservations(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register("CHARGER-001")
		w.must(w.store.SaveToken(t.Context(), leyden.Token{Value: "USER123", Status: leyden.TokenAccepted, Listed: true, Parent: "FLEET-7"}))
		first := w.book("CHARGER-001", 1)
		_, err := w.ledger.AnswerReservation(t.Context(), "CHARGER-001", first.ID, "Accepted")
		w.must(err)
		_, err = w.ledger.Record(t.Context(), leyden.Event{
			Station: "CHARGER-001", Kind: leyden.Started, Connector: 1, At: w.now(), Token: leyden.IDToken{Value: "user123"}, Reservation: &first.ID,
		}, "")
		w.must(err)
		time.Sleep(time.Minute)
		second := w.book("CHARGER-001", 0)
		w.golden("reservation_list", w.want(http.StatusOK, "GET /chargers/CHARGER-001/reservations", ""))
		for query, want := range map[string][]int{
			"?status=used": {first.ID}, "?status=open": {second.ID}, "?status=pending,used": {second.ID, first.ID},
			"?status=active": nil, "?limit=1&offset=1": {first.ID},
		} {
			got := w.want(http.StatusOK, "GET /chargers/CHARGER-001/reservations"+query, "")
			for _, id := range want {
				if !strings.Contains(got, fmt.Sprintf(`"reservationId":%d,`, id)) {
					t.Errorf("%s: got %s, without %d", query, got, id)
				}
			}
			if n := strings.Count(got, `"reservationId"`); n != len(want) {
				t.Errorf("%s: got %d, want %d", query, n, len(want))
			}
		}
		w.wantError("GET /chargers/NOBODY/reservations", "", 404, "NOT_FOUND", "charger NOBODY: not found")
		w.want(http.StatusBadRequest, "GET /chargers/CHARGER-001/reservations?status=gone", "")
	})
}
